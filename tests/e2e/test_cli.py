"""The command line by itself: what works on files, and what it says to a gateway that is a script of this test."""
import json
import os
import pathlib
import re
import signal
import socket
import stat
import struct
import subprocess
import threading

import pexpect
import pytest

from lablib.lab import ROOT, program

ENV = {key: value for key, value in os.environ.items() if key not in ("CONTROL_SOCKET", "STATE_DIR", "NO_COLOR") and not key.startswith("BARTIZAN_")}


def cli(*words, env=None, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True, "timeout": 30, **options}
    return subprocess.run([program("bartizan"), *map(str, words)], env={**ENV, **(env or {})}, **options)


# ---- a gateway that is a script ----

def message_types():
    header = (ROOT / "common/ipc_msg.h").read_text()
    enum = re.sub(r"/\*.*?\*/", "", re.search(r"enum ipc_type \{(.*?)\};", header, re.S).group(1), flags=re.S)
    return {name.strip().split(" ")[0]: number for number, name in enumerate(filter(str.strip, enum.split(",")), 1)}


TYPES = message_types()


def text(data):
    data = data if isinstance(data, bytes) else data.encode()
    return struct.pack(">I", len(data)) + data


class Gateway:
    """Answers one command on a control socket with the messages that it was given."""

    def __init__(self, path, *answers):
        self.path, self.answers, self.argv, self.terminal = path, answers, None, None
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(str(path))
        self.socket.listen(5)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        link, _ = self.socket.accept()
        with link:
            message = link.recv(1 << 17)
            kind, _, _ = struct.unpack(">HHI", message[:8])
            assert kind == TYPES["IPC_COMMAND"]
            (count,) = struct.unpack(">I", message[12:16])
            at, self.argv = 16, []
            for _ in range(count):
                (length,) = struct.unpack(">I", message[at:at + 4])
                self.argv.append(message[at + 4:at + 4 + length].decode())
                at += 4 + length
            self.terminal, self.columns = message[at], struct.unpack(">I", message[at + 1:at + 5])[0]
            for kind, body, descriptors in self.answers:
                socket.send_fds(link, [struct.pack(">HHI", TYPES[kind], 0, 0) + body], descriptors)
            link.recv(1)  # until the other end has had enough

    def end(self):
        self.thread.join(10)
        self.socket.close()
        assert not self.thread.is_alive()


def output(stream, data):
    return "IPC_OUTPUT", struct.pack(">II", 0, stream) + text(data), []


def leave(status):
    return "IPC_COMMAND_EXIT", struct.pack(">II", 0, status), []


def play(path, speed=1000, as_text=False):
    return "IPC_PLAY", struct.pack(">IBIqq", 0, as_text, speed, 0, 0), [os.open(path, os.O_RDONLY)]


@pytest.fixture
def gateway(tmp_path):
    made = []

    def make(*answers):
        made.append(Gateway(tmp_path / "control.sock", *answers))
        return made[-1]
    yield make
    for one in made:
        one.end()


def test_words_output_and_status_pass_through(gateway):
    it = gateway(output(1, "to stdout\n" * 3000), output(2, "to stderr\n"), leave(77))
    done = cli("sessions", "ls", "--socket", it.path, "--user", "a b", "--", "--config")
    assert done.stdout == "to stdout\n" * 3000 and done.stderr == "to stderr\n" and done.returncode == 77
    assert it.argv == ["sessions", "ls", "--user", "a b", "--", "--config"]
    assert it.terminal == 0 and it.columns == 0


@pytest.mark.parametrize("variable", ["BARTIZAN_CONTROL_SOCKET", "CONTROL_SOCKET"])
def test_socket_from_the_environment(gateway, variable):
    it = gateway(leave(3))
    assert cli("whoami", env={variable: str(it.path)}).returncode == 3


def test_socket_from_the_configuration(gateway, tmp_path):
    it = gateway(leave(4))
    config = tmp_path / "config.yaml"
    config.write_text("version: 1\ncontrol_socket: %s\n" % it.path)
    assert cli("--config=%s" % config, "whoami").returncode == 4
    config.write_text("version: 1\ncontrol_socket: [\n")
    done = cli("--config", config, "whoami")
    assert done.returncode == 1 and "config.yaml:" in done.stderr


def test_terminal_is_told_and_no_color_is_obeyed(gateway, tmp_path):
    for env, expected in (({}, 1), ({"NO_COLOR": "1"}, 0)):
        path = tmp_path / ("socket%d" % expected)
        it = Gateway(path, leave(0))
        child = pexpect.spawn(program("bartizan"), ["--socket", str(path), "targets"], env={**ENV, **env}, dimensions=(24, 91), timeout=20)
        child.expect(pexpect.EOF)
        child.close()
        it.end()
        assert child.exitstatus == 0 and it.terminal == expected and it.columns == 91


def test_no_gateway(tmp_path):
    done = cli("--socket", tmp_path / "nothing", "status")
    assert done.returncode == 69 and "no gateway answers" in done.stderr and "start bartizand" in done.stderr and done.stdout == ""


def test_gateway_goes_away(tmp_path):
    it = Gateway(tmp_path / "control.sock", output(1, "half an ans"))
    it.answers += (("IPC_COMMAND_EXIT", b"\0", []),)  # damaged
    done = cli("--socket", it.path, "status")
    it.end()
    assert done.returncode == 70 and "damaged" in done.stderr and done.stdout == "half an ans"


def test_replay_from_the_gateway(gateway, tmp_path):
    cast = tmp_path / "x.cast"
    cast.write_text('{"version":2,"width":80,"height":24,"timestamp":1}\n[0.1,"o","hello "]\n[0.2,"o","world\\r\\n"]\n')
    it = gateway(play(cast, speed=0))
    done = cli("--socket", it.path, "replay", "01JD00000")
    assert done.returncode == 0 and done.stdout == "hello world\n", done
    assert it.argv == ["replay", "--speed=0", "01JD00000"]  # no pace where nobody looks


def test_replay_of_a_file(tmp_path):
    cast = tmp_path / "x.cast"
    cast.write_text('{"version":2,"width":80,"height":24,"timestamp":1}\n[0.1,"o","\\u001b[31mred\\u001b[0m\\r\\n"]\n[9999.0,"o","late"]\n[99')
    done = cli("replay", cast)
    assert done.returncode == 0 and "late" in done.stdout
    plain = cli("replay", "--text", cast)
    assert "red" in plain.stdout and "\033" not in plain.stdout
    assert cli("replay", tmp_path / "no.cast").returncode == 1
    assert cli("replay", cast, "--speed", "fast").returncode == 2


def test_replay_is_interrupted_and_the_terminal_put_back(tmp_path):
    cast = tmp_path / "x.cast"
    cast.write_text('{"version":2,"width":80,"height":24,"timestamp":1}\n[0.0,"o","\\u001b[?1049hbegun"]\n[9999.0,"o","never"]\n')
    child = pexpect.spawn(program("bartizan"), ["replay", str(cast)], env=ENV, timeout=20)
    child.expect("begun")
    child.kill(signal.SIGINT)
    child.expect_exact("\033[?1049l")
    child.expect_exact("\033[?25h")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130


# ---- keys and configuration ----

def test_keys_are_made_once(tmp_path):
    keys = tmp_path / "keys"
    assert cli("ca", "init", "--dir", keys).returncode == 0
    made = sorted(path.name for path in keys.iterdir())
    assert made == ["backend_ca", "backend_ca.pub", "host_ed25519", "host_ed25519.pub", "user_ca", "user_ca.pub"]
    for name in ("backend_ca", "host_ed25519", "user_ca"):
        assert stat.S_IMODE((keys / name).stat().st_mode) == 0o600
        derived = subprocess.run(["ssh-keygen", "-y", "-f", str(keys / name)], stdout=subprocess.PIPE, text=True, check=True).stdout
        assert derived.split()[:2] == (keys / (name + ".pub")).read_text().split()[:2]
    before = (keys / "user_ca").read_bytes()
    (keys / "backend_ca").unlink()
    refused = cli("ca", "init", "--dir", keys)
    assert refused.returncode == 1 and "exists" in refused.stderr
    assert not (keys / "backend_ca").exists(), "all or none"
    assert (keys / "user_ca").read_bytes() == before
    assert cli("ca", "init", "--dir", keys, "--force").returncode == 0
    assert (keys / "user_ca").read_bytes() != before


@pytest.fixture
def config(tmp_path):
    cli("ca", "init", "--dir", tmp_path)
    key = " ".join((tmp_path / "host_ed25519.pub").read_text().split()[:2])
    target = '{address: "10.0.3.11:22", labels: {env: staging}, host_keys: ["%s"], credential: {certificate: backend_ca}' % key
    path = tmp_path / "config.yaml"
    path.write_text("""version: 1
listen: ["127.0.0.1:2299"]
state_dir: %s/state
host_key: host_ed25519
keys: {backend_ca: {file: backend_ca}}
targets:
  - %s, name: web1}
  - %s, name: "*.db.example.com"}
roles: {sre: {groups: [sre]}}
rules:
  - {name: no-root, deny: "*", logins: [root]}
  - {name: staging, allow: [shell, exec], roles: [sre], targets: {labels: {env: staging}}}
""" % (tmp_path, target, target))
    return path


def test_config(config):
    assert cli("config", "check", config).returncode == 0
    dumped = cli("--config", config, "config", "dump")
    assert dumped.returncode == 0 and "login_time: 1m" in dumped.stdout
    config.write_text(config.read_text() + "surprise: 1\n")
    wrong = cli("config", "check", config)
    assert wrong.returncode == 1 and re.search(r"config\.yaml:\d+:\d+: .*surprise", wrong.stderr)


def found(line, name, folder):
    (folder / "known_hosts").write_text(line)
    return subprocess.run(["ssh-keygen", "-F", name, "-f", str(folder / "known_hosts")], stdout=subprocess.DEVNULL).returncode == 0


def test_one_known_hosts_line_serves_all(config, tmp_path):
    line = cli("--config", config, "config", "ssh", "--host", "gw.example.com", "--known-hosts").stdout
    assert line.count("\n") == 1
    for name in ("[gw.example.com]:2299", "web1", "[web1]:2022", "x.db.example.com", "[x.db.example.com]:22022"):
        assert found(line, name, tmp_path), name
    for name in ("gw.example.com", "web2", "db.example.com"):
        assert not found(line, name, tmp_path), name
    ssh_config = tmp_path / "ssh_config"
    ssh_config.write_text(cli("--config", config, "config", "ssh", "--host", "gw.example.com", "--user", "alice", "--ssh-config").stdout)
    for name, jump in (("x.db.example.com", "proxyjump gw"), ("web1", "proxyjump gw"), ("gw", "hostname gw.example.com")):
        shown = subprocess.run(["ssh", "-G", "-F", str(ssh_config), name], stdout=subprocess.PIPE, text=True, check=True).stdout
        assert jump in shown.splitlines()
    assert cli("--config", config, "config", "ssh", "--host", "a b").returncode == 2


def explain(config, *words):
    return cli("--config", config, "policy", "explain", "--user", "alice", "--target", "web1", "--kind", "exec", *words)


def test_policy_explain(config):
    assert explain(config, "--group", "sre", "--login", "deploy").returncode == 0
    denied = explain(config, "--group", "sre", "--login", "root", "--json")
    assert denied.returncode == 77
    (row,) = json.loads(denied.stdout)
    assert row["decision"] == "deny" and row["rule"] == "no-root" and "root" in row["reason"]
    nobody = explain(config, "--login", "deploy")
    assert nobody.returncode == 77 and "--group" in nobody.stderr
    assert explain(config, "--login", "deploy", "--kind", "magic").returncode == 2


def test_explain_guard(config):
    """The simple commands found, the verdict of each, and the final one; the exit status says what would happen."""
    config.write_text(config.read_text().replace("rules:\n", """guards:
  prod: [{deny: ["mkfs*"]}, {approve: ["rm -r*"], by: lead}, {warn: ["touch *"]}, {allow: ["*"]}]
rules:
  - {name: guarded, allow: [exec], groups: [guarded], guard: prod}
""", 1).replace("roles: {", "roles: {lead: {groups: [leads]}, ", 1))
    cases = (("echo a; sudo rm -rf /x | cat", 75, "approve", [("echo a", "allow"), ("rm -rf /x", "approve"), ("cat", "allow")]),
             ("ls $(mkfs x)", 77, "deny", [("mkfs x", "deny")]), ("touch x", 0, "warn", [("touch x", "warn")]), ("echo 'a b'", 0, "allow", [("echo 'a b'", "allow")]),
             ("$X y", 75, "approve", []), ("echo 'open", 75, "approve", []))
    for command, code, verdict, parts in cases:
        done = explain(config, "--group", "guarded", "--login", "deploy", "--command", command, "--json")
        (row,) = json.loads(done.stdout)
        assert (done.returncode, row["verdict"], row["guard"], row["guard_verdict"]) == (code, verdict, "prod", verdict), (command, done)
        found = [(part["command"], part["verdict"]) for part in row["commands"]]
        assert all(part in found for part in parts), (command, found)
        assert bool(row["unclear"]) == (not parts)
    assert "rm -rf /x" in explain(config, "--group", "guarded", "--login", "deploy", "--command", "rm -rf /x").stdout


def test_policy_test(tmp_path):
    case = tmp_path / "case.yaml"
    text_of = """policy:
  targets: [{name: web1}]
  rules: [{name: all, allow: [exec]}]
cases:
  - {name: it passes, user: a, target: web1, login: x, kind: exec, expect: %s}
"""
    case.write_text(text_of % "allow")
    good = cli("policy", "test", case)
    assert good.returncode == 0 and "ok - it passes" in good.stdout and "1 passed, 0 failed" in good.stdout
    case.write_text(text_of % "deny")
    bad = cli("policy", "test", case, "--json")
    assert bad.returncode == 1 and json.loads(bad.stdout)[0]["ok"] is False
    assert cli("policy", "test", tmp_path / "none.yaml").returncode == 1
    assert cli("policy", "test").returncode == 2


def test_audit_verify_without_a_state_folder(tmp_path):
    done = cli("audit", "verify", "--state-dir", tmp_path / "nothing")
    assert done.returncode == 1 and "nothing" in done.stderr


# ---- words ----

@pytest.mark.parametrize("words", [["frobnicate"], ["audit"], ["config"], ["config", "check", "a", "b"], ["ca", "init", "--nonsense"], ["--socket"]])
def test_usage(words):
    done = cli(*words)
    assert done.returncode == 2 and done.stderr and done.stdout == ""


def test_help_and_version():
    assert "policy explain" in cli("help").stdout
    assert cli().returncode == 0
    assert "usage: bartizan ca init" in cli("ca", "init", "--help").stdout
    version = re.search(r'BARTIZAN_VERSION "(.*)"', (ROOT / "common/version.h").read_text()).group(1)
    assert cli("--version").stdout == cli("version").stdout == "bartizan %s\n" % version


def test_private_key_is_not_sent(tmp_path):
    cli("ca", "init", "--dir", tmp_path)
    done = cli("--socket", tmp_path / "none", "cert", "issue", "--user", "a", "--key", tmp_path / "user_ca")
    assert done.returncode == 1 and "private key" in done.stderr


def test_public_key_is_read_here(gateway, tmp_path):
    cli("ca", "init", "--dir", tmp_path)
    line = " ".join((tmp_path / "user_ca.pub").read_text().split()[:2])
    for words, stdin in (["--key", tmp_path / "user_ca.pub"], None), (["--key=-"], open(tmp_path / "user_ca.pub")):
        path = pathlib.Path(tmp_path / ("socket%d" % bool(stdin)))
        it = Gateway(path, leave(0))
        assert cli("--socket", path, "cert", "issue", "--user", "a", *words, stdin=stdin).returncode == 0
        it.end()
        assert it.argv[:5] == ["cert", "issue", "--user", "a", "--public-key"] and it.argv[5].strip() == line


def test_every_command_is_in_the_manual_and_the_readme():
    shown = re.findall(r"^  ([a-z]+(?: [a-z]+)?) {2,}", cli("help").stdout, re.M)
    assert len(shown) > 15
    manual = re.sub(r"\\&", "", (ROOT / "man/bartizan.1").read_text())
    readme = (ROOT / "README.md").read_text()
    for name in shown:
        assert re.search(r"^\.It (Xo )?Cm %s\b" % name, manual, re.M), name
        first, *rest = name.split()
        assert first in ("help", "version") or re.search(r"`%s\b[^|]*%s" % (first, "".join(rest)), readme), name


def test_the_readme_s_configuration_is_one(tmp_path):
    cli("ca", "init", "--dir", tmp_path)
    text_of = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.S).group(1)
    key = (tmp_path / "host_ed25519.pub").read_text().split()[1]
    (tmp_path / "config.yaml").write_text(text_of.replace("AAAA…", key))
    done = cli("config", "check", tmp_path / "config.yaml")
    assert done.returncode == 0, done.stderr
    explained = cli("--config", tmp_path / "config.yaml", "policy", "explain", "--user", "alice", "--group", "sre", "--target", "web1", "--login", "deploy",
                    "--kind", "shell")
    assert explained.returncode == 0, explained.stdout
