"""`python -m dashboards` serves the pages of the database that libpq's environment names."""

import argparse
import os
import sys
from pathlib import Path

from flows.database import use_environment
from flows.errors import Failure
from flows.fleet import check_pages

APP = Path(__file__).parent / "app.py"
LOOK = {
    "theme_base": "light",
    "theme_primaryColor": "#1f6f68",
    "theme_backgroundColor": "#fbfaf7",
    "theme_secondaryBackgroundColor": "#f1efe8",
    "theme_textColor": "#22302f",
    "theme_borderColor": "#e2ded3",
    "theme_headingFont": "serif",
    "theme_baseRadius": "0.5rem",
}


def main() -> int:
    """Serve the pages until interrupted; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dashboards", description=__doc__)
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument("--address", default="127.0.0.1", help="default: 127.0.0.1")
    arguments = parser.parse_args()
    os.environ["DO_NOT_TRACK"] = "1"
    try:
        check_pages()
        print(use_environment())
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return failure.exit_code

    try:
        from streamlit.web import bootstrap
    except ImportError:
        print(
            "error: Streamlit is not installed here: run `make dashboards`, or"
            " .venv-dashboards/bin/python -m dashboards",
            file=sys.stderr,
        )
        return 2

    options = {
        **LOOK,
        "server_port": arguments.port,
        "server_address": arguments.address,
        "server_headless": True,
        "server_fileWatcherType": "none",
        "browser_gatherUsageStats": False,
        "client_toolbarMode": "minimal",
        "client_showErrorDetails": "none",
    }
    bootstrap.load_config_options(options)
    bootstrap.run(str(APP), is_hello=False, args=[], flag_options=options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
