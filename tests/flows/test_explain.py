"""The rows behind the figures: computed from them, the figures equal those of the marts."""

import itertools
from collections.abc import Iterable
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import bookings_oracle
import orders_oracle
import psycopg
import pytest
from conftest import Database
from psycopg.rows import DictRow

# customers of each tenant, among them those with the fewest and the most rows
MANY = 25
# of each segment, those with the most rows
FEW = 5
LIMITS = (
    *("dormant_days", "grace_days", "revenue_decline_pct", "cadence_orders", "recent_orders"),
    *("baseline_orders", "min_baseline_orders", "fallback_cadence_days"),
)
KNOWN_STATUSES = {
    *("ACCEPTED", "PENDING", "DECLINED", "NO_SHOW"),
    *("CANCELLED_BY_CUSTOMER", "CANCELLED_BY_SELLER"),
}
# rates, and the status of those of their rows that they count
RATES = {
    "no_show_rate": "NO_SHOW",
    "show_rate": "ACCEPTED",
    "customer_cancellation_rate": "CANCELLED_BY_CUSTOMER",
}
# columns of customer_analytics and its organization without rows behind them
OF_THE_ROW = {
    *("organization_id", "square_customer_id", "threshold_row", "valid_until", "number"),
    *("source_updated_at", "created_at", "updated_at", "refreshed_at", "as_of", "time_zone"),
    *("segment_new_days", "segment_active_days", "segment_at_risk_days"),
}
# columns from profiles and notes, whose words the rows do not repeat
IN_WORDS = {
    *("given_name", "family_name", "display_name", "email_address", "phone_number"),
    *("acquisition_source", "booking_notes", "referral_source", "source_updated_at"),
}


def explained(
    database: Database, function: str, tenant: object, customer: object
) -> list[DictRow]:
    return database.rows(
        f"select * from analytics.{function}(%s, %s)", str(tenant), str(customer)
    )


def behind(rows: list[DictRow], figure: str) -> list[DictRow]:
    return [row for row in rows if figure in row["counts_in"]]


def half_up(value: Fraction, places: int = 0) -> Decimal:
    exact = Decimal(value.numerator) / value.denominator
    return exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def mean(rows: list[DictRow]) -> Fraction | None:
    return Fraction(sum(row["amount"] for row in rows)) / len(rows) if rows else None


def figures_of_orders(rows: list[DictRow], customer: DictRow) -> dict[str, object]:
    """Compute the figures of customer_risk_status, each from the rows behind it."""
    by_day = sorted(
        (row["delivered_on"], row["delivery_number"])
        for row in behind(rows, "average_order_interval_days")
    )
    gaps = [(b[0] - a[0]).days for a, b in itertools.pairwise(by_day) if b[0] > a[0]]
    interval = int(half_up(Fraction(sum(gaps), len(gaps)))) if gaps else None
    cadence = interval or customer["fallback_cadence_days"]
    [last] = behind(rows, "last_order_date")
    recent = mean(behind(rows, "recent_average_amount"))
    baseline_rows = behind(rows, "baseline_average_amount")
    baseline = mean(baseline_rows)
    is_mixed = len({row["currency"] for row in behind(rows, "revenue_basis")}) > 1
    is_evaluated = (
        recent is not None
        and baseline is not None
        and len(baseline_rows) >= customer["min_baseline_orders"]
    )
    change = None
    if is_evaluated and recent is not None and baseline:
        # truncated, not rounded
        change = Decimal(int(10000 * (recent - baseline) / baseline)) / 100
    silence = sorted({row["delivered_on"] for row in behind(rows, "reactivated_date")})
    assert len(silence) in {0, 2}
    return {
        "total_delivered_orders": len(behind(rows, "total_delivered_orders")),
        "last_order_date": last["delivered_on"],
        "average_order_interval_days": interval,
        "cadence_days": cadence,
        "next_expected_order_date": last["delivered_on"] + bookings_oracle.DAY * cadence,
        "recent_average_amount": None if recent is None else half_up(recent, 2),
        "baseline_average_amount": None if baseline is None else half_up(baseline, 2),
        "revenue_basis": "MIXED_CURRENCY"
        if is_mixed
        else "EVALUATED"
        if is_evaluated
        else "INSUFFICIENT_HISTORY",
        "currency": None if is_mixed else last["currency"],
        "revenue_change_pct": change,
        "revenue_at_risk": None if recent is None else half_up(recent * 30 / cadence, 2),
        "reactivated_date": silence[-1] if silence else None,
    }


def test_the_rows_behind_a_risk_status_give_its_figures(refreshed: Database) -> None:
    customers = refreshed.rows(
        "select * from (select risk_status.*, tenants.as_of, tenants.today, tenants.time_zone,"
        f" {', '.join(LIMITS)}, account_types.last_ordered_at,"
        " row_number() over (partition by risk_status.tenant_id, risk_status.risk_status"
        " order by total_delivered_orders, customer_id) as number"
        " from analytics.customer_risk_status as risk_status"
        " inner join analytics.tenants using (tenant_id)"
        " inner join analytics.customer_account_types as account_types"
        f" using (tenant_id, customer_id)) as numbered where number <= {MANY}"
    )
    assert len(customers) > 4 * MANY
    seen = set()
    for customer in customers:
        rows = explained(
            refreshed, "explain_risk_status", customer["tenant_id"], customer["customer_id"]
        )
        for name, value in figures_of_orders(rows, customer).items():
            assert customer[name] == value, (customer["customer_id"], name)
            if value is not None:
                seen.add(name)
        # and the rule that decided, from all of its rows
        assert customer["risk_status"] == orders_oracle.risk_status(
            [
                orders_oracle.Order(
                    number=row["delivery_number"] or 0,
                    status=row["order_status"],
                    ordered_at=row["ordered_at"],
                    delivered_at=row["delivered_at"],
                    total=row["amount"],
                    currency=row["currency"],
                )
                for row in rows
                if row["left_out_because"] is None
            ],
            customer["today"],
            customer["as_of"],
            ZoneInfo(customer["time_zone"]),
            orders_oracle.Thresholds(**{name: customer[name] for name in LIMITS}),
        )
        ordered = {row["ordered_at"] for row in behind(rows, "last_ordered_at")}
        assert ordered == {customer["last_ordered_at"]} - {None}
        # the days that decide the account type
        placed = [row for row in rows if row["placed_on"]]
        zone = ZoneInfo(customer["time_zone"])
        assert {row["order_status"] for row in placed}.isdisjoint({"DRAFT", "CANCELLED"})
        assert all(
            row["placed_on"] == row["ordered_at"].astimezone(zone).date() for row in placed
        )
        assert {max(row["ordered_at"] for row in placed)} == ordered
    # each figure occurred at least once
    assert len(seen) == 12


def test_every_order_says_what_it_counts_in_or_why_not(refreshed: Database) -> None:
    found = refreshed.rows(
        "select explained.* from analytics.customer_account_types as customers"
        " cross join lateral analytics.explain_risk_status("
        "customers.tenant_id::text, customers.customer_id::text) as explained"
        f" where customer_id in (select customer_id from commerce.orders limit {MANY * 20})"
    )
    assert {row["left_out_because"] for row in found} >= {None, "cancelled", "not_delivered"}
    for row in found:
        is_delivered = "total_delivered_orders" in row["counts_in"]
        assert is_delivered == (row["left_out_because"] is None)
        assert is_delivered == (row["delivery_number"] is not None)


def organization_of(
    row: DictRow, rows: list[DictRow], locations: list[DictRow]
) -> bookings_oracle.Organization:
    """Return an organization with only this customer, from the rows."""
    key = row["square_customer_id"]

    def of(kind: str) -> list[DictRow]:
        return [one for one in rows if one["row_kind"] == kind and not one["left_out_because"]]

    long_ago = datetime(2000, 1, 1, tzinfo=ZoneInfo("UTC"))
    return bookings_oracle.Organization(
        number=1,
        time_zone=row["time_zone"],
        is_active=True,
        limits=bookings_oracle.Limits(
            row["threshold_row"],
            row["segment_new_days"],
            row["segment_active_days"],
            row["segment_at_risk_days"],
        ),
        locations=tuple(
            bookings_oracle.Location(one["id"], one["name"], one["time_zone"])
            for one in locations
            if one["organization_id"] == row["organization_id"]
        ),
        customers=tuple(
            bookings_oracle.Profile(
                key, None, None, None, None, None, one["happened_at"], long_ago
            )
            for one in of("profile")
        ),
        bookings=tuple(
            bookings_oracle.Booking(
                one["row_id"],
                key,
                one["location_id"],
                one["team_member_id"],
                one["service_id"],
                one["row_status"],
                one["happened_at"],
                "note" if "notes_count" in one["counts_in"] else None,
                None,
                long_ago,
            )
            for one in of("booking")
        ),
        payments=tuple(
            bookings_oracle.Payment(
                one["row_id"],
                key,
                one["row_status"],
                one["amount_cents"],
                one["tip_cents"],
                one["refunded_cents"],
                one["happened_at"],
                long_ago,
            )
            for one in of("payment")
        ),
        referral_profiles=tuple(
            bookings_oracle.ReferralProfile(
                key,
                one["row_status"] == "ACTIVATED",
                one["happened_at"],
                None,
                row["total_referrals"],
                one["amount_cents"],
                long_ago,
            )
            for one in of("referral profile")
        ),
    )


def figures_of_bookings(
    customer: DictRow, rows: list[DictRow], locations: list[DictRow]
) -> dict[str, object]:
    """Compute the columns of customer_analytics from these rows."""
    return bookings_oracle.Customer(
        organization_of(customer, rows, locations),
        customer["square_customer_id"],
        customer["as_of"],
    ).row()


def from_the_rows_behind(
    names: Iterable[str], customer: DictRow, rows: list[DictRow], locations: list[DictRow]
) -> dict[str, object]:
    """Compute each figure from nothing but the rows that are said to be behind it."""
    computed: dict[tuple[str, ...], dict[str, object]] = {}
    figures = {}
    for name in names:
        its = behind(rows, name)
        which = tuple(f"{row['row_kind']} {row['row_id']}" for row in its)
        if which not in computed:
            computed[which] = figures_of_bookings(customer, its, locations)
        figures[name] = computed[which][name]
    # which visit ended a silence only the visits before it show
    return figures | {"segment_since": customer["segment_since"]}


def is_since_a_visit_behind(customer: DictRow, rows: list[DictRow]) -> bool:
    """Return whether a segment began with a visit between the first and the last."""
    since = {row["happened_on"] for row in behind(rows, "segment_since")}
    ends = {row["happened_on"] for row in behind(rows, "customer_segment")}
    visits = {row["happened_on"] for row in behind(rows, "total_visits")}
    assert since == ends | ({customer["segment_since"]} & visits)
    return since != ends


def test_the_rows_behind_a_booking_customer_give_its_figures(refreshed: Database) -> None:
    customers = refreshed.rows(
        "select * from (select customers.*, organizations.as_of, organizations.time_zone,"
        " segment_new_days, segment_active_days, segment_at_risk_days,"
        " row_number() over (partition by organization_id, customer_segment"
        " order by total_bookings desc, square_customer_id) as number"
        " from analytics.customer_analytics as customers"
        " inner join analytics.booking_organizations as organizations using (organization_id)"
        f") as numbered where number <= {MANY}"
    )
    assert len(customers) > 4 * MANY
    locations = refreshed.rows("select * from booking.locations")
    counted = ("total_", "upcoming_", "pending_", "declined_", "visits_", "notes_")
    of_referrals = {"total_referrals", "total_rewards_cents"}
    named: set[str] = set()
    came_back = 0
    for customer in customers:
        rows = explained(
            refreshed,
            "explain_customer_analytics",
            customer["organization_id"],
            customer["square_customer_id"],
        )
        expected = figures_of_bookings(customer, rows, locations)
        found = {
            name: Fraction(value) if isinstance(value, Decimal) else value
            for name, value in customer.items()
            if name in expected.keys() - IN_WORDS
        }
        assert found == {name: expected[name] for name in found}
        if customer["number"] <= FEW:
            assert found == from_the_rows_behind(found, customer, rows, locations)
        came_back += is_since_a_visit_behind(customer, rows)
        # and each from the rows that are said to be behind it, and no others
        for name in expected.keys() - IN_WORDS - of_referrals:
            its = behind(rows, name)
            if name.endswith("_cents") and name.startswith(("total_", "revenue_", "refunded")):
                column = {"total_tips_cents": "tip_cents", "refunded_cents": name}.get(
                    name, "amount_cents"
                )
                assert customer[name] == sum(row[column] for row in its), name
            elif name.startswith(counted):
                assert customer[name] == len(its), name
            elif name.endswith("_at") and name != "activated_as_referrer_at":
                assert {row["happened_at"] for row in its} == {customer[name]} - {None}, name
        if amounts := sorted(row["amount_cents"] for row in behind(rows, "total_payments")):
            assert customer["max_ticket_cents"] == amounts[-1]
        assert customer["net_revenue_cents"] == sum(
            row["amount_cents"] - row["refunded_cents"]
            for row in behind(rows, "net_revenue_cents")
        )
        assert {row["amount_cents"] for row in behind(rows, "last_ticket_cents")} == {
            customer["last_ticket_cents"]
        } - {None}
        statuses = {row["row_status"] for row in behind(rows, "other_status_bookings")}
        assert statuses.isdisjoint(KNOWN_STATUSES)
        assert customer["other_status_bookings"] == len(behind(rows, "other_status_bookings"))
        for rate, status in RATES.items():
            said = [row["row_status"] for row in behind(rows, rate)]
            share = Fraction(said.count(status), len(said)) if said else None
            assert customer[rate] == (None if share is None else half_up(share, 4)), rate
        named |= {figure for row in rows for figure in row["counts_in"]}
    assert came_back
    # every column is a figure with rows behind it, or says whose and of when the row is; the
    # demo has no booking of another status
    assert customers[0].keys() - named - OF_THE_ROW == {"other_status_bookings"}


def test_what_changes_after_the_refresh_says_so(refreshed: Database) -> None:
    [one] = refreshed.rows(
        "select tenant_id, customer_id, total_delivered_orders"
        " from analytics.customer_risk_status order by total_delivered_orders desc limit 1"
    )
    rows = explained(refreshed, "explain_risk_status", one["tenant_id"], one["customer_id"])
    assert not any(row["has_changed_since"] for row in rows)
    last = behind(rows, "last_order_date")[0]["order_id"]
    refreshed.execute(
        "update commerce.orders set status = 'CANCELLED',"
        " updated_at = timestamptz '2026-06-15 13:00+00' where id::text = %s",
        last,
    )
    rows = explained(refreshed, "explain_risk_status", one["tenant_id"], one["customer_id"])
    [changed] = [row for row in rows if row["has_changed_since"]]
    assert changed["order_id"] == last
    assert changed["left_out_because"] == "cancelled"


@pytest.mark.parametrize(
    ("system", "function", "mart", "customer"),
    [
        ("orders", "explain_risk_status", "customer_risk_status", "customer_id"),
        (
            "bookings",
            "explain_customer_analytics",
            "customer_analytics",
            "square_customer_id",
        ),
    ],
)
def test_rows_are_shown_to_whom_the_mart_is(
    refreshed: Database, system: str, function: str, mart: str, customer: str
) -> None:
    tenant = "tenant_id" if system == "orders" else "organization_id"
    first, second = refreshed.rows(
        "select role_name, tenant from operations.tenant_roles where system = %s"
        f" and tenant in (select {tenant}::text from analytics.{mart})"
        " order by tenant limit 2",
        system,
    )
    name = f"asks_{system}"
    refreshed.execute(f'create role {name} login in role "{first["role_name"]}"')
    refreshed.execute(f"create role nobody_{system} login")
    refreshed.execute(f"create role analyst_{system} login in role customer_health_analyst")
    refreshed.execute(f"grant usage on schema analytics to nobody_{system}")
    counts: dict[tuple[str, str], object] = {}
    keys = {
        whose["tenant"]: refreshed.value(
            f"select {customer}::text from analytics.{mart}"
            f" where {tenant}::text = %s order by 1 limit 1",
            whose["tenant"],
        )
        for whose in (first, second)
    }
    asked = f"select count(*) > 0 as are_shown from analytics.{function}(%s, %s)"
    try:
        for login in (name, f"analyst_{system}", f"nobody_{system}"):
            for its, key in keys.items():
                counts[login, its] = refreshed.as_user(login).value(asked, its, key)
        # a chosen role restricts even an owner of everything
        with refreshed.connect() as connection:
            connection.execute(f'set role "{second["role_name"]}"'.encode())
            for its, key in keys.items():
                [row] = connection.execute(asked.encode(), (its, key)).fetchall()
                counts["chosen", its] = row["are_shown"]
    finally:
        for login in (name, f"analyst_{system}", f"nobody_{system}"):
            refreshed.execute(f"drop owned by {login}; drop role {login}")
    assert counts == {
        (name, first["tenant"]): True,
        (name, second["tenant"]): False,
        (f"analyst_{system}", first["tenant"]): True,
        (f"analyst_{system}", second["tenant"]): True,
        (f"nobody_{system}", first["tenant"]): False,
        (f"nobody_{system}", second["tenant"]): False,
        ("chosen", first["tenant"]): False,
        ("chosen", second["tenant"]): True,
    }


@pytest.mark.parametrize("function", ["explain_risk_status", "explain_customer_analytics"])
def test_an_id_that_is_none_is_a_short_error(refreshed: Database, function: str) -> None:
    """And not the whole query, which is the context of an error within it."""
    with pytest.raises(psycopg.DataError, match='syntax for type uuid: "x"') as raised:
        refreshed.rows(f"select * from analytics.{function}('x', 'y')")
    assert len((raised.value.diag.context or "").splitlines()) == 1


@pytest.mark.slow
def test_a_function_that_is_gone_comes_back(refreshed: Database) -> None:
    refreshed.execute("drop function analytics.explain_customer_analytics(text, text)")
    # and an earlier version, with other columns, is replaced
    function = "analytics.explain_risk_status(text, text)"
    mark = refreshed.value(f"select obj_description('{function}'::regprocedure)")
    refreshed.execute(
        f"drop function {function}; create function {function} returns table (order_id text)"
        " language sql as 'select null';"
        f" comment on function {function} is $${mark}$$;"
        f" alter function {function} owner to customer_health_refresher"
    )
    done = refreshed.run("flows", "refresh", "--mode", "hourly", "--no-write-back")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "recomputes everything: analytics.explain_customer_analytics(text,text) of ours is"
        " missing" in done.stdout
    )
    there = "analytics.explain_customer_analytics(text, text)"
    assert refreshed.value(f"select to_regprocedure('{there}') is not null")
    assert (
        refreshed.rows("select placed_on from analytics.explain_risk_status(null, null)") == []
    )
