"""The disk tier: what memory does not hold goes to the owner's disk, comes back, and is removed."""

import ctypes
import http.client
import json
import pathlib
import random
import tempfile
import unittest
import urllib.parse

import harness
from python_store import MEBIBYTE, MISSING, OK, RPC_FAILED, MooncakeDistributedStore

SEGMENT = 64 * MEBIBYTE
OBJECT = 2 * MEBIBYTE
# Of a segment's objects so many stay in memory alone.
IN_MEMORY = 26


def key(i):
    return f"key{i}"


def value(i):
    return random.Random(i).randbytes(OBJECT)


class DiskTierTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="tandem-test-")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def start(self, *master_flags, disk=None):
        self.master = harness.Role(
            "master", ["master", "--rpc_port=0", "--metrics_port=0", "--default_kv_lease_ttl=0",
                       "--enable_offload", f"--root_fs_dir={disk or self.directory / 'disk'}",
                       "--client_ttl=2", *master_flags],
            self.directory, ready_flag="--ready_file").start()
        self.addCleanup(self.master.stop)
        self.address = f"127.0.0.1:{self.master.ports['rpc']}"
        self.node = harness.Role(
            "node", ["store", "serve", f"--master={self.address}", "--local-hostname=127.0.0.1",
                     "--metadata-server=P2PHANDSHAKE", "--segment-size=64MB"],
            self.directory).start()
        self.addCleanup(self.node.stop)
        self.store = MooncakeDistributedStore()
        self.addCleanup(self.store.close)
        self.assertEqual(self.store.setup({
            "local_hostname": "127.0.0.1", "metadata_server": "P2PHANDSHAKE",
            "master_server_addr": self.address, "protocol": "tcp", "global_segment_size": 0,
            "local_buffer_size": 64 * MEBIBYTE, "call_timeout": 10}), OK)

    def ask(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.master.ports["metrics"],
                                                timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metric(self, name):
        return float(harness.re.search(rf"^{name} (\S+)$", self.ask("/metrics")[1],
                                       harness.re.M).group(1))

    def put(self, count):
        """Puts objects, each once its forerunners are where they belong."""
        for i in range(count):
            self.assertEqual(self.store.put(key(i), value(i)), OK, i)
            harness.wait_until(
                lambda: self.metric("master_disk_key_count") >= i + 1 - IN_MEMORY, 20,
                f"the disk to have what is colder than object {i}")

    def is_on_disk_alone(self, i):
        status, text = self.ask(f"/query_key?key={urllib.parse.quote(key(i))}")
        replicas = json.loads(text)["replicas"] if status == 200 else []
        return [replica.get("on_disk", False) for replica in replicas] == [True]

    def test_more_than_memory_holds_is_read_back(self):
        self.start()
        self.put(80)
        self.assertTrue(self.is_on_disk_alone(0))
        for i in range(80):
            self.assertEqual(self.store.get(key(i)), value(i), i)
        self.assertEqual(self.store.get_batch([key(0), key(79), key(1)]),
                         [value(0), value(79), value(1)])
        self.assertEqual(bytes(self.store.get_buffer(key(2))), value(2))
        memory = bytearray(OBJECT)
        pointer = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        self.assertEqual(self.store.register_buffer(pointer, OBJECT), OK)
        self.assertEqual(self.store.get_into(key(3), pointer, OBJECT), OBJECT)
        self.assertEqual(memory, value(3))
        self.assertEqual(self.store.unregister_buffer(pointer), OK)
        self.assertEqual(self.store.is_exist(key(0)), 1)
        self.assertEqual(self.store.get_size(key(0)), OBJECT)
        self.assertEqual(self.metric("master_evicted_unstored_key_count"), 0)
        self.assertGreaterEqual(self.metric("master_disk_allocated_bytes"), 54 * OBJECT)
        self.assertIn("disk: ", self.ask("/metrics/summary")[1])

    def test_an_owner_that_was_killed_brings_its_disk_back(self):
        self.start()
        self.put(50)
        self.assertTrue(self.is_on_disk_alone(0) and self.is_on_disk_alone(1))
        self.assertEqual(self.store.remove(key(1)), OK)
        self.node.kill()
        self.assertEqual(self.store.get(key(0)), b"")
        self.node.start()
        harness.wait_until(lambda: self.store.get(key(0)) == value(0), 20,
                           "the disk to be registered")
        for i in range(2, 20):
            self.assertEqual(self.store.get(key(i)), value(i), i)
        self.assertEqual(self.store.is_exist(key(1)), 0)
        self.assertEqual(self.store.is_exist(key(49)), 0, "it was in memory alone")

    def test_what_was_removed_stays_removed_whoever_dies(self):
        self.start()
        self.put(40)
        self.assertTrue(self.is_on_disk_alone(0))
        self.assertEqual(self.store.remove(key(0)), OK)
        self.master.kill()
        self.node.kill()
        self.master.restart()
        self.node.start()
        harness.wait_until(lambda: self.store.get(key(1)) == value(1), 20,
                           "the disk to be registered")
        self.assertEqual(self.store.is_exist(key(0)), 0)
        self.assertGreater(self.store.remove_by_regex("^key[1-5]$"), 4)
        self.assertGreater(self.store.remove_all(), 4)
        self.node.kill()
        self.node.start()
        def found_at_each_start():
            return harness.re.findall(r"; (\d+) are there", self.node.log())
        harness.wait_until(lambda: len(found_at_each_start()) == 3, 20, "the disk to be opened")
        self.assertEqual(found_at_each_start()[2], "0")

    def test_a_removal_is_not_confirmed_by_the_death_of_a_disks_owner(self):
        self.start()
        self.put(40)
        self.assertTrue(self.is_on_disk_alone(0))
        self.node.kill()
        self.assertEqual(self.store.remove(key(0)), RPC_FAILED)
        self.node.start()
        harness.wait_until(lambda: self.store.get(key(1)) == value(1), 20,
                           "the disk to be registered")
        # Now its successor has confirmed it.
        harness.wait_until(lambda: self.store.remove(key(0)) == MISSING, 20,
                           "the removal to be confirmed")

    def test_a_masters_restart_loses_nothing_that_is_on_disk(self):
        self.start()
        self.put(60)
        self.master.kill()
        self.master.restart()
        harness.wait_until(lambda: self.store.get(key(0)) == value(0), 10,
                           "the disk to be registered")
        for i in range(60):
            self.assertEqual(self.store.get(key(i)), value(i), i)

    def test_a_disk_that_is_used_up_drops_the_oldest(self):
        self.start(f"--offload_capacity_bytes={32 * MEBIBYTE}")
        for i in range(120):
            self.assertEqual(self.store.put(key(i), value(i)), OK, i)
        found = [i for i in range(120) if self.store.get(key(i)) == value(i)]
        for i in set(range(120)) - set(found):
            self.assertEqual(self.store.get(key(i)), b"", i)
        self.assertGreaterEqual(len(found), IN_MEMORY)
        self.assertLessEqual(len(found), (SEGMENT + 32 * MEBIBYTE) // OBJECT)
        on_disk = sum(file.stat().st_size for file in self.directory.glob("disk/*/*.log"))
        self.assertLessEqual(on_disk, 32 * MEBIBYTE)

    def test_a_directory_that_cannot_be_used_is_told_and_costs_only_the_tier(self):
        self.start(disk="/proc/nowhere")
        for i in range(50):
            self.assertEqual(self.store.put(key(i), value(i)), OK, i)
        self.assertEqual(self.store.get(key(49)), value(49))
        self.node.expect_logged("/proc/nowhere", "objects stay in memory")


if __name__ == "__main__":
    unittest.main()
