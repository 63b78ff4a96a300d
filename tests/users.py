"""Users of one machine, whom the store keeps apart as it does hosts."""

import os
import shutil
import unittest

FIRST_USER = 61000  # of those that nobody else is given


def as_user(number):
    """What a command begins with to run as that one of these users, who may read and write the
    files of all others; nothing for None. SkipTest where that is not permitted."""
    if number is None:
        return []
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        raise unittest.SkipTest("running as other users needs root and setpriv")
    return ["setpriv", f"--reuid={FIRST_USER + number}", "--inh-caps=+dac_override",
            "--ambient-caps=+dac_override"]
