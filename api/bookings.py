"""Customers who book appointments, in the terms of Square."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.paging import Id, Organization, Page, PageOfDays, Text
from api.reading import PAGE, ROW, Asked

router = APIRouter(prefix="/bookings", tags=["bookings"])

Segment = Literal["NEVER_VISITED", "NEW", "ACTIVE", "AT_RISK", "LOST"]
# an id may have a slash in it
CUSTOMER = "/{square_customer_id:path}"


class Customers(Page):
    """Parameters of the list of customers."""

    customer_segment: Segment | None = None
    reliability_tier: Literal["NO_HISTORY", "UNRELIABLE", "WATCH", "RELIABLE"] | None = None
    search: Annotated[
        Text | None, Field(description="Part of the name, or the whole e-mail address or id.")
    ] = None
    sort: Literal[
        "square_customer_id",
        "display_name",
        "last_booking_at",
        "-last_booking_at",
        "-total_revenue_cents",
        "-no_show_rate",
    ] = "square_customer_id"


class Scores(Page):
    """Parameters of the list of scores."""

    rfm_group: Annotated[
        Text | None, Field(description="A group of the seed rfm_groups, such as CHAMPION.")
    ] = None
    sort: Literal["square_customer_id", "-revenue_percentile_rate"] = "square_customer_id"


class Appointments(PageOfDays):
    """The days and the location."""

    location: Annotated[Text | None, Field(description="Id of the location.")] = None


@router.get("/organizations", openapi_extra=PAGE)
def organizations(asked: Asked, given: Annotated[Page, Query()]) -> Response:
    """List the organizations that the token may see, with their thresholds."""
    return asked.page("bookings/organizations", given)


@router.get("/organizations/{organization}/customers", openapi_extra=PAGE)
def customers(
    asked: Asked, organization: Organization, given: Annotated[Customers, Query()]
) -> Response:
    """List customers with segment and reliability."""
    return asked.page("bookings/customers", given, organization)


@router.get("/organizations/{organization}/customers" + CUSTOMER, openapi_extra=ROW)
def customer(asked: Asked, organization: Organization, square_customer_id: Id) -> Response:
    """Get everything stored about one customer."""
    return asked.one("bookings/customer", organization, square_customer_id=square_customer_id)


@router.get("/organizations/{organization}/profiles" + CUSTOMER, openapi_extra=ROW)
def profile(asked: Asked, organization: Organization, square_customer_id: Id) -> Response:
    """Get one customer with the values that change every day, and a summary in words."""
    return asked.one("bookings/profile", organization, square_customer_id=square_customer_id)


@router.get("/organizations/{organization}/rfm", openapi_extra=PAGE)
def rfm(
    asked: Asked, organization: Organization, given: Annotated[Scores, Query()]
) -> Response:
    """List recency, frequency and monetary scores of the customers."""
    return asked.page("bookings/rfm", given, organization)


@router.get("/organizations/{organization}/appointments", openapi_extra=PAGE)
def appointments(
    asked: Asked, organization: Organization, given: Annotated[Appointments, Query()]
) -> Response:
    """Count appointments by day and location."""
    return asked.page("bookings/appointments", given, organization)
