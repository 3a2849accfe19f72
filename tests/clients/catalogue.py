"""The clients of the matrix, and what is checked with each.

A check is a job for the adapter (adapters/protocol.py) and what plain sshd has to give for it; the gateway then has to give the same.
"""
import dataclasses

BULK = 20 << 20
REKEY = 4 << 20

# {bulk} is a file of BULK bytes, {digest} its SHA-256; "sink": the output is too large to be looked at, and only its digest is. "limit": seconds, for
# what makes many connections.
CHECKS = {
    "login": ({"command": "echo in"}, {"status": 0, "stdout": "in\n", "stderr": ""}),
    "exec": ({"command": "echo half; exit 7"}, {"status": 7, "stdout": "half\n", "stderr": ""}),
    "stderr": ({"command": "echo out; echo err >&2; exit 3"}, {"status": 3, "stdout": "out\n", "stderr": "err\n"}),
    "env": ({"command": 'echo "$TEST_TAKEN,$REFUSED"', "env": {"TEST_TAKEN": "taken", "REFUSED": "refused"}}, None),  # clients differ in what they make of a refusal
    "words": ({"command": "echo in", "quiet": False}, {"status": 0, "stdout": "in\n", "stderr": ""}),
    "up": ({"command": "sha256sum", "stdin": "{bulk}"}, {"status": 0, "stdout": "{digest}  -\n", "stderr": ""}),
    "down": ({"command": "cat {bulk}", "sink": True}, {"status": 0, "digest": "{digest}", "stderr": ""}),
    "rekey": ({"command": "sha256sum; cat {bulk}", "stdin": "{bulk}", "sink": True, "rekey": REKEY}, {"status": 0, "digest": "{both}", "stderr": ""}),
    "files": ({"action": "files", "limit": 90}, {"status": 0, "back": "{digest}"}),
    "files-rekey": ({"action": "files", "rekey": REKEY, "limit": 90}, {"status": 0, "back": "{digest}"}),
    "scp": ({"action": "scp"}, {"status": 0, "back": "{digest}"}),
    "scp-old": ({"action": "scp-old"}, {"status": 0, "back": "{digest}"}),
    "many": ({"action": "many", "limit": 120}, {"status": 0, "stdout": "twelve", "stderr": ""}),
    "beside": ({"command": "echo in", "identity": "beside"}, {"status": 0, "stdout": "in\n", "stderr": ""}),
    "agent": ({"command": "echo in", "identity": "agent"}, {"status": 0, "stdout": "in\n", "stderr": ""}),
}

MEANING = {
    "login": "log in and run a command", "exec": "exit status", "stderr": "standard error apart", "env": "variables, taken and refused",
    "words": "nothing but the command's own words on the terminal", "up": "20 MB to a command", "down": "20 MB from a command",
    "rekey": "20 MB up, then down, with new keys every 4 MB", "files": "20 MB there and back, by sftp or the tool's own way", "files-rekey": "the same with new keys every 4 MB",
    "scp": "scp over sftp", "scp-old": "scp by its old protocol", "many": "twelve at once", "beside": "the certificate lies beside the key, nobody names it",
    "agent": "an agent holds key and certificate",
}

LIBRARY = ("login", "exec", "stderr", "env", "up", "down", "rekey", "files")
TOOL = ("files", "files-rekey")
TEXT = ("login", "exec", "stderr", "env", "files", "files-rekey")


@dataclasses.dataclass(frozen=True)
class Client:
    name: str
    adapter: str  # a file below tests/clients, with words for it
    checks: tuple
    installed_by: str = "debian"  # what install.py has to make for it
    certificate: str = "named"  # "named", "beside" the key only, or "" where the client knows plain keys only
    chroot: str = None
    short: bool = False


CLIENTS = [
    Client("openssh", "adapters/openssh.py", ("words", *LIBRARY, "scp", "scp-old", "beside", "agent"), short=True),
    Client("openssh-trixie", "adapters/openssh.py", ("words", *LIBRARY, "scp", "scp-old", "beside", "agent"), "chroot", chroot="trixie"),
    Client("openssh-forky", "adapters/openssh.py", ("words", *LIBRARY, "scp", "scp-old", "beside", "agent"), "chroot", chroot="forky"),
    Client("putty", "adapters/putty.py", (*LIBRARY, "scp", "scp-old", "agent"), short=True),
    Client("dropbear", "adapters/dropbear.py", ("login", "exec", "stderr", "env", "up", "down", "rekey", "scp-old"), certificate="", short=True),
    Client("paramiko", "adapters/paramiko_client.py", (*LIBRARY, "beside", "agent"), "python", short=True),
    Client("fabric", "adapters/fabric_client.py", (*TEXT, "beside"), "python"),
    Client("asyncssh", "adapters/asyncssh_client.py", (*LIBRARY, "scp-old", "beside", "agent"), "python", short=True),
    Client("parallel-ssh", "adapters/parallel_ssh.py", (*TEXT, "scp-old"), "python", certificate=""),
    Client("libssh2", "adapters/libssh2.py", LIBRARY, "python"),
    Client("go", "go", (*LIBRARY, "agent"), "go"),
    Client("npm-ssh2", "node/ssh2.mjs", LIBRARY, "node", certificate=""),
    Client("jsch", "java Jsch", LIBRARY, "java"),
    Client("mina-sshd", "java Mina", LIBRARY, "java"),
    Client("sshj", "java Sshj", LIBRARY, "java", certificate="beside"),
    Client("net-ssh", "adapters/net_ssh.rb", (*LIBRARY, "beside", "agent")),
    Client("ansible-ssh", "adapters/ansible_client.py ssh", ("login", "exec", "files", "files-rekey", "many"), "python"),
    Client("ansible-piped", "adapters/ansible_client.py piped", ("login", "files", "files-rekey", "many"), "python"),
    Client("ansible-paramiko", "adapters/ansible_client.py paramiko", ("login", "exec", "files", "many"), "python", certificate="beside"),
    Client("rsync", "adapters/tools.py rsync", TOOL),
    Client("git", "adapters/tools.py git", TOOL),
    Client("rclone", "adapters/tools.py rclone", TOOL),
    Client("restic", "adapters/tools.py restic", TOOL),
    Client("borg", "adapters/tools.py borg", TOOL),
    Client("lftp", "adapters/tools.py lftp", TOOL),
    Client("sshfs", "adapters/tools.py sshfs", TOOL),
]
