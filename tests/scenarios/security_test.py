"""A pool with TLS and a token: what passes, and what each stranger is told."""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from credentials import make_certificates
from hosts import A, B, Hosts
from users import as_user

TOKEN = "the-token-of-this-test"
VALUE = bytes(range(256)) * 20_000  # several messages long
PYTHON = r"""
import os, sys
sys.path.insert(0, sys.argv[1])
from mooncake.store import MooncakeDistributedStore
store = MooncakeDistributedStore()
print("setup", store.setup(sys.argv[2], "P2PHANDSHAKE", 0, 64 << 20, "tcp", "", sys.argv[3]))
print("get", len(store.get("key")))
"""


class SecurityTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="tandem-test-")
        cls.addClassCleanup(temporary.cleanup)
        cls.directory = pathlib.Path(temporary.name)
        cls.pool, cls.others = cls.directory / "pool", cls.directory / "others"
        for directory in (cls.pool, cls.others):
            directory.mkdir()
            make_certificates(directory, f"IP:127.0.0.1,IP:{A},IP:{B}")
        for name, token in (("token", TOKEN), ("wrong", "another")):
            (cls.directory / name).write_text(token + "\n")

    def master(self, host, namespace=None, secured=True, flags=()):
        if secured:
            flags = [f"--tls_cert_file={self.pool / 'server.pem'}",
                     f"--tls_key_file={self.pool / 'server.key'}",
                     f"--token_file={self.directory / 'token'}", *flags]
        master = harness.Role(
            "master", ["master", "--rpc_port=0", f"--rpc_address={host}", "--metrics_port=0",
                       "--enable_http_metadata_server=true", f"--http_metadata_server_host={host}",
                       "--http_metadata_server_port=0", *flags],
            tempfile.mkdtemp(dir=self.directory), namespace=namespace, ready_flag="--ready_file")
        self.addCleanup(master.stop)
        return master.start()

    def node(self, master, namespace, *flags):
        node = harness.Role(
            "node", ["store", "serve", f"--master={A}:{master.ports['rpc']}",
                     f"--local-hostname={A}", "--segment-size=64MB", *flags],
            tempfile.mkdtemp(dir=self.directory), namespace=namespace)
        self.addCleanup(node.stop)
        return node.start()

    def security(self, ca="pool", token="token", certificate=False):
        """The flags of one who trusts that CA and has that token."""
        flags = [f"--tls-ca-file={self.directory / ca / 'ca.pem'}"] if ca else []
        flags += [f"--token-file={self.directory / token}"] if token else []
        if certificate:
            flags += [f"--tls-cert-file={self.pool / 'server.pem'}",
                      f"--tls-key-file={self.pool / 'server.key'}"]
        return flags

    def store(self, master, *arguments, namespace=None, user=None, stdin=b""):
        prefix = ["ip", "netns", "exec", namespace] if namespace else []
        host = A if namespace else "127.0.0.1"
        return subprocess.run(
            [*prefix, *as_user(user), harness.PROGRAM, "store",
             f"--master={host}:{master.ports['rpc']}", "--timeout=5", *arguments],
            input=stdin, capture_output=True, timeout=60 * harness.PATIENCE)

    def python(self, master, environment, namespace=None, host="127.0.0.1"):
        prefix = ["ip", "netns", "exec", namespace] if namespace else []
        return subprocess.run(
            [*prefix, sys.executable, "-c", PYTHON, harness.BUILD / "python", host,
             f"{A if namespace else '127.0.0.1'}:{master.ports['rpc']}"],
            capture_output=True, text=True, timeout=60 * harness.PATIENCE,
            env=harness.os.environ | {"UCX_MEM_EVENTS": "n"} | environment)

    def test_data_between_two_hosts(self):
        hosts = self.enterContext(Hosts())
        master = self.master(A, hosts.a)
        node = self.node(master, hosts.a,
                         f"--metadata-server=https://{A}:{master.ports['metadata']}/metadata",
                         *self.security(certificate=True))
        # Written to another host and read from there: over the network both times.
        put = self.store(master, *self.security(), "put", "key", "-", namespace=hosts.b,
                         stdin=VALUE)
        self.assertEqual(put.returncode, 0, put.stderr)
        small = self.store(master, *self.security(), "put", "small", "-", namespace=hosts.b,
                           stdin=b"few bytes")
        self.assertEqual(small.returncode, 0, small.stderr)
        get = self.store(master, *self.security(), "get", "key", namespace=hosts.b)
        self.assertEqual(get.returncode, 0, get.stderr)
        self.assertEqual(get.stdout, VALUE)
        self.assertEqual(self.store(master, *self.security(), "get", "small",
                                    namespace=hosts.b).stdout, b"few bytes")
        # The Python module takes it from the environment.
        environment = {"TANDEM_STORE_TLS_CA_FILE": str(self.pool / "ca.pem"),
                       "TANDEM_STORE_TOKEN": TOKEN}
        read = self.python(master, environment, hosts.b, B)
        self.assertEqual(read.stdout, f"setup 0\nget {len(VALUE)}\n", read.stderr)
        refused = self.python(master, environment | {"TANDEM_STORE_TOKEN": "another"}, hosts.b, B)
        self.assertIn("setup -900", refused.stdout)
        self.assertIn("the token that was sent is not the one", refused.stdout + refused.stderr)
        for role in (master, node):
            self.assertNotIn(TOKEN, role.log())
            command = pathlib.Path(f"/proc/{role.process.pid}/cmdline").read_bytes()
            self.assertNotIn(TOKEN.encode(), command)
            self.assertNotIn("without", role.log())

    def test_another_user_of_the_host_comes_by_the_network(self):
        hosts = self.enterContext(Hosts())
        master = self.master(A, hosts.a)
        self.node(master, hosts.a, "--metadata-server=P2PHANDSHAKE",
                  *self.security(certificate=True))
        put = self.store(master, *self.security(), "put", "key", "-", namespace=hosts.a, user=0,
                         stdin=VALUE)
        self.assertEqual(put.returncode, 0, put.stderr)
        get = self.store(master, *self.security(), "get", "key", namespace=hosts.a, user=1)
        self.assertEqual(get.returncode, 0, get.stderr)
        self.assertEqual(get.stdout, VALUE)
        refused = self.store(master, *self.security(token="wrong"), "get", "key",
                             namespace=hosts.a, user=1)
        self.assertIn("the token that was sent is not the one", refused.stderr.decode())

    def test_a_node_warns_that_its_data_is_open_to_all(self):
        hosts = self.enterContext(Hosts())
        master = self.master(A, hosts.a, secured=False)
        self.node(master, hosts.a, "--metadata-server=P2PHANDSHAKE").expect_logged(
            f"data is served on {A} without TLS and without a token")

    def test_what_strangers_are_told(self):
        master = self.master("127.0.0.1")
        plain = self.master("127.0.0.1", secured=False)
        for flags, at, reason in (
                (self.security(token="wrong"), master, "the token that was sent is not the one"),
                (self.security(token=None), master, "a token is needed here, and none was sent"),
                (self.security(ca="others"), master, "its certificate is not trusted"),
                (self.security(ca=None), master, "tls_ca_file is not set"),
                (self.security(), plain, "it does not speak TLS"),
                ([*self.security(), "--protocol=rdma"], master, "rdma cannot be used with TLS"),
                ([*self.security(ca=None), "--tls-ca-file=/nowhere"], master,
                 "tls_ca_file: '/nowhere'"),
                ([*self.security(token=None), "--token-file=/nowhere"], master, "token_file: "),
                (self.security(), "serve", "tls_cert_file is not set"),
                ([*self.security(certificate=True), "--metadata-server=http://127.0.0.1:1/metadata"],
                 "serve", "would be told the token without TLS")):
            started = time.monotonic()
            if at == "serve":
                result = self.store(master, *flags, "serve", "--segment-size=16MB")
            else:
                result = self.store(at, *flags, "put", "key", "-", stdin=b"value")
            self.assertNotEqual(result.returncode, 0, flags)
            self.assertIn(reason, result.stderr.decode(), flags)
            self.assertLess(time.monotonic() - started, 15 * harness.PATIENCE, flags)
        self.assertEqual(self.store(master, *self.security(), "ls").returncode, 0)

    def curl(self, url, *arguments):
        result = subprocess.run(["curl", "-sS", "-w", "\n%{http_code}", *map(str, arguments), url],
                                capture_output=True, text=True, timeout=60 * harness.PATIENCE,
                                env=harness.without_preloaded_runtime())
        body, _, status = result.stdout.rpartition("\n")
        return int(status or 0), body + result.stderr

    def test_http(self):
        master = self.master("127.0.0.1")
        trust = ("--cacert", self.pool / "ca.pem")
        for name, path in (("metrics", "/get_all_keys"), ("metrics", "/metrics"),
                           ("metadata", "/metadata?key=x")):
            url = f"https://127.0.0.1:{master.ports[name]}"
            found = 404 if name == "metadata" else 200
            self.assertEqual(self.curl(url + path, *trust, "-H",
                                       f"Authorization: Bearer {TOKEN}")[0], found)
            self.assertEqual(self.curl(url + path, *trust)[0], 401)
            status, body = self.curl(url + path, *trust, "-H", "Authorization: Bearer another")
            self.assertEqual(status, 401)
            self.assertIn("is not the one", body)
            self.assertEqual(self.curl(url + "/health", *trust)[0], 200)
            status, body = self.curl(url.replace("https", "http") + path)
            self.assertEqual(status, 400)
            self.assertIn("this port speaks TLS", body)
            self.assertEqual(self.curl(url + path, "--cacert", self.others / "ca.pem")[0], 0)
        top = self.store(master, *self.security(), "--json", "top", "--count=1",
                         f"--metrics=127.0.0.1:{master.ports['metrics']}")
        self.assertEqual(json.loads(top.stdout)["objects"], 0, top.stderr)

    def test_warnings_at_start(self):
        open_to_all = self.master("0.0.0.0", secured=False).log()
        for what in ("calls and administration are", "metadata is"):
            self.assertIn(f"{what} served on 0.0.0.0 without TLS and without a token", open_to_all)
        self.assertNotIn("without", self.master("127.0.0.1", secured=False).log())
        result = subprocess.run([harness.PROGRAM, "master", "--tls_cert_file=/nowhere"],
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 2)
        self.assertIn("tls_cert_file: '/nowhere'", result.stderr)


if __name__ == "__main__":
    unittest.main()
