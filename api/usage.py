"""Organizations that use a product: their health scores and usage counts."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from api.paging import Days, Organization, Page
from api.reading import PAGE, ROW, Asked

router = APIRouter(prefix="/usage", tags=["usage"])


class Organizations(Page):
    """Parameters of the list of organizations."""

    risk_level: Literal["LOW", "MEDIUM", "HIGH"] | None = None
    trend: Literal["IMPROVING", "STABLE", "DECLINING"] | None = None
    sort: Literal["organization_slug", "overall_score", "score_change"] = "organization_slug"


class History(Page):
    """The number of days."""

    days: Days = 30


@router.get("/organizations", openapi_extra=PAGE)
def organizations(asked: Asked, given: Annotated[Organizations, Query()]) -> Response:
    """List the latest score of each organization that the token may see."""
    return asked.page("usage/organizations", given)


@router.get("/high-risk", openapi_extra=PAGE)
def high_risk(asked: Asked, given: Annotated[Page, Query()]) -> Response:
    """List the organizations that are at high risk on their latest day, lowest score first."""
    return asked.page("usage/high_risk", given)


@router.get("/organizations/{organization}", openapi_extra=ROW)
def organization(asked: Asked, organization: Organization) -> Response:
    """Get the latest score of one organization."""
    return asked.one("usage/organization", organization)


@router.get("/organizations/{organization}/history", openapi_extra=PAGE)
def history(
    asked: Asked, organization: Organization, given: Annotated[History, Query()]
) -> Response:
    """List the scores of the last days."""
    return asked.page("usage/history", given, organization)


@router.get("/organizations/{organization}/factors", openapi_extra=PAGE)
def factors(
    asked: Asked, organization: Organization, given: Annotated[History, Query()]
) -> Response:
    """List the factors behind the scores of the last days."""
    return asked.page("usage/factors", given, organization)


@router.get("/organizations/{organization}/metrics", openapi_extra=PAGE)
def metrics(
    asked: Asked, organization: Organization, given: Annotated[History, Query()]
) -> Response:
    """List the usage metrics of the last days."""
    return asked.page("usage/metrics", given, organization)
