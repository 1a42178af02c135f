"""dbt's own tests: all data tests and unit tests, on PostgreSQL 18 and 15."""

import json

import pytest
from conftest import UNTIL, Database, load_demo, new_database

from flows.dbt import command, compiled, parsed
from flows.schemas import for_dbt

# every warning is an error, except the one that dbt_project.yml silences
STRICT = ("--warn-error-options", '{"error": "all", "silence": ["TypeCodeNotFound"]}')


def test_unit_tests(built: Database) -> None:
    """On empty tables, because unit tests bring their rows; `make check` runs this, too."""
    # with the vars and the folder of our own runs, so that dbt need not parse again
    variables = ("--vars", json.dumps(for_dbt()))
    options = ("--select", "test_type:unit")
    done = command(built.os_environment(), "test", *STRICT, *options, *variables)
    assert done.returncode == 0, done.stdout
    assert " unit tests" in done.stdout


def test_columns_have_the_whole_type_that_their_description_names(built: Database) -> None:
    """dbt compares numeric without its digits; with others, a view cannot be replaced."""
    with parsed(built.environment) as folder:
        manifest = json.loads((folder / "manifest.json").read_text())
    described = {
        (node["schema"], node["alias"], column["name"]): column["data_type"].replace(", ", ",")
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and node["package_name"] == "customer_health"
        and node["config"]["contract"]["enforced"]
        and node["config"]["materialized"] != "ephemeral"
        for column in node["columns"].values()
    }
    found = {
        (row["schema"], row["relation"], row["name"]): row["type"]
        for row in built.rows(
            "select relnamespace::regnamespace::text as schema, relname as relation,"
            " attname as name, format_type(atttypid, atttypmod) as type"
            " from pg_attribute inner join pg_class on attrelid = pg_class.oid"
            " where attnum > 0 and not attisdropped"
            " and relnamespace = 'analytics'::regnamespace"
        )
    }
    # without digits since 1.0.0: with them, an upgrade would have to drop the views
    bare = {
        *(("rep_weeks", "at_risk_amount"), ("weekly_summary", "at_risk_amount")),
        ("weekly_summary", "expected_amount_90d"),
    }
    others = {
        ".".join(key): (found.get(key), wanted)
        for key, wanted in described.items()
        if key in found
        and wanted.startswith("numeric")
        and found[key] != wanted
        and key[1:] not in bare
    }
    assert len(described) > 1000
    assert others == {}


@pytest.mark.slow
def test_ties_between_ids_that_are_text_do_not_depend_on_the_locale(built: Database) -> None:
    """The embedded server has no other locale than C, so this reads the compiled SQL."""
    ordered = {
        "int_deliveries": 'delivered_on, delivered_at, order_id collate "C"',
        "int_customers__recent_orders": 'delivered_at desc, order_id collate "C" desc',
        "status_disagreements": 'customer_id collate "C" asc',
        "revenue_rule_backtest": 'currency collate "C" asc',
        # the whole row of two with the same key
        "stg_orders__orders": 'given::text collate "C" desc',
        "int_account_days__usage": 'metrics.metric_id collate "C" desc',
        "int_accounts__last_engagements": 'engagement_id collate "C" desc',
        "int_accounts__goals": 'goal_id collate "C"',
    }
    variables: dict[str, str | bool] = dict.fromkeys(
        ("orders_order_id_type", "orders_customer_id_type"), "text"
    )
    variables |= {"accounts_id_type": "varchar(20)", "checks_inputs": True}
    manifest = compiled(variables, built.os_environment(), list(ordered))
    for name, by in ordered.items():
        assert by in manifest["nodes"][f"model.customer_health.{name}"]["compiled_code"], name


# the data tests on the demo's rows pass in every test that uses `refreshed`
@pytest.mark.slow
@pytest.mark.parametrize("version", ["server", "server_15"])
def test_models_data_tests_and_unit_tests(
    version: str, request: pytest.FixtureRequest
) -> None:
    database = new_database(request.getfixturevalue(version))
    load_demo(database)
    options = ("--exclude", "tag:after_write_back", "--vars", f"{{as_of: '{UNTIL}'}}")
    done = command(database.environment, "build", *STRICT, *options)
    assert done.returncode == 0, done.stdout
    assert " unit tests" in done.stdout
    done = database.run("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert database.value("select count(*) from operations.pending_customer_updates") == 0
    database.drop()
