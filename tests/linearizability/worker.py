"""A client process: calls the store as its seed says, and writes down each call and how it ended.

Started with one JSON object on its command line. Each call is a line in the history before it is made
and another one after it has returned, so that a process that is killed leaves what it was at.
"""

import ctypes
import json
import os
import random
import re
import sys
import threading
import time

from linearizability import plan, values
from mooncake.store import MooncakeDistributedStore, ReplicateConfig

START_SECONDS = 20
BUFFER_BYTES = 12 * plan.MEBIBYTE  # for three of the largest
SIZES = {"roomy": [(8, 100), (1000, 64_000), (100_000, 1_500_000)],
         "full": [(1000, 64_000), (500_000, 3_000_000)],
         "evicting": [(1000, 64_000), (500_000, 3_000_000)]}


class Stalls(threading.Thread):
    """Sums up for how long this process was not run at all."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seconds = 0.0

    def run(self):
        while True:
            before = time.monotonic()
            time.sleep(0.02)
            late = time.monotonic() - before - 0.02
            if late > 0.1:
                self.seconds += late


class Worker:
    def __init__(self, options):
        self.options = options
        self.name = options["name"]
        self.rng = random.Random(options["seed"])
        self.keys = options["keys"]
        self.history = open(options["history"], "w", buffering=1)
        self.stalls = Stalls()
        self.stalls.start()
        self.calls = 0
        self.next_number = options["first_number"]
        self.held = []  # (key, number, handle)
        self.buffer = bytearray(BUFFER_BYTES)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.buffer))
        self.store = MooncakeDistributedStore()
        code = self.store.setup({
            "local_hostname": options["hostname"], "metadata_server": "P2PHANDSHAKE",
            "global_segment_size": options["segment"], "local_buffer_size": 16 * plan.MEBIBYTE,
            "master_server_addr": options["master"], "call_timeout": plan.CALL_TIMEOUT})
        if code != 0:
            sys.exit(f"setup: {code}")
        give_up = time.monotonic() + START_SECONDS
        # A master that has just begun to serve waits for owners first.
        while self.store.is_exist("nothing") != 0:
            if time.monotonic() > give_up:
                sys.exit("the store does not answer")
        self.own_segment = self.store.get_hostname() if options["segment"] else ""
        self.store.register_buffer(self.address, BUFFER_BYTES)

    def call(self, kind, keys, function, to_results, **details):
        """Makes a call between its two lines of the history."""
        line = {"call": self.calls, "by": self.name, "kind": kind, "keys": keys} | details
        self.calls += 1
        stalled = self.stalls.seconds
        line["start"] = time.monotonic_ns()
        self.history.write(json.dumps(line) + "\n")
        answer = function()
        end = time.monotonic_ns()
        results = to_results(answer)
        if end - line["start"] > plan.CALL_TIMEOUT * 1e9:
            time.sleep(0.1)  # A stall that has just ended is summed up a moment later.
        self.history.write(json.dumps({"call": line["call"], "by": self.name, "end": end,
                                       "results": results,
                                       "stalled": self.stalls.seconds - stalled}) + "\n")
        return answer

    def some_keys(self):
        return self.rng.sample(self.keys, self.rng.choice([1, 1, 2, 3]))

    # Puts.

    def put(self):
        keys = self.some_keys()
        config = ReplicateConfig()
        config.replica_num = self.rng.choice([1, 1, 1, 2])
        config.with_hard_pin = (self.options["pool"] != "evicting" and
                                self.options["disk"] == "no disk")
        preferred = self.rng.choice(["", *self.options["segments"]])
        config.preferred_segment = preferred
        details = {"numbers": [], "sizes": [], "replicas": config.replica_num,
                   "home": preferred or self.own_segment}
        contents = []
        for _ in keys:
            number, self.next_number = self.next_number, self.next_number + 1
            size = self.rng.randrange(*self.rng.choice(SIZES[self.options["pool"]]))
            details["numbers"].append(number)
            details["sizes"].append(size)
            contents.append(values.make(number, size))
        way = self.rng.choice(["put", "parts", "batch", "from", "from"])
        one = len(keys) == 1
        if one and way == "put":
            self.call("put", keys, lambda: self.store.put(keys[0], contents[0], config),
                      lambda code: [code], **details)
        elif one and way == "parts":
            middle = self.rng.randrange(1, len(contents[0]))
            parts = contents[0][:middle], contents[0][middle:]
            self.call("put", keys, lambda: self.store.put_parts(keys[0], *parts, config=config),
                      lambda code: [code], **details)
        elif way == "batch" or sum(map(len, contents)) > BUFFER_BYTES:
            # Tells only the first failure: of which object, nobody knows.
            self.call("put", keys, lambda: self.store.put_batch(keys, contents, config),
                      lambda code: [code if code == 0 or one else None] * len(keys), **details)
        else:
            addresses = self.fill(contents)
            self.call("put", keys, lambda: self.store.batch_put_from(
                keys, addresses, details["sizes"], config), list, **details)

    def fill(self, contents):
        addresses, at = [], 0
        for content in contents:
            self.buffer[at:at + len(content)] = content
            addresses.append(self.address + at)
            at += len(content)
        return addresses

    # Reads.

    @staticmethod
    def seen(bytes_or_none):
        """A value's number, or None where nothing came; a reason is not given."""
        if bytes_or_none is None or len(bytes_or_none) == 0:
            return None
        number = values.number_of(bytes(bytes_or_none))
        return values.WRONG if number is None else number

    def get(self):
        keys = self.some_keys()
        if len(keys) == 1:
            self.call("get", keys, lambda: self.store.get(keys[0]), lambda v: [self.seen(v)])
        else:
            self.call("get", keys, lambda: self.store.get_batch(keys),
                      lambda found: [self.seen(value) for value in found])

    def get_into(self):
        keys = self.some_keys()
        room = BUFFER_BYTES // len(keys)
        addresses = [self.address + i * room for i in range(len(keys))]

        def results(sizes):
            """Of each a number, or how it failed."""
            out = []
            for i, size in enumerate(sizes):
                value = bytes(self.buffer[i * room:i * room + max(0, size)])
                out.append({"code": size} if size < 0 else self.seen(value))
            return out
        sizes = self.call("get into", keys, lambda: self.store.batch_get_into(
            keys, addresses, [room] * len(keys)), results)
        failed = [i for i, size in enumerate(sizes) if size < 0]
        if failed and self.rng.random() < 0.3:
            # Nothing is written to a buffer once its read has failed.
            i = failed[0]
            part = memoryview(self.buffer)[i * room:(i + 1) * room]
            before = bytes(part)
            time.sleep(0.05)
            if before != part:
                self.note("a buffer changed after its read had failed", keys[i])

    def hold(self):
        keys = self.some_keys()
        handles = self.call("get", keys, lambda: self.store.batch_get_buffer(keys),
                            lambda found: [self.seen(handle) for handle in found], held=True)
        for key, handle in zip(keys, handles):
            if handle is not None:
                self.held.append((key, self.seen(handle), handle))
        while len(self.held) > 3:
            self.let_go()

    def let_go(self):
        if self.held:
            key, number, handle = self.held.pop(self.rng.randrange(len(self.held)))
            if self.seen(handle) != number:
                self.note(f"a buffer that is held changed: it was of {number}", key)

    def note(self, what, key):
        self.history.write(json.dumps({"by": self.name, "violation": what, "keys": [key],
                                       "start": time.monotonic_ns()}) + "\n")

    def exist(self):
        keys = self.some_keys()
        self.call("exist", keys, lambda: self.store.batch_is_exist(keys), list)

    def get_size(self):
        key = self.rng.choice(self.keys)
        self.call("size", [key], lambda: self.store.get_size(key), lambda size: [size])

    # Removals.

    def remove(self):
        keys = self.some_keys()
        force = self.rng.random() < 0.6
        if len(keys) == 1:
            self.call("remove", keys, lambda: self.store.remove(keys[0], force), lambda c: [c])
        else:
            self.call("remove", keys, lambda: self.store.batch_remove(keys, force), list)

    def clear(self):
        digits = self.rng.sample("01234567", 3)
        pattern = f"^key/[{''.join(digits)}]$"
        keys = [key for key in self.keys if re.match(pattern, key)]
        self.call("clear", keys, lambda: self.store.remove_by_regex(pattern, True),
                  lambda count: [min(count, 0)] * len(keys))

    def run(self):
        steps = [self.put] * 8 + [self.get] * 3 + [self.get_into] * 4 + [self.hold] * 2 + [
            self.let_go, self.exist, self.exist, self.get_size, self.remove, self.remove,
            self.remove]
        while time.monotonic() < self.options["stop_at"]:
            (self.clear if self.rng.random() < 0.02 else self.rng.choice(steps))()
            time.sleep(self.rng.uniform(0, self.options["pause"]))

    def read_all(self):
        """At the end, when all faults are mended."""
        for key in self.keys:
            self.call("get into", [key], lambda: self.store.get_into(key, self.address,
                                                                    BUFFER_BYTES),
                      lambda size: [{"code": size} if size < 0 else
                                    self.seen(bytes(self.buffer[:size]))])
            self.call("exist", [key], lambda: self.store.is_exist(key), lambda there: [there])
        while self.held:
            self.let_go()


def main():
    worker = Worker(json.loads(sys.argv[1]))
    print(worker.own_segment, flush=True)
    started = sys.stdin.readline()
    if not started:
        return
    worker.options |= json.loads(started)
    worker.run()
    print("ran", flush=True)
    if sys.stdin.readline():
        worker.read_all()
        print("read", flush=True)
        sys.stdin.readline()  # its segment stays until the others have read as well
    worker.store.close()
    os._exit(0)


if __name__ == "__main__":
    main()
