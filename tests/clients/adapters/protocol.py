"""What the matrix and an adapter say to each other; the adapters in Python share it.

An adapter is a program. It reads one job, a JSON object, from standard input, does it with its client, and prints one JSON object as the last
line of its standard output. A job has

	action       "version": {"version": text}, or {"missing": why this client cannot be had here}
	             "run":     runs `command` on the far side; {"status": number, "stdout": text, "stderr": text}, or "digest" in place of "stdout"
	                        where `sink` is given, and "refused", a list, where the client is told of variables that the server does not take
	             "files":   brings the file `local` to `remote` on the far side, and that back to the file `back`; {"status": 0}
	host, port, user        where to log in, as the client is given it ("root@web1" in direct mode)
	host_key                "ssh-ed25519 AAAA…", the only host key to believe, for the jump host too; known_hosts is a file that says the same
	key, certificate        files in OpenSSH's format. certificate null: a plain key, or a client that has to find the certificate beside the key itself
	agent                   the socket of an agent that holds key and certificate; then key and certificate are null
	jump                    null, or {"host", "port", "user"} of the host to go through; key and host key are the same
	stdin, sink             null, or a file that is the command's standard input; and one to which its standard output goes
	env                     environment variables to ask for before the command
	rekey                   null, or the number of bytes after which the client should ask for new keys; a client that does so by a call only does it once, before the command
	quiet                   whether a client with words of its own is told to keep them (ssh's LogLevel)
	scratch                 an empty folder for this job alone, also HOME
	chroot                  null, or the folder of another Debian to run the client in; world is the matrix's folder, which the client has to see there

What the client cannot do is answered with {"skip": why}, what went wrong with {"error": words}. The matrix sets the time limit.
"""
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import traceback


class Skip(Exception):
    """This client cannot do that, in words."""


class Job:
    def __init__(self, fields):
        self.__dict__.update(fields)

    def path(self, name):
        return os.path.join(self.scratch, name)

    def write(self, name, text, mode=0o600):
        path = self.path(name)
        with open(path, "w", opener=lambda file, flags: os.open(file, flags, mode)) as file:
            file.write(text)
        return path


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def need(program):
    """The program's path; for "version", where an exception means that the client is missing."""
    path = shutil.which(program)
    if not path:
        raise FileNotFoundError("%s is not installed" % program)
    return path


def told(command, pattern=None):
    """The first line that `program --version` prints, on either stream."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return next((line for line in lines if not pattern or pattern in line), "?")


def spawn(job, command, env=None):
    """Runs a client that is a program, with the job's standard input and output; the answer to "run"."""
    source = open(job.stdin, "rb") if job.stdin else subprocess.DEVNULL
    sink = open(job.sink, "wb") if job.sink else subprocess.PIPE
    done = subprocess.run([str(word) for word in command], stdin=source, stdout=sink, stderr=subprocess.PIPE, env={**os.environ, **(env or {})})
    return answer(job, done.returncode, done.stdout, done.stderr)


def answer(job, status, out, err):
    got = {"status": status, "stderr": text(err)}
    if job.sink:
        return {**got, "digest": digest(job.sink)}
    return {**got, "stdout": text(out)}


def text(data):
    return data if isinstance(data, str) else data.decode(errors="replace")


def must(command, stdin=None, env=None, cwd=None):
    """Runs a program that has to end well; its standard output."""
    done = subprocess.run([str(word) for word in command], input=stdin, stdin=None if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env={**os.environ, **(env or {})}, cwd=cwd, text=True, errors="replace")
    if done.returncode:
        raise RuntimeError("%s: status %d: %s" % (shlex.quote(str(command[0])), done.returncode, (done.stderr.strip() or done.stdout.strip())[-600:]))
    return done.stdout


def serve(actions):
    """The whole of an adapter: `actions` has one function for each action, from a Job to its answer."""
    job = Job(json.load(sys.stdin))
    try:
        got = actions[job.action](job)
    except Skip as why:
        got = {"skip": str(why)}
    except Exception as wrong:  # whatever the client's library raises is the answer
        if os.environ.get("TRACE"):
            traceback.print_exc()
        missing = job.action == "version" and isinstance(wrong, (ImportError, FileNotFoundError))
        got = {"missing" if missing else "error": "%s%s" % ("" if missing else type(wrong).__name__ + ": ", wrong)}
    print("\n" + json.dumps(got), flush=True)
    os._exit(0)  # threads of a library that still waits do not hold the answer
