"""The store is linearizable under faults: one seed of each setting; `python3 -m linearizability.run`
does many."""

import tempfile
import unittest

from linearizability.run import main

# Each with its faults early.
SEEDS = {"one host": 186,         # the master dies twice, and a client
         "two hosts": 388,        # a partition, and the master dies
         "several masters": 157}  # the leader stands still twice, and a client


class LinearizabilityTest(unittest.TestCase):
    def test_each_setting(self):
        for setting, seed in SEEDS.items():
            with self.subTest(setting):
                keep = tempfile.mkdtemp(prefix="tandem-test-")
                self.assertEqual(main(["--seeds=1", f"--first={seed}", f"--setting={setting}",
                                       f"--keep={keep}"]), 0, f"its history is kept in {keep}")


if __name__ == "__main__":
    unittest.main()
