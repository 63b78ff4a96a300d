"""The Python module mooncake.store before a real master, for scenario tests."""

import ctypes
import os
import sys
import tempfile
import unittest

import harness
import pool

# Before the library is loaded: its memory hooks and ThreadSanitizer do not agree.
os.environ.setdefault("UCX_MEM_EVENTS", "n")
sys.path.insert(0, str(harness.BUILD / "python"))
try:
    from mooncake.store import MooncakeDistributedStore, ReplicateConfig
    import_failure = None
except ImportError as error:
    MooncakeDistributedStore = ReplicateConfig = None
    import_failure = str(error)

MEBIBYTE = 1 << 20
OK, NO_SPACE, INVALID, MISSING, LEASED, RPC_FAILED = 0, -200, -600, -704, -706, -900


def address(buffer):
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


class PythonStoreCase(unittest.TestCase):
    """Each test has a store with a segment of 64 MiB, and leaves the pool empty."""

    @classmethod
    def setUpClass(cls):
        if import_failure:
            raise harness.missing(f"mooncake.store is not built for this Python: {import_failure}")
        cls.directory = tempfile.TemporaryDirectory(prefix="tandem-test-")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.master = harness.Role(
            "master", ["master", "--rpc_port=0", "--metrics_port=0",
                       "--enable_http_metadata_server=true", "--http_metadata_server_port=0"],
            cls.directory.name, ready_flag="--ready_file").start()
        cls.addClassCleanup(cls.master.stop)
        cls.address = f"127.0.0.1:{cls.master.ports['rpc']}"
        cls.metadata = f"http://127.0.0.1:{cls.master.ports['metadata']}/metadata"

    def connect(self, segment=64 * MEBIBYTE, buffers=64 * MEBIBYTE):
        store = MooncakeDistributedStore()
        self.addCleanup(store.close)
        self.assertEqual(store.setup("127.0.0.1", self.metadata, segment, buffers, "tcp", "",
                                     self.address), OK)
        return store

    def setUp(self):
        self.store = self.connect()
        self.addCleanup(pool.expect_nothing_allocated, self.master)
