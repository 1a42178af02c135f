"""Customers who order: their statuses, whom to call, and the portfolios of the reps."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.paging import Asking, Id, Page, PageOfDays, Tenant, Text
from api.reading import PAGE, ROW, ROWS, Asked

router = APIRouter(prefix="/orders", tags=["orders"])

RiskStatus = Literal["HEALTHY", "AT_RISK_REVENUE", "AT_RISK_CADENCE", "DORMANT"]
AccountType = Literal["ACTIVE", "TARGET", "PROSPECT"]
SalesRep = Annotated[Text | None, Field(description="Id of the sales rep.")]
Search = Annotated[Text | None, Field(description="Part of the name, or the whole id.")]


class Customers(Page):
    """Parameters of the list of customers."""

    account_type: AccountType | None = None
    risk_status: RiskStatus | None = None
    sales_rep: SalesRep = None
    search: Search = None
    sort: Literal[
        "customer_id",
        "customer_name",
        "last_order_date",
        "-last_order_date",
        "next_expected_order_date",
        "-revenue_at_risk",
    ] = "customer_id"


class Due(Page):
    """Parameters of the list of due customers."""

    due_bucket: Literal["DUE_SOON", "DUE_TODAY", "OVERDUE", "DORMANT"] | None = None
    urgency: Literal["MODERATE", "URGENT", "CRITICAL"] | None = None
    sales_rep: SalesRep = None
    search: Search = None
    snoozed: Annotated[
        bool, Field(description="Also list customers whom somebody has snoozed.")
    ] = False
    sort: Literal[
        "customer_id",
        "customer_name",
        "next_expected_order_date",
        "-expected_amount_90d",
        "-revenue_at_risk",
    ] = "next_expected_order_date"


class Summary(Asking):
    """The sales rep, or all."""

    sales_rep: SalesRep = None


class Transitions(PageOfDays):
    """Parameters of the list of changes."""

    status_kind: Literal["risk_status", "account_type"] | None = None


@router.get("/tenants", openapi_extra=PAGE)
def tenants(asked: Asked, given: Annotated[Page, Query()]) -> Response:
    """List the tenants that the token may see, with their thresholds."""
    return asked.page("orders/tenants", given)


@router.get("/tenants/{tenant}/customers", openapi_extra=PAGE)
def customers(asked: Asked, tenant: Tenant, given: Annotated[Customers, Query()]) -> Response:
    """List customers with risk status and account type."""
    return asked.page("orders/customers", given, tenant)


@router.get("/tenants/{tenant}/customers/{customer_id:path}", openapi_extra=ROW)
def customer(asked: Asked, tenant: Tenant, customer_id: Id) -> Response:
    """Get one customer with reasons, both histories and how likely it is to order."""
    return asked.one("orders/customer", tenant, customer_id=customer_id)


@router.get("/tenants/{tenant}/outlooks/{customer_id:path}", openapi_extra=ROW)
def outlook(asked: Asked, tenant: Tenant, customer_id: Id) -> Response:
    """Get the outlook of one customer, including the expected amount."""
    return asked.one("orders/outlook", tenant, customer_id=customer_id)


@router.get("/tenants/{tenant}/due-to-order", openapi_extra=PAGE)
def due_to_order(asked: Asked, tenant: Tenant, given: Annotated[Due, Query()]) -> Response:
    """List the customers who should order soon or should already have ordered."""
    return asked.page("orders/due_to_order", given, tenant)


@router.get("/tenants/{tenant}/rep-metrics", openapi_extra=ROWS)
def rep_metrics(asked: Asked, tenant: Tenant) -> Response:
    """List the sales reps with the figures of their portfolios."""
    return asked.all("orders/rep_metrics", tenant)


@router.get("/tenants/{tenant}/health-summary", openapi_extra=ROWS)
def health_summary(
    asked: Asked, tenant: Tenant, given: Annotated[Summary, Query()]
) -> Response:
    """Count the customers by sales rep and risk status."""
    return asked.all("orders/health_summary", tenant, **given.values())


@router.get("/tenants/{tenant}/transitions", openapi_extra=PAGE)
def transitions(
    asked: Asked, tenant: Tenant, given: Annotated[Transitions, Query()]
) -> Response:
    """Count the status changes by day, including those to come."""
    return asked.page("orders/transitions", given, tenant)
