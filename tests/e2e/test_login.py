"""Logging in at the lab's provider with stock ssh: from a plain key to a certificate that lasts."""
import base64
import calendar
import contextlib
import hashlib
import json
import os
import re
import signal
import sqlite3
import time

import pytest

from hostile_idp import HostileProvider
from person import Person, aged, log_in, silent, within
from world import end_input, finish, read_line, run, until


def whoami(world, who, **more):
    done = silent(world, who, "gw", "whoami", "--json", **more)
    assert done.code == 0, done
    return json.loads(done.out)[0]


def clock():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


@pytest.fixture
def fresh(own_world):
    """A lab where nobody is logged in yet."""
    return own_world()


# ---- the device flow ----

@pytest.mark.parametrize("who, host", [("alice", "web1"), ("bob", "web1.direct")])
def test_first_and_second(module_world, who, host):
    """The first connection shows link and code, and goes on by itself; the next ones ask nothing."""
    world = module_world
    assert "through" in log_in(world, who, host, "echo through")
    for target in ("web1", "web1.direct"):
        done = silent(world, who, target, "echo again")
        assert done.code == 0 and done.out == "again\n" and done.err == "", done
    copied = run(["scp", "-q", "-F", world.dir / ("ssh_config.%s.nocert" % who), "-o", "BatchMode=yes", "/etc/passwd", "web1:" + str(world.dir / ("copy-" + who))])
    assert copied.code == 0 and copied.err == "", copied
    issued = world.event("certificate-issued", user=who)
    assert issued["provider"] == "corp" and world.event("login-provider", user=who)["machine"] is False
    assert issued["seq"] > world.event("login-provider", user=who)["seq"]


def validity(world, line):
    """(from, until) of a certificate, by ssh-keygen."""
    path = world.dir / "shown-cert.pub"
    path.write_text(line)
    shown = run(["ssh-keygen", "-L", "-f", path], env={**os.environ, "TZ": "UTC"})
    words = next(row.split() for row in shown.out.splitlines() if "Valid:" in row)
    return words[2] + "Z", words[4] + "Z"


def rows(text):
    """whoami's text as a map."""
    return {row[:10].strip(): row[10:].strip() for row in text.splitlines()}


def test_who_i_am(module_world):
    """With the plain key: identity, groups as the provider said them, roles matched, expiry and time of login; the certificate says the same."""
    world = module_world
    world.edit(lambda text: text.replace("roles:\n", "roles:\n  verified: {claims: {email_verified: \"true\"}}\n", 1))
    before = clock()
    log_in(world, "carol", "gw", "help")
    after = clock()
    me = whoami(world, "carol")
    assert me["user"] == "carol" and me["provider"] == "corp" and me["machine"] is False and me["source"] == "127.0.0.1"
    assert me["subject"] == "https://127.0.0.1:%s carol" % world.env["IDP_PORT"]
    assert me["groups"] == ["auditors"] and sorted(me["roles"]) == ["auditor", "verified"] and me["may"] == ["sessions", "replay", "audit"]
    assert me["claims"] == ["email_verified=true"] and me["key_id"] == "carol serial %d" % me["serial"]
    assert before <= me["login_time"] <= after, (before, me, after)
    line = silent(world, "carol", "gw", "login").out
    begin, end = validity(world, line)
    assert me["expires"] == end and begin < me["login_time"] < end
    assert seconds(me["expires"]) - seconds(begin) == 36000 + 300  # the lab's lifetime, and five minutes back
    told = rows(silent(world, "carol", "gw", "whoami").out)
    assert told["user"] == "carol" and told["groups"] == "auditors" and told["expires"] == me["expires"] and told["login at"] == me["login_time"]
    assert told["workload"] == "no" and told["claims"] == "email_verified=true" and set(told["roles"].split(",")) == {"auditor", "verified"}
    cert = world.dir / "people/carol/plain-cert.pub"
    cert.write_text(line)
    with_it = whoami(world, "carol", options=("CertificateFile=%s" % cert,))
    cert.unlink()
    assert with_it == me


def test_who_i_am_without_a_login(module_world):
    """A certificate of the administrator's: its expiry, and no time of login."""
    world = module_world
    done = world.ssh("bob", "gw", "whoami", "--json")
    me = json.loads(done.out)[0]
    assert me["provider"] == "local" and me["login_time"] is None and me["claims"] == [] and sorted(me["roles"]) == ["lead", "sre"]
    assert me["expires"] == validity(world, (world.dir / "people/bob/id-cert.pub").read_text())[1]
    told = rows(world.ssh("bob", "gw", "whoami").out)
    assert told["expires"] == me["expires"] and told["login at"] == "-"


def test_ten_connections(fresh):
    """What Ansible does, after the first login: nobody is asked, and all are one login."""
    world = fresh
    log_in(world, "alice", "gw", "help")
    children = [world.popen("alice.nocert", host, "echo through", options=("BatchMode yes",)) for host in ("web1", "web1.direct") * 5]
    ended = [finish(child) for child in children]
    assert all((done.code, done.out, done.err) == (0, "through\n", "") for done in ended), ended
    assert len([row for row in world.events("certificate-issued") if row["provider"] == "corp"]) == 1


def test_batch_mode_is_told(fresh):
    done = silent(fresh, "alice", "web1.direct", "true")
    assert done.code == 255 and "bartizan: certificate needed: run ssh gw login first where nothing can be asked" in done.err, done


def test_certificate_file(fresh):
    """`ssh gw login > id-cert.pub` is a certificate that OpenSSH reads, for this key; logout ends key and file together."""
    world = fresh
    log_in(world, "alice", "gw", "whoami")
    done = silent(world, "alice", "gw", "login")
    assert done.code == 0 and done.err == "" and done.out.count("\n") == 1, done
    cert = world.dir / "people/alice/plain-cert.pub"
    cert.write_text(done.out)
    shown = run(["ssh-keygen", "-L", "-f", cert])
    assert shown.code == 0 and 'Key ID: "alice serial' in shown.out and "\n                alice\n" in shown.out, shown
    used = ("CertificateFile=%s" % cert,)
    assert silent(world, "alice", "web1", "echo in", options=used).out == "in\n"
    assert silent(world, "alice", "gw", "logout").code == 0
    assert silent(world, "alice", "gw", "logout", options=used).code == 255
    refused = silent(world, "alice", "web1.direct", "echo in", options=used)
    assert refused.code == 255 and "its owner has logged out since" in refused.err, refused
    cert.unlink()
    assert "in" in log_in(world, "alice", "web1", "echo in")


def test_first_login_into_a_file(fresh):
    """`ssh gw login > id-cert.pub` as the first thing in the morning: link and code are shown, and the file has the certificate alone."""
    world = fresh
    cert = world.dir / "people/alice/plain-cert.pub"
    person = Person(world, "alice", "gw", "login", to=cert).asked()
    assert cert.read_text() == ""
    code, out = person.browser().end()
    assert code == 0 and "AAAA" not in out, out
    assert re.fullmatch(r"ssh-ed25519-cert-v01@openssh\.com AAAA[A-Za-z0-9+/=]+ alice\n", cert.read_text())
    assert silent(world, "alice", "web1", "echo in", options=("CertificateFile=%s" % cert,)).out == "in\n"


def test_two_at_once(fresh):
    """Each code logs in the connection that showed it, whatever the order; and who approves is who comes in."""
    world = fresh
    alice, bob, carol = (Person(world, who, "gw", "whoami").asked() for who in ("alice", "bob", "carol"))
    assert len({alice.code, bob.code, carol.code}) == 3
    code, out = bob.browser().end()
    assert code == 0 and "user      bob" in out, out
    assert alice.child.isalive() and carol.child.isalive()
    code, out = carol.browser("mallory").end()
    assert code == 0 and "user      mallory" in out, out
    code, out = alice.browser().end()
    assert code == 0 and "user      alice" in out, out
    assert whoami(world, "carol")["user"] == "mallory"
    assert silent(world, "carol", "web1.direct", "true").code == 77


def test_two_at_once_with_one_key(fresh):
    """Each of them shows a code of its own, and lets in the connection that showed it; the other one still waits."""
    world = fresh
    first, second = (Person(world, "alice", "web1.direct", "echo through").asked() for _ in range(2))
    assert first.code != second.code
    code, out = second.browser().end()
    assert code == 0 and "through" in out, out
    assert first.child.isalive()
    code, out = first.browser().end()
    assert code == 0 and "through" in out, out
    assert len([row for row in world.events("certificate-issued") if row["provider"] == "corp"]) == 2


def test_expiry(fresh):
    """With its certificate a key's silence ends, and the file's; who is inside stays, and the next login is a new one."""
    world = fresh
    log_in(world, "alice", "gw", "whoami")
    inside = world.popen("alice.nocert", "web1.direct", "echo in; cat", options=("BatchMode yes",))
    assert read_line(inside) == b"in\n"
    with contextlib.closing(sqlite3.connect(world.dir / "state/bartizan.db", timeout=10)) as store, store:
        past = int(time.time()) - 60
        assert store.execute("UPDATE logins SET expires = ? WHERE user = 'alice'", (past,)).rowcount == 1
        assert store.execute("UPDATE certificates SET valid_before = ? WHERE user = 'alice' AND provider = 'corp'", (past,)).rowcount == 1
    done = silent(world, "alice", "web1.direct", "true")
    assert done.code == 255 and "certificate needed" in done.err, done
    assert "through" in log_in(world, "alice", "web1.direct", "echo through")
    assert inside.poll() is None
    end_input(inside)
    assert finish(inside).code == 0


def test_denied_leaves_nothing(fresh):
    world = fresh
    code, out = Person(world, "alice", "web1.direct", "true").asked().browser("alice", "--deny").end()
    assert code == 255 and "the login was refused at the provider" in out, out
    assert not world.events("certificate-issued") or all(row["user"] != "alice" or row["provider"] == "local" for row in world.events("certificate-issued"))
    assert "refused at the provider" in world.event("login-refused")["reason"]
    assert "in" in log_in(world, "alice", "web1", "echo in")


def test_gone_in_the_middle(fresh):
    """A client that leaves takes its flow with it: its code does no harm, and its place is free."""
    world = fresh
    for _ in range(6):  # more than one address may have at a time
        person = Person(world, "alice", "web1.direct", "true").asked()
        person.child.close(force=True)
        until(lambda: world.lab.gateway_status()["connections"] == 0, what="the end of the connection")
    person.browser()
    assert silent(world, "alice", "web1.direct", "true").code == 255
    assert all(row.get("provider") != "corp" for row in world.events("certificate-issued"))


def test_too_many_from_one_address(fresh):
    world = fresh
    waiting = [Person(world, "alice", "web1.direct", "true").asked() for _ in range(4)]
    code, out = Person(world, "bob", "web1.direct", "true").end()
    assert code == 255 and "4 logins from your address wait already" in out, out
    waiting[0].child.close(force=True)
    until(lambda: world.lab.gateway_status()["connections"] == 3, what="the end of the connection")
    assert "in" in log_in(world, "bob", "web1.direct", "echo in")


def test_survives_a_broker(fresh):
    """The login is in the store, not in a process."""
    world = fresh
    log_in(world, "alice", "gw", "whoami")
    before = world.role("broker")
    os.kill(before, signal.SIGKILL)
    until(lambda: set(world.processes("broker")) - {before} and world.lab.gateway_status(), 30, "a new broker")
    assert silent(world, "alice", "web1", "echo in").out == "in\n"


def test_reload_in_the_middle(fresh):
    """A reload replaces egress; whoever waits for a browser does not notice."""
    world = fresh
    person = Person(world, "alice", "web1.direct", "echo in").asked()
    assert world.lab.reload().startswith("taken")
    code, out = person.browser().end()
    assert code == 0 and "in" in out, out


def test_egress_dies_in_the_middle(fresh):
    world = fresh
    person = Person(world, "alice", "web1.direct", "echo in").asked()
    before = world.role("egress")
    os.kill(before, signal.SIGKILL)
    code, out = person.end()
    assert code == 255 and "egress process is not running" in out, out
    until(lambda: set(world.processes("egress")) - {before}, 30, "a new egress")
    until(lambda: world.lab.log().count("provider 'corp': is there") >= 2, 30, "the provider's keys")
    assert "in" in log_in(world, "alice", "web1.direct", "echo in")


def test_provider_down_at_the_moment(fresh):
    world = fresh
    world.lab.stop_one("idp")
    code, out = Person(world, "alice", "web1.direct", "true").end()
    assert code == 255 and "the provider cannot be reached" in out, out


# ---- several providers ----

def provider(world, name, **keys):
    """A further provider of the configuration: the lab's own under another name."""
    rows = {"issuer": "https://127.0.0.1:%s" % world.env["IDP_PORT"], "client_id": "bartizan", "user": "preferred_username", "groups": "groups",
            "algorithms": "[RS256]", "ca_file": world.dir / "idp/ca.pem", **keys}
    return "  - {name: %s, %s}\n" % (name, ", ".join("%s: %s" % (key, '"%s"' % value if key == "issuer" else value) for key, value in rows.items()))


def add_provider(world, *rows):
    assert world.edit(lambda text: text.replace("providers:\n", "providers:\n" + "".join(rows), 1)).startswith("taken")


def test_choice(fresh):
    world = fresh
    add_provider(world, provider(world, "first", client_id="another", scopes="[openid, email, profile, groups]"))
    person = Person(world, "alice", "gw", "whoami")
    person.child.expect(r"1  first\s+2  corp\s+(\(alice@gw\) )?Provider \[1\]: ")
    person.child.sendline("9")
    person.child.expect(r"no such provider")
    person.child.expect(r"Provider \[1\]: ")
    person.child.sendline("corp")
    code, out = person.asked().browser().end()
    assert code == 0 and "provider  corp" in out, out


def test_token_in_place_of_a_choice(fresh):
    """Where a question for the provider is asked, a workload's token answers it, too."""
    world = fresh
    add_provider(world, provider(world, "first", client_id="another"), provider(world, "ci", **CI))
    person = Person(world, "alice", "gw", "whoami")
    person.child.expect(r"Provider \[1\]: ")
    person.child.sendline(token(world))
    code, out = person.end()
    assert code == 0 and "user      build-7" in out and "workload  yes" in out, out
    wrong = Person(world, "bob", "gw", "whoami")
    wrong.child.expect(r"Provider \[1\]: ")
    wrong.child.sendline(token(world, aud="somebody-else"))
    code, out = wrong.end()
    assert code == 255 and "audience" in out, out


# ---- workloads ----

CI = {"machine": "true", "client_id": "gateway-ci", "user": "sub"}


def token(world, **claims):
    now = int(time.time())
    return world.lab.idp("token", claims={"aud": "gateway-ci", "sub": "build-7", "iat": now, "exp": now + 300, "repository": "org/app", **claims})["token"]


def exchange(world, text, who="alice"):
    return silent(world, who, "gw", "login", "--token", stdin=text.encode(), options=("User token",))


def test_token_exchange(fresh):
    """An ID token of a workload becomes a certificate for the key of the connection, and its claims give roles."""
    world = fresh
    add_provider(world, provider(world, "ci", **CI))
    world.edit(lambda text: text.replace("roles:\n", "roles:\n  deployer: {claims: {repository: org/app}}\n", 1)
               .replace("rules:\n", "rules:\n  - {name: ci, allow: [exec], roles: [deployer], targets: {labels: {env: staging}}}\n", 1))
    done = exchange(world, token(world) + "\n")
    assert done.code == 0 and done.out.startswith("ssh-ed25519-cert-v01@openssh.com AAAA") and done.out.count("\n") == 1, done
    me = whoami(world, "alice")
    assert me["user"] == "build-7" and me["machine"] is True and me["claims"] == ["repository=org/app"] and me["roles"] == ["deployer"]
    assert silent(world, "alice", "web1", "echo in").out == "in\n"
    assert silent(world, "alice", "db1.direct", "true").code == 77
    other = token(world, repository="org/other")
    for _ in range(2):  # a workload uses its token as often as it likes
        elsewhere = exchange(world, other, "bob")
        assert elsewhere.code == 0, elsewhere
    assert silent(world, "bob", "web1.direct", "true").code == 77


def test_provider_without_logins(fresh):
    """Those of CI systems and clusters have keys and nothing else; their tokens work all the same."""
    world = fresh
    with HostileProvider(world.dir / "idp") as cluster:
        cluster.behave("discovery", "workload")
        add_provider(world, cluster.yaml("cluster", machine=True, client_id="gateway", user="sub"))
        subject = "system:serviceaccount:ci:deploy"
        done = exchange(world, cluster.token(aud=["gateway"], sub=subject), "alice")
        assert done.code == 0, done
        me = whoami(world, "alice")
        assert me["user"] == subject and me["provider"] == "cluster" and me["machine"] is True
        wrong = exchange(world, cluster.token(aud=["other"], sub=subject), "mallory")
        assert wrong.code == 77 and "audience" in wrong.err, wrong
        assert silent(world, "mallory", "gw", "whoami").code == 255


@pytest.mark.parametrize("claims, words", [
    ({"aud": "somebody-else"}, "audience"), ({"exp": 1000, "iat": 900}, "expired"), ({"iss": "https://evil.example"}, "evil.example"), ({"sub": "a b"}, "user name"),
])
def test_token_refused(module_world, claims, words):
    world = module_world
    if "name: ci" not in world.lab.config.read_text():
        add_provider(world, provider(world, "ci", **CI))
    done = exchange(world, token(world, **claims), "mallory")
    assert done.code == 77 and done.out == "" and words in done.err, done
    assert silent(world, "mallory", "web1.direct", "true").code == 255  # nobody became anybody


def test_token_user_may_nothing_else(module_world):
    world = module_world
    if "name: ci" not in world.lab.config.read_text():
        add_provider(world, provider(world, "ci", **CI))
    for words in (("whoami",), ("login",), ("sessions",), ("revoke", "--user", "alice")):
        done = silent(world, "mallory", "gw", *words, options=("User token",))
        assert done.code == 77 and "log in first" in done.err, done
    jump = silent(world, "mallory", "web1", "true", options=("ProxyJump none", "ProxyCommand ssh -F %s -o User=token -o BatchMode=yes -W %%h:22 gw" % (
        world.dir / "ssh_config.mallory.nocert")))
    assert jump.code != 0 and "log in first" in jump.err, jump


def test_token_that_never_comes(module_world):
    """No input, and input without end, are bounded."""
    world = module_world
    if "name: ci" not in world.lab.config.read_text():
        add_provider(world, provider(world, "ci", **CI))
    nothing = exchange(world, "", "mallory")
    assert nothing.code == 77 and "standard input is empty" in nothing.err, nothing
    endless = exchange(world, "x" * 1000000, "mallory")
    assert endless.code == 77 and "longer than" in endless.err, endless


def persons(world, who, **claims):
    """What a laptop gets from the provider for somebody."""
    return token(world, aud="bartizan", sub="id-" + who, preferred_username=who, groups=["sre"], **claims)


def nonce(world, who):
    """That of somebody's plain key: oidc/pkce.h."""
    blob = base64.b64decode((world.dir / "people" / who / "plain.pub").read_text().split()[1])
    return base64.urlsafe_b64encode(hashlib.sha256(b"bartizan-login-v1\0" + blob).digest()).decode().rstrip("=")


def test_persons_token_counts_once(module_world):
    """Whoever comes with it later has nothing, whatever the key; the next token works."""
    world = module_world
    text = persons(world, "bob", jti="once")
    assert exchange(world, text, "bob").code == 0
    for who in ("mallory", "bob"):
        again = exchange(world, text, who)
        assert again.code == 77 and again.out == "" and "has been used already" in again.err, again
    assert silent(world, "mallory", "web1.direct", "true").code == 255
    assert exchange(world, persons(world, "bob", jti="twice"), "bob").code == 0
    assert "used already" in world.event("login-refused")["reason"]


def test_persons_token_in_a_race(module_world):
    """Of several at the same moment one wins; the certificates that exist are those that were given."""
    world = module_world
    before = len(world.events("certificate-issued"))
    text = persons(world, "bob", jti="race").encode()
    children = [world.popen("mallory.nocert", "gw", "login", "--token", options=("BatchMode yes", "User token")) for _ in range(6)]
    for child in children:
        child.stdin.write(text + b"\n")
        child.stdin.flush()
    codes = sorted(finish(child).code for child in children)
    assert codes == [0] + [77] * 5, codes
    assert len(world.events("certificate-issued")) == before + 1


def test_persons_token_for_another_key(module_world):
    """A token from a browser is bound to the key that was to have the certificate."""
    world = module_world
    text = persons(world, "bob", jti="bound", nonce=nonce(world, "carol"))
    stolen = exchange(world, text, "mallory")
    assert stolen.code == 77 and "token is for another key" in stolen.err, stolen
    own = exchange(world, text, "carol")
    assert own.code == 0, own
    assert whoami(world, "carol")["user"] == "bob"


# ---- freshness ----

@pytest.mark.parametrize("options", [(), ("RequestTTY force",)])
def test_fresh_enough(own_world, options):
    """An older login leads to the device flow again, in the waiting terminal; then the same connection goes on, and the next ones are silent."""
    world = own_world()
    within(world, "15m")
    aged(world, "alice", 3600)
    person = Person(world, "alice", "web1", "echo through", options=options)
    person.child.expect("rule 'staging' asks for one within 15 minutes")
    code, out = person.asked().browser().end()
    assert code == 0 and "through" in out, out
    done = silent(world, "alice", "web1", "echo again")
    assert done.code == 0 and done.out == "again\n" and done.err == "", done
    assert world.event("access-held")["waits_for"] == "login"


def test_not_by_somebody_else(own_world):
    world = own_world()
    within(world, "15m")
    aged(world, "alice", 3600)
    code, out = Person(world, "alice", "web1.direct", "echo through").asked().browser("bob").end()
    assert code == 77 and "somebody else logged in" in out and "through" not in out, out
    assert whoami(world, "alice")["user"] == "alice"


def test_ctrl_c_while_waiting(own_world):
    world = own_world()
    within(world, "15m")
    aged(world, "alice", 3600)
    person = Person(world, "alice", "web1.direct", "echo through", options=("RequestTTY force",)).asked()
    person.child.send("\x03")
    code, out = person.end()
    assert code == 130 and "through" not in out, out
    assert "in" in log_in(world, "alice", "web1.direct", "echo in")  # its flow is gone, too


def test_certificate_of_no_provider(own_world):
    """Who has a certificate of the administrator's cannot be asked to log in: refused in words."""
    world = own_world()
    within(world, "15m")
    done = world.ssh("alice", "web1.direct", "true")
    assert done.code == 77 and "not from a provider that can be asked" in done.err, done


def test_role_shortens_the_certificate(own_world):
    world = own_world()
    world.edit(lambda text: text.replace("sre: {groups: [sre]}", "sre: {groups: [sre], lifetime: 1h}", 1))
    log_in(world, "alice", "gw", "whoami")
    begin, end = validity(world, silent(world, "alice", "gw", "login").out)
    assert seconds(end) - seconds(begin) == 3600 + 300
    assert whoami(world, "alice")["expires"] == end


def test_unverified_e_mail(own_world):
    world = own_world()
    world.edit(lambda text: text.replace("user: preferred_username", "user: email", 1))
    world.lab.idp("set", claims={"alice": {"email_verified": False}})
    code, out = Person(world, "alice", "web1.direct", "true").asked().browser().end()
    assert code == 255 and "is not verified" in out, out


def test_hostile_claims(own_world):
    """Names with control characters become nobody; groups that are not names are dropped, and thousands of groups do no harm."""
    world = own_world()
    world.lab.idp("set", claims={"alice": {"preferred_username": "al\x1b[2Jice"}})
    code, out = Person(world, "alice", "web1.direct", "true").asked().browser().end()
    assert code == 255 and "cannot be a user name" in out and "\x1b" not in out, out
    world.lab.idp("set", claims={"alice": {"groups": ["sre", "a b", "x,y", "bad\x07", "*"] + ["g%d" % number for number in range(1000)]}})
    log_in(world, "alice", "web1", "echo in")
    groups = whoami(world, "alice")["groups"]
    assert len(groups) == 1001 and "sre" in groups and "*" not in groups
