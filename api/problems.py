"""Errors as application/problem+json: one line that says what is wrong and what is allowed."""

import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
from annotated_types import Ge, Le
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException

from api.paging import DAY
from flows.streams import tell

DOCUMENT = Path(__file__).parent / "openapi.json"
MEDIA_TYPE = "application/problem+json"
# how many characters of the given value a message repeats
SHOWN = 40
# how many calls the log names, from where an error was raised
PLACES = 10

A_TIME = "a time with an offset such as 2026-01-31T12:00:00+01:00"
# by the type of pydantic's error
MUST_BE = {
    "bool_parsing": "true or false",
    "datetime_from_date_parsing": A_TIME,
    "datetime_parsing": A_TIME,
    "datetime_type": A_TIME,
    "json_invalid": "a JSON object",
    "model_type": "a JSON object",
    "string_type": "text",
    "timezone_aware": A_TIME,
    "uuid_parsing": "a uuid",
    "uuid_type": "a uuid",
}

SCHEMA = {
    "type": "object",
    "description": "What went wrong (RFC 9457), in one line.",
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What is wrong, and what is allowed."},
    },
    "required": ["type", "title", "status", "detail"],
    "additionalProperties": False,
}


class Problem(Exception):
    """An error to report to the caller."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def response(self) -> Response:
        """Return the problem as a response."""
        content = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": str(self),
        }
        headers = {"Cache-Control": "no-store", **self.headers}
        return Response(orjson.dumps(content), self.status, headers, MEDIA_TYPE)


def unauthorized(detail: str) -> Problem:
    """Return the problem for a caller without a valid token."""
    return Problem(401, detail, WWW_Authenticate="Bearer")


def shown(value: object) -> str:
    """Return a given value in quotes, shortened, on one line."""
    text = str(value)
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")


def unlisted(name: str, kind: str = "parameter") -> str:
    """Say that a parameter or field does not exist here."""
    return f"no {kind} {shown(name)} here: /openapi.json lists the {kind}s"


def log(text: str) -> None:
    """Log details that the caller must not see."""
    tell(sys.stderr, text)


def log_unforeseen(error: Exception) -> None:
    """Log the kind of an error and its place; its message may have values of rows."""
    kind = " ".join(filter(None, (type(error).__name__, getattr(error, "sqlstate", None))))
    places = [
        f"{Path(frame.filename).parent.name}/{Path(frame.filename).name}:{frame.lineno}"
        for frame in reversed(traceback.extract_tb(error.__traceback__))
    ]
    log(f"internal error: {kind} at {' < '.join(places[:PLACES])}")


def handle(app: FastAPI, routes: Sequence[APIRoute]) -> None:
    """Answer every error with a problem; `routes` are those of the routers."""

    @app.exception_handler(Problem)
    async def _problem(_request: Request, problem: Problem) -> Response:
        return problem.response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        limits = _limits(request.scope["route"])
        found = "; ".join(_in_words(one, limits) for one in error.errors())
        return Problem(422, found).response()

    @app.exception_handler(HTTPException)
    async def _of_routing(request: Request, error: HTTPException) -> Response:
        match error.status_code:
            case HTTPStatus.NOT_FOUND:
                detail = f"no path {shown(request.url.path)}: /openapi.json lists the paths"
            case HTTPStatus.METHOD_NOT_ALLOWED:
                # of all routes with this path, and HEAD; the router reports only the first
                allowed = {
                    method
                    for route in [*routes, *app.routes]
                    if isinstance(route, APIRoute)
                    and route.path_regex.match(request.scope["path"])
                    for method in route.methods or ()
                }
                error.headers = {"Allow": ", ".join(sorted(allowed))}
                detail = f"method {shown(request.method)}: must be {error.headers['Allow']}"
            case _:
                detail = str(error.detail)
        problem = Problem(error.status_code, detail)
        problem.headers |= error.headers or {}
        return problem.response()


def _limits(route: APIRoute) -> dict[str, str]:
    """Return the least and the greatest number of each parameter that has both, in words."""
    limits = {}
    for parameter in route.dependant.query_params:
        fields = getattr(parameter.field_info.annotation, "model_fields", {})
        for name, field in fields.items():
            least = [rule.ge for rule in field.metadata if isinstance(rule, Ge)]
            most = [rule.le for rule in field.metadata if isinstance(rule, Le)]
            if least and most:
                kind = "whole number" if field.annotation is int else "number"
                limits[name] = f"a {kind} from {least[0]} to {most[0]}"
    return limits


def _in_words(error: ErrorDetails, limits: Mapping[str, str]) -> str:
    """Say which parameter or field is wrong, and what is allowed."""
    name, kind = str(error["loc"][-1]), error["type"]
    context: dict[str, Any] = error.get("ctx", {})
    given = _given(error["input"])
    match kind:
        case "extra_forbidden":
            return unlisted(name, "field" if error["loc"][0] == "body" else "parameter")
        case "missing":
            what = f"is missing and {required()[name]}"
        case "literal_error":
            allowed = context["expected"].replace("'", "").replace(" or ", ", ")
            what = f"{given} must be one of {allowed}"
        case "string_too_short":
            what = "must not be empty"
        case "string_too_long":
            what = f"must have at most {context['max_length']} characters"
        case "string_pattern_mismatch":
            what = "must not contain a NUL character"
        case "value_error":
            what = f"{given} {context['error']}"
        case _ if must_be := MUST_BE.get(kind, limits.get(name)):
            what = f"{given} must be {must_be}"
        case _:
            what = f"{given}: {error['msg'].lower()}"
    return f"{name}: {what}"


@cache
def required() -> dict[str, str]:
    """Return what each required parameter and field must be, from the OpenAPI document."""
    document = orjson.loads(DOCUMENT.read_bytes())
    contact = document["components"]["schemas"]["Contact"]
    fields = {name: contact["properties"][name] for name in contact["required"]}
    for operations in document["paths"].values():
        for operation in operations.values():
            for given in operation.get("parameters", []):
                if given["in"] == "query" and given["required"]:
                    what = {"description": given["description"], **given["schema"]}
                    fields[given["name"]] = what
    return {name: _must_be(field) for name, field in fields.items()}


def _must_be(schema: Mapping[str, Any]) -> str:
    if words := schema.get("enum"):
        return f"must be one of {', '.join(words)}"
    if schema.get("format") == "date":
        return DAY
    what: str = schema["description"]
    return f"must be the {what[0].lower()}{what[1:].rstrip('.')}"


def _given(value: object) -> str:
    """Return a given value as the caller wrote it, in quotes and shortened."""
    if isinstance(value, bytes):
        return shown(value.decode(errors="replace"))
    # parsed JSON
    return shown(value if isinstance(value, str) else json.dumps(value, default=str))
