"""What remains of a session: rows, session.json, evidence, transcripts, the audit chain. field.md 11, 12, 13, 22, 23."""
import hashlib
import json
import os
import re
import shutil
import sqlite3
import stat

import pytest
from lablib.lab import program
from world import asciinema_cat, cast_events, cast_text, run, until


@pytest.mark.parametrize("host", ["web1", "web1.direct", "plain1"])
def test_session_json(world, host):
    token = "json-of-%s" % host.replace(".", "-")
    world.ssh("alice", host, "echo %s; exit 3" % token, options=["SetEnv TEST_RECORDED=yes"])
    session, folder = world.record(token)
    name = host.partition(".")[0]
    assert (session["target"], session["login"], session["mode"]) == (name, world.env["LOGIN"], "direct" if ".direct" in host else "jump")
    assert session["identity"]["user"] == "alice" and session["identity"]["groups"] == ["sre"] and session["identity"]["serial"] > 0
    assert session["source"].startswith("127.0.0.1") and session["rule"] in ("staging", "legacy") and session["state"] == "closed"
    channel = session["channels"][0]
    assert (channel["kind"], channel["exit_status"]) == ("exec", 3) and token in channel["detail"]
    assert channel["bytes_out"] == len(token) + 1
    assert any(request["what"] == "env" and "TEST_RECORDED=yes" in request["detail"] for request in channel["requests"])
    path = folder / channel["file"]
    assert channel["digest"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("host", ["web1", "web1.direct"])
def test_evidence(world, host):
    """The cryptographic facts of every leg, as the client saw them, too."""
    token = "evidence-of-%s" % host.replace(".", "-")
    done = world.ssh("alice", "-v", host, "echo %s" % token, options=["Ciphers aes256-gcm@openssh.com", "KexAlgorithms curve25519-sha256"])
    assert token in done.out
    session, _ = world.record(token)
    evidence = session["evidence"]
    assert set(evidence) == ({"outer", "outbound"} if "direct" in host else {"outer", "inner", "outbound"})
    for transport, facts in evidence.items():
        assert facts["strict_kex"] is True and facts["host_key_algorithm"] == "ssh-ed25519", transport
        assert facts["host_key_fingerprint"].startswith("SHA256:")
        for key in ("kex", "cipher_in", "cipher_out", "mac_in", "mac_out", "banner"):
            assert facts[key], (transport, key)
    user_leg = evidence["outer" if "direct" in host else "inner"]
    assert user_leg["cipher_in"] == user_leg["cipher_out"] == "aes256-gcm@openssh.com"
    assert "curve25519-sha256" in user_leg["kex"] and "OpenSSH" in user_leg["banner"]
    assert evidence["outbound"]["certificate_serial"] > 0 and evidence["outbound"]["certificate_ca"].startswith("SHA256:")
    fingerprint = os.popen("ssh-keygen -lf %s" % (world.dir / "hosts/web1.pub")).read().split()[1]
    assert evidence["outbound"]["host_key_fingerprint"] == fingerprint
    shown = world.json("evidence", session["id"])
    assert {row["transport"] for row in shown} == set(evidence)


@pytest.mark.parametrize("host", ["web1", "web1.direct"])
def test_post_quantum(world, host):
    """Every transport, with the client and the servers as they come: what is recorded on the wire today stays closed."""
    if "no post-quantum" in run([program("bartizand"), "--version"]).out:
        pytest.skip("this libssh has no post-quantum key exchange")
    token = "post-quantum-of-%s" % host.replace(".", "-")
    done = world.ssh("alice", "-v", host, "echo %s" % token)
    seen = re.findall(r"kex: algorithm: (\S+)", done.err)
    session, _ = world.record(token)
    agreed = [facts["kex"] for facts in session["evidence"].values()]
    assert len(seen) == (1 if "direct" in host else 2) and len(agreed) == len(seen) + 1
    assert all(re.match("mlkem768|sntrup761", kex) for kex in seen + agreed), (seen, agreed)


def test_minted_certificate(world):
    """The target's own log: a certificate for this login, made for this session and nobody else."""
    world.ssh("alice", "web1", "echo minted-for-whom")
    session, _ = world.record("minted-for-whom")
    serial = session["evidence"]["outbound"]["certificate_serial"]
    log = world.lab.log("web1")
    line = next(line for line in log.splitlines() if "Accepted" in line and "serial %d" % serial in line)
    assert session["id"] in line and "alice" in line


def test_streams_in_the_transcript(world):
    """Channels without a terminal: both streams as events of their own, players show the output."""
    world.ssh("alice", "web1", "echo stream-output; echo stream-error >&2", stdin=b"secret-typed-input\n")
    session, folder = world.record("stream-output")
    path = folder / session["channels"][0]["file"]
    assert "stream-output" in cast_text(path, "o") and "stream-error" in cast_text(path, "e")
    assert "secret-typed-input" not in path.read_text()  # field.md 13: output only
    assert "stream-output" in asciinema_cat(path).out


def test_bulk_is_capped_and_counted(world):
    """The first MiB is kept, then bytes are counted; a marker says so. field.md 12."""
    done = world.ssh("alice", "web1", ": bulk-is-capped; head -c 30000000 /dev/zero | tr '\\0' x")
    assert len(done.raw) == 30_000_000
    session, folder = world.record("bulk-is-capped")
    channel = session["channels"][0]
    assert channel["bytes_out"] == 30_000_000
    path = folder / channel["file"]
    assert (1 << 20) <= len(cast_text(path, "o")) < 1_200_000 and path.stat().st_size < 2_000_000
    assert any(event[1] == "m" for event in cast_events(path)[1])


def test_terminal_flood_is_capped(own_world):
    """A user with a terminal who prints for ever does not fill the disk: transcripts.session_max, then a marker; the session goes on."""
    world = own_world(lambda text: text.replace("  min_free: 16MiB\n", "  min_free: 16MiB\n  session_max: 1MiB\n"))
    done = world.ssh("alice", "-tt", "web1", ": flood; head -c 8000000 /dev/zero | tr '\\0' y; echo; echo after-the-flood", timeout=60)
    assert "after-the-flood" in done.out
    session, folder = world.record("flood")
    path = folder / session["channels"][0]["file"]
    assert path.stat().st_size <= 1_100_000
    assert cast_events(path)[1][-1][1] == "m"


def test_bytes_that_are_no_text(world):
    """Split and broken characters: valid UTF-8 and JSON whatever came."""
    world.ssh("alice", "-tt", "web1", ": binary-noise; head -c 200000 /dev/urandom; printf '\\342'; sleep 0.1; printf '\\202\\254'")
    session, folder = world.record("binary-noise")
    path = folder / session["channels"][0]["file"]
    path.read_bytes().decode()  # strict
    assert cast_text(path).endswith("€")


def test_verify(own_world):
    """`audit verify` offline: good; and each kind of tampering is found."""
    world = own_world(lambda text: text + "\naudit: {checkpoint: 5}\n")
    for i in range(4):
        world.ssh("alice", "web1", "echo verify-%d" % i)
    session, folder = world.record("verify-0")
    world.record("verify-3")
    until(lambda: world.json("audit", "verify")[0]["checkpoints"], 5, "a checkpoint")
    good = world.json("audit", "verify")[0]
    assert good["ok"] is True and good["events"] > 20 and good["transcripts"] >= 4 and good["signed_up_to"] > 0, good
    world.lab.down()
    state = world.dir / "state"

    def verify(change):
        """Verdict on a copy of the state that somebody has changed."""
        copy = world.dir / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(state, copy)
        change(copy)
        return world.lab.cli("audit", "verify", "--state-dir", copy)

    def sql(statement):
        def change(copy):
            with sqlite3.connect(copy / "bartizan.db") as database:
                for (trigger,) in database.execute("select name from sqlite_master where type = 'trigger'").fetchall():
                    database.execute("drop trigger %s" % trigger)
                database.execute(statement)
        return change
    assert verify(lambda copy: None).returncode == 0
    for what, change in {
        "an event's words": sql("update audit set data = replace(data, 'alice', 'malice') where seq = (select min(seq) from audit where data like '%alice%')"),
        "an event's time": sql("update audit set time = time + 1 where seq = 3"),
        "an event in the middle": sql("delete from audit where seq = 4"),
        "the newest events": sql("delete from audit where seq > 6"),
        "all of them": sql("delete from audit"),
        "a transcript": lambda copy: (copy / folder.relative_to(state) / session["channels"][0]["file"]).open("ab").write(b"[9.0, \"o\", \"x\"]\n"),
        "a missing transcript": lambda copy: (copy / folder.relative_to(state) / session["channels"][0]["file"]).unlink(),
        "a session.json": lambda copy: (copy / folder.relative_to(state) / "session.json").write_text(
            (folder / "session.json").read_text().replace("alice", "malice")),
    }.items():
        done = verify(change)
        assert done.returncode != 0, what
        assert "bartizan: " in done.stderr, what


def test_events_come_before_acts(world):
    """login, then access, then the session's end; times are RFC 3339 in UTC."""
    world.ssh("alice", "web1", "echo order-of-events")
    session, _ = world.record("order-of-events")
    mine = [row for row in world.events() if row.get("session") == session["id"]]
    mine.sort(key=lambda row: row["seq"])
    types = [row["type"] for row in mine]
    assert types.index("access-allowed") < types.index("channel-end") < types.index("session-end")
    assert all(row["time"].endswith("Z") for row in mine)


def test_rows_and_files_agree(world):
    """Every closed session has its folder, and every folder its row."""
    rows = {row["id"]: row for row in world.json("sessions", "ls", "--limit", 1000)}
    folders = world.folders()
    assert set(folders) <= set(rows)
    for name, folder in folders.items():
        got = json.loads((folder / "session.json").read_text())
        assert got["id"] == name and got["identity"]["user"] == rows[name]["user"]


def test_player_options(world):
    """--from shows what was before at once, --idle caps pauses, --speed is obeyed."""
    world.ssh("alice", "-tt", "web1", "echo player-first; sleep 1.5; echo player-second")
    session, _ = world.record("player-first")
    import time
    for words, low, high in ((["--speed", "1"], 1.2, 4), (["--speed", "10"], 0, 1.2), (["--speed", "1", "--idle", "100ms"], 0, 1.2), (["--speed", "1", "--from", "2s"], 0, 1.2)):
        begun = time.monotonic()
        done = world.lab.cli("replay", session["id"], *words)
        assert "player-first" in done.stdout and "player-second" in done.stdout
        assert low <= time.monotonic() - begun < high, words
