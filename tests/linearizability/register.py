"""What one key of the store may do: a register that is written once until it is removed.

Its state is the number of the value that is there, or None. A step takes a state and gives the set of
states that may follow; an empty set means that the operation cannot have ended as it did.
"""

import dataclasses
import math

# What an operation turned out to be. An operation of unknown outcome has `end` infinite: it took
# effect at some time after its start, or never will.
PUT = "put"          # answered OK, which it also is where an object was there already
REMOVE = "remove"    # answered OK: something was there, and is no more
MISSED = "missed"    # a removal that found nothing
CLEAR = "clear"      # a removal of many keys: whatever was there is no more
READ = "read"        # answered the value of that number
THERE = "there"      # answered that something is there, of `size` bytes unless that is None
MISS = "miss"        # answered that nothing is there


@dataclasses.dataclass
class Operation:
    kind: str
    start: int
    end: float = math.inf
    value: int = None
    size: int = None
    by: str = ""

    @property
    def known(self):
        return self.end != math.inf


@dataclasses.dataclass
class Allowances:
    """How the store may be weaker than a register. The faults of a run decide.

    sizes: of each value that was put.
    at_risk_since: for values whose owners died or fell silent, when that began: from then on they may
        be missed, and come back when the owner does.
    evicting: any value may go at any time, for good.
    retried: windows of time in which a removal may have been sent twice, and so find its own work.
    """
    sizes: dict = dataclasses.field(default_factory=dict)
    at_risk_since: dict = dataclasses.field(default_factory=dict)
    evicting: bool = False
    retried: list = dataclasses.field(default_factory=list)

    def may_miss(self, value, operation):
        return self.at_risk_since.get(value, math.inf) <= operation.end

    def may_repeat(self, operation):
        return any(start <= operation.end and operation.start <= end
                   for start, end in self.retried)


def step(state, operation, allowed):
    """The states that may follow on `state` once `operation` has taken effect."""
    states = {None} if state is not None and allowed.evicting else set()
    return set().union(*(_step(each, operation, allowed) for each in states | {state}))


def _step(state, operation, allowed):
    kind = operation.kind
    if state is None:
        return {PUT: {operation.value}, MISSED: {None}, CLEAR: {None}, MISS: {None}}.get(kind, set())
    lost = allowed.may_miss(state, operation)
    if kind == PUT:
        return {state, operation.value} if lost else {state}
    if kind == REMOVE:
        return {None}
    if kind == CLEAR:
        # It finds keys by what is in reach.
        return {state, None} if lost else {None}
    if kind == MISSED:
        # Also of what it cannot reach it keeps the master from taking it in again.
        return ({state} if lost else set()) | (
            {None} if lost or allowed.may_repeat(operation) else set())
    if kind == READ:
        return {state} if operation.value == state else set()
    if kind == THERE:
        fits = operation.size is None or operation.size == allowed.sizes.get(state)
        return {state} if fits else set()
    return {state} if lost else set()
