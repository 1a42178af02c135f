"""The API as programs rely on it: lists, filters, ETags, tokens, limits and the document."""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock
from urllib.parse import quote

import httpx
import psycopg
import pytest
from anyio import to_thread
from asking import (
    ANALYST,
    DOCUMENT,
    Api,
    items,
    operations,
    problem,
    serving,
    tenant_roles,
    wait_for,
)
from conftest import PROJECT, Database

from api import database as api_database
from api import limits, reading
from api import serving as api_serving
from api.app import create_app
from api.problems import Problem
from api.serving import address_of
from flows.errors import Infrastructure

pytest_plugins = ["asking"]

TENANT = "/orders/tenants/north-dairy"


def test_a_list_has_all_rows_of_the_mart_in_its_order(api: Api, analyst: httpx.Client) -> None:
    """Page by page, with NULLs and ties: no row twice and none missing."""
    marts = {
        row["customer_id"]: row
        for row in api.database.rows(
            "select customer_id::text, last_order_date::text, risk_status.revenue_at_risk"
            " from analytics.customer_account_types"
            " left join analytics.customer_risk_status as risk_status"
            " using (tenant_id, customer_id)"
            " inner join analytics.tenants using (tenant_id)"
            " where tenant_slug = 'north-dairy'"
        )
    }
    assert len({row["last_order_date"] for row in marts.values()}) < len(marts)
    assert None in {row["last_order_date"] for row in marts.values()}
    for sort in ("customer_id", "last_order_date", "-last_order_date", "-revenue_at_risk"):
        seen: list[dict[str, Any]] = []
        for page in range(1, 100):
            answer = analyst.get(
                f"{TENANT}/customers", params={"sort": sort, "page": page, "limit": 7}
            )
            seen += items(answer)
            assert answer.json()["total"] == len(marts)
            if not answer.json()["hasMore"]:
                break
        assert len(seen) == len(marts)
        assert {row["customer_id"] for row in seen} == set(marts)
        column = sort.removeprefix("-")
        keys = [row[column] for row in seen]
        if column == "revenue_at_risk":
            keys = [None if key is None else float(key) for key in keys]
        known = [key for key in keys if key is not None]
        assert known == sorted(known, reverse=sort.startswith("-"))
        # NULLs are last, and ties are in the order of their ids
        assert keys[: len(known)] == known
        for one, next_one in pairwise(seen):
            if one[column] == next_one[column]:
                assert one["customer_id"] < next_one["customer_id"]
    behind = analyst.get(f"{TENANT}/customers", params={"page": 1000}).json()
    assert (behind["items"], behind["total"], behind["hasMore"]) == ([], len(marts), False)


YEAR = {"from": "2026-01-01", "to": "2026-12-31"}
DAYS = """
    select location_id, date, location_name, new_customers, no_show_rate, is_future
    from analytics.analytics_appointments_by_location_daily
    inner join analytics.booking_organizations using (organization_id)
    where organization_slug = 'glow-salon' and date between '2026-01-01' and '2026-12-31'
    order by date, location_id
"""
DUE = """
    select
        customer_id, sales_rep_name, days_past_expected, outlook, last_outcome, snoozed_until
    from analytics.due_to_order
    where tenant_slug = 'north-dairy' and not is_held_out
    order by
"""


@pytest.mark.parametrize(
    ("path", "parameters", "mart"),
    [
        ("/bookings/organizations/glow-salon/appointments", YEAR, DAYS),
        *(
            (f"{TENANT}/due-to-order", {"sort": sort, "snoozed": True}, DUE + order)
            for sort, order in (
                ("customer_name", "customer_name, customer_id"),
                ("next_expected_order_date", "next_expected_order_date, customer_id"),
                (
                    "-expected_amount_90d",
                    "expected_amount_90d desc nulls last, customer_id",
                ),
                ("-revenue_at_risk", "revenue_at_risk desc nulls last, customer_id"),
            )
        ),
    ],
)
def test_a_list_that_looks_up_the_rows_of_its_page_equals_the_mart(
    api: Api, analyst: httpx.Client, path: str, parameters: dict[str, Any], mart: str
) -> None:
    expected = api.database.rows(mart)
    seen: list[dict[str, Any]] = []
    while len(seen) < len(expected):
        page = {"page": len(seen) // 20 + 1, "limit": 20}
        answer = analyst.get(path, params={**parameters, **page})
        assert answer.json()["total"] == len(expected) > 20
        seen += items(answer)
    assert [[str(row[name]) for name in expected[0]] for row in seen] == [
        [*map(str, row.values())] for row in expected
    ]


def test_filters_leave_out_what_does_not_fit(analyst: httpx.Client) -> None:
    found = items(
        analyst.get(
            f"{TENANT}/customers",
            params={"risk_status": "DORMANT", "account_type": "ACTIVE", "limit": 500},
        )
    )
    assert found
    assert {(row["risk_status"], row["account_type"]) for row in found} == {
        ("DORMANT", "ACTIVE")
    }
    one = found[0]
    for search in (one["customer_id"], one["customer_name"].upper()):
        hits = items(analyst.get(f"{TENANT}/customers", params={"search": search}))
        assert one["customer_id"] in {row["customer_id"] for row in hits}
    # signs of LIKE patterns match only themselves
    for sign in ("%", "_", "\\"):
        assert not items(analyst.get(f"{TENANT}/customers", params={"search": sign}))
    accounts = items(
        analyst.get(
            "/accounts/organizations/beacon-software/accounts",
            params={"health_from": 40, "health_to": 60},
        )
    )
    assert accounts
    assert all(40 <= float(row["health_score"]) < 60 for row in accounts)


def test_planned_and_completed_engagements_are_in_one_order(analyst: httpx.Client) -> None:
    url = "/accounts/organizations/beacon-software/engagements"
    rows: list[dict[str, Any]] = []
    for page in range(1, 100):
        answer = analyst.get(url, params={"page": page, "limit": 500})
        rows += items(answer)
        if not answer.json()["hasMore"]:
            break
    assert {row["completed_at"] is None for row in rows} == {True, False}
    keys = [
        (row["completed_at"] or row["scheduled_at"] or "", row["engagement_id"])
        for row in rows
    ]
    by_id = sorted(keys, key=lambda key: key[1])
    assert keys == sorted(by_id, key=lambda key: key[0], reverse=True)


def test_an_address_with_colons_is_shown_in_brackets() -> None:
    assert address_of("::1", 8600) == "[::1]:8600"
    assert address_of("127.0.0.1", 8600) == "127.0.0.1:8600"


def test_a_proxy_is_an_address_or_a_network(api: Api) -> None:
    """Whoever believes all, believes what callers invent."""
    for wrong in ("*", "10.0.0.1/8", "proxy.example"):
        done = api.command("api", "--proxies", f"10.0.0.1, {wrong}")
        assert done.returncode == 2
        assert f"'{wrong}' must be an address or network such as 10.0.0.0/8" in done.stderr


def test_one_customer_equals_the_marts(api: Api, analyst: httpx.Client) -> None:
    [row] = api.database.rows(
        "select tenant_id::text, customer_id::text, risk_status.*, risk_status.reasons::text"
        " as reasons_text from analytics.customer_risk_status as risk_status"
        " inner join analytics.tenants using (tenant_id)"
        " where tenant_slug = 'north-dairy' and revenue_at_risk is not null"
        " order by risk_status.customer_id limit 1"
    )
    told = analyst.get(f"{TENANT}/customers/{row['customer_id']}").json()
    assert told["risk_status"] == row["risk_status"]
    assert told["reasons"] == row["reasons"]
    # exact numbers are text, and dates are dates
    assert told["revenue_at_risk"] == str(row["revenue_at_risk"])
    assert told["last_order_date"] == row["last_order_date"].isoformat()
    assert told["dormancy_since"] is None or row["dormancy_since"]
    steps = api.database.rows(
        "select status, valid_from::text, valid_to::text"
        " from analytics.customer_risk_status_history where customer_id = %s"
        " order by valid_from",
        row["customer_id"],
    )
    assert told["risk_status_history"] == [dict(step) for step in steps]
    assert re.fullmatch(r".{19}(\.\d+)?\+00:00", told["last_ordered_at"])
    by_id = analyst.get(f"/orders/tenants/{row['tenant_id']}/customers/{row['customer_id']}")
    assert by_id.json() == told


def test_an_unchanged_answer_is_304_until_the_next_publication(
    refreshed: Database, tmp_path: Path
) -> None:
    """A screen that polls."""
    with serving(refreshed, tmp_path / "log") as api:
        analyst = api.client(api.create_token("screen", ANALYST))
        [tenant] = [
            role["role_name"]
            for role in tenant_roles(refreshed)
            if role["tenant"]
            == refreshed.value(
                "select tenant_id::text from analytics.tenants"
                " where tenant_slug = 'north-dairy'"
            )
        ]
        other = api.client(api.create_token("tenant", tenant))
        path = f"{TENANT}/due-to-order"
        first = analyst.get(path)
        tag = first.headers["ETag"]
        for known in (tag, f'W/{tag}, "x"', f'"x", {tag}', "*"):
            again = analyst.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["ETag"] == tag
        nobody = f"{TENANT}/customers/{uuid.UUID(int=0)}"
        assert analyst.get(nobody, headers={"If-None-Match": "*"}).status_code == 404
        # a list may be spread over several headers
        several = [("If-None-Match", '"x"'), ("If-None-Match", tag)]
        assert analyst.get(path, headers=several).status_code == 304
        # another page, order or role has another ETag
        tags = {
            tag,
            analyst.get(path, params={"page": 2}).headers["ETag"],
            analyst.get(path, params={"sort": "customer_id"}).headers["ETag"],
            other.get(path).headers["ETag"],
        }
        assert len(tags) == 4
        assert other.get(path, headers={"If-None-Match": tag}).status_code == 200

        def is_known() -> bool:
            return analyst.get(path, headers={"If-None-Match": tag}).status_code == 304

        # another day has another ETag, but a later as_of on the same day does not
        refreshed.execute(
            "update analytics.tenants set as_of = as_of + interval '1 second'"
            " where tenant_slug = 'north-dairy'"
        )
        assert is_known()
        # of this tenant; of all tenants, the oldest
        later = datetime.fromisoformat(first.headers["As-Of"]) + timedelta(seconds=1)
        assert analyst.get(path).headers["As-Of"] == later.isoformat()
        tenants = analyst.get("/orders/tenants")
        assert tenants.headers["As-Of"] == first.headers["As-Of"]
        before = refreshed.value("select max(today) from analytics.tenants")
        refreshed.execute("update analytics.tenants set today = today + 1")
        assert not is_known()
        refreshed.execute("update analytics.tenants set today = %s", before)
        refreshed.execute(
            "update commerce.orders set updated_at = %s, total_amount = 1 where id = ("
            "select id from commerce.orders where status = 'DELIVERED' limit 1)",
            "2026-06-15T12:30:00+00:00",
        )
        done = api.command(
            "refresh", "--mode", "hourly", "--as-of", "2026-06-15T13:00:00+00:00"
        )
        assert done.returncode == 0, done.stderr
        assert not is_known()
        # a run replaces views after it has published, so its end has another ETag
        published = analyst.get(path).headers["ETag"]
        refreshed.execute(
            "update operations.application_logs set status = 'running' where logid = ("
            "select logid from operations.application_logs order by log_id desc limit 1)"
        )
        assert analyst.get(path).headers["ETag"] != published
        assert api.command("fit-orders").returncode == 0
        fitted = analyst.get(path).headers["ETag"]
        assert analyst.get(path, headers={"If-None-Match": fitted}).status_code == 304


def test_parameters_have_one_name(analyst: httpx.Client) -> None:
    # the names in our code; for callers they are 'from' and 'to'
    days = {"first_day": "2026-01-01", "last_day": "2026-01-01"}
    said = problem(analyst.get(f"{TENANT}/transitions", params=days), 422)
    assert said.startswith("from: is missing and must be a date")
    assert "no parameter 'first_day' here" in said


def test_what_is_wrong_is_said_in_one_line(analyst: httpx.Client) -> None:
    def said(path: str, **parameters: Any) -> str:
        return problem(analyst.get(path, params=parameters), 422)

    def missing(path: str) -> str:
        return problem(analyst.get(path), 404)

    customers = f"{TENANT}/customers"
    assert said(customers, risk_status="LATE") == (
        "risk_status: 'LATE' must be one of HEALTHY, AT_RISK_REVENUE, AT_RISK_CADENCE, DORMANT"
    )
    for wrong in (501, 0, "abc", "1.5", ""):
        assert said(customers, limit=wrong) == (
            f"limit: '{wrong}' must be a whole number from 1 to 500"
        )
    assert said(customers, page=10**30).endswith("must be a whole number from 1 to 100000")
    assert said(f"{TENANT}/due-to-order", snoozed="maybe") == (
        "snoozed: 'maybe' must be true or false"
    )
    accounts = "/accounts/organizations/beacon-software/accounts"
    for wrong in ("abc", "101", "nan"):
        assert said(accounts, health_from=wrong) == (
            f"health_from: '{wrong}' must be a number from 0 to 100"
        )
    assert said("/usage/organizations/cedar-health/history", days="x") == (
        "days: 'x' must be a whole number from 1 to 3660"
    )
    assert said(customers, search="x" * 201) == "search: must have at most 200 characters"
    assert said(customers, search="") == "search: must not be empty"
    assert said(customers, search="a\0b") == "search: must not contain a NUL character"
    assert said(customers, limit=[1, 2]) == "'limit': must be given once, not 2 times"
    assert said(customers, tenant="x") == (
        "no parameter 'tenant' here: /openapi.json lists the parameters"
    )
    # also by paths without parameters, which would seem to have filtered
    assert said(f"{TENANT}/rep-metrics", sales_rep="x", limit=1) == (
        "no parameter 'sales_rep' here: /openapi.json lists the parameters; no parameter"
        " 'limit' here: /openapi.json lists the parameters"
    )
    for path in (
        *(f"{customers}/x", "/operations/jobs", "/operations/runs/x"),
        "/operations/jobs/refresh_nightly/start",
    ):
        assert said(path, organization="x") == (
            "no parameter 'organization' here: /openapi.json lists the parameters"
        )
    assert problem(analyst.post(f"{TENANT}/contacts/x?note=x", json={}), 422) == (
        "no parameter 'note' here: /openapi.json lists the parameters"
    )
    assert said(f"{TENANT}/transitions", **{"from": "2026-01-01", "to": "2026-02-30"}) == (
        "to: '2026-02-30' must be a date such as 2026-01-31"
    )
    assert said(f"{TENANT}/transitions", **{"from": "2026-02-01", "to": "2026-01-31"}) == (
        "to: '2026-01-31' must not be before 'from', 2026-02-01"
    )
    assert said(f"{TENANT}/transitions") == (
        "from: is missing and must be a date such as 2026-01-31;"
        " to: is missing and must be a date such as 2026-01-31"
    )
    assert said("/operations/runs", job="refresh_nightl").startswith(
        "job: 'refresh_nightl' must be one of refresh_hourly, refresh_nightly, "
    )
    # and none that has run is refused
    for job in items(analyst.get("/operations/jobs")):
        assert items(analyst.get("/operations/runs", params={"job": job["job"]}))
    assert (
        missing("/orders/tenants/nobody/customers")
        == "not found, or hidden from this token: tenant 'nobody'"
    )
    nobody = str(uuid.UUID(int=0))
    assert missing(f"{customers}/{nobody}") == (
        f"not found, or hidden from this token: customer_id '{nobody}'"
    )
    hidden = "not found, or hidden from this token: sales_rep 'x'"
    assert missing(f"{customers}?sales_rep=x") == hidden
    # an id that could exist; see docs/api.md
    for path in (f"{customers}?sales_rep={nobody}", f"{TENANT}/contacts/{nobody}"):
        assert items(analyst.get(path)) == []
    for path in (f"{TENANT}/rep-metrics", f"{TENANT}/health-summary", "/operations/jobs"):
        assert set(analyst.get(path).json()) == {"items"}
    assert missing("/nowhere") == "no path '/nowhere': /openapi.json lists the paths"
    long = problem(analyst.get(customers, params={"search": "x" * 3000}), 414)
    assert long == "path and parameters: at most 2000 characters"
    answer = analyst.post(customers)
    assert problem(answer, 405) == "method 'POST': must be GET, HEAD"
    assert answer.headers["Allow"] == "GET, HEAD"
    contacts = analyst.options(f"{TENANT}/contacts/x")
    assert problem(contacts, 405) == "method 'OPTIONS': must be GET, HEAD, POST"
    assert contacts.headers["Allow"] == "GET, HEAD, POST"
    assert problem(analyst.options("/openapi.json"), 405) == (
        "method 'OPTIONS': must be GET, HEAD"
    )
    assert problem(analyst.request("GET", customers, content=b"{}"), 413) == (
        "this path takes no body"
    )
    assert problem(analyst.request("GET", customers, content=iter([b"x"])), 413) == (
        "body: must have at most 32768 bytes, and a Content-Length"
    )
    head = analyst.head(customers)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["ETag"] == analyst.get(customers).headers["ETag"]
    assert analyst.head("/openapi.json").status_code == 200
    # HEAD starts nothing
    started = analyst.head("/operations/jobs/refresh_nightly/start")
    assert (started.status_code, started.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize(
    ("condition", "unknown"),
    [
        ("sales_rep_id = %(sales_rep)s", r"sales_rep '\\x'"),
        ("1::integer = %(account)s", "account '99999999999'"),
        ("now() > %(sort)s", None),
        ("1 / (length(%(sales_rep)s) - 2) > 0", None),
        ("now() at time zone (%(sort)s || customer_name) > %(first_day)s", None),
    ],
)
def test_only_an_id_that_the_database_cannot_read_is_unknown(
    api: Api, monkeypatch: pytest.MonkeyPatch, condition: str, unknown: str | None
) -> None:
    """Whatever else a query fails by, the answer is not that there is no such row."""
    text = f"select * from analytics.customer_account_types where {condition}"
    monkeypatch.setattr(reading, "text_of", lambda _: text)
    given = {
        "customer_id": str(uuid.UUID(int=0)),
        "sales_rep": r"\x",
        "account": "9" * 11,
        "sort": "customer_name",
        "first_day": "2026-01-31",
    }
    hidden = f"not found, or hidden from this token: {unknown}"
    with api.database.connect() as connection:
        if unknown:
            with pytest.raises(Problem) as refused:
                reading.run(connection, "", given)
            assert (refused.value.status, str(refused.value)) == (404, hidden)
        else:
            with pytest.raises(psycopg.DataError):
                reading.run(connection, "", given)


def test_the_log_names_an_error_and_its_place_but_no_value(
    api: Api, analyst: httpx.Client
) -> None:
    api.database.execute(
        "insert into operations.application_logs (logid, log_type, status, payload)"
        " values ('broken', 'refresh', 'success', %s)",
        '{"cron_name": "refresh_hourly", "rows_written": "A. Person"}',
    )
    try:
        said = problem(analyst.get("/operations/runs/broken"), 500)
    finally:
        api.database.execute("delete from operations.application_logs where logid = 'broken'")
    assert said == "internal error; see the log of the API"
    log = api.log.read_text()
    assert "internal error: InvalidTextRepresentation 22P02 at psycopg/" in log
    assert re.search(r" < api/reading\.py:\d+ < .*api/operations\.py:\d+", log)
    assert "A. Person" not in log


def test_neither_the_document_nor_a_wrong_token_waits_for_queries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api_database, "SECONDS_TO_WAIT", 0)
    app = create_app()
    # no connection is free
    app.state.service = reading.Service(api_database.Pool(0), limits.Limits(2, 1))

    async def ask(path: str, token: str) -> httpx.Response:
        threads = to_thread.current_default_thread_limiter()
        threads.total_tokens = 1
        headers = {"Authorization": f"Bearer {token}"}
        transport = httpx.ASGITransport(app)
        # as if a slow query had the only thread
        async with threads, httpx.AsyncClient(transport=transport, headers=headers) as client:
            return await asyncio.wait_for(client.get(f"http://x{path}"), 10)

    assert asyncio.run(ask("/openapi.json", "")).json() == DOCUMENT
    for _ in range(2):
        assert problem(asyncio.run(ask("/orders/tenants", "ch_x")), 401) == (
            "this token is not known, has expired or was withdrawn"
        )
    # it counts like any that is not known
    assert "with unknown tokens" in problem(asyncio.run(ask("/orders/tenants", "ch_x")), 429)


def test_a_run_says_how_many_runs_share_its_row(api: Api, analyst: httpx.Client) -> None:
    [first] = items(analyst.get("/operations/runs", params={"limit": 1}))
    assert first["runs_count"] == 1
    api.database.execute(
        "insert into operations.application_logs (logid, log_type, status, payload)"
        " values ('idle', 'refresh', 'success', %s)",
        '{"cron_name": "refresh_hourly", "is_idle": true, "runs_count": 312}',
    )
    try:
        assert analyst.get("/operations/runs/idle").json()["runs_count"] == 312
    finally:
        api.database.execute("delete from operations.application_logs where logid = 'idle'")


def test_a_character_that_the_database_cannot_hold_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For example Chinese, where the database is in LATIN1."""

    def fail(_: object) -> None:
        raise psycopg.errors.UntranslatableCharacter

    monkeypatch.setattr(api_database, "open_connection", MagicMock)
    with pytest.raises(Problem, match="a character that the database cannot hold") as refused:
        api_database.Pool(1).run(fail)
    assert refused.value.status == 422


def test_without_a_valid_token_the_answer_is_401(api: Api) -> None:
    path = f"{api.url}{TENANT}/customers"
    token = api.create_token("short", ANALYST, "--days", "1")
    secret = token.split("_", 2)[2]
    wrong = [
        *(None, "", "Bearer", f"Basic {token}", f"Bearer {token}x", f"Bearer {token[:-1]}x"),
        f"Bearer ch_{'0' * 16}_{secret}",
        f"Bearer {token} x",
    ]
    for header in wrong:
        answer = httpx.get(path, headers={} if header is None else {"Authorization": header})
        problem(answer, 401)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    twice = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}x")]
    problem(httpx.get(path, headers=twice), 401)
    client = api.client(token)
    assert client.get(path).status_code == 200
    name = "update operations.api_tokens set {} where token_name = 'short'"
    api.database.execute(name.format("expires_at = now()"))
    assert problem(client.get(path), 401) == (
        "this token is not known, has expired or was withdrawn"
    )
    api.database.execute(name.format("expires_at = now() + interval '1 day'"))
    assert client.get(path).status_code == 200
    # granted by hand, or the tenant has left: only roles that read marts may have a token
    for role in ("postgres", "customer_health_refresher", "pg_read_all_data"):
        api.database.execute(name.format(f"role_name = '{role}'"))
        problem(client.get(path), 401)
    api.database.execute(name.format(f"role_name = '{ANALYST}'"))
    assert api.command("api-tokens", "withdraw", "short").returncode == 0
    problem(client.get(path), 401)


def test_tokens_are_made_listed_and_withdrawn(api: Api) -> None:
    token = api.create_token("portal of ann", ANALYST, "--days", "30")
    token_id = token.split("_")[1]
    listed = api.command("api-tokens", "list").stdout
    assert token_id in listed
    assert token.split("_", 2)[2] not in listed
    [kept] = api.database.rows(
        "select api_tokens::text as it, expires_at - created_at as days"
        " from operations.api_tokens where token_id = %s",
        token_id,
    )
    assert token.split("_", 2)[2] not in kept["it"]
    assert kept["days"].days == 30

    def refused(*arguments: str) -> str:
        done = api.command("api-tokens", *arguments)
        assert done.returncode == 2
        return done.stderr.strip()

    create = ("create", "other", "--role")
    assert refused(*create, "postgres").startswith("error: --role: 'postgres' must be")
    assert "a token in force has this name" in refused(
        "create", "portal of ann", "--role", ANALYST
    )
    assert "--days: '0' must be 1 to 3650" in refused(*create, ANALYST, "--days", "0")
    assert "name '-- x'" in refused("create", "--role", ANALYST, "--", "-- x")
    assert "no token to withdraw has" in refused("withdraw", "nobody")
    done = api.command("api-tokens", "withdraw", token_id)
    assert "portal of ann" in done.stdout
    assert "no token to withdraw has" in refused("withdraw", "portal of ann")
    # the name is free again, and also once that token has expired
    api.create_token("portal of ann", ANALYST)
    api.database.execute(
        "update operations.api_tokens set expires_at = now()"
        " where token_name = 'portal of ann' and withdrawn_at is null"
    )
    client = api.client(api.create_token("portal of ann", ANALYST))
    assert items(client.get("/orders/tenants"))


def test_no_role_but_the_refresher_reads_the_tokens(api: Api) -> None:
    for role in (
        ANALYST,
        "customer_health_write_back",
        tenant_roles(api.database)[0]["role_name"],
    ):
        assert (
            api.database.value(
                "select has_table_privilege(%s, 'operations.api_tokens', 'select')", role
            )
            is False
        )


def test_a_token_that_asks_too_often_is_told_to_wait(
    refreshed: Database, tmp_path: Path
) -> None:
    # of two connections, one token has one
    with serving(refreshed, tmp_path / "log", "--rate", "5", "--connections", "2") as api:
        first, second = (api.client(api.create_token(name, ANALYST)) for name in "ab")
        visitors = "/bookings/organizations/glow-salon/customers"
        with refreshed.connect() as blocker, ThreadPoolExecutor() as threads:
            with blocker.transaction():
                blocker.execute("lock table analytics.customer_analytics")
                slow = [threads.submit(first.get, visitors) for _ in range(3)]
                for _ in range(2):
                    time.sleep(0.2)
                    assert second.get("/orders/tenants").status_code == 200
            assert {answer.result().status_code for answer in slow} == {200}
        answers = [first.get("/orders/tenants") for _ in range(60)]
        assert {answer.status_code for answer in answers} == {200, 429}
        over = next(answer for answer in answers if answer.status_code == 429)
        assert problem(over, 429) == "at most 5 requests per second per token"
        assert over.headers["Retry-After"] == "1"
        assert second.get("/orders/tenants").status_code == 200


def test_a_request_that_gets_no_turn_in_time_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SECONDS_TO_WAIT", 0)
    own = limits.Limits(rate=1, connections=4)

    async def ask() -> None:
        async with own.turn("a"), own.turn("a"):
            async with own.turn("a"), own.turn("b"):
                with pytest.raises(Problem, match="at most 3 requests at a time") as refused:
                    await own.turn("a").__aenter__()
                assert refused.value.status == 429
            async with own.turn("a"):
                pass

    asyncio.run(ask())


def invent(api: Api) -> list[httpx.Response]:
    """Send requests with invented tokens, each as if it came from another address."""
    with api.client("") as client:
        return [
            client.get(
                "/orders/tenants",
                headers={
                    "Authorization": f"Bearer ch_{number:016x}_{'x' * 43}",
                    "X-Forwarded-For": f"10.0.0.{number}",
                },
            )
            for number in range(60)
        ]


def test_invented_tokens_share_one_limit_until_one_is_in_force(
    refreshed: Database, tmp_path: Path
) -> None:
    with serving(refreshed, tmp_path / "log", "--rate", "5") as api:
        first, second = (api.client(api.create_token(name, ANALYST)) for name in "ab")
        assert first.get("/orders/tenants").status_code == 200
        invented = invent(api)
        assert {answer.status_code for answer in invented} == {401, 429}
        over = next(answer for answer in invented if answer.status_code == 429)
        said = "at most 5 requests per second with unknown tokens from one address"
        assert problem(over, 429) == said
        # a token that is known to be in force is not held up
        assert first.get("/orders/tenants").status_code == 200
        time.sleep(1)
        assert second.get("/orders/tenants").status_code == 200
        # and one that is withdrawn is unknown again
        assert api.command("api-tokens", "withdraw", "a").returncode == 0
        refused = [first.get("/orders/tenants") for _ in range(60)]
        assert problem(next(it for it in refused if it.status_code == 429), 429) == said
    # behind a proxy, each caller has an address of its own
    with serving(refreshed, tmp_path / "log", "--rate", "5", "--proxies", "127.0.0.1") as api:
        assert {answer.status_code for answer in invent(api)} == {401}


def test_without_roles_it_does_not_start(refreshed: Database) -> None:
    done = refreshed.run("flows", "api-tokens", "create", "x", "--role", ANALYST)
    assert done.returncode == 0
    removed = refreshed.run("flows", "roles", "remove")
    assert removed.returncode == 0, removed.stderr
    for arguments in (("api",), ("api-tokens", "list"), ("api-tokens", "withdraw", "x")):
        done = refreshed.run("flows", *arguments)
        assert done.returncode == 2
        assert done.stderr == (
            "error: no roles are installed, and a token reads as a role:"
            " run `customer-health roles install`\n"
        )
    assert refreshed.run("flows", "roles", "install").returncode == 0
    assert refreshed.run("flows", "uninstall").returncode == 0
    assert refreshed.value("select to_regclass('operations.api_tokens')") is None


@pytest.mark.slow
@pytest.mark.usefixtures("writers")
def test_the_commands_of_the_document_do_what_it_says(api: Api, tmp_path: Path) -> None:
    """The commands of a screen, a writer and a scheduler, as docs/api.md shows them."""
    text = (PROJECT / "docs" / "api.md").read_text()
    created = re.findall(
        r"^(\w+)=\$\(customer-health (api-tokens create .*) \| tail -n 1\)$",
        text,
        re.MULTILINE,
    )
    assert [variable for variable, _ in created] == ["WRITER", "SCHEDULER"]
    for variable, command in created:
        # the role of the document is of a tenant that the demo does not have
        words = shlex.split(command.replace("portal_writer", "writer_north_dairy"))
        api.tokens[variable] = api.command(*words).stdout.splitlines()[-1]
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    curls = [block for block in blocks if "curl " in block]
    assert len(curls) == 4
    for block in curls:
        done = subprocess.run(
            ["bash", "-ec", block.replace("http://127.0.0.1:8600", api.url)],
            cwd=tmp_path,
            env={
                **os.environ,
                "TOKEN": api.tokens["analyst"],
                "WRITER": api.tokens["WRITER"],
                "SCHEDULER": api.tokens["SCHEDULER"],
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        if "refresh_organization" in block:
            started, asked = re.findall(r"\{.*?\}(?=\{|$)", done.stdout.strip(), re.DOTALL)
            [run] = json.loads(asked)["items"]
            assert run["run_id"] == json.loads(started)["run_id"]
            with api.client(api.tokens["SCHEDULER"]) as client:
                assert wait_for(client, json.loads(started)["url"])["status"] == "success"
        elif "POST" in block:
            assert json.loads(done.stdout)["outcome"] == "WILL_ORDER"
        elif "If-None-Match" in block:
            assert done.stdout == "304\n"
            assert json.loads((tmp_path / "due.json").read_text())["total"] > 1
        else:
            assert done.stdout.count('"items":[{') == block.count("curl"), done.stdout
    commands = re.findall(r"^customer-health (.*?)(?:  .*)?$", text, re.MULTILINE)
    assert [shlex.split(command)[0] for command in commands] == ["roles", "api-tokens", "api"]


def test_every_path_is_in_the_table_of_the_document() -> None:
    text = (PROJECT / "docs" / "api.md").read_text()
    assert re.findall(r"^\| `(/[^`]+)` \|", text, re.MULTILINE) == list(DOCUMENT["paths"])


class Client:
    """A client made from the OpenAPI document, with a function for each operation."""

    def __init__(self, http: httpx.Client) -> None:
        """Use this HTTP client."""
        self._http = http
        self.names = {
            operation["operationId"]: (method, path, operation)
            for starts in (False, True)
            for method, path, operation in operations(starts=starts)
        }

    def __getattr__(self, name: str) -> Any:
        """Return the function for an operation."""
        method, path, operation = self.names[name]

        def ask(**given: Any) -> Any:
            known = {
                parameter["name"]: parameter["in"] for parameter in operation["parameters"]
            }
            target = path.format_map({key: quote(str(value)) for key, value in given.items()})
            query = {key: value for key, value in given.items() if known[key] == "query"}
            headers = {key: value for key, value in given.items() if known[key] == "header"}
            answer = self._http.request(method, target, params=query, headers=headers)
            assert str(answer.status_code) in operation["responses"]
            return answer

        return ask


def test_a_client_made_from_the_document_finds_its_way(analyst: httpx.Client) -> None:
    """As a portal would: from the tenants to one late customer."""
    client = Client(analyst)
    assert len(client.names) == len([*operations(), *operations(starts=True)]) > 30
    [tenant] = [
        row["tenant_slug"]
        for row in items(client.orders_tenants())
        if row["tenant_slug"] == "north-dairy"
    ]
    late = client.orders_customers(tenant=tenant, risk_status="AT_RISK_CADENCE", limit=1)
    customer = client.orders_customer(
        tenant=tenant, customer_id=items(late)[0]["customer_id"]
    ).json()
    known = {"If-None-Match": late.headers["ETag"]}
    again = client.orders_customers(
        tenant=tenant, risk_status="AT_RISK_CADENCE", limit=1, **known
    )
    assert again.status_code == 304
    customers = DOCUMENT["components"]["schemas"]["BookingsCustomers"]["properties"]
    assert customers["total_revenue_cents"]["format"] == "int64"
    assert customer["reasons"]
    assert customer["risk_status_history"][-1]["valid_to"] is None


def test_a_login_needs_the_roles_of_its_tokens_and_no_others(
    refreshed: Database, tmp_path: Path
) -> None:
    refreshed.execute("create role api_login login in role customer_health_refresher")
    try:
        with serving(refreshed.as_user("api_login"), tmp_path / "log") as api:
            made = Api(refreshed, api.url, api.log)
            client = api.client(made.create_token("screen", ANALYST))
            said = problem(client.get("/orders/tenants"), 403)
            assert said.startswith("the API may not take the role of this token")
            assert 'grant "customer_health_analyst" to "api_login"' in api.log.read_text()
            refreshed.execute("grant customer_health_analyst to api_login")
            assert items(client.get("/orders/tenants"))
    finally:
        refreshed.execute("drop role api_login")


def test_it_goes_on_when_the_database_has_ended_its_sessions(
    api: Api, analyst: httpx.Client
) -> None:
    for _ in range(3):
        assert items(analyst.get("/orders/tenants"))
        ended = api.database.rows(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'customer_health api' and datname = current_database()"
        )
        assert ended


PROBE = """
import psycopg

from api.database import Pool, rows_of
from api.problems import Problem

pool = Pool(1)
# of the same connection, before and after
print(pool.run(lambda it: it.execute("show transaction_read_only").fetchall(), writes=True))
ask = lambda query: pool.run(lambda connection: connection.execute(query).fetchall())
print(ask("show transaction_read_only"), ask("show statement_timeout"))
try:
    ask("create table analytics.x ()")
except Exception as error:
    print(type(error).__name__)

# what is prepared after so many times, and still is after requests that are refused
seen = lambda connection: rows_of(connection, "select 1 as n", {})
def refuse(connection):
    raise Problem(404, "nobody")
def fail(connection):
    try:
        connection.execute("select 1 / 0")
    except Exception as error:
        raise Problem(404, "nothing") from error
for work in (*[seen] * 6, refuse, fail):
    try:
        pool.run(work)
    except Problem as problem:
        print(problem, ask("select count(*) as kept from pg_prepared_statements"))
print(pool.run(lambda it: it.info.get_parameters()["tcp_user_timeout"]), "ms")

# a role that is dropped while the session has it, as by `roles remove`
with psycopg.connect(autocommit=True) as owner:
    owner.execute("create role dropped")
    pool.run(lambda it: it.execute("set role dropped"))
    owner.execute("drop role dropped")
print(ask("select count(*) >= 0 as is_read from operations.api_tokens"))
"""


def test_a_request_cannot_write(api: Api) -> None:
    """Whatever a query does, the transaction is read-only and ends in time.

    A session whose role was dropped is replaced.
    """
    probe = subprocess.run(
        [
            sys.executable,
            "-c",
            PROBE,
        ],
        cwd=PROJECT,
        env=api.database.os_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert re.findall("'(on|off)'", probe.stdout) == ["off", "on"], probe.stderr
    assert "'10s'" in probe.stdout
    assert "ReadOnlySqlTransaction" in probe.stdout
    assert "nobody [{'kept': 1}]" in probe.stdout
    # a statement that failed rolls the transaction back
    assert "nothing [{'kept': 0}]" in probe.stdout
    assert "15000 ms" in probe.stdout
    assert "[{'is_read': True}]" in probe.stdout, probe.stderr


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (psycopg.OperationalError(), "the database cannot be reached"),
        (
            psycopg.errors.QueryCanceled(),
            "the query took more than 10s: narrow the filters or the days",
        ),
        (psycopg.errors.TooManyConnections(), "the database is busy or short of resources"),
        (psycopg.errors.LockNotAvailable(), "the database is busy or short of resources"),
        (
            psycopg.errors.SerializationFailure(),
            "the database has cancelled the query because of other work: try again",
        ),
    ],
)
def test_what_is_wrong_with_the_database_is_said(error: psycopg.Error, detail: str) -> None:
    assert str(api_database.as_problem(error)) == detail


def test_a_host_that_cannot_be_is_one_line() -> None:
    # the first needs no name server to be unknown, the second is no name
    for host in ("::x", "a..b"):
        with pytest.raises(Infrastructure, match=re.escape(address_of(host, 8600))):
            api_serving._listening(host, 8600)  # noqa: SLF001
