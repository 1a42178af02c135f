"""The API on demo data, in a process of its own, and clients that query it."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import PROJECT, Database, free_port

ANALYST = "customer_health_analyst"
WRITER = "customer_health_contact_writer"
DOCUMENT: dict[str, Any] = json.loads((PROJECT / "api" / "openapi.json").read_text())


@dataclass
class Api:
    """A running API: its address, its log and its tokens by name."""

    database: Database
    url: str
    log: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of our commands on the API's database."""
        return self.database.run("flows", *arguments)

    def create_token(self, name: str, role: str, *options: str) -> str:
        """Create a token with the command, and keep it under its name."""
        done = self.command("api-tokens", "create", name, "--role", role, *options)
        assert done.returncode == 0, done.stderr
        self.tokens[name] = done.stdout.splitlines()[-1]
        return self.tokens[name]

    def client(self, token: str) -> httpx.Client:
        """Return a client that sends this token."""
        return httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=60
        )


@contextmanager
def serving(
    database: Database, log: Path, *options: str, project: Path = PROJECT
) -> Iterator[Api]:
    """Run `customer-health api` until the end of the block."""
    port = free_port()
    command = [sys.executable, "-m", "flows", "api", "--port", port, *options]
    with log.open("w") as told:
        process = subprocess.Popen(
            command, cwd=project, env=database.os_environment(), stdout=told, stderr=told
        )
    try:
        api = Api(database, f"http://127.0.0.1:{port}", log)
        for _ in range(300):
            assert process.poll() is None, log.read_text()
            with suppress(httpx.TransportError):
                httpx.get(f"{api.url}/openapi.json")
                break
            time.sleep(0.1)
        yield api
    finally:
        process.terminate()
        assert process.wait(20) == 130


@pytest.fixture(scope="session")
def api(
    refreshed_template: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """The API on demo data, with a token for each role that may read marts."""
    database = refreshed_template.copy()
    with serving(database, tmp_path_factory.mktemp("api") / "log", "--rate", "100000") as api:
        api.create_token("analyst", ANALYST)
        for role in tenant_roles(database):
            api.create_token(role["role_name"], role["role_name"])
        yield api
        # the fuzzers got no detail that they should not see, and the log has no traceback
        told = log = api.log.read_text()
        assert "Traceback" not in told, log
        for token in api.tokens.values():
            assert token not in log
    database.drop()


@pytest.fixture(scope="module")
def writers(api: Api) -> Iterator[dict[str, str]]:
    """Create tokens that may write contacts: for all tenants, and for each tenant by slug."""
    slugs = {
        row["tenant"]: row["slug"]
        for row in api.database.rows(
            "select tenant_id::text as tenant, tenant_slug as slug from analytics.tenants"
        )
    }
    readers = {
        slugs[role["tenant"]]: role["role_name"]
        for role in tenant_roles(api.database)
        if role["system"] == "orders"
    } | {"all": ANALYST}
    made = {}
    for slug, reader in readers.items():
        role = f"writer_{slug.replace('-', '_')}"
        api.database.execute(f"create role {role} in role {reader}, {WRITER}")
        made[slug] = api.create_token(role, role)
    yield made
    for slug in readers:
        api.command("api-tokens", "withdraw", f"writer_{slug.replace('-', '_')}")
        api.database.execute(f"drop role writer_{slug.replace('-', '_')}")


@pytest.fixture
def analyst(api: Api) -> Iterator[httpx.Client]:
    """A client that may see all tenants."""
    with api.client(api.tokens["analyst"]) as client:
        yield client


def tenant_roles(database: Database) -> list[dict[str, Any]]:
    """Return the roles of tenants, with system and key."""
    return [dict(row) for row in database.rows("select * from operations.tenant_roles")]


def items(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the rows of a list that must not be empty."""
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def problem(answer: httpx.Response, status: int) -> str:
    """Return the detail of a problem: one line, without internals of ours."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    content = answer.json()
    assert content["status"] == status
    assert set(content) == {"type", "title", "status", "detail"}
    detail: str = content["detail"]
    assert "\n" not in detail
    assert not re.search(r"Traceback|select |analytics\.|psycopg|pg_", detail), detail
    return detail


def wait_for(client: httpx.Client, url: str) -> dict[str, Any]:
    """Query a run until it has ended."""
    deadline = time.monotonic() + 120
    while True:
        found = client.get(url)
        assert found.status_code == 200, found.text
        run: dict[str, Any] = found.json()
        if run["status"] != "running":
            return run
        assert time.monotonic() < deadline, run
        time.sleep(0.3)


def reads() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield path and description of each operation that only reads."""
    for method, path, operation in operations():
        if method == "get":
            yield path, operation


def operations(*, starts: bool = False) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, path and description of each operation; starts: of those that start."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if path.endswith("/start") is starts:
                yield method, path, operation
