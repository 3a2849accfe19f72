"""Notifications: a command that gets JSON, a webhook that is posted to; on created, decided, expiring, break-glass; and what they never do: hold up."""
import http.server
import json
import os
import pathlib
import re
import threading
import time

import pytest
from approvals import end, gw, held, rule, vote
from world import until

SCRIPT = """#!/bin/sh
# one file for each notification
file=$(mktemp %(folder)s/new.XXXXXX) && cat > "$file" && { id; env; pwd; tr '\\0' '\\n' < /proc/self/status | grep -E 'NoNewPrivs|CapEff'; } > "$file.env" && mv "$file" "$file.json"
echo heard >&2
%(more)s
"""


class Hook:
    """A webhook's server; answers[] are the status codes to give, 200 when it is empty."""

    def __init__(self):
        self.posts, self.answers = [], []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.posts.append((dict(self.headers), json.loads(body), time.monotonic()))
                self.send_response(hook.answers.pop(0) if hook.answers else 200)
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self):
        return "http://127.0.0.1:%d/hook" % self.server.server_port

    def events(self, event):
        return [body for _, body, _ in self.posts if body["event"] == event]


@pytest.fixture
def hook():
    hook = Hook()
    yield hook
    hook.server.shutdown()


def command(world, more=""):
    """The path of a program that keeps what it hears in a folder, and the folder."""
    folder = world.dir / "heard"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    path = world.dir / "tell"
    path.write_text(SCRIPT % {"folder": folder, "more": more})
    path.chmod(0o755)
    return path, folder


def heard(folder, event):
    return [got for got in (json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))) if got["event"] == event]


def test_command(own_world):
    world = own_world()
    path, folder = command(world)
    world.edit(lambda text: text + "\nnotify: {command: [%s, --channel, ops]}\n" % path)
    child, id = held(world, "alice", "db1", "echo \x1b[31mred")
    created = until(lambda: heard(folder, "created"), 10)[0]
    assert created["id"] == id and created["requester"] == "alice" and created["command"] == "echo \\x1b[31mred" and created["state"] == "pending"
    assert id in created["text"] and "alice" in created["text"] and "\x1b" not in created["text"]
    vote(world, id)
    assert until(lambda: heard(folder, "decided"), 10)[0]["decided_by"] == "bob"
    end(child)
    about = next(folder.glob("*.env")).read_text()
    assert re.search(r"NoNewPrivs:\s*1", about) and re.search(r"CapEff:\s*0+\n", about), about
    assert "uid=%d" % (65534 if os.getuid() == 0 else os.getuid()) in about and "\n/\n" in about
    assert "SSH" not in about and "BUILD" not in about  # a bare environment
    assert "heard" in world.lab.log()  # its output is in the log


def test_command_that_fails_or_hangs(own_world):
    """It is tried again, killed in time, and nobody waits for it."""
    world = own_world()
    path, folder = command(world, more="exit 3")
    world.edit(lambda text: text + "\nnotify: {command: [%s]}\n" % path)
    child, id = held(world, "alice", "db1", "echo in")
    until(lambda: len(heard(folder, "created")) >= 2, 20)
    assert "ended with status 3" in world.lab.log()
    vote(world, id)
    assert end(child).out == "in\n"
    hanging = world.dir / "hang"
    hanging.write_text("#!/bin/sh\nsleep 1000\n")
    hanging.chmod(0o755)
    world.edit(lambda text: text.replace(str(path), str(hanging)))
    child, id = held(world, "alice", "-T", "db1")
    begun = time.monotonic()
    vote(world, id)
    assert end(child).code == 0 and time.monotonic() - begun < 8
    until(lambda: "killed" in world.lab.log(), 25, "the end of what hangs")


def test_no_such_command(own_world):
    world = own_world(lambda text: text + "\nnotify: {command: [/no/such/program]}\n")
    child, id = held(world, "alice", "db1", "echo in")
    vote(world, id)
    assert end(child).out == "in\n"
    until(lambda: "/no/such/program" in world.lab.log(), 10)


def test_webhook(own_world, hook):
    world = own_world()
    headers = world.dir / "headers"
    headers.write_text("# secret\nAuthorization: Bearer s3cret\nX-Team: ops\n")
    headers.chmod(0o600)
    world.edit(lambda text: text + "\nnotify: {webhook: \"%s\", headers_file: %s}\n" % (hook.url(), headers))
    hook.answers = [503]
    child, id = held(world, "alice", "db1", "echo in")
    until(lambda: len(hook.events("created")) == 2, 15, "the second try")
    sent, body, _ = hook.posts[0]
    assert sent["Authorization"] == "Bearer s3cret" and sent["X-Team"] == "ops" and sent["Content-Type"] == "application/json"
    assert body["id"] == id and body["state"] == "pending"
    assert hook.posts[1][2] - hook.posts[0][2] > 0.9  # not at once
    vote(world, id)
    assert until(lambda: hook.events("decided"), 10)[0]["state"] == "approved"
    end(child)
    assert "s3cret" not in world.lab.log() and "HTTP 503" in world.lab.log()
    headers.chmod(0o644)
    with pytest.raises(Exception, match="headers_file"):
        world.edit(lambda text: text + "\n")


def test_webhook_out_of_reach(own_world):
    """Nothing is held up, whatever becomes of it."""
    world = own_world(lambda text: text + "\nnotify: {webhook: \"http://127.0.0.1:1/\"}\n")
    child, id = held(world, "alice", "db1", "echo in")
    begun = time.monotonic()
    vote(world, id)
    assert end(child).out == "in\n" and time.monotonic() - begun < 8
    until(lambda: "tried again" in world.lab.log(), 10)


def test_expiring(own_world, hook):
    """Five minutes before the end, once; what is shorter than that is not announced."""
    world = own_world(lambda text: text + "\nnotify: {webhook: \"%s\"}\n" % hook.url())
    rule(world, "by: lead, expires: 302s, window: 303s, wait_without_terminal: 0s")
    world.ssh("alice", "db1", "true")
    assert len(until(lambda: hook.events("expiring"), 10)) == 1
    vote(world, hook.events("created")[0]["id"])
    until(lambda: len(hook.events("expiring")) == 2, 10)
    assert [row["state"] for row in hook.events("expiring")] == ["pending", "approved"]
    rule(world, "by: lead, expires: 200s, wait_without_terminal: 0s")
    world.ssh("alice", "-T", "db1")
    until(lambda: len(hook.events("created")) == 2, 10)
    assert len(hook.events("expiring")) == 2


def test_a_command_that_is_none(module_world):
    for line, words in (("notify: {command: [tell]}", "absolute path"), ("notify: {webhook: \"http://example.com/\"}", "https"), ("notify: {mail: x}", "mail")):
        before = module_world.lab.config.read_text()
        with pytest.raises(Exception, match=words):
            module_world.edit(lambda text, line=line: text + "\n" + line + "\n")
        module_world.edit(lambda _, before=before: before)
    assert gw(module_world, "alice", "whoami").code == 0
    assert pathlib.Path(module_world.env["STATE_DIR"]).exists()
