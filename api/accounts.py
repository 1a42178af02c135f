"""Accounts that a customer-success team looks after."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.paging import Days, Id, Organization, Page, Text
from api.reading import PAGE, ROW, Asked

router = APIRouter(prefix="/accounts", tags=["accounts"])

Score = Annotated[float | None, Field(ge=0, le=100, allow_inf_nan=False)]
OfAccount = Annotated[Text | None, Field(description="Id of one account.")]


class Accounts(Page):
    """Parameters of the list of accounts."""

    status: Annotated[
        Literal["onboarding", "active", "at_risk", "churned"] | None,
        Field(description="The suggested status."),
    ] = None
    health_from: Annotated[Score, Field(description="Lowest health score, inclusive.")] = None
    health_to: Annotated[Score, Field(description="Highest health score, exclusive.")] = None
    search: Annotated[Text | None, Field(description="Part of the name, or the whole id.")] = (
        None
    )
    sort: Literal[
        "account_id", "account_name", "health_score", "-churn_risk_score", "-arr", "renewal_on"
    ] = "account_id"


class Engagements(Page):
    """Parameters of the list of engagements."""

    account: OfAccount = None
    engagement_type: Literal["meeting", "call", "email", "note", "demo", "training"] | None = (
        None
    )
    outcome: Literal["positive", "neutral", "negative", "action_required"] | None = None


class Health(Page):
    """The account, and the number of days."""

    account: Annotated[Text, Field(description="Id of the account.")]
    days: Days = 30


class Goals(Page):
    """Parameters of the list of goals."""

    account: OfAccount = None
    goal_status: Literal["on_track", "at_risk", "achieved", "missed"] | None = None


@router.get("/organizations", openapi_extra=PAGE)
def organizations(asked: Asked, given: Annotated[Page, Query()]) -> Response:
    """List the organizations that the token may see."""
    return asked.page("accounts/organizations", given)


@router.get("/organizations/{organization}/accounts", openapi_extra=PAGE)
def accounts(
    asked: Asked, organization: Organization, given: Annotated[Accounts, Query()]
) -> Response:
    """List accounts with health and churn risk."""
    return asked.page("accounts/accounts", given, organization)


@router.get("/organizations/{organization}/accounts/{account_id:path}", openapi_extra=ROW)
def account(asked: Asked, organization: Organization, account_id: Id) -> Response:
    """Get everything known about one account."""
    return asked.one("accounts/account", organization, account_id=account_id)


@router.get("/organizations/{organization}/engagements", openapi_extra=PAGE)
def engagements(
    asked: Asked, organization: Organization, given: Annotated[Engagements, Query()]
) -> Response:
    """List engagements by the time they were completed or are planned for, latest first."""
    return asked.page("accounts/engagements", given, organization)


@router.get("/organizations/{organization}/health", openapi_extra=PAGE)
def health(
    asked: Asked, organization: Organization, given: Annotated[Health, Query()]
) -> Response:
    """List the health scores of one account for the last days."""
    return asked.page("accounts/health", given, organization)


@router.get("/organizations/{organization}/goals", openapi_extra=PAGE)
def goals(
    asked: Asked, organization: Organization, given: Annotated[Goals, Query()]
) -> Response:
    """List goals, the next due first."""
    return asked.page("accounts/goals", given, organization)
