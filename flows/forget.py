"""Delete old rows of the schema operations; flows/sql/forget.sql says which."""

from flows.database import connect, install, rows
from flows.errors import Infrastructure
from flows.progress import Progress
from flows.schemas import OPERATIONS


def forget_old_rows(progress: Progress) -> None:
    """Delete what is old and done with; an error here stops no refresh."""
    try:
        with connect() as connection:
            install(connection, "forget.sql")
            deleted = rows(
                connection,
                f"select relation, rows_count from {OPERATIONS}.forget_old_rows()"
                " where rows_count > 0",
            )
    except Infrastructure as failure:
        progress.say(f"old rows of {OPERATIONS} could not be deleted: {failure}")
        return
    if deleted:
        progress.say(
            f"deleted from {OPERATIONS}, old and done with: "
            + ", ".join(f"{row['rows_count']} of {row['relation']}" for row in deleted)
        )
