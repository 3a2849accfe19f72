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
