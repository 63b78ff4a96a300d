"""Every sampling parameter has its meaning, as the openai package sees it."""

import concurrent.futures
import math
import unittest

import harness

try:
    import openai
except ImportError:
    openai = None

PROMPT = "The capital of France is"
END = 2  # <|im_end|>


class SamplingTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if openai is None:
            raise harness.missing("the openai package is not installed; `make test` installs it")
        cls.d = cls.enterClassContext(harness.Deployment(
            prefillers=0, decoders=0, single=True, proxy=False,
            serve_flags=["--enable-prefix-caching", "--max-model-len=512"]))
        cls.client = openai.OpenAI(base_url=f"http://127.0.0.1:{cls.d.single.port}/v1",
                                   api_key="none", max_retries=0, timeout=60 * harness.PATIENCE)
        cls.greedy = cls.complete(temperature=0)
        cls.greedy_ids = cls.greedy.token_ids

    @classmethod
    def reply(cls, prompt=PROMPT, max_tokens=12, **options):
        known = {name: options.pop(name) for name in (
            "temperature", "top_p", "n", "best_of", "seed", "stop", "logprobs", "echo",
            "logit_bias", "presence_penalty", "frequency_penalty") if name in options}
        return cls.client.completions.create(
            model=harness.MODEL_NAME, prompt=prompt, max_tokens=max_tokens, **known,
            extra_body={"return_token_ids": True, **options})

    @classmethod
    def complete(cls, **options):
        return cls.reply(**options).choices[0]

    def chat(self, text="Say hi.", max_tokens=48, **options):
        return self.client.chat.completions.create(
            model=harness.MODEL_NAME, messages=[{"role": "user", "content": text}],
            max_tokens=max_tokens, temperature=0, extra_body=options).choices[0]

    def ids(self, text):
        return self.d.single.post("/tokenize", {"prompt": text, "add_special_tokens": False})[
            "tokens"]

    def refused(self, field, *says, **options):
        with self.assertRaises(openai.BadRequestError) as caught:
            self.reply(**options)
        self.assertEqual(caught.exception.param, field)
        for text in says:
            self.assertIn(text, str(caught.exception))

    def test_temperature(self):
        self.assertEqual(self.complete(temperature=0).text, self.greedy.text)
        hot = [self.complete(temperature=2, seed=seed).text for seed in range(3)]
        self.assertEqual(len(set(hot)), 3)
        self.refused("temperature", "2.5", temperature=2.5)

    def test_filters_that_leave_one_token_are_greedy(self):
        for options in ({"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1}):
            with self.subTest(**options):
                self.assertEqual(self.complete(temperature=1.5, **options).token_ids,
                                 self.greedy_ids)
        self.assertEqual(self.complete(temperature=1, top_k=-1, seed=4).text,
                         self.complete(temperature=1, top_k=0, seed=4).text)
        self.refused("top_k", "-2", top_k=-2)
        self.refused("top_p", "0", top_p=0)
        self.refused("min_p", "1.5", min_p=1.5)

    def test_seed(self):
        first = self.complete(temperature=1, seed=5)
        self.assertEqual(self.complete(temperature=1, seed=5).token_ids, first.token_ids)
        self.assertNotEqual(self.complete(temperature=1, seed=6).token_ids, first.token_ids)

    def test_penalties(self):
        prompt = "one one one one one one one one"
        plain = self.complete(prompt=prompt, temperature=0, max_tokens=16).token_ids
        for options in ({"frequency_penalty": 2}, {"presence_penalty": 2},
                        {"repetition_penalty": 2}):
            with self.subTest(**options):
                ids = self.complete(prompt=prompt, temperature=0, max_tokens=16,
                                    **options).token_ids
                self.assertGreater(len(set(ids)), len(set(plain)))
        self.refused("frequency_penalty", "2.5", frequency_penalty=2.5)
        self.refused("repetition_penalty", "0", repetition_penalty=0)

    def test_logit_bias(self):
        wanted = self.ids(" Berlin")[0]
        self.assertEqual(self.complete(temperature=0, logit_bias={wanted: 100}).token_ids,
                         [wanted] * 12)
        first = self.greedy_ids[0]
        self.assertNotIn(first, self.complete(temperature=0, logit_bias={first: -100}).token_ids)
        self.refused("logit_bias", "99999999", logit_bias={99999999: 1})

    def test_bad_words(self):
        word = self.greedy.text.split()[0].strip(".,")
        self.assertNotIn(word, self.complete(temperature=0, bad_words=[word]).text)
        self.refused("bad_words", bad_words=["x", ""])

    def test_allowed_token_ids(self):
        allowed = self.ids(" red green blue")
        self.assertLessEqual(set(self.complete(temperature=1, allowed_token_ids=allowed).token_ids),
                             set(allowed))
        self.refused("allowed_token_ids", allowed_token_ids=[])
        self.refused(None, "leave no token", allowed_token_ids=[END], min_tokens=2)

    def test_stop(self):
        stop = self.greedy.text[3:7]
        choice = self.complete(temperature=0, stop=[stop, "never"])
        self.assertEqual(choice.text, self.greedy.text[:self.greedy.text.index(stop)])
        self.assertEqual((choice.finish_reason, choice.stop_reason), ("stop", stop))
        choice = self.complete(temperature=0, stop=stop, include_stop_str_in_output=True)
        self.assertEqual(choice.text, self.greedy.text[:self.greedy.text.index(stop) + len(stop)])
        self.refused("stop", stop=["a", "b", "c", "d", "e"])

    def test_stop_token_ids(self):
        token = self.greedy_ids[3]
        choice = self.complete(temperature=0, stop_token_ids=[token])
        self.assertEqual(choice.token_ids, self.greedy_ids[:self.greedy_ids.index(token) + 1])
        self.assertEqual((choice.finish_reason, choice.stop_reason), ("stop", token))
        self.refused("stop_token_ids", stop_token_ids=[99999999])

    def test_min_tokens_and_ignore_eos(self):
        short = self.complete(temperature=0, logit_bias={END: 100})
        self.assertEqual((short.token_ids, short.finish_reason), ([END], "stop"))
        self.assertIsNone(short.stop_reason)
        longer = self.complete(temperature=0, logit_bias={END: 100}, min_tokens=5)
        self.assertEqual(len(longer.token_ids), 6)
        self.assertEqual(longer.token_ids[5], END)
        ignoring = self.complete(temperature=0, logit_bias={END: 100}, ignore_eos=True)
        self.assertEqual((ignoring.token_ids, ignoring.finish_reason), ([END] * 12, "length"))
        self.refused("min_tokens", min_tokens=13)

    def test_skip_special_tokens(self):
        options = dict(temperature=0, allowed_token_ids=[END], ignore_eos=True, max_tokens=2)
        self.assertEqual(self.complete(**options).text, "")
        self.assertEqual(self.complete(skip_special_tokens=False, **options).text,
                         "<|im_end|><|im_end|>")

    def test_n_and_best_of(self):
        reply = self.reply(temperature=1, seed=9, n=3)
        alone = [self.complete(temperature=1, seed=9 + i).text for i in range(3)]
        self.assertEqual([choice.text for choice in reply.choices], alone)
        self.assertEqual(reply.usage.completion_tokens, 36)

        def likelihood(choice):
            return sum(choice.logprobs.token_logprobs)
        all_five = self.reply(temperature=1, seed=9, n=5, logprobs=0).choices
        best = self.reply(temperature=1, seed=9, n=2, best_of=5, logprobs=0).choices
        self.assertEqual([choice.text for choice in best],
                         [choice.text for choice in
                          sorted(all_five, key=likelihood, reverse=True)[:2]])
        self.assertEqual([choice.index for choice in best], [0, 1])
        self.refused("n", "greedy", temperature=0, n=2)
        self.refused("best_of", "at least n", n=3, best_of=2)

    def test_logprobs(self):
        choice = self.complete(temperature=0, logprobs=5)
        for token, logprob, top in zip(choice.logprobs.tokens, choice.logprobs.token_logprobs,
                                       choice.logprobs.top_logprobs):
            self.assertEqual(max(top.values()), logprob)
            self.assertEqual(len(top), 5)
            self.assertIn(token, top)
            self.assertLessEqual(sum(map(math.exp, top.values())), 1.0001)
        # They are the model's own, whatever changed the choice.
        biased = self.complete(temperature=0, logprobs=5, max_tokens=1,
                               logit_bias={self.greedy_ids[0]: -100})
        self.assertEqual(max(biased.logprobs.top_logprobs[0].values()),
                         choice.logprobs.token_logprobs[0])
        self.refused("logprobs", "20", "21", logprobs=21)
        chat = self.client.chat.completions.create(
            model=harness.MODEL_NAME, messages=[{"role": "user", "content": "Say hi."}],
            max_tokens=3, temperature=0, logprobs=True, top_logprobs=2)
        for entry in chat.choices[0].logprobs.content:
            self.assertEqual(len(entry.top_logprobs), 2)
            self.assertEqual(entry.top_logprobs[0].logprob, entry.logprob)

    def test_prompt_logprobs_and_echo(self):
        scored = self.complete(temperature=0, prompt_logprobs=2, max_tokens=1)
        prompt = self.ids(PROMPT)
        self.assertIsNone(scored.prompt_logprobs[0])
        self.assertEqual(len(scored.prompt_logprobs), len(prompt))
        for token, entry in zip(prompt[1:], scored.prompt_logprobs[1:]):
            self.assertIn(str(token), entry)
            self.assertIn(len(entry), (2, 3))
        echoed = self.complete(temperature=0, echo=True, logprobs=0, max_tokens=0)
        self.assertEqual(echoed.text, PROMPT)
        self.assertEqual(echoed.logprobs.token_logprobs[1:],
                         [entry[str(token)]["logprob"]
                          for token, entry in zip(prompt[1:], scored.prompt_logprobs[1:])])
        self.assertEqual(self.complete(temperature=0, echo=True).text, PROMPT + self.greedy.text)
        self.refused("prompt_logprobs", "20", prompt_logprobs=21)

    def test_echo_of_an_open_message(self):
        messages = [{"role": "user", "content": "Say hi."},
                    {"role": "assistant", "content": "Well, hel"}]
        options = dict(model=harness.MODEL_NAME, messages=messages, max_tokens=4, temperature=0)
        going_on = {"continue_final_message": True, "add_generation_prompt": False}
        plain = self.client.chat.completions.create(**options, extra_body=going_on)
        echoed = self.client.chat.completions.create(**options,
                                                     extra_body=going_on | {"echo": True})
        self.assertEqual(echoed.choices[0].message.content,
                         "Well, hel" + plain.choices[0].message.content)

    def test_max_model_len(self):
        self.assertEqual(len(self.complete(prompt=[300] * 500, max_tokens=12, temperature=0,
                                           ignore_eos=True).token_ids), 12)
        self.refused("max_tokens", "512", prompt=[300] * 501, max_tokens=12)
        self.refused("prompt", "512", prompt=[300] * 512, max_tokens=1)
        chat = self.client.chat.completions.create(
            model=harness.MODEL_NAME, messages=[{"role": "user", "content": "Count."}],
            temperature=0, extra_body={"ignore_eos": True})
        self.assertEqual(chat.usage.total_tokens, 512)

    def test_prefix_caching_and_cache_salt(self):
        prompt = [700 + i for i in range(100)]

        def cached(**options):
            return self.reply(prompt=prompt, max_tokens=1,
                              **options).usage.prompt_tokens_details.cached_tokens
        self.assertEqual(cached(), 0)
        self.assertEqual(cached(), 96)
        self.assertEqual(cached(cache_salt="mine"), 0)
        self.assertEqual(cached(cache_salt="mine"), 96)
        self.assertEqual(cached(cache_salt="yours"), 0)
        self.refused("cache_salt", cache_salt="")

    def test_priority_needs_the_policy(self):
        self.refused("priority", "--scheduling-policy priority", priority=1)


class PriorityTest(unittest.TestCase):
    def test_a_low_number_overtakes(self):
        """While one request runs, three wait; the most urgent comes first, the last arrival of all."""
        with harness.Deployment(prefillers=0, decoders=0, single=True, proxy=False,
                                serve_flags=["--scheduling-policy=priority",
                                             "--max-num-seqs=1"]) as d:
            order = []

            def send(name, priority, max_tokens):
                d.single.post("/v1/completions", harness.completion(
                    "Once upon a time", max_tokens=max_tokens, temperature=0, ignore_eos=True,
                    priority=priority))
                order.append(name)
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                running = pool.submit(send, "running", 0, 300)
                harness.wait_until(lambda: d.single.metric("vllm:num_requests_running") == 1, 30,
                                   "the first request to run")
                waiting = []
                for name, priority in (("late", 9), ("usual", 0), ("soon", -5)):
                    waiting.append(pool.submit(send, name, priority, 2))
                    harness.wait_until(
                        lambda: d.single.metric("vllm:num_requests_waiting") == len(waiting), 30,
                        f"{name} to wait")
                for request in [running, *waiting]:
                    request.result()
            self.assertEqual(order, ["running", "soon", "usual", "late"])


if __name__ == "__main__":
    unittest.main()
