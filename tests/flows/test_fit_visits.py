"""`customer-health fit-visits`: the model of repeat visits, end to end."""

import json
import math
import random
from datetime import UTC, date, datetime, timedelta

import pytest
from conftest import UNTIL, Database

TODAY = date(2026, 6, 15)
MANY, FEW = (f"00000000-0000-0000-0000-0000000000b{number}" for number in range(2))
# the model by which the drawn customers behave, in days
R, ALPHA, A, B = 1.5, 60.0, 1.0, 4.0


def behave(chance: random.Random) -> list[date]:
    """Return the visit days of a customer that behaves by the model."""
    day = TODAY - timedelta(days=chance.randint(1, 500))
    rate, dropping = chance.gammavariate(R, 1 / ALPHA), chance.betavariate(A, B)
    days = [day]
    while chance.random() > dropping:
        day += timedelta(days=math.ceil(chance.expovariate(rate)))
        if day > TODAY:
            break
        days.append(day)
    return days


def log_likelihood(
    histories: list[list[date]], r: float, alpha: float, a: float, b: float
) -> float:
    """Return the log-likelihood of MBG/NBD, by gamma functions as in the paper."""
    found = 0.0
    for days in histories:
        x, t_x = len(days) - 1, (days[-1] - days[0]).days
        age = (TODAY - days[0]).days
        beta = (
            math.lgamma(a)
            + math.lgamma(b + x + 1)
            - math.lgamma(a + b + x + 1)
            - (math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))
        )
        shared = math.lgamma(r + x) - math.lgamma(r) + r * math.log(alpha) + beta
        alive = (alpha + age) ** -(r + x)
        dropped = a / (b + x) * (alpha + t_x) ** -(r + x)
        found += shared + math.log(alive + dropped)
    return found


@pytest.mark.slow
def test_visit_models_are_fitted_or_refused_with_a_reason(small: Database) -> None:
    chance = random.Random(1)
    done = small.run("flows", "fit-visits")
    assert done.returncode == 2
    assert "there are no visit days yet" in done.stderr

    histories = [behave(chance) for _ in range(300)]
    small.execute(
        "insert into booking.organizations (id, slug, name) values (%s, 'o''many', 'Many'),"
        " (%s, 'few', 'Few')",
        MANY,
        FEW,
    )
    with small.connect() as connection:
        connection.cursor().executemany(
            "insert into booking.bookings (organization_id, booking_id, square_customer_id,"
            " location_id, status, start_at) values (%s, %s, %s, 'L', 'ACCEPTED', %s)",
            [
                (organization, f"{customer}-{day}", str(customer), start_at)
                for customer, days in enumerate(histories)
                for organization in ([MANY, FEW] if customer < 99 else [MANY])
                for day in days
                for start_at in [datetime(day.year, day.month, day.day, 9, tzinfo=UTC)]
            ],
        )
    nightly = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)
    done = small.run(*nightly)
    assert done.returncode == 0, done.stderr
    assert small.value("select count(p_visit_90d) from analytics.customer_visit_outlook") == 0

    done = small.run("flows", "fit-visits", "--organization", "nobody")
    assert done.returncode == 2
    assert (
        "--organization: no active organization has the slug 'nobody'; there are: few"
        in done.stderr
    )

    done = small.run("flows", "fit-visits", "--json", "--organization", "o'many")
    assert done.returncode == 0, done.stderr
    [earlier, fitted] = json.loads(done.stdout)["visit_models"]
    assert (earlier["state"], fitted["state"]) == ("FITTED", "FITTED")
    assert (fitted["valid_from"], fitted["customers"]) == ("2026-06-15", 300)
    parameters = [fitted[name] for name in ("r", "alpha_days", "a", "b")]
    told = fitted["log_likelihood"]
    assert math.isclose(told, log_likelihood(histories, *parameters), abs_tol=1e-3)
    # at least as likely as the model that drew them
    assert told >= log_likelihood(histories, R, ALPHA, A, B)
    foreseen = (
        "select count(p_visit_90d) from analytics.customer_visit_outlook"
        " where organization_slug = %s"
    )
    assert small.value(foreseen, "o'many") == 300
    assert (
        small.value(
            "select min(forecast_positions_count)"
            " from analytics.customer_segment_forecast_quality"
            " where organization_slug = 'o''many'"
        )
        != 0
    )

    # parameters in force stay if nothing better is found
    done = small.run("flows", "fit-visits")
    assert done.returncode == 0, done.stderr
    assert "99 customers have visited, 100 are needed" in done.stdout
    assert small.value(foreseen, "o'many") == 300
    assert small.value(foreseen, "few") == 0
    # a refresh does not write parameters
    kept = "select array_agg(p order by 1, 2)::text from analytics.visit_model_parameters as p"
    before = small.value(kept)
    assert small.run(*nightly).returncode == 0
    assert small.value(kept) == before
