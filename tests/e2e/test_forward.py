"""Forwards, agent and X11: refused for now, each with a reason and an audit event. field.md 8, 9."""
import os
import socket
import subprocess

import pytest
from lablib import servers
from lablib.process import listening
from world import end_input, finish, read_line, until


def hosts():
    return pytest.mark.parametrize("host", ["web1", "web1.direct"])


@hosts()
def test_local(world, host):
    """-L: the session works, the forwarded connection is closed without a byte from the target."""
    port = servers.free_ports(1)[0]
    child = world.popen("alice", "-L", "%d:127.0.0.1:%d" % (port, world.port("web1")), host, "echo begun; cat")
    assert read_line(child) == b"begun\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        assert connection.recv(100) == b""
    end_input(child)
    done = finish(child)
    assert done.code == 0
    assert "refused" in done.err or "prohibited" in done.err, done
    assert world.event("forward-refused", detail=world.env["WEB1_PORT"])


@hosts()
def test_dynamic(world, host):
    """-D, as VS Code uses it (field.md 9): refused, the session goes on."""
    port = servers.free_ports(1)[0]
    child = world.popen("alice", "-D", port, host, "echo begun; cat")
    assert read_line(child) == b"begun\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"\x05\x01\x00")
        assert connection.recv(2) == b"\x05\x00"
        connection.sendall(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + world.port("web1").to_bytes(2, "big"))
        assert b"SSH-" not in connection.recv(100)
    end_input(child)
    assert finish(child).code == 0


def test_stdio_forward_to_something_else(world):
    """ssh -W through gw to what is no target: no byte of it arrives."""
    done = world.ssh("alice", "-W", "127.0.0.1:%d" % world.port("web1"), "gw", stdin=b"", timeout=20)
    assert b"OpenSSH" not in done.raw.replace(b"OpenSSH_Bartizan", b"")


@hosts()
def test_remote(world, host):
    """-R: refused; the client is told, nothing listens."""
    port = servers.free_ports(1)[0]
    done = world.ssh("alice", "-R", "%d:127.0.0.1:1" % port, host, "echo in", options=["ExitOnForwardFailure yes"])
    assert done.code == 255 and "in\n" not in done.out, done
    assert world.event("forward-refused")
    assert world.ssh("alice", "-R", "%d:127.0.0.1:1" % port, host, "echo in").out == "in\n"  # without that option the session itself works
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=2).close()


@pytest.fixture
def agent(tmp_path):
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    until(lambda: listening(path), 10, "the agent's socket")
    yield path
    process.terminate()
    process.wait()


@hosts()
def test_agent(world, host, agent):
    """-A: no agent at the target, a word to the user, an event."""
    done = world.ssh("alice", "-A", host, "echo agent=$SSH_AUTH_SOCK.", options=["IdentityAgent %s" % agent])
    assert done.out == "agent=.\n"
    assert "agent" in done.err
    assert world.event("agent-refused")


@hosts()
def test_x11(world, host):
    done = world.ssh("alice", "-Y", host, "echo display=$DISPLAY.", env={**os.environ, "DISPLAY": "127.0.0.1:77"})
    assert done.out.endswith("display=.\n")
    assert world.event("x11-refused")


@hosts()
def test_unix_sockets(world, host, tmp_path):
    """-L and -R to unix sockets: refused as well."""
    child = world.popen("alice", "-L", "%s:/run/nothing" % (tmp_path / "here"), host, "echo begun; cat")
    assert read_line(child) == b"begun\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(tmp_path / "here"))
        assert connection.recv(100) == b""
    end_input(child)
    assert finish(child).code == 0
    done = world.ssh("alice", "-R", "%s:127.0.0.1:1" % (tmp_path / "there"), host, "echo in", options=["ExitOnForwardFailure yes"])
    assert done.code == 255 and not (tmp_path / "there").exists()


def test_tunnel(world):
    done = world.ssh("alice", "-w", "any", "web1.direct", "echo in", options=["ExitOnForwardFailure yes", "Tunnel point-to-point"])
    assert "in\n" not in done.out or done.code == 0  # the client may fail to make its own device first
    assert world.ssh("alice", "web1.direct", "echo in").out == "in\n"
