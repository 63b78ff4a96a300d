#!/usr/bin/env python3
"""Runs an instance for a long time under random requests and checks what must not wear out.

Every request has a random length and random sampling parameters; some are broken off by the client,
and the KV pool is too small for all of them, so that requests are preempted. What is checked:

- every text is the one that the same request gives alone, and what was broken off is its beginning;
- at the end no KV block is in use and no request is left;
- memory, threads and open files do not grow from the second quarter of the time to the last;
- a lone request takes as long after all of them as before (reported; machines have other work).

    bench/soak.py --minutes 30 --concurrency 16
    bench/soak.py --minutes 3 --handoff      # through a proxy, a prefiller and a decoder

Exit code 1, and the reason, if a check fails. Needs the program and the model of the tests.
"""

import argparse
import concurrent.futures
import http.client
import json
import pathlib
import random
import statistics
import sys
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SOURCE / "tests"))

import harness  # noqa: E402

TOKEN_BYTES = 23040  # Of KV, with the tests' model.
MAX_MODEL_LEN = 1024
LEAST_GROWTH = 16 << 20  # Bytes of memory: what allocators keep or give back as they please.


class Failure(Exception):
    pass


def random_request(source, index):
    """A completion whose text does not depend on anything but itself."""
    # Short prompts with long outputs are what runs out of blocks while it runs.
    least, most = source.choice([(1, 40), (1, 40), (40, 300), (300, 700)])
    length = source.randrange(least, most)
    sampling = {"max_tokens": source.randrange(1, 240), "ignore_eos": source.random() < 0.7}
    if source.random() < 0.5:
        sampling["temperature"] = 0
    else:
        sampling |= {"temperature": source.choice([0.7, 1.0, 1.5]), "seed": index,
                     "top_p": source.choice([1, 0.9]), "top_k": source.choice([0, 40]),
                     "min_p": source.choice([0, 0.05])}
    if source.random() < 0.3:
        sampling |= {"repetition_penalty": 1.2, "frequency_penalty": 0.3, "presence_penalty": 0.2}
    if source.random() < 0.2:
        sampling |= {"stop": [" the", "\n"], "min_tokens": 1}
    if source.random() < 0.2:
        sampling |= {"bad_words": ["the", "and"], "logit_bias": {"28": 2}}
    if source.random() < 0.2:
        sampling["logprobs"] = 3
    # A third of the prompts share a beginning.
    prefix = [500 + i for i in range(min(length, 200))] if source.random() < 0.3 else []
    prompt = prefix + [source.randrange(100, 49000) for _ in range(length - len(prefix))]
    return harness.completion(prompt, **sampling)


class Load:
    """Sends requests and compares their texts. Its methods may be called by several threads."""

    def __init__(self, role, requests):
        self._role, self._requests = role, requests
        self._expected = []
        self._mutex = threading.Lock()
        self.finished = self.aborted = self.tokens = 0

    def learn(self):
        """Sends each request alone and remembers its answer; returns how many tokens they are."""
        self._expected = [self._whole(request) for request in self._requests]
        return sum(answer["tokens"] for answer in self._expected)

    def send_one(self, source):
        index = source.randrange(len(self._requests))
        request, expected = self._requests[index], self._expected[index]
        kind = source.random()
        if kind < 0.2:
            text = self._broken_off(request, source.randrange(0, 40))
            if not expected["text"].startswith(text):
                raise Failure(f"request {index}, broken off, gave {text!r}, which does not begin "
                              f"{expected['text']!r}")
            with self._mutex:
                self.aborted += 1
            return
        got = self._whole(request) if kind < 0.6 else self._streamed(request)
        if got != expected:
            raise Failure(f"request {index} gave {got}, alone it gives {expected}")
        with self._mutex:
            self.finished += 1
            self.tokens += got["tokens"]

    def _whole(self, request):
        reply = self._role.post("/v1/completions", request, timeout=600)
        choice = reply["choices"][0]
        return {"text": choice["text"], "finish_reason": choice["finish_reason"],
                "tokens": reply["usage"]["completion_tokens"]}

    def _streamed(self, request):
        got = {"text": "", "finish_reason": None, "tokens": 0}
        options = {"stream_options": {"include_usage": True}}
        for event in self._role.stream("/v1/completions", request | options, timeout=600):
            for choice in event["choices"]:
                got["text"] += choice["text"]
                got["finish_reason"] = choice["finish_reason"] or got["finish_reason"]
            if event.get("usage"):
                got["tokens"] = event["usage"]["completion_tokens"]
        return got

    def _broken_off(self, request, events):
        """Reads so many events of a stream, then closes the connection."""
        connection = http.client.HTTPConnection(self._role.host, self._role.port, timeout=600)
        text = ""
        try:
            connection.request("POST", "/v1/completions", json.dumps(request | {"stream": True}),
                               {"Content-Type": "application/json"})
            if events == 0:
                return text
            for line in connection.getresponse():
                if not line.startswith(b"data: {"):
                    continue
                text += "".join(choice["text"] for choice in json.loads(line[6:])["choices"])
                events -= 1
                if events == 0:
                    break
        finally:
            connection.close()
        return text


class Watch:
    """Samples what the processes use."""

    def __init__(self, roles):
        self._roles = roles
        self.samples = []  # (seconds, {role: (resident bytes, threads, open files)})

    def sample(self, now):
        self.samples.append((now, {role.name: usage(role.process.pid) for role in self._roles}))

    def growth(self, begin, end):
        """Medians of the second and the last quarter of the time, by role and kind."""
        quarter = (end - begin) / 4
        early = [s for t, s in self.samples if begin + quarter <= t < begin + 2 * quarter]
        late = [s for t, s in self.samples if t >= end - quarter]
        return {(role.name, kind): tuple(
            statistics.median(sample[role.name][i] for sample in samples)
            for samples in (early, late))
            for role in self._roles for i, kind in enumerate(("memory", "threads", "open files"))}


def usage(pid):
    status = dict(line.split(":", 1) for line in
                  pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    resident = int(status["VmRSS"].split()[0]) << 10
    return resident, int(status["Threads"]), len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def lone_seconds(role):
    """The least of several times that one request takes alone."""
    request = harness.completion(list(range(300, 364)), max_tokens=64, temperature=0,
                                 ignore_eos=True)
    times = []
    for _ in range(5):
        begin = time.monotonic()
        role.post("/v1/completions", request)
        times.append(time.monotonic() - begin)
    return min(times)


def soak(load, watch, options, seconds):
    """Keeps `concurrency` requests in flight; returns when it began and ended."""
    begin = time.monotonic()
    end = begin + seconds
    failed = threading.Event()

    def work(seed):
        source = random.Random(seed)
        try:
            while time.monotonic() < end and not failed.is_set():
                load.send_one(source)
        except BaseException:
            failed.set()
            raise

    with concurrent.futures.ThreadPoolExecutor(options.concurrency) as pool:
        workers = [pool.submit(work, options.seed * 1000 + i) for i in range(options.concurrency)]
        reported = begin
        while not all(worker.done() for worker in workers):
            concurrent.futures.wait(workers, timeout=min(2, seconds / 40))
            now = time.monotonic()
            watch.sample(now)
            if now - reported >= 60:
                reported = now
                print(f"{(now - begin) / 60:5.1f} min: {load.finished} texts compared, "
                      f"{load.aborted} broken off", flush=True)
        for worker in workers:
            worker.result()
    return begin, time.monotonic()


def check(deployment, engines, load, watch, span, lone):
    """Raises Failure, or prints what was measured."""
    for role in engines:
        harness.wait_until(lambda: role.metric("vllm:kv_cache_usage_perc") == 0
                           and role.metric("vllm:num_requests_running") == 0
                           and role.metric("vllm:num_requests_waiting") == 0, 60,
                           f"{role.name} to give all blocks back")
    preemptions = sum(role.metric("vllm:num_preemptions_total") for role in engines)
    kept = sum(role.metric("tandem:preempted_tokens_kept_total") for role in engines)
    print(f"{load.finished} texts compared, {load.aborted} broken off, {load.tokens} tokens, "
          f"{preemptions:.0f} preemptions, which kept {kept:.0f} tokens; no block in use")
    if preemptions == 0 or load.aborted == 0:
        raise Failure("nothing was preempted or broken off: the load was too small to show anything")
    for (name, kind), (early, late) in watch.growth(*span).items():
        if kind == "memory":
            print(f"{name}: {early / 2**20:.1f} MiB of memory in the second quarter, "
                  f"{late / 2**20:.1f} MiB in the last")
            grown = late - early > max(LEAST_GROWTH, 0.02 * early)
        else:
            print(f"{name}: {early:.0f} {kind}, then {late:.0f}")
            grown = late - early > 4
        if grown:
            raise Failure(f"{name}: {kind} grew from {early} to {late}")
    again = lone_seconds(engines[-1])
    print(f"a lone request of 64 + 64 tokens: {lone * 1e3:.0f} ms before, {again * 1e3:.0f} ms after "
          f"{load.finished + load.aborted} requests")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--requests", type=int, default=48, help="different ones")
    parser.add_argument("--blocks", type=int, default=96, help="of 16 tokens in the KV pool")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--handoff", action="store_true",
                        help="through a proxy, a prefiller and a decoder instead of one instance")
    options = parser.parse_args()

    source = random.Random(options.seed)
    requests = [random_request(source, index) for index in range(options.requests)]
    flags = [f"--kv-cache-memory={options.blocks * 16 * TOKEN_BYTES}",
             f"--max-model-len={MAX_MODEL_LEN}", "--disable-log-requests"]
    if not options.handoff:
        flags.append("--enable-prefix-caching")
    counts = dict(prefillers=1, decoders=1) if options.handoff else dict(prefillers=0, decoders=0,
                                                                         single=True, proxy=False)
    with harness.Deployment(serve_flags=flags, **counts) as deployment:
        engines = [*deployment.prefillers, *deployment.decoders,
                   *([deployment.single] if deployment.single else [])]
        load = Load(deployment.proxy or deployment.single, requests)
        watch = Watch([*engines, *([deployment.proxy] if deployment.proxy else []),
                       deployment.master])
        tokens = load.learn()
        lone = lone_seconds(engines[-1])
        print(f"{options.requests} requests gave {tokens} tokens alone; now "
              f"{options.concurrency} at a time", flush=True)
        try:
            span = soak(load, watch, options, options.minutes * 60)
            check(deployment, engines, load, watch, span, lone)
        except (Failure, AssertionError) as failure:
            print(f"FAILED: {failure}")
            return 1
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
