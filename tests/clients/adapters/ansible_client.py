"""Ansible from the matrix's own Python: `ansible_client.py ssh|piped|paramiko`. ssh transfers by sftp, piped by dd through the connection.

"run" is the module shell, "files" copy and fetch, "many" a play of twelve hosts, all of which are the target, in parallel over shared connections.
"""
import json
import os
import shlex
import sys

from openssh import config
from protocol import Skip, must, serve

HERE = os.path.dirname(sys.executable)
MANY = 12


def settings(job, kind, hosts):
    """The environment and the inventory for this job."""
    path = config(job)
    inventory = {"ansible_host": job.host if kind == "paramiko" else "target", "ansible_user": job.user, "ansible_port": job.port, "ansible_python_interpreter": sys.executable}
    environment = {"ANSIBLE_CONFIG": job.write("ansible.cfg", "[defaults]\n"), "ANSIBLE_HOME": job.path("ansible"), "ANSIBLE_REMOTE_TMP": job.path("far"), "HOME": job.scratch, "ANSIBLE_NOCOLOR": "1",
                   "ANSIBLE_TIMEOUT": "25", "ANSIBLE_FORKS": str(MANY), "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_DEPRECATION_WARNINGS": "0",
                   "LC_ALL": "C.UTF-8", "ANSIBLE_LOCAL_TEMP": job.path("near")}
    if kind == "paramiko":
        if job.rekey:
            raise Skip("Ansible's paramiko cannot be told when to rekey")
        inventory.update(ansible_connection="paramiko_ssh", ansible_ssh_private_key_file=job.key)
        through = shlex.join(["ssh", "-F", path, "-W", "%h:%p", "jump"])
        environment.update(ANSIBLE_PARAMIKO_LOOK_FOR_KEYS="0", ANSIBLE_PARAMIKO_RECORD_HOST_KEYS="0", ANSIBLE_HOST_KEY_CHECKING="1")
        os.makedirs(job.path(".ssh"))
        os.symlink(job.known_hosts, job.path(".ssh/known_hosts"))
        if job.jump:
            inventory["ansible_paramiko_proxy_command"] = through
    else:
        inventory["ansible_connection"] = "ssh"
        persist = "-F %s -o ControlMaster=auto -o ControlPersist=20" % path
        environment.update(ANSIBLE_SSH_ARGS=persist, ANSIBLE_SSH_CONTROL_PATH_DIR=job.path("c"), ANSIBLE_SSH_TRANSFER_METHOD="piped" if kind == "piped" else "sftp",
                           ANSIBLE_PIPELINING="0")
        for name in ("ansible_user", "ansible_port"):
            inventory.pop(name)  # ssh_config says them
    text = "[far]\n" + "".join("%s %s\n" % (host, " ".join("%s=%s" % (key, shlex.quote(str(value))) for key, value in inventory.items())) for host in hosts)
    return environment, job.write("inventory", text)


def play(job, kind, tasks, hosts=("one",)):
    """What each task of a play gave on each host: {host: [result, …]}."""
    environment, inventory = settings(job, kind, hosts)
    tree = job.path("results")
    os.makedirs(tree)
    book = [{"hosts": "far", "gather_facts": False, "tasks": [
        *({**task, "register": "done%d" % number} for number, task in enumerate(tasks)),
        {"local_action": {"module": "copy", "content": "{{ [%s] | to_json }}" % ", ".join("done%d" % number for number in range(len(tasks))), "dest": tree + "/{{ inventory_hostname }}"}}]}]
    must([HERE + "/ansible-playbook", "-i", inventory, job.write("book.json", json.dumps(book))], env=environment)
    return {host: json.load(open(os.path.join(tree, host))) for host in hosts}


def main(kind):
    def version(job):
        import ansible.release
        if kind == "paramiko":
            import paramiko  # noqa: F401
            import ansible.plugins.connection.paramiko_ssh  # noqa: F401
        return {"version": ansible.release.__version__}

    def run(job):
        if job.stdin or job.sink:
            raise Skip("Ansible's shell is for text")
        if job.env:
            raise Skip("left to the other clients")
        result, = play(job, kind, [{"shell": job.command, "ignore_errors": True}])["one"]
        return {"status": result["rc"], "stdout": result["stdout"] + "\n", "stderr": result["stderr"]}  # Ansible strips the last newline

    def files(job):
        play(job, kind, [{"copy": {"src": job.local, "dest": job.remote}}, {"fetch": {"src": job.remote, "dest": job.back, "flat": True}}])
        return {"status": 0}

    def many(job):
        """Twelve at once, three tasks each."""
        hosts = ["host%02d" % number for number in range(MANY)]
        got = play(job, kind, [{"shell": "echo {{ inventory_hostname }}"}, {"copy": {"content": "{{ inventory_hostname }}", "dest": job.remote + "{{ inventory_hostname }}"}},
                               {"shell": "cat " + job.remote + "{{ inventory_hostname }}"}], hosts)
        wrong = [host for host in hosts if got[host][0]["stdout"].strip() != host or got[host][2]["stdout"].strip() != host]
        return {"status": 0, "stdout": "twelve" if not wrong else "wrong on %s" % wrong, "stderr": ""}
    serve({"version": version, "run": run, "files": files, "many": many})


main(sys.argv[1])
