"""A yes covers exactly what was seen, and the audit trail tells of what was refused. Real ssh, real shells, real sshd; one target that is hostile."""
import os
import pathlib
import re
import subprocess

import pexpect
import pytest
from approvals import clear, end, held, pending, requests, show, vote
from lablib import files, servers
from test_shell_guard import Shell, judged
from world import add_targets, read_line, target, until

GUARDS = r"""
guards:
  lines:
    - {deny: ["mkfs*"]}
    - {approve: ["rm -r*"], by: lead}
    - {warn: ["touch *"]}
    - {allow: ["*"]}
rules:
  - {name: guarded, allow: [shell, exec], roles: [sre], targets: [web1], guard: lines, env: ["LC_*", "TEST_*", BASH_ENV]}
  - {name: open, allow: [shell, exec], roles: [sre], targets: [plain1]}
  - {name: judged, allow: [shell, exec, sftp], roles: [sre], targets: [db1], guard: lines}
"""


@pytest.fixture(scope="module")
def shop(module_world):
    """The lab with guards on web1 and db1 and none on plain1."""
    module_world.rules(GUARDS)
    return module_world


@pytest.fixture(autouse=True)
def cleared(request):
    yield
    if "shop" in request.fixturenames:
        clear(request.getfixturevalue("shop"))


# ---- the terminal ----

def reconfigured(world, name, change):
    """sshd NAME with another configuration, started again."""
    path = world.dir / "hosts" / (name + ".conf")
    path.write_text(change(path.read_text()))
    world.lab.stop_one(name)
    world.lab.start_server(name)


def no_terminals(text):
    return text.replace("PermitTTY yes", "PermitTTY no")


@pytest.mark.parametrize("words", [(), ("cat",)])
def test_no_terminal_at_the_target(own_world, words):
    """Without a terminal there no line can be read: a guarded channel is refused, and nothing of it runs; an unguarded one goes on, and says so."""
    world = own_world()
    world.rules(GUARDS)
    for name in ("web1", "plain1"):
        reconfigured(world, name, no_terminals)
    child = world.terminal("alice", "-tt", "web1", *words)
    child.expect_exact("the target gives no terminal, and the guard of this rule cannot judge lines without one")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 77
    assert world.event("request-refused", target="web1")["detail"] == "the target refused a terminal, and the rule has a guard"
    assert world.event("channel-end", target="web1")["bytes_out"] == 0
    child = world.terminal("alice", "-tt", "plain1", "tty; echo in")
    child.expect_exact("the target gives no terminal")
    child.expect_exact("not a tty")
    child.expect(pexpect.EOF)


def test_terminal_without_echo(shop):
    """A client's own terminal that does not echo hides no line from the guard."""
    command = shop.ssh_command("alice", "-tt", "web1")
    child = pexpect.spawn(command[0], command[1:], timeout=20, encoding="utf-8", echo=False)
    child.expect(r"[#$] ")
    child.send("exec env PS1='here> ' bash --norc --noprofile -i\r")
    child.expect_exact("here> ")
    child.send("mkfs.none x\r")
    child.expect_exact("guard 'lines' denies 'mkfs.none x'")
    child.close(force=True)


def test_second_terminal_request(shop):
    """A client may ask for a terminal once, and not after its command."""
    done = shop.ssh("alice", "-tt", "web1", "tty")
    assert "/dev/pts/" in done.out


# ---- lines at the terminal of an exec ----

def test_lines_in_an_exec(shop, either):
    """`ssh -t web1 sh`, and whatever else runs commands: what is typed there is judged as in a shell."""
    made = shop.dir / "made-in-an-exec"
    tool = shop.dir / "tool"
    tool.write_text("#!/bin/sh\nexec env PS1='here> ' bash --norc --noprofile -i\n")
    tool.chmod(0o755)
    child = shop.terminal("alice", "-tt", either, tool, timeout=20)
    child.expect_exact("here> ")
    child.send("echo a$((1 + 1))\r")
    child.expect_exact("a2")
    child.expect_exact("here> ")
    child.send("mkfs.none; >%s\r" % made)
    child.expect_exact("guard 'lines' denies 'mkfs.none'")
    child.expect_exact("here> ")
    child.send("rm -r /nowhere/at/all\r")
    child.expect_exact("needs 1 vote")
    id = pending(shop)
    row = show(shop, id)
    assert row["kind"] == "exec" and row["inside"] == str(tool) and row["command"] == "rm -r /nowhere/at/all"
    assert row["what"].endswith(", inside '%s'" % tool)
    vote(shop, id)
    child.expect_exact("No such file")
    child.expect_exact("here> ")
    child.send("exit\r")
    child.expect(pexpect.EOF)
    assert not made.exists()


def test_shell_of_an_editor(shop):
    """`ed` runs commands, so it is held; the yes to it is none to what is behind its `!`, which is judged as in a shell."""
    child = shop.terminal("alice", "-tt", "web1", "ed", timeout=20)
    child.expect_exact("needs 1 vote")
    vote(shop, pending(shop, command="ed"))
    child.expect_exact("approved by bob")
    child.send("!mkfs.none x\r")
    child.expect_exact("denies 'mkfs.none x'")
    child.close(force=True)


# ---- the environment ----

def test_environment_is_approved(shop, either):
    """One command, two environments, two requests; the approver reads both, and what was approved is what the target gets."""
    path = shop.dir / "kept-by-env"
    path.mkdir(exist_ok=True)
    command = "echo got-$LC_WHAT; rm -r \"${LC_WHAT:-/nowhere}\""
    child, id = held(shop, "alice", either, command, options=["SetEnv LC_WHAT=/nowhere/at/all"])
    row = show(shop, id)
    assert row["env"] == ["LC_WHAT=/nowhere/at/all"] and row["exact"] is True and "with LC_WHAT=/nowhere/at/all" in row["what"]
    assert "LC_WHAT=/nowhere/at/all" in shop.lab.cli("requests", "show", id).stdout
    other, second = held(shop, "alice", either, command, options=["SetEnv LC_WHAT=%s" % path])
    assert second != id
    vote(shop, id)
    done = end(child)
    assert "got-/nowhere/at/all" in done.out and path.exists()
    assert other.poll() is None
    other.kill()
    assert "LC_WHAT=/nowhere/at/all" in str(shop.event("access-allowed", command=command[:10])["env"])


def test_environment_is_dropped(shop):
    """What the rule does not name does not arrive, and the client is told once a connection."""
    done = shop.ssh("alice", "web1", "echo $TEST_A-$TEST_B.", options=["SetEnv TEST_A=1 OTHER=x MORE=y"])
    assert done.out == "1-.\n"
    assert done.err.count("not passed on") == 1 and "OTHER, MORE" in done.err, done
    done = shop.ssh("alice", "plain1", "echo $TEST_A.", options=["SetEnv TEST_A=1"])  # a rule without `env`
    assert done.out == ".\n" and "TEST_A" in done.err
    done = shop.ssh("alice", "plain1", "echo $LC_X.", options=["SetEnv LC_X=1"])
    assert done.out == "1.\n" and not done.err
    record = shop.record("echo $TEST_A-$TEST_B.")[0]["channels"][0]
    asked = [(entry["what"], entry["detail"]) for entry in record["requests"]]
    assert ("env", "OTHER=x") in asked and ("env-dropped", "OTHER, MORE") in asked


def test_environment_in_doubt(shop):
    """A name by which shells find code is held by every guard, although the rule lets it pass."""
    child, id = held(shop, "alice", "web1", "echo harmless", options=["SetEnv BASH_ENV=/tmp/x"])
    row = show(shop, id)
    assert row["env"] == ["BASH_ENV=/tmp/x"] and row["command"] == "echo harmless"
    child.kill()
    child = shop.terminal("alice", "-tt", "web1", options=["SetEnv BASH_ENV=/tmp/x"])
    child.expect_exact("needs 1 vote")
    assert requests(shop, kind="shell")[0]["what"] == "shell, with BASH_ENV=/tmp/x"
    child.close(force=True)


def test_forced_command(own_world):
    """Where the certificate forces a command, nobody but the gateway says what was asked for instead."""
    world = own_world()
    world.visitor("forced")
    reconfigured(world, "web1", lambda text: text.replace("AcceptEnv LANG", "AcceptEnv SSH_ORIGINAL_COMMAND LANG"))
    world.certificate("forced", "-O", "force-command=echo asked=$SSH_ORIGINAL_COMMAND.")
    done = world.ssh("forced", "web1", "backup daily", options=["SetEnv SSH_ORIGINAL_COMMAND=spoofed"])
    assert done.out == "asked=backup daily.\n", done


# ---- what changes under an open connection ----

def test_target_moves(own_world, tmp_path):
    """One more channel of an open connection is judged by what the target is now; so it may not go to where it was."""
    world = own_world()
    socket = tmp_path / "master"
    options = ["ControlPath %s" % socket, "ControlMaster auto", "ControlPersist 60"]
    assert world.ssh("alice", "web1", "echo one", options=options).out == "one\n"
    assert world.ssh("alice", "web1", "echo two", options=options).out == "two\n"
    world.edit(lambda text: text.replace("127.0.0.1:%s" % world.env["WEB1_PORT"], "127.0.0.1:%s" % world.env["DB1_PORT"], 1))
    done = world.ssh("alice", "web1", "echo three", options=options)
    assert done.code == 75 and not done.out and "was changed in the configuration" in done.err, done
    subprocess.run(world.ssh_command("alice", "-O", "exit", "web1", options=options), check=False, capture_output=True)


# ---- the audit trail ----

@pytest.fixture
def hostile(own_world):
    """A lab with one more target, that opens channels which nobody asked for."""
    world = own_world()
    port = servers.free_ports(1)[0]
    key = world.dir / "hosts/web1"
    program = pathlib.Path(os.environ.get("BUILD", "build")) / "unit/hostile_target"
    process = subprocess.Popen([str(program), str(port), str(key)], stdout=subprocess.PIPE)
    world.closing.callback(process.wait)
    world.closing.callback(process.kill)
    world.closing.callback(process.stdout.close)
    assert read_line(process) == b"ready\n"
    public = " ".join(key.with_name("web1.pub").read_text().split()[:2])
    world.edit(lambda text: add_targets(text, target("hostile", port, public)))
    config = world.dir / "ssh_config.alice"
    config.write_text(config.read_text() + files.SSH_TARGET.format(target="hostile", login=world.env["LOGIN"]))
    return world


def test_target_opens_channels(hostile):
    """x11, an agent, a forwarded port: refused, and each by its own event."""
    done = hostile.ssh("alice", "hostile.direct", "open")
    assert done.code == 0, done
    for type, name in (("x11-refused", "x11"), ("agent-refused", "auth-agent@openssh.com"), ("forward-refused", "forwarded-tcpip")):
        assert hostile.event(type, target="hostile")["detail"] == "the target opened a channel of type '%s'" % name


def test_flood_of_refusals(hostile):
    """A thousand refusals hide nothing: they are counted, and what is of another type is still written."""
    done = hostile.ssh("alice", "hostile.direct", "flood 1500", timeout=60)
    assert done.code == 0, done
    more = hostile.event("events-suppressed")
    shown = len(hostile.events("x11-refused", lines=5000))
    counted = sum(int(re.match(r"x11-refused: (\d+) more", row["detail"]).group(1)) for row in hostile.events("events-suppressed", lines=5000))
    assert shown + counted == 1500 and shown <= 300 and more["suppressed"] == "x11-refused", (shown, counted)
    assert not hostile.events("session-violation")
