"""Print to standard output or standard error, whatever has become of them."""

import os
from typing import IO, TextIO


def print_on(stream: TextIO, text: str) -> None:
    """Print text, unless its reader has gone away or its disk is full."""
    try:
        print(text, file=stream, flush=True)
    except OSError:
        drop(stream)


def drop(stream: IO[str]) -> None:
    """Drop what a stream still holds and is still to be printed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
