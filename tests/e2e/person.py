"""A person with a plain key at the terminal, and the same person in a browser."""
import contextlib
import shlex
import sqlite3

import pexpect

from world import PATIENCE, run

CODE = r"Open\s+(https://\S+) and enter the code (\S+)"
COMPLETE = r"\(or open\s+(https://\S+) \)"


class Person:
    """ssh by somebody with a plain key; nothing is expected of it yet."""

    def __init__(self, world, who, *words, options=(), to=None):
        self.world, self.who = world, who
        command = world.ssh_command(who + ".nocert", *words, options=options)
        if to:  # standard output goes into this file
            command = ["sh", "-c", "exec %s > %s" % (shlex.join(command), shlex.quote(str(to)))]
        self.child = pexpect.spawn(command[0], command[1:], timeout=PATIENCE, encoding="utf8", codec_errors="replace")
        world.closing.callback(self.child.close, True)
        self.link = self.code = None

    def asked(self):
        """The link and the code are shown."""
        self.child.expect(CODE)
        self.code = self.child.match.group(2)
        self.child.expect(COMPLETE)
        self.link = self.child.match.group(1)
        self.child.expect(r"This login is for the connection from 127\.0\.0\.1; the code is good for \d+ minutes")
        return self

    def browser(self, who=None, *options):
        done = run([self.world.dir / "login", *options, who or self.who, self.link])
        assert done.code == 0, done
        return self

    def end(self, seconds=PATIENCE):
        """(exit status, what was shown since)."""
        self.child.expect(pexpect.EOF, timeout=seconds)
        self.child.close()
        return self.child.exitstatus, self.child.before


def log_in(world, who, *words):
    """From a plain key to the end of the command."""
    code, out = Person(world, who, *words).asked().browser().end()
    assert code == 0, out
    return out


def silent(world, who, *words, **more):
    """A connection of somebody who is logged in: BatchMode, so that nothing can be asked."""
    return world.ssh(who + ".nocert", *words, options=("BatchMode yes", *more.pop("options", ())), **more)


def aged(world, who, seconds):
    """A login that is that old: what time would do, done to the database."""
    log_in(world, who, "gw", "whoami")
    with contextlib.closing(sqlite3.connect(world.dir / "state/bartizan.db", timeout=10)) as store, store:
        assert store.execute("UPDATE logins SET login_time = login_time - ? WHERE user = ?", (seconds, who)).rowcount == 1


def within(world, time_):
    """Staging asks for a login that is not older."""
    world.edit(lambda text: text.replace("  - name: staging\n", "  - name: staging\n    login_within: %s\n" % time_, 1))
