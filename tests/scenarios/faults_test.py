"""Roles that die or stand still while requests are under way: the text stays right, and what was
restarted is used again."""

import signal
import threading
import time
import unittest

import harness

LONG_PROMPT = "The harbour master wrote down every ship that came in before noon. " * 150
OPTIONS = {"temperature": 0, "max_tokens": 24, "ignore_eos": True}


class Answer:
    """A request under way on a thread of its own."""

    def __init__(self, role, prompt):
        self._thread = threading.Thread(target=self._ask, args=(role, prompt))
        self._result = None
        self._thread.start()

    def _ask(self, role, prompt):
        try:
            self._result = role.post("/v1/completions", harness.completion(prompt, **OPTIONS))
        except BaseException as error:
            self._result = error

    def text(self, seconds=90):
        """The answer's text; fails if it takes longer than `seconds` from now."""
        self._thread.join(seconds * harness.PATIENCE)
        assert not self._thread.is_alive(), f"no answer within {seconds} s"
        if isinstance(self._result, BaseException):
            raise self._result
        return self._result["choices"][0]["text"]


# blocking_timeout_secs, transfer_timeout and the lookup's own, as configured by default: the most that
# a part that died may cost beside computing the prompt again.
TIME_OUTS_SECONDS = 10 + 1 + 2


def text_of(role, prompt):
    return role.post("/v1/completions", harness.completion(prompt, **OPTIONS))["choices"][0]["text"]


def wait_running(role):
    harness.wait_until(lambda: role.metric("vllm:num_requests_running") > 0, 20,
                       f"a request to run on {role.name}")


class FaultsTest(unittest.TestCase):
    def deploy(self, **options):
        return self.enterContext(harness.Deployment(single=True, **options))

    def expect(self, deployment, prompt):
        """One instance's text; afterwards self.limit is how long a recomputation may take, on a
        machine whose other engines may be computing as well."""
        start = time.monotonic()
        text = text_of(deployment.single, prompt)
        self.limit = 3 * (time.monotonic() - start) + TIME_OUTS_SECONDS
        return text

    def test_prefiller_killed_in_mid_prefill(self):
        d = self.deploy()
        prompt = "One. " + LONG_PROMPT
        expected = self.expect(d, prompt)
        answer = Answer(d.proxy, prompt)
        wait_running(d.prefillers[0])
        d.prefillers[0].kill()
        self.assertEqual(answer.text(self.limit), expected)
        self.assertEqual(text_of(d.proxy, prompt), expected)

        d.prefillers[0].restart()
        def used_again():
            text_of(d.proxy, "A short question for whoever prefills now.")
            return d.prefillers[0].metric("vllm:prompt_tokens_total") > 0
        harness.wait_until(used_again, 10, "the restarted prefiller to be used")

    def test_master_killed_in_mid_request_and_its_objects_found_again(self):
        d = self.deploy()
        prompt = "Two. " + LONG_PROMPT
        expected = self.expect(d, prompt)
        self.assertEqual(text_of(d.proxy, prompt), expected)
        keys = set(d.metadata_keys())
        self.assertGreater(len(keys), 1)

        answer = Answer(d.proxy, "Three. " + LONG_PROMPT)
        wait_running(d.prefillers[0])
        d.master.kill()
        self.assertEqual(answer.text(self.limit), self.expect(d, "Three. " + LONG_PROMPT))
        self.assertEqual(text_of(d.proxy, prompt), expected)

        d.master.restart()
        harness.wait_until(lambda: keys <= set(d.metadata_keys()), 10,
                           "the objects to be registered again")
        def loaded():
            before = d.decoders[0].metric("tandem:external_loaded_tokens_total")
            self.assertEqual(text_of(d.proxy, prompt), expected)
            return d.decoders[0].metric("tandem:external_loaded_tokens_total") > before
        harness.wait_until(loaded, 20, "the decoder to load from the store again")

    def test_decoder_killed_in_mid_stream_is_replaced(self):
        d = self.deploy(decoders=2)
        prompt = "Four. " + LONG_PROMPT
        options = OPTIONS | {"max_tokens": 120}
        body = harness.completion(prompt, **options)
        expected = d.single.post("/v1/completions", body)
        events = d.proxy.stream("/v1/completions", body | {"stream_options": {"include_usage": True}})
        texts, usage, finish, killed = [], None, None, False
        for event in events:
            self.assertNotIn("error", event)
            usage = event.get("usage") or usage
            for choice in event["choices"]:
                texts.append(choice["text"])
                finish = choice["finish_reason"] or finish
            if len(texts) == 8:
                busy = [x for x in d.decoders if x.metric("vllm:num_requests_running") > 0]
                self.assertEqual(len(busy), 1)
                busy[0].kill()
                killed = True
        self.assertTrue(killed)
        self.assertEqual("".join(texts), expected["choices"][0]["text"])
        self.assertEqual(finish, "length")
        self.assertEqual(usage["completion_tokens"], 120)

    def test_decoder_killed_in_mid_stream_with_no_other_ends_the_stream(self):
        d = self.deploy()
        body = harness.completion("Five. " + LONG_PROMPT, **(OPTIONS | {"max_tokens": 400}))
        error, killed_at = None, None
        for count, event in enumerate(d.proxy.stream("/v1/completions", body)):
            if count == 4:
                d.decoders[0].kill()
                killed_at = time.monotonic()
            error = event.get("error") or error
        self.assertIsNotNone(error, "the stream has no error event")
        self.assertIn("message", error)
        self.assertLess(time.monotonic() - killed_at, 2 * harness.PATIENCE)
        d.decoders[0].restart()
        harness.wait_until(lambda: d.proxy.request("POST", "/v1/completions", harness.completion(
            "Again.", **OPTIONS))[0] == 200, 10, "the restarted decoder to be used")

    def test_any_role_stands_still_for_five_seconds(self):
        d = self.deploy(decoders=1)
        for number, role in enumerate([d.master, d.prefillers[0], d.decoders[0], d.proxy]):
            with self.subTest(role=role.name):
                prompt = f"Stop {number}. " + LONG_PROMPT
                expected = self.expect(d, prompt)
                answer = Answer(d.proxy, prompt)
                if role is not d.proxy:
                    wait_running(d.decoders[0] if role is d.decoders[0] else d.prefillers[0])
                role.signal(signal.SIGSTOP)
                resume = threading.Timer(5, role.signal, [signal.SIGCONT])
                resume.start()
                try:
                    self.assertEqual(answer.text(), expected)
                finally:
                    resume.join()
                self.assertEqual(text_of(d.proxy, prompt), expected)


if __name__ == "__main__":
    unittest.main()
