"""Names that a terminal cannot show: readable output, and the right exit code."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, PYTHON, UNTIL, USUAL, Database, load_two_customers, new_database

from flows import __main__ as commands

SLUG = "caf\u00e9-\N{SLICE OF PIZZA}"
NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)

# the encoding, as set by the user or as on a machine without a locale
ASCII = {"PYTHONIOENCODING": "ascii"}
NO_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LATIN = {"PYTHONIOENCODING": "latin-1:strict"}
PLAIN_C = {"LANG": "C", "LC_ALL": ""}


def run(
    database: Database, *arguments: str | bytes, **changes: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command, and return the bytes that it prints."""
    return subprocess.run(
        [PYTHON, "-m", *arguments],
        cwd=PROJECT,
        env=database.os_environment(**changes),
        capture_output=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def emoji_template(server: Database) -> Iterator[Database]:
    """A business full of emoji, after a refresh without a locale; a template."""
    database = new_database(server, USUAL)
    load_two_customers(database)
    database.execute("update commerce.tenants set slug = %s, name = %s", SLUG, SLUG)
    database.execute("update commerce.customers set name = '\N{SLICE OF PIZZA} ' || name")
    database.execute(
        "insert into commerce.sales_reps (id, tenant_id, name)"
        " select gen_random_uuid(), id, '\N{DOG FACE}' from commerce.tenants;"
    )
    database.execute(
        "update commerce.customers set sales_rep_id = (select id from commerce.sales_reps)"
    )
    done = run(database, *NIGHTLY, "--tenant", SLUG, **NO_LOCALE)
    assert done.returncode == 0, done.stderr.decode()
    assert b"caf\\xe9-\\U0001f355" in done.stdout
    database = database.as_template()
    yield database
    database.drop()


@pytest.fixture
def emoji(emoji_template: Database) -> Iterator[Database]:
    database = emoji_template.copy(USUAL)
    yield database
    database.drop()


@pytest.mark.slow
def test_every_command_prints_what_an_ascii_terminal_can_show(emoji: Database) -> None:
    assert emoji.value("select count(risk_status) from commerce.customers") == 1
    emoji.execute("update commerce.customers set account_type = 'PROSPECT'")
    for arguments, environment, shown in (
        (("write-back", "--dry-run"), ASCII, b"\\U0001f355 One"),
        (("write-back", "--dry-run", "--tenant", SLUG), NO_LOCALE, b"\\U0001f355 One"),
        (("write-back", "--dry-run"), LATIN, b"caf\xe9-\\U0001f355"),
        (("weekly",), ASCII, b"\\U0001f436"),
        (("weekly",), PLAIN_C, "\N{DOG FACE}".encode()),
        (("status",), ASCII, b"hours old"),
        (("alerts", "--dry-run"), ASCII, b""),
        (("roles", "install"), NO_LOCALE, b"roles"),
        (("roles", "status"), ASCII, b"caf\\xe9-\\U0001f355 (orders)"),
        (("capture", "status"), ASCII, b""),
        (("roles", "remove"), ASCII, b"removed"),
    ):
        done = run(emoji, "flows", *arguments, **environment)
        assert done.returncode == 0, done.stderr.decode()
        assert b"Traceback" not in done.stderr
        assert shown in done.stdout, arguments


@pytest.mark.slow
def test_errors_of_such_names_are_one_line_and_keep_their_exit_code(emoji: Database) -> None:
    for environment in (ASCII, NO_LOCALE, LATIN, {}):
        done = run(emoji, "flows", "weekly", "\N{DOG FACE}", **environment)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        done = run(
            emoji,
            "flows",
            "write-back",
            "--dry-run",
            "--tenant",
            "\N{DOG FACE}",
            **environment,
        )
        assert done.returncode == 2
        [line] = done.stderr.splitlines()
        assert line.startswith(b"error: --tenant: no active tenant has the slug '")
    # bytes that are not text in any encoding
    for environment in (ASCII, NO_LOCALE, {}):
        done = run(emoji, "flows", "write-back", "--tenant", b"\xff\xfe", **environment)
        assert done.returncode == 2
        assert done.stderr == b"error: argument '\\udcff\\udcfe' is not UTF-8\n"


@pytest.mark.slow
def test_what_the_database_refuses_is_told_on_an_ascii_terminal(emoji: Database) -> None:
    emoji.execute("update commerce.customers set account_type = 'PROSPECT'")
    emoji.execute(
        """
        create function commerce.refuse() returns trigger language plpgsql as $$
        begin
            -- no error of the row, but of the statement
            perform from "🍕";
            return new;
        end
        $$;
        create trigger refuse before update on commerce.customers
        for each row execute function commerce.refuse();
        """
    )
    for environment in (ASCII, NO_LOCALE):
        done = run(emoji, "flows", "write-back", "--force", **environment)
        assert done.returncode == 4
        [line] = done.stderr.splitlines()
        assert b'caf\\xe9-\\U0001f355: relation "\\U0001f355" does not exist' in line
    assert (
        emoji.value(
            "select payload -> 'write_back_failed' ->> %s from operations.application_logs"
            " order by log_id desc limit 1",
            SLUG,
        )
        == 'relation "🍕" does not exist'
    )


@pytest.mark.slow
def test_off_a_terminal_no_value_breaks_over_two_lines(
    emoji: Database, tmp_path: Path
) -> None:
    """In a pipe, in the file of --log-file, and in all tables."""
    slug = f"{'a-very-long-slug-' * 20}end"
    emoji.execute("update commerce.tenants set slug = %s", slug)
    emoji.execute("update commerce.customers set name = E'One\\nTwo\\tThree' || name")
    log = tmp_path / "log"
    logged = ("--log-file", str(log))
    done = run(emoji, *NIGHTLY, *logged)
    assert done.returncode == 0, done.stderr.decode()
    emoji.execute("update commerce.customers set account_type = 'PROSPECT'")
    for arguments, rows in (
        (("write-back", "--dry-run", *logged), 6),
        (("weekly", *logged), 1),
        (("status", *logged), 0),
        (("alerts", "--dry-run", *logged), 0),
        (("roles", "install"), 0),
        (("roles", "status"), 1),
        (("roles", "remove"), 0),
    ):
        shown = run(emoji, "flows", *arguments, COLUMNS="80")
        assert shown.returncode == 0, shown.stderr.decode()
        lines = shown.stdout.decode().splitlines()
        assert sum(slug in line for line in lines) >= rows, arguments
        # no part of the name is on a line of its own
        assert all("long-slug" not in line.replace(slug, "") for line in lines), arguments
    written = log.read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ", line) for line in written)
    assert all("long-slug" not in line.replace(slug, "") for line in written)
    assert any("Risk status" in line for line in written)
    assert any(r"One\nTwo\tThree" in line and slug in line for line in written)
    assert any("dry run: " in line for line in written)


@pytest.mark.slow
def test_schedulers_get_one_json_object_however_a_command_ends(
    emoji: Database, tmp_path: Path
) -> None:
    log = tmp_path / "log"

    def ended(*arguments: str, code: int = 0, **environment: str) -> dict[str, Any]:
        options = ("--json", "--log-file", str(log))
        done = run(emoji, "flows", *arguments, *options, **environment)
        assert done.returncode == code, done.stderr.decode()
        [line] = done.stdout.splitlines()
        found: dict[str, Any] = json.loads(line)
        assert found["exit_code"] == code
        if code:
            [*_, last] = done.stderr.decode().splitlines()
            assert last.startswith("error: ")
            assert last.removeprefix("error: ") == found["error"]
            assert last in log.read_text()
        return found

    refreshed = ended("refresh", "--mode", "hourly", "--as-of", UNTIL)
    assert refreshed["cron_name"] == "refresh_hourly"
    assert refreshed["tests_passed"] > 0
    assert refreshed["tenants"][0]["tenant_slug"] == SLUG
    assert refreshed["rows_written"] == ended("write-back")["rows_written"] == 0
    [week] = ended("weekly")["tables"]["Weekly summary"]
    assert week["tenant"] == SLUG
    status = ended("status")
    assert {job["job"] for job in status["tables"]["Jobs"]} >= {"refresh_hourly"}
    assert any("hours old" in line for line in status["lines"])
    assert "Changes" in ended("write-back", "--dry-run")["tables"]
    assert "Messages that would be sent" in ended("alerts", "--dry-run")["tables"]

    wrong = ended("write-back", "--tenant", "nobody", code=2)
    assert wrong["error"].startswith("--tenant: no active tenant has the slug 'nobody'")
    gone = ended("status", code=4, PGPORT="1")
    assert set(gone) == {"error", "exit_code"}
    emoji.execute("update operations.application_logs set created_at = now() - interval '9 d'")
    assert "tables" in ended_as_overdue(emoji)
    # the log entry of a failed run
    emoji.execute(
        "update operations.application_logs set status = 'tests_failed'"
        " where log_id = (select max(log_id) from operations.application_logs"
        " where log_type = 'refresh')"
    )
    failed = ended("write-back", code=1)
    assert failed["cron_name"] == "write_back"
    done = run(emoji, "flows", "refresh", "--json", "--mode", "monthly")
    assert json.loads(done.stdout)["exit_code"] == 2


def test_a_reader_that_goes_away_ends_no_command(refreshed: Database) -> None:
    """`refresh | head -1` must not stop between the marts and the write-back."""
    environment = refreshed.os_environment()
    # then Python also fails when it flushes at the end
    environment.pop("PYTHONUNBUFFERED", None)
    for arguments, code in (
        (("weekly",), 0),
        (("weekly", "--json"), 0),
        (("write-back", "--tenant", "nobody"), 2),
    ):
        command = subprocess.Popen(
            [PYTHON, "-m", "flows", *arguments],
            env=environment,
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if code == 0 else subprocess.STDOUT,
        )
        assert command.stdout
        command.stdout.close()
        error = command.stderr.read() if command.stderr else b""
        assert (command.wait(60), b"Broken" in error) == (code, False), arguments


@pytest.mark.parametrize("unbuffered", ["1", ""])
def test_a_full_disk_behind_the_output_ends_no_command(
    refreshed: Database, unbuffered: str
) -> None:
    """A refresh goes on to its write-back, and 1 would mean that a data test failed."""
    for arguments, full, code in (
        (("weekly",), ("stdout",), 0),
        (("weekly",), ("stdout", "stderr"), 0),
        (("weekly", "--json"), ("stdout",), 0),
        (("weekly", "--json"), ("stdout", "stderr"), 0),
        (("refresh", "--mode", "wrong"), ("stderr",), 2),
        (("write-back", "--tenant", "nobody"), ("stdout", "stderr"), 2),
    ):
        with Path("/dev/full").open("wb") as disk:
            done = subprocess.run(
                [PYTHON, "-m", "flows", *arguments],
                env=refreshed.os_environment(PYTHONUNBUFFERED=unbuffered),
                cwd=PROJECT,
                timeout=60,
                check=False,
                stdout=disk if "stdout" in full else subprocess.PIPE,
                stderr=disk if "stderr" in full else subprocess.PIPE,
            )
        is_said = b"error" in (done.stderr or b"")
        assert (done.returncode, is_said) == (code, False), (arguments, full)


def test_what_nobody_expects_is_no_failed_test(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(_progress: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(commands.PLAIN, "weekly", broken)
    monkeypatch.setattr(commands, "use_databases", lambda _command: "a database")
    assert commands.main(["weekly", "--json"]) == 4
    printed = capfd.readouterr()
    problem = "unexpected: OSError: [Errno 28] No space left on device"
    assert json.loads(printed.out) == {"error": problem, "exit_code": 4}
    assert "in broken" in printed.err
    assert printed.err.endswith(f"error: {problem}\n")


def ended_as_overdue(database: Database) -> dict[str, Any]:
    done = run(database, "flows", "status", "--json")
    assert done.returncode == 1
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["exit_code"] == 1
    return found


def test_a_log_file_that_cannot_be_written_is_one_line(
    refreshed: Database, tmp_path: Path
) -> None:
    for file, code, reason in (
        (str(tmp_path / "not_there" / "log"), 2, "No such file or directory"),
        (str(tmp_path), 2, "Is a directory"),
        ("/dev/full", 4, "No space left on device"),
    ):
        done = run(refreshed, "flows", "weekly", "--log-file", file)
        [line] = done.stderr.decode().splitlines()
        assert (done.returncode, line.startswith("error: --log-file: ")) == (code, True)
        assert reason in line
        assert file in line
