"""The roles seen from /proc: users, capabilities, seccomp, descriptors."""
import base64
import os
import pathlib
import pwd

import pytest
from world import end_input, finish, read_line

ROOT = os.getuid() == 0


def status(pid):
    lines = pathlib.Path("/proc/%d/status" % pid).read_text().splitlines()
    return {key: value.split() for key, _, value in (line.partition(":") for line in lines)}


@pytest.fixture(scope="module")
def live(world):
    """A live session, so that there is one process of each kind."""
    before = set(world.processes("session"))
    child = world.popen("alice", "web1.direct", "echo begun; cat")
    assert read_line(child) == b"begun\n"
    yield (set(world.processes("session")) - before).pop()
    end_input(child)
    finish(child)


def pids(world, live):
    return {"session": live, **{role: world.role(role) for role in ("broker", "signer", "egress")}}


@pytest.mark.parametrize("role", ["session", "broker", "signer", "egress"])
def test_privileges(world, live, role):
    """No capability in any set, no way to get one, no root."""
    got = status(pids(world, live)[role])
    assert got["NoNewPrivs"] == ["1"]
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(got[capabilities][0], 16) == 0, capabilities
    if ROOT:
        nobody = pwd.getpwnam("nobody")
        assert set(got["Uid"]) == {str(nobody.pw_uid)} and set(got["Gid"]) == {str(nobody.pw_gid)} and not got["Groups"]


@pytest.mark.parametrize("role", ["session", "signer", "egress"])
def test_seccomp(world, live, role):
    got = status(pids(world, live)[role])
    assert got["Seccomp"] == ["2"] and int(got["Seccomp_filters"][0]) >= 1


def test_unauthenticated_session_is_sandboxed(world):
    """Before the first client byte."""
    import socket
    before = set(world.processes("session"))
    with socket.create_connection(("127.0.0.1", world.port())) as connection:
        assert connection.recv(4) == b"SSH-"
        pid = (set(world.processes("session")) - before).pop()
        assert status(pid)["Seccomp"] == ["2"] and status(pid)["NoNewPrivs"] == ["1"]


@pytest.mark.skipif(not ROOT, reason="only root may look at the descriptors of a process that is not dumpable")
def test_descriptors_of_a_session(world, live):
    """Nothing but sockets, its transcript and the log: no database, no key, no state directory, no listening socket."""
    listening = {line.split()[9] for name in ("tcp", "tcp6") for line in pathlib.Path("/proc/net/" + name).read_text().splitlines()[1:] if line.split()[3] == "0A"}
    for fd in pathlib.Path("/proc/%d/fd" % live).iterdir():
        try:
            to = os.readlink(fd)
        except FileNotFoundError:
            continue
        assert not any(word in to for word in ("bartizan.db", "keys/", "control.sock")), to
        assert not to.endswith("/state"), to
        if to.startswith("socket:["):
            assert to[8:-1] not in listening, to


def test_no_key_in_a_session(world, live):
    """The private keys of the authorities are not in the memory that a session was born with."""
    needles = []
    for name in ("user_ca", "backend_ca", "router"):
        lines = (world.dir / "keys" / name).read_text().splitlines()[1:-1]
        needles.append(lines[3][6:46].encode())  # both forms of an ed25519 key's private half
        needles.append(base64.b64decode("".join(lines))[161:193])
    if not ROOT:
        pytest.skip("only root may read another process's memory")
    found = memory_holds(live, needles)
    assert not found
    assert memory_holds(world.role("signer"), needles), "the test looks for the wrong bytes"


def memory_holds(pid, needles):
    with open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for line in pathlib.Path("/proc/%d/maps" % pid).read_text().splitlines():
            if "rw" not in line.split()[1] or "[v" in line:
                continue
            low, high = (int(word, 16) for word in line.split()[0].split("-"))
            try:
                memory.seek(low)
                data = memory.read(min(high - low, 1 << 26))
            except (OSError, ValueError, OverflowError):
                continue
            if any(needle in data for needle in needles):
                return True
    return False


def test_core_dumps_are_off(world, live):
    for pid in pids(world, live).values():
        limits = pathlib.Path("/proc/%d/limits" % pid).read_text()
        line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        dumpable = os.stat("/proc/%d/environ" % pid).st_uid == 0 if ROOT else True
        assert line.split()[4] == "0" or dumpable
