"""Who is who, with providers as they are in the wild: what they leave out, spell in their own way, or demand."""
import json
import time

import pytest

from approvals import gw, held, state, vote
from hostile_idp import HostileProvider
from person import within
from test_provider import Login, whoami, with_only
from world import finish, run


def one_login(world, provider, who="alice", **claims):
    provider.approve(**{"sub": who, "preferred_username": who, "groups": ["sre"], **claims})
    return Login(world, who).end()


# ---- the device flow ----

@pytest.mark.parametrize("behaviours", [
    {"device": "strict_proof", "token": "strict_proof"}, {"device": "odd_members", "discovery": "odd_members"}, {"jwks": "zero_in_front"},
], ids=["proof", "odd-members", "zero-in-front"])
def test_logins_in_the_wild(own_world, behaviours):
    """PKCE in the device authorization (Keycloak), optional members that cannot be used, a modulus of Java's making."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        for path, behaviour in behaviours.items():
            provider.behave(path, behaviour)
        with_only(world, provider)
        code, out = one_login(world, provider)
        assert code == 0 and "through" in out, out
        assert whoami(world, "alice")["groups"] == ["sre"]


def test_stolen_device_code(own_world):
    """Whoever has the device code alone gets no token for it: the verifier never left the gateway."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        assert one_login(world, provider)[0] == 0
        forms = [body for name, _, body in provider.asked if name in ("device", "token")]
        assert "code_challenge=" in forms[0] and "code_verifier" not in forms[0]
        assert all("code_verifier=" in form for form in forms[1:])
        assert "code_verifier" not in world.lab.log()


# ---- what is said about a refusal ----

HINTS = ("certificate needed", "a certificate is needed", "run ssh gw login")


def hints(done):
    return [hint for hint in HINTS if hint in done.err]


@pytest.mark.parametrize("with_provider", [True, False], ids=["provider", "no-provider"])
def test_hint_does_not_follow_a_reason(own_world, with_provider):
    """After "expired" or "revoked", the plain key of the same file is refused as well: that is no reason to speak of something else."""
    world = own_world()
    if not with_provider:
        text = world.lab.config.read_text()
        world.lab.config.write_text(text[:text.index("providers:\n")] + text[text.index("keys:\n"):])
        assert world.lab.reload().startswith("taken")
    world.visitor("late")
    world.certificate("late", validity="-1h:-3m")
    done = world.ssh("late", "web1.direct", "true", options=("BatchMode yes",))
    assert done.code == 255 and "expired 3 minutes ago" in done.err and not hints(done), done
    world.visitor("gone")
    world.certificate("gone", principals="gone")
    assert world.lab.cli("revoke", "--user", "gone", "--reason", "left").returncode == 0
    done = world.ssh("gone", "web1.direct", "true", options=("BatchMode yes",))
    assert done.code == 255 and "user is revoked: left" in done.err and not hints(done), done
    world.visitor("plain")
    done = world.ssh("plain", "web1.direct", "true", options=("BatchMode yes",))
    assert done.code == 255 and hints(done), done  # without another reason it is said


def test_reason_after_a_hint(own_world):
    """A revoked key behind one that nobody knows: its own reason is said all the same, and once."""
    world = own_world()
    first, second, third = (world.visitor(name) for name in ("one", "two", "three"))
    for key in (second, third):
        assert world.lab.cli("revoke", "--key", key.with_name("id.pub").read_text().strip(), "--reason", "lost").returncode == 0
    text = world.lab.config.read_text()
    world.lab.config.write_text(text[:text.index("providers:\n")] + text[text.index("keys:\n"):])
    assert world.lab.reload().startswith("taken")
    options = ("BatchMode yes", "IdentityFile %s" % second, "IdentityFile %s" % third)
    done = world.ssh("one", "web1.direct", "true", options=options)
    assert done.code == 255 and done.err.count("key is revoked: lost") == 1, done


# ---- one key, one person ----

def same_key(world, name, of):
    """A visitor whose key is somebody else's."""
    key = world.visitor(name)
    for part in ("id", "id.pub"):
        key.with_name(part).write_bytes((world.dir / "people" / of / part).read_bytes())
    return key


def test_one_key_is_not_two_people(own_world):
    """Asked as alice, voted as erin, with one key: refused. Revoked as alice, she does not come in as erin."""
    world = own_world()
    key = same_key(world, "erin", "alice")
    world.lab.issue("erin", ["leads"], key.with_name("id.pub"))
    child, id = held(world, "alice", "db1", "echo came-through")
    done = gw(world, "erin", "approve %s" % id)
    assert done.code != 0 and "your key was used to ask for this one (asked as 'alice')" in done.err, done
    assert state(world, id) == "pending"
    vote(world, id, "bob")  # another key
    assert finish(child).out == "came-through\n"
    assert gw(world, "erin", "whoami").code == 0
    assert world.lab.cli("revoke", "--user", "ALICE", "--reason", "left").returncode == 0  # in any spelling
    for who, words in (("alice", "user 'ALICE'"), ("erin", "user 'ALICE', whose key this is, is revoked: left")):
        done = world.ssh(who, "gw", "whoami", options=("BatchMode yes",))
        assert done.code == 255 and ("revoked: left" in done.err), done
        assert who == "alice" or words in done.err, done
    assert world.ssh("bob", "gw", "whoami").code == 0


def test_several_principals(own_world):
    """step-ca issues two principals by default: that is nobody, or the one that the configuration names, whatever name the client gives."""
    world = own_world()
    ca = world.dir / "keys/step"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", ca])
    trust = "  lifetime: 10h\n  trusted: [{key: %s.pub%s}]\n"
    both = "frank,frank@example.com"
    world.edit(lambda text: text.replace("  lifetime: 10h\n", trust % (ca, ""), 1).replace("sre: {groups: [sre]}", "sre: {groups: [sre], users: [frank@example.com]}"))
    for name, principals, user in (("p1", both, "frank"), ("p2", both, "frank@example.com")):
        world.visitor(name)
        world.certificate(name, ca=ca, principals=principals)
        done = world.ssh(name, "gw", "whoami", options=("BatchMode yes", "User %s" % user))
        assert done.code == 255 and "names 2 principals, and nothing says which of them is the user" in done.err, done
    world.edit(lambda text: text.replace(trust % (ca, ""), trust % (ca, ", principal_pattern: '*@example.com'"), 1))
    for name, user in (("p1", "frank"), ("p2", "frank@example.com")):
        done = world.ssh(name, "gw", "whoami", "--json", options=("BatchMode yes", "User %s" % user))
        assert done.code == 0 and json.loads(done.out)[0]["user"] == "frank@example.com", done
    for name, principals, words in (("p3", "frank", "0 of the certificate's 1 principals match"), ("p4", "a@example.com,b@example.com", "2 of the certificate's 2"),
                                    ("p5", "fr\u0430nk@example.com", "(Cyrillic) among Latin letters")):
        world.visitor(name)
        world.certificate(name, ca=ca, principals=principals)
        done = world.ssh(name, "gw", "whoami", options=("BatchMode yes",))
        assert done.code == 255 and words in done.err, done


# ---- kinds of tokens, names ----

def test_other_kinds_of_tokens(own_world):
    """Signed by the provider, for us, of this minute, and not an ID token: nobody becomes anybody with it."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        person = {"sub": "alice", "preferred_username": "alice", "groups": ["sre"]}
        for claims, words in (({"typ": "Bearer", "azp": "bartizan", "aud": ["bartizan", "account"]}, "token is an access token ('typ' is 'Bearer')"),
                              ({"scope": "openid email"}, "token is an access token (it has 'scope')"), ({"typ": "Refresh"}, "refresh token"),
                              ({"job_id": "7"}, "a CI job's token (it has 'job_id'), and this provider is for people")):
            done = world.ssh("mallory.nocert", "gw", "login", "--token", stdin=(provider.token(**person, **claims) + "\n").encode(), options=("BatchMode yes", "User token"))
            assert done.code == 77 and done.out == "" and words in done.err, done
        assert one_login(world, provider, typ="Bearer")[0] == 255
        done = world.ssh("mallory.nocert", "gw", "login", "--token", stdin=(provider.token(**person, typ="ID") + "\n").encode(), options=("BatchMode yes", "User token"))
        assert done.code == 0, done
        world.edit(lambda text: text.replace('"name": "corp"', '"name": "corp", "require": ["at_hash"]', 1))
        code, out = one_login(world, provider)
        assert code == 255 and "has no 'at_hash'" in out, out
        code, out = one_login(world, provider, at_hash="x")
        assert code == 0, out


def test_names_and_groups(own_world):
    """What is dropped is named, with the character; two scripts are nobody, also where names may be of any; and roles that are keys of an object."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        code, out = one_login(world, provider, preferred_username="ali\u0441e")
        assert code == 255 and "u{0441}" in out and "not ASCII (names: unicode" in out, out
        code, out = one_login(world, provider, groups=["sre", "/sre", "\u0433\u0440\u0443\u043f\u043f\u0430"])
        assert code == 0, out
        assert "of the groups of alice 2 are no names here and were dropped: '/sre' (it holds '/'), '" in world.lab.log()
        world.edit(lambda text: text.replace('"name": "corp"', '"name": "corp", "names": "unicode"', 1).replace('"groups": "groups"', '"groups": {"keys_of": "roles"}', 1))
        code, out = one_login(world, provider, who="bob", preferred_username="\u0430lice")
        assert code == 255 and "among Cyrillic letters" in out, out
        code, out = one_login(world, provider, who="carol", groups=None, roles={"sre": {"1": "example.com"}, "\u0433\u0440\u0443\u043f\u043f\u0430": {}})
        assert code == 0, out
        assert whoami(world, "carol")["groups"] == ["sre", "\u0433\u0440\u0443\u043f\u043f\u0430"]


def test_email_verified_as_text(own_world):
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        with_only(world, provider)
        world.edit(lambda text: text.replace('"user": "preferred_username"', '"user": "email"', 1))
        code, out = one_login(world, provider, email="alice@example.com", email_verified="true")
        assert code == 255 and "'email_verified' is the text \"true\", and not true" in out, out
        code, out = one_login(world, provider, email="alice@example.com", email_verified=True)
        assert code in (0, 77) and whoami(world, "alice")["user"] == "alice@example.com", out


# ---- login_within ----

@pytest.mark.parametrize("discovery", ["with_logout", "good"])
def test_a_session_that_the_provider_does_not_end(own_world, discovery):
    """Keycloak ignores max_age and prompt in the device flow: said before and after, with where to log out."""
    world = own_world()
    with HostileProvider(world.dir / "idp") as provider:
        provider.behave("discovery", discovery)
        link = " (%s/logout )" % provider.issuer if discovery == "with_logout" else ""
        with_only(world, provider)
        within(world, "15m")
        code, out = one_login(world, provider, auth_time=int(time.time()) - 3600)
        flat = " ".join(out.split())
        assert code == 77 and "through" not in out, out
        assert "It has to be a new one: where the provider does not ask for your password, log out there first%s or open the link in a private window." % link in flat, out
        told, advice = flat.split("is the most.")
        assert told.endswith("login was 1 hour ago; 15 minutes ") and "log out there first" in advice and "private window" in advice, out
        assert link.strip(" ()") in advice, out
