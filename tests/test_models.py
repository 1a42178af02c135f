"""dbt's own tests: all data tests and unit tests, on PostgreSQL 18 and 15."""

import pytest
from conftest import UNTIL, USUAL, load_demo, new_database

from flows.dbt import command

# every warning is an error, but for the one that dbt_project.yml silences
STRICT = ("--warn-error-options", '{"error": "all", "silence": ["TypeCodeNotFound"]}')


@pytest.mark.parametrize(
    "version", ["server", pytest.param("server_15", marks=pytest.mark.slow)]
)
def test_models_data_tests_and_unit_tests(
    version: str, request: pytest.FixtureRequest
) -> None:
    database = new_database(request.getfixturevalue(version), USUAL)
    load_demo(database)
    options = ("--exclude", "tag:after_write_back", "--vars", f"{{as_of: '{UNTIL}'}}")
    done = command(database.environment, "build", *STRICT, *options)
    assert done.returncode == 0, done.stdout
    assert " unit tests" in done.stdout
    done = database.run("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert database.value("select count(*) from operations.pending_customer_updates") == 0
    database.drop()
