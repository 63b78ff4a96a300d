"""A real etcd of one member, for tests of several masters."""

import pathlib
import shutil
import socket
import subprocess

import harness


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Etcd:
    """Runs from its making until stop(). Its log and data go into `directory`."""

    def __init__(self, directory):
        if shutil.which("etcd") is None:
            raise harness.missing("etcd is not installed (Debian's etcd-server)")
        self.endpoint, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        directory = pathlib.Path(directory)
        with open(directory / "etcd.log", "ab") as log:
            self.process = subprocess.Popen(
                ["etcd", "--data-dir", str(directory / "etcd"),
                 "--listen-client-urls", self.endpoint, "--advertise-client-urls", self.endpoint,
                 "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                 "--initial-cluster", f"default={peer}"], stdout=log, stderr=log)

    @property
    def master_address(self):
        """By which clients find whoever leads."""
        return self.endpoint.replace("http://", "etcd://")

    def stop(self):
        self.process.kill()
        self.process.wait()
