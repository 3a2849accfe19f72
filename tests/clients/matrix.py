#!/usr/bin/python3
"""make clients: every client that people use, through the gateway and beside it against plain sshd; both have to give the same.

	direct   login@target at the gateway           the oracle: the client straight at a plain sshd
	jump     the target through the gateway        the oracle: the client through a plain sshd to a plain sshd

Who is who is in catalogue.py, how a client is spoken to in adapters/protocol.py, where it comes from in install.py and packaging/packages-clients.txt.
A client that cannot be had is skipped, and why is said; so is a check that a client cannot do. The exit status is 1 when anything has failed.
"""
import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

TESTS = pathlib.Path(__file__).resolve().parents[1]
for folder in (TESTS, TESTS / "e2e", TESTS / "clients"):
    sys.path.insert(0, str(folder))
sys.dont_write_bytecode = True

from catalogue import BULK, CHECKS, CLIENTS, MEANING  # noqa: E402
from conftest import FAULT  # noqa: E402
from install import Broken, Installer, Missing, chroots  # noqa: E402
from lablib import lab, process, servers  # noqa: E402
from person import log_in  # noqa: E402
from world import World  # noqa: E402

LIMIT = 30  # seconds for one job
MODES = ("direct", "jump")
OK, FAIL, SKIP = "ok", "FAIL", "skip"


def keygen(*words):
    subprocess.run(["ssh-keygen", "-q", *map(str, words)], check=True, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)


class Side:
    """The gateway or plain sshd: where a job goes, and with which keys."""

    def __init__(self, folder, people, host_key, port, names, places):
        self.people, self.host_key, self.places = people, host_key, places
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text("%s %s\n" % (",".join(["target", "127.0.0.1", "[127.0.0.1]:%d" % port, *names]), host_key))
        self.agent = folder / "agent"

    def start_agent(self, closing):
        """An agent that holds the key, then its certificate, as ssh-add puts them."""
        child = subprocess.Popen(["ssh-agent", "-D", "-a", str(self.agent)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        closing.callback(child.wait)
        closing.callback(child.terminate)
        process.wait_until(lambda: process.listening(self.agent), 10, "the agent's socket")
        subprocess.run(["ssh-add", "-q", str(self.people / "id")], check=True, env={**os.environ, "SSH_AUTH_SOCK": str(self.agent)})

    def job(self, client, mode, identity):
        key, certificate = (self.people / "id", self.people / "id-cert.pub") if client.certificate else (self.people / "plain", None)
        if identity == "beside":
            certificate = None
        holder = {"agent": str(self.agent), "key": None, "certificate": None} if identity == "agent" else {
            "agent": None, "key": str(key), "certificate": str(certificate) if certificate else None}
        return {**self.places[mode], **holder, "host_key": self.host_key, "known_hosts": str(self.known_hosts)}


def gateway_side(world, folder):
    """A lab, where alice has a certificate, and another key of hers that has logged in."""
    world.lab.up()
    log_in(world, "alice", "gw", "whoami")
    gateway, login = world.port(), world.env["LOGIN"]
    return Side(folder, world.dir / "people/alice", public(world.dir / "keys/host"), gateway, ["web1"], {
        "direct": {"host": "127.0.0.1", "port": gateway, "user": login + "@web1", "jump": None},
        "jump": {"host": "web1", "port": 22, "user": login, "jump": {"host": "127.0.0.1", "port": gateway, "user": "alice"}}})


def oracle_side(folder, closing):
    """A plain sshd with an authority of its own, and the same kinds of keys; it is its own jump host."""
    for place in ("hosts", "people"):
        (folder / place).mkdir()
    for key in ("ca", "hosts/oracle", "people/id", "people/plain"):
        keygen("-t", "ed25519", "-N", "", "-f", folder / key)
    login = servers.login()
    keygen("-s", folder / "ca", "-I", "oracle", "-n", login, folder / "people/id.pub")
    trust = "TrustedUserCAKeys %s/ca.pub\nAuthorizedKeysFile %s/people/plain.pub" % (folder, folder)
    port, = servers.free_ports(1)
    config = folder / "hosts/oracle.conf"
    config.write_text(servers.sshd_config(folder, "oracle", port, trust))
    pid, started = process.spawn(servers.command(config), folder / "oracle.log")
    closing.callback(process.stop, pid, started)
    process.wait_until(lambda: servers.banner(port).startswith("SSH-"), 30, "plain sshd")
    place = {"host": "127.0.0.1", "port": port, "user": login}
    return Side(folder, folder / "people", public(folder / "hosts/oracle"), port, [], {"direct": {**place, "jump": None}, "jump": {**place, "jump": place}})


def public(key):
    return " ".join(pathlib.Path(str(key) + ".pub").read_text().split()[:2])


class Matrix:
    def __init__(self, options, folder, installer):
        self.options, self.folder, self.installer = options, folder, installer
        self.rows, self.lock, self.number = [], threading.Lock(), 0
        self.bulk = folder / "bulk"
        self.bulk.write_bytes(os.urandom(BULK))
        self.digest = hashlib.sha256(self.bulk.read_bytes()).hexdigest()
        both = hashlib.sha256(("%s  -\n" % self.digest).encode() + self.bulk.read_bytes()).hexdigest()
        self.texts = {"{bulk}": str(self.bulk), "{digest}": self.digest, "{both}": both}

    # ---- one job ----

    def fill(self, value):
        """The values of catalogue.py with their {…} filled in."""
        if isinstance(value, dict):
            return {key: self.fill(one) for key, one in value.items()}
        for name, text in self.texts.items():
            value = value.replace(name, text) if isinstance(value, str) else value
        return value

    def scratch(self):
        with self.lock:
            self.number += 1
            folder = self.folder / ("j%d" % self.number)
        folder.mkdir()
        return folder

    def ask(self, client, job):
        """Runs the adapter for one job; its answer. It has --limit seconds; what it has started ends with it."""
        words, environment = self.installer.command(client.adapter)
        limit = max(self.options.limit, job.get("limit", 0))
        if client.installed_by == "python":
            words[0] = self.installer.build / "python/bin/python"
        home = {"HOME": job["scratch"]} if "scratch" in job else {}
        child = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                                 env={**{key: value for key, value in os.environ.items() if key != "SSH_AUTH_SOCK"}, **environment, **home})
        try:
            out, err = child.communicate(json.dumps(job).encode(), timeout=limit)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            return {"error": "no answer within %d s" % limit}
        if self.options.keep:
            pathlib.Path(job.get("scratch", self.folder), "job.json").write_text(json.dumps(job, indent=1))
        lines = out.decode(errors="replace").strip().splitlines()
        try:
            return json.loads(lines[-1])
        except (IndexError, ValueError):
            return {"error": "the adapter said nothing: " + " ".join(err.decode(errors="replace").split())[:300]}

    def once(self, client, side, mode, check):
        """What one side gives for one check."""
        asked = self.fill(CHECKS[check][0])
        scratch = self.scratch()
        job = {"action": "run", "command": "", "stdin": None, "env": {}, "rekey": None, "quiet": True, **asked, **side.job(client, mode, asked.get("identity")),
               "scratch": str(scratch), "world": str(self.folder), "chroot": str(chroots() / client.chroot) if client.chroot else None,
               "sink": str(scratch / "sink") if asked.get("sink") else None,
               "local": str(self.bulk), "remote": str(scratch / "remote"), "back": str(scratch / "back")}
        try:
            got = self.ask(client, job)
            back = scratch / "back"
            if "back" in (CHECKS[check][1] or {}) and "status" in got:
                got["back"] = hashlib.sha256(back.read_bytes()).hexdigest() if back.exists() else "nothing came back"
            return got
        finally:
            if not self.options.keep:
                shutil.rmtree(scratch, ignore_errors=True)

    # ---- one client ----

    def judge(self, client, mode, check):
        """(ok, FAIL or skip; why) of one check in one mode."""
        expected = self.fill(CHECKS[check][1])
        plain = self.once(client, self.oracle, mode, check)
        if "skip" in plain:
            return SKIP, plain["skip"]
        if "error" in plain or (expected and plain != expected):
            return FAIL, "against plain sshd already: " + difference(plain, expected)
        through = self.once(client, self.gateway, mode, check)
        if "skip" in through:
            return FAIL, "skipped through the gateway only: " + through["skip"]
        return (OK, "") if through == plain else (FAIL, difference(through, plain))

    def client(self, client):
        """All rows of one client."""
        try:
            self.installer.get(client.installed_by, client.chroot)
            told = self.ask(client, {"action": "version", "chroot": str(chroots() / client.chroot) if client.chroot else None, "world": str(self.folder)})
        except Missing as why:
            told = {"missing": str(why)}
        except Broken as why:
            told = {"error": str(why)}
        version, cannot = told.get("version"), {}
        for mode in self.options.modes:
            results, took = {}, {}
            if not version:
                bad = FAIL if "error" in told else SKIP
                results["all"] = (bad, told.get("missing") or told.get("error") or "no version")
            for check in client.checks if version else ():
                first = results.get("login")
                hopeless = first and first[0] == FAIL and check not in ("beside", "agent")
                begun = time.monotonic()
                results[check] = cannot.get(check) or ((FAIL, "no login") if hopeless else self.judge(client, mode, check))
                took[check] = round(time.monotonic() - begun, 1)
            cannot = {check: result for check, result in results.items() if result[0] == SKIP}  # no more in the next mode
            self.report(client, version or "", mode, results, took)

    def report(self, client, version, mode, results, took):
        with self.lock:
            self.rows += [{"client": client.name, "version": version, "mode": mode, "check": check, "result": result, "reason": why, "seconds": took.get(check, 0)}
                          for check, (result, why) in results.items()]
            if self.options.json:
                return
            print("%-17s %-10.10s %-7s %s" % (client.name, version, mode, "  ".join("%s %s" % (check, result) for check, (result, _) in results.items())), flush=True)
            together = {}
            for check, (result, why) in results.items():
                if why:
                    together.setdefault((result, why), []).append(check)
            for (result, why), checks in together.items():
                print("%37s%s %s: %s" % ("", result, ", ".join(checks), why), flush=True)

    def run(self, clients):
        with ThreadPoolExecutor(self.options.jobs) as pool:
            for done in [pool.submit(self.client, client) for client in clients]:
                done.result()
        return self.rows


def difference(got, wanted):
    """In words, what is not as it should be."""
    if "error" in got:
        return " ".join(got["error"].split())[:400]
    fields = sorted(field for field in set(got) | set(wanted or {}) if got.get(field) != (wanted or {}).get(field))
    return "; ".join("%s %.200r instead of %.200r" % (field, got.get(field), (wanted or {}).get(field)) for field in fields)


def arguments():
    checks = "\n".join("	%-12s %s" % (check, MEANING[check]) for check in CHECKS)
    parser = argparse.ArgumentParser(prog="make clients ARGS=…", description=__doc__ + "\nChecks:\n" + checks, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME", action="append", help="this client, or those whose names begin so; may be repeated")
    parser.add_argument("--mode", dest="modes", choices=MODES, action="append", help="only this mode")
    parser.add_argument("--short", action="store_true", help="the few clients that take less than a minute together")
    parser.add_argument("--json", action="store_true", help="one JSON object in place of the table")
    parser.add_argument("--jobs", type=int, default=2, help="clients at the same time")
    parser.add_argument("--limit", type=int, default=LIMIT, help="seconds for one job; some have more")
    parser.add_argument("--keep", action="store_true", help="leave the lab's folder and every job's behind")
    parser.add_argument("--list", action="store_true", help="the clients' names")
    options = parser.parse_args()
    options.modes = options.modes or list(MODES)
    return options


def chosen(options):
    clients = [client for client in CLIENTS if (client.short or not options.short) and (not options.only or any(client.name.startswith(name) for name in options.only))]
    exact = [client for client in clients if options.only and client.name in options.only]
    return exact if options.only and {client.name for client in exact} == set(options.only) else clients


def main():
    options = arguments()
    clients = chosen(options)
    if options.list or not clients:
        print("\n".join(client.name for client in CLIENTS))
        return 0 if options.list else 2
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bz-"))
    folder.chmod(0o711)
    world = World(folder / "lab")
    with contextlib.ExitStack() as closing:
        if not options.keep:
            closing.callback(shutil.rmtree, folder, True)
        matrix = Matrix(options, folder, Installer(lab.built(".")))
        for name in ("oracle", "gateway"):
            (folder / name).mkdir()
        matrix.oracle = oracle_side(folder / "oracle", closing)
        closing.callback(world.lab.down)
        closing.callback(world.close)
        matrix.gateway = gateway_side(world, folder / "gateway")
        for side in (matrix.oracle, matrix.gateway):
            side.start_agent(closing)
        rows = matrix.run(clients)
        faults = FAULT.findall(world.lab.log())
    return close(options, rows, faults)


def close(options, rows, faults):
    counts = {result: sum(row["result"] == result for row in rows) for result in (OK, FAIL, SKIP)}
    counts[FAIL] += bool(faults)
    if options.json:
        print(json.dumps({"passed": counts[OK], "failed": counts[FAIL], "skipped": counts[SKIP], "faults": faults, "results": rows}, indent=1))
    else:
        for fault in faults[:20]:
            print("the gateway's log tells of a fault: " + fault)
        print("%d passed, %d failed, %d skipped" % (counts[OK], counts[FAIL], counts[SKIP]))
    return 1 if counts[FAIL] else 0


if __name__ == "__main__":
    sys.exit(main())
