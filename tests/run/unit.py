#!/usr/bin/python3
"""Runs the cmocka programs named on the command line; prints one line for each, and everything a failed one said."""
import re
import subprocess
import sys

TIMEOUT = 120
TESTS = re.compile(r"^\[\s+(PASSED|FAILED)\s+\]\s+(\d+) test\(s\)", re.M)


def run(program):
    try:
        done = subprocess.run([program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=TIMEOUT)
    except subprocess.TimeoutExpired as late:
        return 0, 1, "%s\ntook longer than %d s" % ((late.stdout or b"").decode(errors="replace"), TIMEOUT)
    counts = {"PASSED": 0, "FAILED": 0}
    for word, number in TESTS.findall(done.stdout):
        counts[word] += int(number)
    if done.returncode and not counts["FAILED"]:
        counts["FAILED"] = 1
        done.stdout += "\nended with status %d" % done.returncode
    if not done.returncode and not counts["PASSED"]:
        return 0, 1, done.stdout + "\nran no test"
    return counts["PASSED"], counts["FAILED"], done.stdout


def main():
    good = bad = 0
    for program in sys.argv[1:]:
        passed, failed, output = run(program)
        good += passed
        bad += failed
        print("%-32s %4d passed %3d failed" % (program.rsplit("/", 1)[-1], passed, failed), flush=True)
        if failed:
            print(output, flush=True)
    print("unit: %d passed, %d failed" % (good, bad))
    return 1 if bad or not good else 0


sys.exit(main())
