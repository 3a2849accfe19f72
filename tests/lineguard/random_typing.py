"""Types at random, as a human might, into real shells under the shell guard, and compares what ran with what was judged.

What ran is told by the shell itself, in a file that the guard knows nothing of: a hook before each command (bash's PS0, zsh's preexec, fish's event)
or, in shells that have none, the program `note`, which writes its arguments down. A session is a list of steps made from a seed, so that it can be
played again: `--seed N --shell NAME --count 1`. A session that shows a fault is played again with fewer and fewer steps, and the least that still
shows it is printed.

Faults: silent-wrong (a line ran that was judged as another one, `exact` or `screen`), unjudged, refused-yet-ran, and forbidden-ran (the same, of a line
that should not have run whatever it was judged as); these make the exit status 1. Also counted: blind-unknown (judged blind, and not among the texts),
blind-known (needlessly blind, perhaps), stuck (no command runs in the end), failed (the analyser gave up)."""
import argparse
import collections
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import pexpect

UP, DOWN, RIGHT, LEFT, HOME, END, DELETE, ESC = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F", "\x1b[3~", "\x1b"
PASTE, PASTED = "\x1b[200~", "\x1b[201~"
FATAL = ("silent-wrong", "unjudged", "refused-yet-ran", "forbidden-ran", "failed")
WORDS = ["alpha", "beta", "x", "note", "one", "two2", "--long-option", "/tmp/path", "a.b", "'q r'", '"d e"', "$HOME", "longwordlongwordlongword", "FORBID", "k=v", "i", "eeee"]
WIDE = ["\u65e5\u672c\u8a9e", "\u00e9\u00df", "e\u0301a\u0308", "\ud55c", "\U0001f600"]

BASH = r"""
stty -ixon; shopt -s lithist; HISTCONTROL=; set +o histexpand; IGNOREEOF=99
written() { local n; n=$(HISTTIMEFORMAT= history 1); printf '%s %s\0' "$EPOCHREALTIME" "${n#*[0-9]  }" >> "$RAN"; }
PS0='$(written)'
"""
ZSH = r"""
zmodload zsh/datetime; setopt ignoreeof; unsetopt beep flowcontrol; KEYTIMEOUT=10
preexec() { print -rN -- "$EPOCHREALTIME $1" >> "$RAN" }
"""
FISH = r"""
set -g fish_color_autosuggestion 555 brblack
function written --on-event fish_preexec; printf '%s %s\0' (date +%s.%N) "$argv[1]" >> "$RAN"; end
"""
NOTE = """#!/bin/sh
test -n "$ALL" || printf '%s %s\\0' "$(date +%s.%N)" "note $*" >> "$RAN"
"""
Row = collections.namedtuple("Row", "name argv rc_name rc can prompts")
PLAIN = ["sh$ ", "alice@db1:~$ ", "# "]
BASH_PROMPTS = PLAIN + [r"\[\e[32m\]\u@h\[\e[0m\]:\w\$ ", r"\[\e[1;34m\]row one\[\e[0m\]\nsh$ ", r"\t sh$ ", r"[\!] \w$ ", "\u276f ", "> "]
ZSH_PROMPTS = ["sh%% ", "%F{green}h%f %~ %# ", "%F{blue}row one%f\nsh%# ", "%* sh%# ", "\u276f "]
EMACS = "emacs history search tab undo transpose quote operate bang-free"
ROWS = [
    Row("bash", ["bash", "--noprofile", "--rcfile", "{rc}", "-i"], "rc", BASH, EMACS + " paste two", BASH_PROMPTS),
    Row("bash-plain", ["bash", "--noprofile", "--rcfile", "{rc}", "-i"], "rc", BASH + "bind 'set enable-bracketed-paste off'\n", EMACS + " two", BASH_PROMPTS),
    Row("bash-vi", ["bash", "--noprofile", "--rcfile", "{rc}", "-i"], "rc", BASH + "set -o vi\n", "vi history paste two", BASH_PROMPTS),
    Row("dash", ["dash", "-i"], "rc", "set -o ignoreeof; stty iutf8\n", "cooked two", PLAIN),
    Row("zsh", ["zsh", "-i"], ".zshrc", ZSH + "bindkey -e\n", EMACS + " paste two right keep", ZSH_PROMPTS),
    Row("zsh-vi", ["zsh", "-i"], ".zshrc", ZSH + "bindkey -v\n", "vi history paste two right", ZSH_PROMPTS),
    Row("busybox", ["busybox", "sh", "-i"], "rc", "", "simple history tab two", PLAIN),
    Row("fish", ["fish", "--no-config", "-C", FISH + 'function fish_prompt; echo -n "sh\\$ "; end'], "rc", "", "emacs history tab fish", PLAIN[:1]),
]


# ---- what a human does: steps from a seed, whatever the shell answers ----

class Typist:
    """Makes the steps of one session. A step is (kind, value): keys, quiet (seconds without output), size, file."""
    def __init__(self, row, seed, count):
        self.row, self.can, self.random, self.steps = row, set(row.can.split()), random.Random("%s %d" % (row.name, seed)), []
        self.pace = self.random.choice([0, 0, 0.004, 0.015, 0.04])
        self.columns = self.random.choice([80, 80, 80, 40, 33, 120])
        self.rows = self.random.choice([24, 24, 12])
        self.delay = self.random.choice([0, 0, 0, 0, 20, 90])
        self.prompt = self.random.choice(row.prompts)
        self.right = self.random.choice(["", "", "RPROMPT=right\n", "RPROMPT='%*'\n"]) if "right" in self.can else ""
        for _ in range(count):
            self.line()

    def maybe(self, chance):
        return self.random.random() < chance

    def keys(self, text):
        self.steps.append(("keys", text))

    def quiet(self, seconds):
        self.steps.append(("quiet", seconds))

    def type(self, text):
        if not self.pace:
            self.keys(text)
            return
        for key in text:
            self.keys(key)
            self.quiet(self.pace)

    def press(self, key):
        self.keys(key)
        if self.pace:
            self.quiet(self.pace * 2)

    def words(self, most=5):
        chosen = [self.random.choice(WIDE if self.maybe(.05) else WORDS) for _ in range(self.random.randint(1, most))]
        return " ".join(word for word in chosen if word != "FORBID" or self.maybe(.5))

    def command(self):
        text = "note " + self.words()
        if self.maybe(.08):
            text += " # " + self.words(2)
        if self.maybe(.08):
            text += "; note " + self.words(3)
        if self.maybe(.08):
            text += " " + "w" * self.random.randint(20, 150)
        return text

    def line(self):
        makers = [self.typed] * 5 + [self.edited] * 7 + [self.pasted] * 2 + [self.ahead, self.continued, self.noisy, self.resized, self.given_up, self.held]
        if "history" in self.can:
            makers += [self.recalled] * 4
        if "search" in self.can:
            makers += [self.searched] * 3
        if "tab" in self.can:
            makers += [self.completed] * 3
        self.random.choice(makers)()

    def accept(self):
        if self.maybe(.4):
            self.quiet(self.random.choice([.02, .08, .2, .4]))
        keys = ["\r"] * 12 + ["\n"]
        if "operate" in self.can:
            keys.append("\x0f")
        if "keep" in self.can:
            keys.append(ESC + "a")
        if "cooked" in self.can:
            keys.append("\x04\x04")
        self.keys(self.random.choice(keys))
        if self.maybe(.85):
            self.quiet(self.random.choice([.15, .25, .4]))

    def typed(self):
        self.type(self.command())
        self.accept()

    def edited(self):
        self.type(self.command())
        self.edits()
        self.accept()

    def edits(self):
        for _ in range(self.random.randint(1, 7)):
            if self.maybe(.1):
                self.quiet(.1)
            kind = self.can & {"emacs", "simple", "vi", "cooked"}
            {"emacs": self.emacs, "simple": self.simple, "vi": self.vi, "cooked": self.cooked}[kind.pop()]()

    def cooked(self):
        self.press(self.random.choice(["\x7f", "\x7f\x7f\x7f", "\x17", "\x15note ", "\x16\x01", " b", "\x12", "\x04"]))
        if self.maybe(.5):
            self.type(self.random.choice(WORDS))

    def simple(self):
        self.press(self.random.choice([LEFT * self.random.randint(1, 12), RIGHT * 2, HOME, END, "\x01", "\x05", "\x0b", "\x15note ", "\x17", "\x7f", DELETE, "\x02", "\x06", "\x0c",
                                       ESC + "b", ESC + "f"]))
        if self.maybe(.5):
            self.type(self.random.choice([" b ", "z", self.random.choice(WORDS)]))

    def emacs(self):
        keys = [LEFT * self.random.randint(1, 12), LEFT * 45, RIGHT * self.random.randint(1, 5), HOME, END, "\x01", "\x05", ESC + "b", ESC + "b" + ESC + "b", ESC + "f", ESC + "d",
                "\x0b", "\x15", "\x17", "\x19", ESC + "y", "\x7f", "\x7f\x7f", DELETE, "\x04", "\x02", "\x06", ESC + "\x7f", "\x0c", ESC + "u", ESC + "c", ESC + ".", "\x14", ESC + "t",
                "\x1f", "\x18\x15", "\x16\x01", "\x16\t", "\x16\x0b", ESC + "3" + LEFT, ESC + "#" if self.maybe(.1) else LEFT, "\x00" + LEFT * 3 + ESC + "w", ESC + "r"]
        self.press(self.random.choice(keys))
        if self.maybe(.5):
            self.type(self.random.choice([" b ", "z", "note ", self.random.choice(WORDS), self.random.choice(WIDE)]))

    def vi(self):
        self.press(ESC)
        self.quiet(self.random.choice([.12, .25, .6]) if self.maybe(.8) else 0)
        self.press(self.random.choice(["b", "w", "0", "$", "x", "3x", "dw", "db", "D", "u", "P", "p", "~", "fo", "rZ", "ylp", "2b", "e", "h", "l", "xp", "yyp", "."]))
        if self.maybe(.85):
            self.press(self.random.choice(["i", "a", "A", "I", "A", "cw", "C", "s", "R"]))
            self.type(self.random.choice([" b ", "z", self.random.choice(WORDS)]))

    def pasted(self):
        lines = [self.command() for _ in range(self.random.choice([1, 1, 1, 2, 3]))]
        bracketed = "paste" in self.can and self.maybe(.6)
        if self.maybe(.3):
            self.type("note before ")
        self.keys(PASTE + "\r".join(lines) + PASTED if bracketed else "\r".join(lines))
        if self.maybe(.3):
            self.edits()
        self.accept()
        self.quiet(.3)

    def ahead(self):
        self.type("sleep %s" % self.random.choice([".1", ".3", ".7"]))
        self.keys("\r")
        self.quiet(self.random.choice([0, .02, .1]))
        for _ in range(self.random.randint(1, 2)):
            self.type(self.command())
            if self.maybe(.2):
                self.edits()
            self.keys("\r")
        self.quiet(1.2)

    def continued(self):
        if "fish" in self.can:
            return self.typed()
        self.type(self.random.choice(["note one \\", "note 'one", 'note "a b', "{ note x", "for i in 1; do note y"]))
        self.keys("\r")
        self.quiet(self.random.choice([.02, .2]))
        self.type(self.random.choice(["two", "thr'ee'", 'x"', "}", "done", "four " + self.words(2), "' ; note FORBID", '" FORBID']))
        if self.maybe(.3):
            self.edits()
        self.accept()
        if self.maybe(.7):
            self.keys("\x03")
        self.quiet(.2)

    def noisy(self):
        noise = self.random.choice(["echo noise", "printf noise", "printf 'a\\nb\\n'", "printf '\\rsh$ note fake'", "printf '\\n$ '", "seq 30", "printf '\\033[Hx'"])
        self.type("(sleep .%d; %s) &" % (self.random.randint(2, 4), noise))
        self.keys("\r")
        self.quiet(.15)
        self.type(self.command())
        self.quiet(.6)
        if self.maybe(.5):
            self.edits()
        self.type(" tail")
        self.accept()

    def resized(self):
        self.type(self.command())
        self.quiet(self.random.choice([0, .1]))
        self.steps.append(("size", (self.random.choice([20, 33, 40, 79, 80, 81, 120]), self.random.choice([10, 24, 40]))))
        self.quiet(self.random.choice([0, .05, .2]))
        if self.maybe(.6):
            self.edits()
        self.type(" end")
        self.accept()

    def given_up(self):
        self.type(self.command())
        if self.maybe(.5):
            self.edits()
        self.keys("\x03")
        if self.maybe(.7):
            self.quiet(.15)

    def held(self):
        self.type("note HOLDME " + self.words(2))
        self.keys("\r")
        if self.maybe(.4):
            self.type(self.random.choice(["x", " FORBID", UP, "\x03"]))
        self.quiet(.6)

    def recalled(self):
        up = UP if "vi" not in self.can or self.maybe(.5) else ESC + "k" if self.maybe(.3) else UP
        for _ in range(self.random.randint(1, 4)):
            self.press(self.random.choice([up, up, up, DOWN, "\x10" if "emacs" in self.can else up]))
        if self.maybe(.5):
            self.edits()
        self.accept()

    def searched(self):
        if self.maybe(.2):
            self.type(self.words(2))
        for _ in range(self.random.randint(1, 2)):
            self.press(self.random.choice(["\x12", "\x12", "\x13"]))
            self.type(self.random.choice(["note", "al", "o", "x", "FOR", "lon", "zzz", "one"]))
            if self.maybe(.3):
                self.press(self.random.choice(["\x12", "\x7f", "\x13"]))
        if self.maybe(.5):
            self.press(self.random.choice([LEFT, END, "\x01", "\x05", ESC + "b", "\x07", ESC]))
            if self.maybe(.5):
                self.type(" more")
            if self.maybe(.5):
                self.edits()
        self.accept()

    def completed(self):
        self.type(self.random.choice(["note comp", "note a", "not" if "fish" not in self.can else "note a", "note compl", "note x co", "note dir/", "note dir"]))
        for _ in range(self.random.randint(1, 3)):
            self.press("\t")
            if self.maybe(.4):
                self.quiet(.12)
        if self.maybe(.6):
            self.type(self.random.choice(["et", "ete", " ", "1", "FORBID", "a"]))
            if self.maybe(.4):
                self.press("\t")
        if self.maybe(.3):
            self.edits()
        self.accept()


# ---- a session ----

class Session:
    def __init__(self, proxy, row, typist):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="typing-"))
        self.home = self.dir / "home"
        self.log, self.ran, self.seen = self.dir / "log", self.dir / "ran", ""
        (self.home / "dir").mkdir(parents=True)
        (self.dir / "bin").mkdir()
        for name in ("complete1", "complete2", "alpha1", "alps", "compFORBID", "dir/inner", "dir/inner2"):
            (self.home / name).touch()
        note = self.dir / "bin" / "note"
        note.write_text(NOTE)
        note.chmod(0o755)
        (self.home / row.rc_name).write_text(row.rc + typist.right + self.prompt_line(row, typist.prompt))
        env = {"PATH": "%s:/usr/bin:/bin" % (self.dir / "bin"), "HOME": str(self.home), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null", "RAN": str(self.ran),
               "ENV": str(self.home / "rc"), "ZDOTDIR": str(self.home), "XDG_CONFIG_HOME": str(self.dir / ".c"), "XDG_DATA_HOME": str(self.dir / ".d"),
               "ALL": "" if row.name in ("dash", "busybox") else "1"}
        argv = ["--log", str(self.log)] + (["--delay", str(typist.delay)] if typist.delay else []) + ["--"] + [part.format(rc=self.home / "rc") if part == "{rc}" else part
                                                                                                                for part in row.argv]
        self.log.touch()
        self.ran.touch()
        self.tty = pexpect.spawn(proxy, argv, env=env, cwd=str(self.home), dimensions=(typist.rows, typist.columns), timeout=5, encoding="utf-8", codec_errors="replace")
        self.tty.delaybeforesend = None
        self.first_output()

    @staticmethod
    def prompt_line(row, prompt):
        if row.name.startswith("bash"):
            return "PS1=%s\n" % shlex.quote(prompt.replace("\\e", "\\e"))
        return "PS1=%s\n" % shlex.quote(prompt)

    def first_output(self):
        until = time.monotonic() + 5
        while not self.seen and time.monotonic() < until:
            self.quiet(.1)
        self.quiet(.3)

    def quiet(self, seconds):
        """Reads until nothing came for so long, within reason."""
        until = time.monotonic() + seconds + 3
        while time.monotonic() < until:
            try:
                self.seen += self.tty.read_nonblocking(4096, timeout=seconds)
            except pexpect.TIMEOUT:
                return

    def play(self, steps):
        for kind, value in steps:
            if kind == "keys":
                self.tty.send(value)
            elif kind == "quiet":
                self.quiet(value)
            else:
                self.tty.setwinsize(value[1], value[0])

    def usable(self):
        """Ends what is there, and runs one more line. An Enter may wait for a prompt that does not come: a human gives it up and tries again."""
        self.quiet(.3)
        for _ in range(3):
            self.tty.send("\x03")
            self.quiet(.5)
            self.tty.send("note done\r")
            until = time.monotonic() + 3
            while time.monotonic() < until:
                self.quiet(.05)
                if self.executed() and words(self.executed()[-1][1]) == "note done":
                    return True
        return False

    def executed(self):
        """[(seconds, text)] of what ran."""
        parts = self.ran.read_bytes().decode(errors="replace").split("\0")[:-1]
        return [(float(part.split(" ", 1)[0]), part.split(" ", 1)[1]) for part in parts]

    def events(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def close(self):
        self.tty.close(force=True)
        shutil.rmtree(self.dir, ignore_errors=True)


# ---- comparing ----

def words(text):
    """Whitespace does not count, nor how control characters are shown."""
    text = re.sub("[\x00-\x08\x0b-\x1f\x7f]", lambda match: "^" + chr(ord(match.group()) ^ 64), text.replace("\\\n", ""))
    text = re.sub("[\u0300-\u036f]", lambda match: "<%04x>" % ord(match.group()), text)  # as zsh shows them
    return " ".join(text.split())


def bare(text):
    """As `note` might get it: without quotes, blanks, and variables, of which there is one only."""
    text = re.sub(r"\$[A-Za-z0-9_]*", "", text.replace("\\\n", ""))
    return re.sub("[\\s'\"\\\\]", "", words(text))


def matches(row, home, text, ran, joined):
    if words(text) in (words(ran), words(ran.lstrip("#"))):  # Esc # runs the line as a comment
        return True
    lines = text.split("\n")  # of a paste, which bash runs one by one
    if not joined and any(words("\n".join(lines[i:j])) == words(ran) for i in range(len(lines)) for j in range(i + 1, len(lines) + 1)):
        return True
    if row.name in ("dash", "busybox"):
        return bare(ran.replace(str(home), "")) in bare(text)
    return False


Fault = collections.namedtuple("Fault", "kind ran judged why")


def compare(session, row):
    """[Fault], and how often each confidence was."""
    events = session.events()
    judged = [event for event in events if event["event"] == "judge"]
    faults, last, base, previous, answers = [], -1, -1, 0, collections.Counter(event["confidence"] for event in judged)
    if any(event["event"] == "failed" for event in events):
        faults.append(Fault("failed", "", "", ""))
    for when, ran in session.executed():
        if not words(ran):
            continue
        if when - previous > .15:
            base = last  # what runs at once was typed line by line, behind an open quote
        previous = when
        before = [i for i, event in enumerate(judged) if event["at"] / 1e6 <= when + .001]
        same = [i for i in before if i >= base and any(matches(row, session.home, text["text"], ran, text["joined"]) for text in judged[i]["texts"])]
        passed = [i for i in same if judged[i]["verdict"] != "deny"]
        if passed:
            last = max(last, passed[0])
            found = judged[passed[0]]
            if found["confidence"] == "blind":
                faults.append(Fault("blind-known", ran, found["texts"][0]["text"], found["why"]))
        else:
            faults.append(wrong(judged, before, same, last, ran))
            last = max([last] + before)
        if "FORBID" in ran:
            faults.append(Fault("forbidden-ran", ran, faults[-1].judged if faults else "", faults[-1].why if faults else ""))
    return faults, answers


def wrong(judged, before, same, last, ran):
    if same:
        return Fault("refused-yet-ran", ran, judged[same[-1]]["texts"][0]["text"], judged[same[-1]]["confidence"])
    new = [judged[i] for i in before if i > last]
    if not new:
        return Fault("unjudged", ran, "", "")
    texts = [text["text"] for text in new[-1]["texts"]]
    if new[-1]["confidence"] == "blind":
        return Fault("blind-unknown", ran, str(texts), new[-1]["why"])
    return Fault("silent-wrong", ran, str(texts), new[-1]["confidence"])


Result = collections.namedtuple("Result", "row seed faults answers ran log seen")


def play(proxy, row, seed, typist, steps):
    session, faults, answers, ran, log, seen = None, [], collections.Counter(), 0, "", ""
    try:
        session = Session(proxy, row, typist)
        try:
            session.play(steps)
            if not session.usable():
                faults.append(Fault("stuck", "", "", ""))
        except (pexpect.EOF, OSError):
            pass  # the shell has ended: what ran until then counts
        found, answers = compare(session, row)
        faults += found
        ran, log, seen = len(session.executed()), session.log.read_text(), session.seen
    finally:
        if session:
            session.close()
    return Result(row, seed, faults, answers, ran, log, seen)


def fatal(result, more=()):
    return [fault for fault in result.faults if fault.kind in FATAL + tuple(more)]


def shrink(proxy, result, typist, kinds, seconds):
    """The least that still shows the fault: without halves, quarters… of the steps, in a bounded time."""
    steps, best, until = typist.steps, result, time.monotonic() + seconds
    size = len(steps) // 2
    while size and time.monotonic() < until:
        at = 0
        while at < len(steps) and time.monotonic() < until:
            fewer = steps[:at] + steps[at + size:]
            again = play(proxy, result.row, result.seed, typist, fewer)
            if any(fault.kind in kinds for fault in again.faults):
                steps, best = fewer, again
            else:
                at += size
        size //= 2
    return steps, best


def session_of(proxy, row, seed, lines, shrink_seconds, also):
    typist = Typist(row, seed, lines)
    result = play(proxy, row, seed, typist, typist.steps)
    bad = fatal(result, also)
    text = ""
    if bad:
        steps, least = typist.steps, result
        if shrink_seconds:
            steps, least = shrink(proxy, result, typist, {fault.kind for fault in bad}, shrink_seconds)
        text = report(row, seed, typist, steps, bad, fatal(least, also), least)
    return result, text


def joined(steps):
    """Without the pauses between the keys of a word, for people."""
    out = []
    for kind, value in steps:
        if kind == "quiet" and value < .05:
            continue
        if kind == "keys" and out and out[-1][0] == "keys":
            out[-1] = ("keys", out[-1][1] + value)
        else:
            out.append((kind, value))
    return out


def report(row, seed, typist, steps, bad, least_bad, least):
    out = ["---- %s --seed %d: %dx%d, prompt %r, delay %d, pace %g%s" % (row.name, seed, typist.columns, typist.rows, typist.prompt, typist.delay, typist.pace, ", right prompt" if typist.right else "")]
    for fault in bad:
        out.append("  %s: ran %r, judged %s (%s)" % fault)
    out.append("  steps: %s" % (" ".join("%s" % (value if kind == "quiet" else repr(value)) for kind, value in joined(steps))))
    for fault in least_bad:
        out.append("  there: %s: ran %r, judged %s (%s)" % fault)
    out += ["  " + line for line in least.log.splitlines()[-8:]] + ["  seen: %r" % least.seen[-1500:]]
    return "\n".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("proxy")
    parser.add_argument("--shell", action="append", help="may be given several times")
    parser.add_argument("--seed", type=int, default=1, help="of the first session; the next one has the next seed")
    parser.add_argument("--count", type=int, help="sessions of each shell")
    parser.add_argument("--minutes", type=float, help="stop after so long")
    parser.add_argument("--lines", type=int, default=12, help="of a session")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--shrink", type=float, default=60, help="seconds to spend on making a fault smaller")
    parser.add_argument("--also", action="append", default=[], help="a class of faults to report in full as well: stuck, blind-unknown, blind-known")
    options = parser.parse_args()
    proxy = str(pathlib.Path(options.proxy).resolve())
    until = time.monotonic() + options.minutes * 60 if options.minutes else None
    count = options.count or (1 if not until else 10 ** 6)
    rows = [row for row in ROWS if shutil.which(row.argv[0]) and (not options.shell or row.name in options.shell)]
    work = ((row, seed) for seed in range(options.seed, options.seed + count) for row in rows)
    totals = {row.name: collections.Counter() for row in rows}
    with ThreadPoolExecutor(options.jobs) as pool:
        def run(task):
            if until and time.monotonic() > until:
                return
            result, text = session_of(proxy, *task, options.lines, options.shrink, options.also)
            total = totals[task[0].name]
            total.update(fault.kind for fault in result.faults)
            total.update(result.answers)
            total.update(ran=result.ran, sessions=1)
            if text:
                print(text, flush=True)
        pending = set()
        for task in work:
            if until and time.monotonic() > until:
                break
            pending.add(pool.submit(run, task))
            while len(pending) >= 2 * options.jobs:
                time.sleep(.02)
                for done in [future for future in pending if future.done()]:
                    done.result()
                    pending.discard(done)
        for future in pending:
            future.result()
    return table(totals)


def table(totals):
    print("%-11s %8s %6s %-20s %s" % ("shell", "sessions", "ran", "exact/screen/blind %", "faults"))
    bad = 0
    for name, total in totals.items():
        judged = max(1, sum(total[kind] for kind in ("exact", "screen", "blind")))
        kinds = FATAL + ("stuck", "blind-unknown", "blind-known")
        bad += sum(total[kind] for kind in FATAL)
        print("%-11s %8d %6d %-20s %s" % (name, total["sessions"], total["ran"], "/".join("%.1f" % (100 * total[kind] / judged) for kind in ("exact", "screen", "blind")),
                                          ", ".join("%s %d" % (kind, total[kind]) for kind in kinds if total[kind])))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
