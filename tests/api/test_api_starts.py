"""Start a refresh by HTTP: who may, what the answer is, and that only one runs at a time."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from asking import ANALYST, Api, items, problem, serving, tenant_roles, wait_for
from conftest import Database

from api import starts
from api.problems import Problem

pytest_plugins = ["asking"]

START = "/operations/jobs/{}/start"
LOCK = "select pg_advisory_lock(hashtext('customer_health refresh'))"
SLUGS = {
    "usage": "select organization_id::text as tenant, organization_slug as slug"
    " from analytics.platform_organizations order by 2",
    "orders": "select tenant_id::text as tenant, tenant_slug as slug"
    " from analytics.tenants order by 2",
}


@pytest.fixture
def started(refreshed: Database, tmp_path: Path) -> Iterator[Api]:
    """The API on a database of its own, with tokens that may start and one that may not.

    Its login has the roles that docs/api.md asks for.
    """
    granted = [ANALYST, *(role["role_name"] for role in tenant_roles(refreshed))]
    granted += ["customer_health_refresher", "customer_health_write_back"]
    refreshed.execute(f"create role api_login login in role {', '.join(granted)}")
    with serving(refreshed.as_user("api_login"), tmp_path / "log") as served:
        api = Api(refreshed, served.url, served.log)
        api.create_token("scheduler", ANALYST, "--may-start")
        api.create_token("screen", ANALYST)
        roles = {(role["system"], role["tenant"]): role for role in tenant_roles(refreshed)}
        for system, query in SLUGS.items():
            for tenant in refreshed.rows(query)[:2]:
                role = roles[system, tenant["tenant"]]["role_name"]
                api.create_token(tenant["slug"], role, "--may-start")
        yield api
    refreshed.execute("drop role api_login")


def ended(client: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    """Return the run that an answer has started, once it has ended."""
    assert answer.status_code == 202, answer.text
    url = answer.headers["Location"]
    assert answer.json() == {"run_id": url.rpartition("/")[2], "url": url}
    return wait_for(client, url)


def test_a_refresh_is_started_once_and_can_be_asked_for(started: Api) -> None:
    scheduler = started.client(started.tokens["scheduler"])
    own, other = (row["slug"] for row in started.database.rows(SLUGS["usage"])[:2])
    organization = START.format("refresh_organization")
    as_organization = started.client(started.tokens[own])
    # some schedulers always send a body
    begun = as_organization.post(organization, params={"organization": own}, json={})
    # the command holds the same lock
    busy = scheduler.get(START.format("refresh_hourly"))
    assert problem(busy, 409).startswith("another refresh or write-back is running")
    assert busy.headers["Retry-After"] == "60"
    run = ended(as_organization, begun)
    assert (run["job"], run["status"], run["organization_slug"]) == (
        *("refresh_organization", "success", own),
    )
    with started.client(started.tokens[other]) as stranger:
        problem(stranger.get(begun.headers["Location"]), 404)
    # started by GET, as some schedulers send it
    hourly = START.format("refresh_hourly")
    run = ended(scheduler, scheduler.get(hourly, params={"no_write_back": True}))
    assert (run["job"], run["status"], run["rows_written"]) == ("refresh_hourly", "success", 0)
    # without that, it writes back, and its login may do so. First wait for the run's lock
    started.database.execute(LOCK)
    assert started.command("write-back", "--force").returncode == 0
    started.database.execute(
        "update commerce.customers set risk_status = 'WRONG' where id = (select customer_id"
        " from analytics.customer_risk_status order by customer_id limit 1)"
    )
    # not stale
    started.database.execute("update commerce.orders set updated_at = now()")
    run = ended(scheduler, scheduler.get(hourly))
    assert (run["status"], run["rows_written"]) == ("success", 1)
    assert items(scheduler.get("/operations/runs", params={"limit": 1}))[0] == run
    jobs = {job["job"]: job for job in items(scheduler.get("/operations/jobs"))}
    assert jobs["refresh_hourly"]["last_status"] == run["status"]
    said = problem(scheduler.post(organization, params={"organization": "nobody"}), 422)
    assert said.startswith(
        "organization: no active organization has the slug 'nobody'; there are: "
    )
    assert "\n" not in said


def test_of_starts_at_once_one_begins_a_process(started: Api) -> None:
    client = started.client(started.tokens["scheduler"])
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda _: client.post(START.format("refresh_hourly")), range(8))
        )
    [begun] = [answer for answer in answers if answer.status_code == 202]
    refused = {problem(answer, 409) for answer in answers if answer is not begun}
    assert "another start is in progress" in refused
    assert ended(client, begun)["job"] == "refresh_hourly"


def test_who_may_not_start_something_is_told_so(started: Api) -> None:
    organization, tenant = (
        started.database.rows(SLUGS[system])[0]["slug"] for system in ("usage", "orders")
    )
    before = started.database.value("select count(*) from operations.application_logs")
    jobs = [START.format(f"refresh_{mode}") for mode in ("hourly", "nightly", "organization")]
    of = {"organization": organization}
    with started.client(started.tokens["screen"]) as screen:
        for job in jobs:
            answer = screen.post(job, params=of if "organization" in job else {})
            assert problem(answer, 403).startswith("this token may not start a refresh")
    for slug in (organization, tenant):
        with started.client(started.tokens[slug]) as client:
            for job in jobs[:2]:
                assert problem(client.post(job), 403).startswith(
                    "only for tokens with the role"
                )
            for path in ("/operations/jobs", "/operations/runs"):
                assert problem(client.get(path), 403).startswith(
                    "only for tokens with the role"
                )
            foreign = started.database.rows(SLUGS["usage"])[1]["slug"]
            for hostile in (foreign, "' or true --", "--mode=nightly", "%", "\n", "\u202e"):
                problem(client.post(jobs[2], params={"organization": hostile}), 404)
            problem(client.post(jobs[2], params={"organization": "a\0"}), 422)
            for run in started.database.rows("select logid from operations.application_logs"):
                problem(client.get(f"/operations/runs/{run['logid']}"), 404)
    with started.client(started.tokens["scheduler"]) as scheduler:
        # HEAD starts nothing
        assert scheduler.head(jobs[0]).status_code == 405
        assert problem(scheduler.post(jobs[2]), 422) == (
            "organization: is missing and must be the slug of the organization"
        )
        assert problem(scheduler.post(jobs[0], content=b" " * 32_769), 413)
    problem(httpx.post(started.url + jobs[0]), 401)
    after = started.database.value("select count(*) from operations.application_logs")
    assert before == after


def test_a_start_has_its_id_although_the_log_cannot_be_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "command"
    # a run that has ended well
    command.write_text("#!/bin/sh\necho {}\n")
    command.chmod(0o755)
    monkeypatch.setattr(starts, "SECONDS_TO_BEGIN", 1)
    monkeypatch.setattr(sys, "executable", str(command))
    seen: list[str] = []

    def fail_twice(run_id: str) -> bool:
        seen.append(run_id)
        if len(seen) < 3:
            raise Problem(503, "all connections are in use")
        return True

    def fail(run_id: str) -> bool:
        seen.append(run_id)
        raise Problem(503, "the database cannot be reached")

    # the log can be read again, or not in time
    for is_logged in (fail_twice, fail):
        seen.clear()
        assert starts.start([], is_logged, is_shown=True) == seen[0]
        assert len(seen) > 2
    # it can be read, and the run is not in it
    with pytest.raises(Problem) as refused:
        starts.start([], lambda _: False, is_shown=True)
    assert refused.value.status == 503


@pytest.mark.slow
def test_a_run_goes_on_when_the_api_is_stopped(refreshed: Database, tmp_path: Path) -> None:
    with serving(refreshed, tmp_path / "log") as api:
        scheduler = api.client(api.create_token("scheduler", ANALYST, "--may-start"))
        slug = refreshed.rows(SLUGS["usage"])[0]["slug"]
        answer = scheduler.post(
            START.format("refresh_organization"), params={"organization": slug}
        )
        assert answer.status_code == 202, answer.text
    status = "select status from operations.application_logs where logid = %s"
    run_id = answer.json()["run_id"]
    assert refreshed.value(status, run_id) == "running"
    deadline = time.monotonic() + 120
    while refreshed.value(status, run_id) == "running":
        assert time.monotonic() < deadline
        time.sleep(0.3)
    assert refreshed.value(status, run_id) == "success"
