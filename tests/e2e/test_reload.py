"""Reload all or nothing, drain, and a second instance beside the first. field.md 10."""
import json
import os
import re
import signal
import subprocess

import pytest
from lablib import process
from lablib.lab import LabError, program
from world import end_input, finish, read_line, until


def echoing(world, who="alice", host="web1"):
    child = world.popen(who, host, "echo begun; cat")
    assert read_line(child) == b"begun\n"
    return child


def still_echoes(child):
    child.stdin.write(b"ping\n")
    child.stdin.flush()
    return read_line(child) == b"ping\n"


def end(child):
    end_input(child)
    return finish(child)


def test_good(own_world):
    """Taken at once for new sessions; the running one goes on."""
    world = own_world()
    child = echoing(world)
    generation = world.lab.gateway_status()["generation"]
    assert world.ssh("carol", "web1", "true").code == 77
    assert world.edit(lambda text: text.replace("roles: [sre]\n", "roles: [sre, auditor]\n")).startswith("taken")
    assert world.ssh("carol", "web1", "echo in").out == "in\n"
    assert world.lab.gateway_status()["generation"] == generation + 1
    assert still_echoes(child) and end(child).code == 0


@pytest.mark.parametrize("change, words", [
    (lambda text: text + "\nno_such_key: 1\n", "no_such_key"),
    (lambda text: text + "\nversion: 1\n", "version"),
    (lambda text: text.replace("rules:\n", "rules: [\n"), "config.yaml:"),
    (lambda text: text.replace("{groups: [sre]}", "{groups: [sre], groups: [x]}"), "groups"),
    (lambda text: text.replace("roles: [sre]", "roles: [nobody-knows]"), "nobody-knows"),
    (lambda text: text.replace("certificate: backend_ca", "certificate: other_ca"), "other_ca"),
    (lambda text: text.replace("keys/router}", "keys/no-such-file}"), "no-such-file"),
    (lambda text: text.replace("lifetime: 10h", "lifetime: 10y"), "10y"),
    (lambda text: text.replace("    approval: {by: lead, votes: 1}\n", "    guard: no-such-guard\n"), "no-such-guard"),
    (lambda text: text.replace("    approval: {by: lead, votes: 1}\n", "    approval: {by: nobody-knows}\n"), "nobody-knows"),
    (lambda text: "&a " + text, "config.yaml:"),
    (lambda text: text + "\n---\nversion: 1\n", "document"),
    (lambda text: "[" * 100_000, "config.yaml"),
    (lambda text: "", "config.yaml"),
], ids=["unknown-key", "double-key", "syntax", "double-inner-key", "unknown-role", "unknown-ca", "no-key-file", "bad-duration", "guard", "approval",
        "anchor", "second-document", "deep", "empty"])
def test_bad(module_world, change, words):
    """Not taken, the old one stays, the reason says where it is wrong; sessions do not notice; then a good one is taken again."""
    world = module_world
    good = world.lab.config.read_text()
    before = world.lab.gateway_status()
    try:
        world.lab.config.write_text(change(good))
        with pytest.raises(LabError) as refused:
            world.lab.reload()
        assert "not taken" in str(refused.value) and words in str(refused.value)
        after = world.lab.gateway_status()
        assert after["generation"] == before["generation"] and after["attempts"] == before["attempts"] + 1
        assert world.ssh("alice", "web1", "echo on").out == "on\n"
        assert words in world.lab.log()
        checked = subprocess.run([program("bartizand"), "-t", "-c", str(world.lab.config)], capture_output=True, text=True, timeout=30)
        assert checked.returncode != 0 and words in checked.stderr
    finally:
        world.lab.config.write_text(good)
    assert world.lab.reload().startswith("taken")


def test_bad_names_line_and_column(module_world):
    world = module_world
    good = world.lab.config.read_text()
    lines = good.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("  lifetime:"))
    lines[at] = "  lifetimes: 10h"
    try:
        world.lab.config.write_text("\n".join(lines) + "\n")
        with pytest.raises(LabError) as refused:
            world.lab.reload()
        assert re.search(r"config\.yaml:%d:3\b" % (at + 1), str(refused.value)), refused.value
    finally:
        world.lab.config.write_text(good)


def test_check_and_dump(module_world):
    world = module_world
    checked = subprocess.run([program("bartizand"), "-t", "-c", str(world.lab.config)], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stderr
    dumped = subprocess.run([program("bartizand"), "-T", "-c", str(world.lab.config)], capture_output=True, text=True, timeout=30)
    assert dumped.returncode == 0 and "login_time" in dumped.stdout and "web1" in dumped.stdout
    again = world.dir / "dumped.yaml"
    again.write_text(dumped.stdout)
    checked = subprocess.run([program("bartizand"), "-t", "-c", str(again)], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0, checked.stderr  # what is printed is a configuration


def test_does_not_start_on_a_bad_one(own_world):
    world = own_world()
    bad = world.dir / "bad.yaml"
    bad.write_text(world.lab.config.read_text() + "\nwrong: 1\n")
    done = subprocess.run([program("bartizand"), "-c", str(bad)], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "bad.yaml:" in done.stderr


def test_drain(own_world):
    """SIGTERM: nobody new, the live session goes on, a new instance serves beside it, the old one ends with its last session."""
    world = own_world()
    child = echoing(world)
    session, folder = world.record("begun", closed=False)
    old = int(world.env["GW_PID"])
    started = process.start_time(old)
    os.kill(old, signal.SIGTERM)
    until(lambda: world.ssh("alice", "web1", "true").code == 255, 10, "closed sockets")
    assert still_echoes(child)
    world.lab.start_gateway("gateway-2")
    assert world.ssh("alice", "web1", "echo second").out == "second\n"
    assert still_echoes(child) and process.alive(old, started)
    assert world.sessions(id=session["id"])[0]["state"] == "open"  # the new instance's recovery leaves it alone
    assert end(child).code == 0
    until(lambda: not process.alive(old, started) or process.reap(old) is not None, 10, "the end of the old instance")
    assert world.sessions(id=session["id"])[0]["state"] == "closed"
    assert "lost" not in (folder / "session.json").read_text()
    assert world.ssh("alice", "web1", "echo third").out == "third\n"
    done = world.lab.cli("audit", "verify")
    assert done.returncode == 0, done


def test_drain_of_an_idle_gateway(own_world):
    world = own_world()
    old = int(world.env["GW_PID"])
    started = process.start_time(old)
    os.kill(old, signal.SIGTERM)
    until(lambda: not process.alive(old, started) or process.reap(old) is not None, 10, "its end")


def test_drain_has_an_end(own_world):
    """After `drain` the session is told and ends."""
    world = own_world(lambda text: text + "\ndrain: 1s\n")
    child = echoing(world)
    old = int(world.env["GW_PID"])
    started = process.start_time(old)
    os.kill(old, signal.SIGTERM)
    done = finish(child)
    assert done.code != 0 and "bartizan: " in done.err, done
    until(lambda: not process.alive(old, started) or process.reap(old) is not None, 10, "the end of the old instance")


def test_second_instance_on_a_taken_port(own_world):
    world = own_world()
    other = world.dir / "other.yaml"
    other.write_text(world.lab.config.read_text().replace("/state\n", "/state2\n").replace("control.sock", "control2.sock"))
    (world.dir / "state2").mkdir()
    done = subprocess.run([program("bartizand"), "-c", str(other)], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "in use" in done.stderr
    assert world.ssh("alice", "web1", "echo first").out == "first\n"


def test_lab_contract(own_world):
    """What other checks rely on (design section 10): env, ssh_config, reload's exit status, down."""
    world = own_world()
    lab = [str(process.pathlib.Path(__file__).resolve().parents[1] / "lab")]
    env = (world.dir / "env").read_text()
    for key in ("GW_PORT", "GW_PID", "STATE_DIR", "CONTROL_SOCKET", "WEB1_PORT", "DB1_PORT", "LOGIN", "USER_CA", "BACKEND_CA"):
        assert re.search("^%s=." % key, env, re.M)
    shown = subprocess.run(["sh", "-c", ". %s/env && kill -0 $GW_PID && echo $LOGIN" % world.dir], capture_output=True, text=True)
    assert shown.stdout.strip() == world.env["LOGIN"]
    done = subprocess.run([*lab, "reload", str(world.dir)], capture_output=True, text=True)
    assert done.returncode == 0 and "taken" in done.stdout
    world.lab.config.write_text("version: 1\nwrong: 1\n")
    done = subprocess.run([*lab, "reload", str(world.dir)], capture_output=True, text=True)
    assert done.returncode == 1 and "wrong" in done.stderr
    child = echoing(world)
    pids = [entry["pid"] for entry in json.loads(world.lab.pid_file.read_text()).values()] + list(world.processes())
    done = subprocess.run([*lab, "down", str(world.dir)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for pid in pids:
        process.reap(pid)
    assert not [pid for pid in pids if process.start_time(pid)]
    assert finish(child).code != 0
    assert (world.dir / "config.yaml").exists()
