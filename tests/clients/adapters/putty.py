"""PuTTY's plink, psftp and pscp."""
import base64
import hashlib
import shlex

from protocol import must, need, serve, spawn, told


def key(job):
    """The key in PuTTY's own format, with the certificate in it, as PuTTY wants it."""
    certificate = ["--certificate", job.certificate] if job.certificate else []
    must(["puttygen", job.key, *certificate, "-O", "private", "-o", job.path("id.ppk")])
    return job.path("id.ppk")


def fingerprint(job):
    blob = base64.b64decode(job.host_key.split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def options(job):
    """The words that all three programs take, before the host's."""
    words = ["-batch", "-noshare", "-hostkey", fingerprint(job)]
    words += ["-agent"] if job.agent else ["-noagent", "-i", key(job)]
    environment = {"HOME": job.scratch, **({"SSH_AUTH_SOCK": job.agent} if job.agent else {})}
    jump = []
    if job.jump:
        through = ["plink", *words, "-P", job.jump["port"], "-l", job.jump["user"], "-nc", "%host:%port", job.jump["host"]]
        jump = ["-proxycmd", shlex.join(map(str, through))]
    must(["mkdir", "-p", job.path(".putty/sessions")])
    session = ["Protocol=ssh", *(["RekeyBytes=%d" % job.rekey] if job.rekey else [])]
    session += ["Environment=" + ",".join("%s=%s" % pair for pair in job.env.items())] if job.env else []
    job.write(".putty/sessions/matrix", "\n".join(session) + "\n")
    return ["-load", "matrix", *words, *jump, "-P", job.port, "-l", job.user], environment


def version(job):
    for program in ("puttygen", "psftp", "pscp"):
        need(program)
    return {"version": told([need("plink"), "-V"], "elease").split()[-1]}


def run(job):
    words, environment = options(job)
    return spawn(job, ["plink", *words, job.host, job.command], environment)


def files(job):
    words, environment = options(job)
    batch = job.write("batch", "put %s %s\nget %s %s\n" % (job.local, job.remote, job.remote, job.back))
    must(["psftp", *words, "-b", batch, job.host], env=environment)
    return {"status": 0}


def copy(job, protocol):
    words, environment = options(job)
    must(["pscp", "-q", protocol, *words, job.local, "%s:%s" % (job.host, job.remote)], env=environment)
    must(["pscp", "-q", protocol, *words, "%s:%s" % (job.host, job.remote), job.back], env=environment)
    return {"status": 0}


def scp(job):
    return copy(job, "-sftp")


def scp_old(job):
    return copy(job, "-scp")


serve({"version": version, "run": run, "files": files, "scp": scp, "scp-old": scp_old})
