"""The application: the paths of all systems, behind one size check."""

from functools import cache

from fastapi import APIRouter, FastAPI, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api import accounts, bookings, contacts, operations, orders, problems, usage
from api.problems import DOCUMENT, Problem, log_unforeseen
from api.reading import FOLDER, STARTED, form, text_of
from flows import session

MOST_CHARACTERS = 2000

# a contact with all fields at their longest
MOST_BYTES = 32_768
DIGITS = len(str(MOST_BYTES))

# one for each system, and one for contacts, which writes
ROUTERS = (
    orders.router,
    contacts.router,
    bookings.router,
    usage.router,
    accounts.router,
    operations.router,
)


class Gate:
    """Refuses requests that are too long, and answers errors that nobody foresaw."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            problem = _refused(scope)
            await (problem.response() if problem else self._app)(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the server would log its message
            log_unforeseen(error)
            problem = Problem(500, "internal error; see the log of the API")
            await problem.response()(scope, receive, send)


def _refused(scope: Scope) -> Problem | None:
    headers = Headers(scope=scope)
    if len(scope["raw_path"]) + len(scope["query_string"]) > MOST_CHARACTERS:
        return Problem(414, f"path and parameters: at most {MOST_CHARACTERS} characters")
    length = headers.get("Content-Length", "0")
    if "Transfer-Encoding" in headers or len(length) > DIGITS or int(length) > MOST_BYTES:
        return Problem(
            413,
            f"body: must have at most {MOST_BYTES} bytes, and a Content-Length",
            Connection="close",
        )
    return None


def create_app() -> FastAPI:
    """Return the application; set its `state.service` before it answers requests."""
    app = FastAPI(
        title="customer_health",
        # the documentation pages load scripts from other hosts
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Gate)
    problems.handle(app, [route for router in ROUTERS for route in routes(router)])
    for router in ROUTERS:
        app.include_router(router)
        for route in routes(router):
            # HEAD must not start a refresh
            if route.methods == {"GET"} and route.openapi_extra is not STARTED:
                app.add_api_route(
                    route.path, route.endpoint, methods=["HEAD"], include_in_schema=False
                )
    app.add_api_route(
        "/openapi.json", document, methods=["GET", "HEAD"], include_in_schema=False
    )
    return app


def routes(router: APIRouter) -> list[APIRoute]:
    """Return the paths of a router."""
    return [route for route in router.routes if isinstance(route, APIRoute)]


@cache
def _document() -> bytes:
    return DOCUMENT.read_bytes()


def read_files() -> None:
    """Read all that requests need: an upgrade may replace the files while the API runs."""
    _document()
    form()
    problems.required()
    session.settings()
    for file in FOLDER.rglob("*.sql"):
        text_of(f"{file.parent.name}/{file.stem}")


async def document() -> Response:
    """Return the OpenAPI document; it waits for no thread, as queries do."""
    return Response(_document(), media_type="application/json")
