"""A run drawn from its seed: what is started, what clients do, which faults strike and when."""

import dataclasses
import random

SETTINGS = ("one host", "two hosts", "several masters")
POOLS = ("roomy", "full", "evicting")
DISKS = ("no disk", "disk", "small disk")  # a small one is a file system of its own, and is filled
CLIENT_TTL = 2.0       # seconds; also of --client_ttl
CALL_TIMEOUT = 3.0     # of every call of a client
# Longer than owners take to tell the master what readers hold.
LEASE_MILLISECONDS = 1500
LEASE_SECONDS = 4      # of the leader, at etcd
DISCARD_TIMEOUT, RELEASE_TIMEOUT = 1, 3  # of abandoned puts
MEBIBYTE = 1 << 20

# By setting: what may happen, each as often as it stands here.
FAULTS = {
    "one host": ["kill client", "kill client", "pause client", "pause client", "kill owner",
                 "pause owner", "pause owner briefly", "kill master", "kill master", "pause master",
                 "drop connections", "drop connections"],
    "two hosts": ["kill client", "pause client", "kill owner", "pause owner", "kill master",
                  "partition", "partition", "partition briefly", "lose packets", "drop connections"],
    "several masters": ["kill client", "pause client", "kill owner", "pause owner briefly",
                        "kill leader", "kill leader", "pause leader", "pause leader",
                        "drop connections"],
}
SECONDS = {"pause client": (1.5, 4.0), "pause owner": (2.6, 3.4), "pause owner briefly": (0.2, 0.5),
           "pause master": (0.3, 2.5), "kill master": (0.1, 0.8), "kill owner": (0.3, 1.5),
           "partition": (2.6, 3.4), "partition briefly": (0.2, 0.5), "lose packets": (1.0, 2.0),
           "kill leader": (5.0, 6.0), "pause leader": (4.5, 6.5), "fill disk": (1.0, 3.0)}
# With owners' disks: for the tier memory is full long before it is for puts.
DISK_WATERMARK = {"roomy": 0.01, "evicting": 0.1}
# Of the file system that is filled. Each owner takes half of what is free there when it starts, so
# that a few of them want more than there is.
DISK_BYTES = 12 * MEBIBYTE


@dataclasses.dataclass
class Fault:
    at: float        # seconds from the start
    kind: str
    seconds: float   # until it is mended
    choice: int      # of what it strikes; taken modulo how many there are


@dataclasses.dataclass
class Client:
    seed: int
    segment: int  # bytes that it lends
    host: int


@dataclasses.dataclass
class Plan:
    seed: int
    setting: str
    pool: str
    snapshot: bool
    hosts: int
    masters: int
    owners: list    # the host of each
    segment: int    # bytes of each
    clients: list
    keys: list
    seconds: float
    faults: list
    disk: str       # of the owners: one of DISKS
    tls: bool       # and a token, and each process of a user of its own
    ask_etcd: bool  # who of several masters leads, instead of having a list of them


def draw(seed, setting=None, pool=None, disk=None, tls=False, ask_etcd=False):
    rng = random.Random(seed)
    drawn = rng.choices(SETTINGS, (5, 3, 3))[0]
    setting = setting or drawn
    drawn = rng.choices(POOLS, (6, 2, 2))[0]
    pool = pool or drawn
    hosts = 2 if setting == "two hosts" else 1
    owners = [i % hosts for i in range(rng.choice([2, 3]))]
    clients = [Client(rng.randrange(1 << 30), rng.choice([0, 0, 16 * MEBIBYTE]),
                      rng.randrange(hosts)) for _ in range(rng.choice([3, 4]))]
    seconds = rng.uniform(4, 6)
    faults = []
    for _ in range(rng.choice([1, 2, 2, 3])):
        kind = rng.choice(FAULTS[setting])
        faults.append(Fault(rng.uniform(0.5, seconds - 2), kind,
                            rng.uniform(*SECONDS.get(kind, (0, 0))), rng.randrange(1 << 16)))
    snapshot = rng.random() < 0.3 and setting != "several masters"
    keys = [f"key/{i}" for i in range(rng.choice([4, 8]))]
    # Drawn last, from the seed alone: all else is as it was before there were disks.
    drawn = rng.choices(DISKS, (4, 3, 3))[0]
    # Where everything is pinned nothing goes to disk.
    disk = "no disk" if pool == "full" else disk or drawn
    if disk == "small disk":
        faults += [Fault(rng.uniform(0.5, seconds - 2), "fill disk",
                         rng.uniform(*SECONDS["fill disk"]), 0) for _ in range(rng.choice([1, 2]))]
    return Plan(seed, setting, pool, snapshot, hosts,
                3 if setting == "several masters" else 1, owners,
                (64 if pool == "roomy" else 12) * MEBIBYTE, clients,
                keys, seconds, sorted(faults, key=lambda fault: fault.at), disk, tls,
                ask_etcd and setting == "several masters")
