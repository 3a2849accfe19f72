"""asyncssh, with its tunnel for jump mode."""
import asyncio

from protocol import answer, serve


async def log_in(job):
    import asyncssh
    options = {"known_hosts": job.known_hosts, "config": None, "agent_path": job.agent, "connect_timeout": 25, "login_timeout": 25}
    if job.certificate:
        options["client_keys"] = [(job.key, job.certificate)]
    elif job.key:
        options["client_keys"] = [job.key]
    if job.rekey:
        options["rekey_bytes"] = job.rekey
    tunnel = await asyncssh.connect(job.jump["host"], job.jump["port"], username=job.jump["user"], **options) if job.jump else None
    return await asyncssh.connect(job.host, job.port, username=job.user, tunnel=tunnel, **options)


async def run(job):
    connection = await log_in(job)
    done = await connection.run(job.command, stdin=job.stdin or asyncio.subprocess.DEVNULL, **({"stdout": job.sink} if job.sink else {}), env=job.env or {}, encoding=None)
    return answer(job, done.exit_status, done.stdout, done.stderr)


async def files(job):
    async with (await log_in(job)).start_sftp_client() as sftp:
        await sftp.put(job.local, job.remote)
        await sftp.get(job.remote, job.back)
    return {"status": 0}


async def scp_old(job):
    import asyncssh
    connection = await log_in(job)
    await asyncssh.scp(job.local, (connection, job.remote))
    await asyncssh.scp((connection, job.remote), job.back)
    return {"status": 0}


def version(job):
    import asyncssh
    return {"version": asyncssh.__version__}


serve({"version": version, "run": lambda job: asyncio.run(run(job)), "files": lambda job: asyncio.run(files(job)), "scp-old": lambda job: asyncio.run(scp_old(job))})
