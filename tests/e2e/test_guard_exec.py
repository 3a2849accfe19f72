"""Guards on exec over real ssh: the exact bytes are judged before anything opens; and break-glass. design.md 7, field.md 14."""
import json
import subprocess

import pytest
from approvals import clear, end, gw, held, id_in, lead, member, pending, requests, show, state, vote
from world import until

GUARDS = r"""
guards:
  prod:
    - {deny: ["mkfs*", "re:\\bdd\\b.*of=/dev/"]}
    - {approve: ["rm -r*"], by: lead}
    - {warn: ["touch *"]}
    - {allow: ["*"]}
  nothing-held:
    - {allow: ["echo *"]}
rules:
  - {name: glass, allow: [shell, exec], groups: [oncall], break_glass: true}
  - {name: guarded, allow: [exec], roles: [sre], targets: [web1], guard: prod}
  - {name: strict, allow: [exec], roles: [sre], targets: [plain1], guard: nothing-held}
  - {name: both, allow: [exec], roles: [sre], targets: [db1], guard: prod, approval: {by: lead, wait_without_terminal: 0s}}
"""


@pytest.fixture(scope="module")
def shop(module_world):
    """The lab with guards instead of its own rules; olga is on call, dave is one more lead."""
    lead(module_world, "dave")
    member(module_world, "olga", "oncall")
    module_world.rules(GUARDS)
    return module_world


@pytest.fixture(autouse=True)
def cleared(shop):
    yield
    clear(shop)


def test_allowed(shop):
    assert shop.ssh("alice", "web1", "echo one; echo two | cat").out == "one\ntwo\n"
    channel = shop.record("echo one; echo two | cat")[0]["channels"][0]
    assert channel["guard"]["verdict"] == "allow" and [part["command"] for part in channel["guard"]["commands"]] == ["echo one", "echo two", "cat"]


@pytest.mark.parametrize("command", ["mkfs /dev/null", "echo ok; mkfs.ext4 /dev/null", "sudo mkfs /dev/null", "sh -c 'mkfs /dev/null'", "echo $(mkfs /dev/null)", "/sbin/mkfs x",
                                     "m'kf's x", "dd if=/dev/zero of=/dev/null-not"])
def test_denied(shop, command):
    """The strictest verdict wins, wherever the command hides; nothing of the line runs."""
    done = shop.ssh("alice", "web1", command)
    assert done.code == 77 and not done.out and "guard 'prod'" in done.err and "bartizan: " in done.err, done
    event = shop.event("access-denied", command=command.split("'")[0].split("$")[0][:5])
    assert json.loads(event["guard"])["verdict"] == "deny"
    assert not requests(shop)


def test_warned(shop):
    """Without a terminal a line on standard error; at one a question whose answer counts."""
    path = shop.dir / "touched"
    done = shop.ssh("alice", "web1", "touch %s" % path)
    assert done.code == 0 and "warning" in done.err and not done.out and path.exists(), done
    path.unlink()
    for answer, code in (("n", 77), ("", 77), ("maybe", 77), ("y", 0), ("YES", 0)):
        child = shop.terminal("alice", "-tt", "web1", "touch %s" % path)
        child.expect(r"continue\? \[y/N\]")
        child.send(answer + "\r")
        child.wait()
        assert child.exitstatus == code and path.exists() == (code == 0), answer
        path.unlink(missing_ok=True)


def test_approved(shop):
    """These bytes, on this target, as this login, once; a changed byte asks again."""
    path = shop.dir / "to-remove"
    path.mkdir()
    command = "rm -r %s" % path
    child, id = held(shop, "alice", "web1", command)
    row = show(shop, id)
    assert row["exact"] is True and row["command"] == command and row["by"] == "lead" and path.exists()
    assert gw(shop, "alice", "approve %s" % id).code == 77
    vote(shop, id)
    assert end(child).code == 0 and not path.exists()
    assert state(shop, id) == "used up"
    path.mkdir()
    again, other = held(shop, "alice", "web1", command)  # it was for one use
    changed, third = held(shop, "alice", "web1", command + " ")
    assert len({id, other, third}) == 3
    vote(shop, third)
    assert end(changed).code == 0 and again.poll() is None  # the one does not open the other
    gw(shop, "bob", "deny %s --reason no" % other)
    assert end(again).code == 77
    channel = [channel for channel in shop.record(command)[0]["channels"] if channel.get("approvals")][0]
    assert channel["guard"]["verdict"] == "approve"


def test_unseen_is_held_or_denied(shop):
    """What cannot be seen is held where the guard can hold, and denied where not."""
    child, id = held(shop, "alice", "web1", "$X -r /tmp/nothing")
    assert show(shop, id)["exact"] is True
    child.kill()
    for command in ("$X", "echo 'open", "eval $X", "curl x | sh", "ls"):
        done = shop.ssh("alice", "plain1", command)
        assert done.code == 77 and "nothing-held" in done.err, done
    assert shop.ssh("alice", "plain1", "echo in").out == "in\n"


def test_guard_before_approval(shop):
    """Denied at once, whoever would have approved; the same role votes once, for these bytes; harmless ones by the rule."""
    done = shop.ssh("alice", "db1", "mkfs /dev/null")
    assert done.code == 77 and not requests(shop), done
    harmless = id_in(shop.ssh("alice", "db1", "echo in").err)
    assert show(shop, harmless)["exact"] is False
    vote(shop, harmless)
    assert shop.ssh("alice", "db1", "echo in").out == "in\n"
    done = shop.ssh("alice", "db1", "rm -r /nonexistent-dir")  # a yes to harmless ones is none to this
    assert done.code == 75
    exact = id_in(done.err)
    assert show(shop, exact)["exact"] is True
    vote(shop, exact)
    assert shop.ssh("alice", "db1", "rm -r /nonexistent-dir").code == 1  # rm's own


def test_two_roles(shop):
    """A guard asks one role and its rule another: both have to say yes; of several roles of a guard any member may."""
    before = shop.lab.config.read_text()
    shop.edit(lambda text: text.replace("guards:\n", "guards:\n  both: [{approve: [\"rm -r*\"], by: [boss, lead]}, {allow: [\"*\"]}]\n", 1)
              .replace("name: both, allow: [exec], roles: [sre], targets: [db1], guard: prod, approval: {by: lead", "name: both, allow: [exec], roles: [sre], targets: [db1], guard: both, approval: {by: chief")
              .replace("roles:\n", "roles:\n  boss: {users: [dave]}\n  chief: {users: [carol]}\n", 1))
    try:
        command = "rm -r /nonexistent-for-two"
        exact = id_in(shop.ssh("alice", "db1", command).err)
        assert show(shop, exact)["by"] == "boss,lead" and gw(shop, "carol", "approve %s" % exact).code == 77
        vote(shop, exact, "dave")
        kind = id_in(shop.ssh("alice", "db1", command).err)
        assert kind != exact and show(shop, kind)["by"] == "chief" and gw(shop, "dave", "approve %s" % kind).code == 77
        vote(shop, kind, "carol")
        assert shop.ssh("alice", "db1", command).code == 1  # rm's own
        event = shop.event("access-allowed", command=command)
        assert exact in event["approvals"] and kind in event["approvals"]
        other = id_in(shop.ssh("alice", "db1", command + "/x").err)  # the rule's yes is there; the guard asks for these bytes
        assert show(shop, other)["exact"] is True
        vote(shop, other, "bob")
        assert shop.ssh("alice", "db1", command + "/x").code == 1
    finally:
        shop.edit(lambda _: before)


def test_another_login_or_target(shop):
    """The yes to these bytes as one login, on one target, is none as another, or elsewhere."""
    before = shop.lab.config.read_text()
    shop.edit(lambda text: text.replace("targets: [web1], guard: prod", "targets: [web1, plain1], guard: prod, approval: {by: lead, wait_without_terminal: 0s, uses: 0}"))
    try:
        command = "rm -r /nonexistent-anywhere"
        exact = id_in(shop.ssh("alice", "web1", command).err)
        vote(shop, exact)
        assert shop.ssh("alice", "web1", command).code == 1
        assert id_in(shop.ssh("alice", "plain1", command).err) != exact
        assert id_in(shop.ssh("alice", "-l", "somebody", "web1", command).err) != exact
        assert id_in(shop.ssh("bob", "web1", command).err) != exact
        assert show(shop, exact)["uses"] == 1
    finally:
        shop.edit(lambda _: before)


def test_asked_ahead(shop):
    login = shop.env["LOGIN"]
    assert gw(shop, "alice", "request web1 --kind exec --command 'rm -r /nonexistent'").code == 2  # as which login?
    assert gw(shop, "alice", "request web1 --kind exec --login %s --command 'mkfs x'" % login).code == 77
    got = json.loads(gw(shop, "alice", "request web1 --kind exec --login %s --command 'rm -r /nonexistent' --json" % login).out)[0]
    vote(shop, got["id"])
    assert shop.ssh("alice", "web1", "rm -r /nonexistent").code == 1
    assert state(shop, got["id"]) == "used up"


# ---- break-glass ----

def test_break_glass(shop):
    """Opens at once, for a reason; loudly; and stays on the list until somebody else has signed."""
    done = shop.ssh("olga", "web1", "echo in")
    assert done.code == 77 and "reason is required" in done.err and not done.out, done
    child = shop.terminal("olga", "-tt", "web1", "echo broken-glass")
    child.expect("Reason:")
    child.send("the site is down\r")
    child.expect("review ([2-9A-Z]{5}) stays open")
    review = child.match.group(1)
    child.expect("broken-glass")
    child.wait()
    event = shop.event("break-glass", review=review)
    assert event["reason"] == "the site is down" and event["user"] == "olga"
    assert shop.record("broken-glass")[0]["channels"][0]["break_glass"] is True
    rows = json.loads(gw(shop, "carol", "reviews --json").out)
    assert [(row["user"], row["state"]) for row in rows if row["id"] == review] == [("olga", "open")]
    for who in ("olga", "alice", "mallory"):
        assert gw(shop, who, "reviews sign %s --note x" % review).code == 77
        assert gw(shop, who, "reviews").code == 77
    assert gw(shop, "carol", "reviews sign %s" % review).code == 2
    assert gw(shop, "carol", "reviews sign %s --note 'it was down indeed'" % review).code == 0
    assert gw(shop, "bob", "reviews sign %s --note again" % review).code == 1
    assert review not in gw(shop, "carol", "reviews").out and review in gw(shop, "carol", "reviews --all").out


def test_break_glass_beforehand(shop):
    for words in ("break-glass web1", "break-glass web1 --reason ' '", "break-glass web1 --reason %s" % ("x" * 1500)):
        assert gw(shop, "olga", words).code == 2
    assert gw(shop, "olga", "break-glass nowhere --reason x").code == 77
    assert gw(shop, "olga", "break-glass plain1 --reason 'disk full'").code == 0
    assert shop.ssh("olga", "web1", "echo in").code == 77  # another target
    done = shop.ssh("olga", "plain1", "echo in")
    assert done.out == "in\n" and "review" in done.err, done
    assert shop.event("break-glass", target="plain1")["reason"] == "disk full"
    assert gw(shop, "alice", "break-glass web1 --reason x").code == 0  # says why; opens nothing that no rule opens
    assert shop.ssh("alice", "web1", "mkfs x").code == 77


def test_nobody_signs_his_own(shop):
    """A lead who broke the glass, and whoever has the same name on this machine."""
    shop.edit(lambda text: text.replace("groups: [oncall], break_glass", "groups: [oncall, leads], break_glass"))
    try:
        gw(shop, "bob", "break-glass web1 --reason x")
        shop.ssh("bob", "web1", "echo in")
        review = until(lambda: [row["id"] for row in shop.json("reviews") if row["user"] == "bob"], 5)[0]
        done = gw(shop, "bob", "reviews sign %s --note x" % review)
        assert done.code == 77 and "own" in done.err
        assert shop.lab.cli("reviews", "sign", review, "--note", "seen").returncode == 0
    finally:
        shop.edit(lambda text: text.replace("groups: [oncall, leads], break_glass", "groups: [oncall], break_glass"))


def test_pending_is_pending(shop):
    child = shop.popen("alice", "web1", "rm -r /nonexistent-either", stdin=subprocess.DEVNULL)
    id = pending(shop, requester="alice")
    assert child.poll() is None and show(shop, id)["needed"] == 1
    child.kill()
