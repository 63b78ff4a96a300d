"""The Python module mooncake.store against a real master, called as LMCache and vLLM call it."""

import ctypes
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import harness
import pool
from python_store import (INVALID, LEASED, MEBIBYTE, MISSING, NO_SPACE, OK,
                          MooncakeDistributedStore, PythonStoreCase, ReplicateConfig, address)

# Holds a buffer of the object until it is killed.
HOLDER = """
import sys
from mooncake.store import MooncakeDistributedStore
store = MooncakeDistributedStore()
assert store.setup("127.0.0.1", "P2PHANDSHAKE", 0, 1 << 20, "tcp", "", sys.argv[1]) == 0
buffer = store.get_buffer("held")
print("holding", len(buffer), flush=True)
sys.stdin.read()
"""


class PythonStoreTest(PythonStoreCase):
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
        self.assertEqual(self.store.register_buffer(address(target), len(target)), OK)
        self.assertEqual(self.store.put_from("key", address(source), len(source)), OK)
        self.assertEqual(self.store.get_into("key", address(target), len(target)), 10_000)
        self.assertEqual(source, target)
        self.assertEqual(self.store.get_into("key", address(target), 9_999), INVALID)
        self.assertEqual(self.store.get_into("missing", address(target), 10), MISSING)

        halves = [address(source), address(source) + 5_000]
        self.assertEqual(self.store.batch_put_from(["a", "b"], halves, [5_000, 5_000]), [OK, OK])
        target[:] = bytes(10_000)
        into = [address(target), address(target) + 5_000]
        self.assertEqual(self.store.batch_get_into(["a", "b"], into, [5_000, 5_000]),
                         [5_000, 5_000])
        self.assertEqual(source, target)

        self.assertEqual(
            self.store.batch_put_from_multi_buffers(["c"], [halves], [[5_000, 5_000]]), [OK])
        self.assertEqual(self.store.get("c"), source)
        target[:] = bytes(10_000)
        into = [address(target), address(target) + 2_000]
        self.assertEqual(
            self.store.batch_get_into_multi_buffers(["c"], [into], [[2_000, 8_000]]), [10_000])
        self.assertEqual(source, target)
        for buffer in (source, target):
            self.assertEqual(self.store.unregister_buffer(address(buffer)), OK)

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
            "global_segment_size": "1.5 MB", "local_buffer_size": MEBIBYTE, "protocol": "tcp",
            "device_name": "", "master_server_address": self.address}), OK)
        self.assertEqual(store.put("key", b"value"), OK)
        self.assertEqual(pool.metric(self.master, "master_total_capacity_bytes"),
                         64 * MEBIBYTE + 3 * MEBIBYTE // 2)

    def test_a_segment_is_served_at_the_port_of_its_name(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            name = f"127.0.0.1:{probe.getsockname()[1]}"
        store = MooncakeDistributedStore()
        self.addCleanup(store.close)
        for _ in range(2):  # again at once, with connections of the first to the port
            self.assertEqual(store.setup(name, self.metadata, MEBIBYTE, MEBIBYTE, "tcp", "",
                                         self.address), OK)
            self.assertEqual(store.get_hostname(), name)
            socket.create_connection(("127.0.0.1", int(name.split(":")[1]))).close()
            config = ReplicateConfig()
            config.preferred_segment = name
            self.assertEqual(self.store.put("there", b"value", config), OK)
            self.assertEqual(store.get("there"), b"value")
            store.close()

    def test_a_killed_holder_lets_go(self):
        owner = self.connect(segment=4 * MEBIBYTE)
        config = ReplicateConfig()
        config.preferred_segment = owner.get_hostname()
        value = os.urandom(3 * MEBIBYTE)
        self.assertEqual(owner.put("held", value, config), OK)
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, self.address], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(harness.BUILD / "python")})
        self.addCleanup(holder.stdout.close)
        self.addCleanup(holder.stdin.close)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        self.assertIn(b"holding", holder.stdout.readline())
        self.assertEqual(owner.remove("held", force=True), OK)
        self.store.close()  # the pool has no other segment
        # The master has the room, but who holds it has it still.
        keys = map(str, itertools.count())
        self.assertEqual(owner.put(next(keys), value), NO_SPACE)
        holder.send_signal(signal.SIGSTOP)
        self.assertEqual(owner.put(next(keys), value), NO_SPACE)
        holder.kill()
        harness.wait_until(lambda: owner.put(next(keys), value) == OK, 10,
                           "the room to be let go")

    def test_a_forked_child_is_told(self):
        self.assertEqual(self.store.put("key", b"value"), OK)
        buffer = self.store.get_buffer("key")

        def in_child(call):
            """Whether the call fails as it shall, in a forked child."""
            child = os.fork()
            if child:
                return os.waitpid(child, 0)[1] == 0
            try:
                call()
            except RuntimeError as error:
                os._exit(0 if "spawn" in str(error) else 2)
            os._exit(1)

        setup = ("127.0.0.1", "P2PHANDSHAKE", 0, MEBIBYTE, "tcp", "", self.address)
        self.assertTrue(in_child(lambda: MooncakeDistributedStore().setup(*setup)))
        calls = {
            "get": ["key"], "get_batch": [["key"]], "get_buffer": ["key"],
            "batch_get_buffer": [["key"]], "get_into": ["key", 4096, 8],
            "batch_get_into": [["key"], [4096], [8]],
            "batch_get_into_multi_buffers": [["key"], [[4096]], [[8]]],
            "put": ["other", b"value"], "put_parts": ["other", b"value"],
            "put_batch": [["other"], [b"value"]], "put_from": ["other", 4096, 8],
            "batch_put_from": [["other"], [4096], [8]],
            "batch_put_from_multi_buffers": [["other"], [[4096]], [[8]]],
            "is_exist": ["key"], "batch_is_exist": [["key"]], "get_size": ["key"],
            "remove": ["key"], "batch_remove": [["key"]], "remove_by_regex": ["key"],
            "remove_all": [], "register_buffer": [4096, 8], "unregister_buffer": [4096],
            "get_hostname": [], "health_check": [], "setup": setup}
        known = {name for name in dir(self.store) if not name.startswith("_")}
        self.assertEqual(known - set(calls), {"close"})
        for name, arguments in calls.items():
            with self.subTest(call=name):
                self.assertTrue(in_child(lambda: getattr(self.store, name)(*arguments)))
        child = os.fork()
        if child == 0:
            del buffer  # lets go of nothing that the parent holds
            self.store.close()
            os._exit(0)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(bytes(buffer), b"value")
        self.assertEqual(self.store.get("key"), b"value")

    def test_calls_release_the_interpreter(self):
        """While a call waits for a master that stands still, another thread runs and wakes the
        master. Else the call would fail at its deadline."""
        store, other = self.store, MooncakeDistributedStore()
        self.addCleanup(other.close)
        keys = list(map(str, range(8)))
        self.assertEqual(store.put_batch(keys, [b"value"] * len(keys)), OK)
        memory = bytearray(5)
        where = address(memory)
        self.assertEqual(store.register_buffer(where, 5), OK)
        # Each asks the master: of no key is it known where it is.
        calls = {
            "setup": (lambda: other.setup("127.0.0.1", "P2PHANDSHAKE", MEBIBYTE, MEBIBYTE, "tcp",
                                          "", self.address), OK),
            "close": (other.close, OK),
            "get": (lambda: store.get("0"), b"value"),
            "get_batch": (lambda: store.get_batch(["1"]), [b"value"]),
            "get_buffer": (lambda: len(store.get_buffer("2")), 5),
            "batch_get_buffer": (lambda: len(store.batch_get_buffer(["3"])[0]), 5),
            "get_into": (lambda: store.get_into("4", where, 5), 5),
            "batch_get_into": (lambda: store.batch_get_into(["5"], [where], [5]), [5]),
            "batch_get_into_multi_buffers": (
                lambda: store.batch_get_into_multi_buffers(["6"], [[where]], [[5]]), [5]),
            "get_size": (lambda: store.get_size("0"), 5),
            "is_exist": (lambda: store.is_exist("0"), 1),
            "batch_is_exist": (lambda: store.batch_is_exist(["0", "none"]), [1, 0]),
            "put": (lambda: store.put("a", b"value"), OK),
            "put_parts": (lambda: store.put_parts("b", b"val", b"ue"), OK),
            "put_batch": (lambda: store.put_batch(["c"], [b"value"]), OK),
            "put_from": (lambda: store.put_from("d", where, 5), OK),
            "batch_put_from": (lambda: store.batch_put_from(["e"], [where], [5]), [OK]),
            "batch_put_from_multi_buffers": (
                lambda: store.batch_put_from_multi_buffers(["f"], [[where]], [[5]]), [OK]),
            "remove": (lambda: store.remove("a"), OK),
            "batch_remove": (lambda: store.batch_remove(["b"]), [OK]),
            "remove_by_regex": (lambda: store.remove_by_regex("^[cd]$"), 2),
            "remove_all": (lambda: store.remove_all(True), len(keys) + 2),
        }
        waits_for_nobody = {"register_buffer", "unregister_buffer", "get_hostname", "health_check"}
        self.assertEqual({name for name in dir(store) if not name.startswith("_")},
                         set(calls) | waits_for_nobody)
        for name, (call, expected) in calls.items():
            with self.subTest(call=name):
                results, entered = [], threading.Event()
                waiting = threading.Thread(
                    target=lambda: (entered.set(), results.append(call())))
                self.master.signal(signal.SIGSTOP)
                try:
                    waiting.start()
                    self.assertTrue(entered.wait(10))
                    # Often enough for the call to begin. One that kept the interpreter would not
                    # give it back here before it has failed.
                    for _ in range(50):
                        time.sleep(0.001)
                    self.assertEqual(results, [], "it does not wait for the master")
                finally:
                    self.master.signal(signal.SIGCONT)
                waiting.join(timeout=30 * harness.PATIENCE)
                self.assertEqual(results, [expected])

    def test_pins_and_preferred_segments(self):
        other = self.connect(segment=16 * MEBIBYTE)
        config = {name: ReplicateConfig() for name in ("soft", "hard", "other")}
        config["soft"].with_soft_pin = config["hard"].with_hard_pin = True
        config["other"].preferred_segment = other.get_hostname()
        config["other"].with_hard_pin = True
        for name, how in config.items():
            self.assertEqual(self.store.put(name, bytes(MEBIBYTE), how), OK)
        for i in range(150):  # almost twice what there is
            self.assertEqual(self.store.put(f"cold/{i}", bytes(MEBIBYTE)), OK)
        self.assertEqual(self.store.batch_is_exist([*config, "cold/0"]), [1, 1, 1, 0])
        self.assertEqual(other.put("own", bytes(15 * MEBIBYTE + 1)), OK)  # elsewhere
        other.close()
        harness.wait_until(lambda: self.store.is_exist("other") == 0, 10,
                           "what the other segment had to go with it")

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

    def test_a_store_is_closed_while_threads_use_it(self):
        store = self.connect()
        put, ended = [0] * 4, threading.Event()

        def work(number):
            while not ended.is_set():
                key = f"{number}/{put[number]}"
                if store.put(key, bytes(200_000)) == OK:
                    put[number] += 1
                    store.remove(key, True)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            before = list(put)
            harness.wait_until(lambda: all(now > then for now, then in zip(put, before)), 20,
                               "every thread to put something")
            self.assertEqual(store.close(), OK)
            self.assertEqual(store.setup("127.0.0.1", self.metadata, 64 * MEBIBYTE, 64 * MEBIBYTE,
                                         "tcp", "", self.address), OK)
        ended.set()
        for thread in threads:
            thread.join(timeout=60)
        self.assertFalse(any(thread.is_alive() for thread in threads))


if __name__ == "__main__":
    unittest.main()
