"""Measure how long each page takes to be painted, from the address to its figures.

`python -m bench pages` runs this on its database, in the environment of the pages. Prints one
JSON object: for each page, the seconds until its first figures and until all of it, with an
empty cache and with a full one.
"""

import json
import os

from browser import PAGES, browser, served

WIDTH = 1300


def main() -> None:
    """Open every page twice."""
    with served(os.environ) as url, browser() as window:
        # the first page also starts the browser and the server
        window.open(f"{url}/operations?warm", WIDTH)
        taken = {
            page: [window.open_timed(f"{url}/{page}", WIDTH) for _ in range(2)]
            for page in PAGES
        }
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
