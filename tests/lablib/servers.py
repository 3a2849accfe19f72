"""The lab's OpenSSH servers, and the free ports that everything listens on."""
import grp
import os
import pathlib
import pwd
import shutil
import socket
import subprocess

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/sbin")


def free_ports(count):
    """Distinct ports that nobody listens on now, neither on IPv4 nor on IPv6 loopback."""
    held, ports = [], []
    families = [(socket.AF_INET, "127.0.0.1")] + ([(socket.AF_INET6, "::1")] if has_ipv6() else [])
    while len(ports) < count:
        port = 0
        try:
            for family, host in families:
                listener = socket.socket(family, socket.SOCK_STREAM)
                held.append(listener)
                listener.bind((host, port))
                port = listener.getsockname()[1]
        except OSError:
            continue
        ports.append(port)
    for listener in held:
        listener.close()
    return ports


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def banner(port, host="127.0.0.1", timeout=2.0):
    """The first line that a server on this port says; empty when none does."""
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            return connection.makefile("rb").readline(256).decode(errors="replace").strip()
    except OSError:
        return ""


def login():
    return pwd.getpwuid(os.getuid()).pw_name


def password_locked():
    """Whether sshd without PAM would refuse this account as locked (root of many containers is)."""
    try:
        for line in pathlib.Path("/etc/shadow").read_text().splitlines():
            fields = line.split(":")
            if fields[0] == login():
                return fields[1].startswith("!")
    except OSError:
        pass
    return False


def sshd_config(directory, name, port, trust, terminals=True):
    """A server's configuration as text; trust is its line about whose keys it believes. Works as root and as an ordinary user."""
    return "\n".join([
        "Port %d" % port,
        "ListenAddress 127.0.0.1",
        *(["ListenAddress ::1"] if has_ipv6() else []),
        "HostKey %s" % (directory / "hosts" / name),
        "PidFile none",
        trust,
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        "UsePAM %s" % ("yes" if password_locked() else "no"),
        "StrictModes no",
        "UseDNS no",
        "PermitTTY %s" % ("yes" if terminals else "no"),
        "PermitUserEnvironment no",
        "AcceptEnv LANG LC_* TEST_*",
        "SetEnv SHLVL=1",  # otherwise bash reads ~/.bashrc for every single command, and a slow one spoils what is measured
        "AllowTcpForwarding yes",
        "AllowAgentForwarding yes",
        "X11Forwarding yes",
        "PrintMotd no",
        "PrintLastLog no",
        "MaxStartups 500",
        "MaxSessions 100",
        "LogLevel VERBOSE",
        "Subsystem sftp internal-sftp",
    ]) + "\n"


def terminals_belong_to_us():
    """Whether a terminal that we open has the owner and group that sshd wants; only root could give it others (sshd then refuses it)."""
    master, slave = os.openpty()
    try:
        status = os.fstat(slave)
        return status.st_gid == grp.getgrnam("tty").gr_gid
    except KeyError:
        return True
    finally:
        os.close(master)
        os.close(slave)


def command(config):
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    plain = [SSHD, "-D", "-e", "-f", str(config)]
    if os.getuid() == 0 or terminals_belong_to_us():
        return plain
    # Containers mount /dev/pts without gid=5. Where nobody knows a group 'tty', sshd is content with our own: hide it, in a mount namespace.
    groups = config.with_name("group")
    groups.write_text("".join(line for line in pathlib.Path("/etc/group").read_text().splitlines(True) if not line.startswith("tty:")))
    hide = 'mount --bind "$0" /etc/group 2>/dev/null; exec setpriv --ambient-caps -all --inh-caps -all "$@"'
    inside = ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount"]
    possible = subprocess.run([*inside, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
    return [*inside, "sh", "-c", hide, str(groups), *plain] if possible else plain
