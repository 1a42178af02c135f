"""How a request is answered: check the token, compare the ETag, run one query, send JSON."""

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, LiteralString, TypeVar

import orjson
import psycopg
from fastapi import Depends, Request, Response
from psycopg import sql
from psycopg.rows import DictRow

from api import tokens
from api.database import Connection, Pool, filled, rows_of, use_role
from api.limits import Limits
from api.paging import Page
from api.problems import DOCUMENT, Problem, shown, unauthorized, unlisted
from flows.database import REFRESHER
from flows.schemas import named

FOLDER = Path(__file__).parent / "sql"

# parameters that are ids; the source decides their type
IDS = ("customer_id", "square_customer_id", "account_id", "sales_rep", "account", "location")

Result = TypeVar("Result")

# for the document: the kind of answer. The query has the name of the path's function
PAGE, ROWS, ROW, STARTED, WRITTEN = (
    {"x-answer": kind} for kind in ("page", "rows", "row", "started", "written")
)

# their answers also change when somebody records a contact
OF_CONTACTS = ("orders/contacts", "orders/due_to_order")


@dataclass(frozen=True)
class Service:
    """The pool and the limits that all requests share."""

    pool: Pool
    limits: Limits


@cache
def text_of(query: str) -> LiteralString:
    """Return the text of a query, by system and name."""
    # our own files: user input never becomes part of the text
    text: LiteralString = named((FOLDER / f"{query}.sql").read_text(encoding="utf-8"))
    return text


@cache
def form() -> str:
    """Return a hash of the OpenAPI document, since a new version may change the answers."""
    return hashlib.sha256(DOCUMENT.read_bytes()).hexdigest()


def run(connection: Connection, query: str, values: Mapping[str, Any]) -> list[DictRow]:
    """Run a query; an id of the wrong type counts as not found."""
    try:
        return rows_of(connection, text_of(query), values)
    except psycopg.DataError as error:
        # the place of a literal that PostgreSQL cannot read; other errors have none
        place = error.diag.statement_position
        if place is None:
            raise
        rest = filled(connection, text_of(query), values)[int(place) - 1 :]
        given = {name: values[name] for name in IDS if values.get(name)}
        refused = {
            name: value
            for name, value in given.items()
            if rest.startswith(sql.quote(value, connection).strip())
        }
        if not refused:
            raise
        raise missing(refused) from error


def read_page(
    connection: Connection, query: str, page: Page, values: dict[str, Any]
) -> dict[str, Any]:
    """Return a page of rows, how many there are, and whether there are more."""
    found = run(connection, query, values)
    counted = found
    if not found and page.page > 1:
        # past the last page: the total comes only with a row
        counted = run(connection, query, {**values, "limit": 1, "offset": 0})
    total = counted[0]["total"] if counted else 0
    for row in found:
        del row["total"]
    return {
        "items": found,
        "page": page.page,
        "limit": page.limit,
        "total": total,
        "hasMore": page.page * page.limit < total,
    }


class CallerRequest:
    """One request, before its token is checked."""

    def __init__(self, request: Request, *, takes_body: bool = False) -> None:
        # of several, none counts
        scheme, _, token = ",".join(request.headers.getlist("Authorization")).partition(" ")
        self.token = token.strip()
        if scheme.lower() != "bearer" or not self.token:
            raise unauthorized("send `Authorization: Bearer TOKEN`")
        self.service: Service = request.app.state.service
        # without an address: a client on this machine, by a socket
        self.service.limits.count(self.token, request.client.host if request.client else "")
        # before its turn, so that a token of another form takes no connection
        tokens.id_of(self.token)
        if not takes_body and request.headers.get("Content-Length", "0") != "0":
            raise Problem(413, "this path takes no body")
        names = Counter(name for name, _ in request.query_params.multi_items())
        for name, times in names.items():
            if times > 1:
                raise Problem(422, f"{shown(name)}: must be given once, not {times} times")
        # a path with parameters refuses others itself
        if names and not request.scope["route"].dependant.query_params:
            raise Problem(422, "; ".join(map(unlisted, names)))
        # the ETags of answers that the caller has
        self.known = {
            tag.strip().removeprefix("W/")
            for tags in request.headers.getlist("If-None-Match")
            for tag in tags.split(",")
        }
        self.target = f"{request.url.path}?{request.url.query}"

    def page(
        self, query: str, page: Page, tenant: str | None = None, **values: Any
    ) -> Response:
        """Answer with a page of rows, how many there are, and whether there are more."""

        def read(connection: Connection, ids: dict[str, Any]) -> dict[str, Any]:
            return read_page(connection, query, page, page.values() | values | ids)

        return self._read(query, read, tenant)

    def all(self, query: str, tenant: str | None = None, **values: Any) -> Response:
        """Answer with all rows of a query that never returns many."""

        def read(connection: Connection, ids: dict[str, Any]) -> dict[str, Any]:
            return {"items": run(connection, query, values | ids)}

        return self._read(query, read, tenant)

    def one(self, query: str, tenant: str, **values: Any) -> Response:
        """Answer with the one row that has this id."""

        def read(connection: Connection, ids: dict[str, Any]) -> dict[str, Any]:
            found = run(connection, query, values | ids)
            if not found:
                raise missing(values or {"organization": tenant})
            return found[0]

        return self._read(query, read, tenant)

    def run(self, work: Callable[[Connection, tokens.Caller], Result]) -> Result:
        """Check the token and run work in a read-only transaction."""
        return self.service.pool.run(
            lambda connection: work(connection, self._caller(connection))
        )

    def write(self, work: Callable[[Connection, tokens.Caller], Result]) -> Result:
        """Check the token and run work in a transaction that writes."""
        return self.service.pool.run(
            lambda connection: work(connection, self._caller(connection)),
            writes=True,
        )

    def _caller(self, connection: Connection) -> tokens.Caller:
        """Check the token, and have the rate limit know whether it is in force."""
        try:
            caller = tokens.check(connection, self.token)
        except Problem:
            self.service.limits.remember(self.token, is_in_force=False)
            raise
        self.service.limits.remember(self.token, is_in_force=True)
        return caller

    def _read(
        self,
        query: str,
        read: Callable[[Connection, dict[str, Any]], dict[str, Any]],
        tenant: str | None,
    ) -> Response:
        system = query.partition("/")[0]

        def answer(connection: Connection, caller: tokens.Caller) -> Response:
            [state] = run(connection, f"{system}/publication", {})
            use_role(connection, caller.role)
            # even 304 would say something about a tenant that the caller may not see
            ids = ids_of(connection, system, tenant) if tenant is not None else {}
            # of the tenant, whose slug may name another one since
            state |= ids
            if query in OF_CONTACTS:
                # readers may read the table only through views
                use_role(connection, REFRESHER)
                [written] = run(connection, "orders/contacts_state", ids)
                use_role(connection, caller.role)
                state |= written
            content = None
            if tenant is None:
                # the role may see other tenants since: only the answer itself tells
                content = read(connection, ids)
                state["answer"] = orjson.dumps(content)
            headers = self._headers(caller, state)
            unchanged = Response(status_code=304, headers=headers)
            if headers["ETag"] in self.known:
                return unchanged
            if content is None:
                content = read(connection, ids)
            # a star stands for any answer, so there must be one
            return unchanged if "*" in self.known else json_response(content, headers)

        return self.run(answer)

    def _headers(self, caller: tokens.Caller, state: DictRow) -> dict[str, str]:
        """Return headers; the ETag stands for the published state, the day and the role."""
        as_of = state.pop("as_of")
        said = repr((form(), self.target, caller.role, *state.values()))
        return {
            "ETag": f'"{hashlib.sha256(said.encode()).hexdigest()[:32]}"',
            # caches must revalidate each time, and never share it
            "Cache-Control": "private, no-cache",
            "Vary": "Authorization",
            "As-Of": as_of.isoformat() if as_of else "",
        }


def ids_of(connection: Connection, system: str, tenant: str) -> dict[str, Any]:
    """Return the key and the instant of a tenant by slug or id, if the caller may see it."""
    found = run(connection, f"{system}/tenant", {"tenant": tenant})
    if not found:
        raise missing({"organization" if system != "orders" else "tenant": tenant})
    return found[0]


def missing(sought: Mapping[str, Any]) -> Problem:
    """Return the problem for rows that do not exist or that the caller may not see."""
    named_ids = ", ".join(f"{name} {shown(value)}" for name, value in sought.items())
    return Problem(404, f"not found, or hidden from this token: {named_ids}")


def json_response(
    content: Mapping[str, Any], headers: dict[str, str], status: int = 200
) -> Response:
    """Return JSON: timestamps with their offset, NULL as null."""
    return Response(orjson.dumps(content), status, headers, "application/json")


async def _checked_with_body(request: Request) -> CallerRequest:
    return CallerRequest(request, takes_body=True)


# before its turn, while the body may still be on its way
CheckedWithBody = Annotated[CallerRequest, Depends(_checked_with_body)]


async def _asked(request: Request) -> AsyncIterator[CallerRequest]:
    checked = CallerRequest(request)
    async with checked.service.limits.turn(checked.token):
        yield checked


async def _asked_with_body(checked: CheckedWithBody) -> AsyncIterator[CallerRequest]:
    async with checked.service.limits.turn(checked.token):
        yield checked


# the turn ends with the function, before the answer is sent: a client may read it slowly
Asked = Annotated[CallerRequest, Depends(_asked, scope="function")]
AskedWithBody = Annotated[CallerRequest, Depends(_asked_with_body, scope="function")]
