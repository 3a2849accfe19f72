"""Every permission and its negative twin, over real ssh; the same policy without a gateway by `policy explain`. field.md 12, 15, 24."""
import datetime
import json

import pytest
from world import until

KINDS = {
    "shell": lambda world, host: world.ssh("alice", "-T", host, stdin=b"echo in; exit\n"),
    "exec": lambda world, host: world.ssh("alice", host, "echo in"),
    "sftp": lambda world, host: world.ssh("alice", "-b", "-", host, program="sftp", stdin=b"pwd\n"),
}
RULE = """rules:
  - name: under-test
    %s
"""


def with_rules(world, *lines):
    """Replaces all rules by one made of these lines."""
    world.rules(RULE % "\n    ".join(lines))


@pytest.fixture(autouse=True)
def restored(module_world):
    before = module_world.lab.config.read_text()
    yield
    module_world.edit(lambda _: before)


def test_first_policy(world):
    """The lab's own rules: mallory nowhere, carol nowhere, sre on web1 at once (and on db1 with a vote: test_approval.py)."""
    for host in ("web1", "web1.direct", "db1", "plain1"):
        done = world.ssh("mallory", host, "echo in")
        assert done.code == 77 and "bartizan: " in done.err and not done.out, done
        assert world.ssh("carol", host, "echo in").code == 77
    assert world.ssh("bob", "web1", "echo in").out == "in\n"


@pytest.mark.parametrize("host", ["web1", "web1.direct"])
@pytest.mark.parametrize("allowed", KINDS)
def test_kinds(module_world, allowed, host):
    """What is allowed goes, every other kind is refused with 77 and a reason: sftp does not slip past (field.md 15)."""
    world = module_world
    with_rules(world, "allow: [%s]" % allowed, "roles: [sre]")
    for kind, attempt in KINDS.items():
        done = attempt(world, host)
        if kind == allowed:
            assert done.code == 0, done
        else:
            assert done.code == (255 if kind == "sftp" else 77) and "bartizan: " in done.err, done  # sftp(1) has a status of its own
            assert "in\n" not in done.out
            assert world.event("access-denied", kind=kind)


def test_sftp_refusal_is_77_for_ssh_itself(module_world):
    with_rules(module_world, "allow: [exec]", "roles: [sre]")
    done = module_world.ssh("alice", "-s", "web1", "sftp")
    assert done.code == 77 and "bartizan: " in done.err and not done.out, done


def test_scp_needs_what_it_uses(module_world):
    """scp by exec is an exec, scp by sftp is sftp."""
    world = module_world
    for allowed, protocol, other in (("exec", "-O", "-s"), ("sftp", "-s", "-O")):
        with_rules(world, "allow: [%s]" % allowed, "roles: [sre]")
        assert world.ssh("alice", protocol, "/etc/hostname", "web1:%s" % (world.dir / "copied"), program="scp").code == 0
        assert world.ssh("alice", other, "/etc/hostname", "web1:%s" % (world.dir / "not-copied"), program="scp").code != 0
        assert not (world.dir / "not-copied").exists()


@pytest.mark.parametrize("line, denied", [
    ("roles: [sre]", "roles: [lead]"),
    ("targets: [web1]", "targets: [db1]"),
    ("targets: {labels: {env: staging}}", "targets: {labels: {env: prod}}"),
    ("targets: {labels: {role: web}}", "targets: {labels: {role: web, env: prod}}"),
    ("logins: [LOGIN]", "logins: [somebody-else]"),
    ("sources: [127.0.0.0/8]", "sources: [10.0.0.0/8]"),
    ("hours: {days: mon-sun, from: \"00:00\", to: \"24:00\"}", "hours: {days: OTHER-DAY, from: \"00:00\", to: \"24:00\"}"),
], ids=["roles", "target", "label", "labels", "logins", "sources", "hours"])
def test_predicates(module_world, line, denied):
    """A rule that matches in everything, and its twin that differs in one predicate."""
    world = module_world
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    other = days[(datetime.datetime.now(datetime.timezone.utc).weekday() + 3) % 7]
    line = line.replace("LOGIN", world.env["LOGIN"])
    with_rules(world, "allow: [exec]", line)
    assert world.ssh("alice", "web1", "echo in").out == "in\n"
    with_rules(world, "allow: [exec]", denied.replace("OTHER-DAY", other))
    done = world.ssh("alice", "web1", "echo in")
    assert done.code == 77 and "bartizan: " in done.err and not done.out


def test_first_match_decides(module_world):
    """A deny before an allow; and the other way round."""
    world = module_world
    deny = "  - name: no-web\n    deny: \"*\"\n    targets: [web1]\n"
    allow = "  - name: all\n    allow: \"*\"\n    roles: [sre]\n"
    world.rules("rules:\n" + deny + allow)
    done = world.ssh("alice", "web1", "echo in")
    assert done.code == 77 and "no-web" in done.err
    assert world.ssh("alice", "plain1", "echo in").out == "in\n"
    world.rules("rules:\n" + allow + deny)
    assert world.ssh("alice", "web1", "echo in").out == "in\n"


def test_no_rules_no_access(module_world):
    module_world.rules("rules: []\n")
    assert module_world.ssh("alice", "web1", "echo in").code == 77


def test_limits_of_a_rule(module_world):
    """limits.session and limits.idle end what they should, with a reason, and nothing sooner."""
    world = module_world
    with_rules(world, "allow: [exec]", "roles: [sre]", "limits: {session: 1s}")
    done = world.ssh("alice", "web1", "sleep 20")
    assert done.code == 77 and "limit" in done.err and 0.9 < done.seconds < 10, done
    assert world.ssh("alice", "web1", "echo short").out == "short\n"
    with_rules(world, "allow: [exec]", "roles: [sre]", "limits: {idle: 1s}")
    done = world.ssh("alice", "web1", "sleep 20")
    assert done.code == 77 and "idle" in done.err, done
    assert world.ssh("alice", "web1", "for i in 1 2 3 4 5 6 7 8; do sleep 0.3; echo $i; done").code == 0


def test_explain_agrees(world):
    """`policy explain` and `policy test` decide as the gateway does, and say which predicate failed."""
    def explain(*words):
        done = world.lab.cli("policy", "explain", *words)
        return done.returncode, done.stdout + done.stderr
    login = world.env["LOGIN"]
    code, text = explain("--user", "alice", "--group", "sre", "--target", "web1", "--login", login, "--kind", "exec")
    assert "staging" in text and "allow" in text, text
    code, text = explain("--user", "alice", "--group", "sre", "--target", "db1", "--login", login, "--kind", "exec")
    assert "hold" in text and "prod" in text and "lead" in text, text
    got = json.loads(explain("--user", "mallory", "--target", "web1", "--login", login, "--kind", "exec", "--json")[1])
    got = got[0] if isinstance(got, list) else got
    assert got["decision"] == "deny"


def test_decision_is_on_record(world):
    world.ssh("alice", "web1", "echo decision-on-record")
    event = world.event("access-allowed", command="decision-on-record")
    assert event["rule"] == "staging" and event["kind"] == "exec"
    world.ssh("mallory", "web1", "echo x")
    assert "rule" in str(until(lambda: world.event("access-denied", target="web1", user="mallory"), 5))
