#!/usr/bin/python3
"""make lint: what a compiler, cppcheck and mandoc can see, and the rules of the house that a script can see.

CC and CPPFLAGS come from the Makefile. Every rule is one function that yields complaints.
"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rooms import Rooms  # noqa: E402
from concurrent.futures import ThreadPoolExecutor

WARNINGS = """-std=gnu17 -O2 -Werror -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef -Wwrite-strings -Wpointer-arith
    -Wduplicated-cond -Wduplicated-branches -Wimplicit-fallthrough -Wold-style-definition -Wredundant-decls""".split()
ROOMS = Rooms()
THIRD_PARTY = [  # header, and the files that may include it
    (r"sqlite3\.h", r"store/"),
    (r"yaml\.h", r"conf/yaml\.c"),
    (r"curl/", r"server/egress/|oidc/http"),
    (r"jwt\.h", r"oidc/jws"),
    (r"vterm\.h", r"lineguard/screen"),
    (r"seccomp\.h", r"server/role/sandbox\.c"),
    (r"event2?/", r"server/"),
    (r"libssh/", r"server/(libssh|relay|session)/"),
    # the library's inside
    (r"config\.h|libssh/(?!(libssh|callbacks|server)\.h)", r"server/libssh/"),
]
PROGRAMS = ("bartizan", "bartizand")
# Reached from neither program, and wanted. Tests look with the first four at what cannot be seen otherwise.
UNREACHED = {
    "config_load_all": "a configuration with keys that the gateway cannot do yet",
    "cast_reader_header": "what a transcript says of itself",
    "env_default": "whether each name of the default list is taken",
    "jwks_count": "how many keys of a set are usable",
    "debian_version_installed": "called with LIBSSH=system",
    "debian_version_compare": "called with LIBSSH=system",
}
COLUMNS = 100
COLUMNS_TESTS = 240  # tables of cases: one case, one line
INCLUDE = re.compile(r'^#include\s+(["<])([^">]+)[">]', re.M)


def sources(*patterns):
    """Of all rooms; the program's own main is none of them."""
    found = [path for room in ROOMS.below for pattern in patterns for path in pathlib.Path(room).glob(pattern)]
    return sorted(set(found) | {path for pattern in patterns for path in pathlib.Path("server").glob(pattern)})


def call(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.stdout.strip() or "%s: status %d" % (command[0], done.returncode) if done.returncode else None


def compiled():
    """Every source without a warning; every header on its own."""
    base = shlex.split(os.environ["CC"]) + shlex.split(os.environ["CPPFLAGS"]) + WARNINGS
    jobs = [base + ["-c", "-o", "/dev/null", str(path)] for path in sources("*.c")]
    jobs += [base + ["-fsyntax-only", "-x", "c", str(path)] for path in sources("*.h")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from filter(None, pool.map(call, jobs))


def cppcheck():
    flags = ["--quiet", "--std=c11", "--enable=warning,performance,portability", "--inline-suppr", "--error-exitcode=1", "--max-configs=1", "-D_GNU_SOURCE", "-I.",
             "--include=tests/run/cppcheck.h",
             "-j%d" % (os.cpu_count() or 1), "--suppressions-list=tests/run/cppcheck.txt", "--template={file}:{line}: {severity}: {message} [{id}]"]
    complaint = call(["cppcheck"] + flags + [str(path) for path in sources("*.c")])
    if complaint:
        yield complaint


def manuals():
    for path in sorted(pathlib.Path("man").glob("*.[158]")):
        complaint = call(["mandoc", "-Tlint", "-Wwarning", str(path)])
        if complaint:
            yield complaint


def rooms():
    for folder in sorted({str(path.parent) for top in ("server", "common") for path in pathlib.Path(top).rglob("*.c")}):
        if folder != "server" and folder not in ROOMS.below:
            yield "%s: not in tests/run/rooms.txt" % folder
    for path in sources("*.c", "*.h"):
        room = str(path.parent)
        for kind, header in INCLUDE.findall(path.read_text()):
            if kind == '"' and room != "server" and str(pathlib.Path(header).parent) not in ROOMS.includes(room):
                yield "%s: includes %s, which its row in tests/run/rooms.txt does not allow" % (path, header)
            for pattern, allowed in THIRD_PARTY:
                if kind == "<" and re.match(pattern, header) and not re.match(allowed, str(path)):
                    yield "%s: includes <%s>, which belongs to %s" % (path, header, allowed)


def dead():
    """Every function is reached from one of the two programs: both are linked with a section for each function, and
    what the linker leaves out of both is dead."""
    build = "build/lint"
    command = ["make", "--no-print-directory", "-s", "-j%d" % (os.cpu_count() or 1), "CC=" + os.environ["CC"], "BUILD=" + build,
               "CFLAGS=-O0 -ffunction-sections", "LDFLAGS=-Wl,--gc-sections"] + ["%s/%s" % (build, program) for program in PROGRAMS]
    environment = {name: value for name, value in os.environ.items() if name not in ("CPPFLAGS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    if done.returncode:
        yield "%s does not build:\n%s" % (build, "\n".join(line for line in done.stdout.splitlines() if not line.startswith("  ")))
        return
    live = set().union(*(functions(["%s/%s" % (build, program)]) for program in PROGRAMS))
    for name, path in sorted(functions([str(pathlib.Path(build, path.with_suffix(".o"))) for path in sources("*.c")]).items()):
        if name not in live and name not in UNREACHED:
            yield "%s: %s() is reached from neither program" % (path, name)


def functions(objects):
    """{function: source file} of those that other files can call."""
    found = {}
    for line in subprocess.run(["nm", "-A", "--defined-only"] + objects, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines():
        place, kind, name = line.split()
        if kind == "T":
            found[name] = place.split(":")[0].replace("build/lint/", "").replace(".o", ".c")
    return found


def own_header_first():
    """Its own header, or the private one of its folder that includes it."""
    for path in sources("*.c"):
        own = path.with_suffix(".h")
        first = INCLUDE.search(path.read_text())
        if own.exists() and first and first.group(2) != str(own) and not first.group(2).startswith(str(path.parent) + "/"):
            yield "%s: includes %s before its own header" % (path, first.group(2))


def layout():
    for path in sources("*.c", "*.h") + sorted(pathlib.Path("tests").glob("*/*.c")):
        text = path.read_text()
        if not text.startswith("/*"):
            yield "%s:1: does not open with a comment on its job" % path
        for number, line in enumerate(text.splitlines(), 1):
            columns = COLUMNS_TESTS if path.parts[0] == "tests" else COLUMNS
            if len(line.expandtabs(8)) > columns:
                yield "%s:%d: longer than %d columns" % (path, number, columns)
            if line != line.rstrip():
                yield "%s:%d: ends with a space" % (path, number)
            if re.match(r" {8}", line):
                yield "%s:%d: indented with spaces" % (path, number)


def formatted():
    """Layout is clang-format's: of the version that .clang-format was written for, since others break lines elsewhere."""
    version = subprocess.run(["clang-format", "--version"], stdout=subprocess.PIPE, text=True).stdout if shutil.which("clang-format") else ""
    if " 14." not in version:
        print("%-18s skipped: needs clang-format 14" % "formatted")
        return
    yield from filter(None, map(lambda path: call(["clang-format", "--dry-run", "-Werror", "--ferror-limit=1", str(path)]), sources("*.c", "*.h")))


def pages():
    for page in ("README.md", "ARCHITECTURE.md", "DEVELOPERS.md"):
        for number, line in enumerate(pathlib.Path(page).read_text().splitlines(), 1):
            if len(line) >= 120:
                yield "%s:%d: %d columns, 120 are too many" % (page, number, len(line))


def python():
    for path in sorted(pathlib.Path("tests").rglob("*.py")) + [path for path in (pathlib.Path("tests/lab"), pathlib.Path("tests/demo")) if path.exists()]:
        try:
            compile(path.read_text(), str(path), "exec")
        except SyntaxError as wrong:
            yield str(wrong)


def main():
    bad = 0
    for rule in (compiled, dead, cppcheck, manuals, rooms, own_header_first, layout, formatted, pages, python):
        complaints = list(rule())
        bad += len(complaints)
        print("%-18s %s" % (rule.__name__, "%d complaints" % len(complaints) if complaints else "ok"), flush=True)
        for complaint in complaints:
            print(complaint)
    return 1 if bad else 0


sys.exit(main())
