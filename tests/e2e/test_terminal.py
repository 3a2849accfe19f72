"""Terminals: size, its changes, Ctrl-C, and what the transcript makes of it. field.md 23."""
import json

import pexpect
from world import asciinema_cat, cast_events, cast_text, until


def shell(world, host, size=(24, 80)):
    child = world.terminal("alice", "-tt", host, "exec env PS1='prompt> ' sh -i", size=size)
    child.expect_exact("prompt> ")
    return child


def say(child, line, expect):
    child.sendline(line)
    child.expect(expect)
    child.expect_exact("prompt> ")


def test_size_and_change(world, either):
    child = shell(world, either, (33, 101))
    say(child, "stty size", "33 101")
    child.setwinsize(40, 120)
    until(lambda: "40 120" in ask_size(child), 5, "the new size at the target")
    child.sendline("exit 6")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 6


def ask_size(child):
    child.sendline("stty size")
    child.expect(r"(\d+ \d+)\r\n")
    size = child.match.group(1)
    child.expect_exact("prompt> ")
    return size


def test_terminal_at_the_target(world, either):
    child = shell(world, either)
    say(child, "tty", "/dev/pts/")
    say(child, "echo $TERM", r"\w+")
    child.sendline("exit")
    child.expect(pexpect.EOF)


def test_interrupt(world, either):
    child = shell(world, either)
    child.sendline("sh -c 'echo star\"\"ted; exec sleep 100'")
    child.expect_exact("started")  # before that it is still the shell's, which ignores it
    child.sendintr()
    child.expect_exact("prompt> ")
    child.sendline("echo alive-$?")
    child.expect_exact("alive-130")
    child.sendline("exit")
    child.expect(pexpect.EOF)


def test_login_shell(world, either):
    child = world.terminal("alice", "-tt", either)
    child.sendline("echo logged''in; exit 3")
    child.expect_exact("loggedin")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 3


def test_transcript_of_a_terminal(world, either):
    """field.md 23: resize before the output that it governs, time never runs backwards, stock asciinema plays it."""
    token = "cast-" + either.replace(".", "-")
    child = world.terminal("alice", "-tt", either, ": %s; exec env PS1='prompt> ' sh -i" % token, size=(25, 90))
    child.expect_exact("prompt> ")
    say(child, "echo before-the-change", "before-the-change\r")
    child.setwinsize(50, 140)
    until(lambda: ask_size(child) == "50 140", 5, "the new size")
    say(child, "printf 'gr\\303\\274n \\377\\376 \\342\\202\\254 after\\n'", "after")
    child.sendline("exit")
    child.expect(pexpect.EOF)

    session, folder = world.record(token)
    channel = session["channels"][0]
    path = folder / channel["file"]
    header, events = cast_events(path)
    assert (header["version"], header["width"], header["height"]) == (2, 90, 25)
    times = [event[0] for event in events]
    assert times == sorted(times)
    codes = [event[1] for event in events]
    assert "i" not in codes  # field.md 13: output only
    assert [event[2] for event in events if event[1] == "r"] == ["140x50"]
    first_after = next(i for i, event in enumerate(events) if event[1] == "o" and "50 140" in event[2])
    assert codes.index("r") < first_after
    text = cast_text(path)
    assert "before-the-change" in text and "grün" in text and "€ after" in text
    played = asciinema_cat(path)
    assert played.code == 0 and "before-the-change" in played.out
    assert "pty-req" in [request["what"] for request in channel["requests"]]


def test_terminal_of_a_command_keeps_streams_of_a_terminal(world, either):
    done = world.ssh("alice", "-tt", either, "echo visible >&2")
    assert "visible" in done.out


def test_replay_on_a_terminal(world):
    token = "replayed-command"
    assert world.ssh("alice", "-tt", "web1", "printf '\\033[1mbold-%s\\033[0m\\n'" % token).code == 0
    session, _ = world.record(token)
    child = world.terminal("alice", "-tt", "gw", "replay %s --speed 100" % session["id"])
    child.expect_exact("bold-" + token)
    child.expect(pexpect.EOF)
    plain = world.lab.cli("replay", "--text", session["id"])
    assert "bold-" + token in plain.stdout and "\033" not in plain.stdout


def test_session_json_is_json_after_hostile_words(world):
    """Control characters in commands and environment reach no file or terminal as themselves."""
    world.ssh("alice", "web1", ": hostile-words \033]0;title\007 \r\n\x01", options=["SetEnv TEST_X=\033[31m"])
    session, folder = world.record("hostile-words")
    raw = (folder / "session.json").read_bytes()
    assert b"\033" not in raw and b"\x07" not in raw and json.loads(raw)
    shown = world.lab.cli("sessions", "show", session["id"], "--channels").stdout
    assert "\033" not in shown and "\007" not in shown
