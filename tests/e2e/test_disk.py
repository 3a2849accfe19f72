"""A full disk: nobody new, running sessions end with words, a named role still gets in, and all is well when there is room again. field.md 12."""
import os
import subprocess

import pytest
from lablib.lab import Lab
from world import World, finish, read_line, until

MIB = 1 << 20


@pytest.fixture
def small(tmp_path_factory):
    """A lab whose state directory is a tmpfs of 48 MiB; the low-water mark is at 16."""
    if os.getuid() != 0:
        pytest.skip("only root may mount a small file system")
    directory = tmp_path_factory.mktemp("small")
    for parent in (directory, *directory.parents):
        if parent.owner() == "root" and str(parent).startswith("/tmp/"):
            parent.chmod(0o711)
    state = directory / "state"
    state.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(state)], capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    world = World(directory)
    try:
        world.lab.up(lambda text: text.replace("  min_free: 16MiB\n", "  min_free: 16MiB\n  break_glass: lead\n"))
        yield world
    finally:
        world.close()
        Lab(directory).down()
        subprocess.run(["umount", "-l", str(state)], check=False)


def fill(world, leave):
    """Takes room until only `leave` bytes are left; returns the file."""
    ballast = world.dir / "state/ballast"
    free = os.statvfs(world.dir / "state")
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(free.f_bavail * free.f_frsize - leave, 4096))
    return ballast


def test_low_water(small):
    world = small
    assert world.ssh("alice", "web1", "echo in").out == "in\n"
    child = world.popen("alice", "-tt", "web1", "echo begun; while :; do echo line; sleep 0.05; done")
    assert b"begun" in read_line(child)
    ballast = fill(world, 8 * MIB)
    done = finish(child)  # the running one ends, with words
    assert done.code != 0 and "bartizan: " in done.out + done.err, done
    done = world.ssh("alice", "web1", "echo in")  # nobody new
    assert done.code in (70, 75) and "room" in done.err and not done.out, done
    assert world.ssh("bob", "web1", "echo glass").out == "glass\n"  # but for the break-glass role
    ballast.unlink()
    until(lambda: world.ssh("alice", "web1", "echo again").out == "again\n", 10, "service again")
    session, folder = world.record("begun")
    assert session["reason"]
    verified = world.lab.cli("audit", "verify")
    assert verified.returncode == 0, verified


def test_really_full(small):
    """Not a byte is left: fail closed, nothing breaks, and service returns."""
    world = small
    child = world.popen("alice", "-tt", "web1", "echo begun; while :; do echo line; sleep 0.05; done")
    assert b"begun" in read_line(child)
    ballast = fill(world, 0)
    assert finish(child).code != 0
    done = world.ssh("alice", "web1", "echo in")
    assert done.code != 0 and not done.out, done
    ballast.unlink()
    until(lambda: world.ssh("alice", "web1", "echo again").out == "again\n", 20, "service again")
    verified = world.lab.cli("audit", "verify")
    assert verified.returncode == 0, verified
