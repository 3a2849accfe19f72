"""What people run on top of ssh: `tools.py NAME`. Each brings a file to the far side and back, in its own way; all but rclone by the system's ssh."""
import os
import pathlib
import shlex
import shutil
import sys

from openssh import ssh
from protocol import Skip, must, need, serve, told

FAR = "target"


def quoted(job):
    return shlex.join(ssh(job))


def rsync(job):
    for pair in ((job.local, FAR + ":" + job.remote), (FAR + ":" + job.remote, job.back)):
        must(["rsync", "-c", "-e", quoted(job), *pair])


def git(job):
    """One commit is pushed, and cloned again from there."""
    name, work, again = os.path.basename(job.local), job.path("work"), job.path("again")
    environment = {"GIT_SSH_COMMAND": quoted(job), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "HOME": job.scratch, "GIT_AUTHOR_NAME": "a",
                   "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    must(["git", "init", "-q", "--bare", "-b", "main", job.remote])
    must(["git", "init", "-q", "-b", "main", work], env=environment)
    shutil.copy(job.local, work)
    for words in (["add", name], ["commit", "-q", "-m", "one"], ["push", "-q", "%s:%s" % (FAR, job.remote), "main"]):
        must(["git", "-C", work, *words], env=environment)
    must(["git", "clone", "-q", "-b", "main", "%s:%s" % (FAR, job.remote), again], env=environment)
    shutil.copy(os.path.join(again, name), job.back)


def restic(job):
    environment = {"RESTIC_PASSWORD": "matrix", "RESTIC_CACHE_DIR": job.path("cache"), "HOME": job.scratch}
    command = ["restic", "-q", "-r", "sftp:%s:%s" % (FAR, job.remote), "-o", "sftp.command=%s %s -s sftp" % (quoted(job), FAR)]
    must([*command, "init"], env=environment)
    must([*command, "backup", job.local], env=environment)
    must([*command, "restore", "latest", "--target", job.path("restored")], env=environment)
    shutil.copy(job.path("restored") + job.local, job.back)


def borg(job):
    environment = {"BORG_RSH": quoted(job), "BORG_BASE_DIR": job.scratch, "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes", "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"}
    place = "ssh://%s%s" % (FAR, job.remote)
    must(["borg", "init", "-e", "none", place], env=environment)
    must(["borg", "create", place + "::one", job.local], env=environment)
    must(["borg", "extract", place + "::one"], env=environment, cwd=job.scratch)
    shutil.copy(job.scratch + job.local, job.back)


def lftp(job):
    script = "set sftp:connect-program \"%s -a -x\"\nset net:max-retries 1\nset net:timeout 20\nset cmd:fail-exit yes\nopen -u %s,none sftp://%s\nput %s -o %s\nget %s -o %s\n" % (
        quoted(job), job.user, FAR, job.local, job.remote, job.remote, job.back)
    must(["lftp", "-f", job.write("script", script)], env={"HOME": job.scratch})


def sshfs(job):
    """A file is copied into a mounted folder, and read from another mount, so that no cache answers."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        raise Skip("/dev/fuse is not there for us")
    folder, name = os.path.split(job.remote)
    for source, sink in ((job.local, None), (None, job.back)):
        point = pathlib.Path(job.path("up" if source else "down"))
        point.mkdir()
        must(["sshfs", "%s:%s" % (FAR, folder), point, "-o", "ssh_command=%s" % quoted(job).replace(",", "\\,")])
        try:
            shutil.copyfile(source or point / name, sink or point / name)
        finally:
            must(["fusermount3", "-u", point])


def rclone(job):
    """Its own SSH client is Go's; it knows certificates, and nothing of jump hosts in this version."""
    if job.jump:
        raise Skip("rclone's own client knows no jump host")
    if job.rekey:
        raise Skip("rclone cannot be told when to rekey")
    config = "[%s]\ntype = sftp\nhost = %s\nport = %d\nuser = %s\nkey_file = %s\nknown_hosts_file = %s\nshell_type = unix\n" % (
        FAR, job.host, job.port, job.user, job.key, job.known_hosts)
    config += "pubkey_file = %s\n" % job.certificate if job.certificate else ""
    command = ["rclone", "--config", job.write("rclone.conf", config), "--retries", "1", "--low-level-retries", "1", "--contimeout", "20s"]
    must([*command, "copyto", job.local, "%s:%s" % (FAR, job.remote)])
    must([*command, "copyto", "%s:%s" % (FAR, job.remote), job.back])


TOOLS = {  # name: what it does, the programs that it needs, how its version is asked
    "rsync": (rsync, ["rsync"], ["rsync", "--version"]),
    "git": (git, ["git"], ["git", "--version"]),
    "restic": (restic, ["restic"], ["restic", "version"]),
    "borg": (borg, ["borg"], ["borg", "--version"]),
    "lftp": (lftp, ["lftp"], ["lftp", "--version"]),
    "sshfs": (sshfs, ["sshfs", "fusermount3"], ["sshfs", "--version"]),
    "rclone": (rclone, ["rclone"], ["rclone", "version"]),
}


def main(name):
    transfer, programs, asked = TOOLS[name]

    def version(job):
        for program in programs:
            need(program)
        words = told(asked, "SSHFS version" if name == "sshfs" else None).replace("|", " ").split()
        return {"version": next(word for word in words if word.lstrip("v")[:1].isdigit())}

    def files(job):
        transfer(job)
        return {"status": 0}
    serve({"version": version, "files": files})


main(sys.argv[1])
