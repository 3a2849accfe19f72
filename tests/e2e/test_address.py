"""Where to: unknown targets, patterns, ports, IPv6, and names that try to be more than names. field.md 21."""
import pytest
from world import add_targets, ipv6, target


def direct(world, login_at_target, command="echo in", who="alice", options=()):
    return world.ssh(who, "-l", login_at_target, "any.direct", command, options=options)


def jump(world, name, command="echo in", who="alice", port=None, login=None):
    words = ["-p", port] if port else []
    return world.ssh(who, *words, "-l", login or world.env["LOGIN"], name, command, options=["ProxyJump gw", "HostKeyAlias gw"])


def test_unknown_target(world):
    """In jump mode the inner session is accepted and explains; in direct mode, too. 77 both times."""
    for done in (jump(world, "nosuch"), direct(world, "%s@nosuch" % world.env["LOGIN"])):
        assert done.code == 77 and "nosuch" in done.err and "bartizan: " in done.err and not done.out, done
    for kind in (["-tt", "web1"], ["-s", "web1", "sftp"], ["-T", "web1"]):
        done = world.ssh("mallory", *kind)
        assert done.code == 77 and "bartizan: " in done.err + done.out, done


@pytest.mark.parametrize("name", ["../etc", "web1;id", "$(id)", "web1\nx", "-oProxyCommand=x", "web1%00", "*", "w" * 300, "web1 ", "[", "@", "a@b", "\033[31m"])
def test_names_that_are_more(world, name):
    """From the client into no shell, path, argv or log unescaped."""
    done = direct(world, "%s@%s" % (world.env["LOGIN"], name))
    assert done.code != 0 and "in\n" not in done.out and "uid=" not in done.out + done.err, done
    assert "\033" not in world.lab.log()


@pytest.mark.parametrize("login", ["root;id", "-oX", "a b", "../x", "$(id)", "x\ny", "x" * 300, "*"])
def test_logins_that_are_more(world, login):
    for done in (direct(world, login + "@web1"), jump(world, "web1", login=login)):
        assert done.code != 0 and "in\n" not in done.out and "uid=" not in done.out + done.err, done


def test_pattern(module_world):
    """A pattern target is the name itself: resolved, connected, recorded under the name asked for; an exact name wins."""
    world = module_world
    pattern = ("  - name: \"local*\"\n    labels: {env: staging}\n    host_keys_file: %s/pinned\n    credential: {certificate: backend_ca}\n" % world.dir)
    (world.dir / "pinned").write_text("[localhost]:%d %s\n" % (world.port("web1"), world.lab._public("hosts/web1")))
    world.edit(lambda text: add_targets(text, pattern))
    login = world.env["LOGIN"]
    done = direct(world, "%s@localhost:%d" % (login, world.port("web1")), "echo by-pattern")
    assert done.out == "by-pattern\n", done
    assert world.record("by-pattern")[0]["target"] == "localhost"
    assert jump(world, "localhost", port=world.port("web1")).out == "in\n"
    done = direct(world, "%s@localhost:%d" % (login, world.port("db1")))  # nothing pinned for that port
    assert done.code in (69, 77) and "host key" in done.err and not done.out, done
    assert direct(world, "%s@elsewhere" % login).code == 77


def test_port_of_a_named_target(world):
    """A target with an address is reached at its own port; another one is not."""
    login = world.env["LOGIN"]
    assert direct(world, "%s@web1:22" % login).out == "in\n"  # what ssh -J says when no port was named
    assert direct(world, "%s@web1:%d" % (login, world.port("web1"))).out == "in\n"
    done = direct(world, "%s@web1:%d" % (login, world.port("db1")))
    assert done.code == 77 and "port" in done.err, done


def test_names_without_case(world):
    assert direct(world, "%s@WEB1" % world.env["LOGIN"]).out == "in\n"


@pytest.mark.skipif(not ipv6(), reason="no IPv6 loopback here")
def test_ipv6(module_world):
    """field.md 21: to the gateway, to a target's address, and as a literal in direct mode."""
    world = module_world
    done = world.ssh("alice", "web1.direct", "echo in", options=["HostName ::1"])
    assert done.out == "in\n", done
    assert '"source": "::1"' in world.ssh("alice", "gw", "whoami --json", options=["HostName ::1"]).out
    key = world.lab._public("hosts/web1")
    entry = target("six1", world.port("web1"), key).replace("127.0.0.1:%d" % world.port("web1"), "\"[::1]:%d\"" % world.port("web1"))
    literal = ("  - name: \"*:*\"\n    labels: {env: staging}\n    host_keys_file: %s/pinned6\n    credential: {certificate: backend_ca}\n" % world.dir)
    (world.dir / "pinned6").write_text("[::1]:%d %s\n" % (world.port("web1"), key))
    world.edit(lambda text: add_targets(text, entry, literal))
    login = world.env["LOGIN"]
    assert direct(world, "%s@six1" % login, "echo $SSH_CONNECTION").out.startswith("::1 ")
    done = direct(world, "%s@[::1]:%d" % (login, world.port("web1")))
    assert done.out == "in\n", done


def test_two_targets_on_one_jump_connection(world, tmp_path):
    """Jump mode over a shared outer connection: several inner sessions, each with a record of its own."""
    path = tmp_path / "outer"
    outer = world.popen("alice", "-M", "-S", path, "-N", "gw")
    from world import until
    until(path.exists, 10, "the control socket")
    before = world.session_ids()
    proxy = "ssh -F %s -S %s -W [%%h]:%%p gw" % (world.dir / "ssh_config.alice", path)
    for name in ("web1", "plain1", "web1"):
        done = world.ssh("alice", name, "echo in-%s" % name, options=["ProxyJump none", "ProxyCommand %s" % proxy])
        assert done.out == "in-%s\n" % name, done
    rows = world.ended_since(before)
    until(lambda: len(world.session_ids() - before) == 3, 5, "three records")
    assert {row["target"] for row in rows} <= {"web1", "plain1"}
    outer.kill()


def test_gw_through_gw(world):
    """A jump to a target whose name is the gateway's own is no target."""
    assert jump(world, "gw").code == 77
