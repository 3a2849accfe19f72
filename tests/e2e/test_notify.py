"""Notifications: a command that gets JSON, a webhook that is posted to; on created, decided, expiring, break-glass; and what they never do: hold up."""
import contextlib
import http.server
import json
import os
import pathlib
import re
import signal
import ssl
import threading
import time

import pytest
from approvals import end, gw, held, rule, vote
from lablib import idp
from test_crash import kill_everything
from world import until

SCRIPT = """#!/bin/sh
# one file for each notification
file=$(mktemp %(folder)s/new.XXXXXX) && cat > "$file" && { id; env; pwd; tr '\\0' '\\n' < /proc/self/status | grep -E 'NoNewPrivs|CapEff'; ls -l /proc/$$/fd; } > "$file.env" && mv "$file" "$file.json"
echo heard >&2
%(more)s
"""


class Hook:
    """A webhook's server; answers[] are the status codes to give, 200 when it is empty. tls: certificate and key."""

    def __init__(self, tls=None):
        self.posts, self.answers = [], []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.posts.append((dict(self.headers, **{"X-Path": self.path}), json.loads(body), time.monotonic()))
                self.send_response(hook.answers.pop(0) if hook.answers else 200)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.scheme = "https" if tls else "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self):
        return "%s://127.0.0.1:%d/hook" % (self.scheme, self.server.server_port)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def events(self, event):
        return [body for _, body, _ in self.posts if body["event"] == event]


@pytest.fixture
def hook():
    hook = Hook()
    yield hook
    hook.close()


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
    assert "socket:" not in about and "anon_inode" not in about  # nothing of the gateway's
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


def test_webhook_tls(own_world):
    """A company's own authority: only it counts, and only for the right name; without it the system's do."""
    world = own_world()
    folder = world.dir / "hook"
    folder.mkdir()
    idp.authority(folder, "ca")
    idp.authority(folder, "other")
    for name, ca, san in (("right", "ca", "IP:127.0.0.1"), ("name", "ca", "DNS:chat.example.com"), ("foreign", "other", "IP:127.0.0.1")):
        idp.certificate(folder, name, ca=ca, san=san)
    before = world.lab.config.read_text()
    wrong = "is not signed by a trusted authority"
    for name, authority, words in (("right", "ca_file: %s" % (folder / "ca.pem"), None), ("right", "ca_file: null", wrong), ("foreign", "ca_file: %s" % (folder / "ca.pem"), wrong),
                                   ("name", "ca_file: %s" % (folder / "ca.pem"), "is for another name")):
        with contextlib.closing(Hook((folder / (name + ".pem"), folder / (name + ".key")))) as hook:
            begun = len(world.lab.log())
            world.edit(lambda _, hook=hook, authority=authority: before + "\nnotify: {webhook: \"%s\", %s}\n" % (hook.url(), authority))
            child, id = held(world, "alice", "db1", "echo in")
            if words:
                until(lambda begun=begun, words=words: words in world.lab.log()[begun:], 10, words)
                assert not hook.posts
            else:
                until(lambda hook=hook: hook.events("created"), 10)
            vote(world, id)
            end(child)
            gw(world, "bob", "requests revoke %s" % id)
    with pytest.raises(Exception, match="holds no certificate"):
        world.edit(lambda _: before + "\nnotify: {webhook: \"https://127.0.0.1:1/\", ca_file: %s}\n" % (folder / "ca.key"))


def test_webhook_redirect(own_world, hook):
    """What was written is posted there and nowhere else."""
    world = own_world(lambda text: text + "\nnotify: {webhook: \"%s\"}\n" % hook.url())
    hook.answers = [302]
    child, id = held(world, "alice", "db1", "echo in")
    until(lambda: len(hook.events("created")) == 2, 15, "the second try")
    assert [sent["X-Path"] for sent, _, _ in hook.posts] == ["/hook"] * 2
    assert "redirect refused" in world.lab.log()
    vote(world, id)
    end(child)


def test_what_waits_survives(own_world, hook):
    """A reload to another address, and a dead egress process, lose nothing: it is posted where the configuration says by then."""
    world = own_world(lambda text: text + "\nnotify: {webhook: \"http://127.0.0.1:1/\"}\n")
    child, id = held(world, "alice", "db1", "echo in")
    until(lambda: "tried again" in world.lab.log(), 10)
    world.edit(lambda text: text.replace("http://127.0.0.1:1/", hook.url()))
    assert until(lambda: hook.events("created"), 15)[0]["id"] == id
    os.kill(world.role("egress"), signal.SIGKILL)
    gw(world, "bob", "deny %s --reason 'not now'" % id)
    assert end(child).code == 77
    decided = until(lambda: hook.events("decided"), 30)[0]
    assert decided["state"] == "denied" and decided["decided_by"] == "bob" and decided["note"] == "not now"


def test_ended_while_nothing_ran(own_world, hook):
    """What ended while the gateway was down is told at its next start, by both ways."""
    world = own_world()
    path, folder = command(world)
    world.edit(lambda text: text + "\nnotify: {webhook: \"%s\", command: [%s]}\n" % (hook.url(), path))
    rule(world, "by: lead, expires: 2s, wait_without_terminal: 0s")
    world.ssh("alice", "db1", "true")
    id = until(lambda: hook.events("created"), 10)[0]["id"]
    begun = time.monotonic()
    kill_everything(world)
    until(lambda: time.monotonic() > begun + 2.2, 10)
    world.lab.start_gateway()
    for told in (until(lambda: hook.events("decided"), 15)[0], until(lambda: heard(folder, "decided"), 15)[0]):
        assert told["id"] == id and told["state"] == "expired"


def test_every_end(own_world, hook):
    """Cancelled, expired, revoked, used up by the policy's change: every end is told, once."""
    world = own_world(lambda text: text + "\nnotify: {webhook: \"%s\"}\n" % hook.url())
    rule(world, "by: lead, expires: 1s, wait_without_terminal: 0s")
    world.ssh("alice", "db1", "true")
    assert until(lambda: hook.events("decided"), 10)[0]["state"] == "expired"
    rule(world, "by: lead, wait_without_terminal: 0s")
    world.ssh("alice", "db1", "true")
    gw(world, "alice", "cancel %s --reason enough" % until(lambda: hook.events("created")[1:], 10)[0]["id"])
    assert until(lambda: hook.events("decided")[1:], 10)[0]["state"] == "cancelled"
    world.ssh("alice", "db1", "true")
    id = until(lambda: hook.events("created")[2:], 10)[0]["id"]
    vote(world, id)
    gw(world, "bob", "requests revoke %s --reason 'wrong host'" % id)
    until(lambda: hook.events("decided")[3:], 10)
    assert [body["state"] for body in hook.events("decided")] == ["expired", "cancelled", "approved", "revoked"]
    assert "wrong host" == hook.events("decided")[3]["note"] and "revoked by bob (wrong host): alice, any exec on db1" in hook.events("decided")[3]["text"]


def test_break_glass(own_world, hook):
    """Loud: who, where, what, why, and which review stays open."""
    world = own_world()
    world.edit(lambda text: text.replace("rules:\n", "rules:\n  - {name: glass, allow: [exec], roles: [sre], targets: [web1], break_glass: true}\n", 1)
               + "\nnotify: {webhook: \"%s\"}\n" % hook.url())
    gw(world, "alice", "break-glass web1 --reason 'site \x1b[31mdown'")
    assert world.ssh("alice", "web1", "echo in").out == "in\n"
    told = until(lambda: hook.events("break-glass"), 10)[0]
    assert told["user"] == "alice" and told["target"] == "web1" and told["command"] == "echo in" and told["rule"] == "glass"
    assert told["reason"] == "site \\x1b[31mdown" and told["review"] and "alice" in told["text"] and "\x1b" not in told["text"]
    assert told["review"] in gw(world, "carol", "reviews").out


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
