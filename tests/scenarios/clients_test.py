"""The clients people have: curl and the openai package, through the proxy."""

import json
import subprocess
import unittest

import harness

try:
    import openai
except ImportError:
    openai = None


class OpenAiClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if openai is None:
            raise harness.missing("the openai package is not installed; `make test` installs it")
        cls.d = cls.enterClassContext(harness.Deployment(serve_flags=["--api-key=secret"]))
        cls.client = openai.OpenAI(base_url=f"http://127.0.0.1:{cls.d.proxy.port}/v1",
                                   api_key="secret", max_retries=0, timeout=60 * harness.PATIENCE)
        cls.messages = [{"role": "user", "content": "What is the capital of France?"}]

    def test_models(self):
        self.assertEqual([model.id for model in self.client.models.list()], [harness.MODEL_NAME])

    def test_chat(self):
        reply = self.client.chat.completions.create(
            model=harness.MODEL_NAME, messages=self.messages, temperature=0, max_tokens=24)
        self.assertIn("Paris", reply.choices[0].message.content)
        self.assertEqual(reply.usage.total_tokens,
                         reply.usage.prompt_tokens + reply.usage.completion_tokens)

    def test_calls_and_results_are_shown_to_the_model(self):
        """What the client itself has read out of a text goes back as OpenAI's messages."""
        tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
        call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
        reply = self.client.chat.completions.create(
            model=harness.MODEL_NAME, tools=tools, tool_choice="none", max_tokens=4, messages=[
                *self.messages, {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "1", "content": "a result of so many tokens"}])
        without = self.client.chat.completions.create(
            model=harness.MODEL_NAME, max_tokens=4, messages=self.messages)
        self.assertGreater(reply.usage.prompt_tokens, without.usage.prompt_tokens)

    def test_streamed_chat_says_the_same(self):
        options = dict(model=harness.MODEL_NAME, messages=self.messages, temperature=0,
                       max_tokens=24)
        whole = self.client.chat.completions.create(**options)
        chunks = list(self.client.chat.completions.create(
            stream=True, stream_options={"include_usage": True}, **options))
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
        self.assertEqual(text, whole.choices[0].message.content)
        self.assertEqual(chunks[-1].usage, whole.usage)
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)

    def test_logprobs_and_stop(self):
        reply = self.client.chat.completions.create(
            model=harness.MODEL_NAME, messages=self.messages, temperature=0, max_tokens=24,
            logprobs=True, top_logprobs=3, stop=["Paris"])
        choice = reply.choices[0]
        self.assertEqual(choice.finish_reason, "stop")
        self.assertNotIn("Paris", choice.message.content)
        self.assertEqual(len(choice.logprobs.content[0].top_logprobs), 3)
        self.assertLessEqual(choice.logprobs.content[0].logprob, 0)

    def test_several_choices_and_prompts(self):
        reply = self.client.completions.create(
            model=harness.MODEL_NAME, prompt=["Red, green and", "One, two, three,"], n=2,
            max_tokens=4, seed=3, temperature=0.8)
        self.assertEqual([choice.index for choice in reply.choices], [0, 1, 2, 3])

    def test_errors_are_the_clients_own_classes(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.completions.create(model="nobody", prompt="x")
        self.assertIn(harness.MODEL_NAME, str(caught.exception))
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.completions.create(model=harness.MODEL_NAME, prompt="x", temperature=-1)
        self.assertIn("temperature", str(caught.exception))
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.chat.completions.create(
                model=harness.MODEL_NAME, messages=self.messages,
                tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}])
        self.assertIn("tool_choice", str(caught.exception))
        with self.assertRaises(openai.AuthenticationError):
            self.client.with_options(api_key="wrong").completions.create(
                model=harness.MODEL_NAME, prompt="x")


class CurlTest(unittest.TestCase):
    def test_the_guides_request(self):
        with harness.Deployment() as d:
            request = json.dumps(harness.chat(
                "Explain how KV cache reuse helps long-context serving.", max_tokens=128,
                temperature=0.7))
            for streamed in (False, True):
                body = json.dumps(json.loads(request) | {"stream": True}) if streamed else request
                result = subprocess.run(
                    ["curl", "-sSN", f"http://127.0.0.1:{d.proxy.port}/v1/chat/completions", "-H",
                     "Content-Type: application/json", "-H", "X-Request-Id: from-curl", "-d", body],
                    capture_output=True, text=True, timeout=120 * harness.PATIENCE, check=True)
                if streamed:
                    self.assertTrue(result.stdout.rstrip().endswith("data: [DONE]"), result.stdout)
                else:
                    reply = json.loads(result.stdout)
                    self.assertGreater(len(reply["choices"][0]["message"]["content"]), 20)
            for role in (d.prefillers[0], d.decoders[0], d.proxy):
                role.expect_logged("from-curl")


if __name__ == "__main__":
    unittest.main()
