#!/usr/bin/python3
"""Runs the libFuzzer programs for a few seconds each, from the corpus in tests/fuzz/corpus/NOUN; what they find new goes to the build folder.

A crash is kept beside the program, its input printed in hexadecimal so that a CI log alone suffices to repeat it.
"""
import argparse
import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

SOURCE = pathlib.Path("tests/fuzz")


def run(program, seconds):
    noun = program.name.removeprefix("fuzz_")
    found = program.parent / "found" / noun
    found.mkdir(parents=True, exist_ok=True)
    command = [str(program), "-max_total_time=%d" % seconds, "-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1",
               "-artifact_prefix=%s/crash-%s-" % (program.parent, noun)]
    if (SOURCE / (noun + ".dict")).exists():
        command.append("-dict=%s" % (SOURCE / (noun + ".dict")))
    command.append(str(found))
    if (SOURCE / "corpus" / noun).is_dir():
        command.append(str(SOURCE / "corpus" / noun))
    environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:allocator_may_return_null=1", UBSAN_OPTIONS="print_stacktrace=1")
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=seconds + 120, env=environment)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("programs", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    bad = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda program: run(program, options.seconds), options.programs))
    for program, done in zip(options.programs, results):
        runs = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("stat::number_of_executed_units")]
        print("%-20s %9s runs %s" % (program.name, runs[0] if runs else "?", "FAILED" if done.returncode else "ok"), flush=True)
        if done.returncode:
            bad += 1
            print("\n".join(done.stdout.splitlines()[-80:]))
            for crash in sorted(program.parent.glob("crash-%s-*" % program.name.removeprefix("fuzz_"))):
                print("%s: %s" % (crash, crash.read_bytes()[:4096].hex()))
    print("fuzz: %d passed, %d failed" % (len(options.programs) - bad, bad))
    return 1 if bad or not options.programs else 0


sys.exit(main())
