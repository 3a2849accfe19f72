"""parallel-ssh, which is libssh2, with its proxy for jump mode. It knows plain keys only, and looks at no host key."""
from protocol import Skip, answer, serve


def log_in(job):
    from pssh.clients import SSHClient
    if job.env:
        raise Skip("parallel-ssh cannot ask for environment variables")
    if job.rekey:
        raise Skip("libssh2 never asks for new keys")
    through = {"proxy_host": job.jump["host"], "proxy_port": job.jump["port"], "proxy_user": job.jump["user"], "proxy_pkey": job.key} if job.jump else {}
    return SSHClient(job.host, user=job.user, port=job.port, pkey=job.key, allow_agent=False, identity_auth=False, num_retries=1, timeout=25, **through)


def version(job):
    import importlib.metadata
    import pssh.clients  # noqa: F401
    return {"version": importlib.metadata.version("parallel-ssh")}


def run(job):
    if job.stdin or job.sink:
        raise Skip("parallel-ssh's commands are for text")
    client = log_in(job)
    output = client.run_command(job.command)
    out, err = ["".join(line + "\n" for line in stream) for stream in (output.stdout, output.stderr)]
    client.wait_finished(output)
    return answer(job, output.exit_code, out, err)


def files(job):
    client = log_in(job)
    client.copy_file(job.local, job.remote)
    client.copy_remote_file(job.remote, job.back)
    return {"status": 0}


def scp_old(job):
    client = log_in(job)
    client.scp_send(job.local, job.remote)
    client.scp_recv(job.remote, job.back)
    return {"status": 0}


serve({"version": version, "run": run, "files": files, "scp-old": scp_old})
