"""Status columns: which one it is, and which of our words its words mean."""

import re
from typing import Any

from flows.init.catalog import Column, Table
from flows.init.columns import FEW_WORDS
from flows.init.contract import Entity, Wanted
from flows.init.names import LEAST, evidence, name_points, one_of, snake, words_of
from flows.init.tables import Tables
from flows.init.values import (
    FILLED,
    GUESS,
    LIKELY,
    ROW,
    TYPE,
    Join,
    Value,
    asked_of_all,
    counted,
    meanings,
    quoted_words,
    told_of,
    translated,
)

# a code and its word in a comment; words in the key of a table of languages
CODES = re.compile(r"(\d+)\s*(?:=>?|:|-)\s*([^\d\W][\w -]*\w)")
LANGUAGES = {"language", "lang", "locale"}
# what is said of a status that no column tells
NO_STATUS = "no column is named status"
# the question about a cancellation
WHO = "who canceled?"
# a number with so few distinct values is not a status
FEW_CODES = 2


class Statuses:
    """Finds the status of a row, in our words."""

    def __init__(self, tables: Tables) -> None:
        self.catalog = tables.catalog
        self.columns = tables.columns
        self.tables = tables

    def told_by_times(
        self, entity: Entity, table: Table, column: Wanted, told: dict[str, Any]
    ) -> Value | None:
        """Return a status that the moments of a row tell, such as shipped_at."""
        lines, named, asked = [], [], []
        otherwise = told.get("otherwise", "")
        for word, names in told.items():
            if word in ("otherwise", "else"):
                continue
            # our own moment has many names
            ours = next((name for name in names if name in entity.columns), None)
            moment = (
                self.columns.plain(entity.name, table, entity.columns[ours]) if ours else None
            )
            found = (
                table.columns[moment.reason.partition(":")[0]]
                if moment
                else self.columns.first(table, names)
            )
            is_good = word in ("DELIVERED", "COMPLETED")
            if found and found.is_everywhere and not is_good:
                # all may have succeeded, but not all ended otherwise
                asked.append(f"{asked_of_all(found)}, rows with an earlier one are {word}")
            elif found:
                is_so = self.columns.is_set(table, found)
                if is_so is None and not found.is_time:
                    # each row may have the word
                    shown = self._shown(table, found)
                    asked.append(f"does {found.name}{shown} say which rows are {word}?")
                    continue
                lines.append(
                    f"when {is_so or f'{ROW}{found.quoted} is not null'} then '{word}'"
                )
                named.append(found.name)
                if word == otherwise:
                    otherwise = told["else"]
        todo = " ".join(asked)
        if not lines:
            return self._of_few_words(entity, table, column, todo) or (
                Value(f"'{otherwise}'", f"{NO_STATUS}, so a constant", GUESS, todo)
                if otherwise
                else None
            )
        reason = f"{NO_STATUS}, so derived from {', '.join(named)}"
        lines.append(f"else '{otherwise}'")
        sql = "case\n    " + "\n    ".join(lines) + "\nend"
        value = Value(sql, reason, LIKELY, todo)
        if others := self._others(entity, table, column):
            value.todo = f"{todo} or is it {others}?".strip()
        return value

    def _others(self, entity: Entity, table: Table, column: Wanted, own: str = "") -> str:
        """Return the columns that may be the status besides another, with their words.

        They are named like one, if only partly: financial_status, fulfillment_status.
        """
        known = _known_words(*self._meanings(entity, table, column))
        taken = {own, *self._taken(entity, table, column)}
        found = []
        for one in self.columns.like_statuses(table, least=1):
            words = self.columns.words_in(table, one)
            # the state of an address has other words
            is_other = one.name not in taken and {snake(word) for word in words} & known
            if is_other and len(words) <= FEW_WORDS:
                found.append(f"{one.name} ({counted(words)})")
        return ", or ".join(found)

    def _shown(self, table: Table, column: Column) -> str:
        """Return the words of a column in brackets, for a question, if they are few."""
        words = self.columns.words_in(table, column)
        return f" ({counted(words)})" if 0 < len(words) <= FEW_WORDS else ""

    def _of_few_words(
        self, entity: Entity, table: Table, column: Wanted, asked: str
    ) -> Value | None:
        """Return a column with few distinct values as a possible status, with a question.

        The column with the largest share of known status words wins. A constant would count
        every row, and nobody would notice.
        """
        ours, doubtful = self._meanings(entity, table, column)
        known = _known_words(ours, doubtful)
        found = self._with_few_words(table, self._taken(entity, table, column))
        if not found:
            return None
        name, words = max(
            found.items(),
            # of several equal ones, the first
            key=lambda pair: (
                sum(snake(word) in known for word in pair[1]) / len(pair[1]),
                table.columns[pair[0]].family != "integer",
            ),
        )
        others = "".join(
            f", or {other} ({quoted_words(words)})"
            for other, words in found.items()
            if other != name
        )
        which = table.columns[name]
        sql, _ = translated(f"{ROW}{which.quoted}", which, words, ours, doubtful)
        return Value(
            sql,
            f"{name}: no column is named like a status, but this one has few distinct values"
            f" ({quoted_words(words)})",
            GUESS,
            f"{asked} is this the status{others}? If none is, use a constant".strip(),
        )

    def may_say(self, table: Table) -> str:
        """Ask whether a status column shows a yes or no that has no column of its own."""
        # the state of a customer is part of an address
        names = [name for name in evidence()["columns"]["order_status"] if name != "state"]
        found = self._with_few_words(
            table,
            {
                name
                for name, column in table.columns.items()
                if name_points(column, table, names, is_time=False)[0] < LEAST
            },
            are_named=True,
        )
        said = ", or ".join(f"{name} ({quoted_words(words)})" for name, words in found.items())
        return f"can it be derived from {said}?" if said else ""

    def _taken(self, entity: Entity, table: Table, column: Wanted) -> set[str]:
        """Return the columns of a table that other columns of the input use."""
        taken = set()
        for other in entity.columns.values():
            value = None if other is column else self.columns.plain(entity.name, table, other)
            taken |= {value.reason.partition(":")[0]} if value else set()
        return taken

    def _with_few_words(
        self, table: Table, taken: set[str], *, are_named: bool = False
    ) -> dict[str, dict[str, int]]:
        """Return the columns that may be a status, with their distinct values.

        are_named: they are named like one, so that 0 and 1 may be its codes, too.
        """
        elsewhere = set(evidence()["no_status"])
        tables = {one_of(other.name) for other in self.catalog.tables.values()}
        found = {}
        for name, column in table.columns.items():
            is_id = words_of(name)[-1:] == ("id",)
            is_other = name in taken or name in table.key or table.link_of(name) or is_id
            if is_other or column.is_time or column.family not in ("text", "enum", "integer"):
                continue
            if elsewhere & set(words_of(name)):
                continue
            if column.family == "integer" and words_of(name)[-1] in tables:
                # named after a table, so a key
                continue
            words = self.catalog.words(table, column) or {}
            # names and notes rarely repeat a value, and one value tells nothing
            are_few = 1 < len(words) <= FEW_WORDS and sum(words.values()) > len(words)
            if column.family == "integer" and not are_named:
                is_flag = self.columns.is_set(table, column)
                are_few = are_few and not is_flag and len(words) > FEW_CODES
            if column.labels or are_few:
                found[name] = words
        return found

    def our_words(self, entity: Entity, column: Wanted) -> dict[str, list[str]] | None:
        """Return the allowed words of a column, each with its synonyms."""
        words = evidence()["words"]
        ours: dict[str, list[str]] | None = words.get(f"{entity.name}.{column.name}")
        return ours or words.get(column.name)

    def of_table(self, entity: Entity, table: Table, column: Wanted) -> Value | None:
        """Return the word that all rows have by the name of their table, such as meetings."""
        named = one_of(table.name)
        for word, likes in (self.our_words(entity, column) or {}).items():
            if named in (word, *likes):
                return Value(f"'{word}'", "the table's name", LIKELY)
        return None

    def _meanings(
        self, entity: Entity, table: Table, column: Wanted
    ) -> tuple[dict[str, list[str]], dict[str, dict[str, str]]]:
        """Return our words with their synonyms in a table, and the doubtful ones."""
        ours = self.our_words(entity, column) or {}
        ours, doubtful = meanings(column.name, ours, table, self.catalog)
        whose = next(
            (name for name in table.columns if snake(name) in ("canceled_by", "cancelled_by")),
            None,
        )
        if whose:
            shown = self._shown(table, table.columns[whose])
            doubtful = {
                word: {
                    like: asked.replace(WHO, f"does {whose}{shown} say {WHO}")
                    for like, asked in likes.items()
                }
                for word, likes in doubtful.items()
            }
        return ours, doubtful

    def words(self, entity: Entity, table: Table, alias: str, column: Wanted) -> Value | None:
        """Return a status column, with its words translated into ours."""
        if self.our_words(entity, column) is None:
            return None
        ours, doubtful = self._meanings(entity, table, column)
        best = self._best_named(table, self.columns.names(entity.name, column))
        if best is None:
            return None
        points, found, like = best
        own = found.name
        row, joins = f"{ROW}{found.quoted}", []
        words = self.catalog.words(table, found, of_all=True)
        link = table.link_of(found.name)
        if labels := self._labels(table, found):
            sql, todo = translated(row, found, words, ours, doubtful, labels)
            return Value(sql, told_of(found, like), points + TYPE + FILLED, todo)
        if (link := table.link_of(found.name)) is not None:
            holder = self.catalog.tables[link.to]
            label = self.columns.label(holder)
            if label is None:
                return None
            name = self.tables.alias(holder, {alias})
            condition = self.tables.condition(ROW, table, link, f"{name}.")
            joins = [Join(name, holder.relation, condition)]
            words = self.catalog.used_words(table, link, label)
            found, row = label, f"{name}.{label.quoted}"
        known = _known_words(ours, doubtful)
        is_doubtful = points < LEAST and found.family != "integer"
        if is_doubtful and words and not any(snake(word) in known for word in words):
            # the state of an address
            return None
        sql, todo = translated(row, found, words, ours, doubtful)
        value = Value(sql, told_of(found, like), points + TYPE + FILLED, todo, joins=joins)
        if points < LEAST and (others := self._others(entity, table, column, own)):
            value.doubt(f"is this the status, or {others}?")
        return value

    def _best_named(self, table: Table, names: list[str]) -> tuple[int, Column, str] | None:
        """Return the column with the best name: its points, and what it is named like."""
        # also a foreign key of a lookup table
        names = [f"{name}{end}" for end in ("", "_id", "_code") for name in names]
        best: tuple[int, Column, str] | None = None
        for found in table.columns.values():
            if found.family not in ("text", "enum", "integer") or found.name in table.key:
                continue
            points, like = name_points(found, table, names, is_time=False)
            if points and (best is None or points > best[0]):
                best = points, found, like
        return best

    def _labels(self, table: Table, column: Column) -> dict[str, str]:
        """Return the words of codes that have one in each language, or in a comment."""
        for holder in self.catalog.tables.values():
            label = self.columns.named_label(holder)
            others = [name for name in holder.key if name != column.name]
            is_of_languages = any(LANGUAGES & {*words_of(name)} for name in others)
            if label and column.name in holder.key and is_of_languages:
                return self.catalog.labels(holder, column.name, label)
        if link := table.link_of(column.name):
            return self._translations(self.catalog.tables[link.to], link.to_columns[-1])
        found = dict(CODES.findall(column.comment)) if column.family == "integer" else {}
        return found if len(found) > 1 else {}

    def _translations(self, holder: Table, key: str) -> dict[str, str]:
        """Return the words of a lookup table that has none itself, from one with languages."""
        if self.columns.named_label(holder):
            return {}
        for table in self.catalog.tables.values():
            label = self.columns.named_label(table)
            for link in table.links:
                is_named = one_of(table.name).startswith(f"{one_of(holder.name)}_")
                is_of_it = (link.to, link.to_columns) == (holder.relation, (key,))
                if label and is_named and is_of_it:
                    return self.catalog.labels(table, link.columns[-1], label)
        return {}


def _known_words(ours: dict[str, list[str]], doubtful: dict[str, dict[str, str]]) -> set[str]:
    """Return the words of a status that we know, in snake case."""
    likes = [like for likes in [*ours.values(), *doubtful.values()] for like in likes]
    return {*likes, *map(snake, ours)}
