"""Rows with a value at the end of its type, in every column of every source."""

import pytest
from conftest import ONE, TENANT, UNTIL, Database

NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL)

# a business in each of the other systems, with one good row in each of its tables
GOOD = f"""
insert into booking.organizations (id, slug, name) values ('{TENANT}', 'acme', 'Acme');
insert into booking.locations values ('{TENANT}', 'l1', 'Here', 'UTC');
insert into booking.customers (organization_id, square_customer_id, given_name)
values ('{TENANT}', 'c1', 'Ann');
insert into booking.bookings (organization_id, booking_id, square_customer_id, location_id,
    status, start_at, customer_note)
select '{TENANT}', 'b' || day, 'c1', 'l1', 'ACCEPTED', day, 'note'
from generate_series('2026-03-01'::timestamptz, '2026-05-30', '10 days') as day;
insert into booking.payments (organization_id, payment_id, square_customer_id, status,
    amount_cents, tip_cents, created_at)
select '{TENANT}', 'p' || day, 'c1', 'COMPLETED', 1000, 100, day
from generate_series('2026-03-01'::timestamptz, '2026-05-30', '10 days') as day;
insert into booking.referral_profiles (organization_id, square_customer_id, is_activated,
    activated_at, referral_count, reward_cents)
values ('{TENANT}', 'c1', true, '2026-03-01', 2, 500);

insert into platform.organizations (id, slug, name) values ('{TENANT}', 'acme', 'Acme');
insert into platform.users (id, organization_id, last_login_at, created_at)
values ('{ONE}', '{TENANT}', '2026-06-10', '2026-03-01');
insert into platform.cases (id, organization_id, status, created_at, closed_at)
values ('{ONE}', '{TENANT}', 'CLOSED', '2026-06-01', '2026-06-02');
insert into platform.investigations (id, organization_id, case_id, is_primary, sla_status)
values ('{ONE}', '{TENANT}', '{ONE}', true, 'ON_TRACK');
insert into platform.campaigns (id, organization_id, name, starts_at, ends_at)
values ('{ONE}', '{TENANT}', 'Spring', '2026-03-01', '2026-07-01');
insert into platform.campaign_assignments (id, organization_id, campaign_id, status, due_at,
    completed_at)
values ('{ONE}', '{TENANT}', '{ONE}', 'COMPLETED', '2026-06-10', '2026-06-09');
insert into platform.feature_adoptions
values ('{TENANT}', 'f1', '2026-03-01', '2026-06-10');
insert into platform.support_tickets (id, organization_id, severity, status, created_at)
values ('{ONE}', '{TENANT}', 2, 'open', '2026-06-10');

insert into success.organizations (id, slug, name) values ('{TENANT}', 'acme', 'Acme');
insert into success.accounts (id, organization_id, name, industry, size, arr, status,
    health_score, churn_risk_score, renewal_on, created_at)
values ('{ONE}', '{TENANT}', 'Account', 'Food', 'small', 1000, 'active', 50, 50,
    '2026-12-01', '2026-01-01');
insert into success.engagements (id, organization_id, account_id, type, title, outcome,
    scheduled_at, completed_at, attendees)
values ('{ONE}', '{TENANT}', '{ONE}', 'call', 'Call', 'positive', '2026-06-01', '2026-06-01',
    '["a@b.c"]');
insert into success.health_metrics (id, organization_id, account_id, metric_date,
    login_frequency, feature_adoption_score, support_tickets, training_completion_rate,
    overall_health_score)
values ('{ONE}', '{TENANT}', '{ONE}', '2026-06-14', 3, 50, 1, 50, 50);
insert into success.customer_goals (id, organization_id, account_id, title, current_value,
    target_value, status, target_date, completion_date, created_at)
values ('{ONE}', '{TENANT}', '{ONE}', 'Goal', 5, 10, 'on_track', '2026-09-01', null,
    '2026-01-01');
insert into success.support_tickets (id, organization_id, account_id, severity, status, csat,
    created_at, resolved_at)
values ('{ONE}', '{TENANT}', '{ONE}', 2, 'closed', 4, '2026-06-01', '2026-06-02');
insert into success.invoices (id, organization_id, account_id, due_on, paid_on, amount)
values ('{ONE}', '{TENANT}', '{ONE}', '2026-05-01', '2026-05-01', 100);
"""
# amounts, as in a table without limits
UNBOUNDED = """
alter table commerce.orders alter column total_amount type numeric;
alter table success.accounts alter column arr type numeric;
alter table success.health_metrics alter column training_completion_rate type numeric;
alter table success.customer_goals alter column current_value type numeric;
alter table success.customer_goals alter column target_value type double precision;
alter table success.invoices alter column amount type double precision;
"""
EXTREMES = {
    "integer": ("2147483647", "-2147483648"),
    # the sums of the last two must fit, too
    "bigint": (
        *("9223372036854775807", "-9223372036854775808", "100000000000000"),
        *("99999999999999", "-99999999999999"),
    ),
    "numeric": (
        *("NaN", "Infinity", "-Infinity", "1e130000", "-1e130000", "1e-16000", "-1e-16000"),
        *("999999999999.99", "-999999999999.99", "999999999999.999", "999999999999.994999"),
        "999.999",
    ),
    "double precision": ("NaN", "Infinity", "1e308", "1e-307", "999999999999.999"),
    "date": ("infinity", "-infinity", "5874897-12-31", "4713-01-01 BC", "9999-12-31"),
    "timestamp with time zone": (
        *("infinity", "-infinity", "294276-12-31 23:59:59+00", "4713-01-01 00:00+00 BC"),
        *("9999-12-31 23:59:59+00", "2200-12-31 23:59:59+00", "1970-01-01 00:00+00"),
    ),
    "jsonb": (
        "null",
        "{}",
        '"x"',
        "1e1000",
        '[[], {}, null, 1e1000, {"email": 5}, "\\\\u0000"]',
    ),
    "text": ("", "\\u0000 '\"%s{{ }}$$", "x" * 100_000),
}
# each row gets a key of its own; its owner stays
KEYS = ("id", "payment_id", "booking_id", "square_customer_id", "feature_key")
PARENTS = (
    *("tenant_id", "organization_id", "customer_id", "account_id", "case_id", "campaign_id"),
    *("sales_rep_id", "location_id"),
)


def hostile(database: Database) -> int:
    """Copy a row of each table once for each end of each column's type."""
    count = 0
    for table in database.rows(
        "select table_schema || '.' || table_name as name,"
        " array_agg(array[column_name, data_type] order by ordinal_position) as columns"
        " from information_schema.columns"
        " where table_schema in ('commerce', 'booking', 'platform', 'success')"
        " group by table_schema, table_name order by 1"
    ):
        columns = dict(table["columns"])
        key = next(name for name in KEYS if name in columns)
        new_key = "md5(random()::text)" if columns[key] == "text" else "gen_random_uuid()"
        good = database.value(f"select min({key}::text) from {table['name']}")
        for column, kind in columns.items():
            if column in PARENTS or column == key:
                continue
            for value in EXTREMES.get(kind, ()):
                changed = {key: new_key, column: "%s::" + kind}
                if "slug" in columns and column != "slug":
                    changed["slug"] = "md5(random()::text)"
                database.execute(
                    f"insert into {table['name']} ({', '.join(columns)})"
                    f" select {', '.join(changed.get(name, name) for name in columns)}"
                    f" from {table['name']} where {key}::text = %s",
                    value,
                    good,
                )
                count += 1
    return count


def out_of_range(database: Database) -> set[tuple[object, ...]]:
    found = database.rows(
        'select distinct system, "table", reason from operations.quarantined_rows'
        " where reason like '%%out_of_range'"
    )
    return {tuple(row.values()) for row in found}


@pytest.mark.slow
def test_no_value_of_one_row_ends_a_refresh(small: Database) -> None:
    small.execute(GOOD + UNBOUNDED)
    assert hostile(small) > 300
    # a divisor that is almost zero
    small.execute(
        "insert into booking.payments (organization_id, payment_id, square_customer_id,"
        " status, amount_cents, tip_cents, created_at)"
        f" select '{TENANT}', md5(random()::text), customer, 'COMPLETED', amount, tip, paid_at"
        " from (values ('c2', 1, 99999999999999, timestamptz '2026-06-01', 1),"
        " ('c2', 0, 99999999999999, '2026-06-01', 2), ('c3', 1, 0, '2026-02-01', 1),"
        " ('c3', 99999999999999, 0, '2026-06-01', 2000), ('c4', 0, 100, '2026-06-01', 1))"
        " as payments (customer, amount, tip, paid_at, times), generate_series(1, times)"
    )
    # the write-back of such rows is another question
    done = small.run(*NIGHTLY, "--no-write-back")
    assert done.returncode == 0, done.stderr
    assert out_of_range(small) >= {
        ("orders", "orders", "total_amount_out_of_range"),
        *(
            ("bookings", "payments", f"{column}_cents_out_of_range")
            for column in ("amount", "tip", "refunded")
        ),
        ("bookings", "referral_profiles", "reward_cents_out_of_range"),
        ("accounts", "accounts", "arr_out_of_range"),
        ("accounts", "accounts", "renewal_on_out_of_range"),
        ("accounts", "invoices", "amount_out_of_range"),
        ("accounts", "invoices", "due_on_out_of_range"),
        ("accounts", "invoices", "paid_on_out_of_range"),
        ("accounts", "customer_goals", "current_value_out_of_range"),
        ("accounts", "customer_goals", "target_value_out_of_range"),
        ("accounts", "customer_goals", "target_date_out_of_range"),
        ("accounts", "customer_goals", "completion_date_out_of_range"),
        ("accounts", "health_metrics", "metric_date_out_of_range"),
        ("accounts", "health_metrics", "logins_per_week_out_of_range"),
        ("accounts", "health_metrics", "training_completion_pct_out_of_range"),
        ("accounts", "support_tickets", "severity_out_of_range"),
        ("accounts", "support_tickets", "satisfaction_out_of_range"),
        ("usage", "support_tickets", "created_at_out_of_range"),
    }
    figures = small.rows(
        "select square_customer_id, tip_rate, revenue_trend_90d_pct from"
        " analytics.customer_analytics where square_customer_id in ('c2', 'c3', 'c4')"
        " order by 1"
    )
    assert [tuple(map(str, row.values())) for row in figures] == [
        ("c2", "99999999999999.9999", "None"),
        ("c3", "0.0000", "99999999999999999.9"),
        ("c4", "None", "None"),
    ]
    for command in (
        ("write-back", "--dry-run"),
        ("write-back", "--force"),
        ("weekly",),
        ("alerts", "--dry-run"),
        ("status",),
        ("refresh", "--mode", "hourly", "--as-of", UNTIL),
    ):
        done = small.run("flows", *command)
        assert done.returncode == 0, (command, done.stderr)
