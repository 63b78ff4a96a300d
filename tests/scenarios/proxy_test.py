"""What a client sees through the proxy is what one instance alone would have said: every kind of
request, its errors, and what becomes of requests whose clients leave."""

import http.client
import json
import unittest

import harness

PROMPT = "The harbour master wrote down every ship that came in before noon."
LONG_PROMPT = (PROMPT + " ") * 150
GREEDY = {"temperature": 0, "max_tokens": 12}


def without_names(reply):
    """A reply without what differs from request to request: its name, its time, where KV was found."""
    reply = {key: value for key, value in reply.items() if key not in ("id", "created")}
    if reply.get("usage"):
        reply["usage"] = {key: value for key, value in reply["usage"].items()
                          if key != "prompt_tokens_details"}
    return reply


class SameAnswersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.d = cls.enterClassContext(harness.Deployment(single=True))

    def ask(self, path, body, split=True):
        """The whole reply of the proxy, which must be that of one instance; `split` tells whether it
        must come from both instances or from the decoder alone."""
        expected = without_names(self.d.single.post(path, body))
        prefills = self.d.proxy.metric("tandem_proxy_prefills_total")
        whole = self.d.proxy.metric("tandem_proxy_whole_to_decoder_total")
        self.assertEqual(without_names(self.d.proxy.post(path, body)), expected)
        self.assertEqual(self.d.proxy.metric("tandem_proxy_prefills_total") - prefills, int(split))
        self.assertEqual(self.d.proxy.metric("tandem_proxy_whole_to_decoder_total") - whole,
                         int(not split))
        return expected

    def ask_streamed(self, path, body):
        """The chunks of the proxy's stream, whose text, finish reasons, logprobs and usage must be
        those of one instance's."""
        def read(role):
            chunks = [without_names(chunk) for chunk in role.stream(path, body)]
            told = {"text": "", "usage": None, "finish": [], "tokens": [], "logprobs": []}
            for chunk in chunks:
                if not chunk["choices"]:
                    told["usage"] = chunk["usage"]
                for choice in chunk["choices"]:
                    told["text"] += choice.get("text") or choice.get("delta", {}).get("content") or ""
                    told["finish"] += [choice["finish_reason"]] if choice["finish_reason"] else []
                    logprobs = choice.get("logprobs") or {}
                    told["tokens"] += logprobs.get("tokens") or logprobs.get("content") or []
                    told["logprobs"] += logprobs.get("token_logprobs") or []
            return chunks, told
        _, expected = read(self.d.single)
        chunks, told = read(self.d.proxy)
        self.assertEqual(told, expected)
        return chunks, told

    def test_several_choices(self):
        body = harness.completion(PROMPT, n=3, max_tokens=8, temperature=0.9, seed=5)
        reply = self.ask("/v1/completions", body, split=False)
        self.assertEqual([choice["index"] for choice in reply["choices"]], [0, 1, 2])
        self.assertGreater(len({choice["text"] for choice in reply["choices"]}), 1)
        self.ask("/v1/chat/completions",
                 harness.chat("Name a colour.", n=2, max_tokens=8, temperature=0.9, seed=5), split=False)

    def test_prompt_logprobs(self):
        reply = self.ask("/v1/completions", harness.completion(PROMPT, prompt_logprobs=2, **GREEDY),
                         split=False)
        self.assertEqual(len(reply["choices"][0]["prompt_logprobs"]), reply["usage"]["prompt_tokens"])

    def test_echo(self):
        reply = self.ask("/v1/completions", harness.completion(PROMPT, echo=True, **GREEDY))
        self.assertTrue(reply["choices"][0]["text"].startswith(PROMPT))
        reply = self.ask("/v1/completions", harness.completion(PROMPT, echo=True, logprobs=1, **GREEDY),
                         split=False)
        logprobs = reply["choices"][0]["logprobs"]
        self.assertEqual(len(logprobs["tokens"]), reply["usage"]["total_tokens"])
        self.assertIsNone(logprobs["token_logprobs"][0])
        reply = self.ask("/v1/completions",
                         harness.completion(PROMPT, echo=True, temperature=0, max_tokens=0), split=False)
        self.assertEqual(reply["choices"][0]["text"], PROMPT)
        _, told = self.ask_streamed("/v1/completions", harness.completion(PROMPT, echo=True, **GREEDY))
        self.assertTrue(told["text"].startswith(PROMPT))

    def test_lists_of_prompts(self):
        prompts = ["Red, green and", "One, two, three,"]
        reply = self.ask("/v1/completions", harness.completion(prompts, **GREEDY), split=False)
        self.assertEqual(len(reply["choices"]), 2)
        ids = [self.d.single.post("/tokenize", {"prompt": text})["tokens"] for text in prompts]
        again = self.ask("/v1/completions", harness.completion(ids, **GREEDY), split=False)
        self.assertEqual([choice["text"] for choice in again["choices"]],
                         [choice["text"] for choice in reply["choices"]])

    def test_stop_strings_across_the_first_token(self):
        ids = self.d.single.post("/v1/completions", harness.completion(
            PROMPT, return_token_ids=True, **GREEDY))["choices"][0]["token_ids"]
        text = lambda count: self.d.single.post("/detokenize", {"tokens": ids[:count]})["prompt"]
        first, three = text(1), text(3)
        for name, stop in (("within the first token", first[-2:]),
                           ("across the first two", three[max(0, len(first) - 2):len(first) + 2]),
                           ("after the first", three[len(first):])):
            for include in (False, True):
                with self.subTest(name, stop=stop, include=include):
                    body = harness.completion(PROMPT, stop=[stop], include_stop_str_in_output=include,
                                              **GREEDY)
                    prefills = self.d.proxy.metric("tandem_proxy_prefills_total")
                    whole = self.d.single.post("/v1/completions", body)
                    reply = self.d.proxy.post("/v1/completions", body)
                    self.assertEqual(without_names(reply), without_names(whole))
                    self.assertEqual(reply["choices"][0]["finish_reason"], "stop")
                    self.assertEqual(reply["choices"][0]["stop_reason"], stop)
                    end = three.find(stop) + (len(stop) if include else 0)
                    self.assertEqual(reply["choices"][0]["text"], three[:end])
                    self.assertEqual(self.d.proxy.metric("tandem_proxy_prefills_total"), prefills + 1)
                    self.ask_streamed("/v1/completions", body)

    def test_the_first_token_may_be_all(self):
        body = harness.completion(PROMPT, temperature=0, max_tokens=1, logprobs=2)
        answers = self.d.proxy.metric("tandem_proxy_prefill_answers_total")
        self.ask("/v1/completions", body)
        self.ask_streamed("/v1/completions", body)
        self.ask("/v1/chat/completions", harness.chat("Hello!", temperature=0, max_completion_tokens=1))
        self.ask_streamed("/v1/chat/completions", harness.chat(
            "Hello!", temperature=0, max_completion_tokens=1, stream_options={"include_usage": True}))
        self.assertEqual(self.d.proxy.metric("tandem_proxy_prefill_answers_total") - answers, 4)

    def test_logprobs_from_the_first_token_on(self):
        body = harness.completion(PROMPT, logprobs=3, **GREEDY)
        reply = self.ask("/v1/completions", body)
        logprobs = reply["choices"][0]["logprobs"]
        self.assertEqual(len(logprobs["token_logprobs"]), reply["usage"]["completion_tokens"])
        self.assertGreaterEqual(len(logprobs["top_logprobs"][0]), 3)
        _, told = self.ask_streamed("/v1/completions", body)
        self.assertEqual(told["logprobs"], logprobs["token_logprobs"])
        chat = harness.chat("Name a colour.", logprobs=True, top_logprobs=2, **GREEDY)
        content = self.ask("/v1/chat/completions", chat)["choices"][0]["logprobs"]["content"]
        self.assertEqual(len(content[0]["top_logprobs"]), 2)
        _, told = self.ask_streamed("/v1/chat/completions", chat)
        self.assertEqual(told["tokens"], content)

    def test_usage_of_streams(self):
        for path, body in (("/v1/completions", harness.completion(PROMPT, **GREEDY)),
                           ("/v1/chat/completions", harness.chat("Name a colour.", **GREEDY))):
            chunks, told = self.ask_streamed(path, body | {"stream_options": {"include_usage": True}})
            self.assertEqual(told["usage"]["completion_tokens"], 12)
            self.assertEqual(told["usage"], without_names(self.d.single.post(path, body))["usage"])
            self.assertEqual(chunks[-1]["choices"], [])
            chunks, _ = self.ask_streamed(path, body | {
                "stream_options": {"include_usage": True, "continuous_usage_stats": True}})
            counts = [chunk["usage"]["completion_tokens"] for chunk in chunks]
            self.assertEqual(counts, sorted(counts))
            self.assertEqual(counts[-1], 12)
            chunks, told = self.ask_streamed(path, body)
            self.assertIsNone(told["usage"])

    def test_errors_are_those_of_an_instance(self):
        for path, body, status in (
                ("/v1/completions", harness.completion("x") | {"model": "nobody"}, 404),
                ("/v1/completions", harness.completion("x", temperature=-1), 400),
                ("/v1/completions", harness.completion("x", n=2, temperature=-1), 400),
                ("/v1/completions", harness.completion("x", n=0), 400),
                ("/v1/completions", harness.completion("word " * 20000), 400),
                ("/v1/completions", harness.completion("x", max_tokens=10**6), 400),
                ("/v1/completions", "{not json", 400),
                ("/v1/chat/completions", harness.chat("x", top_logprobs=1), 400),
                ("/tokenize", {}, 400),
                ("/detokenize", {"tokens": [10**9]}, 400),
                ("/v1/nothing", {}, 404)):
            for streamed in (False, True):
                if streamed and not isinstance(body, dict):
                    continue
                sent = body | {"stream": True} if streamed else body
                with self.subTest(path=path, body=str(sent)[:60]):
                    expected = self.d.single.request("POST", path, sent)
                    got = self.d.proxy.request("POST", path, sent)
                    self.assertEqual(got[0], status, got[2])
                    self.assertEqual((got[0], json.loads(got[2])),
                                     (expected[0], json.loads(expected[2])))
        self.assertEqual(self.d.proxy.request("GET", "/v1/completions")[0],
                         self.d.single.request("GET", "/v1/completions")[0])
        self.assertEqual(self.d.proxy.metric("tandem_proxy_prefill_failures_total"), 0)

    def test_unsupported_fields_are_refused(self):
        tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
        for path, make in (("/v1/completions", harness.completion),
                           ("/v1/chat/completions", harness.chat)):
            for field, value in (("tools", [tool]), ("tool_choice", "auto"),
                                 ("response_format", {"type": "json_object"}),
                                 ("guided_json", {"type": "object"}), ("guided_regex", "a+"),
                                 ("structured_outputs", {"regex": "a"}), ("use_beam_search", True),
                                 ("truncate_prompt_tokens", 5), ("logits_processors", ["x"])):
                with self.subTest(path=path, field=field):
                    status, _, text = self.d.proxy.request("POST", path, make("x", **{field: value}))
                    self.assertEqual(status, 400, text)
                    error = json.loads(text)["error"]
                    self.assertIn(field, error["message"])
                    # Tools are shown to the model, but calls are not read from its text.
                    of_chat = field == "tools" and path.endswith("chat/completions")
                    self.assertEqual(error["param"], "tool_choice" if of_chat else field)
                    self.assertEqual(error["type"], "BadRequestError")

    def test_a_request_can_be_followed_through_every_role(self):
        status, headers, _ = self.d.proxy.request(
            "POST", "/v1/completions", harness.completion("Followed. " + PROMPT, **GREEDY),
            headers={"X-Request-Id": "follow-me"})
        self.assertEqual((status, headers["X-Request-Id"]), (200, "follow-me"))
        status, headers, _ = self.d.proxy.request("POST", "/v1/completions",
                                                  harness.completion("Named. " + PROMPT, **GREEDY))
        for name in ("follow-me", headers["X-Request-Id"]):
            for role in (self.d.proxy, self.d.prefillers[0], self.d.decoders[0]):
                role.expect_logged(name)


class FollowedToTheMasterTest(unittest.TestCase):
    def test_lookups_and_puts_name_their_request(self):
        with harness.Deployment(master_flags=["-v=1"]) as d:
            d.proxy.request("POST", "/v1/completions", harness.completion(PROMPT, **GREEDY),
                            headers={"X-Request-Id": "follow-me"})
            for call in ("get_replica_list", "put_start", "put_end"):
                d.master.expect_logged(rf"request follow-me\S*: {call} of 1 keys")


class LeavingClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.d = cls.enterClassContext(harness.Deployment())

    def leave(self, role, body):
        """Sends a request, waits until it runs on `role`, goes away, and waits until all is freed."""
        left = self.d.proxy.metric("tandem_proxy_disconnects_total")
        connection = http.client.HTTPConnection("127.0.0.1", self.d.proxy.port)
        connection.request("POST", "/v1/completions", json.dumps(body))
        harness.wait_until(lambda: role.metric("vllm:num_requests_running") > 0, 30,
                           f"the request to run on {role.name}")
        connection.close()
        for instance in (self.d.prefillers[0], self.d.decoders[0]):
            harness.wait_until(
                lambda: instance.metric("vllm:num_requests_running") == 0
                and instance.metric("vllm:kv_cache_usage_perc") == 0, 10,
                f"the blocks of {instance.name} to be freed")
        harness.wait_until(lambda: self.d.proxy.metric("tandem_proxy_requests_in_flight") == 0, 10,
                           "the proxy to forget the request")
        self.assertEqual(self.d.proxy.metric("tandem_proxy_disconnects_total"), left + 1)

    def test_during_the_prefill(self):
        asked = self.d.decoders[0].metric("vllm:prompt_tokens_total")
        self.leave(self.d.prefillers[0], harness.completion("Leave one. " + LONG_PROMPT, max_tokens=400))
        self.assertEqual(self.d.decoders[0].metric("vllm:prompt_tokens_total"), asked)

    def test_during_the_decode(self):
        for streamed in (False, True):
            with self.subTest(streamed=streamed):
                self.leave(self.d.decoders[0], harness.completion(
                    f"Leave {streamed}. {PROMPT}", max_tokens=4000, ignore_eos=True, stream=streamed))
        text = self.d.proxy.post("/v1/completions", harness.completion(PROMPT, **GREEDY))
        self.assertEqual(text["choices"][0]["finish_reason"], "length")


class InstancesTest(unittest.TestCase):
    def test_the_decoder_does_the_whole_job_without_a_prefiller(self):
        with harness.Deployment(single=True) as d:
            body = harness.completion(PROMPT, **GREEDY)
            expected = without_names(d.single.post("/v1/completions", body))
            d.prefillers[0].kill()
            for _ in range(2):
                self.assertEqual(without_names(d.proxy.post("/v1/completions", body)), expected)
            skipped = d.proxy.metric("tandem_proxy_prefills_skipped_total")
            failed = d.proxy.metric("tandem_proxy_prefill_failures_total")
            self.assertEqual(skipped + failed, 2)
            address = f"127.0.0.1:{d.prefillers[0].port}"
            d.proxy.expect_logged(f"prefiller {address} is down", "goes whole to a decoder")
            health = json.loads(d.proxy.request("GET", "/health")[2])
            self.assertEqual([(one["address"], one["up"]) for one in health["prefillers"]],
                             [(address, False)])

    def test_namespaces_that_differ_are_told(self):
        with harness.Deployment(decoder_flags=["--kv-cache-dtype=float32"]) as d:
            body = harness.completion(PROMPT, **GREEDY)
            def known():
                health = json.loads(d.proxy.request("GET", "/health")[2])
                return health["decoders"][0]["kv_namespace"]
            harness.wait_until(known, 10, "the proxy to know the decoder's namespace")
            for _ in range(2):
                self.assertEqual(d.proxy.request("POST", "/v1/completions", body)[0], 200)
            self.assertEqual(d.proxy.metric("tandem_proxy_namespace_mismatches_total"), 2)
            told = [line for line in d.proxy.log().splitlines() if "KV cache namespace" in line]
            self.assertEqual(len(told), 1, "it is told once")
            for word in (str(d.prefillers[0].port), str(d.decoders[0].port), "--kv-cache-dtype"):
                self.assertIn(word, told[0])

    def test_lists_are_taken_in_turns_independently(self):
        with harness.Deployment(prefillers=2, decoders=2) as d:
            for number in range(4):
                d.proxy.post("/v1/completions", harness.completion(f"{number}. {PROMPT}", **GREEDY))
            for role in (*d.prefillers, *d.decoders):
                self.assertEqual(role.metric("vllm:request_success_total"), 2, role.name)

    def test_api_keys_pass_the_proxy(self):
        with harness.Deployment(serve_flags=["--api-key=secret"]) as d:
            body = harness.completion(PROMPT, temperature=0.8, max_tokens=8)
            for key, status in (("secret", 200), ("wrong", 401), (None, 401)):
                headers = {"Authorization": f"Bearer {key}"} if key else {}
                for path, sent in (("/v1/completions", body), ("/v1/completions", body | {"n": 2})):
                    got, _, text = d.proxy.request("POST", path, sent, headers=headers)
                    self.assertEqual(got, status, text)
                self.assertEqual(d.proxy.request("GET", "/v1/models", headers=headers)[0], status)
            # Both instances asked for the key, and neither is taken for dead.
            self.assertEqual(d.proxy.metric("tandem_proxy_prefill_failures_total"), 0)
            self.assertEqual(d.proxy.request("GET", "/health")[0], 200)


if __name__ == "__main__":
    unittest.main()
