"""What one key of the store may do: a register that is written once until it is removed.

Its state is None, the number of the value that is there, or a pair: that number, and the number of a
value that comes back once it is gone. A step takes a state and gives the set of states that may follow;
an empty set means that the operation cannot have ended as it did.
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
    forgetful: masters lost their memory. What was put anew while its key's owner was away is not known
        to be older then, and comes back with that owner if nobody confirmed that the new value is gone.
    """
    sizes: dict = dataclasses.field(default_factory=dict)
    at_risk_since: dict = dataclasses.field(default_factory=dict)
    evicting: bool = False
    retried: list = dataclasses.field(default_factory=list)
    forgetful: bool = False

    def may_miss(self, value, operation):
        return self.at_risk_since.get(value, math.inf) <= operation.end

    def may_repeat(self, operation):
        return any(start <= operation.end and operation.start <= end
                   for start, end in self.retried)


def step(state, operation, allowed):
    """The states that may follow on `state` once `operation` has taken effect."""
    states = {state}
    if state is not None and allowed.evicting:
        states |= {None, *_older(state)}
    return set().union(*(_step(each, operation, allowed) for each in states))


def _older(state):
    return state[1:] if isinstance(state, tuple) else ()


def _step(state, operation, allowed):
    if not isinstance(state, tuple):
        return _step_alone(state, operation, allowed)
    value, older = state
    following = set()
    for after in _step_alone(value, operation, allowed):
        if after is None:
            following |= {None} if operation.kind == REMOVE else {None, older}
        elif isinstance(after, tuple):
            following |= {after, (after[0], older)}
        else:
            following.add((after, older))
    return following


def _step_alone(state, operation, allowed):
    kind = operation.kind
    if state is None:
        return {PUT: {operation.value}, MISSED: {None}, CLEAR: {None}, MISS: {None}}.get(kind, set())
    lost = allowed.may_miss(state, operation)
    if kind == PUT:
        # A put that may not have happened needs no such state: its value is missed by nobody.
        stacked = allowed.forgetful and operation.known
        new = (operation.value, state) if stacked else operation.value
        return {state, new} if lost else {state}
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
