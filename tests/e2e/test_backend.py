"""Targets that are down, silent, slow, changed or killed: always the same kind of answer, in words, in time. field.md 3, 6, 18, 19, 20."""
import contextlib
import json
import os
import signal
import time

import pytest
from world import SLOW, Server, add_targets, finish, read_line, target, until


def hostile(world, name, server, key=None, **settings):
    """Adds a target to the configuration that is served by `server`, with short deadlines."""
    key = key or world.lab._public("hosts/web1")

    def change(text):
        text = add_targets(text, target(name, server if isinstance(server, int) else server.port, key))
        return text if "outbound:" in text else text + "\noutbound: {handshake_time: 2s, connect_time: 2s}\n"
    world.edit(change)
    world.closing.callback(lambda: server.close() if isinstance(server, Server) else None)


def ask(world, name, command="echo reached", who="alice"):
    """In direct mode, for a name that ssh_config does not know."""
    return world.ssh(who, "-l", "%s@%s" % (world.env["LOGIN"], name), "any.direct", command)


@pytest.fixture(scope="module")
def shop(module_world):
    return module_world


@pytest.mark.parametrize("mode", ["web1", "web1.direct"])
def test_down(own_world, mode):
    """field.md 3: refused at once, in words, with 69, for every kind of channel."""
    world = own_world()
    world.lab.stop_one("web1")
    for words in ([mode, "true"], ["-tt", mode], ["-s", mode, "sftp"]):
        done = world.ssh("alice", *words)
        assert done.code == 69, done
        assert "bartizan: " in done.err + done.out and "web1" in done.err + done.out
        assert done.seconds < 5 * SLOW
    assert world.ssh("alice", mode, "true").out == ""
    assert "refused" in str(world.event("dial-failed"))
    world.lab.start_server("web1")
    assert world.ssh("alice", mode, "echo again").out == "again\n"


def test_silent(shop):
    """A server that accepts and says nothing is given up after handshake_time."""
    hostile(shop, "silent1", Server(lambda connection: connection.recv(1 << 16) and time.sleep(60)))
    done = ask(shop, "silent1")
    assert done.code == 69, done
    assert "bartizan: " in done.err and 1.5 < done.seconds < 6 * SLOW


def test_dribbling_banner(shop):
    """field.md 6: one byte now and then is not progress."""
    def dribble(connection):
        for byte in b"SSH-2.0-" + b"x" * 200:
            connection.sendall(bytes([byte]))
            time.sleep(0.2)
    hostile(shop, "dribble1", Server(dribble))
    done = ask(shop, "dribble1")
    assert done.code == 69, done
    assert "bartizan: " in done.err and done.seconds < 6 * SLOW


def test_not_ssh(shop):
    def talk(connection):
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"A" * 100_000)
        connection.close()
    hostile(shop, "web-server1", Server(talk))
    done = ask(shop, "web-server1")
    assert done.code == 69 and "bartizan: " in done.err, done


def test_closes_at_once(shop):
    hostile(shop, "closing1", Server(lambda connection: connection.close()))
    done = ask(shop, "closing1")
    assert done.code == 69 and "bartizan: " in done.err, done


def test_one_dead_target_holds_nobody_up(shop):
    """field.md 6: while somebody waits for a dead target, others work."""
    hostile(shop, "dead1", Server(lambda connection: time.sleep(60)))
    waiting = shop.popen("alice", "-l", "%s@dead1" % shop.env["LOGIN"], "any.direct", "true")
    done = shop.ssh("alice", "web1", "echo quick")
    assert done.out == "quick\n" and done.seconds < 3 * SLOW
    assert finish(waiting).code == 69


def test_host_key_changed(shop):
    """field.md 18: pinned, never asked, never trusted on sight."""
    hostile(shop, "swapped1", shop.port("web1"), key=shop.lab._public("hosts/db1"))
    done = ask(shop, "swapped1")
    assert done.code == 69, done
    assert "host key" in done.err and "reached" not in done.out
    assert shop.event("host-key-mismatch")


def test_credential_refused(shop):
    """A target that does not know our credential: said so, with 69."""
    hostile(shop, "stranger1", shop.port("plain1"), key=shop.lab._public("hosts/plain1"))
    done = ask(shop, "stranger1")
    assert done.code == 69, done
    assert "bartizan: " in done.err
    assert shop.event("backend-auth-failed")


def test_name_that_does_not_resolve(shop):
    shop.edit(lambda text: add_targets(text, target("lost1", 22, shop.lab._public("hosts/web1")).replace("127.0.0.1", "no-such-host.invalid")))
    done = ask(shop, "lost1")
    assert done.code == 69 and "bartizan: " in done.err, done


@pytest.mark.parametrize("words", [["web1"], ["-tt", "web1"], ["web1.direct"]])
def test_killed_in_the_middle_of_output(own_world, words):
    """field.md 1, 20: the target's sshd dies: the client is told why and ends; the record says it, too."""
    world = own_world()
    child = world.popen("alice", *words, ": killed-backend; echo begun; while :; do echo line; sleep 0.01; done")
    read_line(child)
    for pid in world.children_of_server("web1"):
        with contextlib.suppress(ProcessLookupError):  # some go with their parents
            os.kill(pid, signal.SIGKILL)
    done = finish(child)
    assert done.code == 69, done
    assert "bartizan: " in done.err + done.out
    session, folder = world.record("killed-backend")
    assert session["channels"][0]["reason"] or session["reason"]
    assert world.ssh("alice", "web1", "echo on").out == "on\n"
    assert json.loads((folder / "session.json").read_text())["state"] == "closed"


def test_many_dials_are_queued(own_world):
    """A target whose sshd drops logins beyond five at once (MaxStartups) loses none of twenty: dials wait in line."""
    world = own_world(lambda text: text + "\noutbound: {dials_per_target: 2}\n")
    conf = world.dir / "hosts/web1.conf"
    conf.write_text(conf.read_text().replace("MaxStartups 500", "MaxStartups 5"))
    world.lab.stop_one("web1")
    world.lab.start_server("web1")
    children = [world.popen("alice", "web1.direct", "echo %d" % i) for i in range(20)]
    results = [finish(child) for child in children]
    assert not [done for done in results if done.code]
    assert [done.out for done in results] == ["%d\n" % i for i in range(20)]


def test_weak_algorithms_only_where_allowed(own_world):
    """field.md 19: below the bar: refused with both lists; allowed by name for that target; shown in the evidence."""
    world = own_world()
    conf = world.dir / "hosts/web1.conf"
    conf.write_text(conf.read_text() + "KexAlgorithms diffie-hellman-group14-sha1\n")
    world.lab.stop_one("web1")
    world.lab.start_server("web1")
    done = world.ssh("alice", "web1", "echo reached")
    assert done.code == 69 and "reached" not in done.out, done
    assert "diffie-hellman-group14-sha1" in done.err and "curve25519-sha256" in done.err
    world.edit(lambda text: text.replace("labels: {env: staging, role: web}", "labels: {env: staging, role: web}\n    crypto: {allow: [diffie-hellman-group14-sha1]}"))
    done = world.ssh("alice", "web1", "echo reached-weakly")
    assert done.out == "reached-weakly\n", done
    session, _ = world.record("reached-weakly")
    assert session["evidence"]["outbound"]["kex"] == "diffie-hellman-group14-sha1"


def test_hosts_scan(shop):
    """field.md 18: prints the line for an admin to add; changes nothing."""
    done = shop.lab.cli("hosts", "scan", "web1")
    assert done.returncode == 0, done.stderr
    assert shop.lab._public("hosts/web1").split()[1] in done.stdout
    hostile(shop, "scanned1", shop.port("db1"), key=shop.lab._public("hosts/web1"))
    done = shop.lab.cli("hosts", "scan", "scanned1")
    assert shop.lab._public("hosts/db1").split()[1] in done.stdout
    assert ask(shop, "scanned1").code == 69


def test_end_of_client_ends_target(world):
    """field.md 20: a session ends when either socket does: the target's program sees the end of its input."""
    child = world.popen("alice", "web1.direct", "echo $$; exec cat")
    pid = int(read_line(child))
    child.kill()
    until(lambda: not os.path.exists("/proc/%d" % pid) or open("/proc/%d/stat" % pid).read().split()[2] == "Z", 10, "the end of the target's program")
