"""A browser without a screen, by its own protocol: no driver to install."""

import base64
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from websockets.sync.client import ClientConnection, connect

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 60.0

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
# the page scrolls within itself: so high is all of it
HEIGHT = """
    (() => {
        const main = document.querySelector('[data-testid=stMain]');
        return main.scrollHeight + 60;
    })()
"""


class Browser:
    """One page of a running browser."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self._call("Page.enable")

    def open(self, url: str, width: int) -> None:
        """Open an address in a window of this width, and wait until the page is done."""
        self._size(width, 900)
        self._call("Page.navigate", url="about:blank")
        self._call("Page.navigate", url=url)
        self.wait_for(IS_DONE)

    def text(self) -> str:
        """Return what a reader sees."""
        found: str = self.run("document.querySelector('[data-testid=stMain]').innerText")
        return found

    def run(self, script: str) -> Any:
        """Run a script on the page and return its value."""
        done = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until a condition holds, and still does a moment later."""
        end = time.monotonic() + PATIENCE
        held = 0
        while held < 3:
            assert time.monotonic() < end, f"not so: {condition}\n{self.run('document.title')}"
            held = held + 1 if self.run(condition) else 0
            time.sleep(0.15)

    def press(self, key: str, code: int) -> None:
        """Press and release a key."""
        for kind in ("rawKeyDown", "keyUp"):
            self._call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code
            )

    def picture(self, file: Path, width: int, highest: int) -> None:
        """Keep a picture of the page from its top."""
        self._size(width, min(int(self.run(HEIGHT)), highest))
        time.sleep(0.8)
        self.wait_for(IS_DONE)
        taken = self._call("Page.captureScreenshot", format="png")
        file.write_bytes(base64.b64decode(taken["data"]))

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


def _port(profile: Path) -> int:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        file = profile / "DevToolsActivePort"
        if file.exists() and (found := re.match(r"\d+", file.read_text())):
            return int(found[0])
        time.sleep(0.1)
    raise TimeoutError("the browser has not started")
