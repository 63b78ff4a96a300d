"""Whether the history of a key is linearizable: the search of Wing and Gong with Lowe's memory.

It looks for an order of the operations that keeps to real time (what ended before another began comes
first) and that a register allows. Operations of unknown outcome may stand anywhere after their start,
or nowhere.
"""

import dataclasses
import math

from linearizability.register import PUT, READ, Allowances, step

# States and sets of operations that are looked at before a search is given up.
MOST_STEPS = 3_000_000


class Undecided(Exception):
    """The search took too long."""


def find_violation(operations, allowed=None):
    """None if the operations of one key are linearizable, else what is wrong with them."""
    allowed = allowed or Allowances()
    operations = sorted(operations, key=lambda operation: operation.start)
    put = {operation.value for operation in operations if operation.kind == PUT}
    for operation in operations:
        if operation.kind == READ and operation.value not in put:
            return f"a value was read that no put left here: {operation}"
    # Most need nothing that a forgetful master allows, which makes for many more states.
    longest = _search(operations, dataclasses.replace(allowed, forgetful=False))
    if longest is not None and allowed.forgetful:
        longest = _search(operations, allowed)
    if longest is None:
        return None
    stuck = next(operation for i, operation in enumerate(operations)
                 if operation.known and not longest >> i & 1)
    return f"no order of the operations explains {stuck}\n{describe(operations, stuck)}"


def _search(operations, allowed):
    """None if there is an order, else the largest set of operations (a bit each) that has one."""
    everything = sum(1 << i for i, operation in enumerate(operations) if operation.known)
    seen, steps, longest = _Seen(everything), 0, 0
    todo = [(0, 0, None)]
    while todo:
        done, first, state = todo.pop()
        if done & everything == everything:
            return None
        if (done & everything).bit_count() > (longest & everything).bit_count():
            longest = done
        if (steps := steps + 1) > MOST_STEPS:
            raise Undecided(f"more than {MOST_STEPS} steps")
        while done >> first & 1:
            first += 1
        # Last in, first out: what has ended is tried before what may never have happened.
        for i in sorted(_next(operations, done, first), key=lambda i: -operations[i].end):
            for following in step(state, operations[i], allowed):
                if seen.is_new(done | 1 << i, following):
                    todo.append((done | 1 << i, first, following))
    return longest


class _Seen:
    """Where the search has been. What is reached with fewer operations of unknown outcome leaves more
    of them for later: it makes the same place with more of them superfluous."""

    def __init__(self, everything):
        self._everything = everything
        self._places = {}

    def is_new(self, done, state):
        spent = done & ~self._everything
        before = self._places.setdefault((done & self._everything, state), [])
        if any(less & spent == less for less in before):
            return False
        before.append(spent)
        return True


def _next(operations, done, first):
    """The operations that may come next: those that began before any other that is left ended."""
    candidates, first_end = [], math.inf
    for i in range(first, len(operations)):
        if operations[i].start > first_end:
            break
        if not done >> i & 1:
            candidates.append(i)
            first_end = min(first_end, operations[i].end)
    return [i for i in candidates if operations[i].start <= first_end]


def describe(operations, stuck=None):
    """The history for people, in milliseconds from its start."""
    first = operations[0].start

    def milliseconds(time):
        return f"{(time - first) / 1e6:9.1f}" if time != math.inf else "     open"
    return "\n".join(
        f"{'->' if operation is stuck else '  '} {milliseconds(operation.start)} "
        f"{milliseconds(operation.end)} {operation.by:10} {operation.kind:7} "
        f"{'' if operation.value is None else operation.value} "
        f"{'' if operation.size is None else f'{operation.size} bytes'}".rstrip()
        for operation in operations)
