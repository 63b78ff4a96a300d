"""mooncake_master's contract, over real sockets: flags, the metadata server's statuses, the admin
endpoints and the metrics' names."""

import concurrent.futures
import contextlib
import http.client
import json
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.parse

import harness
import pool

MEGABYTE = 1 << 20
RPCS = ["mount_segment", "unmount_segment", "ping", "register_objects", "put_start", "put_end",
        "put_revoke", "get_replica_list", "exist_key", "remove", "remove_by_regex", "remove_all",
        "confirm_removals", "report_lost_replicas", "list_keys", "list_segments", "offload"]
METRICS = ["master_allocated_bytes", "master_total_capacity_bytes", "master_key_count",
           "master_soft_pin_key_count", "master_active_clients", "master_segment_count",
           "master_fragmentation_ratio", "master_value_size_bytes_count",
           "master_value_size_bytes_sum", "master_evicted_key_count", "master_evicted_size_bytes",
           "master_attempted_evictions_total", "master_successful_evictions_total",
           "master_put_start_alloc_failures_total", "master_lost_replicas_total",
           *[f"master_{rpc}_{what}_total" for rpc in RPCS for what in ("requests", "failures")]]


MOONCAKES_DEFAULTS = {
    "rpc_port": "50051", "rpc_address": "0.0.0.0", "rpc_thread_num": "0",
    "metrics_port": "9003", "enable_metric_reporting": "true",
    "enable_http_metadata_server": "false",
    "http_metadata_server_host": "0.0.0.0", "http_metadata_server_port": "8080",
    "default_kv_lease_ttl": "10000", "default_kv_soft_pin_ttl": "1800000",
    "allow_evict_soft_pinned_objects": "true", "eviction_ratio": "0.05",
    "eviction_high_watermark_ratio": "0.9", "client_ttl": "10",
    "put_start_discard_timeout_sec": "30", "put_start_release_timeout_sec": "600",
    "allocation_strategy": "random", "memory_allocator": "offset", "enable_ha": "false",
    "etcd_endpoints": "", "cluster_id": "mooncake_cluster", "enable_snapshot": "false",
    "snapshot_interval_seconds": "600", "snapshot_backup_dir": "", "enable_offload": "false",
    "root_fs_dir": "", "config_path": "", "v": "0"}
NO_FILE = "/nowhere/file"
# Of flags that take any text: a wrong one, what is said of it, and the flags that it goes with.
# Those of certificates are security_test.py's.
WRONG_TEXTS = {
    "rpc_address": [("no such host", "--rpc_address")],
    "http_metadata_server_host": [("no such host", "choose",
                                   "--enable_http_metadata_server")],
    "etcd_endpoints": [("ftp://etcd", "http://HOST:2379", "--enable_ha")],
    "cluster_id": [("a/b", "without '/'"), ("..", "without '/'"), ("", "without '/'")],
    "snapshot_backup_dir": [("/proc/none", "cannot", "--enable_snapshot")],
    "root_fs_dir": [("relative", "not an absolute path", "--enable_offload")],
    "config_path": [(NO_FILE, "cannot be read"), ("/", "cannot be read: Is a directory")],
    "ready_file": [(NO_FILE, "cannot be written")],
    "token_file": [(NO_FILE, "cannot be read")]}
OF_THE_MACHINE = {"rpc_address", "http_metadata_server_host", "snapshot_backup_dir", "ready_file"}


class MasterContractTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="tandem-test-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def start_master(self, *flags, name="master"):
        self.master = harness.Role(
            name, ["master", "--rpc_port=0", "--metrics_port=0",
                   "--enable_http_metadata_server=true", "--http_metadata_server_port=0", *flags],
            self.directory, ready_flag="--ready_file").start()
        self.addCleanup(self.master.stop)
        return self.master

    def start_node(self, size="64MB", name="node"):
        node = harness.Role(name, [
            "store", "serve", f"--master=127.0.0.1:{self.master.ports['rpc']}",
            f"--metadata-server=http://127.0.0.1:{self.master.ports['metadata']}/metadata",
            f"--segment-size={size}"], self.directory).start()
        self.addCleanup(node.stop)
        self.addCleanup(pool.expect_nothing_allocated, self.master)
        return node

    def ask(self, method, path, body=None, port="metrics", **query):
        connection = http.client.HTTPConnection("127.0.0.1", self.master.ports[port],
                                                timeout=20 * harness.PATIENCE)
        try:
            if query:
                path += "?" + urllib.parse.urlencode(query)
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metric(self, name):
        return pool.metric(self.master, name)

    def store(self, *arguments, stdin=b""):
        return subprocess.run(
            [harness.PROGRAM, "store", *arguments,
             f"--master=127.0.0.1:{self.master.ports['rpc']}"],
            input=stdin, capture_output=True, timeout=60 * harness.PATIENCE)

    def put(self, key, value=b"value"):
        result = self.store("put", key, "-", stdin=value)
        self.assertEqual(result.returncode, 0, result.stderr.decode())

    def test_metadata_server(self):
        self.start_master()
        ask = lambda method, body=None, **query: self.ask(
            method, "/metadata", body, port="metadata", **query)
        self.assertEqual(self.ask("GET", "/health", port="metadata")[0], 200)
        for method in ("GET", "PUT", "DELETE"):
            self.assertEqual(ask(method, "{}")[0], 400)
            self.assertEqual(ask(method, "{}", key="")[0], 400)
        for key in ("mooncake/ram/h:1", "mooncake/rpc_meta/h:1", "anything"):
            self.assertEqual(ask("GET", key=key)[0], 404)
            self.assertEqual(ask("DELETE", key=key)[0], 404)
            self.assertEqual(ask("PUT", '{"a": 1}', key=key)[0], 200)
            self.assertEqual(ask("GET", key=key), (200, '{"a": 1}'))
            self.assertEqual(ask("PUT", '{"a": 1}', key=key)[0], 200)
            changed = ask("PUT", '{"a": 2}', key=key)[0]
            self.assertEqual(changed, 400 if "rpc_meta" in key else 200)
            self.assertEqual(ask("DELETE", key=key)[0], 200)
            self.assertEqual(ask("GET", key=key)[0], 404)

    def test_admin_endpoints(self):
        self.start_master()
        node = self.start_node()
        segment = f"127.0.0.1:{node.ports['data']}"
        self.put("a key/ü", b"x" * 1000)
        self.put("b", b"y" * 2000)
        self.assertEqual(self.ask("GET", "/health"), (200, "OK\n"))
        self.assertEqual(self.ask("GET", "/role"), (200, "leader\n"))
        self.assertEqual(self.ask("GET", "/get_all_keys")[1].splitlines(), ["a key/ü", "b"])
        self.assertEqual(self.ask("GET", "/get_all_segments")[1].splitlines(), [segment])
        described = json.loads(self.ask("GET", "/query_key", key="a key/ü")[1])
        self.assertEqual((described["size"], described["replicas"][0]["segment"]), (1000, segment))
        self.assertEqual(self.ask("GET", "/query_key", key="none")[0], 404)
        self.assertEqual(self.ask("GET", "/query_key")[0], 400)
        several = json.loads(self.ask("GET", "/batch_query_keys", keys="b,none")[1])
        self.assertEqual((several["b"]["size"], several["none"]["code"]), (2000, -704))
        self.assertEqual(self.ask("GET", "/batch_query_keys")[0], 400)
        described = json.loads(self.ask("GET", "/query_segment", segment=segment)[1])
        self.assertEqual((described["capacity"], described["used"]), (64 * MEGABYTE, 1024 + 2048))
        self.assertEqual(self.ask("GET", "/query_segment", segment="none")[0], 404)
        self.assertEqual(self.ask("GET", "/query_segment")[0], 400)
        self.assertIn("keys: 2", self.ask("GET", "/metrics/summary")[1])
        self.assertEqual(self.ask("GET", "/nowhere")[0], 404)
        self.assertEqual(self.ask("POST", "/health", "")[0], 405)

    def test_metrics(self):
        self.start_master()
        self.start_node()
        self.put("key", b"x" * 1000)
        text = self.ask("GET", "/metrics")[1]
        names = set(re.findall(r"^(\w+)(?:\{[^}]*\})? \S+$", text, re.M))
        self.assertEqual([name for name in METRICS if name not in names], [])
        self.assertEqual(self.metric("master_key_count"), 1)
        self.assertEqual(self.metric("master_allocated_bytes"), 1024)
        self.assertEqual(self.metric("master_total_capacity_bytes"), 64 * MEGABYTE)
        self.assertEqual(self.metric("master_put_start_requests_total"), 1)
        self.assertEqual(self.metric("master_put_end_failures_total"), 0)
        self.assertNotEqual(self.store("get", "none").returncode, 0)
        self.assertGreaterEqual(self.metric("master_get_replica_list_failures_total"), 1)
        self.master.expect_logged(r"memory: 1024 of \d+ bytes .* keys: 1,", seconds=20)

    def test_only_who_is_to_report_metrics_does(self):
        quiet = self.start_master("--enable_metric_reporting=false", name="quiet")
        self.start_node(name="node of the quiet one")
        self.put("key")
        self.start_master()
        self.start_node()
        self.put("key")
        report = r"memory: [1-9]\d* of \d+ bytes .* keys: 1,"
        self.master.expect_logged(report, seconds=20)  # at which the other's, were there one, is due
        self.assertNotRegex(quiet.log(), report)

    def test_flags_that_set_times_and_shares(self):
        self.start_master("--default_kv_lease_ttl=0", "--client_ttl=1",
                          "--eviction_high_watermark_ratio=0.5", "--eviction_ratio=0.25")
        node = self.start_node()
        for i in range(9):
            self.put(f"key{i}", b"x" * 4 * MEGABYTE)  # the ninth is above half of the segment
        keys = self.ask("GET", "/get_all_keys")[1].split()
        self.assertIn("key8", keys)
        self.assertLessEqual(len(keys), 5)
        self.assertEqual(self.metric("master_attempted_evictions_total"), 1)
        self.assertEqual(self.metric("master_evicted_size_bytes"),
                         self.metric("master_evicted_key_count") * 4 * MEGABYTE)
        # Without a lease a reader keeps nobody from removing.
        self.assertEqual(self.store("get", "key8", "/dev/null").returncode, 0)
        self.assertEqual(self.store("rm", "key8").returncode, 0)
        node.kill()
        harness.wait_until(lambda: not self.ask("GET", "/get_all_segments")[1], 10,
                           "the silent node's segment to be dropped")
        self.assertEqual(self.ask("GET", "/get_all_keys")[1], "")

    def test_flags_that_say_where_to_listen(self):
        self.start_master("--rpc_address=127.0.0.2", "--http_metadata_server_host=127.0.0.3",
                          "--rpc_thread_num=2", "-v=1")
        def listening(host, port):
            with socket.socket() as probe:
                return probe.connect_ex((host, self.master.ports[port])) == 0
        self.assertTrue(listening("127.0.0.2", "rpc"))
        self.assertTrue(listening("127.0.0.3", "metadata"))
        self.assertFalse(listening("127.0.0.1", "rpc"))
        self.assertFalse(listening("127.0.0.1", "metadata"))

    def test_as_many_threads_as_are_wanted_wait_for_calls(self):
        for wanted in (1, 8):
            master = self.start_master(f"--rpc_thread_num={wanted}", name=f"master{wanted}")
            tasks = pathlib.Path(f"/proc/{master.process.pid}/task")

            def waiting():
                names = []
                for task in tasks.iterdir():
                    with contextlib.suppress(OSError):  # one that has just ended
                        names.append((task / "comm").read_text().strip())
                return names.count("grpcpp_sync_ser")

            def call_at_once():
                with concurrent.futures.ThreadPoolExecutor(12) as callers:
                    codes = list(callers.map(lambda _: self.store("ls").returncode, range(24)))
                self.assertEqual(set(codes), {0})
                return True

            # They come as calls do, and all but those that are wanted end again.
            harness.wait_until(lambda: call_at_once() and waiting() >= wanted, 60,
                               f"{wanted} threads")
            harness.wait_until(lambda: waiting() == wanted, 20, f"no more than {wanted} threads")

    def test_flags_from_a_file_and_those_without_a_meaning(self):
        config = self.directory / "master.yaml"
        config.write_text("enable_http_metadata_server: false\n"
                          "root_fs_dir: /nowhere\nmemory_allocator: cachelib\nclient_ttl: 7\n")
        self.start_master(f"--config_path={config}")
        self.assertIn("metadata", self.master.ports, "the command line comes before the file")
        for flag in ("root_fs_dir", "memory_allocator"):
            self.master.expect_logged(rf"--{flag} has no effect: \S+")

    def test_a_snapshot_serves_before_the_owners_are_back(self):
        snapshots = self.directory / "snapshots"
        self.start_master("--enable_snapshot", "--snapshot_interval_seconds=1",
                          f"--snapshot_backup_dir={snapshots}")
        node = self.start_node()
        self.put("kept")
        self.put("removed")
        def saved():
            size = (snapshots / "mooncake_cluster.snapshot").stat().st_size
            return size > 0 and b"kept" in (snapshots / "mooncake_cluster.snapshot").read_bytes()
        harness.wait_until(lambda: (snapshots / "mooncake_cluster.snapshot").exists() and saved(),
                           20, "a snapshot")
        self.assertEqual(self.store("rm", "removed").returncode, 0)
        node.signal(signal.SIGSTOP)
        try:
            self.master.kill()
            self.master.restart()
            self.assertEqual(self.ask("GET", "/query_key", key="kept")[0], 200)
            with concurrent.futures.ThreadPoolExecutor(1) as threads:
                asked = threads.submit(self.ask, "GET", "/get_all_keys")  # waits for the owner
                self.assertEqual(self.ask("GET", "/health")[0], 200)
                self.assertEqual(self.metric("master_key_count"), 1)
                self.assertFalse(asked.done())
                node.signal(signal.SIGCONT)
                self.assertEqual(asked.result()[1].split(), ["kept"])
        finally:
            node.signal(signal.SIGCONT)
        self.assertEqual(self.store("get", "kept").stdout, b"value")
        self.assertNotEqual(self.store("get", "removed").returncode, 0)
        harness.wait_until(lambda: self.metric("master_register_objects_requests_total") > 0, 20,
                           "the owner to register")
        self.assertEqual(self.ask("GET", "/get_all_keys")[1].split(), ["kept"])

    def run_master(self, *flags):
        return subprocess.run([harness.PROGRAM, "master", *flags], capture_output=True, text=True,
                              timeout=20 * harness.PATIENCE)

    def flags(self):
        """(name, what is accepted, default) of each flag, as --help tells."""
        return re.findall(r"^  --(\w+) .*: ([^:]+)\. Default: (.*)$",
                          self.run_master("--help").stdout, re.M)

    def test_defaults_are_mooncakes(self):
        defaults = {name: default.strip('"') for name, _, default in self.flags()}
        for name, default in MOONCAKES_DEFAULTS.items():
            self.assertEqual(defaults[name], default, name)

    def test_each_flag_says_what_it_accepts(self):
        flags = self.flags()
        self.assertLess(set(MOONCAKES_DEFAULTS), {name for name, _, _ in flags})
        for name, accepted, _ in flags:
            if name.startswith("tls_") and accepted == "a text":
                continue
            number = re.search(r"(\S+) to (\S+)$", accepted)
            beyond = [str(float(number[2]) * 2)] if number else []
            wrong = (WRONG_TEXTS[name] if accepted == "a text" else
                     [(value, f"not {accepted}") for value in ["wrong", "", *beyond]])
            for value, complaint, *more in wrong:
                with self.subTest(flag=name, value=value):
                    result = self.run_master("--rpc_port=0", "--metrics_port=0",
                                             f"--{name}={value}", *more)
                    # What only the machine can tell is no wrong usage.
                    self.assertEqual(result.returncode, 1 if name in OF_THE_MACHINE else 2,
                                     result.stderr)
                    for part in (name, value, complaint):
                        self.assertIn(part, result.stderr)

    def test_wrong_flags_end_it_with_exit_code_2(self):
        for flag, complaint in (("--rpc_prot=1", "did you mean rpc_port?"),
                                ("--rpc_port=70000", "--rpc_port=70000"),
                                ("--allocation_strategy=best", "free_ratio_first"),
                                ("--eviction_ratio=2", "--eviction_ratio=2"),
                                ("--config_path=/nowhere", "--config_path=/nowhere"),
                                ("--config_path=/", "--config_path=/: cannot be read")):
            result = self.run_master(flag)
            self.assertEqual(result.returncode, 2)
            self.assertIn(complaint, result.stderr)


if __name__ == "__main__":
    unittest.main()
