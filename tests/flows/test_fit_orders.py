"""`customer-health fit-orders`: what it refuses, and that nothing else writes parameters."""

import pytest
from conftest import UNTIL, Database

PARAMETERS = "select * from analytics.order_model_parameters order by tenant_id, valid_from"


def test_a_fit_wants_a_refresh_and_a_tenant_that_is_there(refreshed: Database) -> None:
    for arguments, line in (
        (
            ("--tenant", "nobody"),
            "error: --tenant: no active tenant has the slug 'nobody'; there are: harbor",
        ),
        (("--as-of", "yesterday"), "error: --as-of: 'yesterday' is not a timestamp"),
    ):
        done = refreshed.run("flows", "fit-orders", *arguments)
        assert done.returncode == 2, done.stdout + done.stderr
        assert line in done.stderr
    assert refreshed.rows(PARAMETERS) == []


def test_without_marts_there_is_nothing_to_fit(empty: Database) -> None:
    done = empty.run("flows", "fit-orders")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "error: fit-orders: there are no order days yet" in done.stderr
    assert (
        empty.rows("select from pg_namespace where nspname in ('analytics', 'operations')")
        == []
    )


@pytest.mark.slow
def test_parameters_outlast_refreshes_and_a_new_fit_does_not_forget(
    refreshed: Database,
) -> None:
    done = refreshed.run("flows", "fit-orders", "--as-of", "2026-03-01T12:00:00+00:00")
    assert done.returncode == 0, done.stdout + done.stderr
    first = refreshed.rows(PARAMETERS)
    # at the middle cut if that is earlier, and today
    assert {str(row["fitted_on"]) for row in first} >= {"2026-03-01"}
    assert {row["state"] for row in first} <= {"FITTED", "REFUSED"}
    for row in first:
        assert (row["r"] is None) == (row["state"] == "REFUSED") == bool(row["reason"])

    done = refreshed.run("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert refreshed.rows(PARAMETERS) == first

    done = refreshed.run("flows", "fit-orders", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"order_models"' in done.stdout
    both = refreshed.rows(PARAMETERS)
    assert [row for row in both if row in first] == first
    assert {str(row["fitted_on"]) for row in both} > {str(row["fitted_on"]) for row in first}
    [log] = refreshed.rows(
        "select status, payload ->> 'cron_name' as job from operations.application_logs"
        " order by log_id desc limit 1"
    )
    assert log == {"status": "success", "job": "fit_orders"}


@pytest.mark.slow
def test_a_refusal_long_ago_does_not_keep_the_fit_at_the_middle_cut_away(
    refreshed: Database,
) -> None:
    refreshed.execute(
        "insert into analytics.order_model_parameters (tenant_id, valid_from, model, state,"
        " reason) select tenant_id, '2020-01-01', 'MBG', 'REFUSED', 'too few' from"
        " analytics.tenants"
    )
    done = refreshed.run("flows", "fit-orders", "--as-of", UNTIL)
    assert done.returncode == 0, done.stdout + done.stderr
    cuts = refreshed.rows("select distinct middle_cut_on from analytics.backtest_periods")
    fitted = {row["fitted_on"] for row in refreshed.rows(PARAMETERS)}
    assert fitted > {row["middle_cut_on"] for row in cuts}
