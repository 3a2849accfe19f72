"""Files: scp by both protocols, sftp, rsync, git, tar, large and rekeyed. field.md 2, 4, 24."""
import hashlib
import os
import shlex
import subprocess

import pytest
from world import finish, run


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.bin"
    path.write_bytes(os.urandom(2_500_000))
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def scp(world, *words):
    return world.ssh("alice", *words, program="scp")


@pytest.mark.parametrize("protocol", ["-s", "-O"])
def test_scp(world, either, protocol, data, tmp_path):
    """field.md 7: nothing of ours in the stream; both protocols, up and down, with mode and time."""
    up, down = tmp_path / "up", tmp_path / "down"
    data.chmod(0o640)
    done = scp(world, "-p", protocol, data, "%s:%s" % (either, up))
    assert done.code == 0, done
    assert digest(up) == digest(data) and up.stat().st_mode & 0o777 == 0o640
    done = scp(world, "-p", protocol, "%s:%s" % (either, up), down)
    assert done.code == 0, done
    assert digest(down) == digest(data)
    assert int(down.stat().st_mtime) == int(data.stat().st_mtime)


def test_scp_folder(world, either, tmp_path):
    source = tmp_path / "tree"
    (source / "a/b").mkdir(parents=True)
    for i in range(30):
        (source / "a/b" / ("file %d" % i)).write_text("number %d\n" % i)
    assert scp(world, "-r", source, "%s:%s" % (either, tmp_path / "copy")).code == 0
    assert run(["diff", "-r", source, tmp_path / "copy"]).code == 0


def test_scp_missing_file(world, either, tmp_path):
    done = scp(world, "%s:%s" % (either, tmp_path / "nowhere"), tmp_path / "x")
    assert done.code != 0 and "No such file" in done.err


def test_scp_between_two_hosts(world, data, tmp_path):
    assert scp(world, "-3", "web1:%s" % data, "plain1.direct:%s" % (tmp_path / "other")).code == 0
    assert digest(tmp_path / "other") == digest(data)


def test_sftp_batch(world, either, data, tmp_path):
    batch = "put %s %s\nls -l %s\nget %s %s\nrm %s\n" % (data, tmp_path / "s1", tmp_path, tmp_path / "s1", tmp_path / "s2", tmp_path / "s1")
    done = world.ssh("alice", "-b", "-", either, program="sftp", stdin=batch.encode())
    assert done.code == 0, done
    assert digest(tmp_path / "s2") == digest(data) and not (tmp_path / "s1").exists()


def test_rsync(world, either, tmp_path):
    """field.md 2: rsync hung elsewhere."""
    source, there, back = tmp_path / "source", tmp_path / "there", tmp_path / "back"
    source.mkdir()
    for i in range(200):
        (source / ("f%03d" % i)).write_bytes(os.urandom(i * 37))
    shell = shlex.join(world.ssh_command("alice"))
    for command in (["%s/" % source, "%s:%s/" % (either, there)], ["%s:%s/" % (either, there), "%s/" % back]):
        done = run(["rsync", "-a", "-e", shell, *command])
        assert done.code == 0, done
    assert run(["diff", "-r", source, back]).code == 0
    (source / "f007").write_text("changed")
    assert run(["rsync", "-a", "--checksum", "--delete", "-e", shell, "%s/" % source, "%s:%s/" % (either, there)]).code == 0
    assert (there / "f007").read_text() == "changed"


def test_git(world, either, tmp_path):
    environment = {**os.environ, "GIT_SSH_COMMAND": shlex.join(world.ssh_command("alice")), "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(tmp_path),
                   "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}

    def git(*words, where=tmp_path):
        done = run(["git", "-C", where, *words], env=environment)
        assert done.code == 0, done
        return done.out
    git("init", "-q", "--bare", "-b", "main", "origin.git")
    git("clone", "-q", "%s:%s" % (either, tmp_path / "origin.git"), "work")
    (tmp_path / "work/file").write_bytes(os.urandom(1_000_000))
    git("add", "file", where=tmp_path / "work")
    git("commit", "-q", "-m", "one", where=tmp_path / "work")
    git("push", "-q", "origin", "HEAD:main", where=tmp_path / "work")
    git("clone", "-q", "%s:%s" % (either, tmp_path / "origin.git"), "again")
    assert digest(tmp_path / "again/file") == digest(tmp_path / "work/file")


def make_tree(folder, count, size):
    folder.mkdir()
    block = os.urandom(1 << 20)
    for i in range(count):
        with open(folder / ("part%02d" % i), "wb") as file:
            for j in range(size >> 20):
                file.write(bytes([i, j & 255]) + block[2:])
    return folder


@pytest.mark.parametrize("host, megabytes", [("web1", 200), ("web1.direct", 200)])
def test_tar_with_rekeying(world, host, megabytes, tmp_path):
    """field.md 4: tar | ssh | tar, hundreds of MB each way, with new keys every few MB on all legs."""
    source = make_tree(tmp_path / "source", megabytes // 10, 10 << 20)
    ssh = shlex.join(world.ssh_command("alice", options=["RekeyLimit 8M"]))
    for there in ("up", "down"):
        (tmp_path / there).mkdir()
    done = run(["sh", "-c", "tar -C %s -c . | %s %s 'tar -C %s -x'" % (source, ssh, host, tmp_path / "up")], timeout=300)
    assert done.code == 0 and not done.err, done
    assert run(["diff", "-r", source, tmp_path / "up"], timeout=120).code == 0
    done = run(["sh", "-c", "%s %s 'tar -C %s -c .' | tar -C %s -x" % (ssh, host, source, tmp_path / "down")], timeout=300)
    assert done.code == 0 and not done.err, done
    assert run(["diff", "-r", source, tmp_path / "down"], timeout=120).code == 0


def test_rekeying_every_megabyte_both_ways_at_once(world, either, tmp_path):
    """Both directions busy while keys change all the time."""
    data = os.urandom(1 << 20) * 24
    done = world.ssh("alice", either, "cat", options=["RekeyLimit 1M"], stdin=data, timeout=300)
    assert done.code == 0
    assert hashlib.sha256(done.raw).digest() == hashlib.sha256(data).digest()


def test_rekeying_by_the_target(own_world, tmp_path):
    """The target's sshd asks for new keys, too."""
    world = own_world()
    conf = world.dir / "hosts/web1.conf"
    conf.write_text(conf.read_text() + "RekeyLimit 1M\n")
    world.lab.stop_one("web1")
    world.lab.start_server("web1")
    data = os.urandom(1 << 20) * 16
    done = world.ssh("alice", "web1", "cat", stdin=data, timeout=300)
    assert done.code == 0 and done.raw == data


def test_transfers_beside_each_other(world, data, tmp_path):
    children = []
    for i in range(4):
        command = world.ssh_command("alice", data, "web1:%s" % (tmp_path / ("copy%d" % i)), program="scp")
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        children.append(child)
    assert [finish(child).code for child in children] == [0] * 4
    assert {digest(tmp_path / ("copy%d" % i)) for i in range(4)} == {digest(data)}
