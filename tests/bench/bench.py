#!/usr/bin/python3
"""make bench: this gateway beside what people use instead, on the same machine, interleaved, medians.

	gateway jump, gateway direct   the lab's gateway with policy, recording and sandbox on
	bastion                        a two-leg OpenSSH bastion: sshd with ForceCommand ssh BACKEND "$SSH_ORIGINAL_COMMAND"
	proxyjump                      ssh -J through an sshd: a blind tunnel
	direct                         ssh to the target itself

"approve to release" is the time from a lead's vote, as the gateway has noted it, to the first act of the command that waited for it on the target.

Every round runs every way once, so that noise hits all alike. CPU is user + system time of the gateway's (the bastion's, the tunnel's)
processes, ended ones included; the target and the client are not counted. --quick is for a look, --json for machines.
"""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.dont_write_bytecode = True

from lablib import process, servers  # noqa: E402
from lablib.lab import Lab  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
CIPHER = "aes256-gcm@openssh.com"
STALL_SECONDS = 6


class Way:
    """One way to the target: how ssh is called, and whose processes do the work in between."""

    def __init__(self, name, command, root=None, waiting=None, lab=None):
        self.name, self.command, self.root = name, command, root
        self.waiting, self.lab = waiting, lab  # how ssh is called to a target where somebody has to approve
        self.idle_members = set()  # its processes while nobody is connected

    def run(self, *words, **options):
        return subprocess.run([*self.command, *words], check=True, **{"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, **options})

    def popen(self, *words, **options):
        return subprocess.Popen([*self.command, *words], **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **options})

    def members(self):
        """Pids of the middle's processes now."""
        return set(process.family(self.root)) if self.root else set()


class Cpu:
    """CPU seconds of a tree of processes between enter and exit.

    What lives is read from /proc; what has ended was waited for by its parent and is in the parent's cutime and cstime, all the way up to the
    root. A child that outlives its parent would be missed; sshd and the gateway wait for theirs.
    """

    def __init__(self, way):
        self.way, self.seconds = way, 0.0

    def total(self):
        ticks = 0
        for pid in self.way.members():
            fields = process.stat_fields(pid)
            ticks += sum(map(int, fields[11:15])) if fields else 0
        return ticks / TICK

    def __enter__(self):
        self.before = self.total()
        return self

    def __exit__(self, *_):
        self.settle()
        self.seconds = self.total() - self.before

    def settle(self):
        """Waits until the processes of the finished connection are gone, so that their time has gone up to their parents."""
        known = self.way.idle_members
        with contextlib.suppress(process.Wait):
            process.wait_until(lambda: not self.way.members() - known, 5, "the end of a connection's processes")


def pss(pids):
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total


# ---- what is measured: each function is one sample of one way ----

def latency(way, _):
    """ssh X true, in ms."""
    begun = time.monotonic()
    way.run("true")
    return (time.monotonic() - begun) * 1000


def cpu_down(way, options):
    with Cpu(way) as cpu:
        way.run("-o", "Ciphers " + CIPHER, "head -c %d /dev/zero" % options.bytes)
    return cpu.seconds / (options.bytes / 1e9)


def cpu_up(way, options):
    with Cpu(way) as cpu:
        source = subprocess.Popen(["head", "-c", str(options.bytes), "/dev/zero"], stdout=subprocess.PIPE)
        way.run("-o", "Ciphers " + CIPHER, "cat >/dev/null", stdin=source.stdout)
        source.stdout.close()
        source.wait()
    return cpu.seconds / (options.bytes / 1e9)


def cpu_connection(way, options):
    """ms of CPU for one login, `true` and the end: the mean of a handful, for the clock's ticks are coarse."""
    with Cpu(way) as cpu:
        for _ in range(options.logins):
            way.run("true")
    return cpu.seconds * 1000 / options.logins


def wait_line(child):
    line = []
    reader = threading.Thread(target=lambda: line.append(child.stdout.readline()), daemon=True)
    reader.start()
    reader.join(30)
    if not line:
        raise SystemExit("bench: a session did not begin")


@contextlib.contextmanager
def held(way, command):
    """A session that runs `command`, which says one line first."""
    before = way.members()
    child = way.popen(command)
    try:
        wait_line(child)
        yield child, lambda: way.members() - before
    finally:
        child.kill()
        child.stdout.close()
        child.stdin.close()
        child.wait()
        Cpu(way).settle()


def idle_memory(way, options):
    """KiB of PSS that one more idle session costs: several at once, the whole middle before and after."""
    before = pss(way.members())
    with contextlib.ExitStack() as stack:
        for _ in range(options.idle):
            stack.enter_context(held(way, "echo here; cat"))
        return (pss(way.members()) - before) / options.idle


def stalled_memory(way, _):
    """MiB at most of a session whose client was stopped in the middle of a gigabyte."""
    with held(way, "echo here; head -c 1000000000 /dev/zero") as (child, mine):
        child.send_signal(signal.SIGSTOP)
        end, most = time.monotonic() + STALL_SECONDS, 0
        while time.monotonic() < end:
            most = max(most, pss(mine()))
            time.sleep(0.1)
        child.send_signal(signal.SIGCONT)
    return most / 1024


def approve_to_release(way, _):
    """ms between the vote and the command's own first act: a login on the target is part of it."""
    child = subprocess.Popen([*way.waiting, "date +%s%N"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        row = process.wait_until(lambda: [row for row in json.loads(way.lab.cli("requests", "--json").stdout) if row["state"] == "pending"], 20, "the request")[0]
        subprocess.run(["ssh", "-F", str(way.lab.dir / "ssh_config.bob"), "gw", "approve", row["id"]], check=True, stdout=subprocess.DEVNULL)
        ran = int(child.communicate(timeout=20)[0])
    finally:
        child.kill()
        child.wait()
    decided = json.loads(way.lab.cli("requests", "show", row["id"], "--json").stdout)[0]["decided"]
    way.lab.cli("requests", "revoke", row["id"])
    return (ran / 1e9 - datetime.datetime.fromisoformat(decided.replace("Z", "+00:00")).timestamp()) * 1000


def everywhere(_):
    return True


def with_a_middle(way):
    return way.root


def with_approvals(way):
    return way.waiting


ROWS = [  # what, unit, one sample, of which ways, decimals
    ("CPU per GB down", "s", cpu_down, with_a_middle, 2),
    ("CPU per GB up", "s", cpu_up, with_a_middle, 2),
    ("ssh X true", "ms", latency, everywhere, 0),
    ("CPU per connection", "ms", cpu_connection, with_a_middle, 1),
    ("idle session, PSS", "KiB", idle_memory, with_a_middle, 0),
    ("stalled reader, most", "MiB", stalled_memory, with_a_middle, 1),
    ("approve to release", "ms", approve_to_release, with_approvals, 0),
]
BARS = [  # row, way, compared with, at most this share of it (None: an absolute bar), absolute bar
    ("CPU per GB down", "gateway direct", "bastion", 0.85, None),
    ("CPU per GB up", "gateway direct", "bastion", 0.85, None),
    ("ssh X true", "gateway direct", "direct", 0.4, None),
    ("CPU per connection", "gateway direct", "bastion", 0.35, None),
    ("idle session, PSS", "gateway direct", "bastion", 0.25, None),
    ("stalled reader, most", "gateway direct", None, None, 16),
    ("approve to release", "gateway jump", None, None, 100),
    ("approve to release", "gateway direct", None, None, 100),
]


# ---- the field ----

def ssh_base(lab, key, port):
    return ["ssh", "-F", "/dev/null", "-i", str(key), "-p", str(port), "-o", "IdentitiesOnly yes", "-o", "IdentityAgent none", "-o", "BatchMode yes",
            "-o", "StrictHostKeyChecking yes", "-o", "UserKnownHostsFile %s" % (lab.dir / "bench_known_hosts"), "-o", "GlobalKnownHostsFile /dev/null"]


def start_sshd(lab, name, port, extra):
    trust = "TrustedUserCAKeys %s.pub\nAuthorizedKeysFile none\n%s" % (lab.dir / "keys/backend_ca", extra)
    config = lab.dir / "hosts" / (name + ".conf")
    config.write_text(servers.sshd_config(lab.dir, "web1", port, trust))
    pid, started = process.spawn(servers.command(config), lab.dir / "log" / (name + ".log"))
    lab._remember(name, pid, started)
    process.wait_until(lambda: servers.banner(port).startswith("SSH-"), 20, "sshd " + name)
    return pid


def field(lab):
    """All ways, in the order of the table. The target of the peers is the lab's web1, as for the gateway."""
    web1, login = lab.env["WEB1_PORT"], lab.env["LOGIN"]
    bastion_port, tunnel_port = servers.free_ports(2)
    key = lab.dir / "keys/bench"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    subprocess.run(["ssh-keygen", "-q", "-s", lab.env["BACKEND_CA"], "-I", "bench", "-n", login, "%s.pub" % key], check=True)
    host_key = " ".join((lab.dir / "hosts/web1.pub").read_text().split()[:2])
    (lab.dir / "bench_known_hosts").write_text("".join("[127.0.0.1]:%s %s\n" % (port, host_key) for port in (web1, bastion_port, tunnel_port)))
    to_web1 = ssh_base(lab, key, web1)
    second_leg = " ".join("'%s'" % word for word in [*to_web1, "-o", "Ciphers " + CIPHER, "%s@127.0.0.1" % login])
    bastion = start_sshd(lab, "bastion", bastion_port, "ForceCommand %s \"$SSH_ORIGINAL_COMMAND\"" % second_leg)
    tunnel = start_sshd(lab, "tunnel", tunnel_port, "")
    jump = " ".join("'%s'" % word for word in [*ssh_base(lab, key, tunnel_port), "-W", "127.0.0.1:%s" % web1, "%s@127.0.0.1" % login])
    alice = ["ssh", "-F", str(lab.dir / "ssh_config.alice")]
    gateway = int(lab.env["GW_PID"])
    return [
        Way("gateway jump", [*alice, "web1"], gateway, [*alice, "db1"], lab),
        Way("gateway direct", [*alice, "web1.direct"], gateway, [*alice, "db1.direct"], lab),
        Way("bastion", [*ssh_base(lab, key, bastion_port), "%s@127.0.0.1" % login], bastion),
        Way("proxyjump", [*to_web1, "-o", "ProxyCommand " + jump, "%s@127.0.0.1" % login], tunnel),
        Way("direct", [*to_web1, "%s@127.0.0.1" % login]),
    ]


def measure(ways, options):
    """{row: {way: median}}; every round takes one sample of each way."""
    samples = {name: {way.name: [] for way in ways} for name, *_ in ROWS}
    for way in ways:
        way.run("true")  # warm, and proof that it works
    time.sleep(1)  # until nobody is connected any more
    for way in ways:
        way.idle_members = way.members()
    for number in range(options.rounds):
        for name, _, sample, whom, _ in ROWS:
            if sample is stalled_memory and number >= options.stalls:
                continue
            for way in ways:
                if whom(way):
                    samples[name][way.name].append(sample(way, options))
        print("round %d of %d" % (number + 1, options.rounds), file=sys.stderr)
    return {name: {way: statistics.median(got) for way, got in row.items() if got} for name, row in samples.items()}


def table(ways, results):
    names = [way.name for way in ways]
    lines = ["%-24s" % "" + "".join("%16s" % name for name in names)]
    for name, unit, _, _, digits in ROWS:
        cells = ["%.*f" % (digits, results[name][way]) if way in results[name] else "-" for way in names]
        lines.append("%-24s" % ("%s, %s" % (name, unit)) + "".join("%16s" % cell for cell in cells))
    lines.append("")
    for name, way, peer, share, absolute in BARS:
        got = results[name][way]
        ratio, bar = (got / results[name][peer], share) if peer else (got, absolute)
        what = "%s: %s %s" % (name, way, "/ " + peer if peer else "")
        lines.append("%-52s %8.2f   bar %5.2f   %s" % (what, ratio, bar, "ok" if ratio <= bar else "MISSED"))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, fewer bytes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--bytes", type=int)
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 7)
    options.bytes = options.bytes or (200_000_000 if options.quick else 1_000_000_000)
    options.logins, options.idle, options.stalls = (5, 4, 1) if options.quick else (20, 10, 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    lab = Lab(tempfile.mkdtemp(prefix="bartizan-bench-"))
    try:
        lab.up()
        ways = field(lab)
        results = measure(ways, options)
    finally:
        lab.down()
        shutil.rmtree(lab.dir, ignore_errors=True)
    print(json.dumps(results, indent=2) if options.json else table(ways, results))


if __name__ == "__main__":
    main()
