"""Parameters of lists: page, limit, filters and sort order; others are refused."""

import re
from datetime import date
from typing import Annotated, Any

from fastapi import Path
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

MOST_ROWS = 500
MOST_PAGES = 100_000
MOST_DAYS = 3660
MOST_CHARACTERS = 200
DAY = "must be a date such as 2026-01-31"

# PostgreSQL text cannot hold NUL
Text = Annotated[
    str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS, pattern=r"^[^\x00]+$")
]


def _day(text: object) -> date:
    # fromisoformat() alone would accept other formats, too
    if not isinstance(text, str) or not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError(DAY)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(DAY) from None


Day = Annotated[
    date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})
]
Days = Annotated[int, Field(ge=1, le=MOST_DAYS, description="Number of days, up to today.")]

Id = Annotated[Text, Path(description="The id, as in the source.")]
Tenant = Annotated[Text, Path(description="Slug or id of the tenant.")]
Organization = Annotated[Text, Path(description="Slug or id of the organization.")]


class Asking(BaseModel):
    """Query parameters; others are refused."""

    model_config = ConfigDict(extra="forbid")

    def values(self) -> dict[str, Any]:
        """Return the values for the query, by parameter name."""
        return {name: getattr(self, name) for name in type(self).model_fields}


class Page(Asking):
    """One page of a list."""

    page: Annotated[
        int, Field(ge=1, le=MOST_PAGES, description="Number of the page, from 1.")
    ] = 1
    limit: Annotated[
        int, Field(ge=1, le=MOST_ROWS, description="Maximum number of rows on a page.")
    ] = 50

    def values(self) -> dict[str, Any]:
        """Return the values for the query, by parameter name."""
        return {**super().values(), "offset": (self.page - 1) * self.limit}


class PageOfDays(Page):
    """One page of a list of what happened from one day to another."""

    first_day: Annotated[Day, Field(alias="from", description="The first day.")]
    last_day: Annotated[
        Day,
        Field(alias="to", description="The last day, even in the future; not before `from`."),
    ]

    @field_validator("last_day")
    @classmethod
    def _not_before_the_first(cls, day: date, given: ValidationInfo) -> date:
        first = given.data.get("first_day")
        if first and day < first:
            raise ValueError(f"must not be before 'from', {first}")
        return day
