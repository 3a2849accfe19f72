"""Paramiko by its SSHClient; jump mode by a direct-tcpip channel that is the second connection's socket.

New keys are asked for by a call before the command: with a limit on the bytes (packetizer.REKEY_BYTES) paramiko loses the race between its own
threads now and then, with plain sshd as well.
"""
import os
import threading

from protocol import answer, serve


def connect(job, where, sock=None):
    import paramiko
    client = paramiko.SSHClient()
    client.load_host_keys(job.known_hosts)
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    options = {"allow_agent": False, "look_for_keys": False}
    if job.agent:
        os.environ["SSH_AUTH_SOCK"] = job.agent
        options["allow_agent"] = True
    elif job.certificate:
        options["pkey"] = paramiko.Ed25519Key.from_private_key_file(job.key)
        options["pkey"].load_certificate(job.certificate)
    else:
        options["key_filename"] = job.key
    client.connect(where["host"], where["port"], where["user"], sock=sock, timeout=25, banner_timeout=25, auth_timeout=25, **options)
    return client


def log_in(job):
    target = {"host": job.host, "port": job.port, "user": job.user}
    if not job.jump:
        return connect(job, target)
    outer = connect(job, job.jump)
    channel = outer.get_transport().open_channel("direct-tcpip", (job.host, job.port), ("127.0.0.1", 0))
    client = connect(job, target, channel)
    client.outer = outer  # keeps it alive
    return client


def version(job):
    import paramiko
    return {"version": paramiko.__version__}


def feed(job, stdin):
    if job.stdin:
        with open(job.stdin, "rb") as source:
            while data := source.read(1 << 18):
                stdin.write(data)
    stdin.channel.shutdown_write()


def run(job):
    client = log_in(job)
    if job.rekey:
        client.get_transport().renegotiate_keys()
    stdin, stdout, stderr = client.exec_command(job.command, environment=job.env or None)
    said = []
    beside = [threading.Thread(target=feed, args=(job, stdin)), threading.Thread(target=lambda: said.append(stderr.read()))]
    for thread in beside:
        thread.start()
    out = b"" if job.sink else stdout.read()
    if job.sink:
        with open(job.sink, "wb") as sink:
            while data := stdout.read(1 << 18):
                sink.write(data)
    for thread in beside:
        thread.join()
    return answer(job, stdout.channel.recv_exit_status(), out, said[0])


def files(job):
    sftp = log_in(job).open_sftp()
    sftp.put(job.local, job.remote)
    sftp.get(job.remote, job.back)
    sftp.close()
    return {"status": 0}


serve({"version": version, "run": run, "files": files})
