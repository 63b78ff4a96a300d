"""The store is linearizable under faults: one seed of each setting, and one with TLS;
`python3 -m linearizability.run` does many."""

import tempfile
import unittest

from linearizability.run import NOTHING_RAN, main

# Each with its faults early.
SEEDS = {"one host": 186,         # the master dies twice, and a client
         "two hosts": 388,        # a partition, and the master dies
         "several masters": 157}  # the leader stands still twice, and a client
WITH_TLS = 1367                   # an owner dies, a client stands still, connections are dropped


class LinearizabilityTest(unittest.TestCase):
    def check(self, *flags):
        keep = tempfile.mkdtemp(prefix="tandem-test-")
        status = main(["--seeds=1", f"--keep={keep}", *flags])
        if status == NOTHING_RAN:
            self.skipTest(f"no run with {' '.join(flags)} is possible here")
        self.assertEqual(status, 0, f"its history is kept in {keep}")

    def test_each_setting(self):
        for setting, seed in SEEDS.items():
            with self.subTest(setting):
                self.check(f"--first={seed}", f"--setting={setting}")

    def test_with_tls(self):
        self.check(f"--first={WITH_TLS}", "--setting=one host", "--tls")


if __name__ == "__main__":
    unittest.main()
