"""`PYTHONPATH=. python docs/pictures.py`: draw the pictures of the documents anew.

Those of Prefect need Debian's chromium; `python docs/pictures.py summary` leaves them out.
"""

import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from flows.database import use_embedded

HERE = Path(__file__).parent
UNTIL = "2026-11-20T12:00:00+00:00"
PATIENCE_SECONDS = 300
# a page of the UI asks for what it shows after it was loaded
PAGE_MILLISECONDS = 20_000


def output(*arguments: str) -> str:
    """Return what a command of the project prints."""
    return subprocess.run(
        [sys.executable, "-m", *arguments], check=True, capture_output=True, text=True
    ).stdout


def draw_summary(text: str) -> None:
    """Draw the beginning of the summary of a refresh, as wide as README can show it."""
    shown = text[text.index("Risk status") : text.index("Tenant health")]
    lines = [line.rstrip() for line in shown.splitlines()]
    width = max(map(len, lines))
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    console.print("\n".join(lines).rstrip(), markup=False)
    console.save_svg(str(HERE / "demo.svg"), title="make demo")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Run `make serve` on a port of its own, and give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    server = subprocess.Popen(
        [sys.executable, "-m", "flows", "serve"],
        env=os.environ | {"PREFECT_HOME": str(folder), "PREFECT_SERVER_API_PORT": port},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait()


def answer(method: str, url: str, content: object = None) -> Any:
    """Ask the API until it answers."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            reply = httpx.request(method, url, json=content, timeout=30)
        except httpx.HTTPError:
            time.sleep(1)
            continue
        if reply.is_success:
            return reply.json()
        time.sleep(1)
    raise TimeoutError(url)


def finish(api: str, deployment: str) -> str:
    """Run a deployment, wait until its run has ended, and return the id of the run."""
    found = answer("GET", f"{api}/deployments/name/{deployment}")
    run = answer("POST", f"{api}/deployments/{found['id']}/create_flow_run", {})
    while run["state"]["type"] not in ("COMPLETED", "FAILED", "CRASHED"):
        time.sleep(1)
        run = answer("GET", f"{api}/flow_runs/{run['id']}")
    if run["state"]["type"] != "COMPLETED":
        raise RuntimeError(f"{deployment}: {run['state']}")
    return str(run["id"])


def photograph(url: str, name: str, height: int) -> None:
    """Take a picture of a page."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                *("chromium", "--headless", "--no-sandbox", "--disable-gpu"),
                *("--hide-scrollbars", f"--user-data-dir={profile}"),
                f"--window-size=1300,{height}",
                f"--virtual-time-budget={PAGE_MILLISECONDS}",
                f"--screenshot={HERE / name}",
                url,
            ],
            check=True,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
        )


def draw_prefect(folder: Path) -> None:
    """Photograph the runs of a refresh and of a dry run in the UI of Prefect."""
    with served(folder) as address:
        api = f"{address}/api"
        dry = finish(api, "dry run of the write-back/dry-run")
        nightly = finish(api, "nightly refresh/nightly")
        finish(api, "hourly refresh/hourly")
        tables = answer(
            "POST", f"{api}/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [dry]}}}
        )
        [first] = [table for table in tables if table["key"] == "the-first-10-customers"]
        photograph(f"{address}/deployments", "prefect_deployments.png", 640)
        photograph(f"{address}/runs/flow-run/{nightly}", "prefect_run.png", 900)
        photograph(f"{address}/artifacts/artifact/{first['id']}", "prefect_dry_run.png", 700)


def main() -> None:
    """Draw all pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["DBT_TARGET_PATH"] = str(folder / "target")
        use_embedded(folder / "same_each_time")
        output("demo", "--until", UNTIL)
        nightly = ("refresh", "--mode", "nightly", "--backfill-days", "120")
        draw_summary(output("flows", *nightly, "--as-of", UNTIL))
        if sys.argv[1:] == ["summary"]:
            return
        # what Prefect starts is computed for the present
        use_embedded(folder / "of_today")
        output("demo")
        output("flows", "refresh", "--mode", "nightly", "--no-write-back")
        draw_prefect(folder / "prefect")


if __name__ == "__main__":
    main()
