"""Contacts by HTTP: who may write them, that each is written once, and what others see."""

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from asking import ANALYST, WRITER, Api, items, problem, serving, tenant_roles
from conftest import Database

from api.contacts import RULES, SAYS

pytest_plugins = ["asking"]

TENANT = "/orders/tenants/north-dairy"
SAID = {"channel": "PHONE", "outcome": "REACHED"}
HOSTILE = (
    "<script>alert(1)</script>",
    "'; drop table operations.customer_contacts; --",
    "%s %(note)s {} \\ $$ /* \n\t\r",
    '{"outcome": "LOST"}',
    "\u202e\U0001f950\ud55c",
    "=1+1",
)
ROWS = "select * from operations.customer_contacts order by recorded_at, contact_id"


@pytest.fixture
def rep(api: Api, writers: dict[str, str]) -> Iterator[httpx.Client]:
    """A client that may write for one tenant."""
    with api.client(writers["north-dairy"]) as client:
        yield client


@pytest.fixture
def path(api: Api, analyst: httpx.Client) -> str:
    """Return the path for contacts with a due customer that nobody has contacted yet."""
    due = items(analyst.get(f"{TENANT}/due-to-order", params={"limit": 500}))
    former = {str(row["customer_id"]) for row in api.database.rows(ROWS)}
    customer = next(row for row in due if row["customer_id"] not in former)
    return f"{TENANT}/contacts/{customer['customer_id']}"


def written(answer: httpx.Response) -> dict[str, Any]:
    """Return the row of a contact that was written."""
    assert answer.status_code == 201, answer.text
    row: dict[str, Any] = answer.json()
    return row


def in_days(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days)).isoformat()


def test_a_contact_is_recorded_as_sent(api: Api, rep: httpx.Client, path: str) -> None:
    at = "2026-06-15T14:30:00.123456+02:00"
    said = {
        "channel": "EMAIL",
        "outcome": "WILL_ORDER",
        "note": "After the fair.\nSure.",
        "snoozed_until": "2026-06-29",
        "contacted_by": "Ann",
        "contact_id": str(uuid4()),
    }
    answer = rep.post(path, json={**said, "contacted_at": at})
    row = written(answer)
    assert said.items() <= row.items()
    assert datetime.fromisoformat(row["contacted_at"]) == datetime.fromisoformat(at)
    assert answer.headers["Cache-Control"] == "no-store"
    assert items(rep.get(answer.headers["Location"])) == [row]
    [kept] = [
        row for row in api.database.rows(ROWS) if str(row["contact_id"]) == said["contact_id"]
    ]
    assert {name: str(kept[name]) for name in said} == said
    assert row["recorded_by"] == kept["recorded_by"] == "postgres"
    # a name of more bytes than an identifier of PostgreSQL has
    long = written(rep.post(path, json={**SAID, "contacted_by": "Ж" * 100}))
    assert long["contacted_by"] == "Ж" * 100
    # without contacted_by, the contact has the name of the token
    row = written(rep.post(path, json=SAID))
    assert row["contacted_by"] == "writer_north_dairy"
    assert UUID(row["contact_id"])
    # the latest first
    assert [one["channel"] for one in items(rep.get(path))] == ["PHONE", "PHONE", "EMAIL"]
    assert len(items(rep.get(path, params={"limit": 1}))) == 1


def test_a_repeated_request_records_one_contact(
    api: Api, rep: httpx.Client, path: str
) -> None:
    before = len(api.database.rows(ROWS))
    said = {**SAID, "contact_id": str(uuid4()), "note": "once"}
    first, second = rep.post(path, json=said), rep.post(path, json=said)
    assert written(first) == written(second)
    assert first.headers["Location"] == second.headers["Location"]
    key = {"Idempotency-Key": str(uuid4())}
    by_key = [written(rep.post(path, json=SAID, headers=key)) for _ in range(2)]
    assert by_key[0] == by_key[1]
    assert by_key[0]["contact_id"] == key["Idempotency-Key"]
    # at the same time, and with a correction among them
    for contact in ({}, {"corrects_contact_id": said["contact_id"], "outcome": "OTHER"}):
        again = {**SAID, **contact, "contact_id": str(uuid4())}
        with ThreadPoolExecutor(8) as pool:
            answers = pool.map(lambda one: rep.post(path, json=one), [again] * 8)
        assert len({str(written(answer)) for answer in answers}) == 1
    assert len(api.database.rows(ROWS)) == before + 4
    # what was allowed then may be refused now: a snooze from yesterday until yesterday
    old = {**SAID, "contact_id": str(uuid4()), "snoozed_until": in_days(-1)}
    [tenant_id, customer_id] = (written(first)[key] for key in ("tenant_id", "customer_id"))
    api.database.execute(
        "insert into operations.customer_contacts (tenant_id, customer_id, contact_id,"
        " contacted_at, contacted_by, channel, outcome, snoozed_until)"
        " values (%s, %s, %s, now() - interval '1 day', 'writer_north_dairy', %s, %s, %s)",
        *(tenant_id, customer_id, old["contact_id"]),
        *(old["channel"], old["outcome"], old["snoozed_until"]),
    )
    assert written(rep.post(path, json=old))["snoozed_until"] == old["snoozed_until"]
    assert len(api.database.rows(ROWS)) == before + 5
    # another contact with this id is not taken for it
    for other in ({"note": "twice"}, {"channel": "VISIT"}, {"snoozed_until": in_days(2)}):
        answer = rep.post(path, json={**said, **other})
        said_again = problem(answer, 409)
        assert said_again == "contact_id: another contact with this customer has this id"
    answer = rep.post(path, json=said, headers=key)
    assert problem(answer, 422).startswith("contact_id: must equal the Idempotency-Key")
    assert problem(rep.post(path, json=SAID, headers={"Idempotency-Key": "x"}), 422)
    assert len(api.database.rows(ROWS)) == before + 5


def test_without_the_right_the_answer_says_which_token_has_it(
    api: Api, analyst: httpx.Client, path: str
) -> None:
    before = api.database.rows(ROWS)
    [reader] = [
        role["role_name"]
        for role in tenant_roles(api.database)
        if role["tenant"]
        == api.database.value(
            "select tenant_id::text from analytics.tenants where tenant_slug = 'north-dairy'"
        )
    ]
    with api.client(api.tokens[reader]) as client:
        for asks in (analyst, client):
            answer = asks.post(path, json=SAID)
            assert problem(answer, 403) == (
                "the role of this token may not record contacts: create a token for a role"
                f" of yours that has {WRITER} (see docs/api.md)"
            )
        problem(httpx.post(f"{api.url}{path}", json=SAID), 401)
        assert api.database.rows(ROWS) == before
        # only that grant is missing
        api.database.execute(f"grant {WRITER} to {reader}")
        try:
            written(client.post(path, json=SAID))
        finally:
            api.database.execute(f"revoke {WRITER} from {reader}")
        assert problem(client.post(path, json=SAID), 403)


def test_a_snoozed_customer_leaves_the_list_at_once(
    api: Api, rep: httpx.Client, path: str
) -> None:
    """A screen that polls sees it, too, whoever wrote the contact and however."""
    url, customer_id = f"{TENANT}/due-to-order", path.rpartition("/")[2]

    def poll() -> httpx.Response:
        return rep.get(url, params={"limit": 500}, headers={"If-None-Match": tag})

    def listed(**parameters: Any) -> bool:
        rows = items(rep.get(url, params={"limit": 500, **parameters}))
        return customer_id in {row["customer_id"] for row in rows}

    assert listed()
    before = rep.get(url, params={"limit": 500})
    others = {row["customer_id"] for row in items(before)} - {customer_id}
    tag = before.headers["ETag"]
    assert poll().status_code == 304
    until = api.database.value(
        "select (today + 7)::text from analytics.tenants where tenant_slug = 'north-dairy'"
    )
    at = "2026-06-15T12:00:00Z"
    contact = written(
        rep.post(path, json={**SAID, "snoozed_until": until, "contacted_at": at})
    )
    after = poll()
    assert {row["customer_id"] for row in items(after)} == others
    assert after.json()["total"] == before.json()["total"] - 1
    assert listed(snoozed=True)
    [row] = [
        row
        for row in items(rep.get(url, params={"limit": 500, "snoozed": True}))
        if row["customer_id"] == customer_id
    ]
    assert (row["snoozed_until"], row["snooze_outcome"]) == (until, "REACHED")
    # written by the pages or by SQL
    tag = after.headers["ETag"]
    assert poll().status_code == 304
    api.database.execute(
        "insert into operations.customer_contacts"
        " (tenant_id, customer_id, channel, outcome, corrects_contact_id)"
        " select tenant_id, customer_id, 'PHONE', 'WITHDRAWN', contact_id"
        " from operations.customer_contacts where contact_id = %s",
        contact["contact_id"],
    )
    assert {row["customer_id"] for row in items(poll())} == {*others, customer_id}
    # the contacts have a new ETag, too; a list without contacts has not
    for of_contacts, other in ((path, f"{TENANT}/customers"),):
        tags = {of: rep.get(of).headers["ETag"] for of in (of_contacts, other)}
        written(rep.post(path, json=SAID))
        for of, known in tags.items():
            status = rep.get(of, headers={"If-None-Match": known}).status_code
            assert status == (200 if of == of_contacts else 304)


def test_a_mistake_is_mended_by_another_contact(rep: httpx.Client, path: str) -> None:
    first = written(rep.post(path, json={**SAID, "note": "wrong"}))
    of_first = {
        "corrects_contact_id": first["contact_id"],
        "contacted_at": first["contacted_at"],
    }
    second = written(rep.post(path, json={**SAID, "note": "right", **of_first}))
    assert items(rep.get(path)) == [second]
    answer = rep.post(path, json={**SAID, **of_first})
    assert problem(answer, 409) == (
        "corrects_contact_id: already corrected; correct the correction instead"
    )
    withdrawn = {"channel": "PHONE", "outcome": "WITHDRAWN"}
    gone = rep.post(path, json={**withdrawn, "corrects_contact_id": second["contact_id"]})
    assert written(gone)["outcome"] == "WITHDRAWN"
    assert items(rep.get(path)) == []
    assert items(rep.get(gone.headers["Location"])) == []
    unknown = str(uuid4())
    answer = rep.post(path, json={**withdrawn, "corrects_contact_id": unknown})
    assert problem(answer, 422) == (
        f"corrects_contact_id: '{unknown}' must be a contact with this customer"
    )


def test_an_invalid_contact_is_refused_in_one_line(
    api: Api, rep: httpx.Client, path: str
) -> None:
    """The table refuses them: its constraints are the only place of these rules."""
    before = api.database.rows(ROWS)

    def said(**fields: Any) -> str:
        return problem(rep.post(path, json={**SAID, **fields}), 422)

    assert said(channel="SMOKE") == (
        "channel: 'SMOKE' must be one of PHONE, EMAIL, MESSAGE, VISIT, OTHER"
    )
    assert said(outcome="BOUGHT") == (
        "outcome: 'BOUGHT' must be one of REACHED, WILL_ORDER, LOST, WRONG_NUMBER, OTHER,"
        " WITHDRAWN"
    )
    assert said(note="x" * 2001) == "note: must have at most 2000 characters"
    for name in (" ", "", "x" * 201):
        assert said(contacted_by=name) == (
            "contacted_by: must have 1 to 200 characters, not only spaces"
        )
    assert said(outcome="LOST") == "snoozed_until: must be given with the outcome LOST"
    assert said(outcome="WITHDRAWN") == (
        "outcome: WITHDRAWN must have a corrects_contact_id and no snoozed_until"
    )
    for at in ("2999-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z"):
        told = said(contacted_at=at)
        assert told.startswith(f"contacted_at: '{at[:10]}")
        assert told.endswith("' must not be before 1970 or in the future")
    for until in (in_days(-2), in_days(368), "0001-01-01", "9999-12-31"):
        assert said(snoozed_until=until) == (
            f"snoozed_until: '{until}' must be from 0 to 366 days after the day of"
            " contacted_at (in UTC; without it, today)"
        )
    for offset in ("+21:19", "-16:00"):
        at = f"2026-06-15T12:00:00{offset}"
        assert said(contacted_at=at) == (
            f"contacted_at: '{at}' must have an offset of less than 16 hours"
        )
    same = str(uuid4())
    assert said(contact_id=same, corrects_contact_id=same) == (
        f"corrects_contact_id: '{same}' must be a contact with this customer"
    )
    # values of the wrong type
    assert said(snoozed_until="tomorrow") == (
        "snoozed_until: 'tomorrow' must be a date such as 2026-01-31"
    )
    for wrong in (20260131, True, ["2026-01-31"], "infinity"):
        assert said(snoozed_until=wrong).startswith("snoozed_until: ")
    for wrong in (0, "2026-01-31", "2026-01-31T12:00:00", "infinity", "now"):
        assert said(contacted_at=wrong) == (
            f"contacted_at: '{wrong}' must be a time with an offset such as"
            " 2026-01-31T12:00:00+01:00"
        )
    assert said(note="a\0b") == "note: must not contain a NUL character"
    assert said(note=5) == "note: '5' must be text"
    assert said(contact_id="x") == "contact_id: 'x' must be a uuid"
    assert said(channel=None) == "channel: 'null' must be text"
    assert said(recorded_by="boss") == (
        "no field 'recorded_by' here: /openapi.json lists the fields"
    )
    assert problem(rep.post(path, json={}), 422) == (
        "channel: is missing and must be one of PHONE, EMAIL, MESSAGE, VISIT, OTHER; outcome:"
        " is missing and must be one of REACHED, WILL_ORDER, LOST, WRONG_NUMBER, OTHER,"
        " WITHDRAWN"
    )
    for body in (b"", b"[]", b"null", b"{", b"\xff", b'{"note": "\\ud800"}', b"[" * 20_000):
        assert problem(rep.post(path, content=body), 422).startswith("body: ")
    assert problem(rep.post(path, content=b"not json"), 422) == (
        "body: 'not json' must be a JSON object"
    )
    assert problem(rep.post(path, content=b"[]"), 422) == "body: '[]' must be a JSON object"
    assert api.database.rows(ROWS) == before


def test_every_rule_of_the_table_has_words_without_sql(api: Api) -> None:
    rules = api.database.rows(RULES)
    assert {tuple(rule["columns"]) for rule in rules} == set(SAYS)


def test_a_list_is_whole_if_its_first_page_is_still_the_same(
    rep: httpx.Client, path: str
) -> None:
    """As docs/api.md says how to page."""

    def ask(page: int, known: str = "") -> httpx.Response:
        return rep.get(
            f"{TENANT}/due-to-order",
            params={"page": page, "limit": 2},
            headers={"If-None-Match": known},
        )

    tags = [ask(page).headers["ETag"] for page in (1, 2, 3)]
    assert [ask(page, tag).status_code for page, tag in enumerate(tags, 1)] == [304] * 3
    # the tag of one page says nothing about another, which the client may not have
    assert ask(2, tags[0]).status_code == 200
    written(rep.post(path, json=SAID))
    assert ask(1, tags[0]).status_code == 200


def test_what_people_write_comes_back_as_text(rep: httpx.Client, path: str) -> None:
    for text in HOSTILE:
        said = {**SAID, "note": text, "contacted_by": text}
        row = written(rep.post(path, json=said))
        assert (row["note"], row["contacted_by"]) == (text, text)
        answer = rep.get(path, params={"contact_id": row["contact_id"]})
        assert items(answer) == [row]
        assert answer.headers["Content-Type"] == "application/json"
    # all fields at their longest, in the longest notation
    longest = b'{"channel": "PHONE", "outcome": "OTHER", "note": "%s"}' % (
        b"\\ud83e\\udd50" * 2000
    )
    assert written(rep.post(path, content=longest))["note"] == "\U0001f950" * 2000


def test_a_body_that_is_too_long_is_not_read(api: Api, rep: httpx.Client, path: str) -> None:
    said = "body: must have at most 32768 bytes, and a Content-Length"
    assert problem(rep.post(path, content=b" " * 32_769), 413) == said
    assert problem(rep.post(path, content=iter([b"{}"])), 413) == said
    # a body that is announced and never sent: without a token, nobody waits for it
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    connection.putrequest("POST", path)
    connection.putheader("Content-Length", "100")
    connection.endheaders()
    assert connection.getresponse().status == 401
    connection.close()


@pytest.mark.slow
def test_a_body_that_never_comes_is_not_waited_for(api: Api, path: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=30)
    connection.putrequest("POST", path)
    connection.putheader("Content-Length", "100")
    connection.putheader("Authorization", f"Bearer {api.create_token('late', ANALYST)}")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_posts_count_towards_the_rate_limit(refreshed: Database, tmp_path: Path) -> None:
    with serving(refreshed, tmp_path / "log", "--rate", "5") as api:
        client = api.client(api.create_token("a", ANALYST))
        # also for bodies that cannot be parsed
        answers = [client.post(f"{TENANT}/contacts/x", content=b"{") for _ in range(60)]
    assert {answer.status_code for answer in answers} == {422, 429}


def test_a_token_may_have_a_role_with_only_reader_roles(api: Api) -> None:
    roles = {
        "portal": f"in role {ANALYST}, {WRITER}",
        "idle": f"in role {WRITER}",
        "more": f"in role {ANALYST}",
        "mighty": f"in role {ANALYST}",
        # a member, but without the rights
        "bare": f"noinherit in role {ANALYST}",
    }
    for name, options in roles.items():
        api.database.execute(f"create role token_{name} {options}")
    api.database.execute(
        "grant pg_read_all_data to token_more; alter role token_mighty bypassrls"
    )
    try:
        for name in ("idle", "more", "mighty", "bare", "none"):
            done = api.command("api-tokens", "create", name, "--role", f"token_{name}")
            assert done.returncode == 2
            assert f"or a role of yours that has only these and {WRITER}" in done.stderr
        client = api.client(api.create_token("portal", "token_portal"))
        assert items(client.get("/orders/tenants"))
        # it may read all that analysts may
        assert items(client.get("/operations/jobs"))
        for change in (
            "grant customer_health_refresher to token_portal",
            "alter role token_portal bypassrls",
            f"revoke {ANALYST} from token_portal",
        ):
            back = change.replace("grant", "revoke").replace(" to ", " from ")
            if change.startswith("revoke"):
                back = f"grant {ANALYST} to token_portal"
            elif change.startswith("alter"):
                back = change.replace("bypass", "nobypass")
            api.database.execute(change)
            problem(client.get("/orders/tenants"), 401)
            api.database.execute(back)
            assert items(client.get("/orders/tenants"))
    finally:
        for name in roles:
            api.database.execute(f"drop role token_{name}")
    problem(client.get("/orders/tenants"), 401)


def test_what_a_token_may_no_longer_see_is_not_said_to_be_unchanged(api: Api) -> None:
    mine, other = (
        str(
            api.database.value(
                "select role_name from operations.tenant_roles inner join analytics.tenants"
                " on tenant = tenant_id::text where system = 'orders' and tenant_slug = %s",
                slug,
            )
        )
        for slug in ("north-dairy", "harbor-foods")
    )
    api.database.execute(f"create role token_both in role {mine}, {other}")
    try:
        client = api.client(api.create_token("both", "token_both"))
        path, tenants = f"{TENANT}/due-to-order", "/orders/tenants"
        headers = {"If-None-Match": client.get(path).headers["ETag"]}
        both = {"If-None-Match": client.get(tenants).headers["ETag"]}
        assert client.get(path, headers=headers).status_code == 304
        assert client.get(tenants, headers=both).status_code == 304
        api.database.execute(f"revoke {mine} from token_both")
        problem(client.get(path, headers=headers), 404)
        [left] = items(client.get(tenants, headers=both))
        assert left["tenant_slug"] == "harbor-foods"
        # the slug now names the tenant that is left
        swap = (
            "update analytics.tenants set tenant_slug = case tenant_slug"
            " when 'north-dairy' then 'harbor-foods' else 'north-dairy' end"
            " where tenant_slug in ('north-dairy', 'harbor-foods')"
        )
        api.database.execute(swap)
        assert items(client.get(path, headers=headers))
        api.database.execute(swap)
        # a role of ours that somebody has made more of
        client = api.client(api.create_token("more", other))
        assert items(client.get("/orders/tenants"))
        for change, back in (
            ("grant {} to {}", "revoke {} from {}"),
            ("alter role {1} bypassrls", "alter role {1} nobypassrls"),
        ):
            api.database.execute(change.format("customer_health_refresher", other))
            problem(client.get("/orders/tenants"), 401)
            api.database.execute(back.format("customer_health_refresher", other))
            assert items(client.get("/orders/tenants"))
    finally:
        api.database.execute("drop role token_both")
