"""The gateway's own commands over ssh and on the control socket, each right with its negative twin."""
import json
import os
import re
import subprocess

import pytest
from lablib.lab import program
from world import finish, read_line, run


@pytest.fixture(scope="module")
def records(world):
    """One finished session each of alice and bob."""
    made = {}
    for who, host in (("alice", "web1"), ("bob", "web1")):
        world.ssh(who, host, "echo commands-of-%s" % who)
        made[who] = world.record("commands-of-%s" % who)[0]["id"]
    return made


def gw(world, who, *words):
    return world.ssh(who, "gw", " ".join(words))


def test_whoami(world):
    got = json.loads(gw(world, "bob", "whoami --json").out)[0]
    assert got["user"] == "bob" and sorted(got["groups"]) == ["leads", "sre"] and sorted(got["roles"]) == ["lead", "sre"]
    assert sorted(got["may"]) == ["kill", "sessions"] and got["source"] == "127.0.0.1"
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", got["expires"])
    assert "bob" in gw(world, "bob", "whoami").out
    assert json.loads(gw(world, "mallory", "whoami --json").out)[0]["roles"] == []


def test_targets(world):
    def names(who):
        return sorted(row["name"] for row in json.loads(gw(world, who, "targets --json").out))
    assert names("alice") == ["db1", "odd1", "plain1", "web1"]
    assert names("bob") == ["db1", "odd1", "plain1", "web1"]
    assert names("mallory") == [] == names("carol")


def test_targets_crypto(own_world):
    """The last thing seen of a target, by a session or a scan; nothing seen is unknown, and is not taken for a no."""
    world = own_world()

    def crypto(who=None):
        rows = json.loads(gw(world, who, "targets --crypto --json").out) if who else world.json("targets", "--crypto")
        return {row["name"]: row for row in rows}
    with open(world.dir / "hosts/plain1.conf", "a", encoding="ascii") as conf:
        conf.write("KexAlgorithms curve25519-sha256\n")
    world.lab.stop_one("plain1")
    world.lab.start_server("plain1")
    assert {row["post_quantum"] for row in crypto().values()} == {None}
    assert re.search(r"^web1 .* unknown ", world.lab.cli("targets", "--crypto").stdout, re.M)
    for host in ("web1", "plain1.direct"):
        assert world.ssh("alice", host, "echo in").out == "in\n"
    seen = crypto("alice")
    assert sorted(seen) == ["db1", "odd1", "plain1", "web1"] and crypto("mallory") == {}
    plain = seen["plain1"]
    assert (plain["post_quantum"], plain["kex"], plain["host_key_algorithm"], plain["from"]) == (False, "curve25519-sha256", "ssh-ed25519", "session")
    assert plain["cipher"] and plain["seen"] and seen["db1"]["post_quantum"] is None
    library = "no post-quantum" not in run([program("bartizand"), "--version"]).out
    assert seen["web1"]["post_quantum"] is library, seen
    assert re.search(r"^plain1 +\d+ +no +curve25519-sha256 ", gw(world, "alice", "targets --crypto").out, re.M)
    assert world.lab.cli("hosts", "scan", "db1").returncode == 0
    scanned = crypto()["db1"]
    assert (scanned["post_quantum"], scanned["from"], scanned["cipher"]) == (library, "scan", None)
    world.lab.stop_one("plain1")  # what does not answer leaves the row as it was
    assert world.lab.cli("hosts", "scan", "plain1").returncode == 69 and crypto()["plain1"] == plain


def test_help_and_nonsense(world):
    assert "whoami" in gw(world, "mallory", "help").out
    assert "whoami" in world.ssh("alice", "gw").out  # no command: help
    for words in ("no-such-command", "whoami --no-such-option", "sessions show", "replay", "replay ../../etc/passwd", "sessions show '%s'" % ("x" * 500)):
        done = gw(world, "alice", words)
        assert done.code in (1, 2) and "bartizan: " in done.err and not done.out, done
    assert gw(world, "alice", "whoami; id").code != 0
    assert "uid=" not in gw(world, "alice", "whoami $(id)").out + gw(world, "alice", "`id`").err


def test_sessions(world, records):
    def ids(who, *words):
        return [row["id"] for row in json.loads(gw(world, who, "sessions", *words, "--json").out)]
    assert records["alice"] in ids("alice") and records["bob"] not in ids("alice")
    for who in ("bob", "carol"):  # lead and auditor may see everybody's
        assert {records["alice"], records["bob"]} <= set(ids(who))
    assert ids("mallory") == []
    for words in ("--all", "--user bob"):
        done = gw(world, "alice", "sessions", words)
        assert done.code == 77 and "bartizan: " in done.err and not done.out
    assert records["bob"] in ids("carol", "--user", "bob") and records["alice"] not in ids("carol", "--user", "bob")


def test_show(world, records):
    assert json.loads(gw(world, "alice", "sessions show %s --json" % records["alice"]).out)[0]["user"] == "alice"
    assert gw(world, "alice", "sessions show %s" % records["bob"]).code == 77
    assert json.loads(gw(world, "carol", "sessions show %s --json" % records["bob"]).out)[0]["user"] == "bob"
    assert gw(world, "alice", "evidence %s" % records["bob"]).code == 77
    assert gw(world, "alice", "evidence %s" % records["alice"]).code == 0


def test_replay(world, records):
    assert "commands-of-alice" in gw(world, "alice", "replay %s --text" % records["alice"]).out
    done = gw(world, "alice", "replay %s --text" % records["bob"])
    assert done.code == 77 and not done.out
    done = gw(world, "bob", "replay %s --text" % records["alice"])  # a lead may list, not replay
    assert done.code == 77 and not done.out
    assert "commands-of-bob" in gw(world, "carol", "replay %s --text" % records["bob"]).out
    assert world.event("replay", session=records["bob"])["by"] == "carol"  # looking at others is on record
    beginning = records["bob"][:12]
    assert gw(world, "mallory", "sessions show %s" % beginning).code == 1  # nothing is told about ids that are guessed


def test_kill(world):
    child = world.popen("alice", "web1", "echo begun; cat")
    assert read_line(child) == b"begun\n"
    session = world.record("echo begun; cat", closed=False)[0]["id"]
    session = next(row["id"] for row in world.sessions(state="open") if row["user"] == "alice") or session
    for who in ("carol", "mallory"):
        assert gw(world, who, "sessions kill %s" % session).code == 77
    assert child.poll() is None
    done = gw(world, "bob", "sessions kill %s --reason 'lunch time'" % session)
    assert done.code == 0, done
    ended = finish(child)
    assert ended.code == 77 and "lunch time" in ended.err and "bartizan: " in ended.err, ended
    assert world.event("session-kill", session=session)["by"] == "bob"
    assert gw(world, "bob", "sessions kill %s" % session).code != 0


def test_audit_tail(world):
    assert json.loads(gw(world, "carol", "audit tail --json").out)
    for who in ("alice", "bob", "mallory"):
        done = gw(world, who, "audit tail")
        assert done.code == 77 and not done.out and "audit" in done.err


def test_local_only(world):
    """What only the machine's administrator may: not over ssh, whoever asks."""
    for words in ("cert issue --user root --public-key x", "status", "hosts scan web1"):
        for who in ("alice", "bob", "carol"):
            assert gw(world, who, words).code == 77
    assert world.lab.cli("status").returncode == 0
    assert world.lab.cli("hosts", "scan", "web1").returncode == 0
    assert world.json("whoami")[0]["user"].startswith("local:")


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become somebody else")
def test_control_socket_is_for_administrators(world):
    """Another user of the machine gets nothing."""
    command = [program("bartizan"), "--socket", world.env["CONTROL_SOCKET"], "status"]
    done = subprocess.run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *command], capture_output=True, text=True, timeout=20)
    assert done.returncode in (77, 126), done


def test_plain_output_is_for_people(world, records):
    shown = gw(world, "carol", "sessions ls").out
    assert "SESSION" in shown and records["bob"] in shown
    assert "bartizand" in gw(world, "alice", "version").out


def test_config_ssh(world, tmp_path):
    """`bartizan config ssh`: what it prints is enough for a stock client, with one known_hosts line."""
    config = world.lab.cli("config", "ssh", "--user", "alice", "--host", "127.0.0.1", "--port", world.port(), "--ssh-config")
    hosts = world.lab.cli("config", "ssh", "--host", "127.0.0.1", "--port", world.port(), "--known-hosts")
    assert config.returncode == 0 and hosts.returncode == 0, (config.stderr, hosts.stderr)
    assert len([line for line in hosts.stdout.splitlines() if line and not line.startswith("#")]) == 1
    (tmp_path / "known_hosts").write_text(hosts.stdout)
    people = world.dir / "people/alice"
    (tmp_path / "config").write_text(config.stdout + "\nHost *\n User %s\n IdentityFile %s/id\n CertificateFile %s/id-cert.pub\n IdentitiesOnly yes\n IdentityAgent none\n"
                                     " BatchMode yes\n StrictHostKeyChecking yes\n UserKnownHostsFile %s\n GlobalKnownHostsFile /dev/null\n"
                                     % (world.env["LOGIN"], people, people, tmp_path / "known_hosts"))
    for host in ("web1", "plain1"):
        done = subprocess.run(["ssh", "-F", str(tmp_path / "config"), host, "echo in"], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
        assert done.stdout == "in\n", done


def test_json_everywhere(world, records):
    """Flat objects in one array, ASCII only."""
    for words in (["sessions", "ls"], ["sessions", "show", records["alice"]], ["sessions", "show", records["alice"], "--channels"], ["evidence", records["alice"]],
                  ["audit", "tail"], ["targets"], ["whoami"], ["status"], ["hosts", "scan", "web1"]):
        got = world.json(*words)
        assert isinstance(got, list) and all(isinstance(row, dict) for row in got)
        assert not any(isinstance(value, dict) for row in got for value in row.values())
