"""Isolation: every path with every tenant's token, with ids of others and hostile input."""

import http.client
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx
from asking import ANALYST, DOCUMENT, Api, items, problem, reads, serving, tenant_roles
from conftest import Database

from api.database import rows_of
from api.reading import text_of

pytest_plugins = ["asking"]

# the key of the tenant in a path, and the parameters that are ids
KEYS = {"orders": "tenant", "bookings": "organization", "usage": "organization"}
DAYS = {"from": "2026-05-01", "to": "2026-07-31"}
# an id of each kind, from one tenant or organization
IDS = {
    "customer_id": "select max(customer_id::text) from analytics.customer_risk_status"
    " where tenant_id::text = %(tenant)s",
    "sales_rep": "select max(sales_rep_id::text) from analytics.sales_reps"
    " where tenant_id::text = %(tenant)s",
    "square_customer_id": "select max(square_customer_id) from analytics.customer_analytics"
    " where organization_id::text = %(tenant)s and square_customer_id not in ("
    "select square_customer_id from analytics.customer_analytics"
    " where organization_id::text != %(tenant)s)",
    "location": "select max(location_id) from analytics.booking_locations"
    " where organization_id::text = %(tenant)s",
    "account_id": "select max(account_id::text) from analytics.account_profiles"
    " where organization_id::text = %(tenant)s",
    "account": "select max(account_id::text) from analytics.account_profiles"
    " where organization_id::text = %(tenant)s",
}
SLUGS = """
    select 'orders' as system, tenant_id::text as tenant, tenant_slug as slug
    from analytics.tenants
    union all
    select 'bookings', organization_id::text, organization_slug
    from analytics.booking_organizations
    union all
    select 'usage', organization_id::text, organization_slug
    from analytics.platform_organizations
    union all
    select 'accounts', organization_id::text, organization_slug
    from analytics.success_organizations
"""
TEXTS = (
    *(
        "'",
        '"',
        "''; drop table x; --",
        "%s",
        "%(tenant)s",
        "{}",
        "\\",
        "$$",
        "/*",
        "\0",
        "a\0b",
    ),
    *(
        "x" * 201,
        "-1",
        "1e309",
        "NaN",
        "9" * 400,
        "0x10",
        "\uff11",
        "null",
        "true",
        "\n",
        "\u202e",
    ),
    *("🥐", "../../etc/passwd", "1; drop schema public", "public.x", " ", "\ud800"),
)
BYTES = ("%ff", "%00", "%ed%a0%80", "%c3", "%", "%zz", "+", "&&==", "%2e%2e%2f")


def of_tenants(api: Api) -> dict[str, list[dict[str, Any]]]:
    """Return the tenants by system, each with key, slug, token and an id of each kind."""
    roles = {(role["system"], role["tenant"]): role for role in tenant_roles(api.database)}
    found = defaultdict(list)
    with api.database.connect() as connection:
        for row in connection.execute(SLUGS.encode()).fetchall():
            tenant = {"tenant": row["tenant"]}
            ids = {
                name: next(
                    iter(connection.execute(query.encode(), tenant).fetchall()[0].values())
                )
                for name, query in IDS.items()
            }
            role = roles[row["system"], row["tenant"]]["role_name"]
            found[row["system"]].append({**row, "ids": ids, "token": api.tokens[role]})
    return found


def asked(path: str, operation: dict[str, Any], ids: dict[str, Any]) -> httpx.Request | None:
    """Return a request with these ids in every parameter for one; None if none takes one."""
    parameters: dict[str, Any] = {}
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        value = {**DAYS, **ids}.get(name)
        if parameter["in"] == "path":
            if value is None:
                return None
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        elif value is not None:
            parameters[name] = value
        elif parameter["required"]:
            return None
    return httpx.Request("GET", f"http://x{path}", params={**parameters})


def test_a_tenant_is_shown_no_row_of_others(api: Api) -> None:
    """Whatever the request asks for, and however it names the other tenant."""
    tenants = of_tenants(api)
    assert {system: len(of) > 1 for system, of in tenants.items()} == dict.fromkeys(
        ("orders", "bookings", "usage", "accounts"), True
    )
    counted: dict[int, int] = defaultdict(int)
    for own_system, of in tenants.items():
        for number, own in enumerate(of):
            others = [one for many in tenants.values() for one in many if one is not own]
            marks = {one["tenant"] for one in others} | {
                f'"{one["slug"]}"' for one in others if one["slug"] != own["slug"]
            }
            with api.client(own["token"]) as client:
                for path, operation in reads():
                    [system] = operation["tags"]
                    if system == "operations":
                        continue
                    key = KEYS.get(system, "organization")
                    foreign = [one for one in tenants[system] if one is not own]
                    other = foreign[number % len(foreign)]
                    for by in ("tenant", "slug"):
                        cases = [(own, {}), (own, other["ids"]), (other, other["ids"])]
                        for whose, ids in cases:
                            given = {**own["ids"], **ids, key: whose[by]}
                            request = asked(path, operation, given)
                            if request is None:
                                continue
                            answer = client.get(request.url.raw_path.decode())
                            counted[answer.status_code] += 1
                            said = f"{own} {request.url}: {answer.text[:300]}"
                            if answer.status_code == 200:
                                assert not any(mark in answer.text for mark in marks), said
                                assert own_system == system or not items(answer), said
                            else:
                                assert problem(answer, 404), said
                                assert whose is other or ids or own_system != system, said
    assert counted[200] > 200
    assert counted[404] > 200


def test_nothing_of_a_tenant_is_read_for_a_token_that_may_not_see_it(api: Api) -> None:
    own, other, *_ = of_tenants(api)["orders"]
    with (
        api.client(own["token"]) as client,
        api.database.connect() as blocker,
        blocker.transaction(),
    ):
        blocker.execute("lock table operations.customer_contacts")
        problem(client.get(f"/orders/tenants/{other['slug']}/due-to-order"), 404)


def test_a_tenant_writes_no_row_of_others(api: Api, writers: dict[str, str]) -> None:
    """The answer is the same for another tenant's customer and for one that does not exist."""
    tenants = [one for one in of_tenants(api)["orders"] if one["ids"]["customer_id"]]
    path = "/orders/tenants/{}/contacts/{}"
    said = {"channel": "PHONE", "outcome": "REACHED", "contact_id": str(uuid4())}
    nobody: dict[str, Any] = {
        "tenant": str(uuid4()),
        "slug": "nobody",
        "ids": {"customer_id": str(uuid4())},
    }

    def written() -> list[Any]:
        return api.database.rows("select * from operations.customer_contacts")

    def refused(client: httpx.Client, whose: str, of: dict[str, Any], **more: str) -> str:
        customer = of["ids"]["customer_id"]
        answer = client.post(path.format(whose, customer), json={**said, **more})
        told = problem(answer, 404)
        return told.replace(customer, "CUSTOMER").replace(whose, "TENANT")

    for own, other in zip(tenants, [*tenants[1:], tenants[0]], strict=True):
        with api.client(writers[own["slug"]]) as client:
            before = written()
            for by in ("tenant", "slug"):
                assert refused(client, own[by], other) == refused(client, own[by], nobody)
                told = {
                    refused(client, whose[by], of)
                    for whose in (other, nobody)
                    for of in (own, other, nobody)
                }
                assert told == {"not found, or hidden from this token: tenant 'TENANT'"}
            assert written() == before
            # the same id is a different contact with another customer
            url = path.format(own["slug"], own["ids"]["customer_id"])
            answer = client.post(url, json=said)
            assert answer.status_code == 201, answer.text
            assert answer.json()["tenant_id"] == own["tenant"]
            assert len(written()) == len(before) + 1
            [seen] = items(client.get(url))
            assert seen == answer.json()
            theirs = path.format(other["slug"], other["ids"]["customer_id"])
            problem(client.get(theirs), 404)
            assert not items(client.get(path.format(own["slug"], other["ids"]["customer_id"])))


def test_a_tenant_sees_what_an_analyst_sees_of_it(api: Api) -> None:
    """So nothing is left out, either."""
    tenants = of_tenants(api)
    with api.client(api.tokens["analyst"]) as analyst:
        for system, of in tenants.items():
            own = of[0]
            with api.client(own["token"]) as client:
                for path, operation in reads():
                    key = KEYS.get(system, "organization")
                    given = {name: own["ids"][name] for name in ("customer_id", "account_id")}
                    given |= {"square_customer_id": own["ids"]["square_customer_id"]}
                    if path.endswith("/health"):
                        given["account"] = own["ids"]["account"]
                    request = asked(path, operation, {**given, key: own["slug"]})
                    if operation["tags"] != [system] or request is None or "{" not in path:
                        continue
                    url = request.url.raw_path.decode()
                    one, other = client.get(url), analyst.get(url)
                    assert one.status_code == 200, one.text
                    assert one.json() == other.json(), url
                    assert one.headers["ETag"] != other.headers["ETag"]


def hostile(api: Api) -> Iterator[str]:
    """Yield targets with hostile input, in one parameter at a time."""
    of = of_tenants(api)
    for path, operation in reads():
        [system] = operation["tags"]
        own = of[system][0] if system in of else of["usage"][0]
        key = KEYS.get(system, "organization")
        given = {**own["ids"], **DAYS, key: own["slug"], "run_id": "x"}
        parameters = [one for one in operation.get("parameters", []) if one["in"] != "header"]
        names = [parameter["name"] for parameter in parameters]
        for name in [*names, "unknown"]:
            for text in [
                *(quote(text, safe="", errors="surrogatepass") for text in TEXTS),
                *BYTES,
            ]:
                target, query = path, []
                for parameter in [*parameters, {"name": "unknown", "in": "query"}]:
                    is_hit = parameter["name"] == name
                    value = (
                        text
                        if is_hit
                        else quote(str(given.get(parameter["name"], "")), safe="")
                    )
                    if parameter["in"] == "path":
                        target = target.replace(f"{{{parameter['name']}}}", value)
                    elif is_hit or parameter.get("required"):
                        query.append(f"{parameter['name']}={value}")
                yield f"{target}?{'&'.join(query)}"


def test_what_nobody_should_send_is_refused_in_one_line(api: Api) -> None:
    address = urlsplit(api.url).netloc
    connection = http.client.HTTPConnection(address)
    headers = {"Authorization": f"Bearer {api.tokens['analyst']}"}
    counted: dict[int, int] = defaultdict(int)
    for target in hostile(api):
        # sent as it is, because a client would normalize it
        connection.putrequest("GET", target, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        answer = httpx.Response(
            response.status, headers=dict(response.getheaders()), content=response.read()
        )
        counted[answer.status_code] += 1
        if answer.status_code != 200:
            assert answer.status_code in (404, 414, 422), f"{target}: {answer.text}"
            problem(answer, answer.status_code)
    connection.close()
    assert counted[200] > 100
    assert counted[422] > 500
    # the API still answers
    with api.client(api.tokens["analyst"]) as client:
        assert items(client.get("/orders/tenants"))


def test_a_prepared_query_shows_each_role_its_own_rows(
    refreshed: Database, tmp_path: Path
) -> None:
    roles = {
        role["tenant"]: role["role_name"]
        for role in tenant_roles(refreshed)
        if role["system"] == "orders"
    }
    with serving(refreshed, tmp_path / "log", "--connections", "1", "--rate", "1000") as api:
        tokens = {None: api.create_token("all", ANALYST)} | {
            tenant: api.create_token(role, role) for tenant, role in roles.items()
        }
        # the same text for every role, more often than it takes to prepare it
        for _ in range(8):
            for tenant, token in tokens.items():
                with api.client(token) as client:
                    seen = {row["tenant_id"] for row in items(client.get("/orders/tenants"))}
                    assert seen == ({tenant} if tenant else {*roles})
                    for other in roles if tenant is None else [tenant]:
                        answer = client.get(f"/orders/tenants/{other}/due-to-order")
                        assert answer.status_code == 200
        for tenant, token in tokens.items():
            for other in {*roles} - {tenant} if tenant else ():
                with api.client(token) as client:
                    problem(client.get(f"/orders/tenants/{other}/due-to-order"), 404)
    with refreshed.connect() as connection:
        for _ in range(6):
            assert rows_of(connection, "select %(n)s as n", {"n": 1}) == [{"n": 1}]
        # a tenant whose id is a number
        ids = {"tenant_id": -5, "customer_id": str(uuid4())}
        assert rows_of(connection, text_of("orders/customer"), ids) == []
        [found] = connection.execute("select statement from pg_prepared_statements").fetchall()
        assert found["statement"] == "select 1 as n"


def test_a_tenant_is_found_by_an_id_that_is_padded_with_blanks(refreshed: Database) -> None:
    for system in ("orders", "bookings", "usage", "accounts"):
        query = text_of(f"{system}/tenant")
        [mart] = re.findall(r"from (analytics\.\w+)", query)
        [key, slug] = re.findall(r"(\w+_id),|(\w+_slug) = ", query)[:2]
        refreshed.execute(
            f"alter table {mart} rename to unpadded;"
            f" create table {mart} as select"
            f" 'ab'::character(8) as {key[0]}, 'slug' as {slug[1]}, now() as as_of"
        )
        with refreshed.connect() as connection:
            for tenant, is_found in (("ab", True), ("ab      ", True), ("abc", False)):
                found = rows_of(connection, query, {"tenant": tenant})
                assert bool(found) == is_found, (system, tenant)
        refreshed.execute(
            f"drop table {mart};"
            f" alter table analytics.unpadded rename to {mart.removeprefix('analytics.')}"
        )


def test_a_prepared_query_is_planned_again_when_its_columns_change(
    refreshed: Database, project: Path
) -> None:
    """After an upgrade, which has replaced the files of the API, too."""
    path = "/accounts/organizations/beacon-software/engagements"
    with serving(refreshed, project / "log", "--connections", "1", project=project) as api:
        for folder in ("api", "macros"):
            shutil.rmtree(project / folder)
        assert httpx.get(f"{api.url}/openapi.json").json() == DOCUMENT
        client = api.client(api.create_token("screen", ANALYST))
        before = [items(client.get(path)) for _ in range(8)][-1]
        refreshed.execute("alter table analytics.account_engagements add added integer")
        after = items(client.get(path))
        # the mart of another version
        refreshed.execute(
            "alter table analytics.account_engagements rename completed_at to done_at"
        )
        assert problem(client.get(path), 503) == (
            "the marts are of another version: run a refresh, or restart the API after an"
            " upgrade"
        )
        # the words for what a path needs are in the document
        transitions = client.get("/orders/tenants/north-dairy/transitions")
        assert problem(transitions, 422).startswith("from: is missing and must be a date")
    assert after == [{**row, "added": None} for row in before]
