#!/usr/bin/python3
"""Runs `bartizan policy test` over every case file; a file that has no case in it is a failure too."""
import pathlib
import re
import subprocess
import sys

COUNT = re.compile(r"(\d+) passed, (\d+) failed")


def main():
    bartizan, folder = sys.argv[1:]
    good = bad = 0
    files = sorted(pathlib.Path(folder).glob("*.yaml"))
    for path in files:
        done = subprocess.run([bartizan, "policy", "test", str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        found = COUNT.findall(done.stdout)
        passed, failed = map(int, found[-1]) if found else (0, 1)
        if (done.returncode or not passed) and not failed:
            failed = 1
        good += passed
        bad += failed
        if failed:
            print("%s:\n%s" % (path, done.stdout))
    print("policy: %d passed, %d failed" % (good, bad))
    return 1 if bad or not files else 0


sys.exit(main())
