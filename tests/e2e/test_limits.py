"""Limits on who knocks: login time, attempts, connections, channels, targets; PROXY headers. field.md 6, 16, 21."""
import json
import pathlib
import socket
import time

import pytest
from world import SLOW, finish, read_line, until

HERE = pathlib.Path(__file__).resolve().parent


def knock(world):
    connection = socket.create_connection(("127.0.0.1", world.port()), timeout=10 * SLOW)
    return connection


def says_banner(connection):
    try:
        return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def closed_after(connection):
    """Seconds until the gateway closes."""
    begun = time.monotonic()
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - begun


def test_login_time(own_world):
    """Who says nothing, and who dribbles, is cut; who is logged in is not."""
    world = own_world(lambda text: text.replace("limits:\n", "limits:\n  login_time: 1s\n"))
    with knock(world) as idle:
        assert says_banner(idle)
        assert 0.5 < closed_after(idle) < 4 * SLOW
    with knock(world) as dribbling:
        dribbling.sendall(b"SSH-2.0-x")
        assert closed_after(dribbling) < 4 * SLOW
    done = world.ssh("alice", "web1", "sleep 2; echo long")
    assert done.out == "long\n"
    assert world.event("login-timeout")


def test_unauthenticated_per_source(own_world):
    """The fourth that has not logged in is closed at once; when one leaves there is room again; those who are in do not count."""
    world = own_world(lambda text: text.replace("unauthenticated_per_source: 100", "unauthenticated_per_source: 3"))
    logged_in = [world.popen("alice", "web1.direct", "echo begun; cat") for _ in range(3)]
    for child in logged_in:
        assert read_line(child) == b"begun\n"
    held = [knock(world) for _ in range(3)]
    assert all(says_banner(connection) for connection in held)
    with knock(world) as fourth:
        assert not says_banner(fourth)
    assert "unauthenticated_per_source" in world.lab.log()
    held.pop().close()

    def room():
        with knock(world) as connection:
            return says_banner(connection)
    until(room, 5, "room")
    for connection in held:
        connection.close()
    until(lambda: world.ssh("alice", "web1", "echo in").out == "in\n", 5, "a login")


def test_unauthenticated_in_total(own_world):
    world = own_world(lambda text: text.replace("limits:\n", "limits:\n  unauthenticated: 2\n"))
    held = [knock(world) for _ in range(2)]
    assert all(says_banner(connection) for connection in held)
    with knock(world) as third:
        assert not says_banner(third)
    for connection in held:
        connection.close()
    until(lambda: world.ssh("alice", "web1", "echo in").out == "in\n", 5, "a login")


def test_login_attempts(own_world):
    """Refused certificates count; after the limit the connection is cut."""
    world = own_world(lambda text: text.replace("limits:\n", "limits:\n  login_attempts: 2\n"))
    options = []
    for i in range(5):
        key = world.visitor("attempt%d" % i)
        world.certificate("attempt%d" % i, validity="-2h:-1h")
        options += ["IdentityFile %s" % key, "CertificateFile %s-cert.pub" % key]
    done = world.ssh("attempt0", "web1.direct", "echo in", options=options)
    assert done.code == 255 and done.err.count("expired 1 hour ago") == 2, done
    refused = [event for event in world.events("login-refused") if "expired" in event["reason"]]
    assert len(refused) == 2


def test_channels(own_world, tmp_path):
    """limits.channels: one more is refused in words, the others go on."""
    world = own_world(lambda text: text.replace("limits:\n", "limits:\n  channels: 2\n"))
    path = tmp_path / "control"
    first = world.popen("alice", "-M", "-S", path, "web1.direct", "echo begun; cat")
    assert read_line(first) == b"begun\n"
    second = world.popen("alice", "-S", path, "web1.direct", "echo begun; cat")
    assert read_line(second) == b"begun\n"
    third = world.ssh("alice", "-S", path, "web1.direct", "echo in", options=["Port 1"])  # ssh would go on with a connection of its own
    assert "in\n" not in third.out and third.code != 0
    first.stdin.write(b"alive\n")
    first.stdin.flush()
    assert read_line(first) == b"alive\n"


def test_many_unauthenticated_do_not_hold_up_a_login(world):
    """Thirty connections that say nothing; a login takes no longer than it should."""
    held = [knock(world) for _ in range(30)]
    try:
        assert all(says_banner(connection) for connection in held)
        done = world.ssh("alice", "web1.direct", "echo in")
        assert done.out == "in\n" and done.seconds < 3 * SLOW
    finally:
        for connection in held:
            connection.close()


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.0\r\n\r\n", b"\0" * 40000, b"SSH-1.5-old\r\n", b"SSH-2.0-" + b"x" * 5000 + b"\r\n", bytes(range(256)) * 300,
                                   b"SSH-2.0-x\r\n" + b"\xff" * 40000, b"SSH-2.0-x\r\n\0\0\0\x0c\x0a\x14" + b"\0" * 20], ids=lambda noise: repr(noise[:12]))
def test_noise(world, noise):
    """What is no SSH is cut, and troubles nobody else."""
    with knock(world) as connection:
        try:
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        assert closed_after(connection) < 10 * SLOW
    assert world.ssh("alice", "web1.direct", "echo in").out == "in\n"
    assert "died of signal" not in world.lab.log()


# ---- PROXY protocol ----

V1 = b"PROXY TCP4 198.51.100.7 127.0.0.1 40000 22\r\n"
V1_6 = b"PROXY TCP6 2001:db8::7 ::1 40000 22\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes([198, 51, 100, 8, 127, 0, 0, 1]) + b"\x9c\x40\x00\x16"


def through(world, header, *words):
    command = "ProxyCommand /usr/bin/python3 %s 127.0.0.1 %d %s" % (HERE / "proxy_header.py", world.port(), header.hex())
    return world.ssh("alice", "gw", *words, options=[command])


@pytest.fixture(scope="module")
def balanced(module_world):
    module_world.edit(lambda text: text + "\nproxy_protocol: {from: [127.0.0.0/8]}\n")
    return module_world


@pytest.mark.parametrize("header, source", [(V1, "198.51.100.7"), (V1_6, "2001:db8::7"), (V2, "198.51.100.8")], ids=["v1", "v1-ipv6", "v2"])
def test_proxy_header_is_believed(balanced, header, source):
    """field.md 21: from a trusted network the header says who it is."""
    done = through(balanced, header, "whoami --json")
    assert json.loads(done.out)[0]["source"] == source, done
    assert balanced.event("login", source=source)


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_proxy_header_of_a_stranger(world, header):
    """The twin: from elsewhere it is noise."""
    done = through(world, header, "whoami --json")
    assert done.code == 255 and not done.out, done


@pytest.mark.parametrize("header", [b"PROXY TCP4 999.1.1.1 127.0.0.1 1 2\r\n", b"PROXY TCP4 " + b"1" * 300, b"PROXY UNKNOWN\r\nPROXY UNKNOWN\r\n", V2[:20], b"\r\n"])
def test_bad_proxy_header(balanced, header):
    done = through(balanced, header, "whoami --json")
    assert done.code == 255 and not done.out, done


def test_no_header_where_one_must_be(balanced):
    """A direct connection that claims to come from the balancer's network is not taken at its word."""
    done = balanced.ssh("alice", "gw", "whoami --json")
    assert done.code == 255 and not done.out, done


def test_source_rule_by_proxy_header(own_world):
    """A rule on sources and a certificate's source-address see the address of the header."""
    world = own_world(lambda text: text.replace("    targets: {labels: {env: staging}}", "    targets: {labels: {env: staging}}\n    sources: [198.51.100.7/32]")
                      + "\nproxy_protocol: {from: [127.0.0.0/8, \"::1/128\"]}\n")

    def attempt(header):
        command = "ProxyCommand /usr/bin/python3 %s 127.0.0.1 %d %s" % (HERE / "proxy_header.py", world.port(), header.hex())
        return world.ssh("alice", "web1.direct", "echo in", options=[command])
    assert attempt(V1).out == "in\n"
    assert attempt(V2).code == 77


def test_end_of_many(own_world):
    """A hundred connections that come and go leave no process and no row open."""
    world = own_world()
    for _ in range(5):
        children = [world.popen("alice", "web1.direct", "true") for _ in range(8)]
        assert [finish(child).code for child in children] == [0] * 8
    until(lambda: not world.processes("session"), 5, "the end of all session processes")
    until(lambda: not world.sessions(state="open"), 5, "the end of all rows")
    assert world.lab.gateway_status()["connections"] == 0
