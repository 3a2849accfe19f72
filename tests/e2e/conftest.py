"""Fixtures: one lab for all tests that only use it, and labs of their own for those that change or break it."""
import os
import pathlib
import re
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from world import World  # noqa: E402


def make_world(edit=None):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="bz-"))
    if os.getuid() == 0:
        directory.chmod(0o711)
    world = World(directory)
    world.lab.up(edit)
    return world


FAULT = re.compile(r".*(?:died of signal (?:4|6|7|8|11|31)\b|AddressSanitizer|LeakSanitizer|runtime error:|double free|corrupted).*")


def end_world(world):
    """Takes the lab down; a fault in the gateway's log fails the test even where nobody noticed it otherwise."""
    world.close()
    world.lab.down()
    faults = FAULT.findall(world.lab.log())
    if not os.environ.get("KEEP"):
        shutil.rmtree(world.dir, ignore_errors=True)
    assert not faults, "\n".join(faults[:20])


@pytest.fixture(scope="session")
def world():
    """The lab that tests share: use it, change nothing."""
    world = make_world()
    yield world
    end_world(world)


@pytest.fixture
def own_world():
    """own_world() or own_world(edit): a lab for one test, edit changes its first configuration."""
    made = []

    def make(edit=None):
        made.append(make_world(edit))
        return made[-1]
    yield make
    for world in made:
        end_world(world)


@pytest.fixture(scope="module")
def module_world():
    """A lab for the tests of one file, which may reload it."""
    world = make_world()
    yield world
    end_world(world)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of the gateway's log."""
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        for value in list(item.funcargs.values()):
            if isinstance(value, World):
                report.sections.append(("gateway's log", "\n".join(value.lab.log().splitlines()[-25:])))


@pytest.fixture(params=["web1", "web1.direct"])
def either(request):
    """Both ways to a target: jump mode and direct mode."""
    return request.param
