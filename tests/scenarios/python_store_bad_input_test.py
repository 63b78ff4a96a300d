"""Bad input to mooncake.store: the documented code, a reason on standard error, nothing allocated."""

import os
import signal
import tempfile
import unittest

import harness
from python_store import (INVALID, LEASED, MEBIBYTE, MISSING, NO_SPACE, OK, RPC_FAILED,
                          MooncakeDistributedStore, PythonStoreCase, ReplicateConfig, address)

NOT_READY = -703


class PythonStoreBadInputTest(PythonStoreCase):
    def reason(self, call):
        """What the library says of a call on standard error, and the call's result."""
        with tempfile.TemporaryFile() as log:
            kept = os.dup(2)
            os.dup2(log.fileno(), 2)
            try:
                result = call()
            finally:
                os.dup2(kept, 2)
                os.close(kept)
            log.seek(0)
            return result, log.read().decode(errors="replace")

    def refuse(self, expected, words, call):
        result, reason = self.reason(call)
        self.assertEqual(result, expected, reason)
        for word in [words] if isinstance(words, str) else words:
            self.assertIn(word, reason)

    def setup_with(self, **changes):
        options = {"local_hostname": "127.0.0.1", "metadata_server": "P2PHANDSHAKE",
                   "global_segment_size": MEBIBYTE, "local_buffer_size": MEBIBYTE,
                   "protocol": "tcp", "rdma_devices": "", "master_server_addr": self.address}
        store = MooncakeDistributedStore()
        self.addCleanup(store.close)
        return store.setup(*(options | changes).values())

    def test_setup(self):
        for changes, code, words in (
                ({"local_hostname": ""}, INVALID, "local_hostname"),
                ({"local_hostname": "no such host"}, INVALID, "no such host"),
                ({"metadata_server": "nonsense"}, INVALID, "nonsense"),
                ({"metadata_server": "http://127.0.0.1:1/metadata"}, RPC_FAILED, "127.0.0.1:1"),
                ({"local_hostname": "127.0.0.1:99999"}, INVALID, "99999"),
                ({"protocol": "string"}, INVALID, "string"),
                ({"protocol": "rdma", "rdma_devices": "no_device"}, INVALID, "no_device"),
                ({"master_server_addr": "nonsense"}, INVALID, "nonsense"),
                ({"master_server_addr": "127.0.0.1:99999"}, INVALID, "99999"),
                ({"master_server_addr": "http://127.0.0.1:1"}, INVALID, "with commas"),
                ({"master_server_addr": "etcd://127.0.0.1"}, INVALID, "etcd://HOST:PORT"),
                ({"master_server_addr": "etcd://127.0.0.1:1"}, RPC_FAILED, "etcd at http"),
                ({"master_server_addr": "127.0.0.1:1"}, RPC_FAILED, "127.0.0.1:1")):
            with self.subTest(**changes):
                self.refuse(code, words, lambda: self.setup_with(**changes))
        for name in ("global_segment_size", "local_buffer_size"):
            with self.subTest(name), self.assertRaises(TypeError):
                self.setup_with(**{name: -1})
        store = MooncakeDistributedStore()
        self.refuse(INVALID, "local_hostname", lambda: store.setup({"metadata_server": "x"}))
        self.refuse(INVALID, "call_timeout", lambda: store.setup({
            "local_hostname": "127.0.0.1", "metadata_server": "P2PHANDSHAKE",
            "master_server_addr": self.address, "call_timeout": 0}))
        self.refuse(OK, "tenant_id", lambda: store.setup({
            "local_hostname": "127.0.0.1", "metadata_server": "P2PHANDSHAKE", "tenant_id": "me",
            "master_server_addr": self.address}))
        self.refuse(OK, "local_hostnam is not known", lambda: store.setup({
            "local_hostname": "127.0.0.1", "metadata_server": "P2PHANDSHAKE", "local_hostnam": "",
            "master_server_addr": self.address}))
        for name, value, accepted in (("global_segment_size", "64MX", "a number of bytes"),
                                      ("local_buffer_size", -1, "a number of bytes"),
                                      ("verify_local_reads", "yes", "True or False"),
                                      ("call_timeout", "soon", "a number of seconds"),
                                      ("protocol", 1, "a str")):
            with self.subTest(name):
                self.refuse(INVALID, f"{name} is {value!r}; accepted: {accepted}",
                            lambda: store.setup({
                                "local_hostname": "127.0.0.1", "metadata_server": "P2PHANDSHAKE",
                                "master_server_addr": self.address, name: value}))
        store.close()

    def test_a_port_that_is_taken(self):
        taken = self.store.get_hostname()
        self.refuse(RPC_FAILED, [taken, "in use"],
                    lambda: self.setup_with(local_hostname=taken))

    def test_without_local_buffers(self):
        store = self.connect(segment=0, buffers=0)
        self.assertEqual(store.put("key", b"value"), OK)
        self.assertEqual(store.get("key"), b"value")

    def test_keys_that_are_no_utf8(self):
        self.assertEqual(self.store.put("right", b"value"), OK)
        wrong = b"wrong \xff"
        self.refuse(INVALID, "put failed for 1 of 2", lambda: self.store.put_batch(
            [wrong, "other"], [b"value", b"value"]))
        self.assertEqual(self.store.batch_is_exist([wrong, "right", "other"]), [0, 1, 1])
        self.assertEqual(self.store.get_batch([wrong, "right"]), [b"", b"value"])
        self.assertEqual(self.store.get_size(wrong), MISSING)
        self.assertEqual(self.store.batch_remove([wrong, "other"], True), [MISSING, OK])
        with self.assertRaises((UnicodeEncodeError, TypeError)):
            self.store.get("\ud800")

    def test_without_a_setup(self):
        closed = self.connect()
        closed.close()
        buffer = bytearray(10)
        pointer = address(buffer)
        for store in (MooncakeDistributedStore(), closed):
            self.refuse(INVALID, "not set up", lambda: store.put("key", b"value"))
            self.refuse(INVALID, "not set up", lambda: store.put_parts("key", b"value"))
            self.refuse(INVALID, "not set up", lambda: store.put_batch(["key"], [b"value"]))
            self.refuse(b"", "not set up", lambda: store.get("key"))
            self.refuse([b"", b""], "not set up", lambda: store.get_batch(["a", "b"]))
            self.refuse(None, "not set up", lambda: store.get_buffer("key"))
            self.refuse([None], "not set up", lambda: store.batch_get_buffer(["key"]))
            self.refuse(-1, "not set up", lambda: store.is_exist("key"))
            self.refuse([-1, -1], "not set up", lambda: store.batch_is_exist(["a", "b"]))
            self.refuse(INVALID, "not set up", lambda: store.get_size("key"))
            self.refuse(INVALID, "not set up", lambda: store.remove("key"))
            self.refuse([INVALID], "not set up", lambda: store.batch_remove(["key"]))
            self.refuse(INVALID, "not set up", lambda: store.remove_by_regex("key"))
            self.refuse(INVALID, "not set up", lambda: store.remove_all())
            self.refuse(INVALID, "not set up", lambda: store.register_buffer(pointer, 10))
            self.assertEqual(store.unregister_buffer(pointer), INVALID)
            self.refuse(INVALID, "not set up", lambda: store.put_from("key", pointer, 10))
            self.refuse(INVALID, "not set up", lambda: store.get_into("key", pointer, 10))
            self.assertEqual(store.health_check(), 1)
            self.assertEqual(store.get_hostname(), "")
            self.assertEqual(store.close(), OK)

    def test_sizes(self):
        self.refuse(INVALID, "invalid parameters", lambda: self.store.put("key", b""))
        self.refuse(INVALID, "invalid parameters", lambda: self.store.put_parts("key"))
        self.refuse(NO_SPACE, "no space", lambda: self.store.put("key", bytes(65 * MEBIBYTE)))
        self.refuse(NO_SPACE, ["1 of 2", "'large'"], lambda: self.store.put_batch(
            ["small", "large"], [b"value", bytes(65 * MEBIBYTE)]))
        self.assertEqual(self.store.batch_is_exist(["small", "large"]), [1, 0])
        buffer = bytearray(1000)
        pointer = address(buffer)
        self.assertEqual(self.store.register_buffer(pointer, 1000), OK)
        self.refuse(INVALID, "invalid parameters", lambda: self.store.put_from("key", pointer, 0))
        self.refuse(INVALID, "invalid parameters",
                    lambda: self.store.get_into("small", pointer, 4))
        self.refuse(INVALID, "invalid parameters",
                    lambda: self.store.get_into("small", pointer, 0))
        self.assertEqual(self.store.get_into("missing", pointer, 0), MISSING)
        for call in (lambda: self.store.put_from("key", pointer, -1),
                     lambda: self.store.get_into("small", pointer, -1),
                     lambda: self.store.register_buffer(pointer, -1),
                     lambda: self.store.batch_put_from(["key"], [pointer], [-1])):
            with self.assertRaises(TypeError):
                call()
        self.assertEqual(self.store.unregister_buffer(pointer), OK)

    def test_keys(self):
        self.refuse(INVALID, "invalid parameters", lambda: self.store.put("", b"value"))
        self.assertEqual(self.store.put("k" * 1024, b"value"), OK)
        self.assertEqual(self.store.get("k" * 1024), b"value")
        self.refuse(INVALID, "invalid parameters",
                    lambda: self.store.put("k" * 1025, b"value"))
        self.refuse(INVALID, "[", lambda: self.store.remove_by_regex("["))
        self.refuse(INVALID, "invalid parameters",
                    lambda: self.store.put_batch(["k" * 1025], [b"value"]))
        self.assertEqual(self.store.get("k" * 1025), b"")
        for key in ("", "k" * 1025):
            self.assertEqual(self.store.is_exist(key), 0)
            self.assertEqual(self.store.get_size(key), MISSING)
            self.assertEqual(self.store.remove(key), MISSING)
        self.assertEqual(self.store.get_size("no such key"), MISSING)

    def test_buffers_with_gaps(self):
        """What does not lie in one piece is refused, never read as if it did."""
        view = memoryview(bytes(range(64)))
        for gaps in (view[::2], view[::-1]):
            for call in (lambda: self.store.put("gaps", gaps),
                         lambda: self.store.put_parts("gaps", b"whole", gaps),
                         lambda: self.store.put_batch(["gaps"], [gaps])):
                with self.assertRaises(BufferError):
                    call()
        self.assertEqual(self.store.is_exist("gaps"), 0)
        self.assertEqual(self.store.put("piece", view[16:48]), OK)
        self.assertEqual(self.store.get("piece"), bytes(range(16, 48)))

    def test_duplicate_keys(self):
        # An object that is there is as good as written, and stays what it is.
        self.assertEqual(self.store.put("key", b"first"), OK)
        self.assertEqual(self.store.put("key", b"second"), OK)
        self.assertEqual(self.store.put_batch(["key", "other"], [b"second", b"value"]), OK)
        self.assertEqual(self.store.get_batch(["key", "other"]), [b"first", b"value"])
        # Within a call the second one meets the first while that is being written.
        self.refuse(NOT_READY, ["1 of 2", "being written"], lambda: self.store.put_batch(
            ["twice", "twice"], [b"one", b"two"]))
        self.assertEqual(self.store.get("twice"), b"one")

    def test_registered_memory(self):
        buffer = bytearray(1000)
        pointer = address(buffer)
        for call in (lambda: self.store.register_buffer(0, 100),
                     lambda: self.store.register_buffer(pointer, 0),
                     lambda: self.store.register_buffer(2**64 - 10, 100)):
            self.refuse(INVALID, "register_buffer", call)
        self.refuse(INVALID, "unregister_buffer", lambda: self.store.unregister_buffer(pointer))
        self.assertEqual(self.store.put("key", bytes(100)), OK)
        far = pointer + 990
        for put, get in ((lambda: self.store.put_from("p", pointer, 100),
                          lambda: self.store.get_into("key", pointer, 100)),
                         (lambda: self.store.batch_put_from(["p"], [pointer], [100])[0],
                          lambda: self.store.batch_get_into(["key"], [pointer], [100])[0]),
                         (lambda: self.store.batch_put_from_multi_buffers(
                             ["p"], [[pointer]], [[100]])[0],
                          lambda: self.store.batch_get_into_multi_buffers(
                             ["key"], [[pointer]], [[100]])[0])):
            self.refuse(INVALID, hex(pointer), put)
            self.refuse(INVALID, hex(pointer), get)
        self.assertEqual(self.store.register_buffer(pointer, 1000), OK)
        self.refuse(INVALID, "overlap", lambda: self.store.register_buffer(pointer, 1000))
        self.refuse(INVALID, "overlap", lambda: self.store.register_buffer(pointer + 999, 1000))
        self.refuse(INVALID, hex(far), lambda: self.store.put_from("p", far, 11))
        self.refuse(INVALID, hex(far), lambda: self.store.get_into("key", far, 11))
        self.assertEqual(self.store.is_exist("p"), 0)
        self.assertEqual(self.store.unregister_buffer(pointer), OK)

    def test_shapes(self):
        buffer = bytearray(1000)
        pointer = address(buffer)
        self.assertEqual(self.store.register_buffer(pointer, 1000), OK)
        two = [INVALID, INVALID]
        self.refuse(INVALID, "2 keys", lambda: self.store.put_batch(["a", "b"], [b"value"]))
        self.refuse(two, "2 keys", lambda: self.store.batch_put_from(["a", "b"], [pointer], [10]))
        self.refuse(two, "2 keys", lambda: self.store.batch_put_from(
            ["a", "b"], [pointer, pointer], [10]))
        self.refuse(two, "2 keys", lambda: self.store.batch_get_into(["a", "b"], [pointer], [10]))
        self.refuse([INVALID], "1 keys", lambda: self.store.batch_put_from_multi_buffers(
            ["a"], [[pointer, pointer]], [[10]]))
        self.refuse([INVALID], "1 keys", lambda: self.store.batch_get_into_multi_buffers(
            ["a"], [[pointer]], [[10, 10]]))
        for call in (lambda: self.store.put("key", None), lambda: self.store.put("key", "text"),
                     lambda: self.store.put(1, b"value"), lambda: self.store.get()):
            with self.assertRaises(TypeError):
                call()
        self.assertEqual(self.store.unregister_buffer(pointer), OK)

    def test_replication(self):
        config = ReplicateConfig()
        config.replica_num = 0
        self.refuse(INVALID, "invalid parameters", lambda: self.store.put("key", b"value", config))
        config.replica_num = -1
        self.refuse(INVALID, "invalid parameters", lambda: self.store.put("key", b"value", config))
        config = ReplicateConfig()
        config.preferred_segment = "no.such.segment:1"
        self.assertEqual(self.store.put("elsewhere", b"value", config), OK)
        config.replica_num = 7  # best effort
        self.assertEqual(self.store.put("often", b"value", config), OK)

    def test_removal(self):
        self.assertEqual(self.store.put("key", b"value"), OK)
        self.assertEqual(self.store.get("key"), b"value")
        self.refuse(LEASED, "lease", lambda: self.store.remove("key"))
        self.assertEqual(self.store.remove("key", True), OK)
        self.assertEqual(self.store.remove("key", True), MISSING)

    def test_a_master_that_is_gone(self):
        store = MooncakeDistributedStore()
        self.addCleanup(store.close)
        self.assertEqual(store.setup({
            "local_hostname": "127.0.0.1", "metadata_server": "P2PHANDSHAKE",
            "global_segment_size": 0, "master_server_addr": self.address, "call_timeout": 1}), OK)
        self.master.signal(signal.SIGSTOP)
        try:
            for call in (lambda: store.put("key", b"value"), lambda: store.get_size("key"),
                         lambda: store.remove("key"), store.remove_all):
                self.refuse(RPC_FAILED, "master", call)
            self.refuse(b"", "(-900)", lambda: store.get("key"))
            self.assertEqual(store.is_exist("key"), -1)
            harness.wait_until(lambda: self.store.health_check() == 2, 20, "the loss to be noticed")
        finally:
            self.master.signal(signal.SIGCONT)
        harness.wait_until(lambda: self.store.health_check() == OK, 20, "the master's return")


if __name__ == "__main__":
    unittest.main()
