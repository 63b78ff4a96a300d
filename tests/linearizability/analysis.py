"""From what the clients wrote down to what is wrong with it."""

import collections
import json
import math

import harness
from linearizability import plan as plans
from linearizability.checker import Undecided, find_violation
from linearizability.register import (CLEAR, MISS, MISSED, PUT, READ, REMOVE, THERE, Allowances,
                                      Operation)
from linearizability.values import WRONG

NO_SPACE, INVALID, NOT_READY, MISSING, LEASED = -200, -600, -703, -704, -706
# A put that ends with one of these has not happened and never will. After a failed transfer or an
# unanswered call (-800, -900) an owner may have the object all the same.
DEFINITE = (NO_SPACE, INVALID, NOT_READY, MISSING)
LATE_SECONDS = 0.5


def load(paths):
    """The calls of all histories, each joined with how it ended, if it did."""
    calls, notes = {}, []
    for path in paths:
        for line in path.read_text().splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                continue  # the last one of a client that was killed
            if "violation" in entry:
                notes.append(entry)
            else:
                calls.setdefault((entry["by"], entry["call"]), {}).update(entry)
    return sorted(calls.values(), key=lambda call: call["start"]), notes


class Analysis:
    """Finds the violations of a run."""

    def __init__(self, plan, disturbances, calls, notes, lost_on_disks):
        self._plan, self._disturbances, self._calls = plan, disturbances, calls
        self._allowed = Allowances(
            evicting=plan.pool == "evicting" or lost_on_disks > 0, retried=disturbances.master,
            forgetful=disturbances.another_master and not plan.snapshot)
        self._operations = collections.defaultdict(list)
        self.violations = [f"{note['by']}: {note['violation']} ({note['keys'][0]})"
                           for note in notes]
        self.saw_wrong_bytes = bool(notes)

    def run(self):
        for call in self._calls:
            self._check_deadline(call)
            for i, key in enumerate(call["keys"]):
                result = call["results"][i] if "results" in call else None
                operation = self._operation(call, i, result)
                if operation is not None:
                    self._operations[key].append(operation)
        for key, operations in sorted(self._operations.items()):
            try:
                violation = find_violation(operations, self._allowed)
            except Undecided as error:
                violation = f"not decided: {error}"
            if violation:
                self.violations.append(f"{key}: {violation}")
        return self.violations

    def counts(self):
        return collections.Counter(operation.kind for of_key in self._operations.values()
                                   for operation in of_key)

    def _check_deadline(self, call):
        if "end" not in call:
            return
        seconds = (call["end"] - call["start"]) / 1e9 - call["stalled"]
        if seconds > plans.CALL_TIMEOUT + LATE_SECONDS * harness.PATIENCE:
            self.violations.append(f"{call['by']}: {call['kind']} of {call['keys']} took "
                                   f"{seconds:.2f} s, its deadline is {plans.CALL_TIMEOUT} s")

    def _excused(self, call):
        return any(start <= call["end"] and call["start"] <= end
                   for start, end in self._disturbances.windows)

    def _fail(self, call, key, result):
        """A call that failed with no fault about."""
        if not self._excused(call):
            self.violations.append(f"{call['by']}: {call['kind']} of {key} failed with {result} "
                                   f"while nothing was wrong")

    def _operation(self, call, i, result):
        """What one key's part of a call amounts to; None if it says nothing."""
        start, by, key, ended = call["start"], call["by"], call["keys"][i], "end" in call
        known = {"start": start, "end": call.get("end"), "by": by}
        unknown = {"start": start, "end": math.inf, "by": by}
        kind = call["kind"]
        if kind == "put":
            return self._put(call, i, result, known, unknown)
        if kind in ("remove", "clear"):
            if kind == "clear" or not ended:
                return Operation(CLEAR, **(known if ended and result == 0 else unknown))
            by_code = {0: REMOVE, MISSING: MISSED, LEASED: THERE}
            if result in by_code:
                return Operation(by_code[result], **known)
            if result == NOT_READY:
                return None
            self._fail(call, key, result)
            return Operation(CLEAR, **unknown)
        if not ended:
            return None
        if result == WRONG and kind in ("get", "get into"):
            self.violations.append(f"{by}: {kind} of {key} returned bytes that no put wrote")
            self.saw_wrong_bytes = True
            return None
        code = result["code"] if isinstance(result, dict) else None
        if kind in ("get", "get into") and isinstance(result, int):
            return Operation(READ, value=result, **known)
        if kind == "get":  # which does not tell a miss from a failure
            return None if self._excused(call) else Operation(MISS, **known)
        if kind in ("exist", "size") and result >= (1 if kind == "exist" else 0):
            return Operation(THERE, size=result if kind == "size" else None, **known)
        if (kind == "exist" and result == 0) or (code or result) in (MISSING, NOT_READY):
            return Operation(MISS, **known)
        self._fail(call, key, code or result)
        return None

    def _put(self, call, i, result, known, unknown):
        number, key = call["numbers"][i], call["keys"][i]
        self._allowed.sizes[number] = call["sizes"][i]
        self._allowed.at_risk_since[number] = self._at_risk_since(call)
        if "end" in call and result == 0:
            return Operation(PUT, value=number, size=call["sizes"][i], **known)
        if "end" in call and result in DEFINITE:
            if result == NO_SPACE and self._plan.pool == "roomy" or result in (INVALID, MISSING):
                self._fail(call, key, result)
            return None
        if "end" in call and result is not None:
            self._fail(call, key, result)
        return Operation(PUT, value=number, size=call["sizes"][i], **unknown)

    def _at_risk_since(self, call):
        """When the last owner of a put's replicas may have gone."""
        in_doubt = self._disturbances.owners
        first_fault = min((start for start, _ in self._disturbances.windows), default=math.inf)
        quiet = call.get("end", math.inf) < first_fault
        if quiet and self._plan.pool == "roomy" and call["replicas"] == 1 and call["home"]:
            return in_doubt.get(call["home"], math.inf)
        # It may lie on any segment; of several replicas one goes to disk, and stays alone.
        times = sorted(in_doubt.values())
        alone = 1 if self._plan.disk != "no disk" else call["replicas"]
        return times[alone - 1] if len(times) >= alone else math.inf
