"""The approval queue over real ssh: channels that wait, people who vote, grants that end. design.md 8, field.md 15."""
import json
import os
import pwd
import re
import signal
import subprocess
import time

import pytest
from approvals import ID, clear, end, gw, held, id_in, lead, pending, requests, rule, show, state, undone, vote
from world import SLOW, read_line, run, until

LATENCY_MS = 1000  # a busy machine's; the number that counts is printed


@pytest.fixture(scope="module")
def prod(module_world):
    """The lab, with one more lead."""
    lead(module_world, "dave")
    return module_world


@pytest.fixture(autouse=True)
def restored(prod):
    with undone(prod):
        yield


KINDS = {
    "exec": lambda world, host: (["ssh", host, "echo came-through"], b""),
    "shell": lambda world, host: (["ssh", "-T", host], b"echo came-through\nexit\n"),
    "sftp": lambda world, host: (["sftp", "-b", "-", host], b"ls /etc/hostname\n"),
    "scp": lambda world, host: (["scp", "-s", "%s:/etc/hostname" % host, str(world.dir / "copied")], b""),
    "scp -O": lambda world, host: (["scp", "-O", "%s:/etc/hostname" % host, str(world.dir / "copied")], b""),
    "rsync": lambda world, host: (["rsync", "-e", "ssh -F %s" % (world.dir / "ssh_config.alice"), "%s:/etc/hostname" % host, str(world.dir / "rsynced")], b""),
}


@pytest.mark.parametrize("host", ["db1", "db1.direct"])
@pytest.mark.parametrize("kind", KINDS)
def test_waits_and_goes_on(prod, kind, host):
    """The same connection goes on by itself; nothing of the wait is on standard output; the gate is before every kind."""
    command, stdin = KINDS[kind](prod, host)
    if command[0] != "rsync":
        command[1:1] = ["-F", str(prod.dir / "ssh_config.alice")]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        child.stdin.write(stdin)
        child.stdin.close()
        child.stdin = None
        id = pending(prod, requester="alice", target="db1")
        assert child.poll() is None
        vote(prod, id)
        out, err = child.communicate(timeout=30 * SLOW)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == 0, err.decode()
    assert "bartizan" not in out.decode() and id in err.decode()
    if kind in ("exec", "shell"):
        assert out == b"came-through\n"
    assert prod.event("access-allowed", target="db1", approvals=id)


def test_latency(prod, capsys):
    """From the vote to the command's first act, a login on the target included."""
    took = []
    for _ in range(5):
        child, id = held(prod, "alice", "db1", "date +%s%N")
        begun = time.time_ns()
        vote(prod, id)
        ran = int(end(child).out)
        voted = prod.event("approval-vote", approval=id)["time"]
        took.append((ran - int(time.mktime(time.strptime(voted[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone) * 10**9 - int(voted[20:23]) * 10**6) / 1e6)
        assert ran > begun
        clear(prod)
    with capsys.disabled():
        print("\napprove -> the held command runs: %s ms" % ", ".join("%.0f" % ms for ms in sorted(took)))
    assert min(took) < LATENCY_MS * SLOW


# ---- at a terminal ----

@pytest.mark.parametrize("host", ["db1", "db1.direct"])
def test_terminal(prod, host):
    """The person sees the id, what is asked, who may vote, the time left, live; then the shell."""
    child = prod.terminal("alice", "-tt", host)
    child.expect(r"bartizan: request (%s): shell on db1 as .* needs 1 vote of role 'lead'" % ID)
    id = child.match.group(1)
    child.expect(r"waiting for %s: 0 of 1 votes, (\d+:\d\d) left \(Ctrl-C cancels\)" % id)
    first = child.match.group(1)
    child.expect(r"waiting for %s: 0 of 1 votes, (?!%s)(\d+:\d\d) left" % (id, first))  # it moves
    child.send("echo type''d-ahead\r")
    vote(prod, id)
    child.expect("request %s: approved by bob" % id)
    child.expect("typed-ahead")
    child.sendline("exit 3")
    child.wait()
    assert child.exitstatus == 3


def test_narrow_terminal(prod):
    """The line that is rewritten never wraps."""
    child = prod.terminal("alice", "-tt", "db1", "echo in", size=(24, 40))
    child.expect("request (%s)" % ID)
    id, shown = child.match.group(1), ""
    for _ in range(4):
        child.expect(r"\r\x1b\[K")
        shown = child.before.splitlines()[-1]
        assert shown.startswith("bartizan: waiting for %s: 0 of 1" % id) and len(shown) <= 39, shown
    vote(prod, id)
    child.expect("in\r\n")
    child.wait()


@pytest.mark.parametrize("host", ["db1", "db1.direct"])
def test_ctrl_c_cancels(prod, host):
    child = prod.terminal("alice", "-tt", host, "echo never")
    child.expect(r"waiting for (%s)" % ID)
    id = child.match.group(1)
    child.send("\x03")
    child.expect("cancelled")
    child.wait()
    assert child.exitstatus == 130
    assert until(lambda: state(prod, id) == "cancelled", 5)
    done = gw(prod, "bob", "approve %s" % id)
    assert done.code == 1 and "cancelled" in done.err
    assert prod.event("approval-cancelled", approval=id)["by"] == "alice"


def test_lost_connection_keeps_the_request(prod):
    """Whoever loses the connection runs the command again and is where he was."""
    child, id = held(prod, "alice", "db1", "echo again")
    child.kill()
    child.wait()
    until(lambda: not [line for line in prod.processes("session")], 10, "the end of the session")
    assert state(prod, id) == "pending"
    again = prod.popen("alice", "db1", "echo again")
    until(lambda: prod.processes("session"), 5)
    vote(prod, id)
    assert end(again).out == "again\n"
    assert len(requests(prod, "--all", requester="alice", state="pending")) == 0


def test_reason_is_asked(prod):
    rule(prod, "by: lead, reason: required")
    child = prod.terminal("alice", "-tt", "db1", "echo with-reason")
    child.expect("reason for this request:")
    child.send("  \r")
    child.expect("reason for this request:")
    child.send("fixx\x7f \x1b[31mthe disk\r")
    id = pending(prod, requester="alice")
    reason = show(prod, id)["reason"]
    assert "fix" in reason and "the disk" in reason and "\x1b" not in reason and "fixx" not in reason
    vote(prod, id)
    child.expect("with-reason")
    child.wait()
    assert child.exitstatus == 0


def test_no_reason_given(prod):
    rule(prod, "by: lead, reason: required")
    child = prod.terminal("alice", "-tt", "db1", "echo never")
    for _ in range(3):
        child.expect("reason for this request:")
        child.send("\r")
    child.expect("none was given")
    child.wait()
    assert child.exitstatus == 77 and not requests(prod)


@pytest.mark.parametrize("host", ["db1", "db1.direct"])
def test_many_channels_wait(prod, host, tmp_path):
    """field.md 9: channels of one connection wait for the same request, a cancelled one takes the others nothing, one vote opens all."""
    path = tmp_path / "control"
    prod.popen("alice", "-M", "-S", path, "-N", host)
    until(path.exists, 10, "the control socket")
    terminal = prod.terminal("alice", "-S", path, "-tt", host, "echo never")
    terminal.expect("waiting for (%s)" % ID)
    id = terminal.match.group(1)
    children = [prod.popen("alice", "-S", path, host, "cat; exit %d" % number) for number in range(4)]
    for number, child in enumerate(children):
        child.stdin.write(b"%d\n" % number)
        child.stdin.close()
        child.stdin = None
        assert id in child.stderr.readline().decode()
    terminal.send("\x03")
    terminal.expect("cancelled")
    assert state(prod, id) == "pending" and len(requests(prod)) == 1
    vote(prod, id)
    for number, child in enumerate(children):
        done = end(child)
        assert (done.code, done.out) == (number, "%d\n" % number), done
    assert show(prod, id)["uses"] == 4
    prod.ssh("alice", "-S", path, "-O", "exit", host)


# ---- without one ----

def test_bounded_wait(prod):
    rule(prod, "by: lead, wait_without_terminal: 1s")
    done = prod.ssh("alice", "db1", "echo in")
    assert done.code == 75 and not done.out and 0.9 < done.seconds < 15, done
    id = id_in(done.err)
    assert len(done.err.splitlines()) == 2 and "waiting 1 second at most" in done.err.splitlines()[0], done
    assert "run the same command again" in done.err and state(prod, id) == "pending"
    again = prod.ssh("alice", "db1", "echo in")
    assert again.code == 75 and id_in(again.err) == id  # no second request for the same thing
    vote(prod, id)
    through = prod.ssh("alice", "db1", "echo in")
    assert through.code == 0 and through.out == "in\n" and not through.err, through


def test_reason_cannot_be_asked(prod):
    rule(prod, "by: lead, reason: required")
    done = prod.ssh("alice", "db1", "echo in")
    assert done.code == 77 and "reason is required" in done.err and "request db1 --kind exec" in done.err and not requests(prod), done
    assert gw(prod, "alice", "request db1 --kind exec").code == 2
    asked = gw(prod, "alice", "request db1 --kind exec --reason 'the disk is full'")
    assert asked.code == 0 and re.fullmatch(ID + "\n", asked.out), asked
    id = asked.out.strip()
    vote(prod, id)
    assert prod.ssh("alice", "db1", "echo in").out == "in\n"
    assert show(prod, id)["reason"] == "the disk is full"


def test_asked_ahead(prod):
    """request: a shell for a time, whichever login the rule allows; what policy refuses is not even asked for."""
    got = json.loads(gw(prod, "alice", "request db1 --kind shell --for 10m --reason maintenance --json").out)
    assert got[0]["state"] == "pending" and got[0]["login"] == "*" and got[0]["kind"] == "shell"
    vote(prod, got[0]["id"])
    assert prod.ssh("alice", "-T", "db1", stdin=b"echo in\nexit\n").out == "in\n"
    for who, words in (("mallory", "db1 --kind exec"), ("alice", "db1 --kind agent"), ("alice", "no-such-target --kind exec")):
        done = gw(prod, who, "request %s --reason x" % words)
        assert done.code == 77 and not done.out, done
    for words in ("db1", "db1 --kind nonsense", "--kind exec", "db1 --kind shell --command x", "db1 --kind exec --login '-x'"):
        assert gw(prod, "alice", "request %s --reason x" % words).code in (2, 77)
    free = gw(prod, "alice", "request web1 --kind exec")
    assert free.code == 0 and "no approval is needed" in free.err and not free.out
    assert prod.lab.cli("request", "db1", "--kind", "exec").returncode != 0  # nobody asks from the control socket


# ---- deciding ----

def test_denied(prod):
    child, id = held(prod, "alice", "db1", "echo never")
    assert gw(prod, "bob", "deny %s" % id).code == 2  # say why
    assert gw(prod, "bob", "deny %s --reason 'not on a Friday'" % id).code == 0
    done = end(child)
    assert done.code == 77 and not done.out and "denied by bob" in done.err and "not on a Friday" in done.err, done
    assert state(prod, id) == "denied"
    assert gw(prod, "bob", "approve %s" % id).code == 1


def test_who_may_vote(prod):
    """Not oneself, in no disguise; not without the role; not from the control socket, unless the role says so."""
    child, id = held(prod, "bob", "db1", "echo in")
    for who, words in (("bob", "own request"), ("alice", "role 'lead'"), ("carol", "role 'lead'"), ("mallory", "role 'lead'")):
        for verb in ("approve %s", "deny %s --reason x"):
            done = gw(prod, who, verb % id)
            assert done.code == 77 and words in done.err and not done.out, done
    local = prod.lab.cli("approve", id)
    assert local.returncode == 77 and "role 'lead'" in local.stderr
    name = "local:" + pwd.getpwuid(os.getuid()).pw_name
    prod.edit(lambda text: text.replace("lead: {groups: [leads],", "lead: {groups: [leads], users: [\"%s\", \"local:bob\"]," % name))
    assert prod.lab.cli("approve", id).returncode == 0
    assert end(child).out == "in\n"
    assert show(prod, id)["voters"] == ["approve:" + name]


def test_another_provider_is_not_another_person(prod):
    """The same name from another authority neither votes on its own request nor uses what it was given."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", prod.dir / "keys/foreign"])
    prod.edit(lambda text: text.replace("  lifetime: 10h\n", "  lifetime: 10h\n  trusted: [{key: %s, user: principal}]\n" % (prod.dir / "keys/foreign.pub"), 1)
              .replace("lead: {groups: [leads],", "lead: {groups: [leads], users: [bob],"))
    prod.visitor("bobtwo")
    prod.certificate("bobtwo", ca=prod.dir / "keys/foreign", principals="bob")
    config = prod.dir / "ssh_config.bobtwo"
    config.write_text(config.read_text().replace("User bobtwo", "User bob"))
    who = json.loads(gw(prod, "bobtwo", "whoami --json").out)[0]
    assert who["user"] == "bob" and "lead" in who["roles"], who
    child, id = held(prod, "bob", "db1", "echo in")
    done = gw(prod, "bobtwo", "approve %s" % id)
    assert done.code == 77 and "own request" in done.err, done
    vote(prod, id, "dave")
    assert end(child).out == "in\n"


def test_other_spellings_of_oneself(prod):
    """An account on this machine of the same name, and a certificate for the same name in capitals, are nobody else."""
    me = pwd.getpwuid(os.getuid()).pw_name
    for name, groups in ((me, ["sre", "leads"]), ("BOB", ["leads"])):
        if not (prod.dir / "people" / name).exists():
            prod.visitor(name)
        prod.lab.issue(name, groups, prod.dir / "people" / name / "id.pub")
    prod.edit(lambda text: text.replace("lead: {groups: [leads],", "lead: {groups: [leads], users: [\"local:%s\"]," % me))
    child, id = held(prod, me, "db1", "echo in")
    local = prod.lab.cli("approve", id)
    assert local.returncode == 77 and "own request" in local.stderr, local
    assert prod.lab.cli("deny", id, "--reason", "x").returncode == 77
    vote(prod, id)
    assert end(child).out == "in\n"
    assert prod.lab.cli("extend", id, "--for", "1m").returncode == 77  # it would be a vote
    child, id = held(prod, "bob", "db1", "echo in")
    done = gw(prod, "BOB", "approve %s" % id)
    assert done.code == 77 and "own request" in done.err, done
    assert prod.lab.cli("approve", id).returncode == (77 if me == "bob" else 0)
    assert end(child).out == "in\n"


def test_quorum(prod):
    rule(prod, "by: lead, votes: 2")
    child, id = held(prod, "alice", "db1", "echo in")
    assert "1 of 2 votes" in vote(prod, id).out
    twice = gw(prod, "bob", "approve %s" % id)
    assert twice.code == 1 and "voted" in twice.err and child.poll() is None
    assert show(prod, id)["voters"] == ["approve:bob"] and state(prod, id) == "pending"
    vote(prod, id, "dave")
    assert end(child).out == "in\n"


def test_ticket_lowers_the_quorum(prod):
    rule(prod, 'by: lead, votes: 2, reason: required, ticket: "OPS-[0-9]+", ticket_votes: 1')
    for reason, needed in (("OPS-7: disk", 1), ("because", 2), ("DEVOPS-7", 2)):
        got = json.loads(gw(prod, "alice", "request db1 --kind sftp --reason '%s' --json" % reason).out)[0]
        assert got["needed"] == needed, reason
        prod.lab.cli("cancel", got["id"])


def test_voter_narrows(prod):
    rule(prod, "by: lead, window: 1h")
    child, id = held(prod, "alice", "db1", "echo in")
    assert "10 minutes" in vote(prod, id, words="--for 10m --uses 2").out
    assert end(child).out == "in\n"
    assert prod.ssh("alice", "db1", "echo in").out == "in\n"
    assert state(prod, id) == "used up"
    child, other = held(prod, "alice", "db1", "echo in")
    assert other != id
    assert "1 hour" in vote(prod, other, words="--for 30h").out  # never widens
    end(child)


def test_cancel(prod):
    child, id = held(prod, "alice", "db1", "echo never")
    for who in ("bob", "carol", "mallory"):
        assert gw(prod, who, "cancel %s" % id).code == 77
    assert gw(prod, "alice", "cancel %s --reason 'not needed'" % id).code == 0
    done = end(child)
    assert done.code == 77 and "cancelled by alice" in done.err, done


def test_policy_is_asked_again(prod):
    """What was allowed when it was asked for is refused when the last vote arrives."""
    child, id = held(prod, "alice", "db1", "echo never")
    prod.edit(lambda text: text.replace("rules:\n", "rules:\n  - {name: freeze, deny: \"*\", targets: [db1]}\n", 1))
    assert child.poll() is None
    done = gw(prod, "bob", "approve %s" % id)
    assert done.code == 77 and "freeze" in done.err, done
    ended = end(child)
    assert ended.code == 77 and "freeze" in ended.err and not ended.out, ended
    assert state(prod, id) == "cancelled"


def test_policy_is_asked_for_each_use(prod):
    """A grant does not outlive the rule that it was asked under."""
    child, id = held(prod, "alice", "db1", "echo in")
    vote(prod, id)
    end(child)
    assert prod.ssh("alice", "db1", "echo in").out == "in\n"
    rule(prod, "by: lead, votes: 2, wait_without_terminal: 0s")
    assert prod.ssh("alice", "db1", "echo in").code == 75
    assert state(prod, id) == "revoked"  # it had one vote, and two are asked now


# ---- grants ----

def test_scope(prod):
    """One vote: any command of that kind, on that target, by that person, at once and later; nothing else."""
    rule(prod, "by: lead, wait_without_terminal: 0s")
    first = prod.ssh("alice", "db1", "echo 1")
    vote(prod, id_in(first.err))
    children = [prod.popen("alice", "db1", "echo parallel; sleep 1", stdin=subprocess.DEVNULL) for _ in range(4)]
    assert [end(child).out for child in children] == ["parallel\n"] * 4
    assert show(prod, id_in(first.err))["uses"] == 4
    assert prod.ssh("alice", "-T", "db1").code == 75            # another kind
    assert prod.ssh("bob", "db1", "echo in").code == 75         # another person
    assert prod.ssh("alice", "-b", "-", "db1", program="sftp", stdin=b"pwd\n").code != 0


def test_one_use_two_connections(prod):
    rule(prod, "by: lead, uses: 1")
    one, id = held(prod, "alice", "db1", "echo in")
    two = prod.popen("alice", "db1", "echo in", stdin=subprocess.DEVNULL)
    assert id.encode() in two.stderr.readline()  # it waits for the same request
    vote(prod, id)
    assert sorted(done.code for done in (end(one), end(two))) == [0, 75]
    assert show(prod, id)["uses"] == 1 and state(prod, id) == "used up"


def test_window_ends_the_session(prod):
    rule(prod, "by: lead, window: 2s")
    child, id = held(prod, "alice", "db1", "echo begun; sleep 60")
    vote(prod, id)
    done = end(child)
    assert done.out == "begun\n" and done.code == 77 and id in done.err and "over" in done.err, done
    assert state(prod, id) == "expired"


def test_drain(prod):
    rule(prod, "by: lead, window: 3s, on_expiry: drain, wait_without_terminal: 0s")
    child, id = held(prod, "alice", "db1", "echo begun; sleep 4; echo whole")
    assert end(child).code == 75
    vote(prod, id)
    done = prod.ssh("alice", "db1", "echo begun; sleep 5; echo whole")
    assert done.out == "begun\nwhole\n" and done.code == 0, done
    assert prod.ssh("alice", "db1", "true").code == 75


def test_revoked(prod):
    child, id = held(prod, "alice", "db1", "echo begun; sleep 60")
    vote(prod, id)
    assert read_line(child) == b"begun\n"
    assert gw(prod, "carol", "requests revoke %s" % id).code == 77
    done = gw(prod, "bob", "requests revoke %s --reason 'wrong host'" % id)
    assert done.code == 0 and "1 session ended" in done.out, done
    ended = end(child)
    assert ended.code == 77 and "revoked by bob" in ended.err and "wrong host" in ended.err, ended
    assert prod.event("approval-revoked", approval=id)["by"] == "bob"
    assert gw(prod, "bob", "requests revoke %s" % id).code == 1


def test_extended(prod):
    rule(prod, "by: lead, window: 3s")
    child, id = held(prod, "alice", "db1", "echo begun; sleep 5; echo whole")
    vote(prod, id)
    assert read_line(child) == b"begun\n"
    assert gw(prod, "alice", "extend %s --for 3s" % id).code == 77
    assert gw(prod, "bob", "extend %s --for 1h" % id).code == 2  # not more than the window at a time
    assert gw(prod, "bob", "extend %s --for 3s" % id).code == 0
    done = end(child)
    assert done.code == 0 and done.out == "whole\n" and "extended" in done.err, done


def test_expired(prod):
    rule(prod, "by: lead, expires: 1s")
    child, id = held(prod, "alice", "db1", "echo never")
    done = end(child)
    assert done.code == 75 and "expired" in done.err, done
    assert state(prod, id) == "expired" and prod.event("approval-expired", approval=id)
    assert gw(prod, "bob", "approve %s" % id).code == 1


# ---- what breaks ----

def test_broker_dies(prod):
    """No request and no vote is lost; who waited is told to come again, and picks it up where it stood."""
    rule(prod, "by: lead, votes: 2")
    child, id = held(prod, "alice", "db1", "echo in")
    vote(prod, id)
    os.kill(prod.role("broker"), signal.SIGKILL)
    done = end(child)
    assert done.code == 75 and id in done.err and "run the same command again" in done.err, done
    until(lambda: prod.lab.gateway_status(), 20, "the new broker")
    assert show(prod, id)["votes"] == 1
    again = prod.popen("alice", "db1", "echo in")
    until(lambda: prod.processes("session"), 10)
    vote(prod, id, "dave")
    assert end(again).out == "in\n"


def test_limits(prod):
    prod.edit(lambda text: text + "\napprovals: {pending_per_person: 1, wait_without_terminal: 0s, reason_max: 10}\n")
    assert prod.ssh("alice", "db1", "true").code == 75
    done = prod.ssh("alice", "-T", "db1")
    assert done.code == 75 and "waiting already" in done.err and len(requests(prod)) == 1, done
    assert gw(prod, "alice", "request db1 --kind sftp --reason '%s'" % ("x" * 11)).code == 2
    assert prod.ssh("bob", "db1", "true").code == 75 and len(requests(prod)) == 2  # each person has his own


# ---- what people see ----

def test_list(prod):
    """Everybody his own, leads what they may decide, the right 'sessions' all; exactly what would run, nothing forged."""
    rule(prod, "by: lead, wait_without_terminal: 0s")
    prod.ssh("alice", "db1", "echo \x1b[31mred\x07; \u202eevil")
    row = requests(prod)[0]
    assert row["command"] == "echo \\x1b[31mred\\x07; \\u{202E}evil", row
    assert row["requester"] == "alice" and row["target"] == "db1" and row["kind"] == "exec" and row["votes"] == 0 and row["needed"] == 1
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$", row["created"]) and row["expires"] > row["created"]
    for who, sees in (("alice", 1), ("bob", 1), ("carol", 1), ("mallory", 0)):
        done = gw(prod, who, "requests --json")
        assert len(json.loads(done.out)) == sees, (who, done)
        assert "\x1b" not in gw(prod, who, "requests").out
        assert gw(prod, who, "requests show %s" % row["id"]).code == (0 if sees else 77)
    prod.lab.cli("cancel", row["id"])
    assert requests(prod) == [] and requests(prod, "--all")[0]["state"] == "cancelled"


def test_watch(prod):
    """`requests --watch` tells of each change, to those who may see it."""
    rule(prod, "by: lead, wait_without_terminal: 0s")
    bob, mallory = (prod.popen(who, "gw", "requests --watch --json") for who in ("bob", "mallory"))
    until(lambda: len(prod.processes("session")) >= 2, 10)
    until(lambda: prod.lab.gateway_status()["connections"] >= 2, 10)
    id = id_in(prod.ssh("alice", "db1", "true").err)
    seen = []
    while not seen or seen[-1]["id"] != id:
        seen.append(json.loads(read_line(bob)))
    assert seen[-1]["state"] == "pending"
    vote(prod, id)
    assert json.loads(read_line(bob))["state"] == "approved"
    for child in (bob, mallory):
        child.kill()
    assert mallory.stdout.read() == b""


def test_on_record(prod):
    """The chain tells who asked, who voted and what opened; session.json names the approval."""
    child, id = held(prod, "alice", "db1", "echo on-record-of-approvals")
    vote(prod, id, words="--note 'looks right'")
    end(child)
    assert prod.event("approval-requested", approval=id)["command"] == "echo on-record-of-approvals"
    event = prod.event("approval-vote", approval=id)
    assert event["by"] == "bob" and event["vote"] == "approve" and event["note"] == "looks right" and event["state"] == "approved"
    record = prod.record("on-record-of-approvals")[0]
    assert record["channels"][0]["approvals"] == [id]
    assert prod.lab.cli("audit", "verify").returncode == 0
