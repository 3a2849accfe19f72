"""libssh2 as a library (by ssh2-python): the certificate is given in place of the public key, which libssh2 takes; jump mode by a tunnel of its own."""
import select
import socket
import threading

from protocol import Skip, answer, serve, text

BLOCK = 1 << 15


def connect(job, where, sock):
    from ssh2.session import LIBSSH2_HOSTKEY_HASH_SHA256, Session
    import base64
    import hashlib
    session = Session()
    session.handshake(sock)
    wanted = hashlib.sha256(base64.b64decode(job.host_key.split()[1])).digest()
    if session.hostkey_hash(LIBSSH2_HOSTKEY_HASH_SHA256)[:32] != wanted:
        raise ValueError("another host key")
    session.userauth_publickey_fromfile(where["user"], job.key, "", job.certificate or job.key + ".pub")
    return session


def pump(channel, session, outer, inner):
    """Bytes between a tunnel's channel and our end of a socket pair, until either ends."""
    session.set_blocking(False)
    while True:
        select.select([outer, inner], [], [], 1)
        while True:
            size, data = channel.read(BLOCK)
            if size <= 0:
                break
            inner.sendall(data)
        if channel.eof():
            return inner.close()
        try:
            data = inner.recv(BLOCK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            continue
        while data:
            rc, written = channel.write(data)
            data = data[max(written, 0):]


def log_in(job):
    if job.env:
        raise Skip("left to the other clients")
    if job.rekey:
        raise Skip("libssh2 never asks for new keys")
    target = {"host": job.host, "port": job.port, "user": job.user}
    if not job.jump:
        sock = socket.create_connection((job.host, job.port))
        return connect(job, target, sock), sock
    outer = socket.create_connection((job.jump["host"], job.jump["port"]))
    session = connect(job, job.jump, outer)
    channel = session.direct_tcpip(job.host, job.port)
    ours, theirs = socket.socketpair()
    threading.Thread(target=pump, args=(channel, session, outer, theirs), daemon=True).start()
    return connect(job, target, ours), (outer, session, channel, ours)


def version(job):
    from ssh2.utils import version as library
    return {"version": text(library())}


def run(job):
    session, held = log_in(job)
    channel = session.open_session()
    channel.execute(job.command)
    if job.stdin:
        with open(job.stdin, "rb") as source:
            while data := source.read(BLOCK):
                channel.write(data)
    channel.send_eof()
    out, err = [], []
    for read, parts in ((channel.read, out), (channel.read_stderr, err)):
        while (got := read(BLOCK))[0] > 0:
            parts.append(got[1])
    channel.wait_eof()
    channel.close()
    channel.wait_closed()
    if job.sink:
        with open(job.sink, "wb") as sink:
            sink.write(b"".join(out))
    return answer(job, channel.get_exit_status(), b"".join(out), b"".join(err))


def files(job):
    from ssh2.sftp import LIBSSH2_FXF_CREAT, LIBSSH2_FXF_READ, LIBSSH2_FXF_WRITE
    session, held = log_in(job)
    sftp = session.sftp_init()
    with open(job.local, "rb") as local, sftp.open(job.remote, LIBSSH2_FXF_CREAT | LIBSSH2_FXF_WRITE, 0o600) as remote:
        while data := local.read(1 << 18):
            remote.write(data)
    with open(job.back, "wb") as back, sftp.open(job.remote, LIBSSH2_FXF_READ, 0) as remote:
        for size, data in remote:
            back.write(data)
    return {"status": 0}


serve({"version": version, "run": run, "files": files})
