"""`pip wheel` builds the Python module from the tree, and a fresh virtual environment can use it."""

import os
import pathlib
import subprocess
import sys
import unittest

import harness
from python_store import PythonStoreCase

PROGRAM = """
import sys
from mooncake.store import MooncakeDistributedStore
store = MooncakeDistributedStore()
assert store.setup("127.0.0.1", "P2PHANDSHAKE", 0, 1 << 20, "tcp", "", sys.argv[1]) == 0
assert store.get("key") == b"from the tree"
store.close()
import mooncake
print(mooncake.__file__)
"""


class WheelTest(PythonStoreCase):
    def run_tool(self, *command):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        result = subprocess.run(list(map(str, command)), env=environment, text=True,
                                capture_output=True, timeout=500)
        self.assertEqual(result.returncode, 0, result.stdout[-3000:] + result.stderr[-3000:])
        return result.stdout

    @unittest.skipIf(harness.SANITIZED, "the wheel is built without sanitizers")
    def test_a_virtual_environment_uses_the_wheel(self):
        try:
            import scikit_build_core  # noqa: F401
        except ImportError:
            raise harness.missing("scikit-build-core is not installed; see tests/requirements.txt")
        directory = pathlib.Path(self.directory.name)
        self.run_tool(sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps",
                      f"--wheel-dir={directory}", harness.SOURCE)
        wheels = list(directory.glob("tandem_store-*.whl"))
        self.assertEqual(len(wheels), 1)
        environment = directory / "environment"
        self.run_tool(sys.executable, "-m", "venv", environment)
        python = environment / "bin" / "python"
        self.run_tool(python, "-m", "pip", "install", "--no-index", wheels[0])
        self.assertEqual(self.store.put("key", b"from the tree"), 0)
        used = self.run_tool(python, "-c", PROGRAM, self.address)
        self.assertIn(str(environment), used)


if __name__ == "__main__":
    unittest.main()
