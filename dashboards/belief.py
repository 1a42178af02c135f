"""Whom to believe where status and forecast disagree, as the past of the tenant says."""

from typing import Any

from dashboards import data, look

Row = dict[str, Any]


def seen_of(tenant_id: str, row: Row) -> Row | None:
    """Return what came of those of a tenant on whom status and forecast disagreed so.

    None where they agree about the customer of this row, or there were none such.
    """
    if row["disagreement"] is None:
        return None
    query = "forecast_disagreement_kinds"
    kinds = {kind["disagreement"]: kind for kind in data.read(query, tenant=tenant_id)[query]}
    return kinds.get(row["disagreement"])


def against(row: Row, seen: Row | None) -> str:
    """Return why not to believe the forecast of a customer; nothing where one may."""
    if seen is None or seen["believe"] != "STATUS":
        return ""
    only = "" if row["disagreement"] == "UNLIKELY_THOUGH_ON_TIME" else "only "
    return (
        f"The forecast says {look.chance(row['p_order_90d'])}, but of 100 such customers"
        f" {only}{look.of_100(seen['share'])} ordered. Believe the status."
    )
