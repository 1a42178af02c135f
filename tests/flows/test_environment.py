"""Whatever dbt would read in the environment, a refresh runs this project, and all of it."""

import json
import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, PYTHON, UNTIL, Database

from flows import dbt, errors
from flows.dbt import Node, Run, command
from flows.progress import Progress

NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Another dbt project, with other files that could be mistaken for ours."""
    folder = tmp_path / "foreign"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "only.sql").write_text("select 1 as one")
    (folder / "dbt_project.yml").write_text(
        "name: foreign\nversion: '1'\nprofile: foreign\nconfig-version: 2\n"
    )
    (folder / "profiles.yml").write_text("foreign: {target: a, outputs: {a: {type: x}}}\n")
    (folder / "flows").mkdir()
    (folder / "flows" / "__init__.py").write_text("raise SystemExit('not this one')\n")
    return folder


def hostile(folder: Path) -> dict[str, str]:
    """Return settings of dbt's options in the environment, all at once."""
    options = {
        "PROJECT_DIR": str(folder),
        "PROFILES_DIR": str(folder),
        "PROFILE": "foreign",
        "TARGET": "nowhere",
        "FULL_REFRESH": "1",
        "EMPTY": "1",
        "SAMPLE": "1 day",
        "STATE": str(folder),
        "DEFER": "1",
        "DEFER_STATE": str(folder),
        "FAVOR_STATE": "1",
        "EVENT_TIME_START": "2020-01-01",
        "EVENT_TIME_END": "2020-01-02",
        "STORE_FAILURES": "0",
        "WARN_ERROR": "1",
        "FAIL_FAST": "1",
        "INDIRECT_SELECTION": "empty",
        "RESOURCE_TYPES": "seed",
        "EXCLUDE_RESOURCE_TYPES": "test",
        "VERSION_CHECK": "0",
        "QUIET": "0",
        "PRINT": "1",
        "NO_PRINT": "1",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "debug",
        "DEBUG": "1",
        "INTROSPECT": "0",
        "POPULATE_CACHE": "0",
        "CACHE_SELECTED_ONLY": "1",
        "SINGLE_THREADED": "1",
        "STATIC_PARSER": "0",
        "USE_FAST_TEST_EDGES": "1",
        "PARTIAL_PARSE_FILE_PATH": str(folder / "none.msgpack"),
        "WRITE_JSON": "0",
        "MACRO_DEBUGGING": "1",
        "SEND_ANONYMOUS_USAGE_STATS": "1",
    }
    return {
        **{f"DBT_{name}": value for name, value in options.items()},
        **{f"DBT_ENGINE_{name}": value for name, value in options.items()},
        "DBT_VARS": "{orders_enabled: false}",
        "DBT_EXCLUDE_RESOURCE_TYPE": "test",
        "DBT_RECORDER_MODE": "replay",
        "DBT_RECORDER_FILE_PATH": str(folder / "none.json"),
        "HOME": str(folder),
        "PYTHONPATH": str(folder),
    }


def log(database: Database) -> dict[str, Any]:
    """Return the log entry of the last run."""
    [row] = database.rows(
        "select status, payload from operations.application_logs order by log_id desc limit 1"
    )
    return {"status": row["status"], **row["payload"]}


@pytest.mark.slow
def test_no_variable_of_dbt_changes_what_is_refreshed(
    refreshed: Database, foreign: Path
) -> None:
    without = log(refreshed)
    # a full refresh of dbt would drop this
    refreshed.execute("create view public.theirs as select * from analytics.due_to_order")
    refreshed.execute("update commerce.customers set risk_status = null")
    environment = hostile(foreign)
    done = refreshed.run(*NIGHTLY, environment=environment)
    # 3: all statuses would change, so a guard holds the write-back
    assert done.returncode == 3, done.stdout + done.stderr
    within = log(refreshed)
    assert within["tests_passed"] == without["tests_passed"] > 80
    assert [mart["mart"] for mart in within["marts"]] == [
        mart["mart"] for mart in without["marts"]
    ]
    assert sum(mart["rows_written"] + mart["rows_removed"] for mart in within["marts"]) == 0
    assert refreshed.value("select count(*) from public.theirs") != 0

    for arguments in (("write-back", "--force"), ("capture", "install"), ("roles", "install")):
        done = refreshed.run("flows", *arguments, environment=environment)
        assert done.returncode == 0, done.stdout + done.stderr
    assert refreshed.value("select count(risk_status) from commerce.customers") != 0
    relations = refreshed.rows("select relation from operations.captured_tables")
    assert {row["relation"].partition(".")[0] for row in relations} == {
        '"commerce"',
        '"booking"',
    }


@pytest.mark.slow
def test_a_refresh_from_the_folder_of_another_project_is_ours(
    small: Database, foreign: Path
) -> None:
    done = subprocess.run(
        [PYTHON, "-P", "-m", *NIGHTLY],
        cwd=foreign,
        env=small.os_environment(PYTHONPATH=f"{PROJECT}{os.pathsep}{foreign}"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert log(small)["tests_passed"] > 80


@pytest.mark.slow
def test_a_profile_still_reads_what_dbt_has_options_for(
    small: Database, project: Path
) -> None:
    profile = project / "profiles.yml"
    text = (project / "profiles.example.yml").read_text()
    for old, new in (
        ("target: default", "target: \"{{ env_var('DBT_TARGET') }}\""),
        ("env_var('PGHOST', 'localhost')", "env_var('DBT_HOST')"),
        ("env_var('PGDATABASE', 'postgres')", "env_var('DBT_DATABASE')"),
        ("env_var('PGPASSWORD', '')", "env_var('DBT_ENV_SECRET_PASSWORD')"),
    ):
        assert old in text
        text = text.replace(old, new)
    profile.write_text(text)
    done = small.run(
        "flows",
        "capture",
        "install",
        project=project,
        environment={
            "DBT_TARGET": "default",
            "DBT_HOST": small.environment["PGHOST"],
            "DBT_DATABASE": small.environment["PGDATABASE"],
            "DBT_ENV_SECRET_PASSWORD": "secret",
        },
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_command_line_of_dbt_is_on_this_project(
    small: Database, foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in hostile(foreign).items():
        monkeypatch.setenv(name, value)
    done = command(small.environment, "parse")
    assert done.returncode == 0, done.stdout + done.stderr
    written = Path(os.environ["DBT_TARGET_PATH"], "manifest.json")
    manifest = json.loads(written.read_text(encoding="utf-8"))
    assert manifest["metadata"]["project_name"] == "customer_health"


def node(kind: str, status: str) -> Node:
    return Node("one", kind, [], "orders", status, None, None, None, 0.1)


@pytest.mark.parametrize(
    ("ran", "error"),
    [
        ([], "nothing was selected"),
        ([node("model", "success")], "no test ran"),
        (
            [node("model", "success"), node("test", "pass")],
            "published nothing for orders in this database",
        ),
    ],
)
def test_a_run_in_which_nothing_of_ours_ran_writes_nothing_back(
    ran: list[Node], error: str, refreshed: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.refresh import Options, refresh

    refreshed.execute("update commerce.customers set risk_status = null")
    for name, value in refreshed.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(dbt, "build", lambda *_: Run(nodes=ran))
    for options in (Options("nightly"), Options("organization", organization="elm-logistics")):
        with pytest.raises(errors.Infrastructure) as raised:
            refresh(options, Progress())
        assert error.replace("orders", "") in str(raised.value).replace("orders", "").replace(
            "usage", ""
        )
        assert log(refreshed)["status"] == "failed"
    assert refreshed.value("select count(risk_status) from commerce.customers") == 0
    # nor does a write-back afterward
    done = refreshed.run("flows", "write-back", "--force")
    assert done.returncode == 3
    assert "the last refresh ended with status failed" in done.stderr


def test_a_write_back_asks_for_the_tests_and_the_orders_of_the_last_refresh(
    refreshed: Database,
) -> None:
    from flows.write_back import check_last_refresh

    def add(job: str, status: str, **payload: Any) -> None:
        refreshed.execute(
            "insert into operations.application_logs (logid, log_type, status, payload)"
            " values (gen_random_uuid(), 'refresh', %s, %s)",
            status,
            json.dumps({"cron_name": f"refresh_{job}", **payload}),
        )

    with refreshed.connect() as connection:
        check_last_refresh(connection)
        add("organization", "success", tests_passed=40)
        check_last_refresh(connection)
        add("nightly", "tests_failed", error="a_test: 1 rows")
        # a refresh of another system does not repair it
        add("organization", "success", tests_passed=40)
        with pytest.raises(errors.TestsFailed, match="a_test"):
            check_last_refresh(connection)
        add("hourly", "success", tests_passed=0)
        with pytest.raises(errors.WriteBackHeld, match="no test of the last refresh passed"):
            check_last_refresh(connection)
        add("hourly", "success", tests_passed=40)
        with pytest.raises(errors.WriteBackHeld, match="did not publish orders"):
            check_last_refresh(connection)


def test_a_refresh_of_one_organization_holds_the_write_back_until_all_were_refreshed_after_it(
    refreshed: Database,
) -> None:
    from flows.write_back import check_last_refresh

    def run(job: str, status: str) -> None:
        logid = str(uuid.uuid4())
        refreshed.execute(
            "insert into operations.application_logs (logid, log_type, status, payload)"
            " values (%s, 'refresh', %s, %s)",
            logid,
            status,
            json.dumps({"cron_name": f"refresh_{job}", "error": "odd", "tests_passed": 40}),
        )
        if job != "organization" and status == "success":
            refreshed.execute("update operations.orders_publications set run_id = %s", logid)

    refreshed.execute("delete from operations.application_logs where log_type = 'refresh'")
    with refreshed.connect() as connection:
        with pytest.raises(errors.WriteBackHeld, match="no refresh has run yet"):
            check_last_refresh(connection)
        run("organization", "success")
        with pytest.raises(errors.WriteBackHeld, match="did not publish orders"):
            check_last_refresh(connection)
        for bad, job in (("tests_failed", "nightly"), ("failed", "hourly")):
            run("organization", bad)
            with pytest.raises(errors.Failure, match="the last refresh"):
                check_last_refresh(connection)
            # a later run recomputes it, or does not depend on it
            run(job, "success")
            check_last_refresh(connection)
            run("organization", bad)
            with pytest.raises(errors.Failure, match="the last refresh"):
                check_last_refresh(connection)
            run("organization", "success")
            check_last_refresh(connection)
        run("organization", "interrupted")
        run("hourly", "held")
        with pytest.raises(errors.WriteBackHeld, match="did not publish orders"):
            check_last_refresh(connection)
        run("nightly", "success")
        check_last_refresh(connection)


def test_templates_are_compiled_once_and_their_files_can_stop_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from dbt_common.clients.jinja import MacroFuzzEnvironment, get_environment

    from flows.dbt_child import keep_compiled_templates

    compiled: list[str] = []
    compile_anew = MacroFuzzEnvironment.compile

    def counted(environment: Any, source: str) -> Any:
        compiled.append(source)
        return compile_anew(environment, source)

    def rendered(target: Path, source: str, *, native: bool = False) -> Any:
        # as in a process that has just begun
        monkeypatch.setattr(MacroFuzzEnvironment, "compile", counted)
        monkeypatch.setenv("DBT_TARGET_PATH", str(target))
        keep_compiled_templates()
        return get_environment(native=native).from_string(source).render({})

    number = "{{ '2' | as_native }}"
    assert [rendered(tmp_path, number) for _ in range(2)] == ["2", "2"]
    # as in yml; it shares no file with text
    assert [rendered(tmp_path, number, native=True) for _ in range(2)] == [2, 2]
    assert compiled == [number, number]
    # what is no template may be a secret of the profile
    assert rendered(tmp_path, "hunter2", native=True) == "hunter2"
    files = list((tmp_path / "jinja").iterdir())
    assert len(files) == 2
    assert not any(b"hunter2" in file.read_bytes() for file in files)
    # the disk was full, or the machine lost its power
    for length in (0, 5, 30, 60, 100):
        for file in files:
            file.write_bytes(file.read_bytes()[:length])
        assert rendered(tmp_path, number) == "2", length
    compiled.clear()
    assert rendered(tmp_path, number) == "2"
    assert compiled == []
    # a folder that cannot be made
    (tmp_path / "file").touch()
    assert rendered(tmp_path / "file", number) == "2"
