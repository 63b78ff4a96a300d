"""`tandem store`: a node that lends memory, and the commands that look after objects."""

import json
import os
import pathlib
import select
import signal
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

import harness
import pool


class StoreCommandTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="tandem-test-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.master = harness.Role(
            "master", ["master", "--rpc_port=0", "--metrics_port=0",
                       "--enable_http_metadata_server=true", "--http_metadata_server_port=0"],
            directory.name, ready_flag="--ready_file").start()
        self.addCleanup(self.master.stop)
        self.metadata = f"http://127.0.0.1:{self.master.ports['metadata']}/metadata"
        self.node = self.start_node("node")
        self.addCleanup(pool.expect_nothing_allocated, self.master)

    def start_node(self, name, *flags):
        node = harness.Role(name, ["store", "serve", f"--master={self.address}",
                                   f"--metadata-server={self.metadata}", "--segment-size=64MB",
                                   *flags], self.directory).start()
        self.addCleanup(node.stop)
        return node

    @property
    def address(self):
        return f"127.0.0.1:{self.master.ports['rpc']}"

    def run_store(self, *arguments, stdin=b"", master=None):
        return subprocess.run(
            [harness.PROGRAM, "store", *arguments, f"--master={master or self.address}"],
            input=stdin, capture_output=True, timeout=60 * harness.PATIENCE)

    def succeed(self, *arguments, stdin=b""):
        result = self.run_store(*arguments, stdin=stdin)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result.stdout

    def fail(self, code, *arguments, **options):
        result = self.run_store(*arguments, **options)
        self.assertEqual(result.returncode, code, result.stderr.decode())
        return result.stderr.decode()

    def test_a_node_shows_its_metrics(self):
        node = self.start_node("shown", "--metrics-port=0")
        with urllib.request.urlopen(f"http://127.0.0.1:{node.ports['metrics']}/metrics",
                                    timeout=10) as response:
            self.assertIn("tandem:store_disk_served_bytes_total 0\n", response.read().decode())
        node.expect_logged("metrics are served on all addresses without a token")
        taken = self.run_store("serve", "--segment-size=64MB", f"--metadata-server={self.metadata}",
                               f"--metrics-port={node.ports['metrics']}")
        self.assertEqual(taken.returncode, 1)
        self.assertIn("--metrics-port chooses another", taken.stderr.decode())

    def test_pins_and_replicas(self):
        self.start_node("second")
        self.succeed("put", "--replicas=2", "twice", "-", stdin=b"value")
        described = json.loads(self.succeed("stat", "twice", "--json"))
        self.assertEqual(len({replica["segment"] for replica in described["replicas"]}), 2)
        self.succeed("put", "--soft-pin", "soft", "-", stdin=b"value")
        self.assertEqual(pool.metric(self.master, "master_soft_pin_key_count"), 1)
        self.succeed("put", "--hard-pin", "hard", "-", stdin=b"value")
        for i in range(12):  # more than the two segments of 64 MB hold
            self.succeed("put", f"cold/{i}", "-", stdin=bytes(14 << 20))
        self.assertEqual(self.succeed("get", "hard"), b"value")
        self.assertEqual(self.succeed("get", "soft"), b"value")
        self.assertIn("not found", self.fail(1, "get", "cold/0"))

    def test_objects_go_in_and_come_out(self):
        value = os.urandom(14 << 20)
        source, target = self.directory / "in", self.directory / "out"
        source.write_bytes(value)
        self.succeed("put", "models/a", str(source))
        self.succeed("get", "models/a", str(target))
        self.assertEqual(target.read_bytes(), value)
        self.succeed("put", "models/b", "-", stdin=b"from standard input")
        self.assertEqual(self.succeed("get", "models/b"), b"from standard input")
        self.assertEqual(self.succeed("ls").decode().split(), ["models/a", "models/b"])
        self.assertEqual(json.loads(self.succeed("ls", "models/b", "--json")), ["models/b"])
        described = json.loads(self.succeed("stat", "models/a", "--json"))
        self.assertEqual((described["key"], described["size"]), ("models/a", 14 << 20))
        self.assertEqual([replica["segment"] for replica in described["replicas"]],
                         [f"127.0.0.1:{self.node.ports['data']}"])
        self.assertIn("written once", self.fail(1, "put", "models/b", "-", stdin=b"again"))
        self.succeed("rm", "--force", "models/a", "models/b")
        self.assertEqual(pool.metric(self.master, "master_allocated_bytes"), 0)
        self.assertIn("not found", self.fail(1, "get", "models/a"))
        self.assertIn("not found", self.fail(1, "stat", "models/a"))

    def test_wrong_command_lines_are_told(self):
        self.assertIn("KEY", self.fail(2, "get"))
        self.assertIn("--segment-size", self.fail(2, "serve", "--segment-size=10XB"))
        self.assertIn("'nowhere'", self.fail(2, "ls", master="nowhere"))
        refused = self.fail(1, "ls", master="127.0.0.1:1")
        self.assertIn("127.0.0.1:1", refused)
        self.assertIn("--rpc_port", refused)
        self.assertIn("metadata_server", self.fail(
            1, "serve", "--metadata-server=http://127.0.0.1:1/metadata"))
        device = self.fail(2, "serve", "--protocol=rdma", "--device-name=no_such_device")
        self.assertIn("no_such_device", device)
        self.assertIn('protocol: "tcp"', device)

    def test_a_node_registers_and_leaves_nothing_behind(self):
        segment = f"127.0.0.1:{self.node.ports['data']}"

        def entry(kind):
            """Status and body of what the metadata server knows of the node."""
            try:
                with urllib.request.urlopen(f"{self.metadata}?key=mooncake/{kind}/{segment}",
                                            timeout=20 * harness.PATIENCE) as response:
                    return response.status, response.read()
            except urllib.error.HTTPError as error:
                with error:
                    return error.status, b""

        status, body = entry("ram")
        registered = json.loads(body)
        self.assertEqual(status, 200)
        self.assertEqual((registered["name"], registered["protocol"]), (segment, "tcp"))
        self.assertEqual(registered["tcp_data_port"], self.node.ports["data"])
        self.assertEqual(registered["buffers"][0]["length"], 64 << 20)
        self.assertIn("timestamp", registered)
        self.assertEqual(set(registered["buffers"][0]), {"name", "addr", "length"})
        status, body = entry("rpc_meta")
        self.assertEqual((status, json.loads(body)), (200, {
            "ip_or_host_name": "127.0.0.1", "rpc_port": self.node.ports["data"]}))
        self.assertEqual(self.node.stop(), 0)
        for kind in ("ram", "rpc_meta"):
            self.assertEqual(entry(kind)[0], 404)
        self.assertIn("(-200)", self.fail(1, "put", "key", "-", stdin=b"value"))

    def test_top_shows_the_pool(self):
        self.succeed("put", "key", "-", stdin=bytes(1 << 20))
        metrics = f"--metrics=127.0.0.1:{self.master.ports['metrics']}"
        views = [json.loads(line) for line in self.succeed(
            "top", metrics, "--interval=0.05", "--count=2", "--json").splitlines()]
        self.assertEqual(len(views), 2)
        for view in views:
            self.assertEqual((view["objects"], view["used"]), (1, 1 << 20))
            self.assertEqual([(segment["name"], segment["used"]) for segment in view["segments"]],
                             [(f"127.0.0.1:{self.node.ports['data']}", 1 << 20)])
        table = self.succeed("top", metrics, "--count=1").decode()
        self.assertIn("1.0 MiB of 64.0 MiB", table)
        self.assertIn("--metrics", self.fail(1, "top", "--metrics=127.0.0.1:1"))
        self.assertIn("--interval", self.fail(2, "top", "--interval=0"))

    def test_top_ends_with_a_signal(self):
        top = subprocess.Popen(
            [harness.PROGRAM, "store", "top", "--interval=60", f"--master={self.address}",
             f"--metrics=127.0.0.1:{self.master.ports['metrics']}"], stdout=subprocess.PIPE)
        self.addCleanup(top.stdout.close)
        self.addCleanup(top.kill)
        self.assertIn(b"pool", top.stdout.readline())
        top.send_signal(signal.SIGINT)
        self.assertEqual(top.wait(timeout=20), 0)

    def test_bench_measures(self):
        report = json.loads(self.succeed("bench", "--seconds=0.05", "--object-sizes=4KB,1MB",
                                         "--segment-size=256MB", "--json"))
        self.assertEqual({figure["object_bytes"] for figure in report["figures"]}, {4096, 1 << 20})
        self.assertEqual(self.succeed("ls"), b"")  # nothing stays

    def test_long_work_is_shown_on_a_terminal(self):
        self.succeed("put", "key", "-", stdin=b"value")
        ours, theirs = os.openpty()
        self.addCleanup(os.close, ours)
        for arguments, words in ((["put", "other", "-"], b"storing other, 1 s"),
                                 (["get", "key"], b"fetching key, 1 s")):
            self.node.signal(signal.SIGSTOP)
            try:
                command = subprocess.Popen(
                    [harness.PROGRAM, "store", *arguments, f"--master={self.address}"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs)
                self.addCleanup(command.kill)
                command.stdin.write(b"value")
                command.stdin.close()
                shown = b""
                def is_shown():
                    nonlocal shown
                    if select.select([ours], [], [], 0)[0]:
                        shown += os.read(ours, 4096)
                    return words in shown
                harness.wait_until(is_shown, 8, f"{words} on the terminal")
            finally:
                self.node.signal(signal.SIGCONT)
            with command.stdout:
                self.assertEqual(command.stdout.read(), b"value" if "get" in arguments else b"")
            self.assertEqual(command.wait(timeout=20 * harness.PATIENCE), 0)
        os.close(theirs)

    def test_bench_behind_other_flags_is_refused(self):
        done = subprocess.run([harness.PROGRAM, "store", "--master=127.0.0.1:1", "bench"],
                              stderr=subprocess.PIPE, timeout=20)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"tandem store bench --help", done.stderr)

    def test_results_in_json(self):
        source = self.directory / "in"
        source.write_bytes(bytes(1000))
        self.assertEqual(json.loads(self.succeed("put", "key", str(source), "--json")),
                         {"key": "key", "size": 1000})
        target = self.directory / "out"
        self.assertEqual(json.loads(self.succeed("get", "key", str(target), "--json")),
                         {"key": "key", "size": 1000, "file": str(target)})
        self.assertEqual(json.loads(self.succeed("rm", "--force", "key", "--json")),
                         {"removed": ["key"]})

    def test_a_masters_restart_loses_no_object(self):
        self.succeed("put", "kept", "-", stdin=b"value")
        self.succeed("put", "removed", "-", stdin=b"value")
        # A removal that was answered is for good, however soon the master dies.
        self.succeed("rm", "removed")
        self.master.kill()
        self.fail(1, "get", "kept")
        self.master.restart()
        harness.wait_until(lambda: self.run_store("get", "kept").stdout == b"value", 10,
                           "the object to be registered again")
        self.assertEqual(self.succeed("ls").decode().split(), ["kept"])

    def test_a_removal_needs_its_owners_word(self):
        self.succeed("put", "key", "-", stdin=b"value")
        self.node.signal(signal.SIGSTOP)
        try:
            self.assertIn("(-900)", self.fail(1, "rm", "key"))
        finally:
            self.node.signal(signal.SIGCONT)
        self.assertIn("not found", self.fail(1, "rm", "key"))
        # Of a dead owner it needs none.
        self.succeed("put", "key", "-", stdin=b"value")
        self.node.kill()
        self.succeed("rm", "key")

    def test_a_paused_node_is_a_miss_and_keeps_its_objects(self):
        self.succeed("put", "key", "-", stdin=b"value")
        self.node.signal(signal.SIGSTOP)
        try:
            self.assertIn("cannot get key", self.fail(1, "get", "key"))
        finally:
            self.node.signal(signal.SIGCONT)
        # It serves nothing until the master has said that the pool still counts on it.
        harness.wait_until(lambda: self.run_store("get", "key").returncode == 0, 10,
                           "the node to be heard")
        self.assertEqual(self.succeed("get", "key"), b"value")

    def test_a_killed_node_is_a_miss(self):
        self.succeed("put", "key", "-", stdin=b"value")
        self.node.kill()
        self.assertIn("cannot get key", self.fail(1, "get", "key"))
        # It was reported, so that nobody else tries.
        self.assertIn("not found", self.fail(1, "get", "key"))


if __name__ == "__main__":
    unittest.main()
