"""The guide's five steps on two hosts: network namespaces joined by a veth pair.

Host A runs the master, the decoder and the proxy, host B the prefiller, each with the command lines of
the guide and its default ports.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import harness
from hosts import A, B, Hosts

GUIDE = harness.SOURCE / "examples" / "guide"
REQUEST = harness.chat("Explain how KV cache reuse helps long-context serving. " * 40,
                       max_tokens=32, temperature=0)


class Host:
    """Runs the guide's commands in one namespace."""

    def __init__(self, namespace, directory):
        self.namespace, self.directory = namespace, directory
        self.processes = []

    def start(self, name, command, environment=None):
        log = open(self.directory / f"{name}.log", "wb")
        with log:
            process = subprocess.Popen(["ip", "netns", "exec", self.namespace, *map(str, command)],
                                       stdout=log, stderr=log,
                                       env=os.environ | {"TANDEM": str(harness.PROGRAM),
                                                         "PATH": f"{harness.BUILD}/bin:{os.environ['PATH']}"}
                                       | (environment or {}))
        self.processes.append((name, process))

    def curl(self, *arguments):
        return subprocess.run(["ip", "netns", "exec", self.namespace, "curl", "-sS", "--max-time",
                               str(60 * harness.PATIENCE), *arguments],
                              capture_output=True, text=True)

    def wait_for(self, url):
        def answers():
            for name, process in self.processes:
                if process.poll() is not None:
                    log = (self.directory / f"{name}.log").read_text()
                    raise AssertionError(f"{name} ended with {process.returncode}:\n{log}")
            return self.curl("-f", url).returncode == 0
        harness.wait_until(answers, 40, url)

    def stop(self):
        for _, process in reversed(self.processes):
            process.terminate()
        for _, process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def config_for(directory, role, own_address):
    """The guide's YAML file of a role with the placeholders filled in."""
    text = (GUIDE / "configs" / f"mooncake-{role}-config.yaml").read_text()
    text = text.replace("127.0.0.1", A)
    text = text.replace(f'local_hostname: "{A}"', f'local_hostname: "{own_address}"')
    path = directory / f"{role}.yaml"
    path.write_text(text)
    return str(path)


def metric(text, name):
    pattern = re.compile(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", re.M)
    return sum(float(value) for value in pattern.findall(text))


class TwoHostsTest(unittest.TestCase):
    def test_the_guides_five_steps(self):
        harness.require_model()
        directory = pathlib.Path(tempfile.mkdtemp(prefix="tandem-hosts-"))
        self.addCleanup(shutil.rmtree, directory)
        hosts = self.enterContext(Hosts())
        a, b = Host(hosts.a, directory), Host(hosts.b, directory)
        self.addCleanup(b.stop)
        self.addCleanup(a.stop)

        # 1. The master.
        a.start("master", ["sh", GUIDE / "start_master.sh"])
        a.wait_for(f"http://{A}:8080/health")
        # 2. and 3. The decoder on A, the prefiller on B.
        for host, role, address in ((a, "decoder", A), (b, "prefiller", B)):
            host.start(role, ["bash", GUIDE / "disagg_vllm_launcher.sh", role, harness.MODEL,
                              f"--served-model-name={harness.MODEL_NAME}"],
                       {"LMCACHE_CONFIG_FILE": config_for(directory, role, address)})
        a.wait_for(f"http://{A}:8200/health")
        b.wait_for(f"http://{B}:8100/health")
        # 4. The proxy.
        a.start("proxy", ["python3", GUIDE / "disagg_proxy_server.py", "--host", "0.0.0.0", "--port",
                          "9000", "--prefiller-host", B, "--prefiller-port", "8100",
                          "--decoder-host", A, "--decoder-port", "8200"])
        a.wait_for(f"http://{A}:9000/health")
        # 5. The request, from the other host.
        received = hosts.bytes_received_by_a()
        answer = json.loads(b.curl(f"http://{A}:9000/v1/chat/completions", "-H",
                                   "Content-Type: application/json", "-d",
                                   json.dumps(REQUEST)).stdout)
        received = hosts.bytes_received_by_a() - received
        alone = json.loads(b.curl(f"http://{B}:8100/v1/chat/completions", "-H",
                                  "Content-Type: application/json", "-d",
                                  json.dumps(REQUEST)).stdout)
        self.assertEqual(answer["choices"][0]["message"], alone["choices"][0]["message"])

        decoder = a.curl(f"http://{A}:8200/metrics").stdout
        self.assertEqual(metric(decoder, "tandem:prompt_tokens_computed_total"), 0)
        self.assertEqual(metric(decoder, "tandem:store_mapped_read_bytes_total"), 0)
        # All of the prompt's KV, 2 x 30 layers of 192 float16 a token, came over the wire.
        kv_bytes = answer["usage"]["prompt_tokens"] * 2 * 30 * 192 * 2
        self.assertGreaterEqual(metric(decoder, "tandem:store_remote_read_bytes_total"), kv_bytes)
        self.assertGreaterEqual(received, kv_bytes)


if __name__ == "__main__":
    unittest.main()
