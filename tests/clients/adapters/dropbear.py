"""Dropbear's dbclient, and scp on top of it. It knows no certificates and cannot be told when to rekey."""
import shlex

from protocol import Skip, must, need, serve, spawn, told


def command(job):
    """dbclient's words up to the host; its HOME holds the host keys."""
    if job.env:
        raise Skip("dbclient cannot ask for environment variables")
    if job.rekey:
        raise Skip("dbclient cannot be told when to rekey")
    must(["dropbearconvert", "openssh", "dropbear", job.key, job.path("id")])
    must(["mkdir", "-p", job.path(".ssh")])
    hosts = {job.host, *([job.jump["host"]] if job.jump else [])}
    job.write(".ssh/known_hosts", "".join("%s %s\n" % (host, job.host_key) for host in hosts))
    words = ["dbclient", "-q", "-T", "-i", job.path("id")]
    jump = []
    if job.jump:
        through = [*words, "-p", job.jump["port"], "-l", job.jump["user"], "-B", "%s:%d" % (job.host, job.port), job.jump["host"]]
        jump = ["-J", shlex.join(map(str, through))]
    return [*words, *jump, "-p", job.port, "-l", job.user]


def version(job):
    need("dropbearconvert")
    return {"version": told([need("dbclient"), "-V"]).split()[1].removeprefix("v")}


def run(job):
    return spawn(job, [*command(job), job.host, job.command], {"HOME": job.scratch})


def scp_old(job):
    """scp's own words (-x, -o…, --) are OpenSSH's: the host and the command are the last two."""
    words = shlex.join(map(str, command(job)))
    script = job.write("dbclient.sh", 'while [ $# -gt 2 ]; do shift; done\nexec %s "$1" "$2"\n' % words)
    program = job.write("dbclient", "#!/bin/sh\nexec sh %s \"$@\"\n" % shlex.quote(script), 0o700)
    must(["scp", "-O", "-q", "-S", program, job.local, "%s:%s" % (job.host, job.remote)], env={"HOME": job.scratch})
    must(["scp", "-O", "-q", "-S", program, "%s:%s" % (job.host, job.remote), job.back], env={"HOME": job.scratch})
    return {"status": 0}


serve({"version": version, "run": run, "scp-old": scp_old})
