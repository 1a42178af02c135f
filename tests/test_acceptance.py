"""Real data against independent oracles, if ../shared has both."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conftest import SHARED, USUAL, Database, new_database
from test_retention import Booking, History, Order, compare

CHECK = SHARED / "acceptance" / "check.py"
BACKTESTS = SHARED / "truth" / "expected"

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


@pytest.fixture(scope="module")
def retail(database: Database) -> Database:
    done = database.run(
        *("flows", "refresh", "--mode", "nightly", "--no-write-back"),
        *("--as-of", "2011-12-10T12:00:00+00:00"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert check(
        database, "compare", "retail", "--as-of", "2011-12-10T12:00:00+00:00"
    ).endswith("\n0 differences\n")
    return database


@pytest.fixture(params=["retail-uk", "retail-abroad"])
def shop(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def expected(kind: str, shop: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((BACKTESTS / f"{kind}_{shop}.json").read_text())
    return found


def of(database: Database, relation: str, shop: str, *, where: str = "true") -> list[Any]:
    rows: list[Any] = database.rows(
        f"select * from analytics.{relation} where tenant_slug = %s and {where}", shop
    )
    assert rows
    return rows


def close(value: float | None) -> Any:
    """Compare with the oracle's figures, which have six decimals."""
    return None if value is None else pytest.approx(value, abs=6e-7)


def test_the_backtest_equals_the_oracle(retail: Database, shop: str) -> None:
    oracle = expected("backtest", shop)
    found = {
        (str(row["cut_on"]), row["risk_status"]): row
        for row in of(retail, "risk_status_backtest", shop)
    }
    assert found.keys() == {(row["cut_on"], row["status"]) for row in oracle["by_cut"]}
    for row in oracle["by_cut"]:
        seen = found[row["cut_on"], row["status"]]
        assert seen["customers_count"] == row["positions"]
        for days in (30, 60, 90):
            assert seen[f"ordered_{days}d_count"] == row[f"ordered_{days}d"]

    summary = {
        (row["risk_status"], row["horizon_days"]): row
        for row in of(retail, "risk_status_backtest_summary", shop)
    }
    for row in oracle["by_status"]:
        seen = summary[row["status"], row["horizon_days"]]
        assert (seen["positions_count"], seen["ordered_count"]) == (
            row["positions"],
            row["ordered"],
        )
        # no share is reported for few customers
        is_told = seen["customers_count"] >= 30
        assert seen["ordered_share"] == (close(row["share"]) if is_told else None)
        if "median_days_until_next" in row:
            median = row["median_days_until_next"]
            assert seen["median_days_until_next_order"] == median


def test_forecast_quality_and_errors_equal_the_oracle(retail: Database, shop: str) -> None:
    oracle = expected("backtest", shop)
    [quality] = of(retail, "risk_status_forecast_quality", shop, where="horizon_days = 90")
    confusion = oracle["dormant_means_gone"]
    for name in ("tp", "fp", "fn", "tn", "precision", "recall", "f1", "balanced_accuracy"):
        assert quality[name] == close(confusion[name]), name
    assert quality["auc_days_past_expected"] == close(oracle["auc"]["days_past_expected"])

    errors = {r["cadence_source"]: r for r in of(retail, "next_order_date_errors", shop)}
    names = {
        "order_days_count": "order_days",
        "followed_count": "ordered",
        "within_7_days_count": "within_7_days",
        **{
            name: name
            for name in (
                "mean_absolute_error_days",
                "mean_error_days",
                "median_error_days",
                "within_7_days_share",
            )
        },
    }
    for row in oracle["next_order_errors"]:
        for ours, theirs in names.items():
            assert errors[row["cadence_source"]][ours] == close(row[theirs]), ours

    revenue = {r["risk_status"]: r for r in of(retail, "revenue_rule_backtest", shop)}
    for row in oracle["revenue_rule"]:
        seen = revenue[row["status"]]
        assert seen["positions_count"] == row["positions"]
        assert (seen["cents_before"], seen["cents_after"]) == (
            row["cents_before"],
            row["cents_after"],
        )
        assert seen["revenue_change"] == close(row["change"])
        assert seen["fell_share"] == close(row["share_that_fell"])


def test_limits_equal_the_oracle(retail: Database, shop: str) -> None:
    oracle = expected("backtest", shop)
    found = {
        (row["setting"], row["value"], row["cuts"]): row
        for row in of(retail, "threshold_backtest", shop)
    }
    for row in oracle["what_if"]:
        setting = "dormant_days" if row["dormant_days"] != 45 else "fallback_cadence_days"
        seen = found[setting, row[setting], "ALL"]
        for name in ("precision", "recall", "balanced_accuracy"):
            assert seen[name] == close(row[name])
        assert seen["tp"] + seen["fp"] == row["dormant"]

    suggestions = {row["setting"]: row for row in of(retail, "threshold_suggestions", shop)}
    for setting in ("dormant_days", "fallback_cadence_days"):
        tried = oracle["suggestions"][setting]
        assert suggestions[setting]["gain"] == close(tried["gain"])
        # no gain for one shop, and too few positions for the other
        assert suggestions[setting]["suggested_value"] is None
        assert suggestions[setting]["basis"] == (
            "NO_STABLE_GAIN" if shop == "retail-uk" else "TOO_FEW"
        )


def test_the_outlook_equals_the_oracle(retail: Database) -> None:
    retail.execute("delete from analytics.order_model_parameters")
    retail.execute(
        "insert into analytics.order_model_parameters"
        " (tenant_id, valid_from, model, r, alpha_days, a, b)"
        " select tenant_id, today, 'MBG', 0.8, 75, 0.05, 10 from analytics.tenants"
    )
    sums = retail.rows(
        """
        select
            tenant_slug,
            count(*) as customers,
            round(sum(p_alive)::numeric, 6)::text as p_alive,
            round(sum(p_order_30d)::numeric, 6)::text as p_order_30d,
            round(sum(p_order_60d)::numeric, 6)::text as p_order_60d,
            round(sum(p_order_90d)::numeric, 6)::text as p_order_90d,
            round(sum(expected_orders_90d)::numeric, 6)::text as expected_orders,
            round(sum(expected_value_90d)::numeric, 2)::text as expected_value
        from analytics.customer_outlook
        group by tenant_slug
        order by tenant_slug
        """
    )
    # the figures of ../shared/spec/truth.md
    assert [tuple(row.values()) for row in sums] == [
        (
            *("retail-abroad", 29, "28.769985", "8.981471", "13.574020", "16.499370"),
            *("58.445928", "5046251.34"),
        ),
        (
            *("retail-uk", 270, "267.137537", "62.808398", "101.077449", "126.994019"),
            *("249.368342", "10222865.60"),
        ),
    ]


def test_the_fit_is_as_likely_as_the_oracle_s_and_tells_more_than_lateness(
    retail: Database,
) -> None:
    retail.execute("delete from analytics.order_model_parameters")
    done = retail.run("flows", "fit-orders")
    assert done.returncode == 0, done.stdout + done.stderr
    oracle = expected("model_MBG", "retail-uk")
    fits = {
        (row["tenant_slug"], str(row["valid_from"])): row
        for row in retail.rows(
            "select tenant_slug, parameters.* from analytics.order_model_parameters"
            " as parameters inner join analytics.tenants using (tenant_id)"
        )
    }
    # at the middle cut, which is before everything that it is judged by, and today
    first = fits["retail-uk", "2011-06-01"]
    assert first["customers"] == oracle["customers"] == 173
    assert first["log_likelihood"] >= oracle["log_likelihood"] - 0.005
    assert fits["retail-uk", "2011-12-10"]["state"] == "FITTED"
    few = fits["retail-abroad", "2011-12-10"]
    assert (few["state"], few["r"]) == ("REFUSED", None)
    assert few["reason"] == "29 customers have ordered, 100 are needed"

    [quality] = of(
        retail, "risk_status_forecast_quality", "retail-uk", where="horizon_days = 90"
    )
    assert quality["forecast_positions_count"] == oracle["later_positions"]
    assert quality["auc_p_order"] == pytest.approx(oracle["later_auc_p_order"], abs=5e-4)
    assert quality["auc_days_past_expected_of_forecasts"] == close(
        oracle["later_auc_days_past_expected"]
    )

    # a model in force stays if it is as likely
    again = retail.run("flows", "fit-orders", "--tenant", "retail-uk")
    assert again.returncode == 0, again.stdout + again.stderr
    kept = retail.rows("select * from analytics.order_model_parameters order by 1, 2")
    assert [row["valid_from"] for row in kept if row["r"]] == [
        first["valid_from"],
        fits["retail-uk", "2011-12-10"]["valid_from"],
    ]


def test_a_position_has_the_status_of_the_history(retail: Database) -> None:
    compared = retail.rows(
        """
        select
            count(*) as positions,
            count(*) filter (where positions.risk_status = history.status) as equal
        from analytics.risk_status_positions as positions
        left join analytics.customer_risk_status_history as history
            on
                positions.tenant_id = history.tenant_id
                and positions.customer_id = history.customer_id
                and positions.cut_on >= history.valid_from
                and (positions.cut_on < history.valid_to or history.valid_to is null)
        """
    )
    assert compared == [{"positions": 1169, "equal": 1169}]


@pytest.mark.parametrize(
    ("data", "as_of"),
    [
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
    with database.connect() as connection:
        seen = compare(connection, told(database, as_of))
    # the hotels had no guests yet when the shops had customers
    asked = {mart for mart in seen if ("order" in mart) == (data == "retail")}
    assert {mart for mart in asked if not seen[mart]} == set()


def told(database: Database, as_of: str) -> History:
    """Return the rows of all applications, for the retention oracle."""
    return History(
        datetime.fromisoformat(as_of),
        [
            Order(*row.values())
            for row in database.rows(
                "select tenant_id, customer_id, status, delivered_at from commerce.orders"
                " where customer_id is not null"
            )
        ],
        set(),
        [
            Booking(*row.values())
            for row in database.rows(
                "select organization_id, square_customer_id, booking_id, location_id,"
                " team_member_id, service_id, status, start_at, created_at"
                " from booking.bookings where square_customer_id is not null"
            )
        ],
        {
            row["id"]: ZoneInfo(row["time_zone"])
            for row in database.rows(
                "select id, time_zone from commerce.tenants"
                " union all select id, time_zone from booking.organizations"
            )
        },
    )
