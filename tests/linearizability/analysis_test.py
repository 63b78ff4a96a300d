"""Which owners the analysis holds a missed value's absence against."""

import types
import unittest

from linearizability.analysis import Analysis
from linearizability.faults import Disturbances

SECOND = 1_000_000_000


def violations(disk, replicas):
    """Of a miss of a value whose put ended well before one of several owners died."""
    plan = types.SimpleNamespace(pool="roomy", disk=disk, snapshot=False)
    disturbances = Disturbances(windows=[[2 * SECOND, 4 * SECOND]], owners={"a:1": 2 * SECOND})
    put = {"by": "client0", "kind": "put", "keys": ["key"], "numbers": [7], "sizes": [100],
           "replicas": replicas, "home": "a:1", "start": 0, "end": SECOND, "stalled": 0,
           "results": [0]}
    exist = {"by": "client1", "kind": "exist", "keys": ["key"], "start": 3 * SECOND,
             "end": 3 * SECOND + 1, "stalled": 0, "results": [0]}
    return Analysis(plan, disturbances, [put, exist], [], lost_on_disks=0).run()


class AnalysisTest(unittest.TestCase):
    def test_one_of_two_replicas_is_left(self):
        self.assertEqual([], violations("no disk", replicas=1))
        self.assertIn("kind='miss'", violations("no disk", replicas=2)[0])

    def test_a_disk_has_the_only_replica(self):
        self.assertEqual([], violations("disk", replicas=2))


if __name__ == "__main__":
    unittest.main()
