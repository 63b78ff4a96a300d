"""Bad input gets a message that names the field, the value and what is accepted; nothing crashes."""

import json
import os
import pathlib
import re
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

    def fails(self, *arguments, says, accepts, code=2, environment=None, seconds=60):
        """`says` names what is wrong, `accepts` is what there might stand instead."""
        result = subprocess.run([harness.PROGRAM, *map(str, arguments)], capture_output=True,
                                text=True, timeout=seconds * harness.PATIENCE,
                                env=os.environ | (environment or {}))
        output = result.stdout + result.stderr
        self.assertEqual(result.returncode, code, output)
        for text in (*says, *([accepts] if isinstance(accepts, str) else accepts)):
            self.assertIn(text, output)

    def test_commands_and_flags(self):
        self.fails("serv", says=["serv"], accepts="serve")
        self.fails("serve", harness.MODEL, "--max-model-length=5", says=["--max-model-length"],
                   accepts="--max-model-len?")
        for flag, value, accepts in (
                ("port", "99999", "from 0 to 65535"), ("port", "abc", "from 0 to 65535"),
                ("max-num-seqs", "many", "from 1 to 65536"), ("seed", "x", "at least 0"),
                ("max-model-len", "abc", "k (1000) or K (1024)"),
                ("shutdown-grace", "soon", "from 0 to 86400"),
                ("kv-cache-memory", "much", "kb, mb, gb or tb")):
            self.fails("serve", harness.MODEL, f"--{flag}={value}",
                       says=[f"--{flag}: '{value}' is not accepted"], accepts=accepts)
        self.fails("serve", harness.MODEL, "--kv-transfer-config={", says=["kv-transfer-config"],
                   accepts="JSON")
        self.fails("serve", harness.MODEL,
                   '--kv-transfer-config={"kv_connector":"LMCacheConnectorV1","kv_role":"producer"}',
                   says=["kv_role", "producer"],
                   accepts=["kv_producer", "kv_consumer", "kv_both"])
        self.fails("serve", harness.MODEL, '--kv-transfer-config={"kv_connector":"NixlConnector"}',
                   says=["kv_connector", "NixlConnector"], accepts="LMCacheConnectorV1")
        self.fails("master", "--rpc_port=abc", says=["rpc_port", "abc"], accepts="0 to 65535")
        self.fails("master", "--rpc_prot=1", says=["rpc_prot"], accepts="rpc_port")
        self.fails("master", "--eviction_ratio=1.5", says=["eviction_ratio", "1.5"],
                   accepts="a number 0 to 1")
        self.fails("master", "--allocation_strategy=fastest",
                   says=["allocation_strategy", "fastest"], accepts=["random", "free_ratio_first"])

    def test_flags_of_the_proxy(self):
        self.fails("proxy", "--prefiller-hots=x", says=["--prefiller-hots"], accepts="--help")
        self.fails("proxy", "--prefiller-host=a,b", "--prefiller-port=1,2,3",
                   says=["prefiller-host", "prefiller-port"], accepts="accepted are lists of")
        for flag, value, accepts in (
                ("prefiller-port", "abc", "from 1 to 65535"),
                ("decoder-port", "8200,x", "from 1 to 65535"),
                ("num-prefillers", "x", "from 1 to 65535"),
                ("idle-timeout", "0", "from 0.001 to 86400"),
                ("shutdown-grace", "soon", "from 0 to 86400")):
            self.fails("proxy", f"--{flag}={value}", says=[f"--{flag}: '{value.split(',')[-1]}'"],
                       accepts=accepts)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.fails("proxy", "--host=127.0.0.1", f"--port={port}", says=[f"127.0.0.1:{port}"],
                       accepts="--port choose another", code=1)

    def test_flags_of_up(self):
        def refused(*flags, says, accepts):
            self.fails("up", harness.MODEL, "--port-base=0", *flags, says=says, accepts=accepts)
        for flag, value, accepts in (
                ("port-base", "abc", "from 0 to 65530"), ("rpc-port", "-1", "from 0 to 65535"),
                ("threads", "many", "from 0 to 4096"), ("grace", "soon", "from 0 to 86400"),
                ("segment-size", "lots", "kb, mb, gb or tb")):
            refused(f"--{flag}={value}", says=[f"--{flag}: '{value}' is not accepted"],
                    accepts=accepts)
        refused("--host=192.0.2.1", says=["--host 192.0.2.1", "not an address of this host"],
                accepts=["127.0.0.1", "0.0.0.0"])
        refused("--", "--nonsense", says=["--nonsense", "after --"], accepts="tandem serve")
        refused("--", "--seed=x", says=["--seed: 'x'", "after --"], accepts="at least 0")

    def test_what_only_the_model_can_judge(self):
        self.fails("serve", harness.MODEL, "--port=0", "--max-model-len=100000",
                   says=["--max-model-len: 100000"], accepts="the model takes 1 to 8192 tokens")
        self.fails("serve", harness.MODEL, "--port=0", "--kv-cache-memory=1",
                   says=["--kv-cache-memory: 1 bytes"], accepts="it takes at least")

    def test_models(self):
        self.fails("serve", "/nowhere/model.gguf", says=["/nowhere/model.gguf"],
                   accepts="a GGUF file, a checkpoint directory or a hub name", code=1)
        self.fails("serve", "nobody/nothing", says=["nobody/nothing"], accepts="hub",
                   code=1)
        whole = harness.MODEL.read_bytes()
        for name, content in (("truncated", whole[:2_000_000]), ("half", whole[:len(whole) // 2]),
                              ("magic", b"GGML" + whole[4:100_000]),
                              ("count", whole[:8] + b"\xff" * 8 + whole[16:100_000]),
                              ("empty", b"")):
            path = self.directory / f"{name}.gguf"
            path.write_bytes(content)
            with self.subTest(name):
                # Of a broken file there is nothing else to say than where it breaks.
                self.fails("serve", path, says=[f"{name}.gguf"], accepts=[], code=1)

    def serve_with(self, text, says, accepts, code=2, seconds=60):
        path = self.directory / "config.yaml"
        path.write_text(text)
        self.fails("serve", harness.MODEL, "--port=0",
                   '--kv-transfer-config={"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both"}',
                   says=says, accepts=accepts, code=code,
                   environment={"LMCACHE_CONFIG_FILE": str(path)}, seconds=seconds)

    def test_yaml(self):
        self.serve_with("chunk_size: [256\n", says=["config.yaml"], accepts="YAML")
        self.serve_with("chunk_size: many\n", says=["chunk_size", "many"],
                        accepts="from 1 to 65536")
        self.serve_with("chunk_size: -256\n", says=["chunk_size", "-256"],
                        accepts="from 1 to 65536")
        self.serve_with("chunk_size: 256\nchunk_size: 128\n",
                        says=["config.yaml:1", "config.yaml:2", "chunk_size"], accepts="once")
        self.serve_with("remote_url: 'http://x:1/'\n",
                        says=["remote_url", "http://x:1/"], accepts="mooncakestore://")
        self.serve_with("remote_serde: cachegen\nremote_url: 'mooncakestore://127.0.0.1:1/'\n",
                        says=["remote_serde", "cachegen"], accepts="naive")
        self.fails("serve", harness.MODEL,
                   '--kv-transfer-config={"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both"}',
                   says=["LMCACHE_CONFIG_FILE", "/nowhere.yaml"], accepts="a YAML file's path",
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
                        says=["remote_url", "master_server_address", str(nobody), str(nobody + 1)],
                        accepts="rpc_port")
        self.serve_with(self.config(nobody), says=["remote_url", f"127.0.0.1:{nobody}"],
                        accepts="--rpc_port", code=1, seconds=90)
        master = harness.Role("master", ["master", "--rpc_port=0", "--rpc_address=127.0.0.1",
                                         "--metrics_port=0"], self.directory,
                              ready_flag="--ready_file").start()
        self.addCleanup(master.stop)
        # metadata_server has to be the HTTP metadata endpoint.
        self.serve_with(self.config(master.ports["rpc"],
                                    metadata=f"http://127.0.0.1:{nobody}/metadata"),
                        says=["metadata_server", f"http://127.0.0.1:{nobody}/metadata"],
                        accepts="http_metadata_server_port", code=1, seconds=90)
        # A device that is not there.
        self.serve_with(self.config(master.ports["rpc"], protocol="rdma", device_name="mlx5_77"),
                        says=["mlx5_77", "device_name"], accepts="tcp", code=1, seconds=90)
        self.serve_with(self.config(master.ports["rpc"], protocol="nvlink"),
                        says=["protocol", "nvlink"], accepts=["tcp", "rdma"])

    def test_keys_without_effect_are_said_once(self):
        master = harness.Role("master", ["master", "--rpc_port=0", "--rpc_address=127.0.0.1",
                                         "--metrics_port=0"], self.directory,
                              ready_flag="--ready_file").start()
        self.addCleanup(master.stop)
        path = self.directory / "config.yaml"
        path.write_text(self.config(master.ports["rpc"], local_hostname="192.0.2.1",
                                    protocol="tcp", device_name="mlx5_0"))
        serve = harness.Role("serve", [
            "serve", harness.MODEL, "--host=127.0.0.1", "--port=0",
            '--kv-transfer-config={"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both"}'],
            self.directory, {"LMCACHE_CONFIG_FILE": str(path)}).start()
        self.assertEqual(serve.stop(), 0)
        for text in ("device_name: mlx5_0 has no effect",
                     "local_hostname: 192.0.2.1 is not an address of this host"):
            self.assertEqual(serve.log().count(text), 1, serve.log())

    def proxy_to(self, prefiller, decoder):
        proxy = harness.Role("proxy", ["proxy", "--host=127.0.0.1", "--port=0",
                                       "--prefiller-host=127.0.0.1",
                                       f"--prefiller-port={prefiller}",
                                       "--decoder-host=127.0.0.1", f"--decoder-port={decoder}"],
                             self.directory).start()
        self.addCleanup(proxy.stop)
        return proxy

    def test_the_proxys_ports(self):
        nobody = unused_port()
        proxy = self.proxy_to(nobody, nobody)
        status, _, text = proxy.request("POST", "/v1/completions", harness.completion("x"))
        self.assertEqual(status, 503, text)
        for word in (f"127.0.0.1:{nobody}", "--decoder-port"):
            self.assertIn(word, json.loads(text)["error"]["message"])

    def test_the_proxys_ports_are_not_the_metadata_servers(self):
        master = harness.Role("master", [
            "master", "--rpc_port=0", "--rpc_address=127.0.0.1", "--metrics_port=0",
            "--enable_http_metadata_server=true", "--http_metadata_server_host=127.0.0.1",
            "--http_metadata_server_port=0"], self.directory, ready_flag="--ready_file").start()
        self.addCleanup(master.stop)
        port = master.ports["metadata"]
        proxy = self.proxy_to(port, port)
        problems = problems_of(proxy)
        for role in ("prefiller", "decoder"):
            for word in (f"--{role}-host", f"--{role}-port", f"127.0.0.1:{port}", "/v1/models",
                         "404", "expected"):
                self.assertIn(word, problems[f"{role}s"])
            proxy.expect_logged(re.escape(problems[f"{role}s"]))
        for path in ("/v1/completions", "/v1/chat/completions"):
            status, _, text = proxy.request("POST", path, harness.completion("x"))
            self.assertEqual(status, 503, text)
            for word in ("--decoder-host", "--decoder-port", f"127.0.0.1:{port}"):
                self.assertIn(word, json.loads(text)["error"]["message"])


def problems_of(proxy, roles=("prefillers", "decoders")):
    """What the proxy says is wrong with the first of each role, once it has found out."""
    def health():
        told = json.loads(proxy.request("GET", "/health")[2])
        found = {role: told[role][0]["problem"] for role in roles}
        return found if all(found.values()) else None
    return harness.wait_until(health, 10, "the proxy to find out what its ports are")


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

    def proxy_to(self, prefiller, decoder):
        proxy = harness.Role("other", ["proxy", "--host=127.0.0.1", "--port=0",
                                       f"--prefiller-port={prefiller}",
                                       f"--decoder-port={decoder}"], self.d.directory).start()
        self.addCleanup(proxy.stop)
        return proxy

    def test_swapped_ports_of_the_proxy_are_told(self):
        prefiller, decoder = self.d.prefillers[0].port, self.d.decoders[0].port
        problems = problems_of(self.proxy_to(decoder, prefiller))
        self.assertIn("--prefiller-port", problems["prefillers"])
        self.assertIn("kv_consumer", problems["prefillers"])
        self.assertIn("--decoder-port", problems["decoders"])
        self.assertIn("kv_producer", problems["decoders"])
        # One of the two for both.
        proxy = self.proxy_to(decoder, decoder)
        self.assertIn("kv_consumer", problems_of(proxy, ["prefillers"])["prefillers"])
        text = proxy.post("/v1/completions", harness.completion("Hello", max_tokens=2))
        self.assertEqual(text["usage"]["completion_tokens"], 2)
        # The right ones are no problem.
        for role in ("prefillers", "decoders"):
            told = json.loads(self.d.proxy.request("GET", "/health")[2])[role][0]
            self.assertEqual(told["problem"], "")

    def test_only_the_metadata_server_for_the_prefiller(self):
        proxy = self.proxy_to(self.d.master.ports["metadata"], self.d.decoders[0].port)
        problems_of(proxy, ["prefillers"])
        text = proxy.post("/v1/completions", harness.completion("Hello", max_tokens=2))
        self.assertEqual(text["usage"]["completion_tokens"], 2)

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
