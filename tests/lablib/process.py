"""Processes that outlive the script which started them, and how to stop exactly those.

A process is remembered by its id and its start time, so that an id used again by a stranger is never signalled. What a
process has begotten is found by parent and by session id, because sshd's children and the gateway's roles are its own.
"""
import os
import pathlib
import signal
import socket
import subprocess
import time


class Wait(Exception):
    """Something did not happen in time."""


def wait_until(ready, seconds, what, pause=0.02):
    """Calls ready() until it is true; returns what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        got = ready()
        if got:
            return got
        if time.monotonic() > deadline:
            raise Wait("%s: not within %g s" % (what, seconds))
        time.sleep(pause)


def listening(path):
    """Whether somebody takes connections at the socket: its name is there a moment before that."""
    with socket.socket(socket.AF_UNIX) as near:
        return near.connect_ex(str(path)) == 0


def stat_fields(pid):
    """The fields of /proc/PID/stat after the name, from the state on; None when there is no such process."""
    try:
        return pathlib.Path("/proc/%d/stat" % pid).read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def start_time(pid):
    fields = stat_fields(pid)
    return int(fields[19]) if fields and fields[0] not in "ZX" else None


def all_processes():
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = stat_fields(int(name))
            if fields and fields[0] not in "ZX":
                yield int(name), int(fields[1]), int(fields[3]), int(fields[19])


def family(pid):
    """{pid: start time} of a process, its descendants, and whoever is in the session that it leads."""
    table = list(all_processes())
    members = {pid}
    grown = True
    while grown:
        new = {child for child, parent, session, _ in table if (parent in members or session == pid) and child not in members}
        grown = bool(new)
        members |= new
    return {child: started for child, _, _, started in table if child in members}


def alive(pid, started):
    return start_time(pid) == started


def send(pid, started, number):
    if alive(pid, started):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def stop(pid, started, patience=3.0):
    """SIGTERM to the process, and SIGKILL to what is left of its family after `patience` seconds."""
    members = family(pid) if alive(pid, started) else {}
    # Led by a dead leader a session may still have members; they started later than the leader did.
    members.update({child: begun for child, _, session, begun in all_processes() if session == pid and begun >= started})
    send(pid, started, signal.SIGTERM)
    try:
        wait_until(lambda: not any(alive(*member) for member in members.items()), patience, "end of process %d" % pid)
    except Wait:
        members.update(family(pid) if alive(pid, started) else {})
        for member in members.items():
            send(*member, signal.SIGKILL)
        wait_until(lambda: not any(alive(*member) for member in members.items()), 5, "death of process %d" % pid)


def spawn(command, log, env=None, pass_fds=()):
    """Starts a process in a session of its own, with its output in the file `log`; (pid, start time)."""
    with open(log, "ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, pass_fds=pass_fds, start_new_session=True)
    process.returncode = 0  # it outlives us on purpose: no warning when this object goes
    return process.pid, start_time(process.pid) or 0


def reap(pid):
    """When the process is our own child and has ended: its status, else None."""
    try:
        done, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None if start_time(pid) else 0
    return status if done else None
