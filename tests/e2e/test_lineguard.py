"""Real shells under the shell guard, without a gateway: every case of tests/lineguard/driver.py in every shell that is installed.

The cases mostly wait for their shells: they run beside each other, and each test tells how its own went.
"""
import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lineguard import driver  # noqa: E402

ROWS = driver.rows()
BESIDE = 6


@pytest.fixture(scope="module")
def results(request):
    """{(shell, case): how it goes} of the tests that were asked for."""
    build = os.environ.get("BUILD", "build")
    program = "%s/unit/lineguard_proxy" % build
    subprocess.run(["make", "-s", "BUILD=" + build, program], cwd=pathlib.Path(__file__).resolve().parents[2], check=True)
    wanted = [item.callspec.params for item in request.session.items if item.module is request.module]
    pool = ThreadPoolExecutor(BESIDE)
    yield {(row["shell"].name, row["case"].name): pool.submit(driver.run_case, str(pathlib.Path(program).resolve()), row["shell"], row["case"]) for row in wanted}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("shell,case", ROWS, ids=["%s-%s" % (shell.name, case.name) for shell, case in ROWS])
def test_shell(results, shell, case):
    result = results[shell.name, case.name].result()
    assert not result.failure, result.failure + "\n" + result.seen
