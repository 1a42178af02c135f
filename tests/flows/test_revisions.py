"""What a refresh revises of an earlier instant, and why."""

from pathlib import Path

import pytest
from conftest import ONE, PROJECT, UNTIL, Database

NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--no-write-back", "--as-of")
HOURLY = ("flows", "refresh", "--mode", "hourly", "--no-write-back", "--as-of")
REVISIONS = "select * from analytics.customer_status_revisions order by revised_at"


def run(database: Database, *arguments: str, project: Path = PROJECT) -> None:
    done = database.run(*arguments, project=project)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_only_revised_statements_are_recorded(small: Database) -> None:
    run(small, *NIGHTLY, UNTIL)
    assert small.rows(REVISIONS) == []
    run(small, "flows", "capture", "install")
    # time alone crosses a limit, which revises nothing
    run(small, *HOURLY, "2026-07-20T12:00:00+00:00")
    statuses = "select risk_status from analytics.customer_risk_status"
    assert small.value(statuses) == "AT_RISK_CADENCE"
    # an order arrives, on the day of the last refresh and after it
    small.execute(
        "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at,"
        " delivered_at, total_amount) select gen_random_uuid(), tenant_id, id, 'DELIVERED',"
        " '2026-07-20 13:00+00', '2026-07-20 13:00+00', 100 from commerce.customers"
        " where id = %s",
        ONE,
    )
    run(small, *HOURLY, "2026-07-20T14:00:00+00:00")
    assert small.value(statuses) == "HEALTHY"
    assert small.rows(REVISIONS) == []

    # it is cancelled, so the statement of two o'clock no longer holds
    small.execute(
        "update commerce.orders set status = 'CANCELLED' where ordered_at > '2026-07-20'"
    )
    run(small, *HOURLY, "2026-07-21T12:00:00+00:00")
    [revised] = small.rows(REVISIONS)
    assert (revised["status_before"], revised["status_now"]) == ("HEALTHY", "AT_RISK_CADENCE")
    assert revised["revision_cause"] == "ROWS"
    assert revised["said_at"].isoformat().startswith("2026-07-20T")
    assert str(revised["status_of"]) == "2026-07-20"

    # an order that arrives late: hourly and nightly refreshes note it alike, and once
    small.execute(
        "insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at,"
        " delivered_at, total_amount) select gen_random_uuid(), tenant_id, id, 'DELIVERED',"
        " '2026-07-19 13:00+00', '2026-07-19 13:00+00', 100 from commerce.customers"
        " where id = %s",
        ONE,
    )
    for _ in range(2):
        run(small, *NIGHTLY, "2026-07-21T13:00:00+00:00")
    late = small.rows(REVISIONS)[1:]
    assert [row["status_now"] for row in late] == ["HEALTHY"]
    assert [row["revision_cause"] for row in late] == ["ROWS"]

    # another correction, and a second refresh for the same instant
    small.execute(
        "update commerce.orders set status = 'CANCELLED'"
        " where ordered_at = '2026-07-19 13:00+00'"
    )
    run(small, *NIGHTLY, "2026-07-21T13:00:00+00:00")
    [again] = small.rows(REVISIONS)[1:]
    assert (again["status_before"], again["status_now"]) == ("HEALTHY", "AT_RISK_CADENCE")
    assert again["said_at"] == again["revised_at"]

    # an earlier instant is not compared
    run(small, *NIGHTLY, UNTIL)
    assert len(small.rows(REVISIONS)) == 2


@pytest.mark.slow
def test_other_limits_are_told_from_other_rows(small: Database, project: Path) -> None:
    run(small, *NIGHTLY, "2026-06-20T12:00:00+00:00", project=project)
    seed = project / "seeds" / "risk_thresholds.csv"
    head, default, *others = seed.read_text().splitlines()
    columns = head.split(",")

    def set_limits(**limits: int) -> None:
        values = dict(zip(columns, default.split(","), strict=True))
        values |= {name: str(value) for name, value in limits.items()}
        seed.write_text("\n".join([head, ",".join(values.values()), *others]) + "\n")

    set_limits(dormant_days=5)
    run(small, *NIGHTLY, "2026-06-20T13:00:00+00:00", project=project)
    [revised] = small.rows(REVISIONS)
    assert (revised["status_now"], revised["revision_cause"]) == ("DORMANT", "RULES")

    # both at once: the cause is unknown
    set_limits(dormant_days=22)
    small.execute(
        "update commerce.orders set status = 'CANCELLED'"
        " where delivered_at = (select max(delivered_at) from commerce.orders)"
    )
    run(small, *NIGHTLY, "2026-06-20T14:00:00+00:00", project=project)
    [_, both] = small.rows(REVISIONS)
    assert (both["status_now"], both["revision_cause"]) == ("AT_RISK_CADENCE", "UNKNOWN")

    # another time zone: no order was corrected, but the last delivery was a day earlier
    small.execute("update commerce.tenants set time_zone = 'America/Los_Angeles'")
    run(small, *NIGHTLY, "2026-06-20T15:00:00+00:00", project=project)
    [*_, moved] = small.rows(REVISIONS)
    assert (moved["status_now"], moved["revision_cause"]) == ("DORMANT", "UNKNOWN")
