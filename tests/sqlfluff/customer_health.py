"""The stand-in for our package that SQLFluff uses, with the macros that dbt has."""


def our_schema(name: str) -> str:
    """Return the name of a schema, without a prefix."""
    return name
