"""One registry of systems: each system in it works everywhere, and a gap is refused."""

from pathlib import Path

import pytest
from conftest import PROJECT, UNTIL, Database

from flows import dbt, systems
from flows.errors import WrongArgument

NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
HOURLY = ("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)

RULE = """
{{ config(tags=['%(tag)s']) }}

select
    '00000000-0000-0000-0000-000000000001'::uuid as %(tenant)s_id,
    'acme-%(name)s' as %(tenant)s_slug,
    {{ as_of() }} as as_of
union all
select '00000000-0000-0000-0000-000000000002'::uuid, 'other-%(name)s', {{ as_of() }}
"""
LEFT_OUT = """
{{ config(tags=['%(tag)s']) }}

with judged as (
    select 'points' as "table", null::text as key, null::text as tenant, null::text as reason
    where false
)

{{ quarantine_log('%(name)s', 'judged') }}
"""
MART = """
{{ config(unique_key=['%(tenant)s_id']) }}

{{ published_by(ref('%(name)s_publications')) }}
"""
PUBLICATION = """
{{ config(materialized='publication') }}

{{ publish('%(name)s', {
    '%(mart)s': ref('int_%(mart)s'),
    '%(name)s_quarantined_rows': ref('int_quarantined_rows__%(name)s'),
}) }}
"""
SYSTEM = """
    %(name)s:
      <<: *system
      +tags: [%(name)s]
      +group: orders
"""


def add_system(project: Path, name: str, tenant: str, mart: str, *, is_hourly: bool) -> None:
    """Add a system that reads nothing: one rule, one mart, one publication."""
    names = {"name": name, "tenant": tenant, "mart": mart, "tag": name}
    folder = project / "models" / name
    for role in ("rules", "marts", "operations"):
        (folder / role).mkdir(parents=True)
    for kind in ("%s_quarantined_rows.sql", "_%s_operations__models.yml"):
        text = (
            project / "models" / "accounts" / "operations" / (kind % "accounts")
        ).read_text()
        # its first model only
        text = text.replace("accounts", name).partition("\n  - name: account_alert_states")[0]
        (folder / "operations" / (kind % name)).write_text(text)
    (folder / "rules" / f"int_quarantined_rows__{name}.sql").write_text(
        LEFT_OUT.lstrip() % names
    )
    (folder / "rules" / f"int_{mart}.sql").write_text(RULE.lstrip() % names)
    (folder / "marts" / f"{mart}.sql").write_text(MART.lstrip() % names)
    (folder / f"{name}_publications.sql").write_text(PUBLICATION.lstrip() % names)
    documents = (project / "models" / "orders" / "_orders__models.yml").read_text()
    (folder / f"_{name}__models.yml").write_text(documents.replace("orders", name))
    (folder / "marts" / f"{mart}.yml").write_text(f"""
models:
  - name: {mart}
    description: One row per tenant of {name}.
    columns:
      - {{name: {tenant}_id, data_type: uuid, description: Key.}}
      - {{name: {tenant}_slug, data_type: text, description: Slug.}}
      - {{name: as_of, data_type: timestamptz, description: Instant.}}
""")
    (folder / "rules" / f"_{name}_rules__models.yml").write_text(f"""
models:
  - name: int_{mart}
    description: One row per tenant of {name}.
    data_tests:
      - unique_key: {{arguments: {{columns: [{tenant}_id]}}}}
  - name: int_quarantined_rows__{name}
    description: One row per row of {name} that is left out.
""")
    settings = project / "dbt_project.yml"
    text = settings.read_text().replace(
        "    shared:\n      +group",
        f"{SYSTEM.lstrip(chr(10)) % names}    shared:\n      +group",
    )
    entry = f"    {name}: {{is_hourly: {is_hourly}, tenant: {tenant}, tenants: {mart}}}\n"
    settings.write_text(text.replace("  systems:\n", "  systems:\n" + entry.lower()))


def succeed(database: Database, project: Path, *arguments: str) -> str:
    done = database.run(*arguments, project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_new_system_is_its_folder_and_its_line_in_the_registry(
    small: Database, project: Path
) -> None:
    # marts with names that another system could use, and another word for tenant
    add_system(project, "loyalty", "company", "tenant_companies", is_hourly=True)
    add_system(project, "surveys", "organization", "account_surveys", is_hourly=False)
    succeed(small, project, *NIGHTLY)
    succeed(small, project, "flows", "capture", "install")
    succeed(small, project, "flows", "roles", "install")
    secured = small.rows(
        "select tablename, array_agg(regexp_replace(qual, '\\s+', ' ', 'g')) as quals"
        " from pg_policies where schemaname = 'analytics'"
        " and policyname = 'tenants_see_their_rows'"
        " and tablename in ('tenant_companies', 'account_surveys') group by 1 order by 1"
    )
    for mart, system in zip(secured, ("surveys", "loyalty"), strict=True):
        assert f"'{system}'" in mart["quals"][0]
    assert small.rows(
        "select system, count(*) as tenants from operations.tenant_roles"
        " where system in ('loyalty', 'surveys') group by 1 order by 1"
    ) == [{"system": "loyalty", "tenants": 2}, {"system": "surveys", "tenants": 2}]
    assert "acme-loyalty (loyalty)" in succeed(small, project, "flows", "roles", "status")
    # a mart without a system shows no row, and is reported in one line
    small.execute("comment on table analytics.account_surveys is 'customer_health: odd: it'")
    small.execute("alter table analytics.account_surveys disable row level security")
    done = small.run("flows", "roles", "install", project=project)
    [line] = done.stderr.splitlines()
    assert "analytics.account_surveys has no known tenant" in line
    small.execute(
        "comment on table analytics.account_surveys is 'customer_health: surveys: it'"
    )
    succeed(small, project, "flows", "roles", "install")
    # the triggers are new
    assert "recomputes everything" in succeed(small, project, *HOURLY)
    small.execute("delete from analytics.tenant_companies where company_slug like 'other%%'")
    small.execute("delete from analytics.account_surveys")
    assert "recomputes everything" not in succeed(small, project, *HOURLY)
    assert small.value("select count(*) from analytics.tenant_companies") == 2
    # it is a daily system
    assert small.value("select count(*) from analytics.account_surveys") == 0
    assert "orders" in succeed(small, project, "flows", "capture", "status")
    # its slugs are accepted, and no others
    done = small.run("flows", "refresh", "--organization", "nobody", project=project)
    assert done.returncode == 2, done.stdout + done.stderr
    succeed(small, project, *NIGHTLY)
    assert small.value("select count(*) from analytics.account_surveys") == 2
    done = small.run("flows", "refresh", "--organization", "nobody", project=project)
    assert "there are: acme-surveys, other-surveys" in done.stderr
    # a staging view knows new tenants, whatever its table is called
    small.execute(
        "create view analytics_internal.stg_surveys__companies as select"
        " 'new-surveys' as organization_slug, true as is_active, true as is_valid;"
        "grant select on analytics_internal.stg_surveys__companies to public"
    )
    # and no view of others
    done = small.run("flows", "refresh", "--organization", "nobody", project=project)
    assert "there are: acme-surveys, other-surveys" in done.stderr
    small.execute(
        "comment on view analytics_internal.stg_surveys__companies"
        " is 'customer_health: surveys: it'"
    )
    done = small.run("flows", "refresh", "--organization", "nobody", project=project)
    assert "there are: new-surveys" in done.stderr
    # the queue was dropped, and with it the keys of all systems
    small.execute("drop table operations.changed_keys cascade")
    # a dry run creates nothing
    assert "missing objects: operations.changed_keys" in succeed(
        small, project, "flows", "capture", "status"
    )
    said = succeed(small, project, *HOURLY)
    assert "recomputes everything" in said, said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("entry", "changed", "reason"),
    [
        ("    orders: {", "    order: {", "depends on a node named 'order_quarantined_rows'"),
        *(
            pytest.param(entry, changed, reason, marks=pytest.mark.slow)
            for entry, changed, reason in (
                ("    usage: {", "    # {", "it has no usage, which is a folder of models"),
                ("tenants: tenants}", "tenants: customers}", "orders has no mart customers"),
                ("is_hourly: true, tenant: tenant,", "is_hourly: 1, tenant: tenant,", "must"),
                ("is_hourly: true, tenant: tenant,", "tenant: tenant,", "must have is_hourly"),
            )
        ),
    ],
)
def test_a_registry_that_is_not_that_of_the_models_is_refused_in_one_line(
    small: Database, project: Path, entry: str, changed: str, reason: str
) -> None:
    settings = project / "dbt_project.yml"
    text = settings.read_text()
    assert entry in text
    settings.write_text(text.replace(entry, changed, 1))
    done = small.run(*NIGHTLY, project=project)
    assert done.returncode == 2, done.stdout + done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert reason in line
    assert small.value("select to_regclass('analytics.tenants')") is None


@pytest.mark.parametrize("entry", ["foo", None, ["is_hourly"], {"is_hourly": True}])
def test_an_entry_that_is_no_system_is_refused(
    entry: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"vars": {"systems": {"orders": entry}}}
    monkeypatch.setattr(systems, "read_yaml", lambda _file: given)
    with pytest.raises(WrongArgument, match="orders must have is_hourly"):
        systems.registry.__wrapped__()


@pytest.mark.slow
def test_the_registry_is_no_setting(small: Database) -> None:
    given = "{systems: {orders: {is_hourly: true, tenant: tenant, tenants: tenants}}}"
    done = dbt.command(small.environment, "build", "--select", "rfm_groups", "--vars", given)
    assert done.returncode
    assert "it cannot be overridden" in done.stdout


def test_a_name_that_the_registry_lacks_has_no_default() -> None:
    with pytest.raises(WrongArgument, match="has no loyalty, the system of points; it has: "):
        systems.known("loyalty", "points")
    # the code of commands must not repeat what it can read from the registry
    for file in (PROJECT / "flows").rglob("*.py"):
        # which figures explain a status differs by system, and so do the words about customers
        if file.name in {"check_customers.py", "fit_models.py"}:
            continue
        assert '"bookings"' not in file.read_text(), file.name
