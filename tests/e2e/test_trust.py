"""A yes covers exactly what was seen: what the broker decided on is what the target gets, or nothing begins."""
import pytest
from approvals import clear
from lablib import servers
from test_shell_guard import Shell, judged
from world import until

GUARDS = r"""
guards:
  lines:
    - {deny: ["mkfs*"]}
    - {approve: ["rm -r*"], by: lead}
    - {warn: ["touch *"]}
    - {allow: ["*"]}
rules:
  - {name: guarded, allow: [shell, exec], roles: [sre], targets: [web1], guard: lines}
  - {name: open, allow: [shell, exec], roles: [sre], targets: [plain1]}
"""


@pytest.fixture(scope="module")
def shop(module_world):
    """The lab with a guard on web1 and none on plain1; neither gives a terminal to an account that asks for NO_TTY."""
    module_world.rules(GUARDS)
    return module_world


@pytest.fixture(autouse=True)
def cleared(shop):
    yield
    clear(shop)


def without_terminals(world, name):
    """That sshd refuses terminals from now on; gives back how to undo it."""
    config = world.dir / name / "sshd_config"
    before = config.read_text()
    config.write_text("PermitTTY no\n" + before)
    return config, before
