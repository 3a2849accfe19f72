"""Guards in a shell, through the gateway: real ssh on a terminal, real shells, the Enter held until the guard has spoken. design.md 7 and 8, shell.md."""
import json
import pathlib
import subprocess

import pexpect
import pytest
from approvals import clear, end, gw, held, lead, member, pending, requests, state, vote
from world import cast_events, until

GUARDS = r"""
guards:
  lines:
    - {deny: ["mkfs*", "re:\\bdd\\b.*of=/dev/"]}
    - {approve: ["rm -r*"], by: lead}
    - {warn: ["touch *"]}
    - {allow: ["*"]}
  unseen: {blind: deny, rules: [{allow: ["*"]}]}
  seen: {blind: allow, rules: [{deny: ["mkfs*"]}, {allow: ["*"]}]}
rules:
  - {name: guarded, allow: [shell], roles: [sre], targets: [web1], guard: lines}
  - {name: unseen, allow: [shell], roles: [sre], targets: [plain1], guard: unseen}
  - {name: asked, allow: [shell], roles: [sre], targets: [db1], guard: lines, approval: {by: lead, reason: required}}
  - {name: seen, allow: [shell], groups: [visitors], guard: seen}
"""

SHELLS = {"bash": "bash --norc --noprofile -i", "dash": "dash -i", "zsh": "zsh -f -i", "busybox": "busybox sh -i"}


@pytest.fixture(scope="module")
def shop(module_world):
    """The lab with guarded shells instead of its own rules; the visitor's guard lets pass what it cannot read."""
    member(module_world, "visitor", "visitors")
    module_world.rules(GUARDS)
    return module_world


@pytest.fixture(autouse=True)
def cleared(shop):
    yield
    clear(shop)


class Shell:
    """A guarded shell whose prompt is known; bash unless another is named."""

    def __init__(self, world, who="alice", host="web1", shell="bash", size=(24, 120)):
        self.child = world.terminal(who, "-tt", host, size=size, timeout=20)
        self.child.expect(r"[#$] ")
        self.prompt = "here> "
        self.child.send("exec env PS1='%s' %s\r" % (self.prompt, SHELLS[shell]))
        self.child.expect_exact("\r\n")
        self.child.expect_exact(self.prompt)

    def type(self, text):
        self.child.send(text)
        return self

    def enter(self, text=""):
        return self.type(text + "\r")

    def expect(self, pattern):
        self.child.expect(pattern)
        return self

    def expect_exact(self, text):
        self.child.expect_exact(text)
        return self

    def ready(self):
        """The next prompt, and nothing behind it."""
        return self.expect_exact(self.prompt)

    def end(self):
        self.enter("exit")
        self.child.expect(pexpect.EOF)
        self.child.wait()


def judged(world, **wanted):
    return world.event("line-judged", **wanted)


def victim(world, name):
    path = world.dir / name
    path.mkdir(exist_ok=True)
    path.chmod(0o777)
    return path


def on_hold(world, shell, path):
    """Types a line that removes the path and has to wait; the id of its request."""
    shell.enter("rm -r %s" % path).expect(r"\d left")
    return pending(world)


# ---- verdicts ----

def test_allow(shop, either):
    shell = Shell(shop, host=either)
    shell.enter("echo one$((1 + 1))").expect_exact("one2").ready()
    event = judged(shop, command="echo one")
    assert event["verdict"] == "allow" and event["confidence"] == "exact" and event["rule"] == "guarded" and event["target"] == "web1"
    shell.end()


def test_deny(shop, either):
    """The line is cleared, says why, never runs; the shell lives."""
    shell = Shell(shop, host=either)
    shell.enter("mkfs.none /dev/null; touch %s/never" % shop.dir).expect(r"bartizan: guard 'lines' denies 'mkfs.none").ready()
    assert judged(shop, command="mkfs.none")["verdict"] == "deny"
    assert shop.event("line-ended", command="mkfs.none")["end"] == "cleared"
    shell.enter("echo alive$((1 + 1))").expect_exact("alive2").ready()
    assert not (shop.dir / "never").exists()
    shell.end()


def test_warn(shop):
    path = shop.dir / "touched"
    shell = Shell(shop)
    shell.enter("touch %s" % path).expect(r"warning: guard 'lines' warns of .* continue\? \[y/N\]").type("n").ready()
    assert not path.exists()
    assert until(lambda: shop.event("line-ended", command="touch")["end"] == "cancelled", 5)
    shell.enter("touch %s" % path).expect(r"continue\? \[y/N\]").type("y").ready()
    assert path.exists()
    shell.end()


def test_approve(shop):
    """The person sees id, who may approve, votes and time left; the approver exactly what would run; it goes on by itself, once."""
    path = victim(shop, "victim")
    shell = Shell(shop)
    shell.enter("rm -r %s" % path)
    shell.expect(r"request ([2-9A-Z]{5}): this line on web1 as \S+ needs 1 vote of role 'lead'")
    id = shell.child.match.group(1)
    shell.expect_exact("approve with: ssh GATEWAY approve " + id).expect(r"0 of 1 votes, 14:5\d left \(Ctrl-C cancels\)")
    shell.expect(r"0 of 1 votes, 14:5\d left")  # live
    row = requests(shop)[0]
    assert row["id"] == id and row["command"] == "rm -r %s" % path and row["kind"] == "shell" and row["requester"] == "alice" and path.exists()
    assert gw(shop, "alice", "approve " + id).code == 77
    vote(shop, id)
    shell.expect(r"request %s: approved by bob" % id).ready()
    assert not path.exists()
    assert judged(shop, approval=id, verdict="allow")["reason"] == "request %s approved by bob" % id
    path = victim(shop, "victim")
    shell.enter("rm -r %s" % path).expect(r"needs 1 vote")  # the vote was for one time
    assert path.exists() and pending(shop) != id
    shell.child.sendcontrol("c")
    shell.ready().end()


def test_denied_by_a_human(shop):
    path = victim(shop, "victim")
    shell = Shell(shop)
    id = on_hold(shop, shell, path)
    assert gw(shop, "bob", "deny %s --reason 'not today'" % id).code == 0
    shell.expect(r"request %s was denied by bob: not today" % id).ready()
    assert path.exists()
    shell.end()


def test_given_up(shop):
    """Ctrl-C takes line and request back."""
    path = victim(shop, "victim")
    shell = Shell(shop)
    id = on_hold(shop, shell, path)
    shell.child.sendcontrol("c")
    shell.ready()
    assert until(lambda: state(shop, id) == "cancelled", 5) and path.exists()
    shell.enter("echo alive$((1 + 1))").expect_exact("alive2").ready()
    shell.end()


def test_picked_up(shop):
    """Who loses the connection types the line again, and waits for the same request; approved meanwhile, it runs at once."""
    path = victim(shop, "victim")
    first = Shell(shop)
    id = on_hold(shop, first, path)
    first.child.close(force=True)
    second = Shell(shop)
    second.enter("rm -r %s" % path).expect(r"request %s \(asked before\)" % id)
    second.child.close(force=True)
    vote(shop, id)
    assert path.exists()
    third = Shell(shop)
    third.enter("rm -r %s" % path).expect(r"request %s: approved by bob" % id).ready()
    assert not path.exists()
    third.end()


def test_asked_ahead(shop):
    """A line's approval can be asked for before the shell is open: for one login, and not where it is denied anyway."""
    path = victim(shop, "victim")
    login = shop.env["LOGIN"]
    assert gw(shop, "alice", "request web1 --kind shell --command 'rm -r %s'" % path).code == 2  # as which login?
    assert gw(shop, "alice", "request web1 --kind shell --login %s --command 'mkfs x'" % login).code == 77
    got = json.loads(gw(shop, "alice", "request web1 --kind shell --login %s --command 'rm -r %s' --json" % (login, path)).out)[0]
    assert got["kind"] == "shell" and got["command"] == "rm -r %s" % path
    vote(shop, got["id"])
    assert shop.ssh("bob", "web1", "true").code == 77  # nothing else was opened by it
    shell = Shell(shop)
    shell.enter("rm -r %s" % path).expect(r"request %s: approved by bob" % got["id"]).ready()
    assert not path.exists() and state(shop, got["id"]) == "used up"
    shell.end()


def test_other_bytes_ask_again(shop):
    path = victim(shop, "victim")
    shell = Shell(shop)
    id = on_hold(shop, shell, path)
    shell.child.sendcontrol("c")
    shell.ready()
    again, _ = Shell(shop), shell.end()
    approved = on_hold(shop, again, path)
    vote(shop, approved)
    again.ready()
    path = victim(shop, "victim")
    again.enter("rm -r  %s" % path).expect(r"needs 1 vote")
    assert pending(shop) not in (id, approved) and path.exists()
    again.child.sendcontrol("c")
    again.ready().end()


def test_expired(shop):
    """A deadline that passes clears the line, too."""
    before = shop.lab.config.read_text()
    shop.edit(lambda text: text.replace("guard: lines}", "guard: lines, approval: {by: lead, expires: 2s, window: 1m}}", 1))
    child = shop.terminal("alice", "-tt", "web1", timeout=20)
    try:
        child.expect(r"needs 1 vote")
        vote(shop, pending(shop))
        child.expect(r"[#$] ")
        child.send("rm -r /nowhere/at/all\r")
        child.expect(r"has expired")
        child.expect(r"[#$] ")
        assert judged(shop, command="rm -r /nowhere")["verdict"] == "deny"
    finally:
        child.close(force=True)
        shop.edit(lambda _: before)


def test_reload_counts(shop):
    """Guards that change hold for shells that are open; a rule that is gone lets nothing run any more."""
    shell = Shell(shop)
    shell.enter("echo $((1 + 1))").expect_exact("2\r\n").ready()
    before = shop.lab.config.read_text()
    try:
        shop.edit(lambda text: text.replace('deny: ["mkfs*"', 'deny: ["echo *", "mkfs*"'))
        shell.enter("echo $((1 + 1))").expect_exact("guard 'lines' denies 'echo").ready()
        shop.edit(lambda text: text.replace("name: guarded", "name: other"))
        shell.enter("ls /").expect_exact("open the shell again").ready()
    finally:
        shop.edit(lambda _: before)
    shell.end()


def test_reason_and_session_approval(shop):
    """A rule that asks for an approval of the shell and of lines: the reason of the first is shown with the second."""
    child = shop.terminal("alice", "-tt", "db1", timeout=20)
    child.expect_exact("reason for this request:")
    child.send("INC-7 disk full\r")
    child.expect(r"needs 1 vote")
    vote(shop, pending(shop))
    child.expect(r"[#$] ")
    child.send("rm -r /nowhere/at/all\r")
    child.expect(r"this line on db1 as \S+ needs 1 vote")
    id = pending(shop, kind="shell", command="rm -r /nowhere/at/all")
    assert next(row for row in requests(shop) if row["id"] == id)["reason"] == "INC-7 disk full"
    vote(shop, id)
    child.expect_exact("No such file")
    child.close(force=True)


def test_more_votes_meanwhile(shop):
    """The policy asks for one more vote while a line waits: it goes on waiting, for a new request."""
    lead(shop, "dave")
    before = shop.lab.config.read_text()
    child = shop.terminal("alice", "-tt", "db1", timeout=20)
    child.expect_exact("reason for this request:")
    child.send("INC-8\r")
    child.expect(r"needs 1 vote")
    vote(shop, pending(shop))
    child.expect(r"[#$] ")
    child.send("rm -r /nowhere/at/all\r")
    child.expect(r"this line on db1 as \S+ needs 1 vote")
    id = pending(shop, command="rm -r /nowhere/at/all")
    try:
        shop.edit(lambda text: text.replace("approval: {by: lead, reason", "approval: {by: lead, votes: 2, reason"))
        gw(shop, "bob", "approve " + id)
        child.expect(r"request ([2-9A-Z]{5}): this line on db1 as \S+ needs 2 votes")
        again = child.match.group(1)
        assert again != id
        vote(shop, again)
        child.expect_exact("1 of 2 votes")
        vote(shop, again, "dave")
        child.expect_exact("No such file")
    finally:
        shop.edit(lambda _: before)
        child.close(force=True)


# ---- ways to bring a line about ----

@pytest.mark.parametrize("shell", SHELLS)
def test_shells(shop, shell):
    """Typed, edited, recalled, completed, pasted: a forbidden line never runs, an allowed one always does. The visitor's guard lets blind lines pass."""
    made = shop.dir / ("made-" + shell)
    there = Shell(shop, "visitor", shell=shell)
    there.enter("echo a$((1 + 1))").expect_exact("a2").ready()
    there.enter("mkfs.none x; >%s" % made).expect_exact("denies 'mkfs.none x'").ready()
    there.enter("xkfs.none\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7fmkfs.none; >%s" % made).expect_exact("denies 'mkfs.none'").ready()
    there.type("echo b$((1 + 1))\r").type("mkfs.none; >%s\r" % made).expect_exact("b2").expect_exact("denies 'mkfs.none'").ready()
    there.enter("echo c$((1 + 1))").expect_exact("c2").ready()
    if shell != "dash":  # which has no history
        there.type("\x1b[A").type("\r").expect_exact("c2").ready()
    assert not made.exists()
    there.end()


def test_search_and_completion(shop):
    there = Shell(shop)
    path = victim(shop, "completed-by-tab")
    there.enter("echo find$((1 + 1))me").expect_exact("find2me").ready()
    there.type("\x12find$").expect_exact("find$").type("\r").expect_exact("find2me").ready()
    there.type("rm -r %s/completed-by\t" % shop.dir).expect_exact("completed-by-tab").type("\r").expect(r"needs 1 vote")
    assert requests(shop, state="pending")[0]["command"] == "rm -r %s/" % path
    there.child.sendcontrol("c")
    there.ready().end()


def test_a_listing_blocks_nothing(shop):
    """The names that TAB shows are no line, whatever they say."""
    folder = victim(shop, "listing")
    for name in ("mkfs.one", "mkfs.two"):
        (folder / name).write_text("x")
    there = Shell(shop)
    there.enter("cd %s; ls" % folder).expect_exact("mkfs.two").ready()
    there.type("cat ./\t\t\t").expect_exact("mkfs.two").type("\x15").type("echo d$((1 + 1))\r").expect_exact("d2").ready()
    there.end()


def test_lines_of_a_paste(shop):
    """Each line of a paste is one; what is behind a refused line is dropped."""
    made = shop.dir / "pasted"
    there = Shell(shop)
    there.type("echo p$((1 + 1))\recho q$((1 + 1))\rmkfs.none\r>%s\r" % made)
    there.expect_exact("p2").expect_exact("q2").expect_exact("denies 'mkfs.none'").ready()
    there.type("\x1b[200~mkfs.none; >%s\x1b[201~" % made).expect_exact("mkfs.none").type("\r").expect_exact("denies 'mkfs.none").ready()
    assert not made.exists()
    there.end()


def test_continued(shop):
    """A loop in several lines is judged whole, and runs; what it hides is found."""
    there = Shell(shop)
    there.enter("for i in 1 2; do").expect_exact("> ").enter("echo r$i").expect_exact("> ").enter("done").expect_exact("r1").expect_exact("r2").ready()
    assert judged(shop, command="done")["command"] == r"for i in 1 2; do\necho r$i\ndone"
    there.enter("for i in 1 2; do").expect_exact("> ").enter("mkfs.none $i").expect_exact("denies").ready()
    there.end()


def test_wrapped(shop):
    there = Shell(shop, size=(24, 50))
    there.enter("echo s$((1 + 1)) %s" % ("x" * 120)).expect_exact("s2").ready()
    event = judged(shop, command="echo s$((1 + 1)) " + "x" * 120)
    assert event["confidence"] in ("exact", "screen")
    there.end()


# ---- what cannot be read ----

def test_full_screen(shop):
    """In vim there is no line: the guard's blind: warn passes the keys, says so once, and the event tells that nothing was seen."""
    path = shop.dir / "edited"
    path.write_text("")
    path.chmod(0o666)
    there = Shell(shop)
    there.enter("vim.tiny -u NONE -N %s" % path).expect(r"\x1b\[\?1049h|\x1b\[\?47h")
    there.type("iline\rmkfs.none\r\x1b").type(":wq\r").ready()
    assert path.read_text() == "line\nmkfs.none\n\n"
    events = [row for row in shop.events("line-judged") if row["why"] == "a full-screen program"]
    assert len(events) == 1 and events[0]["confidence"] == "blind" and events[0]["verdict"] == "warn" and events[0]["command"] is None
    there.enter("echo out$((1 + 1))").expect_exact("out2").ready()
    there.end()


def test_pager(shop):
    there = Shell(shop)
    there.enter("seq 1 200 | less").expect(r"\n:")
    there.type("\r").type("q").ready()
    there.enter("echo out$((1 + 1))").expect_exact("out2").ready()
    there.end()


def test_password(shop):
    """What is typed at a password's prompt goes on and is kept nowhere."""
    before = shop.session_ids()
    there = Shell(shop)
    there.enter("read -rs -p 'Password: ' p; echo got-${#p}").expect_exact("Password: ")
    there.enter("s3cret-words").expect_exact("got-12").ready()
    event = judged(shop, why="typed without echo")
    assert event["command"] is None and event["confidence"] == "blind"
    there.end()
    shop.ended_since(before)
    for path in pathlib.Path(shop.env["STATE_DIR"]).rglob("*"):
        assert not path.is_file() or b"s3cret-words" not in path.read_bytes(), path
    assert "s3cret-words" not in shop.lab.log()


def test_blind_deny(shop):
    """Where the guard denies what it cannot read, full-screen programs and hidden lines get no Enter; lines that can be read run."""
    there = Shell(shop, host="plain1")
    there.enter("echo t$((1 + 1))").expect_exact("t2").ready()
    there.enter("read -rs -p 'Password: ' p; echo got-${#p}").expect_exact("Password: ")
    there.enter("s3cret").expect_exact("refused line could not be cleared")
    assert "got-6" not in there.child.before
    there.child.sendcontrol("c")
    there.ready().end()
    assert judged(shop, why="typed without echo", target="plain1")["verdict"] == "deny"


def test_without_a_terminal(shop):
    """A shell that reads its commands from its standard input shows no lines: held where the guard can hold, else denied."""
    child, id = held(shop, "alice", "-T", "web1")
    assert requests(shop)[0]["kind"] == "shell"
    vote(shop, id)
    assert end(child).code == 0
    done = shop.ssh("alice", "-T", "plain1", stdin=b"echo never\n")
    assert done.code == 77 and "never" not in done.out and "standard input" in done.err, done


# ---- records ----

def test_markers(shop):
    """The transcript has a marker for each line, with its confidence; session.json and audit chain hold together."""
    before = shop.session_ids()
    there = Shell(shop)
    there.enter("echo u$((1 + 1))").expect_exact("u2").ready()
    there.enter("mkfs.none").expect_exact("denies").ready()
    there.end()
    session = shop.ended_since(before)[0]["id"]
    folder = shop.folders()[session]
    cast = next(folder.glob("*.cast"))
    markers = [row[2] for row in cast_events(cast)[1] if row[1] == "m"]
    assert "command (exact, forwarded): echo u$((1 + 1))" in markers and "command (exact, cleared): mkfs.none" in markers, markers
    done = shop.lab.cli("audit", "verify")
    assert done.returncode == 0, done.stdout + done.stderr


def test_explain(shop):
    """`policy explain` judges a line as typed with the same code."""
    command = ["policy", "explain", "--user", "alice", "--group", "sre", "--target", "web1", "--login", "x", "--kind", "shell", "--command"]
    for line, verdict in (("ls", "allow"), ("rm -r x", "approve"), ("mkfs x", "deny"), ("for i in 1; do", "allow")):
        done = shop.lab.cli(*command, line, "--json")
        assert json.loads(done.stdout)[0]["verdict"] == verdict, (line, done.stdout)


def test_flood(shop):
    """A flood of output is only followed, and the shell is guarded behind it as before."""
    there = Shell(shop)
    there.enter("seq 1 300000").expect_exact("\r\n300000\r\n").ready()
    there.enter("mkfs.none").expect_exact("denies").ready()
    there.end()
