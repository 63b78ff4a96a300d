"""The guide, step by step on one machine, with its own commands, files and request.

Only ports differ from examples/guide: the system chooses them, so that the test finds them free. The
same steps with the guide's ports run between two hosts in two_hosts_test.py.
"""

import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse

import harness
import lmcache_chunks

GUIDE = harness.SOURCE / "examples" / "guide"
BYTES_PER_TOKEN = 2 * 30 * 192 * 2  # K and V, layers, heads * head_dim, float16
QUESTION = "Explain how KV cache reuse helps long-context serving."
LONG_QUESTION = QUESTION + " Answer at length, with an example from everyday life." * 30


class GuideRole(harness.Role):
    """A role started by one of the guide's own command lines."""

    def __init__(self, name, command, directory, environment=None, ready_flag="--ready-file"):
        super().__init__(name, [], directory, {
            "TANDEM": str(harness.PROGRAM),
            "PATH": f"{harness.PROGRAM.parent}:{os.environ['PATH']}"} | (environment or {}))
        self._command = [*map(str, command), f"{ready_flag}={self._ready_file}"]


def lines_of_master():
    """The guide's step 1 with ports of the system's choice."""
    words = re.sub(r"\\\n", " ", (GUIDE / "start_master.sh").read_text()).split("exec ")[1].split()
    return [re.sub(r"port=\d+$", "port=0", word) for word in words]


class Guide:
    """The four roles of the guide. `changes` replace options of the YAML files, as text."""

    def __init__(self, changes=None):
        harness.require_model()
        self._directory = tempfile.TemporaryDirectory(prefix="tandem-guide-")
        self.directory = pathlib.Path(self._directory.name)
        self._changes = changes or {}
        self._roles = []

    def __enter__(self):
        try:
            self.master = self._start(GuideRole("master", lines_of_master(), self.directory,
                                                ready_flag="--ready_file"))
            self.decoder = self._launch("decoder")
            self.prefiller = self._launch("prefiller")
            self.proxy = self._start(GuideRole("proxy", [
                "python3", GUIDE / "disagg_proxy_server.py", "--host", "0.0.0.0", "--port", "0",
                "--prefiller-host", "127.0.0.1", "--prefiller-port", self.prefiller.port,
                "--decoder-host", "127.0.0.1", "--decoder-port", self.decoder.port],
                self.directory))
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self, role):
        self._roles.append(role)
        return role.start()

    def _launch(self, role):
        return self._start(GuideRole(role, [
            "bash", GUIDE / "disagg_vllm_launcher.sh", role, harness.MODEL, "--port", "0",
            f"--served-model-name={harness.MODEL_NAME}"], self.directory,
            {"LMCACHE_CONFIG_FILE": str(self._config(role)), "PYTHONHASHSEED": "123"}))

    def _config(self, role):
        """The guide's file with the ports that the master got."""
        text = (GUIDE / "configs" / f"mooncake-{role}-config.yaml").read_text()
        text = text.replace("50051", str(self.master.ports["rpc"]))
        text = text.replace("8080", str(self.master.ports["metadata"]))
        for option, value in self._changes.items():
            text, count = re.subn(rf"(?m)^( *){option}:.*$", rf"\g<1>{option}: {value}", text)
            if count == 0:
                text += f"  {option}: {value}\n"
        path = self.directory / f"{role}.yaml"
        path.write_text(text)
        return path

    def __exit__(self, *_):
        failures = []
        for role in reversed(self._roles):
            try:
                code = role.stop()
                if code != 0:
                    failures.append(f"{role.name} ended with {code}:\n{role.log()}")
            except AssertionError as error:
                failures.append(str(error))
        self._directory.cleanup()
        assert not failures, "\n".join(failures)

    def get(self, port, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.master.ports[port], timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def keys(self):
        return self.get("metrics", "/get_all_keys")[1].split()


class CloneTest(unittest.TestCase):
    """A clone that was built and not installed."""

    def test_every_script_finds_what_the_clone_built(self):
        with tempfile.TemporaryDirectory(prefix="tandem-clone-") as directory:
            clone = pathlib.Path(directory)
            shutil.copytree(GUIDE, clone / "examples" / "guide")
            (clone / "build" / "bin").mkdir(parents=True)
            for name in ("tandem", "mooncake_master"):
                program = clone / "build" / "bin" / name
                program.write_text(f"#!/bin/sh\necho ran {name} \"$@\"\n")
                program.chmod(0o755)
            environment = {key: value for key, value in os.environ.items() if key != "TANDEM"}
            for command, ran in (
                    (["sh", "start_master.sh"], "ran mooncake_master -v=1 --rpc_port=50051"),
                    (["bash", "disagg_vllm_launcher.sh", "decoder", "m"], "ran tandem serve m"),
                    (["python3", "disagg_proxy_server.py", "--port=9000"],
                     "ran tandem proxy --port=9000")):
                with self.subTest(command):
                    result = subprocess.run(
                        [command[0], clone / "examples" / "guide" / command[1], *command[2:]],
                        capture_output=True, text=True, timeout=60, cwd="/",
                        env=environment | {"PATH": "/usr/bin:/bin"})
                    self.assertEqual(result.returncode, 0, result.stderr)
                    self.assertIn(ran, result.stdout)


class GuideTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.guide = cls.enterClassContext(Guide())

    def send_request(self, model=harness.MODEL_NAME):
        """Step 5, the guide's curl."""
        result = subprocess.run(
            ["sh", GUIDE / "send_request.sh", f"127.0.0.1:{self.guide.proxy.port}", model],
            capture_output=True, text=True, timeout=120 * harness.PATIENCE)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)

    def test_the_guides_request(self):
        reply = self.send_request()
        self.assertEqual(reply["object"], "chat.completion")
        self.assertEqual(reply["model"], harness.MODEL_NAME)
        choice = reply["choices"][0]
        self.assertEqual(choice["message"]["role"], "assistant")
        self.assertGreater(len(choice["message"]["content"]), 20)
        self.assertIn(choice["finish_reason"], ("stop", "length"))
        self.assertLessEqual(reply["usage"]["completion_tokens"], 128)

    def test_the_decoder_computes_no_prompt_token(self):
        decoder, prefiller = self.guide.decoder, self.guide.prefiller
        for number, (question, streamed) in enumerate(
                [(QUESTION, False), (QUESTION, True), (LONG_QUESTION, False), (LONG_QUESTION, True)]):
            with self.subTest(streamed=streamed, letters=len(question)):
                body = harness.chat(f"{number}. {question}", max_tokens=24, temperature=0)
                loaded = decoder.metric("tandem:cache_loaded_tokens_total")
                saved = prefiller.metric("tandem:cache_saved_tokens_total")
                if streamed:
                    content, usage = "", None
                    for event in self.guide.proxy.stream(
                            "/v1/chat/completions",
                            body | {"stream_options": {"include_usage": True}}):
                        usage = event.get("usage") or usage
                        for choice in event["choices"]:
                            content += choice["delta"].get("content") or ""
                else:
                    reply = self.guide.proxy.post("/v1/chat/completions", body)
                    content, usage = reply["choices"][0]["message"]["content"], reply["usage"]
                # One instance alone, asked directly, says the same.
                alone = prefiller.post("/v1/chat/completions", body)
                self.assertEqual(content, alone["choices"][0]["message"]["content"])
                self.assertEqual(usage["prompt_tokens"], alone["usage"]["prompt_tokens"])
                self.assertEqual(usage["completion_tokens"], alone["usage"]["completion_tokens"])
                self.assertEqual(prefiller.metric("tandem:cache_saved_tokens_total") - saved,
                                 usage["prompt_tokens"])
                self.assertEqual(decoder.metric("tandem:cache_loaded_tokens_total") - loaded,
                                 usage["prompt_tokens"])
        self.assertEqual(decoder.metric("tandem:prompt_tokens_computed_total"), 0)
        self.assertEqual(decoder.metric("tandem:cache_saved_tokens_total"), 0)
        self.assertEqual(decoder.metric("tandem:cache_failures_total"), 0)
        self.assertEqual(prefiller.metric("tandem:cache_failures_total"), 0)

    def test_ids_are_those_of_one_instance(self):
        body = harness.completion(LONG_QUESTION, max_tokens=24, temperature=0.8, seed=5,
                                  return_token_ids=True)
        through = self.guide.proxy.post("/v1/completions", body)["choices"][0]
        alone = self.guide.prefiller.post("/v1/completions", body)["choices"][0]
        self.assertEqual(through["token_ids"], alone["token_ids"])
        self.assertEqual(through["text"], alone["text"])
        self.assertEqual(through["finish_reason"], alone["finish_reason"])

    def test_options_without_meaning_here_are_said_once(self):
        for role in (self.guide.prefiller, self.guide.decoder):
            self.assertEqual(role.log().count("max_local_cpu_size: 100 has no effect"), 1, role.log())
            # The guide's 30 GB are lowered to what the machine can lend, or granted.
            role.expect_logged(r"joined the store at mooncakestore://\S+ with \d+ MiB")

    def test_metadata_and_admin_pages(self):
        self.assertEqual(self.guide.get("metadata", "/health")[0], 200)
        self.assertEqual(self.guide.get("metadata", "/metadata")[0], 400)
        self.assertEqual(self.guide.get("metadata", "/metadata?key=nobody")[0], 404)
        status, text = self.guide.get("metrics", "/metrics")
        self.assertEqual(status, 200)
        self.assertIn("master_key_count", text)
        segments = self.guide.get("metrics", "/get_all_segments")[1].split()
        self.assertEqual(len(segments), 2, segments)


class LmcacheKeysTest(unittest.TestCase):
    def test_objects_are_those_that_lmcache_would_store(self):
        changes = {"lmcache_compatible_keys": "true"}
        with Guide(changes) as guide:
            ids = guide.prefiller.post("/tokenize", {
                "model": harness.MODEL_NAME, "prompt": LONG_QUESTION,
                "add_special_tokens": False})["tokens"]
            self.assertGreater(len(ids), 256)
            self.assertNotEqual(len(ids) % 256, 0)
            guide.proxy.post("/v1/completions", harness.completion(ids, max_tokens=2))
            expected = [f"{harness.MODEL}@1@0@{value}@half" for value in lmcache_chunks.chunk_hashes(ids)]
            self.assertCountEqual(guide.keys(), expected)
            for index, key in enumerate(expected):
                tokens = min(256, len(ids) - 256 * index)
                status, text = guide.get("metrics",
                                         f"/query_key?key={urllib.parse.quote(key, safe='')}")
                self.assertEqual(status, 200, text)
                self.assertEqual(json.loads(text)["size"], tokens * BYTES_PER_TOKEN)


if __name__ == "__main__":
    unittest.main()
