"""`make bench` measures what a refresh costs, as ratios within one run on one machine.

Seconds differ between machines and between minutes, so read the ratios.
"""

import argparse

from bench import (
    accounts,
    api,
    citus,
    freshness,
    hook,
    hourly,
    nightly,
    pages,
    triggers,
    truth,
    usage,
    versions,
)

PARTS = {
    "nightly": nightly.bench,
    "hourly": hourly.bench,
    "triggers": triggers.bench,
    "freshness": freshness.bench,
    "hook": hook.bench,
    "usage": usage.bench,
    "accounts": accounts.bench,
    "pages": pages.bench,
    "api": api.bench,
    "truth": truth.bench,
    "citus": citus.bench,
}


def main() -> None:
    """Run the chosen parts, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; default: all"
    )
    parser.add_argument(
        "--customers",
        type=int,
        help="default: 100,000; hourly and triggers 10,000; freshness 2,500; citus 2,000;"
        " usage 1,000 organizations",
    )
    parser.add_argument("--tenants", type=int, default=50)
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument(
        "--against",
        metavar="REVISION",
        help="only compare whole commands with those of another version",
    )
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}")
    if options.against:
        versions.bench(options.customers, options.tenants, options.years, options.against)
        return
    for part in options.parts or PARTS:
        PARTS[part](options.customers, options.tenants, options.years)


if __name__ == "__main__":
    main()
