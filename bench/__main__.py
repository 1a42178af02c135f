"""`make bench`: what a refresh costs, as ratios within one run on one machine.

Seconds differ from machine to machine and from minute to minute; read the ratios.
"""

import argparse

from bench import accounts, hook, hourly, nightly, pages, usage

PARTS = {
    "nightly": nightly.bench,
    "hourly": hourly.bench,
    "hook": hook.bench,
    "usage": usage.bench,
    "accounts": accounts.bench,
    "pages": pages.bench,
}


def main() -> None:
    """Run the parts that are asked for, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; else all"
    )
    parser.add_argument(
        "--customers",
        type=int,
        help="default: 100,000; hourly 10,000; tenants 1,000 organizations",
    )
    parser.add_argument("--tenants", type=int, default=50)
    parser.add_argument("--years", type=int, default=3)
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}")
    for part in options.parts or PARTS:
        PARTS[part](options.customers, options.tenants, options.years)


if __name__ == "__main__":
    main()
