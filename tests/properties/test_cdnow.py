"""The order model compared with published results on CDNOW, a shop that sold CDs.

BG/NBD: Fader, Hardie, Lee (2005); MBG/NBD: Batislam, Denizel, Filiztekin (2007). A package of
the index contains the data of 2,357 customers; the published figures are in weeks.
"""

import itertools
import math
import statistics
import subprocess
import sys
import zipfile
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

import pytest
from conftest import Database

pytestmark = pytest.mark.slow

TENANT = "00000000-0000-0000-0000-00000000000a"
# the model is fitted on 39 weeks, and predicts the 39 weeks after
FITTED_ON, HORIZON = date(1997, 9, 30), 273


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> list[list[date]]:
    """Return the order days of each customer."""
    folder = tmp_path_factory.mktemp("cdnow")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "lifetimes==0.11.3"],
        cwd=folder,
        check=True,
    )
    [wheel] = folder.glob("*.whl")
    text = zipfile.ZipFile(wheel).read("lifetimes/datasets/CDNOW_sample.txt").decode()
    days = defaultdict(set)
    for line in text.splitlines():
        _, customer, day, *_ = line.split()
        days[customer].add(date.fromisoformat(day))
    assert len(days) == 2357
    return [sorted(each) for each in days.values()]


@pytest.fixture(scope="module")
def database(built: Database, customers: list[list[date]]) -> Database:
    built.execute(
        "insert into analytics.tenants (tenant_id, tenant_slug, time_zone, as_of, today,"
        " dormant_days, grace_days, fallback_cadence_days)"
        " values (%s, 'cdnow', 'UTC', %s, %s, 45, 1, 45)",
        *(TENANT, f"{FITTED_ON} 12:00+00", FITTED_ON),
    )
    with built.connect() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into analytics.customer_order_days (tenant_id, customer_id, delivered_on,"
            " next_delivered_on, first_delivered_on, order_day_number, total_cents,"
            " has_mixed_currency)"
            " values (%s, lpad(%s::text, 32, '0')::uuid, %s, %s, %s, %s, 0, false)",
            [
                (TENANT, number, day, following, known[0], position + 1)
                for number, days in enumerate(customers)
                for known in [[day for day in days if day <= FITTED_ON]]
                for position, (day, following) in enumerate(
                    itertools.zip_longest(known, known[1:])
                )
            ],
        )
    return built


@pytest.mark.parametrize(
    ("model", "log_likelihood", "r", "alpha", "a", "b"),
    [
        ("BG", -9582.43, 0.2426, 4.4136, 0.793, 2.426),
        ("MBG", -9582.1327, 0.52484, 6.18299, 0.89136, 1.61400),
    ],
)
def test_the_fit_finds_the_published_parameters(
    database: Database,
    customers: list[list[date]],
    project: Path,
    model: str,
    log_likelihood: float,
    r: float,
    alpha: float,
    a: float,
    b: float,
) -> None:
    settings = project / "dbt_project.yml"
    text = settings.read_text()
    assert "order_model: MBG" in text
    settings.write_text(text.replace("order_model: MBG", f"order_model: {model}"))
    database.execute("truncate analytics.order_model_parameters")
    done = database.run("flows", "fit-orders", project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    [fit] = database.rows(
        "select * from analytics.order_model_parameters where valid_from = %s", FITTED_ON
    )
    assert (fit["model"], fit["customers"]) == (model, 2357)
    # rates per day, not per week
    repeats = sum(sum(day <= FITTED_ON for day in days) - 1 for days in customers)
    by_week = fit["log_likelihood"] + repeats * math.log(7)
    assert by_week == pytest.approx(log_likelihood, abs=0.006)
    assert fit["r"] == pytest.approx(r, rel=0.01)
    assert fit["alpha_days"] / 7 == pytest.approx(alpha, rel=0.01)
    assert fit["a"] / (fit["a"] + fit["b"]) == pytest.approx(a / (a + b), rel=0.01)


def test_what_is_foretold_is_what_is_published(
    database: Database, customers: list[list[date]]
) -> None:
    database.execute("truncate analytics.order_model_parameters")
    database.execute(
        "insert into analytics.order_model_parameters"
        " (tenant_id, valid_from, model, r, alpha_days, a, b)"
        " values (%s, %s, 'BG', 0.2426, 4.4136 * 7, 0.793, 2.426)",
        *(TENANT, FITTED_ON),
    )
    view = str(database.value("select pg_get_viewdef('analytics.customer_outlook')"))
    assert "(90)::double precision" in view
    view = view.replace("(90)::double precision", f"({HORIZON})::double precision")
    view = view.rstrip().rstrip(";").replace("%", "%%")
    found = database.rows(
        f"select customer_id, p_alive, expected_orders_90d as orders from ({view}) as outlook"
    )
    assert len(found) == 2357
    by_customer = {int(str(row["customer_id"]).replace("-", "")): row for row in found}
    # the customer of their note: two repeats, the last after 30.43 weeks, of 38.86
    [example] = [
        by_customer[number]
        for number, days in enumerate(customers)
        for known in [[day for day in days if day <= FITTED_ON]]
        if len(known) == 3
        and known[-1] - known[0] == timedelta(213)
        and FITTED_ON - known[0] == timedelta(272)
    ][:1]
    assert example["p_alive"] == pytest.approx(0.7266, abs=5e-5)
    assert example["orders"] == pytest.approx(1.226, abs=5e-4)

    seen = [
        sum(FITTED_ON < day <= FITTED_ON + timedelta(HORIZON) for day in days)
        for days in customers
    ]
    expected = [by_customer[number]["orders"] for number in range(len(customers))]
    assert statistics.correlation(expected, seen) == pytest.approx(0.626, abs=0.002)
