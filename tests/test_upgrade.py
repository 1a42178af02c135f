"""A new version works with what an earlier one has left: a user's folder and a database."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from conftest import (
    ONE,
    PROJECT,
    TENANT,
    TWO,
    UNTIL,
    USUAL,
    Database,
    load_two_customers,
    new_database,
)
from psycopg import sql

# the first commit whose `init` creates a project that a refresh can use
FIRST = "61f5aa5d70743d46ba2b243103ec62f051ddd79b"
# files that the project's .gitignore names do not belong to the user
OURS = {".local", ".user.yml", "dbt_packages", "logs", "target"}
READER = "reader_of_an_upgrade"
HOURLY_IS_FULL = (
    "run `customer-health capture install`: until then every hourly refresh is a full refresh"
)

# a row or two for the other systems
OTHERS = f"""
insert into booking.organizations (id, slug, name) values ('{TENANT}', 'salon', 'Salon');
insert into booking.locations values ('{TENANT}', 'L1', 'Here', 'UTC', now());
insert into booking.customers (organization_id, square_customer_id, created_at)
values ('{TENANT}', 'C1', '2026-01-01');
insert into booking.bookings
    (organization_id, booking_id, square_customer_id, location_id, status, start_at)
select '{TENANT}', 'B' || day, 'C1', 'L1', 'ACCEPTED', day
from generate_series(timestamptz '2026-05-10', '2026-06-10', '9 days') as day;
insert into platform.organizations (id, slug, name) values ('{TENANT}', 'app', 'App');
insert into platform.users (id, organization_id, last_login_at, created_at)
values ('{TENANT}', '{TENANT}', '2026-06-14', '2026-01-01');
insert into success.organizations (id, slug, name) values ('{TENANT}', 'team', 'Team');
insert into success.accounts (id, organization_id, name, status, created_at)
values ('{TENANT}', '{TENANT}', 'An account', 'active', '2026-01-01');
"""
# customer Two orders for the first time; updated_at does not show it
NEW_ORDER = f"""
insert into commerce.orders
    (id, tenant_id, customer_id, status, ordered_at, delivered_at, total_amount, updated_at)
values (
    gen_random_uuid(), '{TENANT}', '{TWO}', 'DELIVERED', '%s', '%s', 100, '2026-06-15 11:00+00'
)
"""
BEFORE, AFTER = NEW_ORDER.replace("%s", "2026-06-10"), NEW_ORDER.replace("%s", "2026-06-12")


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """This software as of its first commit."""
    packed = subprocess.run(
        ["git", "archive", FIRST], cwd=PROJECT, capture_output=True, check=False
    )
    if packed.returncode:
        pytest.skip(f"{FIRST[:7]} is not in this repository: {packed.stderr.decode().strip()}")
    folder = tmp_path / "earlier"
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def shop(server: Database) -> Iterator[Database]:
    """Two customers, and a row or two for the other systems."""
    database = new_database(server, USUAL)
    load_two_customers(database)
    database.execute(OTHERS)
    yield database
    database.drop()


def run(
    database: Database, software: Path, folder: Path, *arguments: str, code: int = 0
) -> str:
    """Run a command of this software in the user's folder; return its output."""
    done = database.run(
        "flows", *arguments, project=folder, environment={"PYTHONPATH": str(software)}
    )
    assert done.returncode == code, done.stdout[-4000:] + done.stderr
    return done.stdout + done.stderr


def files_of(folder: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.relative_to(folder).parts[0] not in OURS
    }


def last_order_of(database: Database, customer: str) -> object:
    """Return the customer's last order date in the application."""
    return database.value(
        "select last_order_date::text from commerce.customers where id = %s", customer
    )


def marts(database: Database) -> dict[str, list[str]]:
    """Return all public rows as text; columns added later may come last."""
    found: dict[str, list[str]] = {}
    with database.connect() as connection:
        names = connection.execute(
            "select relname from pg_class where relkind in ('r', 'v')"
            " and relnamespace = 'analytics'::regnamespace order by 1"
        ).fetchall()
        for row in names:
            query = sql.SQL(
                "select to_jsonb(them)::text as it from analytics.{} as them order by 1"
            )
            them = connection.execute(query.format(sql.Identifier(row["relname"])))
            found[row["relname"]] = [one["it"] for one in them]
    return found


def make_it_all(shop: Database, earlier: Path, folder: Path) -> None:
    """Create everything that a user has who has used every command."""
    run(shop, earlier, folder.parent, "init", str(folder))
    run(shop, earlier, folder, "refresh", "--mode", "nightly", "--as-of", UNTIL)
    for part in ("capture", "hook", "roles"):
        run(shop, earlier, folder, part, "install")
    shop.execute(
        f"drop role if exists {READER}; create role {READER};"
        f"grant select on analytics.due_to_order to {READER};"
        f"create schema reports; grant usage on schema analytics to {READER};"
        "create view reports.mine as select * from analytics.customer_risk_status;" + BEFORE
        # recorded by the earlier version's triggers
    )


@pytest.mark.slow
def test_a_project_of_the_first_commit_goes_on_with_this_one_and_is_not_touched(
    shop: Database, earlier: Path, tmp_path: Path
) -> None:
    fresh = shop.copy()
    refresh = ("refresh", "--as-of", UNTIL, "--mode")
    folder = tmp_path / "shop"
    make_it_all(shop, earlier, folder)
    kept = files_of(folder)
    batch = "select max(batch_id) from operations.write_back_batches"
    written = shop.value(batch)

    # docs/upgrade.md, command by command
    said = run(shop, PROJECT, folder, "check", code=1)
    to_look_at = [line for line in said.splitlines() if line.strip().startswith("look ")]
    # and the questions that the first commit's `init` left open
    asked = [line for line in to_look_at if "TODO is left" not in line]
    assert [HOURLY_IS_FULL in line for line in asked] == [True, True], said
    assert said.splitlines()[-1] == f"0 wrong, {len(to_look_at)} to look at", said
    # a dry run changes nothing before a refresh, either
    for looks in (("capture", "status"), ("status",), ("write-back", "--dry-run")):
        said = run(shop, PROJECT, folder, *looks)
        assert ("every hourly refresh is a full refresh until you run it again" in said) == (
            looks[0] == "capture"
        )
    run(shop, PROJECT, folder, "capture", "install")
    assert "have changed" not in run(shop, PROJECT, folder, "capture", "status")
    # a batch of the earlier version can be rolled back
    run(shop, PROJECT, folder, "rollback", str(written))
    assert last_order_of(shop, ONE) is None
    said = run(shop, PROJECT, folder, *refresh, "hourly")
    assert "this hourly refresh recomputes everything: the rules have changed" in said
    assert [last_order_of(shop, one) for one in (ONE, TWO)] == ["2026-05-30", "2026-06-10"]
    after = marts(shop)

    # no object of others is lost, and a tenant sees its own rows only
    assert shop.value("select count(*) from reports.mine") == 2
    assert shop.value(
        f"select has_table_privilege('{READER}', 'analytics.due_to_order', 'select')"
    )
    [tenant] = shop.rows(
        "select role_name from operations.tenant_roles where system = 'orders'"
    )
    with shop.connect() as connection:
        connection.execute(f"set role {tenant['role_name']}".encode())
        seen = connection.execute("select tenant_slug from analytics.tenants").fetchall()
    assert [row["tenant_slug"] for row in seen] == ["acme"]

    # the hook and the triggers still work: only they show that a row was deleted
    shop.execute(AFTER)
    assert last_order_of(shop, TWO) == "2026-06-12"
    shop.execute("delete from commerce.orders where delivered_at = '2026-05-30 00:00+00'")
    said = run(shop, PROJECT, folder, *refresh, "hourly")
    assert "recomputes everything" not in said
    assert [last_order_of(shop, one) for one in (ONE, TWO)] == ["2026-05-20", "2026-06-12"]
    run(shop, PROJECT, folder, "rollback", str(shop.value(batch)))
    assert last_order_of(shop, ONE) == "2026-05-30"
    run(shop, PROJECT, folder, "write-back")
    assert last_order_of(shop, ONE) == "2026-05-20"
    assert shop.rows("select * from operations.hook_errors") == []

    # everything is as on a database without an earlier version
    fresh.execute(BEFORE)
    upgraded, other = shop.as_template(), fresh.copy(USUAL)
    run(other, PROJECT, folder, *refresh, "nightly")
    assert marts(other) == after
    # and uninstall removes everything, whichever version created it
    upgraded.execute(
        f"drop schema reports cascade; drop owned by {READER}; drop role {READER}"
    )
    run(upgraded, PROJECT, folder, "uninstall")
    assert upgraded.value(
        "select coalesce(to_regnamespace('operations'), to_regnamespace('analytics'),"
        " to_regnamespace('analytics_internal')) is null"
        " and not exists (select from pg_trigger where starts_with(tgname, 'customer_health'))"
    )
    upgraded.drop()
    fresh.drop()
    assert files_of(folder) == kept


@pytest.mark.slow
def test_check_says_what_a_new_version_wants(server: Database, tmp_path: Path) -> None:
    """A new input, a removed setting, and a package of another version."""
    shop = new_database(server, USUAL)
    load_two_customers(shop)
    shop.execute(
        "alter schema commerce rename to shop; drop schema booking, platform, success cascade"
    )
    folder = tmp_path / "shop"
    run(shop, PROJECT, tmp_path, "init", str(folder))
    (folder / "models/orders/inputs/input_orders__sales_reps.sql").unlink()
    said = run(shop, PROJECT, folder, "check", code=2)
    [wrong] = [line for line in said.splitlines() if line.startswith("wrong")]
    assert wrong == (
        'wrong input_orders__sales_reps: relation "commerce.sales_reps" does not exist; your'
        " project has no input_orders__sales_reps, so our own input is read: write"
        " models/orders/inputs/input_orders__sales_reps.sql, or set orders_schema and the"
        " orders_..._table settings"
    )

    settings = folder / "dbt_project.yml"
    before = yaml.safe_load(settings.read_text())
    for more in ({"due_soon_day": 3}, {"customer_health": {"due_soon_day": 3}}):
        settings.write_text(yaml.safe_dump(before | {"vars": before.get("vars", {}) | more}))
        for command in (("check",), ("refresh", "--mode", "nightly"), ("capture", "install")):
            said = run(shop, PROJECT, folder, *command, code=2)
            assert said.splitlines()[-1] == (
                "error: setting due_soon_day of dbt_project.yml is unknown;"
                " did you mean due_soon_days?"
            )
    settings.write_text(yaml.safe_dump(before))

    # dbt deps has installed another version than that of the command
    package = folder / "dbt_packages" / "customer_health"
    package.unlink()
    package.mkdir()
    (package / "dbt_project.yml").write_text("name: customer_health\nversion: 99.1.0\n")
    (folder / "packages.yml").write_text("packages: []\n")
    for command in (("check",), ("refresh", "--mode", "nightly"), ("capture", "install")):
        said = run(shop, PROJECT, folder, *command, code=2)
        assert "is version 99.1.0 but this command is version " in said.splitlines()[-1]
    assert shop.value("select to_regnamespace('analytics_internal') is null")
    shop.drop()
