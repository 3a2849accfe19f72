"""Providers as egress sees them: the lab's real one, and hostile ones; the gateway starts and goes on whatever they do."""
import contextlib
import json
import os
import re
import time

import pexpect

from hostile_idp import HostileProvider
from lablib import idp
from person import within
from world import PATIENCE, run, until

AUTHORITY = "is not signed by a trusted authority"

# what a provider does when it is asked for the document, and what the log says then
BAD_DISCOVERY = {
    "redirect": "redirect refused: '127.0.0.1' sent HTTP 302",
    "redirect_away": "redirect refused: '127.0.0.1' sent HTTP 307",
    "garbage": "answer: not valid JSON",
    "html": "answer is not JSON but 'text/html'",
    "unavailable": "HTTP 503",
    "empty": "answer: not valid JSON",
    "twice": "duplicate object key",
    "deep": "nested deeper",
    "gigabyte": "answer of '127.0.0.1' is larger than 256 KiB",
    "endless": "answer of '127.0.0.1' is larger than 256 KiB",
    "headers": "answer of '127.0.0.1' is larger than",
    "wrong_issuer": "the provider calls itself",
    "http_endpoints": "token_endpoint: 'http://idp.example/token' is not https",
}
SLOW_DISCOVERY = {
    "silent": "no answer from '127.0.0.1' port",
    "drip": "no answer from '127.0.0.1' port",
    "cut": "closed the connection in the middle of its answer",
    "hang_up": "closed the connection without an answer",
}
BAD_KEYS = {
    "redirect": "keys: redirect refused",
    "garbage": "keys: answer: not valid JSON",
    "gigabyte": "keys: answer of '127.0.0.1' is larger than 96 KiB",
}


def providers(stack, world, path, behaviours):
    """One hostile provider for each behaviour; what to write into the configuration, and the providers."""
    made = {}
    for name in behaviours:
        made[name] = stack.enter_context(HostileProvider(world.dir / "idp"))
        made[name].behave(path, name)
    return made, "providers:\n" + "".join(provider.yaml(name.replace("_", "-")) for name, provider in made.items())


def says(world, name, words):
    until(lambda: [line for line in world.lab.log().splitlines() if "provider '%s': " % name in line and words in line], 60,
          "provider '%s': … %s\n%s" % (name, words, "\n".join(line for line in world.lab.log().splitlines() if "provider '%s'" % name in line)))


def with_providers(world, text):
    """Puts them before those of the lab, and reloads."""
    config = world.lab.config.read_text()
    world.lab.config.write_text(config.replace("providers:\n", text, 1))
    assert world.lab.reload().startswith("taken")


def works(world):
    done = world.ssh("alice", "web1", "echo", "through")
    assert (done.code, done.out) == (0, "through\n"), done


def resident(pid):
    """Peak memory of a process, in bytes."""
    with open("/proc/%d/status" % pid) as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) * 1024


def test_bad_documents(own_world):
    world = own_world()
    with contextlib.ExitStack() as stack:
        made, text = providers(stack, world, "discovery", BAD_DISCOVERY)
        with_providers(world, text)
        for name, words in BAD_DISCOVERY.items():
            says(world, name.replace("_", "-"), "discovery: ")
            says(world, name.replace("_", "-"), words)
        works(world)
        assert made["redirect"].count("other") == 0  # nobody followed
        assert until(lambda: made["endless"].sent.get("discovery"), 60, "the end of the pouring") < 16 << 20
        if not os.environ.get("SANITIZE"):
            for pid in world.processes("egress"):
                assert resident(pid) < 128 << 20


def test_slow_documents_and_bad_keys(own_world):
    world = own_world()
    with contextlib.ExitStack() as stack:
        _, slow = providers(stack, world, "discovery", SLOW_DISCOVERY)
        _, bad = providers(stack, world, "jwks", BAD_KEYS)
        with_providers(world, slow + bad.replace("providers:\n", ""))
        for name, words in {**SLOW_DISCOVERY, **BAD_KEYS}.items():
            says(world, name.replace("_", "-"), words)
        says(world, "corp", "is there")
        works(world)


def test_certificates(own_world):
    """Another authority, another name, a certificate that has expired; and plain http where it is not allowed."""
    world = own_world()
    folder = world.dir / "idp"
    idp.authority(folder, "stranger")
    with contextlib.ExitStack() as stack:
        stranger = stack.enter_context(HostileProvider(folder))
        name = stack.enter_context(HostileProvider(folder, tls="elsewhere", san="DNS:idp.example"))
        system = stack.enter_context(HostileProvider(folder))
        idp.certificate(folder, "old", days=-1)
        old = stack.enter_context(HostileProvider(folder, tls="old"))
        text = "providers:\n" + stranger.yaml("stranger").replace("ca.pem", "stranger.pem") + name.yaml("elsewhere") + old.yaml("old")
        text += system.yaml("system").replace(', "ca_file": "%s"' % (folder / "ca.pem"), "")
        with_providers(world, text)
        says(world, "stranger", "discovery: certificate of '127.0.0.1' " + AUTHORITY)
        says(world, "system", "discovery: certificate of '127.0.0.1' " + AUTHORITY)
        says(world, "elsewhere", "discovery: certificate of '127.0.0.1' is for another name")
        says(world, "old", "discovery: certificate of '127.0.0.1': certificate has expired")
        for provider in (stranger, name, system, old):
            assert provider.asked == []  # not one byte was said to it
        works(world)


def test_down_at_the_start(own_world):
    """The gateway starts without its provider, says so, and finds it when it comes."""
    world = own_world()
    world.lab.stop_one("idp")
    world.lab.stop_one("gateway")
    world.lab.start_gateway()
    says(world, "corp", "discovery: cannot connect to '127.0.0.1'")
    works(world)
    world.lab.start_idp()
    begun = len(world.lab.log())
    until(lambda: "provider 'corp': is there" in world.lab.log()[begun:], 90, "the provider's return")


class Login:
    """ssh with a plain key, up to the code."""

    def __init__(self, world, who, host="web1.direct", words=("echo", "through")):
        self.world, self.who = world, who
        command = world.ssh_command(who + ".nocert", host, *words)
        self.child = pexpect.spawn(command[0], command[1:], timeout=PATIENCE, encoding="utf8")
        world.closing.callback(self.child.close, True)
        self.child.expect(r"Open\s+(https://\S+) and enter the code (\S+)")
        self.link, self.code = self.child.match.groups()

    def browser(self, who=None, *options):
        return run([self.world.dir / "login", *options, who or self.who, self.link, self.code])

    def end(self, seconds=PATIENCE):
        self.child.expect(pexpect.EOF, timeout=seconds)
        self.child.close()
        return self.child.exitstatus, self.child.before


def approved(world, who):
    login = Login(world, who)
    page = login.browser()
    assert page.code == 0 and "Success" in page.out, page
    code, out = login.end()
    assert code == 0 and out.rstrip().endswith("through"), out


def test_rotation(own_world):
    """New keys at the provider: the first login that shows one has them fetched. And each algorithm in turn."""
    world = own_world()
    approved(world, "alice")
    kids = world.lab.idp("rotate")["kids"]
    assert len(set(kids)) == 4
    approved(world, "bob")
    says(world, "corp", "has other keys now")
    for who, alg in (("carol", "ES256"), ("mallory", "EdDSA")):
        assert world.lab.idp("set", alg=alg)["alg"] == alg
        login = Login(world, who, "gw", ("whoami",))
        assert login.browser().code == 0
        code, out = login.end()
        assert code == 0 and who in out, out


def test_denied(own_world):
    world = own_world()
    login = Login(world, "alice")
    assert login.browser("alice", "--deny").code == 0
    code, out = login.end()
    assert code == 255 and "refused" in out and "through" not in out, out


HOSTILE_LOGINS = {  # what it does at the token endpoint, and what the person reads
    "no_id_token": "no ID token",
    "huge_token": "larger than 16 KiB",
    "terminal": "invalid_request: ?x1b[2J?x1b]0;owned?x07?u{202E}gpj.exe?x0d?nbartizan: all is well",
    "redirect": "redirect refused",
    "garbage": "not valid JSON",
    "gigabyte": "larger than 64 KiB",
}


def test_hostile_logins(own_world):
    """Whatever comes instead of a token: refused in words, and no byte of the provider's reaches the terminal as it was."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        for behaviour, words in HOSTILE_LOGINS.items():
            provider.behave("token", behaviour)
            login = Login(world, "alice")
            code, out = login.end()
            assert code == 255, (behaviour, out)
            assert "\x1b" not in out and "\u202e" not in out, (behaviour, out)
            assert words in world.lab.log() or words in out, (behaviour, out)


def with_only(world, provider):
    """A configuration with this provider alone."""
    config = world.lab.config.read_text()
    begin, end = config.index("providers:\n"), config.index("keys:\n")
    world.lab.config.write_text(config[:begin] + "providers:\n" + provider.yaml("corp") + config[end:])
    assert world.lab.reload().startswith("taken")
    says(world, "corp", "is there")


def whoami(world, who):
    done = world.ssh(who + ".nocert", "gw", "whoami", "--json", options=("BatchMode yes",))
    assert done.code == 0, done
    return json.loads(done.out)[0]


def test_clocks_a_minute_apart(own_world):
    """Either way is forgiven (skew: 60s); more is not, and is told."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        for who, shift, words in (("alice", 50, None), ("bob", -50, None), ("carol", 90, "in the future"), ("mallory", -900, "expired")):
            now = int(time.time()) + shift
            provider.approve_as(who, iat=now, auth_time=now, exp=now + 600)
            code, out = Login(world, who).end()
            assert (code == 0 and "through" in out) if words is None else (code == 255 and words in out), (who, out)
            assert world.ssh(who + ".nocert", "gw", "whoami", options=("BatchMode yes",)).code == (255 if words else 0)


def test_expired_within_the_skew(own_world):
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        for who, since, words in (("alice", 40, None), ("carol", 90, "expired")):
            now = int(time.time())
            provider.approve_as(who, iat=now - 100, auth_time=now - 100, exp=now - since)
            code, out = Login(world, who).end()
            assert (code == 0 and "through" in out) if words is None else (code == 255 and words in out), (who, out)


def test_keys_without_the_key(own_world):
    """The token's key is not published: refused in words; once it is there, logins work, without a reload."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        provider.behave("jwks", "no_keys")
        with_only(world, provider)
        provider.approve_as("alice")
        code, out = Login(world, "alice").end()
        assert code == 255 and "no key with kid 'hostile'" in out, out
        provider.behave("jwks", "good")
        until(lambda: Login(world, "alice").end()[0] == 0, 60, "the right key")
        assert whoami(world, "alice")["groups"] == ["sre"]


def test_other_keys(own_world):
    """A key that did not sign the token, and one that is no key."""
    for behaviour, words in (("other_key", "signature does not fit"), ("broken_key", "has a small factor or its exponent does not fit")):
        world = own_world()
        with HostileProvider(world.dir / "idp") as provider:
            provider.behave("jwks", behaviour)
            with_only(world, provider)
            provider.approve_as("alice")
            code, out = Login(world, "alice").end()
            assert code == 255 and words in out, out
            assert not world.events("login-provider")


def test_a_nameless_key_is_changed(own_world):
    """Keys and tokens without kid: when the signature no longer fits, the keys are fetched once more."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        provider.behave("jwks", "other_nameless")
        with_only(world, provider)
        provider.approve_as("alice")
        provider.header = {"kid": None}
        code, out = Login(world, "alice").end()
        assert code == 255 and "signature does not fit" in out, out
        provider.behave("jwks", "nameless")
        until(lambda: Login(world, "alice").end()[0] == 0, 60, "the new key")


def test_thousands_of_groups(own_world):
    """30 KiB of them: too much for a token, which is refused in words; in userinfo they all count."""
    world = own_world()
    names = ["group-%04d" % number for number in range(3000)]
    assert len(json.dumps(names)) > 30 << 10
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        provider.approve(sub="alice", preferred_username="alice", groups=names)
        code, out = Login(world, "alice").end()
        assert code == 255 and "larger than 16 KiB" in out, out
        provider.approve(sub="alice", preferred_username="alice")
        provider.userinfo = {"groups": names + ["sre"]}
        code, out = Login(world, "alice").end()
        assert code == 0 and "through" in out, out
        assert whoami(world, "alice")["groups"] == names + ["sre"]
        assert world.event("certificate-issued", user="alice", provider="corp")["groups_in_all"] == 3001
        provider.approve(sub="bob", preferred_username="bob", _claim_names={"groups": "src1"})
        provider.userinfo = {}
        code, out = Login(world, "bob").end()
        assert code == 255 and "left claim 'groups' out" in out, out  # "too many" is not "none"


BAD_USERINFO = ("redirect", "garbage", "html", "unavailable", "gigabyte", "endless")


def test_bad_userinfo(own_world):
    """It is a second place to look: without it the token counts alone, and nothing follows or swallows what comes."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        for behaviour in BAD_USERINFO:
            provider.behave("userinfo", behaviour)
            provider.approve_as(behaviour)
            code, out = Login(world, "alice").end()
            assert code == 0 and "through" in out, (behaviour, out)
            assert whoami(world, "alice")["user"] == behaviour
            assert world.ssh("alice.nocert", "gw", "logout", options=("BatchMode yes",)).code == 0
        assert provider.count("other") == 0 and provider.sent["userinfo"] < 16 << 20
        provider.behave("userinfo", "good")
        provider.userinfo = {"sub": "somebody-else", "groups": ["leads"]}
        provider.approve_as("alice")
        code, out = Login(world, "alice").end()
        assert code == 255 and "userinfo is about another subject" in out, out


def test_slow_down(own_world):
    """RFC 8628: five seconds more each time. Without an interval: five seconds."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        provider.behave("token", "slow_down")
        Login(world, "alice")
        until(lambda: provider.count("token") >= 2, 60, "the second poll")
        first, second = [at for name, at, _ in provider.asked if name == "token"][:2]
        assert 5.5 < second - first < 11  # 1 + 5, and no more than once
        provider.asked.clear()
        provider.behave("device", "no_interval")
        Login(world, "bob")
        until(lambda: provider.count("token") >= 1, 60, "the first poll")
        begun, first = [at for name, at, _ in provider.asked][0], [at for name, at, _ in provider.asked if name == "token"][0]
        assert 4.5 < first - begun < 10


def test_gone_for_a_while(own_world):
    """A provider that fails between two polls is asked again; the person notices nothing."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        provider.behave("token", "unavailable")
        login = Login(world, "alice")
        until(lambda: provider.count("token") >= 2, 30, "two polls")
        provider.behave("token", "hang_up")
        polls = provider.count("token")
        until(lambda: provider.count("token") >= polls + 1, 30, "another poll")
        provider.behave("token", "good")
        provider.approve_as("alice")
        code, out = login.end()
        assert code == 0 and "through" in out, out


def test_an_old_login_at_the_provider(own_world):
    """A rule asks for a fresh login, and the provider gives a new token for an old one: refused, by its auth_time."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        within(world, "15m")
        now = int(time.time())
        provider.approve_as("alice", auth_time=now - 3600)
        code, out = Login(world, "alice", "gw", ("whoami",)).end()
        assert code == 0, out
        asked = len(provider.asked)
        code, out = Login(world, "alice").end()
        assert code == 77 and "login was 1 hour ago; 15 minutes is the most" in out and "through" not in out, out
        assert any("max_age=900" in body for name, _, body in provider.asked[asked:] if name == "device")
        provider.approve_as("alice")
        code, out = Login(world, "alice").end()
        assert code == 0 and "through" in out, out


def test_evil_codes(own_world):
    """A code or link that could forge what the person sees never reaches him."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        for behaviour, words in {"evil_code": "no usable user_code", "evil_link": "no usable verification_uri", "unavailable": "HTTP 503"}.items():
            provider.behave("device", behaviour)
            command = world.ssh_command("alice.nocert", "web1.direct", "true")
            child = pexpect.spawn(command[0], command[1:], timeout=PATIENCE, encoding="utf8")
            child.expect(pexpect.EOF)
            assert "\x1b" not in child.before and "javascript" not in child.before, child.before
            assert words in world.lab.log() or words in child.before, child.before
            child.close()


def test_expired(own_world):
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        provider.behave("device", "short_lived")
        login = Login(world, "alice")
        code, out = login.end()
        assert code == 255 and "expired" in out, out
