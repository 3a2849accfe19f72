"""bartizan login, logout and login --status: a laptop against the lab's provider; tests play the browser."""
import base64
import contextlib
import hashlib
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

import pexpect
import pytest

from lablib.lab import program
from lablib.process import listening
from world import SLOW, run, until

PATIENCE = 60 * SLOW
URL = re.compile(r"^  (https://\S+)", re.M)
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("BARTIZAN_", "XDG_", "SSH_")) and key not in ("DISPLAY", "WAYLAND_DISPLAY", "NO_COLOR")}


class Laptop:
    """Somebody's machine: a client.yaml, an ssh-agent, and perhaps an xdg-open."""

    def __init__(self, world, folder):
        self.world, self.folder = world, folder
        self.env = dict(CLEAN, XDG_CONFIG_HOME=str(folder / "config"), XDG_RUNTIME_DIR=str(folder / "run"), HOME=str(folder))
        (folder / "config/bartizan").mkdir(parents=True)
        (folder / "run").mkdir(mode=0o700)
        self.ssh_config = folder / "ssh_config"
        self.ssh_config.write_text("Host *\n\tStrictHostKeyChecking yes\n\tUserKnownHostsFile %s/known_hosts\n\tGlobalKnownHostsFile /dev/null\n"
                                   "Host gw web1 db1\n\tControlPath none\nHost gw\n\tHostName 127.0.0.1\n\tPort %d\n\tHostKeyAlias gw\n\tUser alice\nHost web1 db1\n\tProxyJump gw\n\tUser %s\n"
                                   % (world.dir, world.port(), world.env["LOGIN"]))
        self.configure()

    def configure(self, **changed):
        keys = {"gateway": "gw", "issuer": "https://127.0.0.1:%s" % self.world.env["IDP_PORT"], "client_id": "bartizan", "ca_file": str(self.world.dir / "idp/ca.pem"),
                "scopes": ["openid", "email", "profile", "groups"], "ssh_config": str(self.ssh_config), **changed}
        (self.folder / "config/bartizan/client.yaml").write_text(json.dumps({key: value for key, value in keys.items() if value is not None}))

    def start_agent(self):
        path = self.folder / "agent"
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: listening(path), what="ssh-agent")
        self.env["SSH_AUTH_SOCK"] = str(path)
        return agent

    def give_browser(self, name, *options):
        """An xdg-open that logs in as NAME, and remembers what it was started with."""
        (self.folder / "bin").mkdir()
        script = self.folder / "bin/xdg-open"
        script.write_text('#!/bin/sh\necho "$@" >> %s/opened\nexec %s/login %s %s "$1" > %s/page 2>&1\n' % (self.folder, self.world.dir, " ".join(options), name, self.folder))
        script.chmod(0o755)
        self.env.update(DISPLAY=":0", PATH="%s/bin:%s" % (self.folder, os.environ["PATH"]))

    def bartizan(self, *words, **options):
        done = run([program("bartizan"), *words], env=self.env, timeout=PATIENCE, **options)
        assert "Sanitizer" not in done.err, done.err
        return done

    def begin(self, *words):
        """`bartizan login` in the background, and the address that it shows."""
        child = subprocess.Popen([program("bartizan"), "login", *map(str, words)], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        text = ""
        while not URL.search(text):
            line = child.stderr.readline()
            assert line, (child.wait(), text)
            text += line
        return child, URL.search(text).group(1)

    def visit(self, name, url, *options):
        return run([self.world.dir / "login", *options, name, url], timeout=PATIENCE)

    def logins(self):
        done = self.bartizan("login", "--status", "--json")
        assert done.code == 0, done
        return json.loads(done.out)

    def keys(self):
        done = run(["ssh-add", "-L"], env=self.env)
        return [line for line in done.out.splitlines() if line.startswith(("ssh-", "ecdsa-"))]

    def ssh(self, *words, options=()):
        return run(["ssh", "-F", self.ssh_config, "-o", "BatchMode=yes", *[word for option in options for word in ("-o", option)], *words], env=self.env)

    def left_behind(self):
        return [path for path in (self.folder / "run").iterdir()]


@pytest.fixture
def laptop(world, tmp_path):
    made = Laptop(world, tmp_path)
    agent = made.start_agent()
    yield made
    agent.terminate()
    agent.wait()


def parts_of(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))


def get(url):
    """Status of a bare request; redirects are not followed."""
    at = urllib.parse.urlsplit(url)
    return raw(at.port, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % (at.path + ("?" + at.query if at.query else "")))


def raw(port, text):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as it:
        it.sendall(text.encode())
        it.shutdown(socket.SHUT_WR)
        got = b"".join(iter(lambda: it.recv(65536), b""))
    return got.decode()


def finish(child):
    out, err = child.communicate(timeout=PATIENCE)
    assert "Sanitizer" not in err, err
    return child.returncode, out, err


# ---- the browser ----

def test_browser_agent_ssh_logout(laptop, world):
    laptop.give_browser("alice")
    done = laptop.bartizan("login", stdin=b"")
    assert done.code == 0 and re.fullmatch(r"logged in at gw as alice for (10|9) hours.*; key and certificate are in ssh-agent\n", done.out), done
    (row,) = laptop.logins()
    assert (row["gateway"], row["user"], row["state"]) == ("gw", "alice", "valid")
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/login\n", (laptop.folder / "opened").read_text())  # nothing secret in its arguments
    assert "was passed to bartizan" in until(lambda: (laptop.folder / "page").read_text(), what="the browser's last page")
    assert laptop.left_behind() == []
    assert laptop.ssh("web1", "echo $((40+2))").out == "42\n"
    who = json.loads(laptop.ssh("gw", "whoami", "--json").out)[0]
    assert who["user"] == "alice" and who["provider"] == "corp" and str(row["serial"]) == str(who["serial"])

    again = laptop.bartizan("login", stdin=b"")
    assert again.code == 0, again
    (new,) = laptop.logins()  # the old one was removed
    assert new["serial"] != row["serial"] and new["key"] != row["key"]

    cert = next(line for line in laptop.keys() if "-cert-" in line)
    gone = laptop.bartizan("logout")
    assert (gone.code, gone.out) == (0, "logged out of gw\n"), gone
    assert laptop.keys() == [] and laptop.logins() == []
    assert laptop.ssh("web1", "true").code == 255
    assert world.event("logout", user="alice", key=new["key"]), cert
    assert laptop.bartizan("logout").out == "not logged in at gw\n"


def test_other_keys_in_the_agent_stay(laptop):
    foreign = laptop.folder / "foreign"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mine@home", "-f", str(foreign)], check=True)
    other = laptop.folder / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bartizan alice@elsewhere:2222", "-f", str(other)], check=True)
    subprocess.run(["ssh-add", "-q", str(foreign), str(other)], env=laptop.env, check=True)
    laptop.give_browser("alice")
    for _ in range(2):
        assert laptop.bartizan("login", stdin=b"").code == 0
        assert len(laptop.keys()) == 4 and any("mine@home" in line for line in laptop.keys()) and any("elsewhere" in line for line in laptop.keys())
    assert laptop.bartizan("logout").code == 0
    assert len(laptop.keys()) == 2


def test_agent_forgets_with_the_certificate(laptop):
    laptop.give_browser("alice")
    traced = laptop.folder / "bin/ssh-add"
    traced.write_text('#!/bin/sh\necho "$@" > %s/added\nls -l "$(dirname "$4")" | tail -n +2 > %s/files\nexec /usr/bin/ssh-add "$@"\n' % (laptop.folder, laptop.folder))
    traced.chmod(0o755)
    assert laptop.bartizan("login", stdin=b"").code == 0
    seconds = int(re.search(r"-t (\d+)", (laptop.folder / "added").read_text()).group(1))
    assert 9.9 * 3600 < seconds <= 10 * 3600
    assert all(line.startswith("-rw-------") for line in (laptop.folder / "files").read_text().splitlines())


def test_out_files(laptop, world):
    laptop.give_browser("bob")
    del laptop.env["SSH_AUTH_SOCK"]
    out = laptop.folder / "work"
    for _ in range(2):  # the second replaces the first
        done = laptop.bartizan("login", "--out", out, stdin=b"")
        assert done.code == 0 and "%s-cert.pub" % out in done.out, done
        for path in (out, pathlib.Path("%s-cert.pub" % out)):
            assert path.stat().st_mode & 0o777 == 0o600
    done = run(["ssh", "-F", laptop.ssh_config, "-o", "BatchMode=yes", "-i", out, "gw", "whoami", "--json"], env=laptop.env)
    assert json.loads(done.out)[0]["user"] == "bob", done
    assert sorted(path.name for path in laptop.folder.glob("work*")) == ["work", "work-cert.pub"] and laptop.left_behind() == []


@pytest.mark.parametrize("name", ["id", "id-cert.pub"])
def test_out_never_overwrites_others_keys(laptop, name):
    (laptop.folder / name).write_text("ssh-ed25519 AAAA mine\n")
    done = laptop.bartizan("login", "--out", laptop.folder / "id")
    assert done.code == 1 and "stays as it is" in done.err
    assert (laptop.folder / name).read_text() == "ssh-ed25519 AAAA mine\n"


def test_no_place_for_the_key(laptop):
    del laptop.env["SSH_AUTH_SOCK"]
    done = laptop.bartizan("login")
    assert done.code == 1 and "ssh-agent" in done.err and "--out FILE" in done.err
    assert laptop.bartizan("login", "--status").code == 1


def test_status_of_a_laptop(laptop, world):
    """`bartizan status` is about the gateway of this machine; where there is none, about the agent."""
    if any(pathlib.Path(path).exists() for path in ("/etc/bartizan", "/run/bartizan")):
        pytest.skip("a gateway is installed here")
    laptop.give_browser("alice")
    assert laptop.bartizan("status").out == "not logged in; run: bartizan login\n"
    assert laptop.bartizan("login", stdin=b"").code == 0
    done = laptop.bartizan("status", "--json")
    assert done.code == 0 and json.loads(done.out) == laptop.logins() and json.loads(done.out)[0]["user"] == "alice", done
    assert laptop.bartizan("status", "--wrong").code == 2
    gateway = laptop.bartizan("status", "--json", "--socket", world.env["CONTROL_SOCKET"])
    assert gateway.code == 0 and json.loads(gateway.out)[0]["state_dir"] == world.env["STATE_DIR"], gateway
    assert laptop.bartizan("status", "--socket", laptop.folder / "none").code == 69


# ---- strangers on the port ----

def test_stray_hits_are_ignored(laptop):
    child, url = laptop.begin()
    asked = parts_of(url)
    assert asked["code_challenge_method"] == "S256" and asked["response_type"] == "code" and asked["scope"].split()[0] == "openid"
    callback, port = asked["redirect_uri"], urllib.parse.urlsplit(asked["redirect_uri"]).port
    assert callback == "http://127.0.0.1:%d/callback" % port
    for stray in ("/", "/favicon.ico", "/callback", "/callback?", "/callback?code=x", "/callback?code=x&state=wrong", "/callback?error=access_denied",
                  "/callback?error=access_denied&state=", "/callback?code=x&state=" + asked["state"][:-1], "/callbackx?code=x&state=" + asked["state"], "/" + "a" * 9000):
        assert get("http://127.0.0.1:%d%s" % (port, stray)).startswith("HTTP/1.1 404 "), stray
    for text in ("POST /callback?code=x&state=%s HTTP/1.1\r\n\r\n" % asked["state"], "GET /callback?code=x&state=%s\r\n\r\n" % asked["state"], "\r\n\r\n", "GET\r\n\r\n"):
        assert raw(port, text).startswith("HTTP/1.1 404 "), text
    assert raw(port, "no end") == ""
    with contextlib.suppress(OSError):
        assert raw(port, "GET / HTTP/1.1\r\n" + "X: y\r\n" * 20000) == ""
    assert child.poll() is None
    with socket.create_connection(("127.0.0.1", port)):  # says nothing, and holds nothing up for long
        assert laptop.visit("alice", url).code == 0
    code, out, err = finish(child)
    assert code == 0 and "as alice" in out, (out, err)


def test_nonce_is_of_the_new_key(laptop):
    """The certificate's key stands in the question to the provider, hashed: its token is good for no other key."""
    child, url = laptop.begin()
    assert laptop.visit("alice", url).code == 0
    assert finish(child)[0] == 0
    (plain,) = (line for line in laptop.keys() if "-cert-" not in line)
    digest = hashlib.sha256(b"bartizan-login-v1\0" + base64.b64decode(plain.split()[1])).digest()
    assert parts_of(url)["nonce"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_callback_port(laptop):
    """For providers that compare the redirect URI's port as well."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        port = busy.getsockname()[1]
        busy.listen()
        done = laptop.bartizan("login", "--callback-port", str(port))
        assert done.code == 1 and "port %d on 127.0.0.1: Address already in use" % port in done.err, done
    laptop.configure(callback_port=port)
    for _ in range(2):  # at once again
        child, url = laptop.begin()
        assert parts_of(url)["redirect_uri"] == "http://127.0.0.1:%d/callback" % port
        assert laptop.visit("alice", url).code == 0
        assert finish(child)[0] == 0
    for wrong in ("0", "65536", "x"):
        assert laptop.bartizan("login", "--callback-port", wrong).code == 2
        laptop.configure(callback_port=wrong)
        assert laptop.bartizan("login").code == 2


def test_start_page_sends_one_on(laptop):
    child, url = laptop.begin()
    port = urllib.parse.urlsplit(parts_of(url)["redirect_uri"]).port
    first = get("http://127.0.0.1:%d/login" % port)
    assert first.startswith("HTTP/1.1 302 ") and "\r\nLocation: %s\r\n" % url in first
    assert get("http://127.0.0.1:%d/login" % port).startswith("HTTP/1.1 404 ")
    child.terminate()
    finish(child)


def test_refused_in_the_browser(laptop):
    child, url = laptop.begin()
    laptop.visit("alice", url, "--deny")
    code, out, err = finish(child)
    assert code == 1 and out == "" and "the provider refused: access_denied" in err, err
    assert laptop.keys() == []


def test_wrong_code(laptop):
    child, url = laptop.begin()
    asked = parts_of(url)
    answer = get("%s?%s" % (asked["redirect_uri"], urllib.parse.urlencode({"code": "nonsense", "state": asked["state"], "iss": url.split("/auth")[0]})))
    assert answer.startswith("HTTP/1.1 200 ")
    code, _, err = finish(child)
    assert code == 1 and "the provider refused the code: invalid_grant" in err, err


def test_another_issuer_in_the_answer(laptop):
    child, url = laptop.begin()
    asked = parts_of(url)
    answer = get("%s?%s" % (asked["redirect_uri"], urllib.parse.urlencode({"code": "x", "state": asked["state"], "iss": "https://evil.example"})))
    assert answer.startswith("HTTP/1.1 400 ")
    code, _, err = finish(child)
    assert code == 1 and "another issuer" in err, err


def test_nobody_comes(laptop):
    child, url = laptop.begin("--wait", "1s")
    code, out, err = finish(child)
    assert code == 1 and "nobody has logged in within 1 second" in err and laptop.keys() == []
    with pytest.raises(OSError):
        get(parts_of(url)["redirect_uri"])
    assert laptop.bartizan("login", "--wait", "301s").code == 2


# ---- no browser here ----

def test_paste_back(laptop, world):
    child = pexpect.spawn(program("bartizan"), ["login", "--no-browser"], env=laptop.env, timeout=PATIENCE, encoding="utf-8", dimensions=(24, 2000))
    child.expect(r"\r\n  (https://\S+)\r\n")
    url = child.match.group(1)
    child.expect("paste that address here")
    child.sendline("hello")
    child.expect("That is not the address where this login ends; it begins with http://127.0.0.1:")
    asked = parts_of(url)
    child.sendline("http://127.0.0.1:1/callback?code=x&state=wrong")
    child.expect("That is not the address")
    child.sendline(answer_of(laptop, "alice", url))
    child.expect("logged in at gw as alice")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def answer_of(laptop, name, url):
    """The address where a browser on another machine ends: it cannot show it."""
    done = run(["/usr/bin/python3", "-c", ELSEWHERE, laptop.world.dir / "login", name, url, laptop.world.dir / "idp/ca.pem"], timeout=PATIENCE)
    assert done.out.startswith("http://127.0.0.1:"), done
    return done.out.strip()


ELSEWHERE = """
import importlib.machinery, importlib.util, sys, urllib.request
loader = importlib.machinery.SourceFileLoader("login", sys.argv[1])
login = importlib.util.module_from_spec(importlib.util.spec_from_loader("login", loader))
sys.dont_write_bytecode = True
loader.exec_module(login)

class Ends(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, fp, code, msg, headers, new):
        if new.startswith("http://127.0.0.1:"):
            print(new)
            sys.exit(0)
        return super().redirect_request(request, fp, code, msg, headers, new)

browser = login.Browser(sys.argv[4])
browser.opener = urllib.request.build_opener(Ends, *[handler for handler in browser.opener.handlers if not isinstance(handler, urllib.request.HTTPRedirectHandler)])
login.visit(browser, sys.argv[3], sys.argv[2], code=None, deny=False)
"""


def test_device(laptop):
    child = subprocess.Popen([program("bartizan"), "login", "--device"], env=laptop.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    text = child.stderr.readline() + child.stderr.readline() + child.stderr.readline()
    link = re.search(r"or open (\S+)", text)
    assert re.search(r"enter the code [A-Z]{4}-[A-Z]{4}\n", text) and link, text
    assert laptop.visit("alice", link.group(1)).code == 0
    code, out, err = finish(child)
    assert code == 0 and "as alice" in out, (out, err)
    assert laptop.ssh("web1", "true").code == 0


def test_device_denied(laptop):
    child = subprocess.Popen([program("bartizan"), "login", "--device"], env=laptop.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    text = child.stderr.readline() + child.stderr.readline() + child.stderr.readline()
    laptop.visit("alice", re.search(r"or open (\S+)", text).group(1), "--deny")
    code, out, err = finish(child)
    assert code == 1 and "the login was denied" in err and laptop.keys() == []


# ---- who it is ----

def test_another_user_than_asked(laptop):
    laptop.configure(user="alice")
    laptop.give_browser("bob")
    done = laptop.bartizan("login", stdin=b"")
    assert done.code == 1 and "'bob' has logged in, but it should have been 'alice'" in done.err
    assert laptop.keys() == [] and laptop.left_behind() == []


def test_interrupted_while_ssh_runs(laptop):
    laptop.give_browser("alice")
    slow = laptop.folder / "bin/ssh"
    slow.write_text("#!/bin/sh\necho $$ > %s/ssh.new; mv %s/ssh.new %s/ssh.pid; exec sleep 600\n" % ((laptop.folder,) * 3))
    slow.chmod(0o755)
    child = subprocess.Popen([program("bartizan"), "login"], env=laptop.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until((laptop.folder / "ssh.pid").exists, 20, "ssh")
    (folder,) = laptop.left_behind()
    assert folder.stat().st_mode & 0o777 == 0o700 and [path.name for path in folder.iterdir()] == ["key"]
    assert (folder / "key").stat().st_mode & 0o777 == 0o600
    words = pathlib.Path("/proc/%s/cmdline" % (laptop.folder / "ssh.pid").read_text().strip())
    child.send_signal(signal.SIGINT)
    code, _, _ = finish(child)
    assert code == -signal.SIGINT and laptop.left_behind() == []
    until(lambda: not words.exists() or not words.read_bytes(), what="the end of ssh")


def test_nothing_secret_in_arguments(laptop):
    laptop.give_browser("alice")
    traced = laptop.folder / "bin/ssh"
    traced.write_text('#!/bin/sh\n(echo "$@"; env) > %s/seen\ntee %s/token | /usr/bin/ssh "$@"\n' % (laptop.folder, laptop.folder))
    traced.chmod(0o755)
    done = laptop.bartizan("login", stdin=b"")
    assert done.code == 0, done
    token, seen = (laptop.folder / "token").read_text(), (laptop.folder / "seen").read_text()
    assert token.count(".") == 2 and token.endswith("\n")
    assert token.split(".")[1] not in seen and "PRIVATE" not in seen and "login --token" in seen


@pytest.mark.parametrize("answer", ["", "nonsense\n", "ssh-ed25519 AAAA\n", "{pub}", "{cert}", "{cert}{cert}"])
def test_gateway_s_answer_is_checked(laptop, world, answer):
    laptop.give_browser("alice")
    people = world.dir / "people/alice"
    text = answer.replace("{pub}", (people / "id.pub").read_text()).replace("{cert}", (people / "id-cert.pub").read_text())
    (laptop.folder / "answer").write_text(text)
    fake = laptop.folder / "bin/ssh"
    fake.write_text("#!/bin/sh\ncat > /dev/null; cat %s/answer\n" % laptop.folder)
    fake.chmod(0o755)
    done = laptop.bartizan("login", stdin=b"")
    assert done.code == 1 and "certificate" in done.err, done
    assert laptop.keys() == [] and laptop.left_behind() == []


# ---- the gateway's side of the exchange ----

def exchange(laptop, token, key=None):
    key = key or laptop.folder / "exchange"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return run(["ssh", "-F", laptop.ssh_config, "-o", "BatchMode=yes", "-o", "IdentityAgent=none", "-o", "IdentitiesOnly=yes", "-i", key, "token@gw", "login", "--token"],
               stdin=token.encode(), env=laptop.env)


def person(world, **claims):
    return world.lab.idp("token", claims={"sub": "id-alice", "preferred_username": "alice", "groups": ["sre"], **claims})["token"]


def test_a_persons_token_counts_for_ten_minutes(laptop, world):
    """One that was dated back by five, as Entra ID does, is still good."""
    now = int(time.time())
    assert exchange(laptop, person(world)).out.startswith("ssh-ed25519-cert-v01@openssh.com ")
    assert exchange(laptop, person(world, iat=now - 300)).code == 0
    assert exchange(laptop, person(world, iat=now - 540)).code == 0
    done = exchange(laptop, person(world, iat=now - 601))
    assert done.code == 77 and "token was issued 10 minutes ago: a person's token is valid for 10 minutes only" in done.err, done
    assert world.event("login-refused", reason="a person's token is valid for")
    done = exchange(laptop, person(world, iat=now - 3600, auth_time=now, exp=now + 600))
    assert done.code == 77 and "1 hour ago" in done.err, done


def test_a_token_that_comes_early(laptop):
    """Input may be there before the gateway has taken up the command: none of it is lost."""
    for _ in range(12):
        done = exchange(laptop, "x")  # without an end of line: EOF ends it
        assert done.code == 77 and "the token was not accepted" in done.err, done


@pytest.mark.parametrize("claims, words", [({"aud": "other"}, "audience is 'other'"), ({"iss": "https://evil.example"}, "no provider here has the issuer"),
                                           ({"preferred_username": None}, "preferred_username")])
def test_tokens_that_are_not_for_us(laptop, world, claims, words):
    done = exchange(laptop, person(world, **claims))
    assert done.code == 77 and done.out == "" and words in done.err, done


def test_who_exchanges_may_nothing_else(laptop, world):
    exchange(laptop, "x")
    for words in (["token@gw", "whoami"], ["token@gw", "targets"], ["-J", "token@gw", "web1", "true"]):
        done = run(["ssh", "-F", laptop.ssh_config, "-o", "BatchMode=yes", "-o", "IdentityAgent=none", "-i", laptop.folder / "exchange", *words], env=laptop.env)
        assert done.code != 0 and done.out == "", done


# ---- a hostile provider ----

class Liar(http.server.BaseHTTPRequestHandler):
    """Sends everybody back with a code, and gives the token that the test wants, signed with the lab's keys."""

    def log_message(self, *_):
        pass

    def reply(self, status, body, **headers):
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        me, (path, _, query) = self.server.issuer, self.path.partition("?")
        if path == "/.well-known/openid-configuration":
            self.reply(200, {"issuer": me, "authorization_endpoint": me + "/auth", "token_endpoint": me + "/token", "jwks_uri": self.server.keys,
                             "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"], **self.server.document})
        else:
            self.server.asked = asked = dict(urllib.parse.parse_qsl(query))
            self.reply(302, b"", Location="%s?%s" % (asked["redirect_uri"], urllib.parse.urlencode({"code": "c", "state": asked["state"]})))

    def do_POST(self):
        self.server.form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        status, body = self.server.token(self.server)
        self.reply(status, body)


@pytest.fixture
def liar(laptop, world):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.dir / "idp/tls.pem", world.dir / "idp/tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.issuer = "https://127.0.0.1:%d" % server.server_address[1]
    server.keys = "https://127.0.0.1:%s/jwks" % world.env["IDP_PORT"]
    server.document = {}
    server.claims = lambda at: {"nonce": at.asked["nonce"]}
    server.token = lambda at: (200, {"id_token": person(world, iss=at.issuer, **at.claims(at)), "token_type": "Bearer"})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    laptop.configure(issuer=server.issuer)
    yield server
    server.shutdown()
    server.server_close()


def try_liar(laptop):
    child, url = laptop.begin()
    laptop.visit("alice", url)
    code, out, err = finish(child)
    assert code == 1 and out == "" and laptop.keys() == [] and laptop.left_behind() == []
    return err


def test_liar_is_good_by_itself(laptop, liar):
    err = try_liar(laptop)  # the laptop takes its token; the gateway does not know it
    assert "no provider here has the issuer" in err and liar.form["code_verifier"] and liar.form["redirect_uri"] == liar.asked["redirect_uri"]


@pytest.mark.parametrize("claims, words", [
    ({"nonce": "wrong"}, "nonce"), ({"nonce": None}, "nonce"), ({"aud": "other"}, "audience"), ({"exp": 1000}, "expired"),
])
def test_bad_tokens_never_leave_the_laptop(laptop, liar, claims, words):
    liar.claims = lambda at: {"nonce": at.asked["nonce"], **claims}
    err = try_liar(laptop)
    assert "the provider's ID token: " in err and words in err and "ssh" not in err, err


@pytest.mark.parametrize("answer, words", [
    ((200, {}), "no ID token"), ((200, {"id_token": 5}), "no ID token"), ((200, {"id_token": "a" * 20000}), "larger than"), ((200, b"{"), "not valid JSON"),
    ((500, b"\x1b[2Jboo"), "HTTP 500"), ((400, {"error": "bad\x1b[2J", "error_description": "w\u202eords"}), "bad\\x1b[2J"), ((302, {}), "redirect refused"),
])
def test_bad_answers_of_the_token_endpoint(laptop, liar, answer, words):
    liar.token = lambda at: answer
    err = try_liar(laptop)
    assert words in err and "\x1b" not in err and "\u202e" not in err, err


def test_providers_that_cannot(laptop, liar):
    assert "no logins by code" in laptop.bartizan("login", "--device").err
    liar.document = {"code_challenge_methods_supported": ["plain"]}
    assert "PKCE with S256" in laptop.bartizan("login").err
    liar.document = {"issuer": "https://other.example"}
    assert "calls itself 'https://other.example'" in laptop.bartizan("login").err
    laptop.configure(issuer=liar.issuer, ca_file=None)
    assert "not signed by a trusted authority" in laptop.bartizan("login").err


# ---- questions that cannot be asked ----

def test_client_configuration(laptop, tmp_path):
    path = laptop.folder / "config/bartizan/client.yaml"
    for text, words in (("{gateway: gw", "client.yaml"), ("gatewey: gw\n", "gateway"), ("[a]\n", "expected a map"), ("gateway: -oProxyCommand=x\n", "is not a gateway"),
                        ("gateway: gw\nport: 0\n", "0 is not between"), ("gateway: gw\nissuer: http://idp.example\nclient_id: x\n", "issuer"), ("gateway: gw\nuser: a b\n", "is not a user name"),
                        ("gateway: gw\nissuer: https://idp.example\n", "client_id"), ("gateway: gw\nca_file: none.pem\n", str(path.parent / "none.pem")), ("", "the text is empty"), ("{}", "gateway is not known")):
        path.write_text(text)
        done = laptop.bartizan("login")
        assert done.code == 2 and words in done.err, (text, done)
    (laptop.folder / "pem").write_text("nothing")
    path.write_text("gateway: gw\nca_file: ../../pem\n")
    assert "no certificate in PEM" in laptop.bartizan("login").err
    path.unlink()
    assert "gateway is not known" in laptop.bartizan("login").err
    assert "none.yaml" in laptop.bartizan("login", "--client-config", laptop.folder / "none.yaml").err
    assert laptop.bartizan("login", "--json").code == 2 and laptop.bartizan("login", "word").code == 2


def test_unknown_host_key_is_not_accepted(laptop):
    laptop.ssh_config.write_text(laptop.ssh_config.read_text().replace("HostKeyAlias gw", "HostKeyAlias stranger"))
    laptop.give_browser("alice")
    done = laptop.bartizan("login", stdin=b"")
    assert done.code == 1 and "the gateway 'gw' sent no certificate" in done.err and laptop.keys() == []


def test_logout_without_a_gateway(laptop):
    laptop.give_browser("alice")
    assert laptop.bartizan("login", stdin=b"").code == 0
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        laptop.ssh_config.write_text(re.sub(r"Port \d+", "Port %d" % unused.getsockname()[1], laptop.ssh_config.read_text()))
        done = laptop.bartizan("logout")
    assert done.code == 1 and done.out == "" and "could not be told" in done.err and laptop.keys() == []


def test_name_with_an_at(own_world, tmp_path):
    """`user: email`: the name of a person is not LOGIN@TARGET; `bartizan logout` reaches the gateway, and a command that failed is not 0."""
    world = own_world(lambda text: text.replace("user: preferred_username", "user: email", 1))
    laptop = Laptop(world, tmp_path)
    agent = laptop.start_agent()
    try:
        laptop.give_browser("alice")
        assert laptop.bartizan("login", stdin=b"").code == 0
        for user in ("alice@example.com", "somebody@corp.example.com", "token"):
            done = laptop.ssh("gw", "whoami", "--json", options=("User %s" % user,))
            assert done.code == 0 and json.loads(done.out)[0]["user"] == "alice@example.com", done
        assert laptop.ssh("gw", "true", options=("User %s@web1" % world.env["LOGIN"],)).code == 0  # a target is one
        for words in (("uptime",), ()):
            typo = laptop.ssh("gw", *words, options=("User deploy@wbe1",))
            assert typo.code == 77 and "no target 'wbe1' (see: ssh gw targets)" in typo.err, typo
        assert world.event("access-denied", target="wbe1")
        assert "help" in laptop.ssh("gw", options=("User alice@example.com",)).out  # the person's own name: the gateway
        unknown = laptop.ssh("gw", "uptime", options=("User alice@example.com",))
        assert unknown.code == 2 and "unknown command 'uptime'" in unknown.err, unknown
        gone = laptop.bartizan("logout")
        assert (gone.code, gone.out, gone.err) == (0, "logged out of gw\n", ""), gone
        assert world.event("logout", user="alice@example.com")
    finally:
        agent.terminate()
        agent.wait()
