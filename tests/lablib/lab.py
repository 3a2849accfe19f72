"""One lab in one folder: up, down, reload, status. The contract is DEVELOPERS.md's; everything that tests stand on is here."""
import json
import os
import pathlib
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

from . import files, idp, process, servers

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOCKET_PATH_MAX = 100  # sun_path holds 108 with its NUL; leave room for a temporary suffix
READY_SECONDS = 30
KEYS = ("keys/host", "keys/user_ca", "keys/backend_ca", "keys/router", "hosts/web1", "hosts/db1", "hosts/plain1", "hosts/odd1",
        *("people/%s/%s" % (name, key) for name in files.PEOPLE for key in ("id", "plain")))


class LabError(Exception):
    """What went wrong, in words for whoever typed the command."""


def built(name):
    """Something in the build folder (BUILD)."""
    build = pathlib.Path(os.environ.get("BUILD", "build"))
    return build / name if build.is_absolute() else ROOT / build / name


def program(name):
    """A program of ours: named by the environment (BARTIZAND, BARTIZAN), or in the build folder."""
    return os.environ.get(name.upper()) or str(built(name))


class Lab:
    def __init__(self, directory):
        self.dir = pathlib.Path(os.path.abspath(directory))
        self.pid_file = self.dir / "pids.json"
        self.idp_script = None
        self.env = {}
        if (self.dir / "env").exists():
            for line in (self.dir / "env").read_text().splitlines():
                key, _, value = line.partition("=")
                self.env[key] = shlex.split(value)[0] if value else ""

    # ---- what others ask ----

    def log(self, name="bartizand"):
        path = self.dir / "log" / (name + ".log")
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def config(self):
        return self.dir / "config.yaml"

    def cli(self, *arguments, **options):
        """Runs bartizan as an administrator of this lab."""
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, "text": True, "timeout": 30, **options}
        return subprocess.run([program("bartizan"), "--config", str(self.config), "--socket", self.env["CONTROL_SOCKET"], *map(str, arguments)], **options)

    def gateway_status(self):
        """`bartizan status` as a dict, or None while nobody answers."""
        try:
            done = self.cli("status", "--json")
            got = json.loads(done.stdout)
        except (ValueError, subprocess.TimeoutExpired):
            return None
        return (got[0] if got else None) if isinstance(got, list) else got

    # ---- up ----

    def up(self, edit=None):
        """Starts everything; edit, if given, changes the configuration's text before the gateway reads it."""
        if any(process.alive(entry["pid"], entry["started"]) for entry in self._pids().values()):
            raise LabError("%s is up already; first: tests/lab down %s" % (self.dir, self.dir))
        for name in ("bartizand", "bartizan"):
            if not os.access(program(name), os.X_OK):
                raise LabError("%s is not built; run: make" % program(name))
        if not servers.SSHD:
            raise LabError("sshd is not installed; run: make deps")
        self._forget_socket()
        self._folders()
        self._keys()
        try:
            self.idp_script = idp.install(built("idp"))
        except idp.Missing as missing:
            raise LabError(str(missing)) from missing
        idp.prepare(self.dir / "idp")
        self.pid_file.write_text("{}\n")
        try:
            for attempt in range(3):
                self._write(edit)
                if self._start_all(last=attempt == 2):
                    break
            self._certificates()
            self._start_agent()
        except BaseException:
            self._stop_all()
            raise
        return self._summary()

    def _folders(self):
        for name in ("", "keys", "hosts", "people", "log", "state", *("people/" + name for name in files.PEOPLE)):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            self.dir.chmod(0o711)
            nobody = pwd.getpwnam("nobody")
            os.chown(self.dir / "state", nobody.pw_uid, nobody.pw_gid)
        (self.dir / "state").chmod(0o700)

    def _keys(self):
        for key in KEYS:
            path = self.dir / key
            if not path.exists():
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key.replace("/", "-"), "-f", str(path)], check=True)

    def _public(self, key):
        return " ".join((self.dir / (key + ".pub")).read_text().split()[:2])

    def _write(self, edit):
        gateway, web1, db1, plain1, odd1, behind, provider = servers.free_ports(7)
        control = self._control_socket()
        listen = ['"127.0.0.1:%d"' % gateway] + (['"[::1]:%d"' % gateway] if servers.has_ipv6() else [])
        text = files.CONFIG.format(
            dir=self.dir, listen=", ".join(listen), control=control, run_as="run_as: nobody" if os.getuid() == 0 else "# run_as: only where started as root",
            web1=web1, db1=db1, plain1=plain1, odd1=odd1, idp=provider, web1_key=self._public("hosts/web1"), db1_key=self._public("hosts/db1"), plain1_key=self._public("hosts/plain1"),
            odd1_key=self._public("hosts/odd1"))
        self.config.write_text(edit(text) if edit else text)
        self.env = {
            "GW_PORT": str(gateway), "GW_PID": "", "STATE_DIR": str(self.dir / "state"), "CONTROL_SOCKET": str(control), "WEB1_PORT": str(web1),
            "DB1_PORT": str(db1), "PLAIN1_PORT": str(plain1), "ODD1_PORT": str(odd1), "ODD1_SSHD_PORT": str(behind), "AGENT": str(control.with_name("agent.sock")),
            "IDP_PORT": str(provider), "LOGIN": servers.login(), "USER_CA": str(self.dir / "keys/user_ca"),
            "BACKEND_CA": str(self.dir / "keys/backend_ca"), "BARTIZAN_CONFIG": str(self.config),
        }
        (self.dir / "known_hosts").write_text(files.known_hosts(gateway, self._public("keys/host")))
        for name in files.PEOPLE:
            for plain in (False, True):
                files.ssh_config_path(self.dir, name, plain).write_text(files.ssh_config(self.dir, name, gateway, servers.login(), plain, self.env["AGENT"]))
        ca = "TrustedUserCAKeys %s.pub\nAuthorizedKeysFile none" % (self.dir / "keys/backend_ca")
        static = "AuthorizedKeysFile %s.pub" % (self.dir / "keys/router")
        for name, trust in (("web1", ca), ("db1", ca), ("plain1", static), ("odd1", ca)):
            (self.dir / "hosts" / (name + ".conf")).write_text(servers.sshd_config(self.dir, name, self._sshd_port(name), trust, terminals=name != "odd1"))

    def _sshd_port(self, name):
        """Where its sshd listens; before odd1's stands a proxy."""
        return int(self.env.get(name.upper() + "_SSHD_PORT") or self.env[name.upper() + "_PORT"])

    def odd(self, **how):
        """What odd1 does to connections from now on: tests/lablib/odd.py; nothing: it behaves."""
        path = self.dir / "hosts/odd1.json"
        path.with_suffix(".new").write_text(json.dumps(how))
        path.with_suffix(".new").replace(path)

    def _start_proxy(self):
        port = int(self.env["ODD1_PORT"])
        pid, started = process.spawn([sys.executable, str(ROOT / "tests/lablib/odd.py"), str(port), self.env["ODD1_SSHD_PORT"], str(self.dir / "hosts/odd1.json")],
                                     self.dir / "log/odd1-proxy.log")
        self._remember("odd1-proxy", pid, started)
        self._await_banner("odd1-proxy", pid, port, self.dir / "log/odd1-proxy.log")

    def _start_agent(self):
        """Somebody who has key and certificate in an agent, in the order in which ssh-add adds them."""
        socket = pathlib.Path(self.env["AGENT"])
        socket.unlink(missing_ok=True)
        pid, started = process.spawn(["ssh-agent", "-D", "-a", str(socket)], self.dir / "log/agent.log")
        self._remember("agent", pid, started)
        process.wait_until(lambda: process.reap(pid) is not None or process.listening(socket), READY_SECONDS, "ssh-agent")
        self.agent_holds("bob")

    def agent_holds(self, name):
        """The agent forgets what it has, and takes this person's key and certificate."""
        environment = {**os.environ, "SSH_AUTH_SOCK": self.env["AGENT"]}
        for words in (["-D"], [str(self.dir / "people" / name / "id")]):
            done = subprocess.run(["ssh-add", "-q", *words], env=environment, stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                raise LabError("ssh-add: %s" % done.stderr.strip())

    def _control_socket(self):
        path = self.dir / "control.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
            return path
        folder = pathlib.Path(tempfile.mkdtemp(prefix="bartizan-"))
        if os.getuid() == 0:
            folder.chmod(0o711)
        return folder / "control.sock"

    def _start_all(self, last):
        """False: somebody took one of the ports in between; try again with others."""
        try:
            provider = self._spawn_idp()
            for name in files.TARGETS:
                self.start_server(name)
            self._start_proxy()
            self._await_idp(provider)
            self.start_gateway()
            return True
        except LabError as wrong:
            taken = "in use" in str(wrong)
            if last or not taken:
                raise
            self._stop_all()
            return False

    def start_server(self, name):
        """Starts sshd NAME (again), and waits for its banner."""
        log = self.dir / "log" / (name + ".log")
        pid, started = process.spawn(servers.command(self.dir / "hosts" / (name + ".conf")), log)
        self._remember(name, pid, started)
        self._await_banner("sshd " + name, pid, self._sshd_port(name), log)

    def _await_banner(self, what, pid, port, log):
        try:
            process.wait_until(lambda: process.reap(pid) is not None or servers.banner(port).startswith("SSH-"), READY_SECONDS, what)
        except process.Wait as late:
            raise LabError("%s\n%s" % (late, self._tail(log))) from late
        if process.reap(pid) is not None:
            raise LabError("%s ended at once:\n%s" % (what, self._tail(log)))

    def start_idp(self):
        """Starts the identity provider (again; stop_one("idp") ends it), and waits until it listens. It has forgotten everything, and has new keys."""
        self._await_idp(self._spawn_idp())

    def _spawn_idp(self):
        log = self.dir / "log/idp.log"
        begun = log.stat().st_size if log.exists() else 0
        pid, started, ready = idp.spawn(self.idp_script or idp.install(built("idp")), self.dir / "idp", int(self.env["IDP_PORT"]), log)
        self._remember("idp", pid, started)
        return pid, ready, log, begun

    def _await_idp(self, spawned):
        pid, ready, log, begun = spawned
        try:
            listens = idp.wait_ready(ready)
        except process.Wait as late:
            raise LabError("%s\n%s" % (late, self._tail(log, begun))) from late
        if not listens:
            process.reap(pid)
            raise LabError("the identity provider did not start:\n%s" % self._tail(log, begun))

    def idp(self, name, **asked):
        """A call of tests/idp/provider.mjs: idp("rotate"), idp("set", alg="ES256"), idp("token", claims={…})."""
        return idp.call(self.dir / "idp", int(self.env["IDP_PORT"]), name, **asked)

    def start_gateway(self, name="gateway", config=None, extra=()):
        """Starts bartizand and waits until it accepts. Any further instance needs a name of its own."""
        log = self.dir / "log" / "bartizand.log"
        begun = log.stat().st_size if log.exists() else 0
        ready, signal_end = os.pipe()
        try:
            pid, started = process.spawn([program("bartizand"), "-c", str(config or self.config), "--ready-fd", str(signal_end), *extra], log, pass_fds=(signal_end,))
        finally:
            os.close(signal_end)
        self._remember(name, pid, started)
        try:
            self._await_ready(ready, pid, log, begun)
        finally:
            os.close(ready)
        if name == "gateway":
            self.env["GW_PID"] = str(pid)
            self._write_env()
        return pid

    def _await_ready(self, ready, pid, log, begun):
        os.set_blocking(ready, False)
        got = b""

        def answered():
            nonlocal got
            try:
                data = os.read(ready, 64)
            except BlockingIOError:
                return False
            got += data
            return not data or b"\n" in got
        try:
            process.wait_until(answered, READY_SECONDS, "the gateway's readiness")
        except process.Wait as late:
            raise LabError("%s\n%s" % (late, self._tail(log, begun))) from late
        if got.strip() != b"ready":
            raise LabError("the gateway did not start:\n%s" % self._tail(log, begun))

    def _write_env(self):
        (self.dir / "env").write_text("".join("%s=%s\n" % (key, shlex.quote(value)) for key, value in self.env.items()))

    def _certificates(self):
        for name, groups in files.PEOPLE.items():
            self.issue(name, groups, self.dir / "people" / name / "id.pub")

    def issue(self, user, groups, key, *arguments):
        """A certificate of the gateway's for a public key file, written beside it as …-cert.pub."""
        options = [word for group in groups for word in ("--group", group)]
        done = self.cli("cert", "issue", "--user", user, *options, "--key", key, *arguments)
        if done.returncode:
            raise LabError("cert issue for %s: %s" % (user, done.stderr.strip()))
        path = key.with_name(key.name.removesuffix(".pub") + "-cert.pub")
        path.write_text(done.stdout)
        return path

    def _summary(self):
        lines = ["lab is up in %s" % self.dir, "  gateway 127.0.0.1:%(GW_PORT)s, process %(GW_PID)s" % self.env,
                 "  web1 :%(WEB1_PORT)s, db1 :%(DB1_PORT)s, plain1 :%(PLAIN1_PORT)s, odd1 :%(ODD1_PORT)s, account %(LOGIN)s" % self.env,
                 "  identity provider https://127.0.0.1:%(IDP_PORT)s" % self.env,
                 "  try: ssh -F %s/ssh_config.alice web1 hostname" % self.dir,
                 "   or: ssh -F %s/ssh_config.alice.nocert web1, and %s/login alice LINK" % (self.dir, self.dir)]
        return "\n".join(lines)

    # ---- down, reload, status ----

    def down(self):
        names = [name for name, entry in self._pids().items() if process.alive(entry["pid"], entry["started"])]
        self._stop_all()
        self._forget_socket()
        return "stopped %s" % ", ".join(names) if names else "nothing ran"

    def reload(self):
        before = self.gateway_status()
        if not before:
            raise LabError("the gateway does not answer on %s" % self.env.get("CONTROL_SOCKET", "its control socket"))
        os.kill(int(self.env["GW_PID"]), signal.SIGHUP)

        def tried():
            now = self.gateway_status()
            return now if now and now["attempts"] != before["attempts"] else None
        try:
            after = process.wait_until(tried, READY_SECONDS, "the reload")
        except process.Wait as late:
            raise LabError("%s\n%s" % (late, self._tail(self.dir / "log/bartizand.log"))) from late
        if after.get("refused"):
            raise LabError("not taken, the old configuration stays: %s" % after["refused"])
        return "taken (generation %s)" % after["generation"]

    def status(self):
        return "\n".join("%-8s %7d %s" % (name, entry["pid"], "runs" if process.alive(entry["pid"], entry["started"]) else "ended")
                         for name, entry in self._pids().items()) or "not up"

    def _pids(self):
        return json.loads(self.pid_file.read_text()) if self.pid_file.exists() else {}

    def _remember(self, name, pid, started):
        pids = self._pids()
        pids[name] = {"pid": pid, "started": started}
        temporary = self.pid_file.with_suffix(".new")
        temporary.write_text(json.dumps(pids, indent=1) + "\n")
        temporary.replace(self.pid_file)

    def stop_one(self, name):
        entry = self._pids().get(name)
        if entry:
            process.stop(entry["pid"], entry["started"])
            process.reap(entry["pid"])

    def _stop_all(self):
        for name in sorted(self._pids(), key=lambda name: not name.startswith("gateway")):  # gateways first: their sessions end in order
            self.stop_one(name)
        self.pid_file.unlink(missing_ok=True)

    def _forget_socket(self):
        folder = pathlib.Path(self.env.get("CONTROL_SOCKET", "/")).parent
        if folder.name.startswith("bartizan-") and folder != self.dir:
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _tail(log, begun=0, lines=20):
        with open(log, "rb") as file:
            file.seek(begun)
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
