"""The processes of a run: masters, owners of segments, clients; how each is started and struck."""

import collections
import functools
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import harness
from credentials import Credentials
from etcd import Etcd
from hosts import A, B, Hosts, ip
from linearizability import plan as plans
from linearizability.small_disk import SmallDisk
from users import as_user

START_SECONDS = 20
NUMBERS_OF_A_CLIENT = 1_000_000
# What masters count where an object goes although its owner lives.
LOSSES = ("master_evicted_unstored_key_count", "master_disk_dropped_key_count",
          "master_disk_lost_replicas_total")
SERVED = "tandem:store_disk_served_bytes_total"
OFFLOADED = "master_offloaded_key_count"
DISK_METRICS = "|".join((*LOSSES, SERVED, OFFLOADED, "master_offload_failed_key_count",
                         "tandem:store_disk_failed_"))


class Client:
    """One worker process, with what it is told and what it says."""

    def __init__(self, cluster, name, drawn, first_number):
        self.name, self.segment, self.host = name, "", drawn.host
        self.history = cluster.directory / f"{name}.history"
        self._log = cluster.directory / f"{name}.log"
        options = {"name": name, "seed": drawn.seed, "keys": cluster.plan.keys,
                   "pool": cluster.plan.pool, "disk": cluster.plan.disk, "segment": drawn.segment,
                   "hostname": cluster.hostnames[drawn.host], "master": cluster.master_addresses,
                   "history": str(self.history), "first_number": first_number,
                   "pause": 0.04 * harness.PATIENCE}
        with open(self._log, "ab") as log:
            self.process = subprocess.Popen(
                [*cluster.inside(drawn.host), *as_user(cluster.own_user()), sys.executable, "-B",
                 "-m", "linearizability.worker", json.dumps(options)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env=python_environment() | cluster.environment)

    def wait_ready(self):
        line = self.process.stdout.readline()
        if not line:
            self.end()
            raise AssertionError(f"{self.name} did not start:\n{self.log()}")
        self.segment = line.strip()

    def tell(self, text):
        """Ignored by one that was killed."""
        try:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def expect(self, word):
        line = self.process.stdout.readline().strip()
        if line != word and self.process.wait(timeout=10) != -signal.SIGKILL:
            raise AssertionError(f"{self.name} ended with {self.process.returncode} instead of "
                                 f"saying '{word}':\n{self.log()}")

    def log(self):
        return self._log.read_text(errors="replace")

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def python_environment():
    """For the store's module; the interpreter itself is not instrumented."""
    environment = os.environ | {
        "PYTHONPATH": f"{harness.SOURCE / 'tests'}:{harness.BUILD / 'python'}"}
    if not harness.SANITIZED:
        return environment
    kind = "tsan" if "thread" in harness.SANITIZED_BY else "asan"
    # The runtime, and with it the library whose exceptions it watches.
    libraries = [subprocess.run(["g++", f"-print-file-name=lib{name}.so"], capture_output=True,
                                text=True, check=True).stdout.strip() for name in (kind, "stdc++")]
    suppressions = harness.SOURCE / "cmake" / "tsan_suppressions.txt"
    return environment | {"UCX_MEM_EVENTS": "n", "ASAN_OPTIONS": "detect_leaks=0",
                          "TSAN_OPTIONS": f"suppressions={suppressions}",
                          "LD_PRELOAD": " ".join(libraries)}


def drop(port, inside=()):
    """Breaks the connections that were taken at a port."""
    subprocess.run([*inside, "ss", "-HKtn", "sport", "=", f":{port}"], capture_output=True,
                   check=True)


@functools.cache
def require_dropping():
    """A kernel may not have that, and whoever may not do it is not told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as caller, listener.accept()[0]:
            drop(port)
            caller.settimeout(0.5)
            try:
                caller.recv(1)
            except ConnectionError:
                return
            except TimeoutError:
                pass
    raise unittest.SkipTest("ss -K breaks no connections here")


class Cluster:
    """A run's processes. Use it as a context; leaving it ends them all."""

    def __init__(self, plan, directory):
        self.plan, self.directory = plan, pathlib.Path(directory)
        self.network, self.etcd, self.small_disk = None, None, None
        self.tally = collections.Counter()  # by metric, of processes that were killed
        self.masters, self.owners, self.clients, self.ended = [], [], [], []
        self._started = 0  # clients
        self._owners_started = 0
        self._users = itertools.count()
        self.hostnames = [A, B] if plan.hosts == 2 else ["127.0.0.1"]
        self._credentials, self.environment = None, {}
        if plan.tls:
            self._credentials = Credentials(self.directory / "credentials", self.hostnames)
            self.environment = self._credentials.environment()

    def inside(self, host):
        if self.network is None:
            return []
        return ["ip", "netns", "exec", (self.network.a, self.network.b)[host]]

    def _namespace(self, host):
        return None if self.network is None else (self.network.a, self.network.b)[host]

    def own_user(self):
        """For one process. Those of one user would pass TLS by; None without it."""
        return next(self._users) if self.plan.tls else None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        if self.plan.hosts == 2:
            self.network = Hosts().__enter__()
        if self.plan.disk == "small disk":
            self.small_disk = SmallDisk(self.directory / "disk", plans.DISK_BYTES)
        if self.plan.masters > 1:
            self.etcd = Etcd(self.directory)
        for i in range(self.plan.masters):
            self.masters.append(self._master(i))
        for master in self.masters:
            master.wait_ready(START_SECONDS)
        self.master_addresses = self.etcd.master_address if self.plan.ask_etcd else ",".join(
            f"{self.hostnames[0]}:{master.ports['rpc']}" for master in self.masters)
        harness.wait_until(self.leader, START_SECONDS, "a leader")
        for host in self.plan.owners:
            self.owners.append(self.start_owner(self.owner_name(), host))
        for owner in self.owners:
            owner.wait_ready(START_SECONDS)
        for drawn in self.plan.clients:
            self.clients.append(self.start_client(drawn))
        for client in self.clients:
            client.wait_ready()

    def _master(self, number):
        flags = ["--rpc_port=0", f"--rpc_address={self.hostnames[0]}", "--metrics_port=0",
                 f"--client_ttl={plans.CLIENT_TTL:.0f}", f"--default_kv_lease_ttl={plans.LEASE_MILLISECONDS}",
                 f"--put_start_discard_timeout_sec={plans.DISCARD_TIMEOUT}",
                 f"--put_start_release_timeout_sec={plans.RELEASE_TIMEOUT}"]
        if self.plan.snapshot:
            flags += ["--enable_snapshot", "--snapshot_interval_seconds=1",
                      f"--snapshot_backup_dir={self.directory}"]
        if self.plan.disk != "no disk":
            watermark = plans.DISK_WATERMARK[self.plan.pool]
            flags += ["--enable_offload", f"--root_fs_dir={self.directory / 'disk'}",
                      f"--eviction_high_watermark_ratio={watermark}",
                      f"--eviction_ratio={watermark / 5}"]
        if self.etcd is not None:
            flags += ["--enable_ha", f"--etcd_endpoints={self.etcd.endpoint}",
                      f"--etcd_lease_seconds={plans.LEASE_SECONDS}"]
        return harness.Role(f"master{number}", ["master", *flags], self.directory,
                            self.environment, self._namespace(0), ready_flag="--ready_file",
                            host=self.hostnames[0], user=self.own_user()).start(wait=False)

    def start_owner(self, name, host):
        return harness.Role(name, ["store", "serve", f"--master={self.master_addresses}",
                                   "--metadata-server=P2PHANDSHAKE",
                                   f"--local-hostname={self.hostnames[host]}",
                                   f"--segment-size={self.plan.segment}", "--metrics-port=0"],
                            self.directory, self.environment, self._namespace(host),
                            user=self.own_user()).start(wait=False)

    def owner_name(self):
        self._owners_started += 1
        return f"owner{self._owners_started - 1}"

    def segment_of(self, owner):
        host = self.plan.owners[self.owners.index(owner)]
        return f"{self.hostnames[host]}:{owner.ports['data']}"

    def start_client(self, drawn):
        number, self._started = self._started, self._started + 1
        return Client(self, f"client{number}", drawn, (number + 1) * NUMBERS_OF_A_CLIENT)

    def admin(self, role, path, host=0):
        """The body of a page of the port for metrics; empty if there is no answer."""
        scheme, flags = ("https", self._credentials.curl_flags()) if self.plan.tls else ("http", [])
        result = subprocess.run([*self.inside(host), "curl", "-sS", "--max-time", "1", *flags,
                                 f"{scheme}://{self.hostnames[host]}:{role.ports['metrics']}{path}"],
                                capture_output=True, text=True)
        return result.stdout if result.returncode == 0 else ""

    def leader(self):
        for master in self.masters:
            if master.process.poll() is None and self.admin(master, "/role").strip() == "leader":
                return master
        return None

    def segments(self):
        """Those that the leader knows, or None without one."""
        leader = self.leader()
        return None if leader is None else set(self.admin(leader, "/get_all_segments").split())

    def metric(self, name):
        leader = self.leader()
        found = None if leader is None else self._metrics(leader, name + "$").get(name)
        return found

    def _metrics(self, role, names):
        """Those of a master or an owner whose names match."""
        host = 0 if role in self.masters else self.plan.owners[self.owners.index(role)]
        text = self.admin(role, "/metrics", host)
        return {name: float(value) for name, value in re.findall(r"^(\S+) (\S+)$", text, re.M)
                if re.match(names, name)}

    def count(self, roles):
        """Adds to the tally what these have counted of disks, at their end."""
        for role in roles:
            if self.plan.disk != "no disk" and role.process.poll() is None:
                self.tally.update(self._metrics(role, DISK_METRICS))

    def lost_on_disks(self):
        """How many objects masters have counted that neither memory nor disk could keep."""
        return sum(self.tally[name] for name in LOSSES)

    def run_python(self, program):
        return subprocess.run([*self.inside(0), sys.executable, "-c", program],
                              env=python_environment() | self.environment, capture_output=True,
                              text=True, timeout=60 * harness.PATIENCE)

    def drop_connections(self):
        """Breaks every TCP connection to a master and between owners and others."""
        require_dropping()
        for host in range(self.plan.hosts):
            for port in self._listening_ports(host):
                drop(port, self.inside(host))

    def _listening_ports(self, host):
        """Of masters and owners, those too that they chose themselves."""
        listeners = subprocess.run([*self.inside(host), "ss", "-Hltnp"], capture_output=True,
                                   text=True, check=True).stdout.splitlines()
        roles = [f"pid={role.process.pid}," for role in [*self.masters, *self.owners]]
        return {line.split()[3].rpartition(":")[2] for line in listeners
                if any(role in line for role in roles)}

    def cut(self, cut):
        ip("-n", self.network.b, "link", "set", self.network.link_b, "down" if cut else "up")

    def lose_packets(self, lose):
        change = ["add", "dev", self.network.link_b, "root", "netem", "loss", "20%"] if lose else [
            "del", "dev", self.network.link_b, "root"]
        subprocess.run([*self.inside(1), "tc", "qdisc", *change], capture_output=True, check=True)

    def __exit__(self, *_):
        for client in [*self.clients, *self.ended]:
            client.end()
        for role in [*self.owners, *self.masters]:
            role.kill()
        if self.etcd is not None:
            self.etcd.stop()
        if self.network is not None:
            self.network.__exit__()
        if self.small_disk is not None:
            self.small_disk.leave()

    def sanitizer_reports(self):
        return [f"{path.name}:\n{text}" for path in self.directory.glob("*.log")
                if "Sanitizer" in (text := path.read_text(errors="replace"))
                or "runtime error:" in text]


class Watch(threading.Thread):
    """Notices that the machine itself stood still, which no process can be blamed for."""

    def __init__(self):
        super().__init__(daemon=True)
        self.longest = 0.0
        self._stopped = threading.Event()

    def run(self):
        before = time.monotonic()
        while not self._stopped.wait(0.02):
            now = time.monotonic()
            self.longest = max(self.longest, now - before)
            before = now

    def stop(self):
        self._stopped.set()
        self.join()
        return self.longest
