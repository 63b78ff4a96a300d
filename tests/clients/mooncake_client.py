"""A program of somebody who knows Mooncake Store's documented Python API, and nothing of us.

It runs unchanged on Mooncake's own package and on ours:

    python mooncake_client.py --master HOST:PORT --metadata http://HOST:PORT/metadata|P2PHANDSHAKE

and ends with 0 once every call has answered as documented.
"""

import argparse
import ctypes
import os
import random
import subprocess
import sys
import threading

from mooncake.store import MooncakeDistributedStore, ReplicateConfig

MEBIBYTE = 1 << 20
OK, INVALID, MISSING, LEASED = 0, -600, -704, -706


def expect(actual, expected, what):
    if actual != expected:
        sys.exit(f"{what}: {actual!r:.200}, expected {expected!r:.200}")


def connect(options, segment=256 * MEBIBYTE):
    store = MooncakeDistributedStore()
    expect(store.setup("127.0.0.1", options.metadata, segment, 128 * MEBIBYTE, "tcp", "",
                       options.master), OK, "setup")
    return store


def bytes_of(size, seed):
    return random.Random(seed).randbytes(size)


class Memory:
    """Registered memory, as a tensor's would be."""

    def __init__(self, store, size):
        self._store = store
        self._bytes = ctypes.create_string_buffer(size)
        self.address = ctypes.addressof(self._bytes)
        expect(store.register_buffer(self.address, size), OK, "register_buffer")

    def write(self, offset, value):
        ctypes.memmove(self.address + offset, value, len(value))

    def read(self, offset, size):
        return ctypes.string_at(self.address + offset, size)

    def free(self):
        expect(self._store.unregister_buffer(self.address), OK, "unregister_buffer")


def objects(store, prefix):
    value = bytes_of(100_000, prefix)
    expect(store.put(f"{prefix}/a", value), OK, "put")
    expect(store.get(f"{prefix}/a"), value, "get")
    expect(store.put(f"{prefix}/a", b"another value"), OK, "put of a key that exists")
    expect(store.get(f"{prefix}/a"), value, "the first value stays")
    expect(store.get(f"{prefix}/none"), b"", "get of nothing")
    expect(store.is_exist(f"{prefix}/a"), 1, "is_exist")
    expect(store.is_exist(f"{prefix}/none"), 0, "is_exist of nothing")
    expect(store.batch_is_exist([f"{prefix}/a", f"{prefix}/none"]), [1, 0], "batch_is_exist")
    expect(store.get_size(f"{prefix}/a"), 100_000, "get_size")
    expect(store.get_size(f"{prefix}/none"), MISSING, "get_size of nothing")
    expect(store.put(f"{prefix}/empty", b""), INVALID, "put of no bytes")
    expect(store.put("", b"x"), INVALID, "put without a key")
    expect(store.put("schlüssel/" + prefix, b"x"), OK, "put with a key in UTF-8")
    expect(store.get("schlüssel/" + prefix), b"x", "get with a key in UTF-8")
    for kind in (bytearray, memoryview):
        expect(store.put(f"{prefix}/{kind.__name__}", kind(value)), OK, kind.__name__)
        expect(store.get(f"{prefix}/{kind.__name__}"), value, kind.__name__)


def batches(store, prefix):
    keys = [f"{prefix}/{i}" for i in range(10)]
    values = [bytes_of(1000 + i, i) for i in range(10)]
    expect(store.put_batch(keys, values), OK, "put_batch")
    expect(store.get_batch([*keys, f"{prefix}/none"]), [*values, b""], "get_batch")
    expect(store.put_batch(keys, values[:3]), INVALID, "put_batch with too few values")
    expect(store.put_parts(f"{prefix}/parts", b"head", bytearray(b"body"), memoryview(b"tail")),
           OK, "put_parts")
    expect(store.get(f"{prefix}/parts"), b"headbodytail", "get of parts")
    buffer = store.get_buffer(keys[3])
    expect(buffer.size(), len(values[3]), "size of a buffer")
    expect(len(buffer), len(values[3]), "len of a buffer")
    expect(bytes(memoryview(buffer)), values[3], "bytes of a buffer")
    expect(ctypes.string_at(buffer.ptr(), buffer.size()), values[3], "pointer of a buffer")
    expect(store.get_buffer(f"{prefix}/none"), None, "get_buffer of nothing")
    some = store.batch_get_buffer([keys[0], f"{prefix}/none"])
    expect([None if one is None else bytes(memoryview(one)) for one in some], [values[0], None],
           "batch_get_buffer")


def pointers(store, prefix):
    size = MEBIBYTE
    memory = Memory(store, 4 * size)
    value = bytes_of(2 * size, prefix)
    memory.write(0, value)
    expect(store.register_buffer(memory.address, size), INVALID, "register_buffer twice")
    expect(store.unregister_buffer(memory.address + 8), INVALID, "unregister_buffer of nothing")
    expect(store.put_from(f"{prefix}/one", memory.address, size), OK, "put_from")
    expect(store.get_into(f"{prefix}/one", memory.address + 2 * size, size), size, "get_into")
    expect(memory.read(2 * size, size), value[:size], "what get_into read")
    expect(store.get_into(f"{prefix}/one", memory.address + 2 * size, size - 1), INVALID,
           "get_into of too little memory")
    expect(store.get_into(f"{prefix}/none", memory.address + 2 * size, size), MISSING,
           "get_into of nothing")
    keys = [f"{prefix}/batch/{i}" for i in range(2)]
    halves = [memory.address, memory.address + size]
    targets = [memory.address + 2 * size, memory.address + 3 * size]
    expect(store.batch_put_from(keys, halves, [size, size]), [OK, OK], "batch_put_from")
    memory.write(2 * size, bytes(2 * size))
    expect(store.batch_get_into([keys[0], f"{prefix}/none"], targets, [size, size]),
           [size, MISSING], "batch_get_into with a missing key")
    expect(store.batch_get_into(keys, targets, [size, size]), [size, size], "batch_get_into")
    expect(memory.read(2 * size, 2 * size), value, "what batch_get_into read")
    expect(store.batch_put_from(["a", "b"], halves[:1], [size]), [INVALID, INVALID],
           "batch_put_from of too few buffers")
    expect(store.batch_get_into(["a", "b"], halves[:1], [size]), [INVALID, INVALID],
           "batch_get_into of too few buffers")
    expect(store.batch_put_from_multi_buffers([f"{prefix}/multi"], [halves], [[size, 1000]]), [OK],
           "batch_put_from_multi_buffers")
    memory.write(2 * size, bytes(2 * size))
    expect(store.batch_get_into_multi_buffers([f"{prefix}/multi"], [targets], [[size, 1000]]),
           [size + 1000], "batch_get_into_multi_buffers")
    expect(memory.read(2 * size, size + 1000), value[:size + 1000], "what it read")
    memory.free()


def removal(store, prefix):
    keys = [f"{prefix}/{i}" for i in range(5)]
    expect(store.put_batch(keys, [b"value"] * 5), OK, "put_batch")
    expect(store.get(keys[0]), b"value", "get")
    expect(store.remove(keys[0]), LEASED, "remove of what has just been read")
    expect(store.remove(keys[0], True), OK, "forced remove")
    expect(store.remove(keys[0]), MISSING, "remove of nothing")
    expect(store.batch_remove([keys[1], keys[0]], True), [OK, MISSING], "batch_remove")
    expect(store.remove_by_regex(f"^{prefix}/[23]$", force=True), 2, "remove_by_regex")
    expect(store.remove_by_regex("["), INVALID, "remove_by_regex of no expression")
    expect(store.batch_is_exist(keys), [0, 0, 0, 0, 1], "what is left")


def replication(store, prefix):
    config = ReplicateConfig()
    expect((config.replica_num, config.with_hard_pin, config.preferred_segment), (1, False, ""),
           "defaults of ReplicateConfig")
    config.replica_num = 2  # as far as there are segments
    config.with_hard_pin = True
    config.preferred_segment = store.get_hostname()
    expect(store.put(f"{prefix}/pinned", b"value", config), OK, "put with a config")
    expect(store.put(f"{prefix}/named", b"value", config=config), OK, "put with a named config")
    expect(store.put_parts(f"{prefix}/parts", b"value", config=config), OK, "put_parts with one")
    expect(store.get(f"{prefix}/pinned"), b"value", "get of what is pinned")
    config.replica_num = 0
    expect(store.put(f"{prefix}/zero", b"value", config), INVALID, "put of no replica")


def threads(store, prefix):
    failures = []

    def work(number):
        for i in range(20):
            key, value = f"{prefix}/{number}/{i}", bytes_of(50_000, number * 100 + i)
            if store.put(key, value) != OK or store.get(key) != value:
                failures.append(key)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    expect(failures, [], "puts and gets by several threads")


def another_process(options, prefix):
    """Reads what this process has put, and puts what it reads."""
    result = subprocess.run([sys.executable, __file__, f"--master={options.master}",
                             f"--metadata={options.metadata}", f"--visit={prefix}"])
    expect(result.returncode, 0, "another process")


def visit(options):
    store = connect(options, segment=0)
    value = bytes_of(3 * MEBIBYTE, "shared")
    expect(store.get(f"{options.visit}/to-visitor"), value, "get in another process")
    expect(store.put(f"{options.visit}/from-visitor", value), OK, "put in another process")
    leave(store)


def leave(store):
    expect(store.close(), OK, "close")
    print("ok", flush=True)
    os._exit(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--master", required=True)
    parser.add_argument("--metadata", required=True)
    parser.add_argument("--visit", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.visit:
        visit(options)
    expect(MooncakeDistributedStore().health_check(), 1, "health_check before setup")
    store = connect(options)
    expect(store.health_check(), 0, "health_check")
    name = f"program-{os.getpid()}"
    for part in (objects, batches, pointers, removal, replication, threads):
        part(store, f"{name}/{part.__name__}")
    expect(store.put(f"{name}/to-visitor", bytes_of(3 * MEBIBYTE, "shared")), OK, "put")
    another_process(options, name)
    expect(store.get(f"{name}/from-visitor"), bytes_of(3 * MEBIBYTE, "shared"),
           "get of what another process put")
    if store.remove_all(force=True) <= 0:
        sys.exit("remove_all removed nothing")
    leave(store)


if __name__ == "__main__":
    main()
