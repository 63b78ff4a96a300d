"""Invariant 2: the same tokens whether the KV was computed here, loaded, or partly each."""

import concurrent.futures
import math
import random
import subprocess
import unittest

import harness
import lmcache_chunks

PROMPTS = 13 if harness.SANITIZED else 50  # An instrumented engine is slow.
LONGEST = 3000
GENERATED = 16


def prompts():
    """Ids of the prompts, from 1 to 3,000 tokens, short ones as likely as long ones."""
    source = random.Random(7)
    lengths = [round(math.exp(math.log(LONGEST) * i / (PROMPTS - 1))) for i in range(PROMPTS)]
    return [[source.randrange(100, 49000) for _ in range(length)] for length in lengths]


def body(index, ids):
    """Every other prompt is sampled with a seed, the rest greedily."""
    sampling = {"temperature": 0} if index % 2 == 0 else {
        "temperature": 0.9, "top_p": 0.95, "top_k": 50, "seed": index}
    return harness.completion(ids, max_tokens=GENERATED, ignore_eos=True, return_token_ids=True,
                              **sampling)


def ids_of(role, request):
    return role.post("/v1/completions", request)["choices"][0]["token_ids"]


class SameTokensTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.d = cls.enterClassContext(harness.Deployment(single=True))
        cls.bodies = [body(i, ids) for i, ids in enumerate(prompts())]
        cls.expected = [ids_of(cls.d.single, request) for request in cls.bodies]

    def test_a_through_the_proxy_on_a_full_hit(self):
        decoder = self.d.decoders[0]
        for request, expected in zip(self.bodies, self.expected):
            with self.subTest(tokens=len(request["prompt"])):
                self.assertEqual(ids_of(self.d.proxy, request), expected)
        self.assertEqual(decoder.metric("tandem:prompt_tokens_computed_total"), 0)
        self.assertEqual(decoder.metric("tandem:external_loaded_tokens_total"),
                         sum(len(request["prompt"]) for request in self.bodies))

    def test_b_with_sixteen_in_flight(self):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda request: ids_of(self.d.proxy, request), self.bodies))
        self.assertEqual(answers, self.expected)

    def test_c_streamed_ids_and_text_are_those_of_one_reply(self):
        for request, expected in list(zip(self.bodies, self.expected))[::7]:
            ids, text = [], ""
            for event in self.d.proxy.stream("/v1/completions", request):
                for choice in event["choices"]:
                    ids += choice["token_ids"]
                    text += choice["text"]
            self.assertEqual(ids, expected)
            whole = self.d.single.post("/v1/completions", request)["choices"][0]["text"]
            self.assertEqual(text, whole)

    def hand_over(self, request, kept_chunks):
        """Prefill, remove what was stored but the first chunks, then decode; returns the ids and how
        many prompt tokens the decoder computed."""
        known = set(self.d.metadata_keys())
        reply = self.d.prefillers[0].post("/v1/completions", request | {
            "max_tokens": 1, "kv_transfer_params": {"ret_first_tok": True}})
        parameters = reply["kv_transfer_params"]
        self.assertEqual(parameters["committed_tokens"], len(request["prompt"]))
        stored = set(self.d.metadata_keys()) - known
        self.assertEqual(len(stored), math.ceil(len(request["prompt"]) / 256))
        kept = {lmcache_chunks.chunk_hashes(request["prompt"][:256])[0]} if kept_chunks else set()
        for key in stored:
            if key.split("@")[3] not in kept:
                self.remove(key)
        computed = self.d.decoders[0].metric("tandem:prompt_tokens_computed_total")
        ids = ids_of(self.d.decoders[0], request | {"kv_transfer_params": parameters})
        return ids, self.d.decoders[0].metric("tandem:prompt_tokens_computed_total") - computed

    def remove(self, key):
        subprocess.run([harness.PROGRAM, "store", "--master",
                        f"127.0.0.1:{self.d.master.ports['rpc']}", "rm", "--force", key], check=True,
                       capture_output=True, timeout=30 * harness.PATIENCE)

    def test_d_after_a_forced_miss_and_after_a_partial_hit(self):
        for index, known in enumerate(self.bodies):
            length = len(known["prompt"])
            # Another first token makes keys that no other test has stored. Every fifth prompt misses
            # as a whole; of the others all but the first chunk is gone, if there are several.
            kept_chunks = int(index % 5 != 0 and length > 256)
            request = known | {"prompt": [60, *known["prompt"][1:]]}
            with self.subTest(tokens=length, kept_chunks=kept_chunks):
                expected = ids_of(self.d.single, request)
                ids, computed = self.hand_over(request, kept_chunks)
                self.assertEqual(ids, expected)
                self.assertEqual(computed, length - 256 * kept_chunks)

    def test_e_the_plain_upstream_form(self):
        """A decoder that is given prompt + [first token] as ids, as LMCache's own proxy does."""
        decoder = self.d.decoders[0]
        for request in self.bodies[5::14]:
            request = request | {"temperature": 0}
            expected = ids_of(self.d.single, request)
            first = self.d.prefillers[0].post("/v1/completions", request | {
                "max_tokens": 1, "kv_transfer_params": {"ret_first_tok": True}})
            first_token = first["kv_transfer_params"]["first_tok"]
            computed = decoder.metric("tandem:prompt_tokens_computed_total")
            rest = ids_of(decoder, request | {
                "prompt": request["prompt"] + [first_token], "max_tokens": GENERATED - 1})
            self.assertEqual(first_token, expected[0])
            self.assertEqual(len(rest), GENERATED - 1)
            # All was loaded; only the first token, a prompt token here, is computed.
            self.assertEqual(decoder.metric("tandem:prompt_tokens_computed_total") - computed, 1)


class PreemptionTest(unittest.TestCase):
    def test_a_pool_too_small_for_all(self):
        # Under a sanitizer less of everything, as a token takes a tenth of a second.
        blocks, generated, requests = (64, 80, 8) if harness.SANITIZED else (128, 120, 24)
        self.assertGreater(requests * (100 + generated), blocks * 16)
        small = f"--kv-cache-memory={blocks * 16 * 23040}"  # 23,040 bytes a token.
        with harness.Deployment(single=True, decoder_flags=[small, "--max-model-len=1024"]) as d:
            source = random.Random(11)
            bodies = [body(i, [source.randrange(100, 49000) for _ in range(100)])
                      | {"max_tokens": generated} for i in range(requests)]
            expected = [ids_of(d.single, request) for request in bodies]
            with concurrent.futures.ThreadPoolExecutor(24) as pool:
                answers = list(pool.map(lambda request: ids_of(d.proxy, request), bodies))
            self.assertEqual(answers, expected)
            self.assertGreater(d.decoders[0].metric("vllm:num_preemptions_total"), 0)


if __name__ == "__main__":
    unittest.main()
