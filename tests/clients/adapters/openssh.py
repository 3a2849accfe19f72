"""OpenSSH's ssh and sftp: the system's, or those of another Debian's chroot; and how the tools that call ssh are given it."""
import os
import shlex

from protocol import Skip, must, need, serve, spawn, told

CONFIG = """\
Host *
	IdentitiesOnly {only}
	IdentityAgent {agent}
	StrictHostKeyChecking yes
	UserKnownHostsFile {known_hosts}
	GlobalKnownHostsFile /dev/null
	UpdateHostKeys no
	BatchMode yes
	LogLevel {level}
{more}Host target
	HostName {host}
	Port {port}
	User {user}
	HostKeyAlias target
"""

JUMP = """\
	ProxyCommand {ssh} -F {file} -W [%h]:%p jump
Host jump
	HostName {host}
	Port {port}
	User {user}
	HostKeyAlias target
"""

INSIDE = 'for place in "$1" /dev /proc; do mkdir -p "$0$place" && mount --rbind "$place" "$0$place"; done; chroot=$0; shift; exec chroot "$chroot" "$@"'


def chrooted(job):
    """The words before a program's name that run it in the job's chroot, where the matrix's folder is mounted; nothing of that is left behind."""
    return ["unshare", "--mount", "--", "sh", "-c", INSIDE, job.chroot, job.world] if job.chroot else []


def config(job, agent=None):
    """An ssh_config for this job, where the far side is called `target`."""
    more = ["IdentityFile %s" % job.key] if job.key else []
    more += ["CertificateFile %s" % job.certificate] if job.certificate else []
    more += ["RekeyLimit %d" % job.rekey] if job.rekey else []
    more += ["SetEnv %s" % " ".join("%s=%s" % pair for pair in job.env.items())] if job.env else []
    path = job.path("ssh_config")
    written = CONFIG.format(known_hosts=job.known_hosts, level="ERROR" if job.quiet else "INFO", host=job.host, port=job.port, user=job.user,
                            only="no" if job.agent else "yes", agent=agent or job.agent or "none", more="".join("\t%s\n" % line for line in more))
    if job.jump:
        # ProxyJump would do, but ssh calls itself for it by the name that it was called by; here the configuration is sure to be the same.
        written += JUMP.format(ssh=shlex.quote("ssh"), file=path, **job.jump)
    return job.write("ssh_config", written)


def ssh(job, program="ssh"):
    return [*chrooted(job), program, "-F", config(job)]


def version(job):
    if job.chroot and not os.path.exists(job.chroot + "/usr/bin/ssh"):
        raise FileNotFoundError("no chroot at %s" % job.chroot)
    need("ssh")
    return {"version": told([*chrooted(job), "ssh", "-V"], "OpenSSH").split(",")[0].removeprefix("OpenSSH_")}


def run(job):
    return spawn(job, [*ssh(job), "target", job.command])


def files(job):
    batch = "put %s %s\nget %s %s\n" % (job.local, job.remote, job.remote, job.back)
    must([*ssh(job, "sftp"), "-b", "-", "target"], stdin=batch)
    return {"status": 0}


def copy(job, protocol):
    must([*ssh(job, "scp"), protocol, job.local, "target:" + job.remote])
    must([*ssh(job, "scp"), protocol, "target:" + job.remote, job.back])
    return {"status": 0}


def scp(job):
    return copy(job, "-s")


def scp_old(job):
    return copy(job, "-O")


if __name__ == "__main__":
    serve({"version": version, "run": run, "files": files, "scp": scp, "scp-old": scp_old})
