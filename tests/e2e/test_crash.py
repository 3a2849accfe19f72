"""kill -9 of everything that can die, in the middle of output. field.md 11, 20."""
import contextlib
import json
import os
import signal

import pytest
from world import asciinema_cat, cast_events, end_input, finish, read_line, until

LOOP = "echo begun; while :; do echo line; sleep 0.02; done"


def wait_ready(world):
    """The gateway serves again."""
    return until(lambda: world.ssh("alice", "web1", "echo up").out == "up\n", 20, "the gateway's service")


def begin(world, token, host="web1", command=LOOP, tty=True):
    before = set(world.processes("session"))
    child = world.popen("alice", *(["-tt"] if tty else []), host, ": %s; %s" % (token, command))
    assert b"begun" in read_line(child)
    return child, until(lambda: set(world.processes("session")) - before, 10, "the session's process").pop()


def kill_everything(world):
    """As when the power fails: the broker first, or it would still write down that the others have died."""
    for pid in [world.role("broker"), int(world.env["GW_PID"]), *world.processes()]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_session(own_world):
    """The transcript of a killed session plays, its row is closed with the reason; others do not notice."""
    world = own_world()
    other, _ = begin(world, "bystander", command="echo begun; cat", tty=False)
    child, pid = begin(world, "victim")
    session, folder = world.record("victim", closed=False)
    path = folder / session["channels"][0]["file"]
    until(lambda: path.read_text().count("line") >= 5, 10, "some output in the transcript")
    os.kill(pid, signal.SIGKILL)
    assert finish(child).code != 0
    session, folder = world.record("victim")
    assert session["reason"]
    assert world.event("session-process-died")
    _, events = cast_events(path)
    assert any("line" in event[2] for event in events)
    played = asciinema_cat(path)
    assert played.code == 0 and "begun" in played.out
    other.stdin.write(b"still here\n")
    end_input(other)
    assert finish(other).out == "still here\n"


def test_whole_gateway(own_world):
    """Everything dies at once, as when the power fails: at the next start the sessions are closed as lost, transcripts are mended, the chain is whole."""
    world = own_world()
    child, _ = begin(world, "powerless")
    session, folder = world.record("powerless", closed=False)
    path = folder / session["channels"][0]["file"]
    until(lambda: path.read_text().count("line") >= 20, 10, "some output in the transcript")
    kill_everything(world)
    finish(child)
    with open(path, "ab") as file:  # as a write that did not come to its end
        file.write(b'[123.000000, "o", "half a li')
    world.lab.start_gateway()
    row = world.sessions(id=session["id"])[0]
    assert row["state"] == "lost" and row["ended"] and row["reason"]
    assert world.event("session-lost", session=session["id"])
    _, events = cast_events(path)
    assert events[-1][1] == "m"
    assert json.loads((folder / "session.json").read_text())["state"] == "lost"
    assert asciinema_cat(path).code == 0
    assert world.lab.cli("replay", "--text", session["id"]).stdout.count("line") >= 5
    wait_ready(world)
    verified = world.lab.cli("audit", "verify")
    assert verified.returncode == 0, verified


def test_broker(own_world):
    """Fail closed: live sessions end with a reason; the parent restarts it; what was open is closed as lost; new ones work."""
    world = own_world()
    child, _ = begin(world, "orphan", tty=False)
    broker = world.role("broker")
    os.kill(broker, signal.SIGKILL)
    done = finish(child)
    assert done.code in (70, 255) and "bartizan: " in done.err, done
    wait_ready(world)
    assert world.role("broker") != broker
    session, _ = world.record("orphan")
    assert world.sessions(id=session["id"])[0]["state"] == "lost"
    assert "broker" in world.lab.log()


@pytest.mark.parametrize("role", ["signer", "egress"])
def test_helper_role(own_world, role):
    """Restarted; the running session goes on, the next one works."""
    world = own_world()
    child, _ = begin(world, "runs-on", command="echo begun; cat", tty=False)
    pid = world.role(role)
    os.kill(pid, signal.SIGKILL)
    child.stdin.write(b"through the death of %s\n" % role.encode())
    child.stdin.flush()
    assert read_line(child) == b"through the death of %s\n" % role.encode()
    wait_ready(world)
    assert world.role(role) != pid
    end_input(child)
    assert finish(child).code == 0
    assert role in world.lab.log()


def test_role_that_dies_again_and_again(own_world):
    """Back-off, not a busy loop; and it comes back."""
    world = own_world()
    for _ in range(4):
        pid = until(lambda: next(iter(world.processes("egress")), None), 20, "egress")
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: pid not in world.processes("egress"), 10, "its death")
    wait_ready(world)


def test_listener(own_world):
    """The listener is killed: the roles go with it, nothing is left behind."""
    world = own_world()
    begin(world, "headless")
    pids = [pid for pid, role in world.processes().items() if role in ("broker", "signer", "egress", "session")]
    os.kill(int(world.env["GW_PID"]), signal.SIGKILL)
    until(lambda: not any(os.path.exists("/proc/%d/exe" % pid) and os.readlink("/proc/%d/exe" % pid) for pid in pids), 15, "the end of all roles")


def test_one_damaged_file_blocks_nobody(own_world):
    """field.md 11: at a start one damaged session does not stop the others from being closed; nothing is deleted."""
    world = own_world()
    begin(world, "damaged")
    begin(world, "sound")
    damaged, folder = world.record("damaged", closed=False)
    sound, _ = world.record("sound", closed=False)
    kill_everything(world)
    path = folder / damaged["channels"][0]["file"]
    path.write_bytes(b"\0\xff" * 5000)
    (folder / "session.json").write_bytes(b"{")
    world.lab.start_gateway()
    states = {row["id"]: row["state"] for row in world.sessions()}
    assert states[damaged["id"]] == "lost" and states[sound["id"]] == "lost"
    assert path.exists()
    wait_ready(world)
