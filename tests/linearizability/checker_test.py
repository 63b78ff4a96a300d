"""The checker accepts what a register allows and rejects each kind of violation."""

import math
import random
import unittest

from linearizability import checker
from linearizability.register import (CLEAR, MISS, MISSED, PUT, READ, REMOVE, THERE, Allowances,
                                      Operation)

OPEN = math.inf


def put(start, end, value):
    return Operation(PUT, start, end, value)


def remove(start, end):
    return Operation(REMOVE, start, end)


def missed(start, end):
    return Operation(MISSED, start, end)


def read(start, end, value):
    return Operation(READ, start, end, value)


def miss(start, end):
    return Operation(MISS, start, end)


class CheckerTest(unittest.TestCase):
    def accept(self, *operations, **allowed):
        self.assertIsNone(checker.find_violation(operations, Allowances(**allowed)))

    def reject(self, *operations, **allowed):
        violation = checker.find_violation(operations, Allowances(**allowed))
        self.assertIsNotNone(violation)
        return violation

    def test_one_after_the_other(self):
        self.accept(miss(0, 1), put(2, 3, 7), read(4, 5, 7), remove(6, 7), miss(8, 9))
        self.accept(put(0, 1, 7), remove(2, 3), put(4, 5, 8), read(6, 7, 8))
        self.accept()

    def test_a_committed_value_is_there(self):
        self.reject(put(0, 1, 7), miss(2, 3))
        self.reject(put(0, 1, 7), missed(2, 3))
        self.reject(put(0, 1, 7), read(2, 3, 7), miss(4, 5), read(6, 7, 7))

    def test_nothing_is_there_before_it_was_put(self):
        self.reject(read(0, 1, 7), put(2, 3, 7))
        self.reject(Operation(THERE, 0, 1), put(2, 3, 7))
        self.reject(remove(0, 1), put(2, 3, 7))

    def test_a_value_that_nobody_put_or_whose_put_failed(self):
        self.assertIn("no put left here", self.reject(put(0, 1, 7), read(2, 3, 8)))

    def test_nothing_removed_comes_back(self):
        self.reject(put(0, 1, 7), remove(2, 3), read(4, 5, 7))
        self.reject(put(0, 1, 7), Operation(CLEAR, 2, 3), read(4, 5, 7))
        self.reject(put(0, 1, 7), remove(2, 3), put(4, 5, 8), read(6, 7, 7))
        self.reject(put(0, 1, 7), remove(2, 3), remove(4, 5))

    def test_written_once(self):
        # The second put says OK as well, but changes nothing.
        self.accept(put(0, 1, 7), put(2, 3, 8), read(4, 5, 7))
        self.reject(put(0, 1, 7), put(2, 3, 8), read(4, 5, 8))
        self.reject(put(0, 1, 7), put(0, 1, 8), read(2, 3, 7), read(4, 5, 8))

    def test_at_the_same_time_in_any_order(self):
        self.accept(put(0, 9, 7), miss(1, 2), read(3, 4, 7))
        self.reject(put(0, 9, 7), read(1, 2, 7), miss(3, 4))
        self.accept(put(0, 5, 7), put(0, 5, 8), read(6, 7, 8))
        self.accept(put(0, 1, 7), remove(2, 9), read(3, 4, 7), miss(5, 6))
        self.reject(put(0, 1, 7), remove(2, 9), miss(3, 4), read(5, 6, 7))

    def test_unknown_outcomes_happen_late_or_never(self):
        self.accept(put(0, OPEN, 7), miss(10, 11))
        self.accept(put(0, OPEN, 7), miss(10, 11), read(12, 13, 7))
        self.reject(put(0, OPEN, 7), read(2, 3, 7), miss(10, 11))
        self.accept(put(0, 1, 7), remove(2, OPEN), read(10, 11, 7), miss(12, 13))
        self.reject(put(0, 1, 7), remove(2, OPEN), miss(10, 11), read(12, 13, 7))
        self.reject(put(5, OPEN, 7), read(2, 3, 7))

    def test_sizes(self):
        self.accept(put(0, 1, 7), Operation(THERE, 2, 3, size=100), sizes={7: 100})
        self.reject(put(0, 1, 7), Operation(THERE, 2, 3, size=99), sizes={7: 100})

    def test_a_dead_owners_objects_may_be_missed(self):
        history = [put(0, 1, 7), miss(5, 6)]
        self.accept(*history, at_risk_since={7: 3})
        self.reject(*history, at_risk_since={7: 7})  # it died later
        self.reject(*history, at_risk_since={8: 0})  # another's
        self.accept(put(0, 1, 7), miss(5, 6), put(7, 8, 9), read(10, 11, 9), at_risk_since={7: 3})
        # A wrong value is wrong all the same, and so is a removed one.
        self.reject(put(0, 1, 7), remove(5, 6), read(7, 8, 7), at_risk_since={7: 3})
        self.reject(put(0, 1, 7), put(2, 3, 9), read(4, 5, 9), read(6, 7, 7), at_risk_since={7: 3})

    def test_what_was_put_anew_while_an_owner_was_away(self):
        unconfirmed = [put(0, 1, 7), miss(5, 6), put(7, 8, 9), read(9, 10, 9), Operation(CLEAR, 11),
                       read(20, 21, 7)]
        away = {"at_risk_since": {7: 3}}
        self.accept(*unconfirmed, forgetful=True, **away)
        self.reject(*unconfirmed, **away)  # the master remembers what is older
        self.reject(*unconfirmed, forgetful=True)  # the owner was not away
        self.reject(*unconfirmed, read(22, 23, 9), forgetful=True, **away)
        self.reject(*unconfirmed[:4], remove(11, 12), read(20, 21, 7), forgetful=True, **away)
        self.reject(*unconfirmed[:4], read(20, 21, 7), forgetful=True, **away)
        self.accept(*unconfirmed[:4], read(20, 21, 7), forgetful=True, evicting=True, **away)

    def test_evicted_objects_are_gone_for_good(self):
        self.accept(put(0, 1, 7), miss(2, 3), evicting=True)
        self.accept(put(0, 1, 7), put(2, 3, 8), read(4, 5, 8), evicting=True)
        self.reject(put(0, 1, 7), miss(2, 3), read(4, 5, 7), evicting=True)

    def test_a_removal_sent_twice_may_find_its_own_work(self):
        history = [put(0, 1, 7), missed(2, 5), miss(6, 7)]
        self.reject(*history)
        self.accept(*history, retried=[(3, 4)])
        self.reject(*history[:2], read(6, 7, 7), retried=[(3, 4)])

    def test_random_histories_of_a_real_register(self):
        for seed in range(80):
            operations = random_history(random.Random(seed))
            self.assertIsNone(checker.find_violation(operations), seed)

    def test_random_histories_with_a_wrong_read(self):
        caught = 0
        for seed in range(80):
            operations = random_history(random.Random(seed))
            reads = [o for o in operations if o.kind == READ]
            values = [o.value for o in operations if o.kind == PUT]
            if not reads or len(values) < 2:
                continue
            # A value whose put began only after the read had ended.
            wrong = random.Random(seed).choice(reads)
            later = [o.value for o in operations if o.kind == PUT and o.start > wrong.end]
            if later:
                wrong.value = later[0]
                caught += 1
                self.assertIsNotNone(checker.find_violation(operations), seed)
        self.assertGreater(caught, 10)


def random_history(rng, clients=4, length=60):
    """What clients of a register would see whose operations take effect at one moment each."""
    state, operations, now = None, [], 0
    busy = [0] * clients
    for number in range(length):
        client = rng.randrange(clients)
        now = max(now, busy[client]) + rng.randrange(1, 5)
        start, end = max(busy[client], now - rng.randrange(20)), now + rng.randrange(20)
        kind = rng.choice(["put", "get", "remove"])
        if kind == "put":
            operations.append(put(start, rng.choice([end, end, OPEN]), number))
            state = number if state is None else state
        elif kind == "get":
            operations.append(miss(start, end) if state is None else read(start, end, state))
        else:
            operations.append(missed(start, end) if state is None else remove(start, end))
            state = None
        busy[client] = end + 1
    return operations


if __name__ == "__main__":
    unittest.main()
