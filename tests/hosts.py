"""Two hosts on one machine: network namespaces joined by a veth pair."""

import itertools
import json
import os
import shutil
import subprocess
import unittest

A, B = "10.83.46.1", "10.83.46.2"
numbers = itertools.count()


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)


class Hosts:
    """Two namespaces, "a" and "b", that reach each other as 10.83.46.1 and .2."""

    def __init__(self):
        unique = f"{os.getpid()}-{next(numbers)}"
        self.a, self.b = f"tandem-a-{unique}", f"tandem-b-{unique}"
        # Links' names have at most 15 characters.
        self.link_a, self.link_b = f"va{unique}", f"vb{unique}"

    def __enter__(self):
        if os.geteuid() != 0 or shutil.which("ip") is None:
            raise unittest.SkipTest("network namespaces need root and iproute2")
        try:
            self._join()
        except subprocess.CalledProcessError as error:
            self.__exit__()
            raise unittest.SkipTest(f"network namespaces are not permitted here: "
                                    f"{' '.join(error.cmd)}: {error.stderr.strip()}") from None
        return self

    def _join(self):
        for namespace in (self.a, self.b):
            ip("netns", "add", namespace)
        ip("link", "add", self.link_a, "type", "veth", "peer", "name", self.link_b)
        for namespace, end, address in ((self.a, self.link_a, A), (self.b, self.link_b, B)):
            ip("link", "set", end, "netns", namespace)
            ip("-n", namespace, "addr", "add", f"{address}/24", "dev", end)
            ip("-n", namespace, "link", "set", end, "up")
            ip("-n", namespace, "link", "set", "lo", "up")

    def bytes_received_by_a(self):
        """What came over the wire from B, as the kernel counts it."""
        statistics = json.loads(ip("-n", self.a, "-s", "-j", "link", "show",
                                   self.link_a).stdout)
        return statistics[0]["stats64"]["rx"]["bytes"]

    def __exit__(self, *_):
        for namespace in (self.a, self.b):
            ip("netns", "del", namespace, check=False)
