"""A program written against Mooncake's documented Python API alone, on this store.

By hand it runs on Mooncake's own: docs/transcripts/mooncake_client.txt.
"""

import os
import subprocess
import sys
import unittest

import harness
from python_store import PythonStoreCase


class MooncakeClientTest(PythonStoreCase):
    def run_program(self, metadata):
        result = subprocess.run(
            [sys.executable, harness.SOURCE / "tests" / "clients" / "mooncake_client.py",
             f"--master={self.address}", f"--metadata={metadata}"],
            env=os.environ | {"PYTHONPATH": str(harness.BUILD / "python")}, capture_output=True,
            timeout=120 * harness.PATIENCE)
        self.assertEqual(result.returncode, 0, result.stderr.decode())

    def test_with_a_metadata_server(self):
        self.run_program(self.metadata)

    def test_peer_to_peer(self):
        self.run_program("P2PHANDSHAKE")


if __name__ == "__main__":
    unittest.main()
