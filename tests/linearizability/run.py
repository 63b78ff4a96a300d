"""Checks that the store is linearizable under faults: `python3 -m linearizability.run --seeds 200`.

Run it in tests/, with TANDEM_BUILD naming the build (default: build). Each seed is one run of a few
seconds; one that fails prints its seed and keeps its history under --keep.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import functools
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import unittest

import harness
from linearizability import plan as plans
from linearizability.analysis import Analysis, load
from linearizability.cluster import LOSSES, OFFLOADED, SERVED, Cluster, Watch
from linearizability.faults import Faults

RECOVERY_SECONDS = 10
# Above this the machine was at a halt and the times of a run mean nothing.
LONGEST_STALL = 0.5
NOTHING_RAN = 77  # the exit status where every seed was skipped


@dataclasses.dataclass
class Result:
    plan: plans.Plan
    violations: list
    faults: list
    counts: collections.Counter
    stalled: float
    tally: collections.Counter
    certain: bool = False  # violations that no delay explains: bytes, and reports of sanitizers


def run_plan(plan, directory):
    """One run; its histories stay in `directory`."""
    (pathlib.Path(directory) / "plan.json").write_text(
        json.dumps(dataclasses.asdict(plan), indent=1))
    violations = []
    watch = Watch()
    with Cluster(plan, directory) as cluster:
        watch.start()
        disturbances = _drive(cluster, violations)
        stalled = watch.stop()
        cluster.count([*cluster.masters, *cluster.owners])
        _check_accounting(cluster, violations)
        reports = cluster.sanitizer_reports()
    (pathlib.Path(directory) / "disturbances.json").write_text(
        json.dumps(dataclasses.asdict(disturbances), indent=1))
    analysis = Analysis(plan, disturbances, *load(pathlib.Path(directory).glob("*.history")),
                        cluster.lost_on_disks())
    violations += reports + analysis.run()
    return Result(plan, violations, disturbances.log, analysis.counts(), stalled, cluster.tally,
                  certain=bool(reports) or analysis.saw_wrong_bytes)


def _drive(cluster, violations):
    start = time.monotonic()
    stop_at = start + cluster.plan.seconds
    cluster.start_line = json.dumps({
        "stop_at": stop_at, "segments": [cluster.segment_of(owner) for owner in cluster.owners]})
    for client in cluster.clients:
        client.tell(cluster.start_line)
    faults = Faults(cluster, start)
    faults.run(stop_at)
    for client in cluster.clients:
        client.expect("ran")
    try:
        harness.wait_until(lambda: _all_are_back(cluster), RECOVERY_SECONDS, "all segments")
    except AssertionError as error:
        violations.append(f"{error}: {sorted(cluster.segments() or [])}")
    for client in cluster.clients:
        client.tell("read")
    for client in cluster.clients:
        client.expect("read")
    for client in cluster.clients:
        client.tell("end")
        client.process.wait(timeout=30 * harness.PATIENCE)
    return faults.disturbances


def _all_are_back(cluster):
    alive = {cluster.segment_of(owner) for owner in cluster.owners} | {
        client.segment for client in cluster.clients if client.segment}
    return cluster.segments() == alive


def _check_accounting(cluster, violations):
    """Once everything is removed, nothing is left of what aborted puts, readers and faults took."""
    removed = cluster.run_python("import sys; from mooncake.store import MooncakeDistributedStore; "
                                 "store = MooncakeDistributedStore(); sys.exit("
                                 "store.setup('127.0.0.1', 'P2PHANDSHAKE', 0, 1 << 20, 'tcp', '', "
                                 f"'{cluster.master_addresses}') or store.remove_all(True) < 0)")
    if removed.returncode != 0:
        violations.append(f"the pool could not be emptied: {removed.stderr}")
    try:
        harness.wait_until(lambda: cluster.metric("master_allocated_bytes") == 0,
                           plans.RELEASE_TIMEOUT + RECOVERY_SECONDS, "the pool to be empty")
    except AssertionError as error:
        violations.append(f"{error}: {cluster.metric('master_allocated_bytes')} bytes are left, "
                          f"of {cluster.metric('master_key_count')} keys")


def disk_words(result):
    if result.plan.disk == "no disk":
        return ""
    return (f", {result.plan.disk}: {result.tally[OFFLOADED]:.0f} objects stored, "
            f"{result.tally[SERVED]:.0f} bytes served, "
            f"{sum(result.tally[name] for name in LOSSES):.0f} lost")


def run_and_report(seed, options):
    """Runs a seed, again if the machine stood still; returns its result or None if it was skipped."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix=f"tandem-linearizability-{seed}-"))
    draw = functools.partial(plans.draw, seed, options.setting, options.pool, options.disk,
                             options.tls, options.etcd_address)
    try:
        for _ in range(3):
            shutil.rmtree(directory)
            directory.mkdir()
            result = run_plan(draw(), directory)
            if result.certain or result.stalled < LONGEST_STALL * harness.PATIENCE:
                break
    except unittest.SkipTest as reason:
        print(f"seed {seed}: skipped, {reason}", flush=True)
        shutil.rmtree(directory)
        return None
    except Exception as error:  # A process that died by itself, say: the other seeds go on.
        result = Result(draw(), [f"not run: {error}"], [], collections.Counter(), 0,
                        collections.Counter())
    plan = result.plan
    print(f"seed {seed}: {'FAILED' if result.violations else 'ok'} ({plan.setting}, {plan.pool}"
          f"{disk_words(result)}"
          f"{', snapshot' if plan.snapshot else ''}{', TLS' if plan.tls else ''}"
          f"{', leader asked of etcd' if plan.ask_etcd else ''}; "
          f"{sum(result.counts.values())} operations; {'; '.join(result.faults)})", flush=True)
    if result.violations:
        kept = pathlib.Path(options.keep) / f"seed-{seed}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.move(directory, kept)
        text = "\n".join(result.violations)
        (kept / "violations.txt").write_text(text)
        print(f"{text}\nhistory and logs: {kept}", flush=True)
    else:
        shutil.rmtree(directory)
    return result


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=10, help="how many runs")
    parser.add_argument("--first", type=int, default=1, help="the first run's seed")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--setting", choices=plans.SETTINGS, help="instead of what the seed draws")
    parser.add_argument("--pool", choices=plans.POOLS, help="instead of what the seed draws")
    parser.add_argument("--disk", choices=plans.DISKS, help="instead of what the seed draws")
    parser.add_argument("--tls", action="store_true",
                        help="with TLS and a token, each process as a user of its own (needs root)")
    parser.add_argument("--etcd-address", action="store_true",
                        help="clients of several masters ask etcd who leads")
    parser.add_argument("--keep", default=tempfile.gettempdir(), help="where failed runs are kept")
    options = parser.parse_args(arguments)
    os.makedirs(options.keep, exist_ok=True)
    seeds = range(options.first, options.first + options.seeds)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = [result for result in
                   pool.map(lambda seed: run_and_report(seed, options), seeds) if result]
    faults = collections.Counter(" ".join(fault.split(": ")[1].split(" for ")[0].split()[:2])
                                 for result in results for fault in result.faults)
    operations = sum((result.counts for result in results), collections.Counter())
    tally = sum((result.tally for result in results), collections.Counter())
    failed = [result.plan.seed for result in results if result.violations]
    print(f"{len(results)} runs, {len(failed)} failed{f': {failed}' if failed else ''}\n"
          f"operations: {dict(operations.most_common())}\nfaults: {dict(faults.most_common())}\n"
          f"disks: {dict(tally.most_common())}")
    if failed:
        return 1
    return 0 if results else NOTHING_RAN


if __name__ == "__main__":
    sys.exit(main())
