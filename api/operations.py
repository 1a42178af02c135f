"""Jobs and runs: show their state, and start a refresh.

Tenants may not read the run log, because it covers all tenants. A tenant's token that may
start refreshes may refresh its own organization and look up those runs.
"""

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from api.database import Connection, use_role
from api.paging import Asking, Page, Text
from api.problems import Problem, shown
from api.reading import (
    PAGE,
    ROW,
    ROWS,
    STARTED,
    Asked,
    AskedWithBody,
    CallerRequest,
    json_response,
    read_page,
    run,
)
from api.starts import start
from api.tokens import ANALYST, Caller
from flows.run_log import Job

router = APIRouter(prefix="/operations", tags=["operations"])

NOT_KEPT = {"Cache-Control": "no-store"}

# also by GET: some schedulers cannot send a POST. Others always send a body, which is ignored
STARTS: dict[str, Any] = {"status_code": 202, "openapi_extra": STARTED}

RunId = Annotated[Text, Path(description="Id of the run in the run log.")]
Status = Literal[
    "running", "success", "tests_failed", "held", "wrong_argument", "failed", "interrupted"
]


class Runs(Page):
    """Parameters of the list of runs."""

    job: Job | None = None
    status: Status | None = None


class Start(Asking):
    """How to refresh."""

    no_write_back: Annotated[
        bool, Field(description="Write nothing to the application's tables.")
    ] = False

    def options(self) -> list[str]:
        """Return the options of the command."""
        return ["--no-write-back"] if self.no_write_back else []


class Organization(Asking):
    """The organization to refresh."""

    organization: Annotated[Text, Field(description="Slug of the organization.")]


@router.get("/jobs", openapi_extra=ROWS)
def jobs(asked: Asked) -> Response:
    """List the jobs: how the last run of each ended, and when one last succeeded."""

    def read(connection: Connection, caller: Caller) -> Response:
        _check_analyst(caller)
        return json_response({"items": run(connection, "operations/jobs", {})}, NOT_KEPT)

    return asked.run(read)


@router.get("/runs", openapi_extra=PAGE)
def runs(asked: Asked, given: Annotated[Runs, Query()]) -> Response:
    """List the runs, latest first."""

    def read(connection: Connection, caller: Caller) -> Response:
        _check_analyst(caller)
        values = {**given.values(), "run_id": None}
        return json_response(read_page(connection, "operations/runs", given, values), NOT_KEPT)

    return asked.run(read)


@router.get("/runs/{run_id}", openapi_extra={**ROW, "x-query": "operations/runs"})
def one_run(asked: Asked, run_id: RunId) -> Response:
    """Get one run. Consecutive runs with nothing to do have the id of the latest."""

    def read(connection: Connection, caller: Caller) -> Response:
        found = _find_run(connection, run_id)
        if found and not caller.is_analyst:
            use_role(connection, caller.role)
            organization = found["organization_slug"]
            is_seen = organization and _may_see(connection, organization)
            # the error may name other tenants
            found = {**found, "error": None} if is_seen else None
        if not found:
            raise Problem(404, f"not found, or hidden from this token: run {shown(run_id)}")
        return json_response(found, NOT_KEPT)

    return asked.run(read)


@router.get("/jobs/refresh_hourly/start", **STARTS)
@router.post("/jobs/refresh_hourly/start", **STARTS)
def start_hourly(asked: AskedWithBody, given: Annotated[Start, Query()]) -> Response:
    """Refresh what has changed."""
    return _start(asked, ["--mode=hourly", *given.options()])


@router.get("/jobs/refresh_nightly/start", **STARTS)
@router.post("/jobs/refresh_nightly/start", **STARTS)
def start_nightly(asked: AskedWithBody, given: Annotated[Start, Query()]) -> Response:
    """Recompute everything, including all organizations of usage and accounts."""
    return _start(asked, ["--mode=nightly", *given.options()])


@router.get("/jobs/refresh_organization/start", **STARTS)
@router.post("/jobs/refresh_organization/start", **STARTS)
def start_organization(
    asked: AskedWithBody, given: Annotated[Organization, Query()]
) -> Response:
    """Recompute one organization of usage and accounts."""
    return _start(asked, [f"--organization={given.organization}"], given.organization)


def _start(
    asked: CallerRequest, options: list[str], organization: str | None = None
) -> Response:
    def is_analyst(connection: Connection, caller: Caller) -> bool:
        if not caller.may_start:
            raise Problem(
                403,
                "this token may not start a refresh: create one that may, with"
                " `customer-health api-tokens create --may-start`",
            )
        if caller.is_analyst:
            return True
        if organization is None:
            _check_analyst(caller)
            return False
        use_role(connection, caller.role)
        if not _may_see(connection, organization):
            what = f"organization {shown(organization)}"
            raise Problem(404, f"not found, or hidden from this token: {what}")
        return False

    is_shown = asked.run(is_analyst)

    def is_logged(run_id: str) -> bool:
        find = partial(_find_run, run_id=run_id)
        return asked.service.pool.run(find) is not None

    run_id = start(options, is_logged, is_shown=is_shown)
    url = f"{router.prefix}/runs/{run_id}"
    return json_response({"run_id": run_id, "url": url}, {**NOT_KEPT, "Location": url}, 202)


def _check_analyst(caller: Caller) -> None:
    if not caller.is_analyst:
        raise Problem(403, f"only for tokens with the role {ANALYST}, which see all tenants")


def _find_run(connection: Connection, run_id: str) -> dict[str, Any] | None:
    values = {"run_id": run_id, "job": None, "status": None}
    found = read_page(connection, "operations/runs", Page(), values | Page().values())
    rows: list[dict[str, Any]] = found["items"]
    return rows[0] if rows else None


def _may_see(connection: Connection, organization: str) -> bool:
    return bool(run(connection, "operations/organization", {"organization": organization}))
