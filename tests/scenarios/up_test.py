"""`tandem up`: the four roles under one supervisor."""

import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import harness


class Up(harness.Role):
    def __init__(self, directory, *arguments):
        super().__init__("up", ["up", harness.MODEL, f"--served-model-name={harness.MODEL_NAME}",
                                *arguments], directory)

    def children(self):
        """Pids of the supervisor's children, by role."""
        by_role = {}
        for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rsplit(") ", 1)[1].split()
                if int(fields[1]) != self.process.pid or fields[0] == "Z":
                    continue
                arguments = (entry.parent / "cmdline").read_text().split("\0")
            except (OSError, IndexError):
                continue
            role = arguments[1] if len(arguments) > 1 else "?"
            if role == "serve":
                role = "prefiller" if "kv_producer" in "".join(arguments) else "decoder"
            by_role[role] = int(entry.parent.name)
        return by_role


def ended(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] == "Z"
    except OSError:
        return True


def holders_of_segments():
    """Pids of processes that map a store segment."""
    holders = set()
    for maps in pathlib.Path("/proc").glob("[0-9]*/maps"):
        try:
            if "/memfd:tandem" in maps.read_text():
                holders.add(int(maps.parent.name))
        except OSError:
            continue
    return holders


class UpTest(unittest.TestCase):
    def setUp(self):
        harness.require_model()
        directory = tempfile.TemporaryDirectory(prefix="tandem-up-test-")
        self.addCleanup(directory.cleanup)
        self.up = Up(directory.name, "--port-base=0")
        self.addCleanup(self.up.kill)

    def ask(self, **options):
        return self.up.post("/v1/chat/completions",
                            harness.chat("What is the capital of France?", temperature=0, **options))

    def test_serves_and_shows_a_table(self):
        self.up.start()
        reply = self.ask(max_tokens=16)
        self.assertEqual(reply["choices"][0]["message"]["role"], "assistant")
        self.assertIn("Paris", reply["choices"][0]["message"]["content"])
        children = self.up.children()
        self.assertEqual(set(children), {"master", "prefiller", "decoder", "proxy"})
        table = self.up.log()
        for role, pid in children.items():
            self.assertRegex(table, rf"{role} +{pid} +127\.0\.0\.1:\d+ +serving")
        self.assertRegex(table, r"prefiller +\| ")

    def test_starts_a_child_that_dies_again(self):
        self.up.start()
        before = self.ask(max_tokens=8)["choices"][0]["message"]["content"]
        for role in ("decoder", "prefiller", "master", "proxy"):
            pid = self.up.children()[role]
            os.kill(pid, signal.SIGKILL)
            harness.wait_until(lambda: self.up.children().get(role, pid) != pid, 15,
                               f"a new {role}")
            harness.wait_until(lambda: f"{role} serves again" in self.up.log(), 15,
                               f"the {role} to serve again")
            self.assertIn(f"{role} died (signal 9", self.up.log())
            self.assertEqual(self.ask(max_tokens=8)["choices"][0]["message"]["content"], before)

    def test_drains_then_stops_and_leaves_nothing(self):
        self.up.start()
        children = self.up.children()
        memory_before = set(os.listdir("/dev/shm"))
        segments_before = holders_of_segments() - set(children.values())
        stream = self.up.stream("/v1/chat/completions", harness.chat(
            "Tell a story.", temperature=0, max_tokens=200, ignore_eos=True))
        next(stream)
        self.up.signal(signal.SIGTERM)
        finished = [choice["finish_reason"] for event in stream for choice in event["choices"]]
        self.assertEqual(finished[-1], "length")
        start = time.monotonic()
        self.up.process.wait(timeout=30)
        self.assertLess(time.monotonic() - start, 5 * harness.PATIENCE)
        self.assertEqual(self.up.process.returncode, 0)
        for role, pid in children.items():
            self.assertTrue(ended(pid), f"{role} still runs")
        self.assertEqual(set(os.listdir("/dev/shm")) - memory_before, set())
        self.assertEqual(holders_of_segments() - segments_before, set())

    def test_takes_its_children_with_it_when_killed(self):
        self.up.start()
        children = self.up.children()
        self.up.kill()
        harness.wait_until(lambda: all(map(ended, children.values())), 5, "the children's end")

    def test_names_a_port_in_use_and_the_way_out(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            result = subprocess.run(
                [harness.PROGRAM, "up", harness.MODEL, "--port-base=0", f"--port={port}"],
                capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, rf"port {port} \(proxy\).*--port PORT.*--port-base")

    def test_is_told_of_a_missing_model(self):
        result = subprocess.run([harness.PROGRAM, "up", "/nowhere/model.gguf", "--port-base=0"],
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn("/nowhere/model.gguf", result.stdout)


if __name__ == "__main__":
    unittest.main()
