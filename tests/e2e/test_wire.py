"""What libssh would drop of the protocol, with plain sshd as the oracle: the same command, through the gateway and straight, has the same outcome."""
import importlib.util
import json
import re
import socket
import struct
import subprocess
import sys
import time

import pexpect
import pytest

from lablib.lab import ROOT
from person import Person, silent
from world import finish, run, until

LOST = "the connection to the target was lost"


class Straight:
    """ssh to a target's own sshd, past the gateway: the oracle."""

    def __init__(self, world, name="web1"):
        self.world, self.name = world, name
        self.key = world.dir / "people/oracle"
        if not self.key.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key])
            signed = run(["ssh-keygen", "-q", "-s", world.env["BACKEND_CA"], "-I", "oracle", "-n", world.env["LOGIN"], "-V", "-5m:+1d", self.key.with_suffix(".pub")])
            assert signed.code == 0, signed
        self.known = world.dir / ("known_hosts." + name)
        self.known.write_text("%s %s" % (name, (world.dir / "hosts" / (name + ".pub")).read_text()))

    def command(self, *words, options=()):
        world = self.world
        common = ["HostKeyAlias %s" % self.name, "UserKnownHostsFile %s" % self.known, "GlobalKnownHostsFile /dev/null", "IdentitiesOnly yes",
                  "IdentityAgent none", "BatchMode yes", "LogLevel INFO", *options]
        port = world.lab._sshd_port(self.name)
        return ["ssh", "-F", "none", "-i", str(self.key), "-p", str(port), *[word for option in common for word in ("-o", option)], *words]

    def ssh(self, *words, options=(), **more):
        return run([*self.command(*words[:-1], options=options), "%s@127.0.0.1" % self.world.env["LOGIN"], words[-1]], **more)


@pytest.fixture(params=["web1", "web1.direct", "straight"])
def way(request, world):
    """A function that gives the command of an ssh to web1; words before the host are options."""
    oracle = Straight(world)

    def command(*words, before=()):
        if request.param == "straight":
            return [*oracle.command(*before), "%s@127.0.0.1" % world.env["LOGIN"], *words]
        full = world.ssh_command("alice", request.param, *words)
        return [*full[:3], *before, *full[3:]]
    command.name = request.param
    return command


def shell_line(command):
    return " ".join("'%s'" % word.replace("'", "'\\''") for word in command)


# ---- the end of a reader ----

@pytest.mark.parametrize("remote, reader", [("yes", "head -1"), ("cat /dev/zero", "false")])
def test_reader_is_gone(world, way, remote, reader):
    """The remote command ends when nobody reads it any more (eow@openssh.com), and nothing of it stays at the target."""
    token = "TEST_GONE=%d" % time.monotonic_ns()
    done = run(["sh", "-c", "%s | %s" % (shell_line(way("env %s %s" % (token, remote))), reader)], timeout=20)
    assert done.out in ("y\n", ""), done
    assert done.seconds < 10, done


# ---- terminals ----

def terminal(command, change):
    """What `stty -a` says at the other end of an ssh that was started on a terminal with these settings."""
    line = "stty %s; exec %s" % (change, shell_line(command))
    child = pexpect.spawn("sh", ["-c", line], dimensions=(31, 97), timeout=30, encoding="utf-8")
    child.expect(pexpect.EOF)
    out = child.before
    child.close()
    return re.sub(r"\s+", " ", out.replace("Connection to 127.0.0.1 closed.", "").replace("Connection to web1 closed.", "")).strip()


@pytest.mark.parametrize("change", ["erase ^H", "-echo", "iutf8", "-iutf8", "intr ^X quit ^P -ixon", "9600", "cs7 parenb"])
def test_terminal_modes(world, change):
    straight = Straight(world)
    wanted = terminal([*straight.command("-tt"), "%s@127.0.0.1" % world.env["LOGIN"], "stty -a"], change)
    assert "31; columns 97" in wanted
    for host in ("web1", "web1.direct"):
        got = terminal(world.ssh_command("alice", "-tt", host, "stty -a"), change)
        assert got.partition("Connection")[0].strip() == wanted.partition("Connection")[0].strip(), (host, change)


def test_break(world, way):
    """~B on a terminal: sshd makes it a break of the terminal, which interrupts with brkint."""
    child = pexpect.spawn(way("stty brkint -ignbrk; trap 'echo inter''rupted; exit 7' INT; echo rea''dy; while :; do sleep 0.1; done", before=("-tt", "-e", "~"))[0],
                          way("stty brkint -ignbrk; trap 'echo inter''rupted; exit 7' INT; echo rea''dy; while :; do sleep 0.1; done", before=("-tt", "-e", "~"))[1:], timeout=30, encoding="utf-8")
    child.expect_exact("ready")
    child.send("\r~B")
    outcome = child.expect(["interrupted", pexpect.TIMEOUT], timeout=5)
    child.close(force=True)
    assert outcome == oracle_break(world), way.name


OUTCOMES = {}


def oracle_break(world):
    """What a pseudo terminal does with it is the kernel's affair: Linux' do nothing."""
    if "break" not in OUTCOMES:
        command = [*Straight(world).command("-tt", "-e", "~"), "%s@127.0.0.1" % world.env["LOGIN"],
                   "stty brkint -ignbrk; trap 'echo inter''rupted; exit 7' INT; echo rea''dy; while :; do sleep 0.1; done"]
        child = pexpect.spawn(command[0], command[1:], timeout=30, encoding="utf-8")
        child.expect_exact("ready")
        child.send("\r~B")
        OUTCOMES["break"] = child.expect(["interrupted", pexpect.TIMEOUT], timeout=5)
        child.close(force=True)
    return OUTCOMES["break"]


# ---- sockets ----

def test_sockets_are_refused_in_words(world, either):
    """-L and -R with a socket's path: refused, the user reads it, and the event names the path."""
    token = "/tmp/socket-%d" % time.monotonic_ns()
    local = world.dir / "near.sock"
    local.unlink(missing_ok=True)
    child = world.popen("alice", "-L", "%s:%s" % (local, token), either, "echo up; cat")
    assert child.stdout.readline() == b"up\n"
    with socket.socket(socket.AF_UNIX) as near:
        near.connect(str(local))
        assert near.recv(1) == b""
    child.stdin.close()
    child.stdin = None
    done = finish(child)
    assert done.code == 0 and token in done.err and "refused" in done.err, done
    world.event("streamlocal-refused", detail=token)
    done = world.ssh("alice", "-R", "%s.far:%s" % (token, local), either, "true", options=("ExitOnForwardFailure yes",))
    assert done.code == 255 and "remote port forwarding failed" in done.err, done
    world.event("streamlocal-refused", detail=token + ".far")


# ---- what a target says ----

def test_messages_of_the_target(world):
    """SSH_MSG_DEBUG: sshd tells which line of authorized_keys let somebody in."""
    for host in ("plain1", "plain1.direct"):
        done = world.ssh("alice", "-v", host, "true")
        assert done.code == 0 and re.search(r"debug1: Remote: .*router\.pub:1: key options", done.err), done


@pytest.fixture
def odd(world):
    yield world.lab.odd
    world.lab.odd()


@pytest.fixture(params=["odd1", "odd1.direct"])
def odd_host(request):
    return request.param


def test_disconnect_text(world, odd, odd_host):
    words = "maintenance until %d" % time.monotonic_ns()
    odd(disconnect=words + "\x1b[2J")
    done = world.ssh("alice", odd_host, "true")
    assert done.code == 69 and words in done.err and "\x1b" not in done.err, done
    assert words in world.event("handshake-failed", detail=words)["detail"]


@pytest.mark.parametrize("pending", [False, True], ids=["quiet", "output-pending"])
def test_target_is_lost(world, odd, odd_host, pending):
    """Cut in mid output, with a reader that is fast or slow: 69, words, and the record says it."""
    token = "lost-%d" % time.monotonic_ns()
    odd(cut=400000)
    command = shell_line(world.ssh_command("alice", odd_host, "echo %s >/dev/null; cat /dev/zero | tr '\\0' x" % token))
    done = run(["sh", "-c", "{ %s; echo $? >&2; } | { %s; cat; }" % (command, "sleep 2" if pending else "true")])  # the sleep is the slow reader
    assert done.err.splitlines()[-1] == "69" and LOST in done.err, done
    assert 100000 < len(done.out) < 1000000 and set(done.out) == {"x"}
    assert LOST in json.dumps(world.record(token)[0]), world.record(token)[0]


def test_slow_target(world, odd, odd_host):
    odd(delay=1)
    done = world.ssh("alice", odd_host, "echo through")
    assert (done.code, done.out, done.err) == (0, "through\n", "")


def test_no_terminal_there(world, odd_host):
    """PermitTTY no. Straight the client is told, and goes on without (-t) or not (-tt); here it has its answer before the target is asked, and reads words."""
    assert "PTY allocation request failed" in Straight(world, "odd1").ssh("-tt", "tty").err
    done = world.ssh("alice", "-tt", odd_host, "tty; echo done")
    assert done.code == 0 and "not a tty" in done.out and "the target gives no terminal" in done.err + done.out, done


# ---- large requests ----

@pytest.mark.parametrize("count, size", [(1, 100000), (120, 500), (200, 400)])
def test_environment(world, way, count, size):
    """100 KB of variables, and 200 of them; sshd's own limit is 128, so what goes beyond is dropped alike."""
    names = ["TEST_E%d" % number for number in range(count)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/root", **{name: "v" * size for name in names}}
    done = run(way("env | grep -c '^TEST_E'; env | grep '^TEST_E' | wc -c", before=("-o", "SendEnv=TEST_*")), env=environment)
    assert done.code == 0, done
    straight = run([*Straight(world).command("-o", "SendEnv=TEST_*"), "%s@127.0.0.1" % world.env["LOGIN"], "env | grep -c '^TEST_E'; env | grep '^TEST_E' | wc -c"], env=environment)
    got, wanted = [int(word) for word in done.out.split()], [int(word) for word in straight.out.split()]
    # which of too many sshd takes is chance: as many, and as long within their names' lengths
    same = got[0] == wanted[0] and abs(got[1] - wanted[1]) <= 2 * count
    assert same or re.search("bartizan: .*(variable|environment)", done.err), (done, straight)


@pytest.mark.parametrize("size", [100000, 127 * 1024])
def test_long_command(world, way, size):
    command = ": %s; echo end" % ("x" * (size - len(": ; echo end")))
    done = run(way(command))
    assert (done.code, done.out) == (0, "end\n"), done.err[-300:]


def test_command_that_is_too_long(world, either):
    """Beyond what a kernel takes as one argument: said, not cut."""
    words = [": " + "x" * 100000, ": " + "y" * 100000]
    done = world.ssh("alice", either, *words)
    assert done.code != 0 and re.search("bartizan: .*(long|large|bytes)", done.err), done.err[-300:]


# ---- post-quantum ----

def test_post_quantum_on_all_transports(world, either):
    token = "pq-%d" % time.monotonic_ns()
    assert world.ssh("alice", either, "echo " + token).code == 0
    record, _ = world.record(token)
    wanted = {"outer", "outbound"} | ({"inner"} if either == "web1" else set())
    assert set(record["evidence"]) == wanted
    assert all(facts["post_quantum"] is True and "sntrup761x25519" in facts["kex"] or "mlkem" in facts["kex"] for facts in record["evidence"].values()), record["evidence"]
    rows = world.json("evidence", record["id"] if "id" in record else record["session"])
    assert all(row["post_quantum"] is True for row in rows), rows


def test_without_it_the_record_says_so(world):
    token = "curve-%d" % time.monotonic_ns()
    assert world.ssh("alice", "web1.direct", "echo " + token, options=("KexAlgorithms=curve25519-sha256",)).code == 0
    evidence = world.record(token)[0]["evidence"]
    assert evidence["outer"]["post_quantum"] is False and evidence["outbound"]["post_quantum"] is True


def test_bar(own_world):
    """crypto.minimum: post-quantum refuses the rest on both legs, and names both lists; a target is let in by name."""
    world = own_world()
    with open(world.dir / "hosts/plain1.conf", "a", encoding="ascii") as conf:
        conf.write("KexAlgorithms curve25519-sha256\n")
    world.lab.stop_one("plain1")
    world.lab.start_server("plain1")
    world.edit(lambda text: text + "\ncrypto:\n  minimum: post-quantum\n")
    for host in ("web1", "web1.direct"):
        assert world.ssh("alice", host, "echo in").out == "in\n"
    done = world.ssh("alice", "web1.direct", "true", options=("KexAlgorithms=curve25519-sha256",))
    assert done.code == 255 and "no matching key exchange method" in done.err and "sntrup761x25519-sha512" in done.err, done
    done = world.ssh("alice", "plain1.direct", "true")
    assert done.code == 69 and "curve25519-sha256" in done.err and "sntrup761x25519-sha512" in done.err, done
    scan = world.lab.cli("hosts", "scan", "plain1")
    assert "curve25519-sha256 (not post-quantum)" in scan.stdout, scan
    assert "(post-quantum)" in world.lab.cli("hosts", "scan", "web1").stdout
    world.edit(lambda text: text.replace("    credential: {key: router_key}\n", "    credential: {key: router_key}\n    crypto: {allow: [curve25519-sha256]}\n"))
    assert world.ssh("alice", "plain1.direct", "echo in").out == "in\n"


# ---- the order of keys ----

def keys_shown(world, who, *options):
    done = world.ssh(who, "-v", "web1.direct", "echo in", options=options)
    return done, re.findall(r"Offering public key: \S+ (\S+)", done.err)


def test_certificate_behind_its_key(world):
    """alice has id and id-cert.pub, bob an agent with both: the plain key comes first, the certificate lets them in, and nothing is said."""
    for who in ("alice", "bob"):
        done, offered = keys_shown(world, who)
        assert done.code == 0 and offered[0] == "ED25519" and offered[-1] == "ED25519-CERT", done
        assert "bartizan:" not in done.err, done
        quiet = world.ssh(who, "web1", "echo in")
        assert (quiet.code, quiet.out, quiet.err) == (0, "in\n", "")
    done, offered = keys_shown(world, "carol")
    assert offered == ["ED25519-CERT"] and done.code == 77, done  # the line puts it first; carol may reach nothing


def test_without_a_provider(own_world):
    world = own_world(lambda text: text[:text.index("providers:\n")] + text[text.index("keys:\n"):])
    for who in ("alice", "bob"):
        done, offered = keys_shown(world, who)
        assert done.code == 0 and offered[0] == "ED25519" and offered[-1] == "ED25519-CERT" and "bartizan:" not in done.err, done
    assert not world.events("login-refused")
    done = world.ssh("alice.nocert", "web1.direct", "true", options=("BatchMode yes",))
    assert done.code == 255 and done.err.count("a certificate is needed") == 1, done
    assert "a certificate is needed" in world.event("login-refused")["reason"]
    done = world.ssh("alice.nocert", "web1.direct", "true", options=("PubkeyAuthentication no",))
    assert done.code == 255 and done.err.count("a certificate or a key is needed") == 1, done


def test_login_needs_a_key(own_world):
    """keyboard-interactive first, as some prefer it: the key is asked for before, and the login counts for it. Without a key no login begins."""
    world = own_world()
    first = ("PreferredAuthentications=keyboard-interactive,publickey",)
    code, out = Person(world, "alice", "web1.direct", "echo in", options=first).asked().browser().end()
    assert code == 0 and "in" in out.splitlines(), out
    assert silent(world, "alice", "web1.direct", "echo again").out == "again\n"
    done = world.ssh("bob.nocert", "web1.direct", "true", options=("PubkeyAuthentication no",))
    assert done.code == 255 and done.err.count("a certificate or a key is needed") == 1 and "Open http" not in done.err, done


def test_plink(world):
    """PuTTY: a plain key is proved, a login has to follow."""
    key = world.dir / "people/carol/plain.ppk"
    made = run(["puttygen", world.dir / "people/carol/plain", "-O", "private", "-o", key]) if not subprocess.call(["sh", "-c", "command -v plink puttygen >/dev/null"]) else None
    if not made:
        pytest.skip("plink and puttygen are not installed")
    print_ = run(["ssh-keygen", "-lf", world.dir / "keys/host.pub"]).out.split()[1]
    child = pexpect.spawn("plink", ["-ssh", "-no-antispoof", "-P", str(world.port()), "-hostkey", print_, "-i", str(key), "carol@127.0.0.1", "whoami"], timeout=30, encoding="utf-8")
    child.expect(r"\(or open\s+(https://\S+)")
    link = child.match.group(1)
    assert run([world.dir / "login", "carol", link]).code == 0
    child.expect(r"user\s+carol")
    child.close(force=True)


# ---- clients that speak by themselves ----

def paramiko_or_skip():
    if importlib.util.find_spec("paramiko") is None:
        pytest.skip("paramiko is not installed for %s: pip install paramiko" % sys.executable)
    import paramiko
    return paramiko


def paramiko_client(world, who="alice"):
    paramiko = paramiko_or_skip()
    key = paramiko.Ed25519Key.from_private_key_file(str(world.dir / "people" / who / "id"))
    key.load_certificate(str(world.dir / "people" / who / "id-cert.pub"))
    return paramiko, key


def transport(paramiko, sock, user, key):
    connection = paramiko.Transport(sock)
    connection.start_client(timeout=30)
    connection.auth_publickey(user, key)
    return connection


def test_first_request_is_not_none(world):
    """Jump mode by a client that begins with a key, a password or keyboard-interactive: each gets an answer."""
    paramiko, key = paramiko_client(world)
    outer = transport(paramiko, socket.create_connection(("127.0.0.1", world.port())), "alice", key)
    stranger = paramiko.Ed25519Key.from_private_key_file(str(world.dir / "people/alice/plain"))

    def tunnel():
        inner = paramiko.Transport(outer.open_channel("direct-tcpip", ("web1", 22), ("127.0.0.1", 1), timeout=20))
        inner.start_client(timeout=30)
        inner.auth_timeout = 15
        return inner
    inner = tunnel()
    inner.auth_publickey(world.env["LOGIN"], stranger)
    channel = inner.open_session(timeout=20)
    channel.exec_command("echo in")
    assert channel.makefile().read() == b"in\n" and channel.recv_exit_status() == 0
    for method in (lambda it: it.auth_password(world.env["LOGIN"], "secret"), lambda it: it.auth_interactive(world.env["LOGIN"], lambda *_: [])):
        with pytest.raises(paramiko.BadAuthenticationType) as refused:
            method(tunnel())
        assert refused.value.allowed_types == ["publickey"]
    outer.close()


def answers(world, host):
    """How a server answers requests that nobody knows: [channel request, global request] by message type."""
    paramiko, key = paramiko_client(world)
    if host == "straight":
        oracle = Straight(world)
        key = paramiko.Ed25519Key.from_private_key_file(str(oracle.key))
        key.load_certificate(str(oracle.key) + "-cert.pub")
        connection = transport(paramiko, socket.create_connection(("127.0.0.1", world.lab._sshd_port("web1"))), world.env["LOGIN"], key)
    else:
        connection = transport(paramiko, socket.create_connection(("127.0.0.1", world.port())), world.env["LOGIN"] + "@web1", key)
    got = [connection.global_request("nobody-knows@example.com", wait=True) is not None]
    channel = connection.open_session(timeout=20)
    message = paramiko.Message()
    message.add_byte(bytes([98]))
    message.add_int(channel.remote_chanid)
    message.add_string("nobody-knows@example.com")
    message.add_boolean(True)
    channel._event_pending()
    connection._send_user_message(message)
    try:
        channel._wait_for_event()
        got.append(True)
    except paramiko.SSHException:
        got.append(False)
    connection.close()
    return got


def test_unknown_requests(world):
    assert answers(world, "web1.direct") == answers(world, "straight") == [False, False]


def test_no_more_sessions(world, either):
    """A client that has promised it (ssh does, for every single command) gets no second session; a master has not promised."""
    done = world.ssh("alice", "-v", either, "echo in")
    assert done.code == 0 and "no-more-sessions@openssh.com" in done.err
    path = world.dir / "master"
    child = world.popen("alice", "-M", either, "cat", options=("ControlPath %s" % path,))
    until(path.exists, 20, "the master's socket")
    assert run(["ssh", "-F", world.dir / "ssh_config.alice", "-o", "ControlPath=%s" % path, either, "echo second"]).out == "second\n"
    child.stdin.close()
    child.stdin = None
    finish(child)
