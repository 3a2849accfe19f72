"""Who is who, with providers as they are in the wild: what they leave out, spell in their own way, or demand."""
import json

import pytest

from hostile_idp import HostileProvider
from test_provider import Login, whoami, with_only


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
