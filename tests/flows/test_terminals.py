"""Names that a terminal cannot show: something readable, and the right exit code."""

import subprocess
from collections.abc import Iterator

import pytest
from conftest import PROJECT, PYTHON, UNTIL, USUAL, Database, load_two_customers, new_database

SLUG = "caf\u00e9-\N{SLICE OF PIZZA}"
NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)

# who says what can be shown: the user, or a machine without any locale
ASCII = {"PYTHONIOENCODING": "ascii"}
NO_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LATIN = {"PYTHONIOENCODING": "latin-1:strict"}
PLAIN_C = {"LANG": "C", "LC_ALL": ""}


def run(
    database: Database, *arguments: str | bytes, **changes: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command, and read what it prints as the bytes that they are."""
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
    """A business full of emoji, after a refresh without any locale."""
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
        assert line.startswith(b"error: --tenant: no active tenant '")
    # what is no text in any encoding
    for environment in (ASCII, NO_LOCALE, {}):
        done = run(emoji, "flows", "write-back", "--tenant", b"\xff\xfe", **environment)
        assert done.returncode == 2
        assert done.stderr == b"error: argument '\\udcff\\udcfe' is no UTF-8\n"


def test_what_the_database_refuses_is_told_on_an_ascii_terminal(emoji: Database) -> None:
    emoji.execute("update commerce.customers set account_type = 'PROSPECT'")
    emoji.execute(
        """
        create function commerce.refuse() returns trigger language plpgsql as $$
        begin
            raise insufficient_privilege using message = 'not with 🍕';
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
        assert b"caf\\xe9-\\U0001f355: not with \\U0001f355" in line
    assert (
        emoji.value(
            "select payload -> 'write_back_failed' ->> %s from operations.application_logs"
            " order by log_id desc limit 1",
            SLUG,
        )
        == "not with 🍕"
    )
