"""Make the databases that most tests start from, once for all processes of `make test`.

`python tests/cluster.py FOLDER` leaves a stopped server's files there. With
TEST_CLUSTER=FOLDER, each process of pytest starts its server on a copy; without it, each makes
what it needs.
"""

import sys

from conftest import (
    BUILT_TEMPLATE,
    REFRESHED_TEMPLATE,
    make_built,
    make_refreshed,
    quiet_dbt,
    running,
)


def main(folder: str) -> None:
    """Make both templates."""
    with quiet_dbt(), running(folder, "stop") as server:
        make_refreshed(server).as_template(REFRESHED_TEMPLATE)
        make_built(server).as_template(BUILT_TEMPLATE)


if __name__ == "__main__":
    main(sys.argv[1])
