"""Which to believe if status and forecast disagree, judged by the tenant's past."""

from typing import Any

from dashboards import data, look

Row = dict[str, Any]


def seen_of(tenant_id: str, row: Row) -> Row | None:
    """Return what became of the tenant's past customers with the same disagreement.

    None if status and forecast agree about this row's customer, or there were no such
    customers.
    """
    if row["disagreement"] is None:
        return None
    query = "forecast_disagreement_kinds"
    kinds = {kind["disagreement"]: kind for kind in data.read(query, tenant=tenant_id)[query]}
    return kinds.get(row["disagreement"])


def against(row: Row, seen: Row | None) -> str:
    """Return why not to believe a customer's forecast, or "" if there is no reason."""
    if seen is None or seen["believe"] != "STATUS":
        return ""
    only = "" if row["disagreement"] == "UNLIKELY_THOUGH_ON_TIME" else "only "
    return (
        f"The forecast says {look.chance(row['p_order_90d'])}, but of 100 such customers"
        f" {only}{look.of_100(seen['share'])} ordered. Believe the status."
    )
