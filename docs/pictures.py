"""`PYTHONPATH=. python docs/pictures.py`: draw the pictures of the README anew."""

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from flows.database import use_embedded

HERE = Path(__file__).parent
UNTIL = "2026-11-20T12:00:00+00:00"


def output(*arguments: str) -> str:
    """Return what a command of the project prints."""
    return subprocess.run(
        [sys.executable, "-m", *arguments], check=True, capture_output=True, text=True
    ).stdout


def main() -> None:
    """Draw the summary that `make demo` ends with."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DBT_TARGET_PATH"] = f"{folder}/target"
        use_embedded(Path(folder) / "postgres")
        output("demo", "--until", UNTIL)
        text = output(
            *("flows", "refresh", "--mode", "nightly", "--backfill-days", "120"),
            *("--as-of", UNTIL),
        )
    summary = text[text.index("Risk status") :]
    console = Console(record=True, width=112, file=io.StringIO(), highlight=False)
    console.print(summary.rstrip(), markup=False)
    console.save_svg(str(HERE / "demo.svg"), title="make demo")


if __name__ == "__main__":
    main()
