"""Contacts with customers, and snoozes with them: list and record them as the pages do."""

import asyncio
import re
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID, uuid4

import psycopg
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from starlette.requests import ClientDisconnect

from api.database import Connection, use_role
from api.paging import Day, Id, Page, Tenant
from api.problems import Problem, shown
from api.reading import (
    PAGE,
    WRITTEN,
    Asked,
    AskedWithBody,
    CheckedWithBody,
    ids_of,
    json_response,
    missing,
    run,
)
from api.tokens import Caller
from flows.contacts import TABLE, WRITER, record
from flows.database import one_line

router = APIRouter(prefix="/orders", tags=["orders"])

SECONDS_FOR_BODY = 10
PATH = "/tenants/{tenant}/contacts/{customer_id:path}"

# the table checks the length and the allowed words
Words = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]

# PostgreSQL accepts no greater offset
MOST_HOURS = 16

# the columns of the table's check constraints, and their SQL
RULES = f"""
    select
        conname::text as name,
        array_agg(attname::text order by attname) as columns,
        pg_get_constraintdef(pg_constraint.oid) as definition
    from pg_constraint
    inner join pg_attribute on conrelid = attrelid and attnum = any(conkey)
    where conrelid = to_regclass('{TABLE}') and contype = 'c'
    group by pg_constraint.oid
"""
# what each of them says, by its columns; the table alone enforces it
SAYS = {
    ("channel",): "channel: {channel} must be one of {words}",
    ("outcome",): "outcome: {outcome} must be one of {words}",
    ("note",): "note: must have at most 2000 characters",
    ("contacted_by",): "contacted_by: must have 1 to 200 characters, not only spaces",
    ("contacted_at", "recorded_at"): "contacted_at: {contacted_at} must not be before 1970 or"
    " in the future",
    ("contacted_at", "snoozed_until"): "snoozed_until: {snoozed_until} must be from 0 to 366"
    " days after the day of contacted_at (in UTC; without it, today)",
    ("outcome", "snoozed_until"): "snoozed_until: must be given with the outcome LOST",
    ("corrects_contact_id", "outcome", "snoozed_until"): "outcome: WITHDRAWN must have a"
    " corrects_contact_id and no snoozed_until",
    ("contact_id", "corrects_contact_id"): "corrects_contact_id: must be another id than"
    " contact_id",
}


def _offset(instant: datetime) -> datetime:
    if abs(instant.utcoffset() or timedelta()) >= timedelta(hours=MOST_HOURS):
        raise ValueError(f"must have an offset of less than {MOST_HOURS} hours")
    return instant


class Contacts(Page):
    """Which contacts."""

    contact_id: Annotated[UUID | None, Field(description="Id of one contact.")] = None


class Contact(BaseModel):
    """The fields of a contact, named as in the table."""

    model_config = ConfigDict(extra="forbid", strict=True)

    channel: Words
    outcome: Words
    note: Words | None = None
    snoozed_until: Day | None = None
    contacted_by: Words | None = None
    contacted_at: Annotated[AwareDatetime, AfterValidator(_offset)] | None = None
    corrects_contact_id: UUID | None = None
    contact_id: UUID | None = None


async def _said(request: Request, _checked: CheckedWithBody) -> Contact:
    try:
        async with asyncio.timeout(SECONDS_FOR_BODY):
            body = await request.body()
        return Contact.model_validate_json(body)
    except (ClientDisconnect, TimeoutError):
        raise Problem(400, "the body is incomplete") from None
    except ValidationError as error:
        raise RequestValidationError(
            [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        ) from error


@router.get(PATH, openapi_extra=PAGE)
def contacts(
    asked: Asked, tenant: Tenant, customer_id: Id, given: Annotated[Contacts, Query()]
) -> Response:
    """List the contacts with a customer, as last corrected, latest first."""
    return asked.page("orders/contacts", given, tenant, customer_id=customer_id)


@router.post(PATH, status_code=201, openapi_extra=WRITTEN)
def write_contact(
    tenant: Tenant,
    customer_id: Id,
    # first the body, so that the request has its turn only when all of it has come
    said: Annotated[Contact, Depends(_said)],
    asked: AskedWithBody,
    idempotency_key: Annotated[
        UUID | None, Header(description="A uuid of yours; you need no contact_id then.")
    ] = None,
) -> Response:
    """Record a contact; with an id of yours, sending it again records nothing new."""
    if said.contact_id and idempotency_key not in (None, said.contact_id):
        raise Problem(422, "contact_id: must equal the Idempotency-Key if both are given")
    # chosen before the transaction, which is retried if the connection was lost
    contact_id = said.contact_id or idempotency_key or uuid4()

    def write(connection: Connection, caller: Caller) -> Response:
        use_role(connection, caller.role)
        contacted_by = caller.name if said.contacted_by is None else said.contacted_by
        row = _write(
            connection,
            {
                **said.model_dump(),
                **ids_of(connection, "orders", tenant),
                "customer_id": customer_id,
                "contact_id": contact_id,
                "contacted_by": contacted_by,
            },
        )
        path = "/".join(quote(part, safe="") for part in (tenant, "contacts", customer_id))
        url = f"{router.prefix}/tenants/{path}?contact_id={contact_id}"
        return json_response(row, {"Cache-Control": "no-store", "Location": url}, 201)

    return asked.write(write)


def _write(connection: Connection, contact: dict[str, Any]) -> dict[str, Any]:
    """Record the contact unless it exists; return its row. Raises Problem if refused."""
    try:
        [found] = run(connection, "orders/contacted", contact)
        if not found["customers_count"]:
            raise missing({"customer_id": contact["customer_id"]})
        corrected = contact["corrects_contact_id"]
        if corrected and not found["corrected_count"]:
            what = f"{shown(corrected)} must be a contact with this customer"
            raise Problem(422, f"corrects_contact_id: {what}")
        recorded = record(connection, contact)
    except psycopg.errors.InsufficientPrivilege as error:
        raise Problem(
            403,
            "the role of this token may not record contacts: create a token for a role of"
            f" yours that has {WRITER} (see docs/api.md)",
        ) from error
    except psycopg.errors.UniqueViolation as error:
        raise Problem(
            409, "corrects_contact_id: already corrected; correct the correction instead"
        ) from error
    except psycopg.errors.CheckViolation as error:
        raise _refused(connection, error.diag.constraint_name, contact) from error
    except psycopg.DataError as error:
        raise Problem(422, f"the database refuses a value: {one_line(error)}") from error
    if not recorded:
        raise Problem(409, "contact_id: another contact with this customer has this id")
    return recorded


def _refused(connection: Connection, name: str | None, contact: dict[str, Any]) -> Problem:
    """Return a Problem that says in words which rule of the table the fields break."""
    rules = {row["name"]: row for row in connection.execute(RULES.encode())}
    rule = rules.get(name or "", {"columns": [], "definition": ""})
    columns = rule["columns"]
    given = {field: shown(value) for field, value in contact.items()}
    given["words"] = ", ".join(re.findall(r"'(\w+)'", rule["definition"]))
    if says := SAYS.get(tuple(columns)):
        return Problem(422, says.format_map(given))
    # a constraint that somebody has added
    fields = ", ".join(column for column in columns if column in Contact.model_fields)
    return Problem(422, f"{fields}: the table refuses this; see its constraint {shown(name)}")
