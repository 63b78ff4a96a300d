"""Decoders that stand still or drain while others could do their work: streams and requests go on there,
with the text of one instance."""

import json
import signal
import time
import unittest

import harness

LONG_PROMPT = "The harbour master wrote down every ship that came in before noon. " * 60
OPTIONS = {"temperature": 0, "max_tokens": 24, "ignore_eos": True}


class FailoverTest(unittest.TestCase):
    def deploy(self, **options):
        return self.enterContext(harness.Deployment(single=True, decoders=2, **options))

    def text_of(self, role, prompt):
        return role.post("/v1/completions",
                         harness.completion(prompt, **OPTIONS))["choices"][0]["text"]

    def expect_stream_goes_on(self, d, prompt, hit, seconds):
        """Streams an answer whose decoder is hit after 8 chunks; it must be the text of one instance,
        within `seconds` from then beside what it takes to compute it."""
        body = harness.completion(prompt, **(OPTIONS | {"max_tokens": 120}))
        start = time.monotonic()
        expected = d.single.post("/v1/completions", body)
        computing = time.monotonic() - start
        texts, finish, usage, busy, hit_at = [], None, None, None, None
        for event in d.proxy.stream("/v1/completions",
                                    body | {"stream_options": {"include_usage": True}}):
            self.assertNotIn("error", event)
            usage = event.get("usage") or usage
            for choice in event["choices"]:
                texts.append(choice["text"])
                finish = choice["finish_reason"] or finish
            if len(texts) == 8 and busy is None:
                busy = next(x for x in d.decoders if x.metric("vllm:num_requests_running") > 0)
                hit(busy)
                hit_at = time.monotonic()
        self.assertIsNotNone(busy, "the stream ended before its decoder could be hit")
        self.assertLess(time.monotonic() - hit_at, seconds * harness.PATIENCE + 4 * computing)
        self.assertEqual("".join(texts), expected["choices"][0]["text"])
        self.assertEqual(finish, "length")
        self.assertEqual(usage, expected["usage"] | {
            "prompt_tokens_details": usage.get("prompt_tokens_details")})
        self.assertEqual(d.proxy.metric("tandem_proxy_resumed_streams_total"), 1)
        return busy

    def test_decoder_that_stands_still_is_replaced(self):
        d = self.deploy()
        # Two silent probes of 2 s, then the patience of 10 s.
        hung = self.expect_stream_goes_on(d, "Six. " + LONG_PROMPT,
                                          lambda role: role.signal(signal.SIGSTOP), 15)
        d.proxy.expect_logged("stands still")
        hung.signal(signal.SIGCONT)
        # What was taken from it is given up there too, and it is used again.
        harness.wait_until(lambda: hung.metric("vllm:num_requests_running") == 0, 10,
                           "the request to be given up")
        served = hung.metric("vllm:request_success_total")
        def used_again():
            self.text_of(d.proxy, "A short question for whoever decodes now.")
            return hung.metric("vllm:request_success_total") > served
        harness.wait_until(used_again, 20, "the decoder to be used again")

    def expect_choices_go_on(self, d, path, body):
        """Streams several choices whose decoder is killed after 8 chunks with text; each must be
        what one instance gives."""
        body |= {"temperature": 0.8, "seed": 11, "max_tokens": 60, "ignore_eos": True, "n": 2}
        text_of = lambda choice: (choice.get("text") or choice.get("delta", {}).get("content")
                                  or choice.get("message", {}).get("content") or "")
        expected = d.single.post(path, body)
        texts, finish, opened, usage, busy, chunks = {}, {}, [], None, None, 0
        for event in d.proxy.stream(path, body | {"stream_options": {"include_usage": True}}):
            self.assertNotIn("error", event)
            usage = event.get("usage") or usage
            for choice in event["choices"]:
                self.assertNotIn("token_ids", choice)
                index = choice["index"]
                texts[index] = texts.get(index, "") + text_of(choice)
                finish[index] = choice["finish_reason"] or finish.get(index)
                if "role" in choice.get("delta", {}):
                    opened.append(index)
                chunks += 1 if text_of(choice) else 0
            if chunks == 8 and busy is None:
                busy = next(x for x in d.decoders if x.metric("vllm:num_requests_running") > 0)
                busy.kill()
        self.assertIsNotNone(busy, "the stream ended before its decoder could be killed")
        self.assertEqual(texts, {c["index"]: text_of(c) for c in expected["choices"]})
        self.assertEqual(set(finish.values()), {"length"})
        self.assertEqual(len(opened), len(set(opened)))
        for count in ("prompt_tokens", "completion_tokens", "total_tokens"):
            self.assertEqual(usage[count], expected["usage"][count])
        return busy

    def test_choices_of_a_killed_decoder_go_on(self):
        d = self.deploy()
        killed = self.expect_choices_go_on(d, "/v1/completions",
                                           harness.completion(["One, two,", "The harbour master"]))
        d.proxy.expect_logged("go on one by one")
        killed.restart()
        def all_up():
            told = json.loads(d.proxy.request("GET", "/health")[2])["decoders"]
            return all(decoder["up"] for decoder in told)
        harness.wait_until(all_up, 20, "the decoder to be used again")
        self.expect_choices_go_on(d, "/v1/chat/completions", harness.chat("Tell me about harbours."))
        self.assertEqual(d.proxy.metric("tandem_proxy_resumed_streams_total"), 2)

    def test_decoder_that_is_drained_hands_its_stream_on(self):
        d = self.deploy(decoder_flags=["--shutdown-grace=0"])
        drained = self.expect_stream_goes_on(d, "Seven. " + LONG_PROMPT,
                                             lambda role: role.signal(signal.SIGTERM), 5)
        self.assertEqual(drained.process.wait(timeout=10 * harness.PATIENCE), 0)

    def test_requests_during_a_drain_go_to_the_other_decoder(self):
        d = self.deploy(decoder_flags=[f"--shutdown-grace={15 * harness.PATIENCE}"])
        body = harness.completion("Eight. " + LONG_PROMPT, **(OPTIONS | {"max_tokens": 200}))
        expected = d.single.post("/v1/completions", body)["choices"][0]["text"]
        short = "Nine, ten, eleven,"
        expected_short = self.text_of(d.single, short)
        texts, busy = [], None
        for event in d.proxy.stream("/v1/completions", body):
            self.assertNotIn("error", event)
            texts += [choice["text"] for choice in event["choices"]]
            if len(texts) == 4:
                busy = next(x for x in d.decoders if x.metric("vllm:num_requests_running") > 0)
                busy.signal(signal.SIGTERM)
                harness.wait_until(lambda: busy.request("GET", "/health")[0] == 503, 5, "the drain")
                # Both its turn and the other's, before and after the proxy knows of the drain.
                for _ in range(4):
                    self.assertEqual(self.text_of(d.proxy, short), expected_short)
        self.assertIsNotNone(busy)
        # The drained one had the time to finish its own stream.
        self.assertEqual("".join(texts), expected)
        self.assertEqual(d.proxy.metric("tandem_proxy_resumed_streams_total"), 0)
        self.assertEqual(busy.process.wait(timeout=30 * harness.PATIENCE), 0)


if __name__ == "__main__":
    unittest.main()
