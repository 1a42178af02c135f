"""The outlook and its backtest over many histories at once, by their own views."""

import itertools
import json
import math
import random
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import PROJECT, Database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits_oracle import (
    SETTINGS,
    Limits,
    allowed,
    balanced_accuracy,
    best_limit,
    cadence,
    changed,
    counted,
    cuts,
    middle,
    status,
)
from order_model_oracle import History, Model, outlook

TENANT = "00000000-0000-0000-0000-00000000000a"
TODAY = date(2026, 6, 15)


@pytest.fixture
def database(built: Database) -> Iterator[Database]:
    built.execute(
        "insert into analytics.tenants (tenant_id, tenant_slug, time_zone, as_of, today,"
        " dormant_days, grace_days, fallback_cadence_days)"
        " values (%s, 'shop', 'UTC', %s, %s, 45, 1, 45)",
        TENANT,
        f"{TODAY} 12:00+00",
        TODAY,
    )
    yield built
    for table in (
        *("tenants", "customer_order_days", "order_model_parameters"),
        "customer_risk_status",
    ):
        built.execute(f"truncate analytics.{table}")


def put_model(database: Database, model: Model) -> None:
    database.execute("truncate analytics.order_model_parameters")
    database.execute(
        "insert into analytics.order_model_parameters"
        " (tenant_id, valid_from, model, r, alpha_days, a, b)"
        " values (%s, %s, %s, %s, %s, %s, %s)",
        *(TENANT, TODAY, "MBG" if model.is_mbg else "BG"),
        *(model.r, model.alpha_days, model.a, model.b),
    )


def put_histories(database: Database, histories: Sequence[History]) -> None:
    """Insert a customer for each history, with the last order day that the outlook reads."""
    database.execute("truncate analytics.customer_order_days")
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into analytics.customer_order_days (tenant_id, customer_id,"
            " first_delivered_on, delivered_on, order_day_number, total_cents,"
            " has_mixed_currency)"
            " values (%s, lpad(%s::text, 32, '0')::uuid, %s, %s, %s, 10000, false)",
            [
                (
                    *(TENANT, number, TODAY - timedelta(seen.age)),
                    *(TODAY - timedelta(seen.age - seen.recency), seen.repeats + 1),
                )
                for number, seen in enumerate(histories)
            ],
        )


def foreseen(database: Database) -> list[Any]:
    rows: list[Any] = database.rows(
        "select * from analytics.customer_outlook order by customer_id"
    )
    return rows


USUAL = [
    *(History(0, 0, 0), History(0, 0, 20), History(1, 10, 30), History(2, 40, 45)),
    *(History(4, 60, 180), History(9, 200, 220)),
]
STEADY = [
    *(History(0, 0, 0), History(0, 0, 3), History(5, 11, 12), History(45, 90, 91)),
    *(History(95, 196, 200), History(95, 196, 206)),
]


@pytest.mark.parametrize(
    ("model", "histories"),
    [
        (Model(0.8, 75, 0.05, 10), USUAL),
        (Model(1.6, 40, 0.9, 2.5), USUAL),
        # nearly 1, where the closed form divides by zero
        (Model(0.8, 75, 1 + 1e-9, 4), USUAL),
        (Model(2.5, 30, 1.7, 6), USUAL),
        # customers that order every other day: the terms of one of the forms become too large
        (Model(100, 200, 0.4, 3), STEADY),
        (Model(0.8, 75, 0.5, 3, is_mbg=False), USUAL),
    ],
)
def test_the_outlook_equals_customers_that_are_drawn(
    database: Database, model: Model, histories: list[History]
) -> None:
    put_model(database, model)
    put_histories(database, histories)
    draws = model.draws(60_000, seed=1)
    for seen, row in zip(histories, foreseen(database), strict=True):
        alive, p_order, orders = outlook(model, draws, seen, 90)
        # few draws explain a long silence
        assert row["p_alive"] == pytest.approx(alive, rel=0.08, abs=0.01), seen
        assert row["p_order_90d"] == pytest.approx(p_order, rel=0.08, abs=0.01), seen
        assert row["expected_orders_90d"] == pytest.approx(orders, rel=0.08, abs=0.01), seen


PEERS = PROJECT / ".venv-peers" / "bin" / "python"


@pytest.mark.slow
@pytest.mark.skipif(not PEERS.exists(), reason="`make slow` installs lifetimes")
def test_the_outlook_equals_that_of_lifetimes(database: Database) -> None:
    histories = [
        *(History(0, 0, 0), History(0, 0, 20), History(0, 0, 400), History(1, 10, 30)),
        *(History(1, 300, 400), History(2, 40, 45), History(4, 60, 180)),
        *(History(9, 200, 220), History(30, 600, 700)),
    ]
    models = [
        Model(*parameters, is_mbg=is_mbg)
        for parameters in itertools.product((0.3, 0.8, 2.5), (15, 200), (0.05, 1.7), (2, 10))
        for is_mbg in (True, False)
    ]
    asked = [
        {
            "model": "MBG" if model.is_mbg else "BG",
            "parameters": {
                "r": model.r,
                "alpha": model.alpha_days,
                "a": model.a,
                "b": model.b,
            },
            "horizon": 90,
            "x": [seen.repeats for seen in histories],
            "t_x": [seen.recency for seen in histories],
            "age": [seen.age for seen in histories],
        }
        for model in models
    ]
    done = subprocess.run(
        [PEERS, Path(__file__).parent / "lifetimes_figures.py"],
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    put_histories(database, histories)
    for model, theirs in zip(models, json.loads(done.stdout), strict=True):
        put_model(database, model)
        ours = foreseen(database)
        for name, column in (("p_alive", "p_alive"), ("orders", "expected_orders_90d")):
            assert [row[column] for row in ours] == pytest.approx(theirs[name], rel=1e-8), (
                model,
                name,
            )


def test_no_history_overflows(database: Database) -> None:
    years_50 = 50 * 365
    histories = [
        History(repeats, recency, age)
        for repeats in (0, 1, 999, years_50)
        for recency in (0, 999, years_50)
        for age in (0, 999, years_50)
        if recency <= age and (repeats > 0 or recency == 0)
    ]
    # as exactly as a fit can
    extremes = [math.exp(-9), math.exp(12)]
    for r, alpha, a, b in itertools.product(extremes, repeat=4):
        for is_mbg in (True, False):
            put_model(database, Model(r, alpha, a, b, is_mbg))
            if database.value("select count(*) from analytics.customer_order_days") == 0:
                put_histories(database, histories)
            for row in foreseen(database):
                assert 0 <= row["p_order_30d"] <= row["p_order_60d"] <= row["p_order_90d"] <= 1


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    r=st.floats(0.05, 20),
    alpha=st.floats(1, 1000),
    a=st.floats(0.001, 20),
    b=st.floats(0.05, 200),
    repeats=st.integers(0, 60),
    recency=st.integers(60, 400),
)
def test_an_order_is_less_likely_the_longer_the_silence(
    database: Database, r: float, alpha: float, a: float, b: float, repeats: int, recency: int
) -> None:
    recency = recency if repeats else 0
    put_model(database, Model(r, alpha, a, b))
    put_histories(
        database,
        [History(repeats, recency, recency + days) for days in (0, 1, 7, 30, 200, 900)],
    )
    rows = foreseen(database)
    for name in ("p_order_30d", "p_order_60d", "p_order_90d", "expected_orders_90d"):
        values = [row[name] for row in rows]
        assert all(late <= soon + 1e-9 for soon, late in itertools.pairwise(values)), name
        assert all(value >= -1e-9 for value in values), name
    for row in rows:
        assert 0 <= row["p_order_30d"] <= row["p_order_60d"] <= row["p_order_90d"] <= 1
        # at least one order is expected as often as there is one
        assert row["expected_orders_90d"] >= row["p_order_90d"] - 1e-9


def put_days(database: Database, customers: Sequence[Sequence[date]]) -> None:
    """Publish the order days of customers, each with the next one."""
    database.execute("truncate analytics.customer_order_days")
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into analytics.customer_order_days (tenant_id, customer_id, delivered_on,"
            " next_delivered_on, first_delivered_on, order_day_number, is_revenue_evaluated,"
            " is_revenue_declined, orders_count, delivered_cents, total_cents,"
            " has_mixed_currency, average_order_interval_days)"
            " values (%s, lpad(%s::text, 32, '0')::uuid, %s, %s, %s, %s, false, false, 1, 100,"
            " %s, false, %s)",
            [
                (
                    *(TENANT, customer, day, following, days[0], number + 1),
                    *(100 * (number + 1), cadence(days[: number + 1])),
                )
                for customer, days in enumerate(customers)
                for number, (day, following) in enumerate(
                    zip(days, [*days[1:], None], strict=True)
                )
            ],
        )


def test_what_comes_after_the_window_does_not_change_a_backtest(database: Database) -> None:
    begin = date(2025, 1, 1)
    before = [
        [begin + timedelta(7 * customer + gap * number) for number in range(count)]
        for customer, (gap, count) in enumerate([(10, 30), (45, 7), (90, 4), (1, 1)])
    ]
    put_days(database, before)
    seen = database.rows("select * from analytics.risk_status_backtest order by 1, 3, 4")
    assert seen
    until = max(itertools.chain(*before))
    # more orders of the same customers, and new customers
    later = [until + timedelta(days) for days in (1, 40, 80)]
    put_days(database, [*([*days, *later] for days in before), later, [later[-1]]])
    again = database.rows("select * from analytics.risk_status_backtest order by 1, 3, 4")
    assert [row for row in again if row["cut_on"] <= seen[-1]["cut_on"]] == seen
    assert again[-1]["cut_on"] > seen[-1]["cut_on"]


def test_cuts_and_horizons_are_counted_to_the_day(database: Database) -> None:
    # 90 days after the tenant's first order day is 2025-04-01, the first cut;
    # 90 days before its last is 2025-07-01, the last cut
    first, last = date(2025, 1, 1), date(2025, 9, 29)
    april = date(2025, 4, 1)
    put_days(
        database,
        [
            [first, april + timedelta(30), last],
            [first, april + timedelta(31)],
            [first, april + timedelta(90)],
            [first, april + timedelta(91)],
            # parameters fitted on the cut itself are in force
            [april],
            [april + timedelta(1)],
        ],
    )
    [period] = database.rows("select * from analytics.backtest_periods")
    assert (period["first_cut_on"], period["last_cut_on"]) == (april, date(2025, 7, 1))
    assert (period["cuts_count"], period["middle_cut_on"]) == (4, date(2025, 5, 1))
    [row] = database.rows(
        "select sum(customers_count)::int as customers,"
        " sum(ordered_30d_count)::int as within_30,"
        " sum(ordered_60d_count)::int as within_60,"
        " sum(ordered_90d_count)::int as within_90"
        " from analytics.risk_status_backtest where cut_on = %s",
        april,
    )
    assert row == {"customers": 5, "within_30": 1, "within_60": 2, "within_90": 3}
    # one day less at either end, and one cut less
    put_days(database, [[first + timedelta(1), last - timedelta(1)]])
    [period] = database.rows("select * from analytics.backtest_periods")
    assert (period["first_cut_on"], period["last_cut_on"]) == (
        date(2025, 5, 1),
        date(2025, 6, 1),
    )


def test_no_share_is_told_of_fewer_than_thirty_customers(database: Database) -> None:
    days = [date(2025, 1, 1), date(2025, 9, 29)]
    for customers, is_told in ((29, False), (30, True)):
        put_days(database, [days] * customers)
        told = database.rows(
            "select ordered_share, ordered_share_low, ordered_share_high"
            " from analytics.risk_status_backtest_summary"
        )
        assert told
        assert all((value is not None) == is_told for row in told for value in row.values())


def p_order(model: Model, days: Sequence[date], on: date) -> float:
    """Return P(order within 90 days) by MBG/NBD, as docs/truth.md writes it."""
    known = [day for day in days if day <= on]
    x, recency = len(known) - 1, (known[-1] - known[0]).days
    age = model.alpha_days + (on - known[0]).days
    odds: float = (
        (age / (model.alpha_days + recency)) ** (model.r + x) * model.a / (model.b + x)
    )
    silent: float = (age / (age + 90)) ** (model.r + x)
    return (1 - silent) / (1 + odds)


def disagreement(status_then: str, p: float) -> str | None:
    """Return how a status and a probability disagree, by the default limits."""
    if status_then == "DORMANT":
        return "LIKELY_THOUGH_DORMANT" if p >= 0.5 else None
    if status_then == "AT_RISK_CADENCE":
        return "LIKELY_THOUGH_LATE" if p >= 0.75 else None
    return "UNLIKELY_THOUGH_ON_TIME" if p < 0.25 else None


def wilson(share: float, trials: int) -> list[float]:
    """Return the 95 % interval: the shares from which this one is 1.96 errors away."""
    z = 1.959963984540054
    centre, width = share + z**2 / (2 * trials), z / (2 * trials)
    width *= math.sqrt(4 * trials * share * (1 - share) + z**2)
    return [(centre + side * width) / (1 + z**2 / trials) for side in (-1, 1)]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (Model(0.6, 60, 0.5, 1), {"UNLIKELY_THOUGH_ON_TIME"}),
        (Model(0.8, 75, 0.05, 10), {"LIKELY_THOUGH_DORMANT", "LIKELY_THOUGH_LATE"}),
    ],
)
def test_what_came_of_disagreements_is_counted_of_positions(
    database: Database, model: Model, told: set[str]
) -> None:
    chance, customers = random.Random(3), []
    for _ in range(150):
        usual, numbers = chance.choice([5, 20, 60]), [chance.randrange(150)]
        while numbers[-1] < 500 and chance.random() > chance.choice([0.02, 0.1, 0.6]):
            numbers.append(min(500, numbers[-1] + 1 + int(chance.expovariate(1 / usual))))
        customers.append([TODAY - timedelta(500 - number) for number in numbers])
    put_model(database, model)
    at = cuts(customers)
    # no model was in force at the first cut
    database.execute("update analytics.order_model_parameters set valid_from = %s", at[1])
    put_days(database, customers)
    seen = defaultdict(list)
    for cut in at[1:]:
        for number, days in enumerate(customers):
            if days[0] <= cut:
                p = p_order(model, days, cut)
                kind = disagreement(status(days, cut, Limits()), p)
                has_ordered = any(cut < day <= cut + timedelta(90) for day in days)
                seen[kind].append((number, p, has_ordered))
    del seen[None]
    rows = database.rows("select * from analytics.status_disagreement_backtest")
    assert {row["disagreement"] for row in rows} == set(seen)
    for row in rows:
        who, chances, ordered = zip(*seen[row["disagreement"]], strict=True)
        assert row["tenant_slug"] == "shop"
        assert row["positions_count"] == len(who)
        assert row["customers_count"] == len(set(who))
        assert row["mean_p_order"] == pytest.approx(sum(chances) / len(chances))
        assert row["ordered_count"] == sum(ordered)
        share, ends = sum(ordered) / len(ordered), ("ordered_share_low", "ordered_share_high")
        # disagreements are reported for customers that are in several cuts
        assert (30 <= len(set(who)) < len(who)) is (row["disagreement"] in told)
        if row["disagreement"] not in told:
            assert [row["ordered_share"], *(row[end] for end in ends)] == [None] * 3
            continue
        assert row["ordered_share"] == pytest.approx(share)
        interval = wilson(share, len(set(who)))
        assert [row[end] for end in ends] == pytest.approx(interval)


def test_without_a_model_nothing_is_foreseen(database: Database) -> None:
    put_histories(database, [History(3, 30, 40)])
    [row] = foreseen(database)
    unknown = {name for name, value in row.items() if value is None}
    assert unknown == {
        *("p_order_30d", "p_order_60d", "p_order_90d", "expected_orders_90d"),
        *("expected_value_90d", "expected_amount_90d", "outlook", "p_alive", "reason"),
        *("currency", "disagreement"),
    }


def test_money_of_several_currencies_is_not_foreseen(database: Database) -> None:
    put_model(database, Model(0.8, 75, 0.05, 10))
    put_histories(database, [History(3, 30, 40), History(3, 30, 40)])
    database.execute(
        "update analytics.customer_order_days set has_mixed_currency = true"
        " where customer_id = '00000000-0000-0000-0000-000000000001'"
    )
    one, mixed = foreseen(database)
    assert one["expected_value_90d"] > 0
    assert float(one["expected_amount_90d"]) == round(one["expected_value_90d"] / 100, 2)
    assert mixed["expected_value_90d"] is None
    assert mixed["expected_orders_90d"] == one["expected_orders_90d"]


def series(database: Database, query: str) -> tuple[int, float]:
    """Return for how many customers a query sums the closed form, and the terms of each."""
    plan: Any = database.value(f"explain (analyze, format json) {query}")
    nodes = [plan[0]["Plan"]]
    for node in nodes:
        nodes += node.get("Plans", ())
    [(customers, terms)] = [
        (node["Actual Loops"], node["Actual Rows"])
        for node in nodes
        if node.get("Function Name") == "generate_series"
    ] or [(0, 0)]
    return customers, terms


def series_summed(database: Database, query: str) -> int:
    return series(database, query)[0]


def test_what_is_expected_is_worked_out_for_those_that_are_asked_for(
    database: Database,
) -> None:
    put_model(database, Model(0.8, 75, 0.05, 10))
    # every fourth customer is not due for a long time
    customers = [
        [TODAY - timedelta(200), TODAY - timedelta(2)]
        if number % 4 == 0
        else [TODAY - timedelta(60)]
        for number in range(400)
    ]
    put_days(database, customers)
    put_statuses(database, customers)
    database.execute("analyze analytics.customer_order_days, analytics.customer_risk_status")
    due = "select * from analytics.due_to_order"
    assert database.value(f"select count(expected_amount_90d) from ({due}) as due") == 300
    assert series_summed(database, due) == 300
    for filtered in ("tenant_slug = 'shop'", f"tenant_id = '{TENANT}'"):
        assert series_summed(database, f"{due} where {filtered}") == 300
    one = "00000000-0000-0000-0000-000000000001"
    assert series_summed(database, f"{due} where customer_id = '{one}'") == 1
    assert series_summed(database, f"{due} limit 7") == 7
    # unless somebody asks for the amount, none
    assert series_summed(database, "select p_order_90d from analytics.customer_outlook") == 0
    assert series_summed(database, "select due_bucket from analytics.due_to_order") == 0
    # and without a model there is nothing to sum
    database.execute("truncate analytics.order_model_parameters")
    assert database.value(f"select count(*) from ({due}) as due") == 300
    assert series(database, due)[1] == 0


def put_statuses(database: Database, customers: Sequence[Sequence[date]]) -> None:
    """Publish the risk statuses of today."""
    database.execute("truncate analytics.customer_risk_status")
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into analytics.customer_risk_status (tenant_id, customer_id, risk_status,"
            " last_order_date, next_expected_order_date, cadence_source)"
            " values (%s, lpad(%s::text, 32, '0')::uuid, %s, %s, %s, %s)",
            [
                (
                    *(TENANT, number, status(days, TODAY, Limits()), days[-1]),
                    days[-1] + timedelta(own or Limits().fallback_cadence_days),
                    "MEASURED" if own else "FALLBACK",
                )
                for number, days in enumerate(customers)
                for own in [cadence(days)]
            ],
        )


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.lists(st.integers(0, 500), min_size=1, max_size=8, unique=True).map(sorted),
        min_size=3,
        max_size=12,
    )
)
def test_other_limits_do_what_the_rule_would_do(
    database: Database, numbers: list[list[int]]
) -> None:
    # the first and last days are fixed, so that there are cuts
    begin = TODAY - timedelta(500)
    customers = [[begin + timedelta(number) for number in days] for days in numbers]
    customers += [[begin], [TODAY]]
    put_days(database, customers)
    put_statuses(database, customers)
    at = cuts(customers)
    now = [status(days, TODAY, Limits()) for days in customers]
    found = database.rows("select * from analytics.threshold_what_if")
    assert {(row["setting"], row["value"]) for row in found} == {
        (setting, value) for setting in SETTINGS for value in allowed(setting)
    }
    for row in found:
        if row["value"] not in (1, 2, 44, 45, 46, 180):
            continue
        limits = changed(Limits(), row["setting"], row["value"])
        then = [status(days, TODAY, limits) for days in customers]
        assert row["healthy_count"] == then.count("HEALTHY"), row
        assert row["at_risk_cadence_count"] == then.count("AT_RISK_CADENCE"), row
        assert row["dormant_count"] == then.count("DORMANT"), row
        moved = sum(one != other for one, other in zip(now, then, strict=True))
        assert row["moved_count"] == moved, row
        accuracy = balanced_accuracy(counted(customers, at, limits))
        assert row["balanced_accuracy"] == (
            None if accuracy is None else pytest.approx(accuracy)
        ), row


def test_a_limit_is_suggested_where_its_gain_lasts(database: Database) -> None:
    begin, length = date(2024, 9, 1), 640

    def ordering(first: int, gaps: Sequence[int], until: int) -> list[date]:
        numbers = itertools.accumulate(itertools.cycle(gaps), initial=first)
        return [
            begin + timedelta(n) for n in itertools.takewhile(lambda n: n <= until, numbers)
        ]

    customers = [
        # these are late now and then, but come back
        *(ordering(number % 50, [25, 35], length) for number in range(40)),
        # these stop for good, one after the other
        *(ordering(number % 9, [6], 60 + 13 * number) for number in range(40)),
    ]
    put_days(database, customers)
    at = cuts(customers)
    half = middle(at)
    earlier = [cut for cut in at if cut < half]
    later = [cut for cut in at if cut >= half]

    def accuracy(value: int, which: Sequence[date]) -> float:
        found = balanced_accuracy(counted(customers, which, Limits(dormant_days=value)))
        assert found is not None
        return found

    chosen, best = best_limit(customers, earlier), best_limit(customers, at)
    assert best != Limits().dormant_days
    [row] = database.rows(
        "select * from analytics.threshold_suggestions where setting = 'dormant_days'"
    )
    gain = accuracy(chosen, later) - accuracy(Limits().dormant_days, later)
    assert gain >= 0.01
    assert row["gain"] == pytest.approx(gain)
    assert (row["basis"], row["suggested_value"]) == ("SUGGESTED", best)
    # values near the best are as good, and others are worse
    least = accuracy(best, at) - 0.005
    for value in range(row["as_good_from"], row["as_good_to"] + 1):
        assert accuracy(value, at) >= least
    assert accuracy(row["as_good_from"] - 1, at) < least
    assert accuracy(row["as_good_to"] + 1, at) < least

    # with few customers there is no suggestion
    put_days(database, customers[::8])
    bases = database.rows("select distinct basis from analytics.threshold_suggestions")
    assert bases == [{"basis": "TOO_FEW"}]
    # nor with few cuts
    put_days(
        database,
        [
            [day for day in days if day >= TODAY - timedelta(210)]
            for days in customers
            if days[-1] >= TODAY - timedelta(210)
        ],
    )
    bases = database.rows("select distinct basis from analytics.threshold_suggestions")
    assert bases == [{"basis": "TOO_SHORT"}]
