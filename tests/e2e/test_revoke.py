"""Revocation: new connections hear why, live ones end within a second, and what is lifted is lifted."""
import datetime
import itertools
import json

import pytest

from person import Person, aged, log_in, within
from world import SLOW, finish, read_line, run, until

SERIAL = itertools.count(1)


def live(world, who, host="web1", options=()):
    """A session that is in the middle of something."""
    child = world.popen(who, host, "echo in; cat", options=options)
    assert read_line(child) == b"in\n"
    return child


def revoke(world, *words):
    done = world.lab.cli("revoke", *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[0]


def moment(event):
    return datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def ends(child, *words):
    done = finish(child)
    assert done.code == 77 or done.code == 255, done
    for word in words:
        assert word in done.err, done


def ended_at_once(world, count):
    """So many sessions since the last revocation, each within a second of it by the gateway's own clock."""
    revoked = world.event("revoked")
    ended = until(lambda: len(rows := [row for row in world.events("session-end") if row["seq"] > revoked["seq"]]) >= count and rows, what="the ends of %d sessions" % count)
    assert len(ended) == count
    for row in ended:
        assert moment(row) - moment(revoked) < 1 * SLOW, (revoked, row)


def refused(world, who, *words, host="web1.direct"):
    done = world.ssh(who, host, "true", options=("BatchMode yes",))
    assert done.code == 255, done
    for word in words:
        assert word in done.err, done


@pytest.fixture
def fresh(own_world):
    return own_world()


def test_user(fresh):
    """Certificates and logins alike; both ways to a target; the reason is read; and it can be lifted."""
    world = fresh
    log_in(world, "alice", "gw", "whoami")
    children = [live(world, "alice"), live(world, "alice", "web1.direct"), live(world, "alice.nocert")]
    other = live(world, "bob")
    told = revoke(world, "--user", "alice", "--reason", "laptop lost")
    assert told["connections"] == 3 and told["logins"] == 1
    for child in children:
        ends(child, "user is revoked: laptop lost")
    ended_at_once(world, 3)
    assert other.poll() is None
    refused(world, "alice", "user is revoked: laptop lost")
    refused(world, "alice.nocert", "user is revoked: laptop lost")
    rows = world.json("revoked")
    assert [(row["kind"], row["value"], row["until"]) for row in rows] == [("user", "alice", None)]
    assert world.lab.cli("unrevoke", rows[0]["id"]).returncode == 0
    assert world.ssh("alice", "web1", "echo in").out == "in\n"
    refused(world, "alice.nocert", "certificate needed: run ssh gw login")  # its login is gone for good
    assert world.json("revoked") == []
    for type_ in ("revoked", "unrevoked"):
        assert world.event(type_)["by"].startswith("local:")


def test_revoked_user_logs_in_with_a_new_key(fresh):
    world = fresh
    revoke(world, "--user", "alice", "--reason", "left")
    code, out = Person(world, "alice", "web1.direct", "true").asked().browser().end()
    assert code == 255 and "user is revoked: left" in out, out
    assert all(row["provider"] == "local" for row in world.events("certificate-issued"))


def test_revoked_while_the_browser_is_open(fresh):
    """A login that is held is that person's, too: it ends when it is known whose it is, and one that waits for a fresh login at once."""
    world = fresh
    person = Person(world, "alice", "web1.direct", "true").asked()
    revoke(world, "--user", "alice", "--reason", "left")
    code, out = person.browser().end()
    assert code == 255 and "user is revoked: left" in out, out
    assert all(row["provider"] == "local" for row in world.events("certificate-issued"))
    within(world, "15m")
    aged(world, "bob", 3600)
    waiting = Person(world, "bob", "web1.direct", "true", options=("RequestTTY force",)).asked()
    revoke(world, "--user", "bob", "--reason", "left as well")
    code, out = waiting.end()
    assert code in (77, 255) and "user is revoked: left as well" in out, out


def test_serial_and_key(fresh):
    world = fresh
    me = json.loads(world.ssh("alice", "gw", "whoami", "--json").out)[0]
    child = live(world, "alice")
    revoke(world, "--serial", me["serial"], "--reason", "mistake")
    ends(child, "certificate is revoked: mistake")
    ended_at_once(world, 1)
    refused(world, "alice", "certificate is revoked: mistake")
    assert world.ssh("bob", "web1", "true").code == 0
    mine = json.loads(world.ssh("bob", "gw", "whoami", "--json").out)[0]
    child = live(world, "bob")
    revoke(world, "--key", mine["key"])
    ends(child, "key is revoked")
    ended_at_once(world, 1)
    refused(world, "bob", "key is revoked")
    line = (world.dir / "people/carol/id.pub").read_text().strip()
    revoke(world, "--key", line)  # the public key itself serves as well
    refused(world, "carol", "key is revoked", host="gw")


def test_session(fresh):
    """Who works there does not come back with that key."""
    world = fresh
    child, other = live(world, "alice"), live(world, "bob")
    row = next(row for row in world.sessions(state="open") if row["user"] == "alice")
    revoke(world, "--session", row["id"], "--reason", "what is this")
    ends(child, "key is revoked: what is this")
    ended_at_once(world, 1)
    refused(world, "alice", "key is revoked: what is this")
    assert other.poll() is None
    over = world.lab.cli("revoke", "--session", row["id"])
    assert over.returncode == 1 and "is not live" in over.stderr


def test_only_for_a_while(fresh):
    world = fresh
    revoke(world, "--user", "alice", "--for", "8s")
    refused(world, "alice", "user is revoked until ")
    until(lambda: world.ssh("alice", "web1.direct", "true").code == 0, 40, "the end of the revocation")
    assert world.json("revoked") == [] and len(world.json("revoked", "--all")) == 1


def test_survives_a_restart(fresh):
    world = fresh
    revoke(world, "--user", "alice")
    world.lab.stop_one("gateway")
    world.lab.start_gateway()
    refused(world, "alice", "user is revoked")


def test_needs_the_right(own_world):
    world = own_world(lambda text: text.replace("may: [sessions, kill]", "may: [sessions, kill, revoke]"))
    for words in (("revoke", "--user", "bob"), ("revoked",), ("unrevoke", "1")):
        done = world.ssh("alice", "gw", *words)
        assert done.code == 77 and "needs the right 'revoke'" in done.err, done
    child = live(world, "alice")
    done = world.ssh("bob", "gw", "revoke", "--user", "alice", "--reason", "'as agreed'")
    assert done.code == 0 and "connections ended  1" in done.out, done
    ends(child, "user is revoked: as agreed")
    ended_at_once(world, 1)
    assert world.event("revoked")["by"] == "bob"


def test_foreign_authority(own_world):
    """Serials and key ids of an authority that is not ours; the same number of ours is another certificate."""
    world = own_world()
    ca = world.dir / "keys/step"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ca])
    world.edit(lambda text: text.replace("  lifetime: 10h\n", "  lifetime: 10h\n  trusted: [{key: %s.pub, user: principal}]\n" % ca, 1)
               .replace("rules:\n", "rules:\n  - {name: step, allow: [exec], users: [carl], targets: {labels: {env: staging}}}\n", 1))
    fp = run(["ssh-keygen", "-lf", str(ca) + ".pub"]).out.split()[1]
    names = []
    for serial, key_id in ((7, "carl laptop"), (8, "carl phone")):
        name = "visitor%d" % next(SERIAL)
        world.visitor(name)
        world.certificate(name, "-z", str(serial), ca=ca, principals="carl", key_id=key_id)
        names.append(name)
    laptop, phone = names
    revoke(world, "--serial", "7")
    assert world.ssh(laptop, "web1", "true").code == 0
    child = live(world, laptop)
    revoke(world, "--serial", "7", "--ca", fp)
    ends(child, "certificate is revoked")
    ended_at_once(world, 1)
    refused(world, laptop, "certificate is revoked")
    assert world.ssh(phone, "web1", "true").code == 0
    revoke(world, "--key-id", "carl phone")
    refused(world, phone, "certificate is revoked")


def test_revocation_list(own_world):
    """An OpenSSH KRL of the configuration is obeyed, also by who is inside already; one that cannot be read is not taken."""
    world = own_world()
    me = json.loads(world.ssh("alice", "gw", "whoami", "--json").out)[0]
    spec, krl = world.dir / "spec", world.dir / "revoked.krl"
    spec.write_text("serial: %d\n" % me["serial"])
    made = run(["ssh-keygen", "-q", "-k", "-f", krl, "-s", world.env["USER_CA"] + ".pub", spec, world.dir / "people/bob/id.pub"])
    assert made.code == 0, made
    alice, bob, carol = live(world, "alice"), live(world, "bob"), world.ssh("carol", "gw", "whoami")
    assert carol.code == 0
    world.edit(lambda text: text.replace("  lifetime: 10h\n", "  lifetime: 10h\n  revoked: %s\n" % krl, 1))
    for child, by in ((alice, "by its serial"), (bob, "by its key")):
        done = finish(child)
        assert "is revoked (%s, in the revocation list of the gateway)" % by in done.err, done
    refused(world, "alice", "by its serial")
    refused(world, "bob", "by its key")
    assert world.ssh("carol", "gw", "whoami").code == 0
    good = krl.read_bytes()
    krl.write_bytes(good[:-3])
    with pytest.raises(Exception, match="cannot be used"):
        world.lab.reload()
    refused(world, "alice", "by its serial")
    krl.write_bytes(good)
    run(["ssh-keygen", "-q", "-k", "-f", krl])  # an empty list
    world.lab.reload()
    assert world.ssh("alice", "web1", "true").code == 0


@pytest.mark.parametrize("words", [(), ("--user", "a", "--serial", "1"), ("--serial", "x"), ("--key", "SHA256:short"), ("--until", "2020-01-01T00:00:00Z", "--user", "a")])
def test_usage(world, words):
    done = world.lab.cli("revoke", *words)
    assert done.returncode == 2 and done.stdout == "", done
