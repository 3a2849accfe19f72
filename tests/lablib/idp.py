"""The lab's identity provider: npm's oidc-provider, installed once into the build folder, run by tests/idp/provider.mjs."""
import fcntl
import json
import os
import pathlib
import secrets
import shutil
import ssl
import subprocess
import urllib.request

from . import files, process

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "idp"
INSTALL_SECONDS = 300
READY_SECONDS = 60


# What RFC 5280 asks of each; Python looks since 3.13 (VERIFY_X509_STRICT). The configuration that openssl finds on a machine adds nothing to it.
AUTHORITY = ("-config", "/dev/null", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
             "-addext", "subjectKeyIdentifier=hash")
SERVER = """subjectAltName=%s
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid:always
"""


class Missing(Exception):
    """The provider cannot be had, in words."""


def install(folder):
    """Puts oidc-provider and our script into folder, unless they are there; several labs may do so at once."""
    for name in ("node", "npm", "openssl"):
        if not shutil.which(name):
            raise Missing("%s is not installed; run: make deps" % name)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = (SOURCE / "package-lock.json").read_bytes()
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "installed.json"
        if not stamp.exists() or stamp.read_bytes() != wanted:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCE / name, folder / name)
            done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=INSTALL_SECONDS)
            if done.returncode:
                raise Missing("npm ci: %s" % done.stdout.strip())
            stamp.write_bytes(wanted)
        script = folder / "provider.mjs"
        if not script.exists() or script.read_bytes() != (SOURCE / "provider.mjs").read_bytes():
            shutil.copy(SOURCE / "provider.mjs", folder / "provider.new")
            (folder / "provider.new").replace(script)
    return folder / "provider.mjs"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def authority(folder, name):
    """A private authority NAME.pem with its key, unless it is there."""
    if not (folder / (name + ".pem")).exists():
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / (name + ".key"), "-out", folder / (name + ".pem"),
                "-days", 3650, "-subj", "/CN=The lab's authority", *AUTHORITY)


def certificate(folder, name, ca="ca", san="IP:127.0.0.1", days=3650):
    """A server certificate NAME.pem of this authority, unless it is there."""
    if (folder / (name + ".pem")).exists():
        return
    (folder / (name + ".ext")).write_text(SERVER % san)
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / (name + ".key"), "-out", folder / (name + ".csr"),
            "-subj", "/CN=" + name)
    openssl("x509", "-req", "-in", folder / (name + ".csr"), "-CA", folder / (ca + ".pem"), "-CAkey", folder / (ca + ".key"), "-set_serial", secrets.randbits(63),
            "-days", days, "-extfile", folder / (name + ".ext"), "-out", folder / (name + ".pem"))


def prepare(folder):
    """Authority, certificate, the secret for /lab/ calls, and the script that plays the browser."""
    folder.mkdir(exist_ok=True)
    authority(folder, "ca")
    certificate(folder, "tls")
    if not (folder / "secret").exists():
        (folder / "secret").write_text(secrets.token_urlsafe(24) + "\n")
        (folder / "secret").chmod(0o600)
    shutil.copy(SOURCE / "login.py", folder.parent / "login")
    (folder.parent / "login").chmod(0o755)


def spawn(script, folder, port, log):
    """Starts it; (pid, start time, descriptor on which it says that it is ready)."""
    ready, signal_end = os.pipe()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NODE_") and not key.lower().endswith("_proxy")}
    environment.update(IDP_PORT=str(port), IDP_KEY=str(folder / "tls.key"), IDP_CERT=str(folder / "tls.pem"), IDP_PEOPLE=json.dumps(files.PEOPLE),
                       IDP_SECRET=(folder / "secret").read_text().strip(), IDP_READY_FD=str(signal_end))
    try:
        pid, started = process.spawn(["node", str(script)], log, env=environment, pass_fds=(signal_end,))
    finally:
        os.close(signal_end)
    return pid, started, ready


def wait_ready(ready):
    """True when it listens, False when it ended before."""
    os.set_blocking(ready, False)
    got = []

    def answered():
        try:
            got.append(os.read(ready, 64))
        except BlockingIOError:
            return False
        return not got[-1] or b"\n" in b"".join(got)
    try:
        process.wait_until(answered, READY_SECONDS, "the identity provider's readiness")
        return b"ready\n" in b"".join(got)
    finally:
        os.close(ready)


def call(folder, port, name, **asked):
    """A call of provider.mjs for tests: rotate, set, token."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python does from 3.13 on
    request = urllib.request.Request("https://127.0.0.1:%d/lab/%s" % (port, name), json.dumps(asked).encode(), method="POST", headers={
        "Authorization": "Bearer " + (folder / "secret").read_text().strip(), "Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(request, timeout=20) as answer:
        return json.load(answer)
