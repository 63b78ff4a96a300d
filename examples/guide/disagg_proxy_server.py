"""Stands in for LMCache's disagg_proxy_server.py, so that the guide's own line starts our proxy."""

import os
import pathlib
import shutil
import sys

built = pathlib.Path(__file__).resolve().parents[2] / "build" / "bin" / "tandem"
tandem = os.environ.get("TANDEM") or shutil.which("tandem") or str(built)
os.execv(tandem, [tandem, "proxy", *sys.argv[1:]])
