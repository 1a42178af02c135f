"""Start a refresh: the usual command, with its own lock, in its own process."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from api.problems import Problem, log
from flows.errors import Busy, WrongArgument
from flows.project import for_command

# a command that is not in the run log by then continues and is logged later
SECONDS_TO_BEGIN = 60
SECONDS_TO_LOOK = 0.1
# one at a time: refreshes have one lock, and each process takes memory before it is refused
STARTING = threading.Lock()


def start(options: list[str], is_logged: Callable[[str], bool], *, is_shown: bool) -> str:
    """Start a refresh; return the id of its run as soon as it is in the log.

    The run continues if the API stops. Raises Problem if it did not begin: another run has
    the lock, another start is in progress, or an argument is wrong. A Problem of is_logged
    means only that the log cannot be read at the moment. is_shown: whether the caller may
    read why, which may name organizations.
    """
    if not STARTING.acquire(blocking=False):
        raise Problem(409, "another start is in progress", Retry_After="1")
    try:
        return _start(options, is_logged, is_shown=is_shown)
    finally:
        STARTING.release()


def _start(options: list[str], is_logged: Callable[[str], bool], *, is_shown: bool) -> str:
    run_id = str(uuid.uuid4())
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "flows", "refresh", *options),
                *(f"--run-id={run_id}", "--json"),
            ],
            env={**os.environ, **for_command()},
            stdin=subprocess.DEVNULL,
            # one line of JSON; its progress goes to the log of the API
            stdout=told,
            start_new_session=True,
        )
        # reap the process when it ends
        threading.Thread(target=process.wait, daemon=True).start()
        deadline = time.monotonic() + SECONDS_TO_BEGIN
        while time.monotonic() < deadline:
            has_ended, was_refused = process.poll() is not None, False
            # the run may have begun even if nobody can look it up: the caller needs its id
            with suppress(Problem):
                if is_logged(run_id):
                    break
                was_refused = has_ended
            # a command that found the lock taken has logged nothing
            if was_refused or (has_ended and process.returncode == Busy.exit_code):
                raise _refused(process.returncode, told, is_shown=is_shown)
            time.sleep(SECONDS_TO_LOOK)
    return run_id


def _refused(exit_code: int, told: IO[bytes], *, is_shown: bool) -> Problem:
    told.seek(0)
    lines = told.read().splitlines()
    error = json.loads(lines[-1] if lines else "{}").get("error", f"exit code {exit_code}")
    match exit_code:
        case Busy.exit_code:
            return Problem(409, error, Retry_After="60")
        case WrongArgument.exit_code if is_shown:
            # the parameter has the name of the command's option
            return Problem(422, error.removeprefix("--"))
        case WrongArgument.exit_code:
            # it may name what this caller may not see
            log(f"refresh: {error}")
            return Problem(422, "the refresh was refused; the log of the API says why")
    log(f"refresh: {error}")
    return Problem(503, "the refresh could not start; the log of the API says why")
