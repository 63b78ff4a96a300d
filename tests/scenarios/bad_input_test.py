"""Bad input gets a message that names the field, the value and what is accepted; nothing crashes."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import unittest

import harness


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class CommandLineTest(unittest.TestCase):
    def setUp(self):
        harness.require_model()
        directory = tempfile.TemporaryDirectory(prefix="tandem-bad-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def fails(self, *arguments, says, code=2, environment=None, seconds=60):
        result = subprocess.run([harness.PROGRAM, *map(str, arguments)], capture_output=True,
                                text=True, timeout=seconds * harness.PATIENCE,
                                env=os.environ | (environment or {}))
        output = result.stdout + result.stderr
        self.assertEqual(result.returncode, code, output)
        for text in says:
            self.assertIn(text, output)

    def test_commands_and_flags(self):
        self.fails("serv", says=["serv", "serve"])
        self.fails("serve", harness.MODEL, "--max-model-length=5", says=["--max-model-length"])
        self.fails("serve", harness.MODEL, "--port=99999", says=["port", "99999", "65535"])
        self.fails("serve", harness.MODEL, "--max-num-seqs=many", says=["max-num-seqs", "many"])
        self.fails("serve", harness.MODEL, "--kv-transfer-config={", says=["kv-transfer-config"])
        self.fails("serve", harness.MODEL,
                   '--kv-transfer-config={"kv_connector":"LMCacheConnectorV1","kv_role":"producer"}',
                   says=["kv_role", "producer", "kv_producer", "kv_consumer", "kv_both"])
        self.fails("serve", harness.MODEL, '--kv-transfer-config={"kv_connector":"NixlConnector"}',
                   says=["kv_connector", "NixlConnector", "LMCacheConnectorV1"])
        self.fails("master", "--rpc_port=abc", says=["rpc_port", "abc"])
        self.fails("master", "--rpc_prot=1", says=["rpc_prot", "rpc_port"])
        self.fails("master", "--eviction_ratio=1.5", says=["eviction_ratio", "1.5"])
        self.fails("master", "--allocation_strategy=fastest",
                   says=["allocation_strategy", "fastest", "random", "free_ratio_first"])
        self.fails("proxy", "--prefiller-hots=x", says=["--prefiller-hots"])
        self.fails("proxy", "--prefiller-host=a,b", "--prefiller-port=1,2,3",
                   says=["prefiller-host", "prefiller-port"])

    def test_models(self):
        self.fails("serve", "/nowhere/model.gguf", says=["/nowhere/model.gguf"], code=1)
        self.fails("serve", "nobody/nothing", says=["nobody/nothing", "hub"], code=1)
        whole = harness.MODEL.read_bytes()
        for name, content in (("truncated", whole[:2_000_000]), ("half", whole[:len(whole) // 2]),
                              ("magic", b"GGML" + whole[4:100_000]),
                              ("count", whole[:8] + b"\xff" * 8 + whole[16:100_000]),
                              ("empty", b"")):
            path = self.directory / f"{name}.gguf"
            path.write_bytes(content)
            with self.subTest(name):
                self.fails("serve", path, says=[f"{name}.gguf"], code=1)

    def serve_with(self, text, says, code=2, seconds=60):
        path = self.directory / "config.yaml"
        path.write_text(text)
        self.fails("serve", harness.MODEL, "--port=0",
                   '--kv-transfer-config={"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both"}',
                   says=says, code=code, environment={"LMCACHE_CONFIG_FILE": str(path)},
                   seconds=seconds)

    def test_yaml(self):
        self.serve_with("chunk_size: [256\n", says=["config.yaml"])
        self.serve_with("chunk_size: many\n", says=["chunk_size", "many"])
        self.serve_with("chunk_size: -256\n", says=["chunk_size", "-256"])
        self.serve_with("remote_url: 'http://x:1/'\n",
                        says=["remote_url", "http://x:1/", "mooncakestore://"])
        self.serve_with("remote_serde: cachegen\nremote_url: 'mooncakestore://127.0.0.1:1/'\n",
                        says=["remote_serde", "cachegen", "naive"])
        self.fails("serve", harness.MODEL,
                   '--kv-transfer-config={"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both"}',
                   says=["LMCACHE_CONFIG_FILE", "/nowhere.yaml"],
                   environment={"LMCACHE_CONFIG_FILE": "/nowhere.yaml"})

    def config(self, rpc, address=None, metadata="P2PHANDSHAKE", **extra):
        return json.dumps({
            "remote_url": f"mooncakestore://127.0.0.1:{rpc}/",
            "extra_config": {"local_hostname": "127.0.0.1", "metadata_server": metadata,
                             "master_server_address": address or f"127.0.0.1:{rpc}",
                             "global_segment_size": 1 << 28, **extra}})

    def test_the_guides_port_checklist(self):
        nobody = unused_port()
        # The master's --rpc_port, remote_url and master_server_address belong together.
        self.serve_with(self.config(nobody, f"127.0.0.1:{nobody + 1}"),
                        says=["remote_url", "master_server_address", str(nobody), str(nobody + 1)])
        self.serve_with(self.config(nobody), says=["remote_url", f"127.0.0.1:{nobody}"], code=1,
                        seconds=90)
        master = harness.Role("master", ["master", "--rpc_port=0", "--rpc_address=127.0.0.1",
                                         "--metrics_port=0"], self.directory,
                              ready_flag="--ready_file").start()
        self.addCleanup(master.stop)
        # metadata_server has to be the HTTP metadata endpoint.
        self.serve_with(self.config(master.ports["rpc"],
                                    metadata=f"http://127.0.0.1:{nobody}/metadata"),
                        says=["metadata_server", f"http://127.0.0.1:{nobody}/metadata"], code=1,
                        seconds=90)
        # A device that is not there.
        self.serve_with(self.config(master.ports["rpc"], protocol="rdma", device_name="mlx5_77"),
                        says=["mlx5_77", "device_name", "tcp"], code=1, seconds=90)
        self.serve_with(self.config(master.ports["rpc"], protocol="nvlink"),
                        says=["protocol", "nvlink", "tcp", "rdma"])

    def test_the_proxys_ports(self):
        nobody = unused_port()
        proxy = harness.Role("proxy", ["proxy", "--host=127.0.0.1", "--port=0",
                                       "--prefiller-host=127.0.0.1", f"--prefiller-port={nobody}",
                                       "--decoder-host=127.0.0.1", f"--decoder-port={nobody}"],
                             self.directory).start()
        self.addCleanup(proxy.stop)
        status, _, text = proxy.request("POST", "/v1/completions", harness.completion("x"))
        self.assertEqual(status, 503, text)
        self.assertIn(str(nobody), json.loads(text)["error"]["message"])


class RequestTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.d = cls.enterClassContext(harness.Deployment(serve_flags=["--max-model-len=512"]))

    def refused(self, path, body, status, *says):
        for role in (self.d.proxy, self.d.decoders[0]):
            got, _, text = role.request("POST", path, body)
            self.assertEqual(got, status, f"{role.name}: {text}")
            error = json.loads(text)["error"]
            self.assertEqual(set(error), {"message", "type", "param", "code"})
            for word in says:
                self.assertIn(word, error["message"])

    def test_completions(self):
        path = "/v1/completions"
        ask = harness.completion
        self.refused(path, "{not json", 400, "JSON")
        self.refused(path, "", 400, "JSON")
        self.refused(path, "[1]", 400)
        self.refused(path, "[" * 100_000, 400, "JSON")
        self.refused(path, {"model": harness.MODEL_NAME}, 400, "prompt")
        self.refused(path, ask(7), 400, "prompt")
        self.refused(path, ask([10**9]), 400, "1000000000")
        self.refused(path, ask([]), 400, "prompt")
        self.refused(path, ask("word " * 5000), 400, "512")
        self.refused(path, ask("x", max_tokens=0), 400, "max_tokens")
        self.refused(path, ask("x", max_tokens="9"), 400, "max_tokens")
        self.refused(path, ask("x", temperature=-0.5), 400, "temperature", "-0.5")
        self.refused(path, ask("x", top_p=1.5), 400, "top_p", "1.5")
        self.refused(path, ask("x", n=0), 400, "n")
        self.refused(path, ask("x", suffix="y"), 400, "suffix")
        self.refused(path, ask("x") | {"model": "nobody"}, 404, "nobody", harness.MODEL_NAME)

    def test_chat(self):
        path = "/v1/chat/completions"
        ask = harness.chat
        self.refused(path, {"model": harness.MODEL_NAME}, 400, "messages")
        self.refused(path, {"model": harness.MODEL_NAME, "messages": "hello"}, 400, "messages")
        self.refused(path, {"model": harness.MODEL_NAME, "messages": [{"content": "x"}]}, 400, "role")
        self.refused(path, ask("x", tools=[{"type": "function"}]), 400, "tools")
        self.refused(path, ask("x", response_format={"type": "json_object"}), 400, "response_format")
        self.refused(path, ask("x", logprobs=True, top_logprobs=1000), 400, "top_logprobs", "1000")
        status, _, text = self.d.decoders[0].request(
            "POST", path, ask("x", kv_transfer_params={"first_tok": "one"}))
        self.assertEqual(status, 400)
        self.assertIn("first_tok", text)

    def test_unknown_paths_and_methods(self):
        self.assertEqual(self.d.decoders[0].request("GET", "/v1/nothing")[0], 404)
        self.assertEqual(self.d.decoders[0].request("GET", "/v1/completions")[0], 405)


if __name__ == "__main__":
    unittest.main()
