"""Drives real shells under the shell guard (tests/unit/lineguard_proxy.c): one row a shell, one function a way of producing a line.

A case says what must have run and what must never run; both are files that the shell touches. Whatever a case leaves behind, the shell must be usable
afterwards: it ends with an allowed line. `python3 tests/lineguard/driver.py PROXY [-s SHELL] [-k WORD]` prints the table of rates and times.
"""
import argparse
import collections
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import pexpect

PROMPT = "sh$ "
UP, LEFT, RIGHT, HOME, ESC = "\x1b[A", "\x1b[D", "\x1b[C", "\x1b[H", "\x1b"
BEGIN, END = "\x1b[200~", "\x1b[201~"
TIMEOUT = 10


class Shell:
    """A row of the table. can: what the shell is able to do; cases that need more are not asked of it."""
    def __init__(self, name, argv, can, setup=(), env=None, touch="touch %s", tabs=1):
        self.name, self.argv, self.can, self.setup, self.env = name, argv, set(can.split()), setup, env or {}
        self.touch, self.tabs, self.prompt = touch, tabs, PROMPT

    def present(self):
        return shutil.which(self.argv[0]) is not None


POSIX = "posix jobs trap "
SHELLS = [
    Shell("bash", ["bash", "--norc", "--noprofile"], POSIX + "wide edit paste history search tab continue bang vi operate reads", tabs=2),
    Shell("bash-plain", ["bash", "--norc", "--noprofile"], POSIX + "wide edit history search tab continue bang vi reads", setup=["bind 'set enable-bracketed-paste off'"],
          tabs=2),
    Shell("dash", ["dash"], POSIX + "wide cooked continue"),
    Shell("zsh", ["zsh", "-f", "-i"], POSIX + "wide edit paste history search tab continue bang vi operate keep reads zle", setup=["bindkey -e"]),
    Shell("busybox", ["busybox", "sh"], POSIX + "edit history tab continue", tabs=2),
    Shell("fish", ["fish", "--no-config", "-C", 'function fish_prompt; echo -n "sh\\$ "; end'], "edit tab", tabs=1),
    Shell("python", ["/usr/bin/python3", "-q", "-i", "-c", "import sys; sys.ps1 = 'sh$ '"], "edit history search python", touch="open('%s','w').close()"),
]
CASES = collections.OrderedDict()
Case = collections.namedtuple("Case", "name function needs ran never confidence options denied")


def case(needs="", ran=(), never=("FORBID",), confidence=None, options=(), denied=None):
    """confidence: of the line that is refused (or, where none is, of the last one). denied: how many lines are refused."""
    def add(function):
        name = function.__name__.replace("_", "-")
        CASES[name] = Case(name, function, set(needs.split()), ran, never, confidence, list(options), denied)
        return function
    return add


class Session:
    def __init__(self, proxy, shell, options, columns=80, rows=24):
        self.shell = shell
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="lineguard-"))
        self.log = self.dir.parent / (self.dir.name + ".log")
        env = {"PATH": os.environ["PATH"], "HOME": str(self.dir), "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PS1": shell.prompt, "PROMPT": shell.prompt,
               "INPUTRC": "/dev/null", "XDG_CONFIG_HOME": str(self.dir / ".c"), "XDG_DATA_HOME": str(self.dir / ".d"), **shell.env}
        argv = ["--log", str(self.log)] + options + ["--"] + shell.argv
        self.tty = pexpect.spawn(proxy, argv, env=env, cwd=str(self.dir), dimensions=(rows, columns), timeout=TIMEOUT, encoding="utf-8", codec_errors="replace")
        self.tty.delaybeforesend = None
        self.seen = ""
        self.tty.logfile_read = self
        self.prompt()
        self.quiet(0.2)
        for line in shell.setup:
            self.line(line)

    # what pexpect reads is kept for the report of a failure
    def write(self, text):
        self.seen += text

    def flush(self):
        pass

    def keys(self, text):
        self.tty.send(text)

    def slowly(self, text, pause=0.012):
        for key in text:
            self.tty.send(key)
            self.quiet(pause)

    def see(self, text):
        self.tty.expect_exact(text)

    def prompt(self):
        self.tty.expect_exact(self.shell.prompt)
        self.quiet(0.06)

    def quiet(self, seconds):
        """Reads until nothing came for so long: the only sign there is of a key that prints nothing one could wait for."""
        while True:
            try:
                self.tty.read_nonblocking(4096, timeout=seconds)
            except (pexpect.TIMEOUT, pexpect.EOF):
                return

    def line(self, text):
        self.keys(text + "\r")
        self.prompt()

    def touch(self, name):
        return self.shell.touch % name

    def remember(self, line):
        """The line is in the history: the judge lets it pass while the file is there."""
        (self.dir / "permit").touch()
        self.line(line)
        (self.dir / "permit").unlink()
        (self.dir / "FORBID").unlink()

    def refused(self):
        self.see("refused by")
        self.prompt()

    def exists(self, name, seconds=TIMEOUT):
        until = time.monotonic() + seconds
        while not (self.dir / name).exists():
            if time.monotonic() > until:
                return False
            self.quiet(0.01)
        return True

    def events(self, kind):
        return [event for event in map(json.loads, self.log.read_text().splitlines()) if event["event"] == kind]

    def close(self):
        self.tty.close(force=True)
        shutil.rmtree(self.dir, ignore_errors=True)
        self.log.unlink(missing_ok=True)


# ---- the cases ----

@case(confidence="exact", denied=1)
def typed(s):
    s.keys(s.touch("FORBID"))
    s.quiet(0.15)
    s.keys("\r")
    s.refused()


@case(confidence="exact", denied=1)
def typed_key_by_key(s):
    s.slowly(s.touch("FORBID"))
    s.keys("\r")
    s.refused()


@case(ran=("one", "two"), confidence="exact", denied=0)
def allowed(s):
    s.line(s.touch("one"))
    s.line(s.touch("two"))


@case(confidence="exact", denied=1)
def burst(s):
    s.keys(s.touch("FORBID") + "\r")
    s.refused()


@case(confidence="exact", denied=1, options=["--delay", "100"])
def burst_on_a_slow_link(s):
    s.keys(s.touch("FORBID") + "\r")
    s.refused()


@case(ran=("one",), never=("FORBID", "three"), denied=1)
def three_lines_raw(s):
    s.keys(s.touch("one") + "\r" + s.touch("FORBID") + "\r" + s.touch("three") + "\r")
    s.refused()


@case(ran=("one", "two", "three"), denied=0)
def three_lines_raw_allowed(s):
    s.keys(s.touch("one") + "\r" + s.touch("two") + "\r" + s.touch("three") + "\r")
    s.exists("three")
    s.quiet(0.2)


@case("paste", confidence="exact", denied=1)
def pasted(s):
    s.keys(BEGIN + s.touch("FORBID") + END)
    s.quiet(0.1)
    s.keys("\r")
    s.refused()


@case("paste", never=("FORBID", "one", "three"), denied=1)
def pasted_lines(s):
    s.keys(BEGIN + "\r".join(map(s.touch, ("one", "FORBID", "three"))) + END)
    s.quiet(0.1)
    s.keys("\r")
    s.refused()


@case("paste", ran=("one", "two"), denied=0)
def pasted_lines_allowed(s):
    s.keys(BEGIN + "\r".join(map(s.touch, ("one", "two"))) + END)
    s.quiet(0.1)
    s.keys("\r")
    s.exists("two")
    s.quiet(0.1)


def recall(s):
    s.remember(s.touch("FORBID"))
    return UP


@case("history", confidence="screen", denied=1)
def recalled(s):
    s.keys(recall(s))
    s.see("FORBID")
    s.quiet(0.05)
    s.keys("\r")
    s.refused()


@case("history", confidence="screen", denied=1)
def recalled_in_a_burst(s):
    s.keys(recall(s) + "\r")
    s.refused()


@case("history", denied=1, options=["--delay", "100"])
def recalled_on_a_slow_link(s):
    s.keys(recall(s) + "\r")
    s.refused()


@case("history", ran=("one",), denied=0)
def recalled_allowed(s):
    s.line(s.touch("one"))
    (s.dir / "one").unlink()
    s.keys(UP)
    s.quiet(0.1)
    s.keys("\r")
    s.exists("one")
    s.quiet(0.1)


@case("search", confidence="screen", denied=1)
def searched(s):
    recall(s)
    s.keys("\x12FORB")
    s.quiet(0.15)
    s.keys("\r")
    s.refused()


@case("search", denied=1)
def searched_in_a_burst(s):
    recall(s)
    s.keys("\x12FORB\r")
    s.refused()


@case("search", ran=("one",), confidence="screen", denied=0)
def searched_allowed(s):
    s.line(s.touch("one"))
    (s.dir / "one").unlink()
    s.keys("\x12one")
    s.quiet(0.15)
    s.keys("\r")
    s.exists("one")
    s.quiet(0.1)


@case("tab posix", confidence="screen", denied=1)
def completed(s):
    (s.dir / "FORBIDDEN").mkdir()
    s.keys("touch FOR\tFORBID")
    s.quiet(0.2)
    s.keys("\r")
    s.refused()


@case("tab", denied=1)
def completed_in_a_burst(s):
    (s.dir / "FORBIDDEN").mkdir()
    s.keys("touch FOR\tx\r")
    s.refused()


@case("tab", ran=("one",), denied=0)
def listing_blocks_nothing(s):
    (s.dir / "aFORBID").touch()
    (s.dir / "bFORBID").touch()
    s.keys("touch one ")
    s.quiet(0.1)
    s.keys("\t" * s.shell.tabs)
    s.see("aFORBID")
    s.quiet(0.2)
    s.keys("\r")
    s.exists("one")
    s.quiet(0.1)


@case("edit", denied=1)
def edited_in_the_middle(s):
    middle = s.touch("BID")
    s.keys(middle + LEFT * (len(middle) - middle.index("BID")) + "FOR")
    s.quiet(0.15)
    s.keys("\r")
    s.refused()


@case("edit", denied=1)
def edited_in_a_burst(s):
    middle = s.touch("BID")
    s.keys(middle + LEFT * (len(middle) - middle.index("BID")) + "FOR\r")
    s.refused()


@case("edit", ran=("one",), denied=0)
def killed_and_typed_again(s):
    s.keys(s.touch("FORBID") + "\x01\x0b" + s.touch("one"))
    s.quiet(0.1)
    s.keys("\r")
    s.exists("one")
    s.quiet(0.1)


@case("posix", ran=("one",), denied=0)
def word_erased(s):
    s.keys("touch FORBID")
    s.quiet(0.1)
    s.keys("\x17one\r")
    s.exists("one")
    s.quiet(0.1)


@case("posix", denied=1)
def word_erased_and_refused(s):
    s.keys("touch one\x17FORBID\r")
    s.refused()


@case("", ran=("one",), denied=0)
def rubbed_out(s):
    s.keys(s.touch("FORBID") + "\x7f" * len(s.touch("FORBID")) + s.touch("one") + "\r")
    s.exists("one")
    s.quiet(0.1)


@case("posix", ran=("one",), denied=0)
def line_erased(s):
    s.keys("touch FORBID\x15touch one\r")
    s.exists("one")
    s.quiet(0.1)


@case("", confidence="exact", denied=1)
def wrapped(s):
    s.tty.setwinsize(24, 40)
    s.quiet(0.1)
    long = "a" * 70
    s.keys(s.touch(long) + ";" + s.touch("FORBID"))
    s.quiet(0.15)
    s.keys("\r")
    s.refused()


@case("edit", denied=1)
def wrapped_and_edited(s):
    s.tty.setwinsize(24, 40)
    s.quiet(0.1)
    s.keys(s.touch("a" * 70) + ";" + s.touch("FORBID") + HOME + RIGHT * 3)
    s.quiet(0.15)
    s.keys("\r")
    s.refused()


@case("posix", ran=("one",), confidence="exact", denied=0)
def wrapped_allowed(s):
    s.tty.setwinsize(24, 40)
    s.quiet(0.1)
    for width in (30, 31, 32, 33, 34, 35, 36, 72):
        s.keys(": " + "b" * width + "\r")
        s.prompt()
    s.keys(": " + "b" * 64 + ";touch one\r")
    s.exists("one")
    s.quiet(0.1)


@case("wide", ran=("one",), confidence="exact", denied=0)
def wide_characters(s):
    s.tty.setwinsize(24, 41)
    s.quiet(0.1)
    s.keys(": " + "\u65e5\u672c\u8a9e" * 12 + " \u00e9\u00df;touch one\r")
    s.exists("one")
    s.quiet(0.1)


@case("posix", denied=1)
def taller_than_the_screen(s):
    s.tty.setwinsize(6, 40)
    s.quiet(0.1)
    s.keys("touch FORBID; : " + "c" * 400)
    s.quiet(0.2)
    s.keys("\r")
    s.refused()


@case("continue posix", denied=1)
def continued(s):
    s.keys('echo "a\r')
    s.quiet(0.2)
    s.keys('"; touch FORBID\r')
    s.refused()
    first = s.events("judge")[-1]["texts"][0]
    assert first["joined"] and first["text"] == 'echo "a\n"; touch FORBID', first


@case("continue posix", ran=("one", "two"), denied=0)
def continued_allowed(s):
    s.keys("touch one \\\r")
    s.quiet(0.2)
    s.keys("two\r")
    s.exists("two")
    s.quiet(0.1)


@case("posix", ran=("text",), denied=1)
def in_vim(s):
    s.keys("vim.tiny -u NONE -N text\r")
    s.see("text")
    s.quiet(0.3)
    s.keys("iFORBID\rsecond\x1b")
    s.quiet(0.2)
    s.keys(":wq\r")
    s.prompt()
    assert (s.dir / "text").read_text() == "FORBID\nsecond\n"
    s.keys("touch FORBID\r")
    s.refused()


def read_in_less(s, options, line):
    """Enters in the pager are keys, and no lines; behind it the next line is judged as ever."""
    (s.dir / "pages").write_text("".join(line % n + "\n" for n in range(200)))
    s.keys("less %spages\r" % options)
    s.see(line % 1)
    s.quiet(0.2)
    s.keys("\r\r q")
    s.prompt()
    s.line("touch one")
    s.keys("touch FORBID\r")
    s.refused()


@case("posix", ran=("one",), denied=1)
def in_less(s):
    read_in_less(s, "", "FORBID %d")


@case("posix", ran=("one",), denied=1)
def in_less_without_a_screen_of_its_own(s):
    read_in_less(s, "-X ", "line %d")


@case("posix", ran=("one",), denied=0)
def password(s):
    s.keys("stty -echo; read x; stty echo\r")
    s.quiet(0.4)
    s.keys("FORBIDpw\r")
    s.prompt()
    assert not any("FORBIDpw" in str(event) for event in s.events("judge") + s.events("note")), "the password was logged"
    assert any(event["end"] == "hidden" for event in s.events("note"))
    s.keys("test ${#x} = 8 && touch one\r")
    s.exists("one")
    s.quiet(0.1)


@case("reads", ran=("one",), denied=0)
def password_of_read(s):
    s.keys("echo -n 'Password: '; read -s x\r")
    s.see("Password: ")
    s.see("Password: ")
    s.quiet(0.05)
    s.keys("FORBIDpw\r")
    s.prompt()
    assert not any("FORBIDpw" in str(event) for event in s.events("judge") + s.events("note")), "the password was logged"
    s.keys("test ${#x} = 8 && touch one\r")
    s.exists("one")
    s.quiet(0.1)


@case("posix", never=("FORBID", "one"), confidence="exact", denied=1)
def two_on_a_line(s):
    s.keys("touch one; touch FORBID\r")
    s.refused()


@case("posix jobs", denied=1)
def output_in_the_middle(s):
    s.line("(sleep 0.6; echo noise; touch heard) &")
    s.keys("touch FOR")
    assert s.exists("heard")
    s.quiet(0.15)
    s.keys("BID\r")
    s.refused()


@case("posix jobs edit", denied=1)
def output_in_the_middle_and_edited(s):
    s.line("(sleep 0.6; printf 'noise'; touch heard) &")
    s.keys("touch BID" + LEFT * 3)
    assert s.exists("heard")
    s.quiet(0.15)
    s.keys("FOR\r")
    s.refused()


@case("", denied=1)
def resized(s):
    line = s.touch("FORBID")
    s.keys(line[:9])
    s.quiet(0.1)
    s.tty.setwinsize(20, 60)
    s.quiet(0.2)
    s.keys(line[9:] + "\r")
    s.refused()


@case("edit", denied=1)
def redrawn(s):
    line = s.touch("FORBID")
    s.keys(line[:9])
    s.quiet(0.1)
    s.keys("\x0c")
    s.quiet(0.2)
    s.keys(line[9:] + "\r")
    s.refused()


@case("edit history", denied=1)
def redrawn_and_recalled(s):
    s.remember(s.touch("FORBID"))
    s.keys("\x0c")
    s.quiet(0.2)
    s.keys(UP + "\r")
    s.refused()


@case("", ran=("one",), denied=0)
def empty_enters(s):
    for _ in range(3):
        s.keys("\r")
        s.prompt()
    before = len(s.events("judge"))
    s.keys("\r\r\r")
    s.quiet(0.3)
    assert len(s.events("judge")) == before, "an empty line was judged"
    s.line(s.touch("one"))


@case("", ran=("one",), denied=0)
def given_up_with_ctrl_c(s):
    s.keys(s.touch("FORBID"))
    s.quiet(0.1)
    s.keys("\x03")
    s.prompt()
    s.keys(s.touch("one") + "\r")
    s.exists("one")
    s.quiet(0.1)


@case("", ran=("one",), denied=0)
def given_up_in_a_burst(s):
    s.keys(s.touch("FORBID") + "\x03" + s.touch("one") + "\r")
    s.exists("one", 3) or s.keys(s.touch("one") + "\r")
    s.exists("one")
    s.quiet(0.1)


@case("posix", ran=("one",))
def typed_ahead(s):
    s.keys("sleep 1; touch slept\r")
    s.quiet(0.4)
    s.keys("touch FORBID\r")
    assert s.exists("slept")
    s.quiet(0.3)
    s.keys("\x03")
    s.prompt()
    s.line("touch one")


@case("posix", ran=("one",))
def typed_ahead_allowed(s):
    s.keys("sleep 1; touch slept\r")
    s.quiet(0.4)
    s.keys("touch one\r")
    assert s.exists("slept")
    s.exists("one")
    s.quiet(0.2)


@case("posix history")
def recalled_ahead(s):
    s.remember(s.touch("FORBID"))
    s.keys("sleep 1; touch slept\r" if s.shell.name != "busybox" else "sleep 1\r")
    s.quiet(0.4)
    s.keys(UP * 2 + "\r")
    s.quiet(1.2)
    if not any(event["verdict"] == "deny" for event in s.events("judge")):
        s.keys("\x03")  # bash without ?2004 draws over its prompt: then the Enter is withheld until it is given up
        s.prompt()


@case("posix", ran=("one",))
def typed_while_output_runs(s):
    s.keys("i=0; while [ $i -lt 40 ]; do echo $i; sleep 0.02; i=$((i+1)); done; touch ended\r")
    s.see("5")
    s.keys("touch FORBID\r")
    assert s.exists("ended")
    s.quiet(0.3)
    s.keys("\x03")
    s.prompt()
    s.line("touch one")


@case("bang", options=["--blind", "deny"], denied=1)
def history_expanded(s):
    s.remember("touch FORBID")
    s.keys("!tou\r")
    s.refused()


@case("", ran=("HOLDME",))
def held_and_allowed(s):
    s.keys(s.touch("HOLDME") + "\r")
    s.quiet(0.15)
    assert not (s.dir / "HOLDME").exists(), "it ran before the answer"
    assert s.exists("HOLDME")
    s.quiet(0.1)


@case("", never=("HOLDNO",))
def held_and_refused(s):
    s.keys(s.touch("HOLDNO") + "\r")
    s.refused()


@case("", never=("HOLDME",), options=["--hold", "100000"])
def held_and_given_up(s):
    s.keys(s.touch("HOLDME") + "\r")
    s.quiet(0.3)
    s.keys("\x03")
    s.prompt()
    assert any(event["end"] == "cancelled" for event in s.events("note"))


@case("", ran=("WARNME",))
def warned_and_gone_on(s):
    s.keys(s.touch("WARNME") + "\r")
    s.see("[y/N]")
    assert not (s.dir / "WARNME").exists()
    s.keys("y")
    s.exists("WARNME")
    s.quiet(0.1)


@case("", never=("WARNME",))
def warned_and_given_up(s):
    s.keys(s.touch("WARNME") + "\r")
    s.see("[y/N]")
    s.keys("n")
    s.prompt()


@case("trap edit", ran=("one",))
def not_cleared(s):
    s.line("trap '' INT")
    s.keys("touch FORBID\r")
    s.see("refused by")
    s.quiet(0.2)
    s.keys("\r\r")
    s.quiet(0.7)
    s.keys("\x15")
    s.quiet(0.3)
    s.keys("\r")
    s.quiet(0.7)
    s.keys("touch one\r")
    s.exists("one")
    s.quiet(0.1)


@case("vi", confidence="exact", denied=1)
def in_vi_mode(s):
    s.line("set -o vi" if s.shell.name.startswith("bash") else "bindkey -v")
    s.keys("touch FORBID\r")
    s.refused()


@case("vi", denied=1)
def in_vi_command_mode(s):
    s.line("set -o vi" if s.shell.name.startswith("bash") else "bindkey -v")
    s.keys("touch one")
    s.quiet(0.05)
    s.keys(ESC)
    s.quiet(0.6)
    s.keys("cctouch FORBID")
    s.quiet(0.1)
    s.keys(ESC)
    s.quiet(0.6)
    s.keys("\r")
    s.refused()


@case("operate", denied=1)
def operated(s):
    s.keys("touch FORBID\x0f")
    s.refused()


@case("keep", denied=1)
def kept(s):
    s.keys("touch FORBID")
    s.quiet(0.1)
    s.keys(ESC + "a")
    s.refused()


@case("cooked", denied=1)
def handed_over_with_ctrl_d(s):
    s.keys("touch FORBID\x04\x04")
    s.refused()


@case("zle", ran=("one",), confidence="exact", denied=0)
def suggested(s):
    s.line("f() { POSTDISPLAY=' FOR''BID'; region_highlight=(\"$#BUFFER $(($#BUFFER + 7)) fg=8\") }; zle -N zle-line-pre-redraw f")
    s.keys("touch one")
    s.see("FORBID")
    s.quiet(0.1)
    s.keys("\r")
    s.exists("one")
    s.quiet(0.1)


@case("zle", confidence="exact", denied=1)
def right_prompt(s):
    s.line("RPROMPT=right")
    s.keys("touch FORBID\r")
    s.refused()


@case("zle", ran=("one",), denied=0)
def right_prompt_and_recalled(s):
    s.line("RPROMPT=right")
    s.line("touch one")
    (s.dir / "one").unlink()
    s.keys(UP)
    s.quiet(0.1)
    s.keys("\r")
    s.exists("one")
    s.quiet(0.1)
    assert "right" not in s.events("judge")[-1]["texts"][0]["text"]


@case("posix", ran=("text",), denied=1)
def into_cat(s):
    s.keys("cat > text\r")
    s.quiet(0.4)
    s.keys("hello\r")
    s.quiet(0.4)
    s.keys("FORBID\r")
    s.see("refused by")
    s.quiet(0.2)
    s.keys("world\r")
    s.quiet(0.4)
    s.keys("\x04")
    s.prompt()
    assert (s.dir / "text").read_text() == "hello\nworld\n"


@case("cooked", denied=1)
def without_echo_at_a_prompt(s):
    s.line("stty -echo")
    s.keys("touch FORBID\r")
    s.see("refused by")
    s.quiet(0.3)
    s.keys("stty echo\r")
    s.quiet(0.6)


@case("posix", denied=1)
def in_a_shell_in_a_shell(s):
    s.keys("PS1='sub$ ' dash\r")
    s.see("sub$ ")
    s.quiet(0.2)
    s.keys("touch FORBID\r")
    s.see("refused by")
    s.see("sub$ ")
    s.quiet(0.1)
    s.keys("exit\r")
    s.prompt()


@case("posix", ran=("text",), denied=1)
def here_document(s):
    s.keys("cat > text <<E\r")
    s.quiet(0.2)
    s.keys("hello\r")
    s.quiet(0.2)
    s.keys("E\r")
    s.exists("text")
    s.quiet(0.2)
    s.keys("cat > other <<E\rFORBID\rE\r")
    s.see("refused by")
    s.quiet(0.4)


@case("posix", ran=("one",), denied=1)
def prompt_of_the_directory(s):
    s.keys("PS1='/x sh$ '\r")
    s.prompt()
    s.keys("PS1='/y/z sh$ '\r")
    s.prompt()
    s.keys("touch one\r")
    s.prompt()
    s.keys("touch FORBID\r")
    s.refused()


# ---- running ----

Result = collections.namedtuple("Result", "case shell failure settled cleared confidences seen")


def problems(session, chosen):
    for name in chosen.ran:
        if not session.exists(name, 2):
            yield "%s did not run" % name
    for name in chosen.never:
        if (session.dir / name).exists():
            yield "%s RAN" % name
    judged, refused = session.events("judge"), [event for event in session.events("judge") if event["verdict"] == "deny"]
    if session.events("failed"):
        yield "the analyser failed"
    if chosen.denied is not None and len(refused) != chosen.denied:
        yield "%d lines refused instead of %d" % (len(refused), chosen.denied)
    about = refused[0] if refused else (judged or [{"confidence": None}])[-1]
    if chosen.confidence and about["confidence"] != chosen.confidence:
        yield "%s (%s) instead of %s" % (about["confidence"], about.get("why"), chosen.confidence)


def usable(session):
    """Ends what the case left, and runs one more line."""
    if not session.exists("done", 0.05):
        session.keys(session.touch("done") + "\r")
    return session.exists("done", 3)


def run_case(proxy, shell, chosen, more=()):
    session, failure = None, []
    try:
        session = Session(proxy, shell, chosen.options + list(more))
        chosen.function(session)
        failure += problems(session, chosen)
        if "blind" not in "".join(chosen.options) and not usable(session):
            failure.append("the shell is not usable afterwards")
        failure += ["%s RAN late" % name for name in chosen.never if (session.dir / name).exists() and "%s RAN" % name not in failure]
    except (pexpect.TIMEOUT, pexpect.EOF, AssertionError) as wrong:
        failure.append("%s: %s" % (type(wrong).__name__, str(wrong).splitlines()[0] if str(wrong) else ""))
        if session:
            failure += problems(session, chosen)
    log = session.log.read_text() if session and session.log.exists() else ""
    events = [json.loads(line) for line in log.splitlines()]
    result = Result(chosen.name, shell.name, "; ".join(failure), [e["settled_us"] / 1000 for e in events if e["event"] == "judge"],
                    [e["took_us"] / 1000 for e in events if e["event"] == "note" and e["end"] == "cleared"],
                    [e["confidence"] for e in events if e["event"] == "judge"], (session.seen if session else "") + "\n" + log)
    if session:
        session.close()
    return result


def rows(shell=None, word=""):
    return [(row, chosen) for row in SHELLS if row.present() and shell in (None, row.name)
            for chosen in CASES.values() if chosen.needs <= row.can and word in chosen.name]


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("proxy")
    parser.add_argument("-s", "--shell")
    parser.add_argument("-k", "--word", default="")
    parser.add_argument("-j", "--jobs", type=int, default=3)
    parser.add_argument("--delay", help="milliseconds on each way, for all cases: on a slow link the times of some cases do not fit, but nothing may run that is refused")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    proxy = str(pathlib.Path(options.proxy).resolve())
    with ThreadPoolExecutor(options.jobs) as pool:
        results = list(pool.map(lambda row: run_case(proxy, *row, ["--delay", options.delay] if options.delay else []), rows(options.shell, options.word)))
    for result in results:
        if result.failure or options.verbose:
            print("%-12s %-40s %s" % (result.shell, result.case, result.failure or "ok"))
            if options.verbose:
                print(result.seen)
    print("%-12s %-9s %-26s %-22s %s" % ("shell", "passed", "exact/screen/blind", "settle p50/p99 ms", "clear p50/max ms"))
    for name in dict.fromkeys(result.shell for result in results):
        mine = [result for result in results if result.shell == name]
        settled, cleared = sum((r.settled for r in mine), []), sum((r.cleared for r in mine), [])
        kinds = collections.Counter(sum((r.confidences for r in mine), []))
        print("%-12s %3d/%-5d %-26s %-22s %s" % (name, sum(not r.failure for r in mine), len(mine), "%d/%d/%d" % (kinds["exact"], kinds["screen"], kinds["blind"]),
              "%.0f / %.0f" % (percentile(settled, .5), percentile(settled, .99)), "%.0f / %.0f" % (percentile(cleared, .5), percentile(cleared, 1))))
    return 1 if any(result.failure for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
