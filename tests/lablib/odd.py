#!/usr/bin/python3
"""The way to a target that misbehaves: passes bytes between a client and a real sshd, and does to each connection what a file says.

	odd.py PORT BACKEND_PORT FILE

FILE is JSON, read at each connection; without it nothing odd happens:
	{"delay": 0.5}           the server's first byte comes that many seconds late
	{"cut": 100000}          the connection is cut after so many bytes of the server's
	{"disconnect": "text"}   a banner, and then SSH_MSG_DISCONNECT with this text (RFC 4253 section 11.1)
Whether it gives terminals is sshd's own affair (PermitTTY no in its configuration).
"""
import contextlib
import json
import os
import pathlib
import socket
import struct
import sys
import threading

BY_APPLICATION = 11


def mode(path):
    try:
        return json.loads(pathlib.Path(path).read_text())
    except (OSError, ValueError):
        return {}


def packet(payload):
    """A packet as it is before the key exchange (RFC 4253 section 6)."""
    padding = 8 - (5 + len(payload)) % 8
    padding += 8 if padding < 4 else 0
    return struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + os.urandom(padding)


def text(value):
    data = value.encode()
    return struct.pack(">I", len(data)) + data


def say_goodbye(client, words):
    client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    client.makefile("rb").readline(256)
    client.sendall(packet(struct.pack(">BI", 1, BY_APPLICATION) + text(words) + text("")))
    client.shutdown(socket.SHUT_WR)
    while client.recv(65536):
        pass


def copy(source, sink, limit=None):
    """Until the end, or so many bytes; True: the limit was reached."""
    count = 0
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            count += len(data)
            sink.sendall(data)
            if limit is not None and count >= limit:
                return True
        sink.shutdown(socket.SHUT_WR)
    return False


def serve(client, backend, path):
    odd = mode(path)
    with client:
        if "disconnect" in odd:
            say_goodbye(client, odd["disconnect"])
            return
        if odd.get("delay"):
            threading.Event().wait(odd["delay"])
        with socket.create_connection(("127.0.0.1", backend)) as server:
            up = threading.Thread(target=copy, args=(client, server), daemon=True)
            up.start()
            if copy(server, client, odd.get("cut")):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, as of a machine that fell over
                return
            up.join()


def one(*arguments):
    with contextlib.suppress(OSError):
        serve(*arguments)


def main(port, backend, path):
    with socket.create_server(("127.0.0.1", int(port)), backlog=100) as listener:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=one, args=(client, int(backend), path), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
