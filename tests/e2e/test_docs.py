"""What the documentation tells people to write is taken by the program."""
import json
import pathlib
import re
import subprocess

import pytest

from lablib.lab import program
from world import run

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/providers.md").read_text()
# the provider's name, and what is inside its fence
BLOCKS = {re.search(r"- name: (\S+)", block).group(1): block for block in re.findall(r"^```yaml\n(.*?)^```$", TEXT, re.M | re.S)}
AROUND = """version: 1
state_dir: {folder}
control_socket: {folder}/control.sock
listen: ["127.0.0.1:2222"]
host_key: {folder}/host
certificates: {{issuing_key: {folder}/user_ca}}
keys: {{backend_ca: {{file: {folder}/backend_ca}}}}
targets:
  - name: web1
    address: 127.0.0.1:22
    labels: {{env: staging}}
    host_keys: ["{key}"]
    credential: {{certificate: backend_ca}}
"""
# who each page's role is for, and somebody who is nearly that
PEOPLE = {name: (["--user", "alice", "--group", "sre"], ["--user", "alice", "--group", "sre2"]) for name in ("corp", "keycloak", "entra", "okta")}
PEOPLE["google"] = (["--user", "alice@example.com"], ["--user", "mallory@example.com"])


def claims(**given):
    return ["--user", "1", *[word for name, value in given.items() for word in ("--claim", "%s=%s" % (name, value))]]


GITHUB = {"iss": "https://token.actions.githubusercontent.com", "repository": "example/app", "ref": "refs/heads/main", "event_name": "push"}
GITLAB = {"iss": "https://gitlab.com", "project_path": "example/app", "ref_type": "branch", "ref": "main", "ref_protected": "true"}
CLUSTER = {"iss": "https://oidc.example.com/cluster1", "sub": "system:serviceaccount:ci:deploy"}
PEOPLE["github"] = (claims(**GITHUB), claims(**{**GITHUB, "event_name": "pull_request_target"}))
PEOPLE["gitlab"] = (claims(**GITLAB), claims(**{**GITLAB, "iss": "https://gitlab.example.com"}))
PEOPLE["cluster"] = (claims(**CLUSTER), claims(**{**CLUSTER, "sub": "system:serviceaccount:ci:deploy2"}))


@pytest.fixture
def folder(tmp_path):
    for name in ("host", "user_ca", "backend_ca"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    secret = tmp_path / "google.secret"
    secret.write_text("not very secret\n")
    secret.chmod(0o600)
    return tmp_path


def configuration(folder, block):
    path = folder / "config.yaml"
    key = " ".join((folder / "host.pub").read_text().split()[:2])
    path.write_text(AROUND.format(folder=folder, key=key) + block.replace("/etc/bartizan/", "%s/" % folder))
    return path


def test_all_blocks_are_here():
    assert set(BLOCKS) == set(PEOPLE) and TEXT.count("```yaml") == len(PEOPLE)


@pytest.mark.parametrize("name", PEOPLE)
def test_provider(folder, name):
    """Taken whole; and the role is for whom it is meant, and for nobody beside."""
    path = configuration(folder, BLOCKS[name])
    done = run([program("bartizan"), "config", "check", path])
    assert done.code == 0, done
    for who, expected in zip(PEOPLE[name], ("allow", "deny")):
        words = ["policy", "explain", "--config", path, *who, "--provider", name, "--target", "web1", "--login", "deploy", "--kind", "exec", "--json"]
        done = run([program("bartizan"), *words])
        assert done.code == (0 if expected == "allow" else 77) and json.loads(done.out)[0]["verdict"] == expected, done


@pytest.mark.parametrize("name", PEOPLE)
def test_provider_misspelt(folder, name):
    """The check would notice."""
    path = configuration(folder, BLOCKS[name].replace("    client_id:", "    clientid:"))
    done = run([program("bartizan"), "config", "check", path])
    assert done.code != 0 and "clientid" in done.err, done
