"""Strikes the processes of a run when its plan says so, and tells what the check has to know of it."""

import dataclasses
import heapq
import itertools
import math
import signal
import threading
import time

from linearizability import plan as plans
from linearizability.cluster import START_SECONDS

# What fails on account of a fault may still fail for so long after it was mended: until the dead are
# known to be dead.
AFTERMATH_NS = int((plans.CLIENT_TTL + 1.5) * 1e9)
# A silence that a master may take for death; shorter ones must be lost on it.
LONGEST_HARMLESS = 0.8


@dataclasses.dataclass
class Disturbances:
    """What the faults of a run excuse. Times are those of time.monotonic_ns()."""
    windows: list = dataclasses.field(default_factory=list)  # of any fault: calls may fail
    master: list = dataclasses.field(default_factory=list)   # of the master, or the way to it
    owners: dict = dataclasses.field(default_factory=dict)   # segment -> when it was first in doubt
    another_master: bool = False  # one that has nothing in memory of what an earlier one knew
    log: list = dataclasses.field(default_factory=list)      # for people

    def doubt(self, segment, now):
        if segment:
            self.owners[segment] = min(now, self.owners.get(segment, now))


class Faults:
    """Carries the plan's faults out, one moment after the other."""

    def __init__(self, cluster, start):
        self._cluster, self._start = cluster, start
        self._sequence = itertools.count()
        self._due = []
        self._struck = set()  # names of what is not to be struck twice at a time
        self._mending = []
        self._failure = None
        self.disturbances = Disturbances()
        for fault in cluster.plan.faults:
            self._at(start + fault.at, lambda fault=fault: self._strike(fault))

    def _at(self, when, action):
        heapq.heappush(self._due, (when, next(self._sequence), action))

    def run(self, until):
        """Returns once everything is mended, and not before `until`."""
        while self._due:
            when, _, action = heapq.heappop(self._due)
            time.sleep(max(0, when - time.monotonic()))
            action()
        for thread in self._mending:
            thread.join()
        if self._failure is not None:
            raise self._failure
        time.sleep(max(0, until - time.monotonic()))

    def _strike(self, fault):
        what = [*fault.kind.split(), "network"]
        target = self._target(fault, what[1])
        if target is None or target.name in self._struck:
            return
        self._struck.add(target.name)
        now = time.monotonic_ns()
        window = [now, math.inf]
        if what[0] != "fill":  # Which makes no call fail.
            self.disturbances.windows.append(window)
        if what[1] in ("master", "leader", "connections", "packets") or what[0] == "partition":
            self.disturbances.master.append(window)
        if what[1] == "leader" or what[:2] == ["kill", "master"]:
            self.disturbances.another_master = True
        self.disturbances.log.append(f"{(now / 1e9 - self._start):6.2f} s: {fault.kind} "
                                     f"{target.name} for {fault.seconds:.2f} s")
        mend, in_doubt = getattr(self, f"_{what[0]}")(target)

        def end():
            try:
                mend()
            except Exception as error:  # For run(), on the main thread.
                self._failure = error
            mended = time.monotonic_ns()
            if what[0] == "kill" or mended - now > LONGEST_HARMLESS * 1e9:
                for segment in in_doubt:
                    self.disturbances.doubt(segment, now)
            window[1] = mended + AFTERMATH_NS
            self._struck.discard(target.name)

        def start_to_end():
            # Some take a while, and others must not come late for that.
            self._mending.append(threading.Thread(target=end))
            self._mending[-1].start()
        self._at(time.monotonic() + fault.seconds, start_to_end)

    def _target(self, fault, kind):
        """What a fault strikes, or None if there is none of it left."""
        cluster = self._cluster
        alive = {"client": cluster.clients, "owner": cluster.owners, "master": cluster.masters,
                 "leader": [cluster.leader()], "disk": [cluster.small_disk]}.get(kind, [_Network])
        return alive[fault.choice % len(alive)] if alive else None

    # Each strikes, and returns how that is mended and which segments are in doubt until then.

    def _kill(self, target):
        cluster = self._cluster
        cluster.count([target] if target in [*cluster.masters, *cluster.owners] else [])
        target.process.kill()
        target.process.wait()
        if target in cluster.clients:
            return lambda: self._replace_client(target), [target.segment]
        if target in cluster.owners:
            return lambda: self._replace_owner(target), [cluster.segment_of(target)]
        return target.restart, []

    def _replace_client(self, dead):
        cluster = self._cluster
        place = cluster.clients.index(dead)
        drawn = cluster.plan.clients[place]
        drawn.seed += 1
        successor = self._until_it_starts(lambda: cluster.start_client(drawn))
        successor.tell(cluster.start_line)
        cluster.clients[place] = successor
        cluster.ended.append(dead)

    @staticmethod
    def _until_it_starts(start):
        """Another fault may be in the way: no master, no network."""
        give_up = time.monotonic() + START_SECONDS
        while True:
            try:
                started = start()
                started.wait_ready()
                return started
            except AssertionError:
                if time.monotonic() > give_up:
                    raise

    def _replace_owner(self, dead):
        cluster = self._cluster
        place = cluster.owners.index(dead)
        cluster.owners[place] = self._until_it_starts(lambda: cluster.start_owner(
            cluster.owner_name(), cluster.plan.owners[place]))

    def _pause(self, target):
        target.process.send_signal(signal.SIGSTOP)
        cluster = self._cluster
        segments = ([target.segment] if target in cluster.clients else
                    [cluster.segment_of(target)] if target in cluster.owners else [])
        return lambda: target.process.send_signal(signal.SIGCONT), segments

    def _fill(self, target):
        target.fill()
        return target.empty, []

    def _drop(self, target):
        self._cluster.drop_connections()
        return lambda: None, []

    def _partition(self, target):
        self._cluster.cut(True)
        return lambda: self._cluster.cut(False), self._segments_of_host_b()

    def _lose(self, target):
        self._cluster.lose_packets(True)
        return lambda: self._cluster.lose_packets(False), self._segments_of_host_b()

    def _segments_of_host_b(self):
        """The master is on the other one."""
        cluster = self._cluster
        return [cluster.segment_of(owner) for owner, host in
                zip(cluster.owners, cluster.plan.owners) if host == 1] + [
            client.segment for client in cluster.clients if client.host == 1]


class _Network:
    name = "the network"
