"""Several masters and a real etcd: one leads, clients follow it, and nothing committed is lost when
it dies or stands still."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import harness
from etcd import Etcd

LEASE_SECONDS = 3
CLUSTER = "test"
NAMES_THE_CLUSTER = {"MC_STORE_CLUSTER_ID": CLUSTER}  # for clients that are given etcd's address
# An election after the lease has run out, and owners that register again.
FAILOVER_SECONDS = 2 * LEASE_SECONDS


class HighAvailabilityTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="tandem-test-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.etcd = Etcd(self.directory)
        self.addCleanup(self.etcd.stop)
        self.masters = [self.start_master(i) for i in range(3)]
        harness.wait_until(lambda: self.leaders(), 20, "a leader")
        self.addresses = ",".join(f"127.0.0.1:{m.ports['rpc']}" for m in self.masters)
        self.nodes = [self.start_node(i) for i in range(2)]

    def start_master(self, number, cluster=CLUSTER, rpc_address="127.0.0.1"):
        master = harness.Role(
            f"master{number}", ["master", "--rpc_port=0", f"--rpc_address={rpc_address}",
                                "--metrics_port=0", "--enable_ha",
                                f"--etcd_endpoints={self.etcd.endpoint}",
                                f"--cluster_id={cluster}",
                                f"--etcd_lease_seconds={LEASE_SECONDS}"],
            self.directory, ready_flag="--ready_file", host=rpc_address).start()
        self.addCleanup(master.stop)
        return master

    def start_node(self, number, master=None):
        node = harness.Role(f"node{number}", ["store", "serve",
                                              f"--master={master or self.addresses}",
                                              "--metadata-server=P2PHANDSHAKE",
                                              "--segment-size=64MB"], self.directory,
                            NAMES_THE_CLUSTER).start()
        self.addCleanup(node.stop)
        return node

    def ask(self, master, page):
        """Status and text of a page of the port for metrics; 0 if there is no answer."""
        connection = http.client.HTTPConnection(master.host, master.ports["metrics"], timeout=0.5)
        try:
            connection.request("GET", page)
            response = connection.getresponse()
            return response.status, response.read().decode().strip()
        except OSError:
            return 0, "gone"
        finally:
            connection.close()

    def role_of(self, master):
        return self.ask(master, "/role")[1]

    def leaders(self):
        return [master for master in self.masters if self.role_of(master) == "leader"]

    def store(self, *arguments, stdin=b"", master=None):
        return subprocess.run([harness.PROGRAM, "store", *arguments,
                               f"--master={master or self.addresses}"],
                              input=stdin, capture_output=True, timeout=60 * harness.PATIENCE,
                              env=os.environ | NAMES_THE_CLUSTER)

    def put(self, key, value):
        result = self.store("put", key, "-", stdin=value)
        self.assertEqual(result.returncode, 0, result.stderr.decode())

    def keys(self):
        return self.store("ls").stdout.decode().split()

    def assert_all_is_there(self, values):
        for key, value in values.items():
            self.assertEqual(self.store("get", key).stdout, value)

    def test_top_shows_the_pool_of_the_one_that_leads(self):
        for key in ("a", "b"):
            self.put(key, b"x" * 1000)
        metrics = ",".join(f"127.0.0.1:{m.ports['metrics']}" for m in self.masters)
        result = self.store("--json", "top", f"--metrics={metrics}", "--count=1")
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        view = json.loads(result.stdout)
        self.assertEqual(view["objects"], 2)
        self.assertEqual(len(view["segments"]), 2)

    def test_clusters_of_one_etcd_do_not_mix(self):
        self.put("key", b"value")
        other = self.start_master(3, cluster="other")
        harness.wait_until(lambda: self.role_of(other) == "leader", 20,
                           "the only master of its cluster to lead")
        self.assertEqual(len(self.leaders()), 1)
        address = f"127.0.0.1:{other.ports['rpc']}"
        listed = self.store("ls", master=address)
        self.assertEqual((listed.returncode, listed.stdout), (0, b""), listed.stderr)
        self.assertEqual(self.store("put", "key", "-", stdin=b"x", master=address).returncode, 1)
        other.kill()
        self.assertEqual(self.store("get", "key").stdout, b"value")

    def test_one_leads_and_clients_follow_it(self):
        values = {f"key{i}": os.urandom(10_000 + i) for i in range(6)}
        for key, value in values.items():
            self.put(key, value)
        self.put("removed", b"value")
        for _ in range(2):
            leaders = self.leaders()
            self.assertEqual(len(leaders), 1)
            self.assertEqual(self.store("rm", "removed").returncode, 0)
            leaders[0].kill()
            start = time.monotonic()
            harness.wait_until(lambda: set(values) <= set(self.keys()), 20,
                               "the objects at a new leader")
            self.assertLess(time.monotonic() - start, FAILOVER_SECONDS * harness.PATIENCE)
            self.assertEqual(set(self.keys()), set(values))
            self.assert_all_is_there(values)
            self.put("removed", b"again")  # which was removed
            leaders[0].restart()
        self.assertEqual(len(self.leaders()), 1)

    def test_clients_that_know_etcd_follow_masters_that_came_later(self):
        master = self.etcd.master_address
        for node in self.nodes:
            self.assertEqual(node.stop(), 0)
        self.nodes = [self.start_node(number, master) for number in (2, 3)]
        values = {f"key{i}": os.urandom(10_000 + i) for i in range(6)}
        for key, value in values.items():
            result = self.store("put", key, "-", stdin=value, master=master)
            self.assertEqual(result.returncode, 0, result.stderr.decode())
        earlier, late = self.masters, self.start_master(3)
        for each in earlier:
            each.kill()
        start = time.monotonic()
        harness.wait_until(
            lambda: set(values) <= set(self.store("ls", master=master).stdout.decode().split()), 20,
            "the objects at a master that nobody had named")
        self.assertLess(time.monotonic() - start, FAILOVER_SECONDS * harness.PATIENCE)
        self.assertEqual(self.role_of(late), "leader")
        for key, value in values.items():
            self.assertEqual(self.store("get", key, master=master).stdout, value)

    def test_etcd_of_another_cluster_leads_to_no_master(self):
        result = subprocess.run(
            [harness.PROGRAM, "store", "ls", "--timeout=1", f"--master={self.etcd.master_address}"],
            capture_output=True, timeout=60 * harness.PATIENCE, text=True)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("'mooncake_cluster'", result.stderr)

    def test_who_is_away_is_said(self):
        for address in ("etcd://127.0.0.1:1", "etcd://localhost"):
            result = self.store("ls", "--timeout=1", master=address)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(address.replace("etcd://", ""), result.stderr.decode())
            self.assertIn("etcd", result.stderr.decode())

    def test_a_leader_with_an_address_of_ipv6_is_followed(self):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError as reason:
            self.skipTest(f"this host has no IPv6 on its loopback: {reason}")
        for master in self.masters:
            self.assertEqual(master.stop(), 0)
        late = self.start_master(3, rpc_address="::1")
        harness.wait_until(lambda: self.role_of(late) == "leader", 20, "the late master to lead")
        listed = self.store("ls", master=self.etcd.master_address)
        self.assertEqual((listed.returncode, listed.stdout), (0, b""), listed.stderr)

    def test_top_wants_to_know_where_metrics_are(self):
        result = self.store("top", "--count=1", master=self.etcd.master_address)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("--metrics", result.stderr.decode())

    def test_a_leader_that_stands_still_leads_no_more(self):
        self.put("before", b"value")
        old = self.leaders()[0]
        old.signal(signal.SIGSTOP)
        start = time.monotonic()
        try:
            others = [master for master in self.masters if master is not old]
            harness.wait_until(lambda: any(self.ask(master, "/query_key?key=before")[0] == 200
                                           for master in others), 20, "the object at a new leader")
            self.assertLess(time.monotonic() - start, FAILOVER_SECONDS * harness.PATIENCE)
            harness.wait_until(lambda: self.store("get", "before").stdout == b"value", 30,
                               "clients to follow")
            self.put("after", b"value")
        finally:
            old.signal(signal.SIGCONT)
        # It finds out before it answers anybody.
        self.assertNotEqual(self.role_of(old), "leader")
        self.assertEqual(self.keys(), ["after", "before"])
        self.assertEqual(len(self.leaders()), 1)

    def test_a_leader_that_stops_hands_over_at_once(self):
        self.put("key", b"value")
        leader = self.leaders()[0]
        self.assertEqual(leader.stop(), 0)
        start = time.monotonic()
        harness.wait_until(lambda: self.store("get", "key").stdout == b"value", 20,
                           "the object at a new leader")
        self.assertLess(time.monotonic() - start, LEASE_SECONDS * harness.PATIENCE)

    def test_without_etcd_nobody_leads(self):
        self.put("key", b"value")
        self.etcd.process.send_signal(signal.SIGSTOP)
        try:
            harness.wait_until(lambda: not self.leaders(), 20, "the leader to step down")
            self.assertNotEqual(self.store("get", "key", "--timeout=1").returncode, 0)
        finally:
            self.etcd.process.send_signal(signal.SIGCONT)
        harness.wait_until(lambda: self.store("get", "key").stdout == b"value", 30,
                           "the object, once etcd is back")


if __name__ == "__main__":
    unittest.main()
