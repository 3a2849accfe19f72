#!/usr/bin/python3
"""A ProxyCommand that connects to HOST PORT and says the bytes of HEX first: a load balancer's PROXY header."""
import os
import select
import socket
import sys

connection = socket.create_connection((sys.argv[1], int(sys.argv[2])))
connection.sendall(bytes.fromhex(sys.argv[3]))
streams = [0, connection.fileno()]
while streams:
    for fd in select.select(streams, [], [])[0]:
        data = os.read(fd, 65536)
        if not data and fd == 0:
            streams.remove(0)
            connection.shutdown(socket.SHUT_WR)
        elif not data:
            sys.exit(0)
        elif fd == 0:
            connection.sendall(data)
        else:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
