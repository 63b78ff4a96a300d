"""The Python module mooncake.store against a real master, called as LMCache and vLLM call it."""

import ctypes
import os
import sys
import tempfile
import threading
import unittest

import harness

# Before the library is loaded: its memory hooks and ThreadSanitizer do not agree.
os.environ.setdefault("UCX_MEM_EVENTS", "n")
sys.path.insert(0, str(harness.BUILD / "python"))
try:
    from mooncake.store import MooncakeDistributedStore, ReplicateConfig
except ImportError as error:
    raise unittest.SkipTest(f"mooncake.store is not built for this Python: {error}")

MEBIBYTE = 1 << 20
OK, NO_SPACE, INVALID, MISSING, LEASED, RPC_FAILED = 0, -200, -600, -704, -706, -900


def address(buffer):
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


class PythonStoreTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="tandem-test-")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.master = harness.Role(
            "master", ["master", "--rpc_port=0", "--metrics_port=0",
                       "--enable_http_metadata_server=true", "--http_metadata_server_port=0"],
            cls.directory.name, ready_flag="--ready_file").start()
        cls.addClassCleanup(cls.master.stop)
        cls.address = f"127.0.0.1:{cls.master.ports['rpc']}"
        cls.metadata = f"http://127.0.0.1:{cls.master.ports['metadata']}/metadata"

    def connect(self, segment=64 * MEBIBYTE):
        store = MooncakeDistributedStore()
        self.addCleanup(store.close)
        self.assertEqual(store.setup("127.0.0.1", self.metadata, segment, 64 * MEBIBYTE, "tcp", "",
                                     self.address), OK)
        return store

    def setUp(self):
        self.store = self.connect()
        self.addCleanup(self.store.remove_all, True)

    def test_put_and_get(self):
        value = os.urandom(100_000)
        self.assertEqual(self.store.put("key", value), OK)
        self.assertEqual(self.store.get("key"), value)
        self.assertEqual(self.store.get("missing"), b"")
        self.assertEqual(self.store.is_exist("key"), 1)
        self.assertEqual(self.store.is_exist("missing"), 0)
        self.assertEqual(self.store.batch_is_exist(["key", "missing"]), [1, 0])
        self.assertEqual(self.store.get_size("key"), 100_000)
        self.assertEqual(self.store.get_size("missing"), MISSING)
        self.assertEqual(self.store.health_check(), OK)
        self.assertRegex(self.store.get_hostname(), r"^127\.0\.0\.1:\d+$")
        self.assertEqual(self.store.put("key", b"another"), OK)  # written once: the first stays
        self.assertEqual(self.store.get("key"), value)

    def test_another_client_reads_and_writes(self):
        value = bytearray(os.urandom(3 * MEBIBYTE))
        self.assertEqual(self.store.put("from-owner", value), OK)
        visitor = self.connect(segment=0)
        self.assertEqual(visitor.get("from-owner"), value)
        self.assertEqual(visitor.put("from-visitor", memoryview(value)), OK)
        self.assertEqual(self.store.get("from-visitor"), value)

    def test_batches_and_parts(self):
        keys = [f"batch/{i}" for i in range(20)]
        values = [os.urandom(1 + 1000 * i) for i in range(20)]
        self.assertEqual(self.store.put_batch(keys, values), OK)
        self.assertEqual(self.store.get_batch([*keys, "missing"]), [*values, b""])
        self.assertEqual(self.store.put_parts("parts", b"a", bytearray(b"bc"), b"d"), OK)
        self.assertEqual(self.store.get("parts"), b"abcd")

    def test_buffers_stay_while_they_are_held(self):
        value = os.urandom(MEBIBYTE)
        self.assertEqual(self.store.put("key", value), OK)
        reader = self.connect(segment=0)
        self.assertIsNone(reader.get_buffer("missing"))
        buffer, missing = reader.batch_get_buffer(["key", "missing"])
        self.assertIsNone(missing)
        self.assertEqual(buffer.size(), MEBIBYTE)
        self.assertEqual(self.store.remove("key", force=True), OK)
        for i in range(63):  # none of them may take the room that is being read
            self.store.put(f"other/{i}", os.urandom(MEBIBYTE))
        self.assertEqual(bytes(buffer), value)
        self.assertEqual(ctypes.string_at(buffer.ptr(), buffer.size()), value)
        with self.assertRaises(TypeError):
            memoryview(buffer)[0] = 1

    def test_pointers(self):
        source, target = bytearray(os.urandom(10_000)), bytearray(10_000)
        self.assertEqual(self.store.register_buffer(address(source), len(source)), OK)
        self.assertEqual(self.store.put_from("key", address(source), len(source)), OK)
        self.assertEqual(self.store.get_into("key", address(target), len(target)), 10_000)
        self.assertEqual(source, target)
        self.assertEqual(self.store.get_into("key", address(target), 9_999), INVALID)
        self.assertEqual(self.store.get_into("missing", address(target), 10), MISSING)
        self.assertEqual(self.store.unregister_buffer(address(source)), OK)
        self.assertEqual(self.store.unregister_buffer(address(source)), INVALID)

        halves = [address(source), address(source) + 5_000]
        self.assertEqual(self.store.batch_put_from(["a", "b"], halves, [5_000, 5_000]), [OK, OK])
        target = bytearray(10_000)
        into = [address(target), address(target) + 5_000]
        self.assertEqual(self.store.batch_get_into(["a", "b"], into, [5_000, 5_000]),
                         [5_000, 5_000])
        self.assertEqual(source, target)

        self.assertEqual(
            self.store.batch_put_from_multi_buffers(["c"], [halves], [[5_000, 5_000]]), [OK])
        self.assertEqual(self.store.get("c"), source)
        target = bytearray(10_000)
        into = [address(target), address(target) + 2_000]
        self.assertEqual(
            self.store.batch_get_into_multi_buffers(["c"], [into], [[2_000, 8_000]]), [10_000])
        self.assertEqual(source, target)
        with self.assertRaises(ValueError):
            self.store.batch_put_from(["d"], halves, [1])

    def test_removal(self):
        for key in ("r/1", "r/2", "s/1"):
            self.assertEqual(self.store.put(key, b"value"), OK)
        self.assertEqual(self.store.get("s/1"), b"value")
        self.assertEqual(self.store.remove("s/1"), LEASED)
        self.assertEqual(self.store.remove("s/1", True), OK)
        self.assertEqual(self.store.remove("s/1"), MISSING)
        self.assertEqual(self.store.remove_by_regex("^r/", True), 2)
        self.assertEqual(self.store.put_batch(["t/1", "t/2", "t/3"], [b"1", b"2", b"3"]), OK)
        self.assertEqual(self.store.batch_remove(["t/1", "none"], True), [OK, MISSING])
        self.assertEqual(self.store.remove_all(True), 2)

    def test_replication(self):
        other = self.connect()
        config = ReplicateConfig()
        config.replica_num, config.with_soft_pin = 2, True
        value = os.urandom(MEBIBYTE)
        self.assertEqual(self.store.put("twice", value, config), OK)
        self.store.close()  # its replica goes with it
        self.assertEqual(other.get("twice"), value)
        self.assertEqual(other.remove("twice", True), OK)

    def test_a_full_pool_says_so(self):
        self.assertEqual(self.store.put("large", bytes(65 * MEBIBYTE)), NO_SPACE)

    def test_setup_takes_a_dictionary(self):
        store = MooncakeDistributedStore()
        self.addCleanup(store.close)
        self.assertEqual(store.setup({
            "local_hostname": "127.0.0.1", "metadata_server": "P2PHANDSHAKE",
            "global_segment_size": MEBIBYTE, "local_buffer_size": MEBIBYTE, "protocol": "tcp",
            "device_name": "", "master_server_address": self.address}), OK)
        self.assertEqual(store.put("key", b"value"), OK)

    def test_wrong_setups_and_calls_without_one_fail(self):
        store = MooncakeDistributedStore()
        self.assertEqual(store.setup("127.0.0.1", "P2PHANDSHAKE", MEBIBYTE, MEBIBYTE, "tcp", "",
                                     "127.0.0.1:1"), RPC_FAILED)
        self.assertEqual(store.setup("127.0.0.1", "P2PHANDSHAKE", MEBIBYTE, MEBIBYTE, "string", "",
                                     self.address), INVALID)
        self.assertEqual(store.put("key", b"value"), INVALID)
        self.assertEqual(store.get("key"), b"")
        self.assertEqual(store.is_exist("key"), -1)
        self.assertEqual(store.close(), OK)

    def test_threads_run_side_by_side(self):
        failures = []

        def work(number):
            for i in range(20):
                key, value = f"{number}/{i}", os.urandom(50_000)
                if self.store.put(key, value) != OK or self.store.get(key) != value:
                    failures.append(key)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        self.assertEqual(failures, [])


if __name__ == "__main__":
    unittest.main()
