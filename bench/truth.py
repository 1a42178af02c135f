"""Measure the backtest, the outlook and the fit, for all tenants and for one."""

from functools import partial

from bench.measure import UNTIL, fresh_database, load, print_table, run, timed
from flows.database import Connection, rows
from flows.schemas import ANALYTICS

VIEWS = (
    "risk_status_positions",
    "risk_status_backtest",
    "risk_status_backtest_summary",
    "risk_status_forecast_quality",
    "next_order_date_errors",
    "revenue_rule_backtest",
    "order_model_calibration",
    "customer_outlook",
    "status_disagreements",
    "status_disagreement_backtest",
    "threshold_what_if",
    "threshold_suggestions",
    "due_to_order",
)


def bench(customers: int | None, tenants: int, years: int) -> None:
    """Measure and print."""
    size = {"customers": customers or 100_000, "tenants": tenants, "years": years}
    with fresh_database() as (connection, _):
        load(size)
        instant = f"--as-of={UNTIL.isoformat()}"
        run("flows", "refresh", "--mode=nightly", instant, "--no-write-back")
        fit = timed(lambda: run("flows", "fit-orders"))
        connection.execute("analyze")
        [data] = rows(
            connection,
            f"select (select count(*) from {ANALYTICS}.customer_order_days) as order_days,"
            f" (select count(*) from {ANALYTICS}.risk_status_positions) as positions,"
            f" (select count(distinct tenant_id) from {ANALYTICS}.order_model_periods)"
            " as models",
        )
        # the tenant with the most order days
        [largest] = rows(
            connection,
            f"select tenant_id from {ANALYTICS}.customer_order_days group by tenant_id"
            " order by count(*) desc limit 1",
        )
        scan = timed(partial(_read, connection, "customer_order_days"), 3)
        lines = []
        for view in VIEWS:
            every = timed(partial(_read, connection, view))
            one = timed(partial(_read, connection, view, largest["tenant_id"]), 3)
            lines.append((view, f"{every:.2f}", f"{every / scan:.1f}", f"{one:.2f}"))
        print_table(
            f"Truth: {size['customers']} customers of {tenants} tenants,"
            f" {data['order_days']} order days, {data['positions']} positions",
            ("relation", "all, seconds", "x scan of order days", "one tenant, seconds"),
            [("customer_order_days", f"{scan:.2f}", "1.0", ""), *lines],
        )
        print_table(
            "customer-health fit-orders",
            ("what", "seconds", "tenants with a model"),
            [("the whole command", f"{fit:.1f}", str(data["models"]))],
        )


def _read(connection: Connection, relation: str, tenant: object = None) -> None:
    """Compute every column of the rows, but send none."""
    chosen = f"where tenant_id = '{tenant}'" if tenant else ""
    connection.execute(
        f"select count(*), count(relation)"
        f" from (select * from {ANALYTICS}.{relation} {chosen}) as relation".encode()
    )
