"""The pages, served, and a headless browser, controlled by its own protocol."""

import base64
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

from flows.project import OUR_PROJECT as PROJECT

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 60.0

# pages by path, with their headings
PAGES = {
    "overview": "Overview",
    "due_to_order": "Due to order",
    "customer": "Customer",
    "how_good_is_it": "How good is it?",
    "retention": "Retention",
    "bookings": "Bookings",
    "usage_and_accounts": "Usage and accounts",
    "operations": "Operations",
}

# every part of the page is there, and none waits for figures
IS_DONE = """
    (() => {
        const app = document.querySelector('[data-testid=stApp]');
        return app !== null
            && app.getAttribute('data-test-script-state') === 'notRunning'
            && document.querySelector('h1') !== null
            && document.querySelector('[data-stale=true]') === null
            && document.querySelector('[data-testid=stSkeleton]') === null;
    })()
"""
# the first figures are there, and a reader can begin
HAS_FIGURES = """
    document.querySelector('[data-testid=stMain]')
        ?.querySelector('.ch-figure, .ch-rule, table, canvas') != null
"""
# the page scrolls within this element: its full height
HEIGHT = """
    (() => {
        const main = document.querySelector('[data-testid=stMain]');
        return main.scrollHeight + 60;
    })()
"""


class Browser:
    """A tab of a running browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self._call("Page.enable")

    def open(self, url: str, width: int) -> None:
        """Open an address in a window of this width, and wait until the page is done."""
        self._go(url, width)
        self.wait_for(IS_DONE)

    def open_timed(self, url: str, width: int) -> tuple[float, float]:
        """Do what `open` does; return the seconds until the first figures, and until done."""
        began = self._go(url, width)
        while not self.run(HAS_FIGURES):
            assert time.monotonic() < began + PATIENCE, f"no figures: {url}"
            time.sleep(0.02)
        first = time.monotonic()
        return first - began, self.wait_for(IS_DONE) - began

    def resize(self, width: int) -> None:
        """Give the open page another width, and wait until it is done."""
        self._size(width, 900)
        self.wait_for(IS_DONE)

    def text(self) -> str:
        """Return the text that a reader sees."""
        found: str = self.run("document.querySelector('[data-testid=stMain]').innerText")
        return found

    def run(self, script: str) -> Any:
        """Run a script on the page, and return its value."""
        done = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait_for(self, condition: str) -> float:
        """Wait until a condition holds and still holds a moment later; return since when."""
        since = time.monotonic()
        end = since + PATIENCE
        held = 0
        while held < 10:
            assert time.monotonic() < end, f"not so: {condition}\n{self.run('document.title')}"
            if not self.run(condition):
                held = 0
            elif held == 0:
                since, held = time.monotonic(), 1
            else:
                held += 1
            time.sleep(0.05)
        return since

    def press(self, key: str, code: int, *, with_shift: bool = False) -> None:
        """Press and release a key."""
        # the text of the key: without it, Enter opens a link but does not press a button
        written = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown" if written else "rawKeyDown", "keyUp"):
            self._call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
                modifiers=8 if with_shift else 0,
                **written,
            )

    def click(self, element: str) -> None:
        """Click in the middle of an element, a script's value."""
        self.run(f"{element}.scrollIntoView({{block: 'center'}})")
        box = f"{element}.getBoundingClientRect()"
        left, top, width, height = self.run(
            f"(() => {{ const box = {box}; return [box.x, box.y, box.width, box.height]; }})()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=left + width / 2,
                y=top + height / 2,
                button="left",
                clickCount=1,
            )

    def type(self, words: str) -> None:
        """Type words at the cursor."""
        self._call("Input.insertText", text=words)

    def picture(self, file: Path, width: int, highest: int) -> None:
        """Save a picture of the page from its top."""
        self._size(width, min(int(self.run(HEIGHT)), highest))
        time.sleep(0.8)
        self.wait_for(IS_DONE)
        taken = self._call("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(taken["data"]))

    def _go(self, url: str, width: int) -> float:
        self._size(width, 900)
        self._call("Page.navigate", url="about:blank")
        began = time.monotonic()
        self._call("Page.navigate", url=url)
        return began

    def _size(self, width: int, height: int) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        self._connection.send(
            json.dumps({"id": self._number, "method": method, "params": parameters})
        )
        while True:
            answer = json.loads(self._connection.recv(PATIENCE))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser and end it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                CHROMIUM,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--remote-debugging-port=0",
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            # its sockets go, too
            env=os.environ | {"TMPDIR": profile},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            port = _port(Path(profile))
            with urlopen(f"http://127.0.0.1:{port}/json") as answer:
                [target] = [one for one in json.load(answer) if one["type"] == "page"]
            with connect(target["webSocketDebuggerUrl"], max_size=None) as connection:
                yield Browser(connection)
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def served(environment: Mapping[str, str]) -> Iterator[str]:
    """Serve the project's pages; yield their address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "dashboards", "--port", str(port)],
        cwd=PROJECT,
        env=dict(environment),
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}/_stcore/health")
        yield url
    finally:
        server.terminate()
        server.wait(10)


def _wait_for(url: str) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            with urlopen(url):  # noqa: S310 - the server that was just started
                return
        except URLError:
            time.sleep(0.2)
    raise TimeoutError(url)


def _port(profile: Path) -> int:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        file = profile / "DevToolsActivePort"
        if file.exists() and (found := re.match(r"\d+", file.read_text())):
            return int(found[0])
        time.sleep(0.1)
    raise TimeoutError("the browser has not started")
