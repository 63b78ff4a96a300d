"""A file system of a few megabytes that others can fill: a disk that is full, for a while."""

import os
import shutil
import subprocess
import threading
import unittest


class SmallDisk:
    """Mounted at `directory` until it is left. SkipTest where that is not permitted."""

    name = "the disk"
    _REFILL_SECONDS = 0.02

    def __init__(self, directory, size):
        self.directory = directory
        directory.mkdir()
        if os.geteuid() != 0 or shutil.which("mount") is None:
            raise unittest.SkipTest("a file system of its own needs root and mount")
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs",
                                  str(directory)], capture_output=True, text=True)
        if mounted.returncode != 0:
            raise unittest.SkipTest(f"mounting is not permitted here: {mounted.stderr.strip()}")
        self._emptied = threading.Event()
        self._filler = None

    def fill(self):
        """Takes all that is free, and what becomes free, until empty()."""
        self._emptied.clear()
        self._filler = threading.Thread(target=self._fill)
        self._filler.start()

    def empty(self):
        """Gives back what fill() took."""
        self._emptied.set()
        if self._filler is not None:
            self._filler.join()

    def _fill(self):
        path = self.directory / "filler"
        with open(path, "wb", buffering=0) as filler:
            while not self._emptied.wait(self._REFILL_SECONDS):
                try:
                    while filler.write(bytes(1 << 16)):
                        pass
                except OSError:  # Full, as it should be.
                    pass
        path.unlink()

    def leave(self):
        self.empty()
        subprocess.run(["umount", "--lazy", str(self.directory)], check=True)
