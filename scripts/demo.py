#!/usr/bin/env python3
"""Shows the deployment at work: starts it, sends the guide's request twice, tells what moved."""

import argparse
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time

GUIDE_MODEL = "Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4"
GUIDE_REQUEST = {
    "model": GUIDE_MODEL,
    "messages": [
        {"role": "user", "content": "Explain how KV cache reuse helps long-context serving."}
    ],
    "max_tokens": 128,
    "temperature": 0.7,
}
START_TIMEOUT_SECONDS = 60


class Deployment:
    """`tandem up` as a child; its ports are known once the block is entered."""

    def __init__(self, tandem, model, arguments):
        self._directory = tempfile.TemporaryDirectory(prefix="tandem-demo-")
        self._ready_file = pathlib.Path(self._directory.name) / "up.ready"
        self._command = [tandem, "up", model, "--served-model-name", GUIDE_MODEL,
                         "--ready-file", str(self._ready_file), *arguments]

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        self._relay = threading.Thread(target=self._print_until_ready)
        self._relay.start()
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while not self._ready_file.exists():
            if self._process.poll() is not None:
                self._relay.join()
                sys.exit("the deployment did not start; what it said stands above")
            if time.monotonic() > deadline:
                self.__exit__()
                sys.exit(f"the deployment did not serve within {START_TIMEOUT_SECONDS} s")
            time.sleep(0.01)
        self.ports = json.loads(self._ready_file.read_text())["ports"]
        return self

    def _print_until_ready(self):
        for line in self._process.stdout:
            if not self._ready_file.exists() or not re.match(r"(prefiller|decoder|proxy|master) +\|", line):
                print(line, end="", flush=True)

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._relay.join()
        self._directory.cleanup()

    def metrics(self, role):
        """The sum over labels of each metric of a role."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[role], timeout=5)
        connection.request("GET", "/metrics")
        sums = {}
        for line in connection.getresponse().read().decode().splitlines():
            match = re.match(r"([a-zA-Z_:]+)(?:\{[^}]*\})? ([-+.0-9e]+)$", line)
            if match:
                sums[match[1]] = sums.get(match[1], 0.0) + float(match[2])
        return sums


def post(port, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", "/v1/chat/completions", json.dumps(body),
                       {"Content-Type": "application/json"})
    response = connection.getresponse()
    if response.status != 200:
        sys.exit(f"the proxy answered {response.status}: {response.read().decode()}")
    return response


def ask_whole(port):
    """Sends the guide's request as it stands; returns usage and seconds."""
    start = time.monotonic()
    reply = json.load(post(port, GUIDE_REQUEST))
    total = time.monotonic() - start
    print(reply["choices"][0]["message"]["content"])
    return {"usage": reply["usage"], "total": total}


def ask_streamed(port):
    """Sends it with "stream": true and prints the answer as it comes."""
    start = time.monotonic()
    first = None
    usage = None
    for line in post(port, GUIDE_REQUEST | {"stream": True,
                                            "stream_options": {"include_usage": True}}):
        if not line.startswith(b"data: {"):
            continue
        chunk = json.loads(line[6:])
        if "error" in chunk:
            sys.exit(f"the stream ended with an error: {chunk['error']}")
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            text = choice["delta"].get("content")
            if text:
                first = first or time.monotonic()
                print(text, end="", flush=True)
    print()
    end = time.monotonic()
    return {"usage": usage, "total": end - start, "first": first - start, "rest": end - first}


def difference(before, after, name):
    return after.get(name, 0.0) - before.get(name, 0.0)


def row(answer, before, after):
    """What one request moved, as the table's column."""
    prefiller = lambda name: difference(before["prefiller"], after["prefiller"], name)
    decoder = lambda name: difference(before["decoder"], after["decoder"], name)
    first, rest = answer.get("first"), answer.get("rest")
    tokens = answer["usage"]["completion_tokens"]
    return [
        ("prompt tokens", f"{answer['usage']['prompt_tokens']}"),
        ("tokens stored by the prefiller",
         f"{prefiller('tandem:external_stored_tokens_total'):.0f}"),
        ("tokens loaded by the decoder", f"{decoder('tandem:external_loaded_tokens_total'):.0f}"),
        ("prompt tokens it computed again",
         f"{decoder('tandem:prompt_tokens_computed_total'):.0f}"),
        ("handed over, MB", f"{decoder('tandem:external_loaded_bytes_total') / 1e6:.2f}"),
        ("hand-off (lookup and load), ms",
         f"{1e3 * decoder('tandem:external_load_seconds_sum'):.1f}"),
        ("time to first token, ms", f"{1e3 * first:.0f}" if first else "-"),
        ("tokens a second", f"{(tokens - 1) / rest if rest else tokens / answer['total']:.0f}"),
    ]


def print_table(columns):
    """Rows of (name, value), one column a request."""
    width = max(len(name) for name, _ in columns[0][1])
    print(f"\n  {'':<{width}}" + "".join(f"  {title:>10}" for title, _ in columns))
    for i, (name, _) in enumerate(columns[0][1]):
        print(f"  {name:<{width}}" + "".join(f"  {rows[i][1]:>10}" for _, rows in columns))
    print("\nThe second prompt is the first one again: its KV cache is in the store already.\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tandem", required=True, help="path of the program")
    parser.add_argument("--model", required=True, help="path of the model")
    parser.add_argument("up_arguments", nargs="*", help="passed on to 'tandem up'")
    options = parser.parse_args()
    print(f"The demo serves {os.path.basename(options.model)} under the name that the guide's "
          f"request asks for, {GUIDE_MODEL}.\n")
    with Deployment(options.tandem, options.model, options.up_arguments) as deployment:
        proxy = deployment.ports["http"]
        columns = []
        for title, ask, heading in (("whole", ask_whole, "The guide's request:"),
                                    ("streamed", ask_streamed, "The same, streamed:")):
            print(f"\n{heading}\n")
            roles = ("prefiller", "decoder")
            before = {role: deployment.metrics(role) for role in roles}
            answer = ask(proxy)
            after = {role: deployment.metrics(role) for role in roles}
            columns.append((title, row(answer, before, after)))
        print_table(columns)


if __name__ == "__main__":
    main()
