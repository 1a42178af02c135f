"""What SQLFluff meets by the package's name, where dbt has the macros of ours."""


def our_schema(name: str) -> str:
    """Return the name of a schema, as without a prefix."""
    return name
