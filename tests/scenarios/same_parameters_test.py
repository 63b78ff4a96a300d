"""What a request asks for beside its prompt has the same effect through a hand-off."""

import unittest

import harness

WORDS = "The quick brown fox jumps over the lazy dog. " * 8 + "Once upon a time"


class SameParametersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.d = cls.enterClassContext(harness.Deployment(single=True))
        cls.first = cls.answer(cls.d.single, cls.request())["choices"][0]

    @staticmethod
    def request(**options):
        return harness.completion(WORDS, **{"max_tokens": 24, "temperature": 0,
                                            "return_token_ids": True} | options)

    @staticmethod
    def answer(role, request, path="/v1/completions"):
        reply = role.post(path, request)
        usage = {name: reply["usage"][name] for name in ("prompt_tokens", "completion_tokens")}
        return {"choices": reply["choices"], "usage": usage}

    def same(self, path="/v1/completions", split=True, **request):
        """Compares the whole answer, and the text of the streamed one; returns the first choice."""
        handed_over = self.d.decoders[0].metric("tandem:external_loaded_tokens_total")
        expected = self.answer(self.d.single, request, path)
        self.assertEqual(self.answer(self.d.proxy, request, path), expected)
        if split:
            self.assertGreater(self.d.decoders[0].metric("tandem:external_loaded_tokens_total"),
                               handed_over, "nothing was handed over")
        if "best_of" not in request and "prompt_logprobs" not in request:
            self.assertEqual(self.streamed(path, request), {
                choice["index"]: (
                    choice["message"]["content"] if "message" in choice else choice["text"],
                    choice["finish_reason"], choice["stop_reason"])
                for choice in expected["choices"]})
        return expected["choices"][0]

    def streamed(self, path, request):
        """Text, finish_reason and stop_reason of each choice."""
        choices = {}
        for event in self.d.proxy.stream(path, request):
            for choice in event["choices"]:
                text, *_ = choices.get(choice["index"], ("",))
                text += choice["text"] if "text" in choice else choice["delta"].get("content", "")
                choices[choice["index"]] = (text, choice["finish_reason"], choice["stop_reason"])
        return choices

    def test_sampling(self):
        seeded = {"temperature": 1.2, "seed": 3}
        first = self.first["token_ids"][0]
        word = max(self.first["text"].split(), key=len).strip(",.")
        for options in (
                {"repetition_penalty": 1.5}, {"presence_penalty": 1.5, "frequency_penalty": 1.5},
                {"logit_bias": {str(first): -100}}, {"bad_words": [word, "the"]},
                {"allowed_token_ids": list(range(200, 2000))}, {"logprobs": 3}, {"logprobs": 0},
                {"ignore_eos": True, "logit_bias": {"2": 100}, "skip_special_tokens": False},
                {"ignore_eos": True, "logit_bias": {"2": 100}, "min_tokens": 3},
                {"logit_bias": {"2": 100}, "min_tokens": 3},
                {"echo": True}, {"cache_salt": "mine"}, {"max_tokens": 1},
                seeded, seeded | {"top_k": 20}, seeded | {"top_p": 0.8}, seeded | {"min_p": 0.1},
                seeded | {"repetition_penalty": 1.2, "frequency_penalty": 0.5, "bad_words": [word],
                          "logprobs": 2, "logit_bias": {str(first): 2}}):
            with self.subTest(**options):
                self.same(**self.request(**options), split=options.get("max_tokens") != 1)

    def test_stops(self):
        text, ids = self.first["text"], self.first["token_ids"]
        for options in (
                {"stop": [text[0]]},                      # Within the first token, the prefiller's.
                {"stop": [text[:8]]},                     # Begins there and ends at the decoder.
                {"stop": [text[6:12]]}, {"stop": [text[0]], "min_tokens": 1},
                {"stop": [text[2:6]], "min_tokens": 4},
                {"stop": [text[:8]], "include_stop_str_in_output": True},
                {"stop_token_ids": [ids[0]]}, {"stop_token_ids": [ids[0]], "min_tokens": 1},
                {"stop_token_ids": [ids[4]]}, {"stop_token_ids": [ids[4]], "min_tokens": 8},
                {"stop_token_ids": [ids[4]], "include_stop_str_in_output": True},
                {"logit_bias": {"2": 100}}):
            with self.subTest(**options):
                # A first token that ends the output needs no decoder.
                self.same(**self.request(**options), split=False)

    def test_what_goes_whole_to_a_decoder(self):
        seeded = {"temperature": 1.2, "seed": 3}
        for options in (seeded | {"n": 2}, seeded | {"n": 2, "best_of": 4, "logprobs": 1},
                        {"prompt_logprobs": 2}, {"echo": True, "logprobs": 1},
                        {"echo": True, "logprobs": 1, "max_tokens": 0}):
            with self.subTest(**options):
                self.same(**self.request(**options), split=False)

    def test_chats(self):
        for options in ({}, {"logprobs": True, "top_logprobs": 2}, {"stop": ["."]},
                        {"frequency_penalty": 1.0, "bad_words": ["the"]}, {"min_tokens": 20},
                        {"temperature": 1, "seed": 8, "n": 2}):
            with self.subTest(**options):
                self.same(path="/v1/chat/completions", split=options.get("n") is None,
                          **harness.chat("Name three colours and why you like them.",
                                         **{"max_tokens": 24, "temperature": 0} | options))

    def test_refusals_are_those_of_one_instance(self):
        for options in ({"temperature": 3}, {"n": 2}, {"priority": 4}, {"logprobs": 21},
                        {"allowed_token_ids": []}, {"bad_words": [" "]}, {"stop": [""]},
                        {"allowed_token_ids": [2], "min_tokens": 2}):
            with self.subTest(**options):
                alone, _, expected = self.d.single.request("POST", "/v1/completions",
                                                           self.request(**options))
                status, _, text = self.d.proxy.request("POST", "/v1/completions",
                                                       self.request(**options))
                self.assertEqual((status, text), (alone, expected))
                self.assertEqual(status, 400)


if __name__ == "__main__":
    unittest.main()
