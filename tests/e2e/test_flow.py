"""Back-pressure: memory stays flat whoever is slow. field.md 5."""
import os
import signal
import time

import pytest
from world import SLOW, end_input, finish, memory, read_line, until

STALLED_MAX = 16 * 1024 * (6 if SLOW > 1 else 1)  # KiB: the bar of a stalled transfer; sanitizers have shadow memory
WATCH = 4.0


def sessions_of(world):
    return set(world.processes("session"))


def highest(pid, seconds):
    """The most memory that a process had while it was watched."""
    end, most = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        most = max(most, memory(pid))
        time.sleep(0.1)
    return most


def start(world, host, command):
    """A background ssh and the gateway's process for it."""
    before = sessions_of(world)
    child = world.popen("alice", host, command)
    pid = until(lambda: sessions_of(world) - before, 10, "its process").pop()
    return child, pid


@pytest.mark.parametrize("host", ["web1", "web1.direct"])
def test_stopped_reader(world, host):
    """A gigabyte is on its way to a client that was stopped."""
    child, pid = start(world, host, "echo begun; head -c 1000000000 /dev/zero; echo >&2 done")
    assert read_line(child) == b"begun\n"
    child.send_signal(signal.SIGSTOP)
    most = highest(pid, WATCH)
    assert most < STALLED_MAX, "%d KiB" % most
    child.send_signal(signal.SIGCONT)
    child.kill()


@pytest.mark.parametrize("host", ["web1", "web1.direct"])
def test_stopped_backend(world, host):
    """The target's program does not read; the client sends what it can."""
    child, pid = start(world, host, "echo begun; kill -STOP $$; cat >/dev/null")
    assert read_line(child) == b"begun\n"
    os.set_blocking(child.stdin.fileno(), False)
    sent, end, most = 0, time.monotonic() + WATCH, 0
    while time.monotonic() < end:
        try:
            sent += os.write(child.stdin.fileno(), b"x" * 65536)
        except BlockingIOError:
            time.sleep(0.05)
        most = max(most, memory(pid))
    assert most < STALLED_MAX, "%d KiB after %d bytes" % (most, sent)
    assert sent < 100_000_000
    child.kill()


def test_slow_reader_gets_everything(world):
    """Back-pressure loses nothing: a reader in small steps gets all bytes, and the status."""
    child, _ = start(world, "web1", "head -c 20000000 /dev/zero; exit 3")
    got = 0
    while chunk := child.stdout.read1(200_000):
        got += len(chunk)
        time.sleep(0.002)
    assert got == 20_000_000
    assert finish(child).code == 3


def test_one_stalled_channel_does_not_stop_another(world, tmp_path):
    """Two channels of one connection: one is not read, the other works."""
    path = tmp_path / "control"
    master = world.popen("alice", "-M", "-S", path, "-N", "web1.direct")
    until(path.exists, 10, "the control socket")
    stalled = world.popen("alice", "-S", path, "web1.direct", "echo begun; head -c 500000000 /dev/zero")
    assert read_line(stalled) == b"begun\n"
    stalled.send_signal(signal.SIGSTOP)
    for _ in range(5):
        done = world.ssh("alice", "-S", path, "web1.direct", "echo lively")
        assert done.out == "lively\n"
    stalled.kill()
    master.kill()


@pytest.mark.skipif(SLOW > 1, reason="AddressSanitizer keeps what was freed for a while")
def test_memory_goes_back_after_a_transfer(world):
    """A session that has moved much is small again while it idles."""
    child, pid = start(world, "web1.direct", "head -c 100000000 /dev/zero; echo; echo moved; read line; echo $line")
    left = 100_000_001
    while left:
        left -= len(child.stdout.read(min(left, 1 << 20)))
    assert read_line(child) == b"moved\n"
    until(lambda: memory(pid) < 6 * 1024, 10, "a small process")
    child.stdin.write(b"still there\n")
    end_input(child)
    done = finish(child)
    assert (done.code, done.out) == (0, "still there\n")
