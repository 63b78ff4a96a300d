#!/usr/bin/env python3
"""Lists which tests the last run of ctest skipped, by reason: list_skipped_tests.py BUILD_DIRECTORY

Reads ctest's log, for the names that GoogleTest's and unittest's tests have there.
"""

import collections
import pathlib
import re
import sys

LOG = pathlib.Path("Testing", "Temporary", "LastTest.log")
TEST = re.compile(r"^\d+/\d+ Testing: (?P<name>.*)$")
# The reason follows the position in the source in lines of its own.
GTEST = re.compile(r"^.*: Skipped$")
UNITTEST = re.compile(r"^(?P<name>\w+) \(.*\.\.\. skipped (?P<quote>['\"])(?P<reason>.*)(?P=quote)$")
# What a script says before it ends with ctest's SKIP_RETURN_CODE, of which the log knows nothing.
SCRIPT = re.compile(r"^skipped: (?P<reason>.*)$")


def skipped_tests(lines):
    """(reason, test) of each test that was skipped."""
    test = ""
    lines = iter(lines)
    for line in lines:
        if started := TEST.match(line):
            test = started["name"]
        elif GTEST.match(line):
            yield next(lines, ""), test
        elif skipped := UNITTEST.match(line):
            yield skipped["reason"], f"{test}: {skipped['name']}"
        elif skipped := SCRIPT.match(line):
            yield skipped["reason"], test


def main():
    log = (pathlib.Path(sys.argv[1]) / LOG).read_text(errors="replace")
    tests = collections.defaultdict(list)
    for reason, test in skipped_tests(log.splitlines()):
        tests[reason or "no reason given"].append(test)
    if not tests:
        print("No test was skipped.")
    for reason, names in tests.items():
        print(f"Skipped, {reason}:")
        for name in names:
            print(f"  {name}")


if __name__ == "__main__":
    main()
