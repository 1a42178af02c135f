"""Real data against an independent oracle, where ../shared with both is at hand."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from conftest import SHARED, USUAL, Database, new_database

CHECK = SHARED / "acceptance" / "check.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHECK.exists(), reason=f"no acceptance data in {SHARED}"),
]


@pytest.fixture(scope="module")
def database(server: Database) -> Iterator[Database]:
    database = new_database(server, USUAL)
    check(database, "create")
    check(database, "load", "retail", "hotels")
    yield database
    database.drop()


def check(database: Database, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(CHECK), *arguments],
        env=database.os_environment(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("data", "as_of"),
    [
        ("retail", "2011-12-10T12:00:00+00:00"),
        ("retail", "2011-06-30T23:30:00+00:00"),
        ("retail", "2011-03-01T05:00:00+00:00"),
        ("hotels", "2017-09-30T12:00:00+00:00"),
        ("hotels", "2016-06-01T02:30:00+00:00"),
        ("hotels", "2016-02-29T23:59:00+00:00"),
    ],
)
def test_real_data_equal_the_oracle(database: Database, data: str, as_of: str) -> None:
    done = database.run(
        *("flows", "refresh", "--mode", "nightly", "--as-of", as_of, "--no-write-back")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert check(database, "compare", data, "--as-of", as_of).endswith("\n0 differences\n")
