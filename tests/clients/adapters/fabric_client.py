"""Fabric, with its gateway for jump mode. It has no way to a certificate but the one beside the key."""
import io

from protocol import Skip, answer, serve


def connection(job):
    import fabric
    import paramiko
    if job.rekey:
        raise Skip("Fabric cannot be told when to rekey")
    if job.agent:
        raise Skip("Fabric's agent is paramiko's")
    config = fabric.Config(overrides={"load_ssh_configs": False, "timeouts": {"connect": 25}})
    key = paramiko.Ed25519Key.from_private_key_file(job.key)
    if job.certificate:
        key.load_certificate(job.certificate)
    how = {"allow_agent": False, "look_for_keys": False, "auth_timeout": 25, "banner_timeout": 25}
    how.update({"pkey": key} if job.certificate else {"key_filename": job.key})

    def make(where, gateway=None):
        made = fabric.Connection(where["host"], where["user"], where["port"], config=config, gateway=gateway, connect_kwargs=dict(how), inline_ssh_env=False)
        made.client.load_host_keys(job.known_hosts)
        made.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        return made
    return make({"host": job.host, "port": job.port, "user": job.user}, make(job.jump) if job.jump else None)


def version(job):
    import fabric
    return {"version": fabric.__version__}


def run(job):
    source = open(job.stdin, "rb") if job.stdin else None
    if source or job.sink:
        raise Skip("Fabric's run() is for text")
    done = connection(job).run(job.command, hide=True, warn=True, in_stream=False, env=job.env)
    return answer(job, done.exited, done.stdout, done.stderr)


def files(job):
    with connection(job) as to:
        to.put(job.local, job.remote)
        to.get(job.remote, job.back)
    return {"status": 0}


serve({"version": version, "run": run, "files": files})
