"""A pool's accounting, for scenario tests: whatever a test did, no byte stays allocated."""

import json
import re
import subprocess
import urllib.request

import harness


def metric(master, name):
    """A master's metric that has no labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{master.ports['metrics']}/metrics",
                                timeout=20 * harness.PATIENCE) as response:
        found = re.search(rf"^{name} (\S+)$", response.read().decode(), re.M)
    assert found, f"{name} is not among the metrics"
    return float(found[1])


def expect_nothing_allocated(master):
    """Removes all objects. AssertionError if space or keys are left 10 s later: unfinished puts, or
    extents that a reader still holds."""
    def store(*arguments):
        return subprocess.run(
            [harness.PROGRAM, "store", *arguments, f"--master=127.0.0.1:{master.ports['rpc']}"],
            check=True, stdout=subprocess.PIPE, timeout=60 * harness.PATIENCE).stdout

    keys = json.loads(store("ls", "--json"))
    if keys:
        store("rm", "--force", *keys)
    for name in ("master_allocated_bytes", "master_key_count"):
        harness.wait_until(lambda: metric(master, name) == 0, 10, f"{name} to return to 0")
