"""The application: the paths of all systems behind one gate."""

from pathlib import Path

from fastapi import FastAPI, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import accounts, bookings, orders, problems, usage
from api.problems import Problem
from api.reading import Service

DOCUMENT = Path(__file__).parent / "openapi.json"
MOST_CHARACTERS = 2000

# one a system. What writes, contacts and snoozes say, is a router of its own, with a
# transaction and a role of its own
ROUTERS = (orders.router, bookings.router, usage.router, accounts.router)


class Gate:
    """What every request passes: HEAD is GET without its body, and nobody sends a body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        answer = send_head if is_head else send
        if problem := _refused(scope):
            await problem.response()(scope, receive, answer)
        else:
            await self._app({**scope, "method": "GET"} if is_head else scope, receive, answer)


def _refused(scope: Scope) -> Problem | None:
    headers = Headers(scope=scope)
    if len(scope["raw_path"]) + len(scope["query_string"]) > MOST_CHARACTERS:
        return Problem(414, f"path and parameters: at most {MOST_CHARACTERS} characters")
    if headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in headers:
        return Problem(413, "no path here takes a body", Connection="close")
    return None


def create_app() -> FastAPI:
    """Return the application; its state must be given a service before it answers."""
    app = FastAPI(
        title="customer_health",
        # pages that show a document load programs from elsewhere
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Gate)
    problems.handle(app)
    for router in ROUTERS:
        app.include_router(router)

    @app.get("/openapi.json", include_in_schema=False)
    def document() -> Response:
        return Response(DOCUMENT.read_bytes(), media_type="application/json")

    return app


def serve_with(app: FastAPI, service: Service) -> FastAPI:
    """Give the application what its requests share."""
    app.state.service = service
    return app
