"""Print to standard output or standard error, whatever has become of them."""

import os
from typing import IO, TextIO


def print_on(stream: TextIO, text: str) -> None:
    """Print text of a command, unless its reader has gone away or its disk is full.

    Then nothing is printed any more, so that the exit code does not tell of it.
    """
    try:
        print(text, file=stream, flush=True)
    except OSError:
        drop(stream)


def tell(stream: TextIO, text: str) -> None:
    """Print a line of a process that goes on: the next one may succeed."""
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        drop(stream)
    except OSError:
        return


def drop(stream: IO[str]) -> None:
    """Drop what a stream still holds and is still to be printed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
