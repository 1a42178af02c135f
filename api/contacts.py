"""Contacts with customers, and snoozes with them: list and record them as the pages do."""

import re
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID, uuid4

import psycopg
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import (
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
    CallerRequest,
    ids_of,
    json_response,
    missing,
    run,
)
from api.tokens import Caller
from flows.contacts import INSERT, RECORDED, TABLE, WRITER
from flows.database import one_line

router = APIRouter(prefix="/orders", tags=["orders"])

PATH = "/tenants/{tenant}/contacts/{customer_id:path}"

# the table checks the length and the allowed words
Words = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]

# the text of a check constraint, and its columns
RULE = f"""
    select
        array_agg(attname::text order by attnum) as names,
        regexp_replace(
            pg_get_constraintdef(pg_constraint.oid, true),
            '^CHECK \\(|\\)$|::(text|date|interval|timestamp with time zone)', '', 'g'
        ) as rule
    from pg_constraint
    inner join pg_attribute on conrelid = attrelid and attnum = any(conkey)
    where conrelid = to_regclass('{TABLE}') and conname = %(name)s
    group by pg_constraint.oid
"""


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
    contacted_at: AwareDatetime | None = None
    corrects_contact_id: UUID | None = None
    contact_id: UUID | None = None


async def _asked(request: Request) -> CallerRequest:
    return CallerRequest(request, takes_body=True)


AskedWithBody = Annotated[CallerRequest, Depends(_asked)]


async def _said(request: Request, _asks: AskedWithBody) -> Contact:
    try:
        return Contact.model_validate_json(await request.body())
    except ClientDisconnect:
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
    asked: AskedWithBody,
    tenant: Tenant,
    customer_id: Id,
    said: Annotated[Contact, Depends(_said)],
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
            caller,
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


def _write(connection: Connection, caller: Caller, contact: dict[str, Any]) -> dict[str, Any]:
    """Record the contact unless it exists; return its row. Raises Problem if refused."""
    try:
        [found] = run(connection, "orders/contacted", contact)
        if not found["customers_count"]:
            raise missing({"customer_id": contact["customer_id"]})
        corrected = contact["corrects_contact_id"]
        if corrected and not found["corrected_count"]:
            what = f"{shown(corrected)} must be a contact with this customer"
            raise Problem(422, f"corrects_contact_id: {what}")
        with connection.transaction():
            connection.execute(INSERT.encode(), contact)
    except psycopg.errors.InsufficientPrivilege as error:
        raise Problem(
            403,
            "the role of this token may not record contacts:"
            f" run `grant {WRITER} to {caller.role}`",
        ) from error
    except psycopg.errors.UniqueViolation as error:
        raise Problem(
            409, "corrects_contact_id: already corrected; correct the correction instead"
        ) from error
    except psycopg.errors.CheckViolation as error:
        raise _refused(connection, error.diag.constraint_name, contact) from error
    except psycopg.DataError as error:
        raise Problem(422, f"the database refuses a value: {one_line(error)}") from error
    if not (recorded := connection.execute(RECORDED.encode(), contact).fetchone()):
        raise Problem(409, "contact_id: another contact with this customer has this id")
    return recorded


def _refused(connection: Connection, name: str | None, contact: dict[str, Any]) -> Problem:
    """Return a Problem that names the fields and the table's rule that they break."""
    [found] = connection.execute(RULE.encode(), {"name": name}).fetchall()
    names, rule = found["names"], found["rule"]
    if words := re.fullmatch(r"\w+ = ANY \(ARRAY\[(.*)\]\)", rule):
        given, allowed = shown(contact[names[0]]), words[1].replace("'", "")
        return Problem(422, f"{names[0]}: {given} must be one of {allowed}")
    fields = ", ".join(name for name in names if name in Contact.model_fields)
    return Problem(422, f"{fields}: must satisfy {rule}")
