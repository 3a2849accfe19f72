"""What time, races and the end of the gateway do to requests and grants. design.md 8, field.md 15."""
import re
import signal
import subprocess
import threading
import time

import pytest
from approvals import clear, end, gw, held, id_in, lead, requests, rule, show, state, undone, vote
from test_crash import kill_everything
from lablib.lab import program
from world import finish, read_line, until

ROUNDS = 12


@pytest.fixture(scope="module")
def prod(module_world):
    """The lab, with one more lead."""
    lead(module_world, "dave")
    return module_world


@pytest.fixture(autouse=True)
def restored(request):
    if "prod" not in request.fixturenames:
        yield
        return
    with undone(request.getfixturevalue("prod")):
        yield


def waiting_shell(world, host="db1"):
    """A shell on a terminal that waits; (child, id)."""
    child = world.terminal("alice", "-tt", host)
    child.expect(r"waiting for ([2-9A-Z]{5})")
    return child, child.match.group(1)


def opened(world, settings, host="db1"):
    """The same, approved; its prompt was seen."""
    rule(world, settings)
    child, id = waiting_shell(world, host)
    vote(world, id)
    child.expect("approved by bob")
    child.send("echo o''pened\r")
    child.expect("opened")
    return child, id


# ---- the end of a grant is announced ----

@pytest.mark.parametrize("host", ["db1", "db1.direct"])
@pytest.mark.parametrize("window, words", [("302s", "5 minutes"), ("62s", "1 minute")])
def test_warned_in_time(prod, host, window, words):
    """Five minutes and one minute before its end the terminal says so, once; an extension takes it back and warns again later."""
    child, id = opened(prod, "by: lead, window: %s" % window, host)
    child.expect("bartizan: approval %s ends in %s, and this session with it" % (id, words))
    child.send("echo still''-here\r")
    child.expect("still-here")
    assert words not in child.before
    assert gw(prod, "bob", "extend %s --for 1s" % id).code == 0
    child.expect("approval %s was extended" % id)
    if words == "1 minute":
        child.expect("approval %s ends in 1 minute" % id)
    child.sendline("exit 4")
    child.wait()
    assert child.exitstatus == 4


def test_warned_and_drained(prod):
    """on_expiry: drain says what it means; the shell outlives the window, and nothing new begins under it."""
    child, id = opened(prod, "by: lead, window: 65s, on_expiry: drain, wait_without_terminal: 0s")
    child.expect("approval %s ends in 1 minute: this session may go on" % id, timeout=30)
    child.sendline("exit")
    child.wait()
    clear(prod)
    child, id = opened(prod, "by: lead, window: 1s, on_expiry: drain, wait_without_terminal: 0s")
    until(lambda: state(prod, id) == "expired", 10)
    child.send("echo still''-here\r")
    child.expect("still-here")
    assert prod.ssh("alice", "-T", "db1").code == 75
    child.sendline("exit")
    child.wait()


def test_end_at_the_terminal(prod):
    child, id = opened(prod, "by: lead, window: 2s")
    child.expect("bartizan: .*the window of approval %s is over" % id)
    child.wait()
    assert child.exitstatus == 77


def test_extended_over_its_end(prod):
    """What has been extended lasts as long as it was said, no longer."""
    child, id = opened(prod, "by: lead, window: 3s")
    before = show(prod, id)["expires"]
    assert gw(prod, "bob", "extend %s --for 2s" % id).code == 0
    assert show(prod, id)["expires"] > before
    child.expect("over", timeout=30)
    child.wait()
    assert child.exitstatus == 77 and gw(prod, "bob", "extend %s --for 1s" % id).code == 1
    assert prod.event("approval-extended", approval=id)["more_ms"] == 2000


def test_revoked_after_its_last_use(prod):
    """A grant for one use is used up; revoking it ends what it opened all the same."""
    child, id = opened(prod, "by: lead, uses: 1")
    assert state(prod, id) == "used up"
    done = gw(prod, "bob", "revoke %s --reason enough" % id)
    assert done.code == 0 and "1 session ended" in done.out, done
    child.expect("revoked by bob: enough")
    child.wait()
    assert child.exitstatus == 77 and state(prod, id) == "revoked"


def test_revoke_by_its_short_name(prod):
    """`revoke REQUEST` is `requests revoke REQUEST`; it needs no right but the vote, everything else of `revoke` does."""
    rule(prod, "by: lead, wait_without_terminal: 0s")
    id = id_in(prod.ssh("alice", "db1", "true").err)
    assert gw(prod, "bob", "revoke %s" % id).code == 1  # it is pending
    vote(prod, id)
    for who in ("carol", "mallory"):
        assert gw(prod, who, "revoke %s" % id).code == 77
    assert gw(prod, "bob", "revoke --user alice").code == 77
    assert gw(prod, "bob", "revoke %s --user alice" % id).code == 2
    assert gw(prod, "bob", "revoke").code == 77
    assert state(prod, id) == "approved"
    assert prod.lab.cli("revoke", id).returncode == 0
    assert state(prod, id) == "revoked" and prod.lab.cli("revoke", "ABCDE").returncode == 1


# ---- races ----

def both(*actions):
    """Runs them at the same moment; their results."""
    gate, results = threading.Barrier(len(actions)), [None] * len(actions)

    def run(number, action):
        gate.wait()
        results[number] = action()
    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def decisive(world, id):
    """The audit events that ended the request."""
    return [event for event in world.events() if event.get("approval") == id and (event["type"] in ("approval-cancelled", "approval-expired")
                                                                                 or event["type"] == "approval-vote" and event["state"] != "pending")]


def test_two_approvers_at_once(prod):
    """One vote is needed, two come: one decides, the other is told so; it opens once."""
    rule(prod, "by: lead, uses: 1")
    for number in range(ROUNDS):
        child, id = held(prod, "alice", "db1", "echo in")
        votes = both(lambda: gw(prod, "bob", "approve %s" % id), lambda: gw(prod, "dave", "approve %s" % id))
        assert sorted(done.code for done in votes) == [0, 1], votes
        assert re.search("is (approved|used up)", max(votes, key=lambda done: done.code).err)
        assert end(child).out == "in\n"
        row = show(prod, id)
        assert row["votes"] == 1 and len(row["voters"]) == 1 and row["uses"] == 1 and len(decisive(prod, id)) == 1, number


def test_approve_against_cancel_and_deny(prod):
    """Whoever comes first wins; the waiting connection gets that end and no other."""
    rule(prod, "by: lead, uses: 1")
    ends = set()
    for number in range(ROUNDS):
        child, id = held(prod, "alice", "db1", "echo in")
        other = (lambda: gw(prod, "alice", "cancel %s" % id)) if number % 2 else (lambda: gw(prod, "dave", "deny %s --reason no" % id))
        done = both(lambda: gw(prod, "bob", "approve %s" % id), other)
        assert sorted(one.code for one in done) == [0, 1], done
        ended = end(child)
        approved = done[0].code == 0
        assert (ended.code, ended.out) == ((0, "in\n") if approved else (77, "")), ended
        assert state(prod, id) == ("used up" if approved else "cancelled" if number % 2 else "denied") and len(decisive(prod, id)) == 1
        ends.add(state(prod, id))
    assert ends


def test_one_vote_each_however_fast(prod):
    """The same lead, twice at the same moment: one vote."""
    rule(prod, "by: lead, votes: 2, wait_without_terminal: 0s")
    id = id_in(prod.ssh("alice", "db1", "true").err)
    votes = both(*[lambda: gw(prod, "bob", "approve %s" % id)] * 4)
    assert sorted(done.code for done in votes) == [0, 1, 1, 1] and show(prod, id)["votes"] == 1


# ---- limits ----

def test_limits_at_one_more(prod):
    """Pending per person, pending in total, the length of a reason and of a note: the last that fits, and the first that does not."""
    prod.edit(lambda text: text + "\napprovals: {pending_per_person: 2, pending_total: 3, wait_without_terminal: 0s, reason_max: 100}\n")

    def ask(who, kind, reason="why"):
        return gw(prod, who, "request db1 --kind %s --reason '%s'" % (kind, reason))
    assert ask("alice", "exec", "x" * 100).code == 0 and ask("alice", "sftp", "x" * 101).code == 2
    assert ask("alice", "sftp").code == 0
    third = ask("alice", "shell")
    assert third.code == 75 and "2 requests waiting" in third.err, third
    assert ask("bob", "exec").code == 0
    fourth = ask("dave", "exec") if "sre" in gw(prod, "dave", "whoami").out else ask("bob", "sftp")
    assert fourth.code == 75 and "the queue is full" in fourth.err, fourth
    id = requests(prod, requester="alice")[0]["id"]
    assert gw(prod, "bob", "approve %s --note %s" % (id, "n" * 1025)).code == 2
    assert gw(prod, "bob", "approve %s --note %s" % (id, "n" * 1024)).code == 0
    assert ask("bob", "sftp").code == 0  # there is room again
    for votes, taken in ((16, True), (17, False)):
        if taken:
            rule(prod, "by: lead, votes: %d" % votes)
        else:
            with pytest.raises(Exception, match="17 is not between 1 and 16"):
                rule(prod, "by: lead, votes: %d" % votes)


# ---- what cannot be forged ----

def test_nothing_is_forged(prod):
    """Control characters of a command, a reason, a note: visible in lists, in the live list, and at the other's terminal."""
    rule(prod, "by: lead, wait_without_terminal: 0s")
    watching = prod.popen("bob", "gw", "requests --watch", stdin=subprocess.DEVNULL)
    until(lambda: prod.lab.gateway_status()["connections"] >= 1, 10)
    command = "true '\r\x1b[2K\x1b[1Aecho harmless\n#' \u202egnp.exe"
    prod.ssh("alice", "db1", command)
    line = watching.stdout.readline().decode()
    while "pending" not in line:
        line = watching.stdout.readline().decode()
    assert "\\x0d\\x1b[2K\\x1b[1Aecho harmless\\n#" in line and "\\u{202E}" in line and "\x1b" not in line and line.count("\n") == 1, line
    table = gw(prod, "bob", "requests").out
    assert "\x1b" not in table and "\r" not in table and "\u202e" not in table and len(table.splitlines()) == 2, table
    watching.kill()
    clear(prod)
    child, id = waiting_shell(prod)
    assert gw(prod, "bob", "deny %s --reason '\x1b[31mno\x07 \rbartizan: approved'" % id).code == 0
    child.expect("denied by bob: ")
    child.wait()
    rest = child.before + child.after + child.read()
    assert "\x1b[31m" not in rest and "\x07" not in rest and "\rbartizan: approved" not in rest and child.exitstatus == 77, rest


def test_watched_on_the_machine(prod):
    """`bartizan requests --watch`: what is open first, then each change, one line each, until it is interrupted."""
    rule(prod, "by: lead, wait_without_terminal: 0s")
    id = id_in(prod.ssh("alice", "db1", "true").err)
    watching = subprocess.Popen([program("bartizan"), "--config", prod.lab.config, "requests", "--watch"], stdout=subprocess.PIPE)
    try:
        assert ("%s pending: alice on db1" % id).encode() in read_line(watching)
        vote(prod, id)
        assert ("%s approved" % id).encode() in read_line(watching)
        other = id_in(prod.ssh("alice", "-T", "db1").err)
        assert ("%s pending" % other).encode() in read_line(watching)
        gw(prod, "bob", "deny %s --reason no" % other)
        assert ("%s denied" % other).encode() in read_line(watching)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) != 0
    finally:
        watching.kill()
        watching.stdout.close()
        watching.wait()


# ---- ends of the gateway ----

def test_broker_dies_at_a_terminal(own_world):
    """Who waits at a terminal is told the id and that it stays, with 75; the same again picks it up, votes and all."""
    world = own_world()
    rule(world, "by: lead, votes: 2")
    lead(world, "dave")
    child, id = waiting_shell(world)
    vote(world, id)
    child.expect("1 of 2 votes")
    kill_broker(world)
    child.expect("%s.*run the same command again" % id)
    child.wait()
    assert child.exitstatus == 75
    until(world.lab.gateway_status, 20, "the new broker")
    child, again = waiting_shell(world)
    assert again == id and show(world, id)["voters"] == ["approve:bob"]
    assert gw(world, "bob", "approve %s" % id).code == 1
    vote(world, id, "dave")
    child.expect("approved by dave")
    child.sendline("exit 5")
    child.wait()
    assert child.exitstatus == 5


def kill_broker(world):
    subprocess.run(["kill", "-9", str(world.role("broker"))], check=True)


def test_power_fails(own_world):
    """All at once, and a start from the disk: requests, votes and grants are what they were; a session that a grant opened is gone."""
    world = own_world()
    lead(world, "dave")
    rule(world, "by: lead, votes: 2, wait_without_terminal: 0s")
    pending = id_in(world.ssh("alice", "db1", "echo in").err)
    vote(world, pending)
    granted = id_in(world.ssh("alice", "-T", "db1").err)
    vote(world, granted)
    vote(world, granted, "dave")
    denied = id_in(world.ssh("bob", "db1", "true").err)
    assert gw(world, "dave", "deny %s --reason no" % denied).code == 0
    waiting = world.popen("bob", "-T", "db1")
    rule(world, "by: lead, votes: 2")
    before = {id: show(world, id) for id in (pending, granted, denied)}
    kill_everything(world)
    assert finish(waiting).code != 0
    world.lab.start_gateway()
    for id, row in before.items():
        now = show(world, id)
        assert {key: now[key] for key in row if key != "expires"} == {key: row[key] for key in row if key != "expires"}
    assert world.ssh("alice", "-T", "db1", stdin=b"echo in\nexit\n").out == "in\n"
    child = world.popen("alice", "db1", "echo in", stdin=subprocess.DEVNULL)
    until(lambda: world.processes("session"), 10)
    vote(world, pending, "dave")
    assert end(child).out == "in\n"
    assert gw(world, "dave", "approve %s" % denied).code == 1
    assert world.lab.cli("audit", "verify").returncode == 0


def test_time_passes_while_nothing_runs(own_world):
    """Deadlines and windows go on while the gateway is down: what ended then has ended, and the chain says so."""
    world = own_world()
    rule(world, "by: lead, expires: 4s, window: 4s, wait_without_terminal: 0s")
    granted = id_in(world.ssh("alice", "db1", "true").err)
    vote(world, granted)
    pending = id_in(world.ssh("alice", "-T", "db1").err)
    rule(world, "by: lead, expires: 1h, window: 1h, wait_without_terminal: 0s")
    lasting = id_in(world.ssh("bob", "-T", "db1").err)
    begun = time.monotonic()
    kill_everything(world)
    until(lambda: time.monotonic() > begun + 4.5, 10)
    world.lab.start_gateway()
    assert state(world, granted) == "expired" and state(world, pending) == "expired" and state(world, lasting) == "pending"
    for id in (granted, pending):
        assert world.event("approval-expired", approval=id)
    assert gw(world, "bob", "approve %s" % pending).code == 1
    assert world.ssh("alice", "db1", "true").code == 75


def test_target_out_of_reach(own_world):
    """A use that opened nothing is there again; one that opened something is not, however it ended."""
    world = own_world()
    rule(world, "by: lead, uses: 1, wait_without_terminal: 0s")
    id = id_in(world.ssh("alice", "db1", "exit 9").err)
    vote(world, id)
    world.lab.stop_one("db1")
    for _ in range(2):
        done = world.ssh("alice", "db1", "exit 9")
        assert done.code == 69 and "no way" not in done.out, done
        assert show(world, id)["uses"] == 0 and state(world, id) == "approved" and show(world, id)["decided_by"] == "bob"
    assert world.event("approval-given-back", approval=id)["target"] == "db1"
    world.lab.start_server("db1")
    assert world.ssh("alice", "db1", "exit 9").code == 9
    assert state(world, id) == "used up" and show(world, id)["uses"] == 1 and show(world, id)["decided_by"] == "bob"
    assert world.ssh("alice", "db1", "exit 9").code == 75


def test_stopped_while_somebody_waits(own_world):
    """When a restart has waited long enough for who waits, he is told that the request stays."""
    world = own_world(lambda text: text + "\ndrain: 1s\n")
    child, id = waiting_shell(world)
    plain, other = held(world, "alice", "db1", "echo in")
    subprocess.run(["kill", world.env["GW_PID"]], check=True)
    done = end(plain)
    assert done.code == 75 and other in done.err and "run the same command again" in done.err, done
    child.expect(id + ".*run the same command again")
    child.wait()
    assert child.exitstatus == 75
    world.lab.start_gateway("gateway-2")
    assert state(world, id) == "pending" and state(world, other) == "pending"


@pytest.mark.parametrize("words", [("db1", "echo in"), ("-tt", "db1", "echo in")])
def test_more_votes_meanwhile(own_world, words):
    """The policy asks for one more vote while somebody waits: the vote that was enough is not any more, and the same connection waits for the new request."""
    world = own_world()
    lead(world, "dave")
    rule(world, "by: lead")
    child, id = held(world, "alice", *words)
    rule(world, "by: lead, votes: 2")
    gw(world, "bob", "approve " + id)
    again = until(lambda: [row for row in requests(world, state="pending") if row["id"] != id], 10, "the new request")[0]
    assert again["needed"] == 2 and child.poll() is None
    vote(world, again["id"])
    vote(world, again["id"], "dave")
    done = end(child)
    assert done.code == 0 and "in" in done.out, done


def test_more_votes_while_many_wait(own_world):
    """The same with several connections that wait for one request: all go on waiting for the new request."""
    world = own_world()
    lead(world, "dave")
    rule(world, "by: lead")
    first, id = held(world, "alice", "db1", "echo in")
    others = [world.popen("alice", "db1", "echo in", stdin=subprocess.DEVNULL) for _ in range(3)]
    until(lambda: all(id in child.stderr.peek(1).decode() for child in others), 20, "that all wait")
    rule(world, "by: lead, votes: 2")
    broker = world.role("broker")
    gw(world, "bob", "approve " + id)
    again = until(lambda: [row for row in requests(world, state="pending") if row["id"] != id], 10, "the new request")[0]
    vote(world, again["id"])
    vote(world, again["id"], "dave")
    ends = [end(child) for child in (first, *others)]
    assert all(done.code == 0 and "in" in done.out and again["id"] in done.err for done in ends) and world.role("broker") == broker, ends
