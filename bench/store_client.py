"""The client that bench/compare_stores runs on both stores: only mooncake.store's documented calls.

`own` lends a segment and waits for the end of standard input. `measure` prints one JSON object: for
each way and object size the seconds of each pass, and the median times of single calls.
"""

import argparse
import ctypes
import json
import mmap
import os
import statistics
import sys
import time

from mooncake.store import MooncakeDistributedStore, ReplicateConfig

MEBIBYTE = 1 << 20


class Buffer:
    """Page-aligned memory for a batch of objects, touched so that no pass meets fresh pages."""

    def __init__(self, size, count):
        self.size, self.count = size, count
        self._memory = mmap.mmap(-1, size * count)
        self.bytes = (ctypes.c_char * (size * count)).from_buffer(self._memory)
        self.address = ctypes.addressof(self.bytes)
        for i in range(count):
            block = os.urandom(4096)
            ctypes.memmove(self.pointer(i), (block * (size // 4096 + 1))[:size], size)

    def pointer(self, i):
        return self.address + i * self.size

    def pointers(self):
        return [self.pointer(i) for i in range(self.count)]


def connect(options, segment):
    store = MooncakeDistributedStore()
    code = store.setup(options.hostname, options.metadata, segment, options.buffer, "tcp", "",
                       options.master)
    if code != 0:
        sys.exit(f"setup: {code}")
    return store


def check(results, expected):
    if any(result != expected for result in results):
        sys.exit(f"results {results}, expected {expected}")


def passes(options, action, prepare=lambda: None):
    """Seconds of each pass within the time allowed; the first, which touches fresh memory, is not
    counted."""
    seconds = []
    end = None
    while end is None or time.perf_counter() < end or len(seconds) < 3:
        prepare()
        start = time.perf_counter()
        action()
        if end is None:
            end = time.perf_counter() + options.seconds
            continue
        seconds.append(time.perf_counter() - start)
    return seconds


def measure_size(options, store, rows, size, batch):
    source, target = Buffer(size, batch), Buffer(size, batch)
    for buffer in (source, target):
        check([store.register_buffer(buffer.address, size * batch)], 0)
    sizes = [size] * batch

    def row(way, seconds):
        rows.append({"way": way, "size": size, "batch": batch, "seconds": seconds})

    def copy():
        for i in range(batch):
            ctypes.memmove(target.pointer(i), source.pointer(i), size)

    row("memcpy", passes(options, copy))
    segments = {"put, own segment": store.get_hostname()} if options.own_segment else {}
    segments["put, another's segment"] = options.segment
    for way, segment in segments.items():
        config = ReplicateConfig()
        config.preferred_segment = segment
        keys = [f"compare/{os.getpid()}/{size}/{i}" for i in range(batch)]

        def put():
            check(store.batch_put_from(keys, source.pointers(), sizes, config), 0)

        row(way, passes(options, put, lambda: store.batch_remove(keys, True)))

    # The last pass left its objects in the other process's segment.
    row("get", passes(options, lambda: check(
        store.batch_get_into(keys, target.pointers(), sizes), size)))
    if bytes(source.bytes) != bytes(target.bytes):
        sys.exit("what was got is not what was put")
    row("get_buffer, one", passes(options, lambda: store.get_buffer(keys[0])))
    row("exist, one", passes(options, lambda: check([store.is_exist(keys[0])], 1)))
    store.batch_remove(keys, True)
    for buffer in (source, target):
        store.unregister_buffer(buffer.address)


def own(options):
    store = connect(options, options.segment_size)
    print(json.dumps({"segment": store.get_hostname()}), flush=True)
    sys.stdin.read()
    store.close()


def measure(options):
    store = connect(options, options.segment_size if options.own_segment else 0)
    rows = []
    for spec in options.objects.split(","):
        size, batch = map(int, spec.split("x"))
        measure_size(options, store, rows, size, batch)
    print(json.dumps({"rows": [
        row | {"best": min(row["seconds"]), "median": statistics.median(row["seconds"]),
               "seconds": None} for row in rows]}), flush=True)
    store.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=["own", "measure"])
    parser.add_argument("--hostname", default="127.0.0.1")
    parser.add_argument("--metadata", default="P2PHANDSHAKE")
    parser.add_argument("--master", required=True)
    parser.add_argument("--segment", default="", help="of the process that owns")
    parser.add_argument("--segment-size", type=int, default=256 * MEBIBYTE)
    parser.add_argument("--buffer", type=int, default=256 * MEBIBYTE)
    parser.add_argument("--own-segment", action="store_true", help="also put into one's own")
    parser.add_argument("--objects", help="BYTESxBATCH,...")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each row")
    options = parser.parse_args()
    {"own": own, "measure": measure}[options.role](options)
    # Neither library's threads shall keep the process.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
