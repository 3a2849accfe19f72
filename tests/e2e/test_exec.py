"""Commands: exit status, signals, streams, standard input, environment; by jump and direct mode. field.md 1, 2, 3, 4, 7, 16."""
import hashlib
import os

import pytest
from world import SLOW, end_input, finish, until


def test_exit_status_soon(world, either):
    """field.md 1: seven, and in under a second (the best of three: this machine does other things too)."""
    runs = [world.ssh("alice", either, "exit 7") for _ in range(3)]
    assert [done.code for done in runs] == [7, 7, 7], runs
    assert min(done.seconds for done in runs) < 1 * SLOW


@pytest.mark.parametrize("status", [0, 1, 126, 255])
def test_exit_status(world, either, status):
    assert world.ssh("alice", either, "exit %d" % status).code == status


def test_command_not_found(world, either):
    assert world.ssh("alice", either, "no-such-command-here").code == 127


def test_death_by_signal(world, either):
    """field.md 1: the client of an exec that a signal ended says 255 (as with sshd itself), the record says which signal."""
    token = "signal-%s" % either
    done = world.ssh("alice", either, ": %s; kill -TERM $$" % token)
    assert done.code == 255
    session, _ = world.record(token)
    assert session["channels"][0]["exit_signal"] == "TERM"
    assert session["channels"][0]["exit_status"] is None


def test_streams_apart(world, either):
    done = world.ssh("alice", either, "echo to-out; echo to-err >&2")
    assert (done.code, done.out, done.err) == (0, "to-out\n", "to-err\n")


def test_nothing_of_ours_on_either_stream(world, either):
    """field.md 7: no gateway text on stdout or stderr of what is allowed."""
    done = world.ssh("alice", either, "true")
    assert (done.code, done.raw, done.raw_err) == (0, b"", b"")


def test_standard_input(world, either):
    data = os.urandom(3_000_000)
    done = world.ssh("alice", either, "sha256sum", stdin=data)
    assert done.out.split()[0] == hashlib.sha256(data).hexdigest()


def test_output_is_whole(world, either, tmp_path):
    data = os.urandom(5_000_000)
    (tmp_path / "data").write_bytes(data)
    assert world.ssh("alice", either, "cat %s" % (tmp_path / "data")).raw == data


def test_input_at_once(world, either):
    """field.md 2: what comes in the same flight as exec is not lost."""
    for _ in range(8):
        assert world.ssh("alice", either, "cat", stdin=b"first bytes\n").out == "first bytes\n"


def test_script_on_stdin(world, either):
    assert world.ssh("alice", either, "sh -s", stdin=b"echo one\necho two >&2\nexit 3\n").code == 3


def test_half_close(world, either):
    """field.md 4: EOF each way on its own: the answer comes after the end of input."""
    assert world.ssh("alice", either, "sort", stdin=b"b\na\nc\n").out == "a\nb\nc\n"
    assert world.ssh("alice", either, "cat >/dev/null; echo after").out == "after\n"


def test_output_ends_first(world, either):
    """The target closes its output and goes on reading."""
    done = world.ssh("alice", either, "exec >&- 2>&-; cat >/dev/null; exit 5", stdin=b"x" * 300_000)
    assert done.code == 5


def test_client_that_reads_nothing(world):
    """A client which ends in the middle of output leaves no session behind."""
    before = world.session_ids()
    child = world.popen("alice", "web1", "yes")
    child.stdout.read(1000)
    child.kill()
    child.stdout.close()
    rows = world.ended_since(before)
    assert len(rows) == 1


def test_environment(world, either):
    """field.md: env is relayed, the backend decides what it accepts."""
    done = world.ssh("alice", either, "echo $TEST_ONE-$TEST_TWO-$OTHER", options=["SetEnv TEST_ONE=1 TEST_TWO=zwei OTHER=no"])
    assert done.out == "1-zwei-\n"


def test_shell_without_terminal(world, either):
    done = world.ssh("alice", "-T", either, stdin=b"echo shell-ran\nexit 4\n")
    assert done.code == 4
    assert "shell-ran" in done.out


def test_subsystem_unknown_to_the_target(world, either):
    done = world.ssh("alice", "-s", either, "no-such-subsystem")
    assert done.code != 0


def test_long_command(world, either):
    """A command of 120 KB arrives whole; what cannot be judged because of its length is refused, not cut. Two words make more
    than the kernel's longest argument: ssh joins them."""
    text = "x" * 120_000
    assert world.ssh("alice", either, "echo %s | wc -c" % text).out.strip() == "120001"
    done = world.ssh("alice", either, ": " + "y" * 70_000, "y" * 70_000 + "; echo ran")
    assert "ran" not in done.out
    assert done.code in (77, 255, 70)


def test_quotes_and_bytes_arrive_as_sent(world, either):
    done = world.ssh("alice", either, "printf %s 'a b' \"c\td\" $'\\xff\\xfe' | od -An -c")
    assert done.code == 0
    assert "377 376" in done.out.replace("  ", " ")


def test_static_key(world):
    """A target that knows one static key, which stays in the signer."""
    done = world.ssh("alice", "plain1", "echo through; exit 9")
    assert (done.code, done.out) == (9, "through\n")
    assert world.ssh("alice", "plain1.direct", "echo direct").out == "direct\n"


def test_parallel_connections(world):
    """field.md 9: an Ansible run: ten connections at once, each silent and right."""
    children = [world.popen("alice", "web1", "sleep 0.2; echo %d; exit %d" % (i, i)) for i in range(10)]
    for i, child in enumerate(children):
        done = finish(child)
        assert (done.code, done.out, done.err) == (i, "%d\n" % i, "")


def test_one_connection_many_channels(world, either, tmp_path):
    """field.md 9, 22: ControlMaster: eight channels at once, one outbound session, one record."""
    before = world.session_ids()
    path = tmp_path / "control"
    master = world.popen("alice", "-M", "-S", path, "-N", either)
    until(path.exists, 10, "the control socket")
    children = [world.popen("alice", "-S", path, either, "cat; exit %d" % i) for i in range(8)]
    for i, child in enumerate(children):
        child.stdin.write(b"%d\n" % i)
        end_input(child)
    for i, child in enumerate(children):
        done = finish(child)
        assert (done.code, done.out) == (i, "%d\n" % i), done
    world.ssh("alice", "-S", path, "-O", "exit", either)
    finish(master)
    rows = world.ended_since(before)
    assert len(rows) == 1
    assert len(world.json("sessions", "show", rows[0]["id"], "--channels")) == 8
