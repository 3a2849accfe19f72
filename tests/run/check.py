#!/usr/bin/python3
"""make check, make asan: runs the stages one after the other, all of them even when one fails, and sums up in one plain line.

A stage's own last "N passed, M failed" (in pytest's words or ours) is what is summed; a stage that ends badly without
having counted a failure counts as one.
"""
import argparse
import os
import re
import subprocess
import sys
import time

STAGES = {
    "build": ["all", "probes", "WERROR=1"],
    "unit": ["unit", "WERROR=1"],
    "policy": ["policy", "WERROR=1"],
    "fuzz": ["fuzz-short"],
    "e2e": ["e2e", "WERROR=1"],
}
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped)\b")


def run(command):
    """Runs it, shows its output as it comes, returns its status and the counts of the last line that had any."""
    counts = {}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        found = COUNT.findall(line)
        if any(word in ("passed", "failed", "error", "errors") for _, word in found):
            counts = {word.rstrip("s"): int(number) for number, word in found}
    return process.wait(), counts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("make", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    passed = failed = skipped = 0
    table = []
    for name in options.stages.split(","):
        jobs = [] if name in ("e2e", "policy") else ["-j%d" % (os.cpu_count() or 1)]
        print("== %s" % name, flush=True)
        begun = time.monotonic()
        status, counts = run(options.make + ["--no-print-directory"] + jobs + STAGES[name])
        bad = counts.get("failed", 0) + counts.get("error", 0)
        if status and not bad:
            bad = 1
        passed += counts.get("passed", 0)
        skipped += counts.get("skipped", 0)
        failed += bad
        table.append((name, counts.get("passed", 0), bad, counts.get("skipped", 0), time.monotonic() - begun))
        if name == "build" and status:
            break
    print()
    for name, good, bad, left_out, seconds in table:
        print("%-8s %5d passed %4d failed %4d skipped %6.0f s" % (name, good, bad, left_out, seconds))
    print("%d passed, %d failed" % (passed, failed) + (", %d skipped" % skipped if skipped else ""))
    return 1 if failed else 0


sys.exit(main())
