"""Inputs: whatever a mapping is, copies are found, lookups reach indexes, and gaps are told."""

from conftest import UNTIL, Database


def nightly(database: Database, **more: object) -> str:
    done = database.run("flows", "refresh", "--mode", "nightly", "--as-of", UNTIL, **more)
    return done.stdout + done.stderr


def test_tmp(small: Database) -> None:
    out = nightly(small)
    print(out)
    for r in small.rows("select viewname, definition from pg_views where viewname ~ '(stg|input)_(orders|accounts)' order by 1"):
        print(r["viewname"], r["definition"])
    print(small.run("flows", "roles", "install"))
    print(small.run("flows", "write-back"))
    assert 0
