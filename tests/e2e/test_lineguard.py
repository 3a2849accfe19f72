"""Real shells under the shell guard, without a gateway: every case of tests/lineguard/driver.py in every shell that is installed."""
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lineguard import driver  # noqa: E402

ROWS = driver.rows()


@pytest.fixture(scope="module")
def proxy():
    build = os.environ.get("BUILD", "build")
    program = "%s/unit/lineguard_proxy" % build
    subprocess.run(["make", "-s", "BUILD=" + build, program], cwd=pathlib.Path(__file__).resolve().parents[2], check=True)
    return str(pathlib.Path(program).resolve())


@pytest.mark.parametrize("shell,case", ROWS, ids=["%s-%s" % (shell.name, case.name) for shell, case in ROWS])
def test_shell(proxy, shell, case):
    result = driver.run_case(proxy, shell, case)
    assert not result.failure, result.failure + "\n" + result.seen
