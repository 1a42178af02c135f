"""Inputs: in any mapping, duplicates are found, indexes are used, and gaps are reported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ONE, TWO, UNTIL, Database, new_database, switch_off

from flows.dbt import child_environment

TABLES = """
create schema app;
create table app.plain (id int primary key, tenant int, code text unique, parent int);
create table app.line (id int primary key, plain_id int, tenant int);
create table app.two (tenant int, id int, primary key (tenant, id));
create table app."Camel" ("orderId" int primary key, "Tenant" int);
create table app.keyless (id int, tenant int);
create table app.partial (id int);
create unique index on app.partial (id) where id > 0;
create table app.deferred (id int unique deferrable initially deferred);
create table app.expression (id text);
create unique index on app.expression (lower(id));
create table app.including (id int, tenant int);
create unique index on app.including (tenant) include (id);
create table app.parent (id int primary key);
create table app.child () inherits (app.parent);
create table app.parted (id int, day date, primary key (id, day)) partition by range (day);
create table app.parted_1 partition of app.parted
for values from ('2026-01-01') to ('2026-02-01');
create table app.parted_2 partition of app.parted
for values from ('2026-02-01') to ('2026-03-01');
create unique index on app.parted_1 (id);
create unique index on app.parted_2 (id);
create table app.hashed (id int primary key, plain_id int) partition by hash (id);
create table app.hashed_0 partition of app.hashed for values with (modulus 2, remainder 0);
create table app.hashed_1 partition of app.hashed for values with (modulus 2, remainder 1);
create table app.lonely (id int) partition by list (id);
create table app.lonely_1 partition of app.lonely for values in (1, 2, 3);
create unique index on app.lonely_1 (id);
create table app.childless (id int) partition by list (id);
create materialized view app.kept as select id, tenant from app.plain;
create unique index on app.kept (id);
create view app.seen as select id as seen_id, tenant from app.plain;
"""

# the select of an input, the key that its staging view needs, and whether that is unique
MAPPINGS = [
    ("select id as order_id from app.plain", ["order_id"], True),
    ("select p.id as order_id from app.plain as p", ["order_id"], True),
    ('select "orderId" as order_id, "Tenant" as t from app."Camel"', ["t", "order_id"], True),
    ('select "o d"."orderId" as order_id from app."Camel" as "o d"', ["order_id"], True),
    ('select "Tenant" as order_id from app."Camel"', ["order_id"], False),
    ("select tenant, id from app.two", ["tenant", "id"], True),
    ("select tenant, id from app.two", ["id"], False),
    ("select 1 as tenant, id from app.two", ["tenant", "id"], False),
    ("select 1 as tenant, id from app.plain", ["tenant", "id"], True),
    ("select id from app.keyless", ["id"], False),
    ("select id from app.partial", ["id"], False),
    ("select id from app.partial where id > 0", ["id"], False),
    ("select id from app.deferred", ["id"], False),
    ("select id from app.expression", ["id"], False),
    ("select id from app.including", ["id"], False),
    ("select id, tenant from app.including", ["tenant"], True),
    ("select id from app.parent", ["id"], False),
    ("select id from only app.parent", ["id"], True),
    ("select id, day from app.parted", ["id", "day"], True),
    ("select id, day from app.parted", ["id"], False),
    ("select id from app.hashed", ["id"], True),
    ("select id from app.lonely", ["id"], False),
    ("select id from app.childless", ["id"], False),
    ("select id from app.kept", ["id"], True),
    ("select seen_id as id from app.seen as s", ["id"], True),
    # casts that keep values distinct, and others
    ("select id::text as id from app.plain", ["id"], True),
    ("select id::bigint as id from app.plain", ["id"], True),
    ("select code::int as id from app.plain", ["id"], False),
    ("select id / 2 as id from app.plain", ["id"], False),
    ("select id::varchar(1) as id from app.plain", ["id"], False),
    # joins
    (
        "select l.id, p.tenant from app.line as l join app.plain as p on l.plain_id = p.id",
        ["tenant", "id"],
        True,
    ),
    (
        "select l.id, p.tenant from app.plain as p join app.line as l on l.plain_id = p.id",
        ["tenant", "id"],
        True,
    ),
    (
        "select l.id from app.line as l left join app.plain as p on l.plain_id = p.id",
        ["id"],
        True,
    ),
    (
        # unique, but the plan does not show it, so the view looks for duplicates
        "select h.id, p.tenant from app.hashed as h join app.plain as p on h.plain_id = p.id",
        ["tenant", "id"],
        False,
    ),
    (
        "select p.id, p.tenant from app.plain as p join app.line as l on l.plain_id = p.id",
        ["tenant", "id"],
        False,
    ),
    (
        "select p.id from app.plain as p left join app.line as l on l.plain_id = p.id",
        ["id"],
        False,
    ),
    (
        "select l.id from app.line as l join app.keyless as k on l.plain_id = k.id",
        ["id"],
        False,
    ),
    ("select l.id from app.line as l join app.two as t on l.plain_id = t.id", ["id"], False),
    ("select a.id from app.plain as a join app.plain as b on a.id = b.parent", ["id"], False),
    ("select b.id from app.plain as a join app.plain as b on a.id = b.parent", ["id"], True),
    # rows without a key are not duplicates
    ("select a.id from app.plain as a full join app.line as b on a.id = b.id", ["id"], True),
    ("select a.id from app.plain as a full join app.two as b on a.id = b.id", ["id"], False),
    ("select a.id from app.plain as a cross join app.two", ["id"], False),
    ("select id from app.plain cross join generate_series(1, 2)", ["id"], False),
    ("select id, unnest(array[1, 2]) as more from app.plain", ["id"], False),
    ("select id from app.plain where exists (select from app.two)", ["id"], True),
    (
        "select p.id from app.plain as p where p.id in (select plain_id from app.line)",
        ["id"],
        True,
    ),
    ("select id from app.plain union all select id from app.line", ["id"], False),
    ("select id from app.hashed union all select id from app.hashed", ["id"], False),
    ("select id from app.hashed_0 union all select id from app.hashed_0", ["id"], False),
    # no table
    ("select 1 as id", ["id"], True),
    ("select 1 as id union all select 1", ["id"], False),
    ("select id from (values (1), (1)) as given (id)", ["id"], False),
    ("select 1 as id from generate_series(1, 2)", ["id"], False),
    # a column that is looked up
    (
        "select id, (select max(id) from app.two where two.id = p.id) as t from app.plain p",
        ["t", "id"],
        True,
    ),
]
PROVE = """
{{% macro prove() -%}}
    {{%- set found = [] -%}}
    {{%- for number, key in {cases} -%}}
        {{%- set view = api.Relation.create(schema='app', identifier='input_' ~ number) -%}}
        {{%- do found.append(is_unique(view, key)) -%}}
    {{%- endfor -%}}
    {{%- do print('found: ' ~ tojson(found)) -%}}
{{%- endmacro %}}
"""


def check_proven(
    database: Database, project: Path, mappings: list[tuple[str, list[str], bool]]
) -> None:
    """Call is_unique() for each of these mappings."""
    for number, (select, _, _) in enumerate(mappings):
        database.execute(f"create view app.input_{number} as {select}")
    cases = [[number, key] for number, (_, key, _) in enumerate(mappings)]
    (project / "macros" / "prove.sql").write_text(PROVE.format(cases=cases))
    (project / "profiles.yml").write_text((project / "profiles.example.yml").read_text())
    done = subprocess.run(
        [sys.executable, "-m", "dbt.cli.main", "run-operation", "prove", "--quiet"],
        cwd=project,
        env=child_environment(database.environment)
        | {"DBT_TARGET_PATH": str(project / "target")},
        capture_output=True,
        text=True,
        check=False,
    )
    [line] = [line for line in done.stdout.splitlines() if "found: " in line]
    found = json.loads(line.partition("found: ")[2])
    wrong = [
        (select, key, is_so)
        for (select, key, expected), is_so in zip(mappings, found, strict=True)
        if expected != is_so
    ]
    assert wrong == []


@pytest.mark.slow
def test_a_key_is_unique_only_where_an_index_proves_it(empty: Database, project: Path) -> None:
    empty.execute(TABLES)
    check_proven(empty, project, MAPPINGS)


@pytest.mark.slow
def test_the_same_on_postgresql_15_with_tables_of_other_servers(
    server_15: Database, project: Path
) -> None:
    database = new_database(server_15)
    database.execute(
        f"{TABLES}; create extension postgres_fdw; create extension citext;"
        "create server other foreign data wrapper postgres_fdw;"
        "create user mapping for public server other;"
        "create foreign table app.foreign_one (id int) server other;"
        # unique as text, but not by the type's own equality
        "create table app.citext (id citext); create unique index on app.citext (id text_ops);"
        "create collation app.any_case"
        " (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
        "create table app.cased (id text collate app.any_case);"
        'create unique index on app.cased (id collate "C");'
        "create table app.kind (id text collate app.any_case primary key)"
    )
    mappings = [
        *MAPPINGS,
        ("select id from app.foreign_one", ["id"], False),
        ("select id from app.citext", ["id"], False),
        ("select id from app.cased", ["id"], False),
        ("select id from app.kind", ["id"], True),
        (
            "select p.id from app.plain as p join app.foreign_one as f on p.id = f.id",
            ["id"],
            False,
        ),
    ]
    check_proven(database, project, mappings)
    database.drop()


NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--no-write-back", "--as-of", UNTIL)


def input_of(project: Path, name: str) -> Path:
    system = name.split("_")[1]
    return project / "models" / system / "inputs" / f"{name}.sql"


@pytest.mark.slow
def test_an_input_may_be_anything_and_lack_what_is_optional(
    small: Database, project: Path
) -> None:
    small.execute(
        """
        alter table commerce.orders rename total_amount to "totalAmount";
        alter table commerce.orders drop constraint orders_pkey cascade;
        insert into commerce.orders
        select * from commerce.orders where delivered_at = '2026-05-30';
        create table commerce.desks (tenant_id uuid, rep_id uuid, city text);
        insert into commerce.desks
        select tenant_id, id, city
        from commerce.customers cross join (values ('Rome'), ('Oslo')) as cities (city)
        """
    )
    input_of(project, "input_orders__customers").write_text(
        "select c.tenant_id, c.id as customer_id, c.is_closed, c.name as customer_name\n"
        "from {{ source('orders', 'customers') }} as c\n"
    )
    # the tenant is the customer's
    input_of(project, "input_orders__orders").write_text(
        "select o.id as order_id, c.tenant_id, o.customer_id, o.status as order_status,\n"
        '    o.ordered_at, o.delivered_at, o."totalAmount" as total_amount, o.updated_at\n'
        "from {{ source('orders', 'orders') }} as o\n"
        "inner join {{ source('orders', 'customers') }} as c on o.customer_id = c.id\n"
    )
    # one desk has two rows, so its representative would have two
    yml = project / "models/orders/inputs/_orders__sources.yml"
    yml.write_text(f"{yml.read_text()}      - name: desks\n")
    input_of(project, "input_orders__sales_reps").write_text(
        "select d.rep_id as sales_rep_id, d.tenant_id, d.city as sales_rep_name\n"
        "from {{ source('orders', 'customers') }} as c\n"
        "inner join {{ source('orders', 'desks') }} as d on c.id = d.rep_id\n"
    )
    done = small.run(*NIGHTLY, project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    customers = small.rows(
        "select customer_id::text, customer_name, customer_email, sales_rep_id, created_at"
        " from analytics_internal.stg_orders__customers where is_valid order by 1"
    )
    assert [tuple(row.values()) for row in customers] == [
        (ONE, "One", None, None, None),
        (TWO, "Two", None, None, None),
    ]
    left_out = small.rows(
        'select "table", reason, sum(rows_count)::int as rows_count'
        " from operations.quarantined_rows group by 1, 2 order by 1, 2"
    )
    assert [tuple(row.values()) for row in left_out] == [
        ("orders", "order_id_duplicate", 1),
        ("sales_reps", "sales_rep_id_duplicate", 2),
    ]
    delivered = "select total_delivered_orders from analytics.customer_risk_status"
    [mart] = small.rows(delivered)
    assert mart["total_delivered_orders"] == 10

    # the keys exist again, and a column has another type: no flag is needed
    small.execute(
        "delete from commerce.orders where ctid in (select max(ctid) from commerce.orders"
        " group by id having count(*) > 1);"
        "alter table commerce.orders add primary key (id)"
    )
    small.execute("grant select on operations.order_facts to public")
    path = input_of(project, "input_orders__orders")
    path.write_text(
        path.read_text().replace("o.updated_at", "null::timestamptz as updated_at")
    )
    path.write_text(path.read_text().replace('"totalAmount" as', '"totalAmount"::float as'))
    done = small.run(*NIGHTLY, project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    readable = "select has_table_privilege('public', 'operations.order_facts', 'select')"
    assert small.value(readable)
    definition = small.value(
        "select pg_get_viewdef('analytics_internal.stg_orders__orders'::regclass)"
    )
    assert "row_number" not in str(definition)
    assert "row_number" in str(
        small.value(
            "select pg_get_viewdef('analytics_internal.stg_orders__sales_reps'::regclass)"
        )
    )

    # missing and unknown columns are reported in one line
    path.write_text(path.read_text().replace("o.customer_id, ", ""))
    path = input_of(project, "input_orders__customers")
    path.write_text(path.read_text().replace("customer_name", "customer_nmae"))
    done = small.run(*NIGHTLY, project=project)
    assert done.returncode == 2
    [error] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    lacks = "input_orders__orders lacks the column customer_id (uuid): "
    assert f"{lacks}Id of the customer who ordered." in error
    assert "input_orders__customers has the unknown column customer_nmae; its columns" in error
    assert small.rows(delivered) == [mart]


@pytest.mark.slow
def test_a_system_that_is_switched_off_no_longer_stands_on_the_tables(
    small: Database, project: Path
) -> None:
    small.execute("drop schema success cascade")
    switch_off(project, "accounts_enabled")
    done = small.run(*NIGHTLY, project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    inputs = "select count(*) from pg_views where viewname ~ '^input_accounts_'"
    assert small.value(inputs) == 0
    assert small.value("select count(*) from pg_views where viewname ~ '^input_usage_'") == 8

    switch_off(project, "orders_enabled", "usage_support_tickets_enabled")
    done = small.run(*NIGHTLY, project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    small.execute("drop table commerce.orders, platform.support_tickets")
    hourly = small.run("flows", "refresh", "--mode", "hourly", project=project)
    assert hourly.returncode == 0, hourly.stdout + hourly.stderr
    assert "of ours" not in hourly.stdout
    done = small.run(*NIGHTLY, project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert small.rows("select * from analytics_internal.input_orders__orders") == []


def test_joins_reach_the_indexes_of_the_application(refreshed: Database) -> None:
    def plan(query: str) -> str:
        return "\n".join(str(row["QUERY PLAN"]) for row in refreshed.rows(f"explain {query}"))

    refreshed.execute("analyze")
    one = refreshed.rows("select tenant_id, id from commerce.customers limit 1")[0]
    assert (
        "on orders"
        in plan(
            "select * from analytics_internal.stg_orders__orders"
            f" where tenant_id = '{one['tenant_id']}' and customer_id = '{one['id']}'"
        ).partition("Index")[2]
    )
    joined = plan(
        "select * from (select * from analytics_internal.stg_orders__customers limit 3) as few"
        " join analytics_internal.stg_orders__orders using (tenant_id, customer_id)"
    )
    assert "Seq Scan on orders" not in joined
    assert "Index Cond: ((tenant_id = " in joined
    assert "WindowAgg" not in joined
