"""What brings the clients that no Debian package of this machine has: by name, through the package managers' ordinary clients, below build/clients.

Chroots with other releases' OpenSSH lie in the cache folder instead, since they serve every build folder. Each is made once, and again when its
manifest changes. What cannot be had is a Missing with the reason; the matrix then skips the clients that need it.
"""
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = 900
SUITES = {"bookworm": "bookworm", "trixie": "trixie", "forky": "sid"}  # the suite, and debootstrap's script for it


class Missing(Exception):
    """Why something cannot be had here, in words."""


class Broken(Exception):
    """An adapter of ours does not compile."""


def call(command, cwd=None, failure=Missing):
    try:
        done = subprocess.run([str(word) for word in command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=SECONDS)
    except FileNotFoundError as wrong:
        raise Missing("%s is not installed" % command[0]) from wrong
    except subprocess.TimeoutExpired as late:
        raise Missing("%s did not end in %d s" % (command[0], SECONDS)) from late
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()] or ["status %d" % done.returncode]
        told = next((line for line in lines if "error" in line.lower() or line.startswith(("E:", "go:"))), lines[-1])
        raise failure("%s: %s" % (pathlib.Path(command[0]).name, told.strip()[:200]))


class Installer:
    def __init__(self, build):
        self.build = build / "clients"
        self.build.mkdir(parents=True, exist_ok=True)
        self.tried = {}

    def get(self, kind, name=None):
        """Makes what is needed, once; raises the same Missing or Broken every time."""
        if (kind, name) not in self.tried:
            try:
                with open(self.build / "lock", "w") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    getattr(self, kind)(*([name] if name else []))
                self.tried[kind, name] = None
            except (Missing, Broken) as why:
                self.tried[kind, name] = why
        if self.tried[kind, name]:
            raise self.tried[kind, name]

    def fresh(self, kind):
        """(folder, whether its sources have changed, what to write to its stamp when it is made); the sources are copied there."""
        folder, sources = self.build / kind, sorted(path for path in (HERE / kind).rglob("*") if path.is_file())
        digest = hashlib.sha256(b"".join(str(path.relative_to(HERE)).encode() + path.read_bytes() for path in sources)).hexdigest()
        stamp = folder / "made"
        if stamp.exists() and stamp.read_text() == digest:
            return folder, False, lambda: None
        shutil.copytree(HERE / kind, folder, dirs_exist_ok=True)
        return folder, True, lambda: stamp.write_text(digest)

    def debian(self):
        """packaging/packages-clients.txt has been seen to; each adapter looks for its own programs."""

    def python(self):
        folder, changed, made = self.fresh("python")
        if changed:
            call(["/usr/bin/python3", "-m", "venv", folder])
            call([folder / "bin/pip", "install", "-q", "--disable-pip-version-check", "-r", folder / "requirements.txt"])
            made()

    def node(self):
        folder, changed, made = self.fresh("node")
        if changed:
            call(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"], cwd=folder)
            made()

    def go(self):
        folder, changed, made = self.fresh("go")
        if changed:
            call(["go", "mod", "tidy"], cwd=folder)
            call(["go", "build", "-o", "adapter", "."], cwd=folder, failure=Broken)
            made()

    def java(self):
        folder, changed, made = self.fresh("java")
        if changed:
            call(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"], cwd=folder)
            call(["javac", "-d", "classes", "-cp", "lib/*", *sorted((folder / "bartizan").rglob("*.java"))], cwd=folder, failure=Broken)
            made()

    def chroot(self, suite):
        folder = chroots() / suite
        if (folder / "usr/bin/ssh").exists():
            return
        if os.getuid():
            raise Missing("only root can make a chroot of Debian %s" % suite)
        if not shutil.which("debootstrap"):
            raise Missing("debootstrap is not installed")
        half = folder.with_name(suite + ".new")
        shutil.rmtree(half, ignore_errors=True)
        half.parent.mkdir(parents=True, exist_ok=True)
        call(["debootstrap", "--variant=minbase", "--include=openssh-client", suite, half, mirror(), SUITES[suite]])
        half.rename(folder)

    def command(self, adapter):
        """(words, environment) that start an adapter of the catalogue."""
        name, *words = adapter.split()
        if name == "go":
            return [self.build / "go/adapter"], {}
        if name == "java":
            return ["java", "-XX:TieredStopAtLevel=1", "-cp", "%s:%s/*" % (self.build / "java/classes", self.build / "java/lib"), "bartizan." + words[0]], {}
        started_by = {".py": "/usr/bin/python3", ".rb": "ruby", ".mjs": "node"}[pathlib.Path(name).suffix]
        return [started_by, HERE / name, *words], {"CLIENTS": str(self.build), "PYTHONDONTWRITEBYTECODE": "1"}


def chroots():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "bartizan/chroots"


def mirror():
    """Where this machine's own apt has Debian from; empty (debootstrap's own choice) when it does not tell."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian"]
    try:
        return subprocess.run(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return ""
