"""What a test does with a lab: run ssh as somebody, look into records and events, look at the gateway's processes."""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import threading
import time

import pexpect

from lablib import files, process, servers
from lablib.lab import Lab

SLOW = 4 if os.environ.get("SANITIZE") else 1  # sanitizers take their time
PATIENCE = 60 * SLOW  # a limit for what hangs, not for what is slow


class Result:
    """How a program ended and what it said."""

    def __init__(self, code, out, err, seconds):
        self.code, self.raw, self.raw_err, self.seconds = code, out, err, seconds

    @property
    def out(self):
        return self.raw.decode(errors="replace")

    @property
    def err(self):
        return self.raw_err.decode(errors="replace")

    def __repr__(self):
        return "status %d in %.2f s\n--- stdout\n%.2000s\n--- stderr\n%.4000s" % (self.code, self.seconds, self.out, self.err)


def run(command, stdin=b"", timeout=PATIENCE, **options):
    begun = time.monotonic()
    feed = {"stdin": stdin} if hasattr(stdin, "fileno") else {"input": stdin}
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, **feed, **options)
    return Result(done.returncode, done.stdout, done.stderr, time.monotonic() - begun)


def until(ready, seconds=30, what="what was waited for"):
    """ready()'s first true answer; fails the test when it does not come."""
    return process.wait_until(ready, seconds * SLOW, what)


class World:
    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.lab = Lab(directory)
        self.closing = contextlib.ExitStack()

    def close(self):
        self.closing.close()

    @property
    def env(self):
        return self.lab.env

    def port(self, name="gw"):
        return int(self.env[name.upper() + "_PORT"])

    # ---- ssh ----

    def ssh_command(self, who, *words, program="ssh", options=()):
        return [program, "-F", str(self.dir / ("ssh_config." + who)), *[word for option in options for word in ("-o", option)], *map(str, words)]

    def ssh(self, who, *words, stdin=b"", timeout=PATIENCE, options=(), program="ssh", **more):
        return run(self.ssh_command(who, *words, program=program, options=options), stdin=stdin, timeout=timeout, **more)

    def popen(self, who, *words, options=(), **more):
        """ssh in the background, pipes on all three ends; killed when the world ends."""
        more = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        child = subprocess.Popen(self.ssh_command(who, *words, options=options), **more)
        self.closing.callback(end_child, child)
        return child

    def terminal(self, who, *words, options=(), size=(24, 80), timeout=10):
        """ssh on a terminal, by pexpect."""
        command = self.ssh_command(who, *words, options=options)
        child = pexpect.spawn(command[0], command[1:], dimensions=size, timeout=timeout * SLOW, encoding="utf-8", codec_errors="replace")
        self.closing.callback(child.close, force=True)
        return child

    def visitor(self, name, key_type="ed25519", bits=None):
        """A new key and ssh_config.NAME for it, without a certificate yet; returns the private key's path."""
        folder = self.dir / "people" / name
        folder.mkdir()
        subprocess.run(["ssh-keygen", "-q", "-t", key_type, *(["-b", str(bits)] if bits else []), "-N", "", "-f", str(folder / "id")], check=True)
        (self.dir / ("ssh_config." + name)).write_text(files.ssh_config(self.dir, name, self.port(), self.env["LOGIN"]))
        return folder / "id"

    def certificate(self, name, *arguments, ca=None, principals="alice", validity="-5m:+1h", key_id="by hand"):
        """A certificate by ssh-keygen -s for a visitor's key; principals None: none at all."""
        key = self.dir / "people" / name / "id.pub"
        command = ["ssh-keygen", "-q", "-s", str(ca or self.env["USER_CA"]), "-I", key_id]
        command += ["-n", principals] if principals is not None else []
        subprocess.run([*command, "-V", validity, *arguments, str(key)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    # ---- configuration ----

    def edit(self, change):
        """Changes config.yaml and reloads; complains when it is not taken."""
        self.lab.config.write_text(change(self.lab.config.read_text()))
        return self.lab.reload()

    def rules(self, text):
        """Puts this in the place of everything from `rules:` on."""
        return self.edit(lambda old: old.partition("rules:\n")[0] + text)

    # ---- records ----

    def json(self, *words):
        done = self.lab.cli(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def sessions(self, **wanted):
        return [row for row in self.json("sessions", "ls") if all(row[key] == value for key, value in wanted.items())]

    def folders(self):
        return {path.parent.name: path.parent for path in pathlib.Path(self.env["STATE_DIR"]).glob("transcripts/*/*/*/*/session.json")}

    def record(self, token, closed=True, seconds=30):
        """(session.json, its folder) of the session that has a channel whose command holds this token."""
        def look():
            for folder in self.folders().values():
                got = json.loads((folder / "session.json").read_text())
                if any(token in (channel.get("detail") or "") for channel in got["channels"]):
                    return (got, folder) if got["state"] != "open" or not closed else None
            return None
        return until(look, seconds, "the record of %r" % token)

    def ended_since(self, before):
        """The closed sessions that were not in `before` (a set of ids), as soon as there is one and none is open."""
        def look():
            new = [row for row in self.sessions() if row["id"] not in before]
            return new if new and all(row["state"] != "open" for row in new) else None
        return until(look, 30, "the end of the new sessions")

    def session_ids(self):
        return {row["id"] for row in self.sessions()}

    def events(self, type=None, lines=500):
        rows = self.json("audit", "tail", "--lines", lines)
        return [row for row in rows if type is None or row["type"] == type]

    def event(self, type, seconds=30, **wanted):
        """The newest event of a type with these fields, as soon as it is there."""
        def look():
            rows = [row for row in self.events(type) if all(str(value) in str(row.get(key)) for key, value in wanted.items())]
            return max(rows, key=lambda row: row["seq"]) if rows else None
        return until(look, seconds, "an event %s %s" % (type, wanted))

    # ---- processes ----

    def processes(self, role=None, gateway=None):
        """The gateway's processes: {pid: role} by the names that they give themselves."""
        found = {}
        for pid in process.family(gateway or int(self.env["GW_PID"])):
            with contextlib.suppress(OSError):
                words = pathlib.Path("/proc/%d/cmdline" % pid).read_bytes().split(b"\0")[0].decode()
                name = words.partition(": ")[2] or pathlib.Path("/proc/%d/comm" % pid).read_text().strip()
                found[pid] = name.split()[0]
        return {pid: name for pid, name in found.items() if role is None or name == role}

    def role(self, role):
        """The only process of a role."""
        got = self.processes(role)
        assert len(got) == 1, "%s: %s" % (role, self.processes())
        return next(iter(got))

    def children_of_server(self, name):
        """Processes that belong to sshd NAME, without the listening one."""
        pid = json.loads(self.lab.pid_file.read_text())[name]["pid"]
        return [member for member in process.family(pid) if member != pid]


def end_child(child):
    if child.poll() is None:
        child.kill()
    for pipe in (child.stdin, child.stdout, child.stderr):
        with contextlib.suppress(OSError, ValueError):
            if pipe:
                pipe.close()
    child.wait()


def read_line(child, seconds=PATIENCE):
    """One line of a background ssh's standard output, or a failure in time."""
    got = []
    reader = threading.Thread(target=lambda: got.append(child.stdout.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    assert got, "nothing came in %d s" % seconds
    return got[0]


def finish(child, seconds=PATIENCE):
    """Waits for a background ssh, whose standard input stays as the test left it; its Result."""
    begun = time.monotonic()
    stdin, child.stdin = child.stdin, None  # communicate() would close it
    try:
        out, err = child.communicate(timeout=seconds)
    finally:
        child.stdin = stdin
    return Result(child.returncode, out or b"", err or b"", time.monotonic() - begun)


def end_input(child):
    """Closes a background ssh's standard input."""
    child.stdin.close()
    child.stdin = None


def cast_events(path):
    """Header and events of an asciicast; every line must be whole JSON."""
    lines = path.read_bytes().decode().rstrip("\n").split("\n")  # not splitlines(): the data may hold U+0085
    return json.loads(lines[0]), [json.loads(line) for line in lines[1:]]


def cast_text(path, code="o"):
    return "".join(event[2] for event in cast_events(path)[1] if event[1] == code)


def asciinema_cat(path):
    """What stock asciinema makes of a transcript; it wants a terminal of its own."""
    begun = time.monotonic()
    out, code = pexpect.run("asciinema cat %s" % path, withexitstatus=True, timeout=PATIENCE, env={**os.environ, "ASCIINEMA_CONFIG_HOME": str(path.parent), "LC_ALL": "C.UTF-8"})
    return Result(code, out, b"", time.monotonic() - begun)


def memory(pid):
    """KiB of a process: its PSS; its anonymous pages where that may not be read (only root may, of a process that is not dumpable)."""
    for name, field in (("smaps_rollup", "Pss:"), ("status", "RssAnon:")):
        with contextlib.suppress(PermissionError):
            for line in pathlib.Path("/proc/%d/%s" % (pid, name)).read_text().splitlines():
                if line.startswith(field):
                    return int(line.split()[1])
    raise AssertionError("process %d tells nothing about its memory" % pid)


class Server:
    """A small hostile backend: every connection is handed to talk(socket) in a thread."""

    def __init__(self, talk):
        self.talk = talk
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        with contextlib.suppress(OSError):
            self.talk(connection)

    def close(self):
        self.listener.close()
        for connection in self.connections:
            connection.close()


def target(name, port, key, more=""):
    """A targets: entry for config.yaml, staging like web1."""
    return ("  - name: %s\n    address: 127.0.0.1:%d\n    labels: {env: staging}\n    host_keys: [\"%s\"]\n    credential: {certificate: backend_ca}\n%s"
            % (name, port, key, more))


def add_targets(text, *entries):
    return text.replace("targets:\n", "targets:\n" + "".join(entries), 1)


def ipv6():
    return servers.has_ipv6()
