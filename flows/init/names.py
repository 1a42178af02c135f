"""What the names of tables and columns mean: evidence.yml, compared word by word."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from flows.init.catalog import Catalog, Column, Table
from flows.init.contract import singular
from flows.project import read_yaml

# points of a column: for the first name of a list; less for each after it; at least; for a
# part of a name
NAME, LESS, LEAST, PARTLY = 75, 2, 55, 30
TIME_WORDS = ("at", "on", "date", "time", "datetime", "timestamp", "ts", "utc", "gmt",
              "ms", "millis", "epoch", "unix", "fecha", "data", "datum", "hora",
              "em", "le", "am", "dt", "op", "tarih", "tarihi")  # fmt: skip
# words that may lead the name of a date, and those that tell its zone
TIME_FIRST = ("date", "datetime", "dt", "ts", "time", "fecha", "data", "datum", "heure",
              "hora")  # fmt: skip
IN_UTC = ("utc", "gmt")
# names in one word: the shortest that has parts, and parts of two letters
SHORT_NAME, FIRST_SHORT = 4, ("is", "id")
LAST_SHORT = ("at", "on", "id", "no", "nr", "by", "dt")
# words of amounts in the smallest unit
CENTS = ("cents", "minor", "cts")
# words of keys
KEY_LAST = ("id", "fk", "key", "no", "nr", "num", "number", "code", "uuid", "guid", "ref")
KEY_FIRST = ("id", "fk", "code")
# what tools that copy tables write before deleted, and Salesforce behind names of one's own
COPIED_FIRST, CUSTOM = ("fivetran", "sdc", "ab", "cdc"), "__c"
# letters that Unicode does not take apart
BARE = str.maketrans("łŁı", "lLi")
# a schema with fewer tables shows no common prefix
FEW = 4
# the share of all columns of two copies of a table that both have
MOSTLY = 0.6


@cache
def evidence() -> dict[str, Any]:
    """Return evidence.yml."""
    path = Path(__file__).parent / "evidence.yml"
    found: dict[str, Any] = read_yaml(path)
    return found


def no_words() -> list[str]:
    """Return the words of a flag that is not set, those that every encoding has."""
    return [word for word in evidence()["flags"]["no"] if word.isascii()]


@cache
def _english() -> dict[str, str]:
    """Return words of other languages with the English word for each."""
    return {
        word: english
        for english, words in evidence()["translations"].items()
        for word in words
    }


@cache
def _vocabulary() -> frozenset[str]:
    """Return the words of evidence.yml."""

    def texts(part: object) -> Iterator[str]:
        match part:
            case dict():
                yield from texts([*part, *part.values()])
            case list():
                for one in part:
                    yield from texts(one)
            case str():
                yield part

    words = {word for text in texts(evidence()) for word in text.lower().split("_")}
    return frozenset(word for word in {*words, *TIME_WORDS} if len(word) > 1)


@cache
def _parted(word: str) -> tuple[str, ...]:
    """Return the words of a name in one word: orderdate, customerid, isactive.

    All of them must be known, and those of two letters stand at an end.
    """
    known = _vocabulary()
    if len(word) < SHORT_NAME or word in known or singular(word) in known:
        return (word,)

    def rest(start: int) -> tuple[str, ...] | None:
        if start == len(word):
            return ()
        for end in range(len(word), start + 1, -1):
            part = word[start:end]
            is_inner = start > 0 and end < len(word)
            is_short = end - start == 2  # noqa: PLR2004
            allowed = FIRST_SHORT if start == 0 else () if is_inner else LAST_SHORT
            is_known = part in allowed if is_short else (
                part in known or (end == len(word) and singular(part) in known)
            )  # fmt: skip
            if is_known and (others := rest(end)) is not None:
                return (part, *others)
        return None

    return rest(0) or (word,)


@cache
def _own_words(name: str) -> tuple[str, ...]:
    """Return a name as words, without accents."""
    bare = "".join(
        s for s in unicodedata.normalize("NFKD", name) if not unicodedata.combining(s)
    ).translate(BARE)
    words = [""]
    before = ""
    for sign in unicodedata.normalize("NFC", bare):
        if not sign.isalnum():
            words.append("")
        elif sign.isupper() and not (before.isupper() or before.isdigit()):
            words.append(sign)
        else:
            words[-1] += sign
        before = sign
    found = tuple(part for word in words if word for part in _parted(word.lower()))
    while found[1:] and found[0] in COPIED_FIRST and "deleted" in found:
        found = found[1:]
    if name.lower().endswith(CUSTOM) and found[1:]:
        found = found[:-1]
    # a name of signs: %
    return found or ("unnamed",)


@cache
def words_of(name: str) -> tuple[str, ...]:
    """Return a name as English words: "shippedAt", "Shipped_At" and shippedat are the same."""
    english = _english()
    # one word in English, and a French table may have either
    own = "_".join(_own_words(name)).replace("rendez_vous", "rendezvous").split("_")
    return tuple(
        part
        for word in own
        for part in (english.get(word) or english.get(singular(word), word)).split("_")
    )


def snake(name: str) -> str:
    """Return a name in snake case, in English."""
    return "_".join(words_of(name))


def own_snake(name: str) -> str:
    """Return a name in snake case, in its own language."""
    return "_".join(_own_words(name))


def one_of(name: str) -> str:
    """Return the name of a table in snake case and singular."""
    return singular(snake(name))


def key_stem(name: str) -> str:
    """Return what a column in snake case is the key of: customer_id, id_customer; or ''."""
    words = name.split("_")
    if words[-1] in KEY_LAST and words[1:]:
        return "_".join(words[:-1])
    return "_".join(words[1:]) if words[0] in KEY_FIRST else ""


def singulars_of(catalog: Catalog, table: Table) -> set[str]:
    """Return the singular of a table's name, with and without the prefixes of its schema."""
    if not catalog.singulars:
        catalog.singulars.update(_all_singulars(catalog))
    return catalog.singulars[table.relation]


def _bared(names: set[str]) -> set[str]:
    """Return names without words that say nothing: customer_entity, tbl_order."""
    around = evidence()["around_tables"]
    return {
        singular(name.removesuffix(f"_{end}").removeprefix(f"{start}_"))
        for name in names
        for end in around["behind"]
        for start in around["before"]
    }


def _all_singulars(catalog: Catalog) -> Iterator[tuple[str, set[str]]]:
    """Yield each relation with the singulars of its name.

    A prefix is what most tables of a schema begin with: spree_, wp_ and wp_bookly_.
    """
    schemas: dict[str, list[Table]] = {}
    for table in catalog.tables.values():
        schemas.setdefault(table.schema, []).append(table)
    for tables in schemas.values():
        begins = Counter(begin for table in tables for begin in _begins(table))
        # order_ in order_item and order_note is no prefix, but the table that they belong to
        ones = {one_of(table.name) for table in tables}
        prefixes = {
            begin
            for begin, count in begins.items()
            if len(tables) >= FEW and count * 2 > len(tables) and begin not in ones
        }
        for table in tables:
            name = one_of(table.name)
            bare = {name.removeprefix(f"{b}_") for b in _begins(table) if b in prefixes}
            yield table.relation, {name, *bare}


def _begins(table: Table) -> list[str]:
    """Return what a table's name begins with, in snake case: wp and wp_bookly."""
    own = words_of(table.name)
    return ["_".join(own[:count]) for count in range(1, len(own))]


def is_copy(table: Table, other: Table) -> bool:
    """Return whether another schema has a table of the same name with nearly its columns."""
    is_named = other.schema != table.schema and one_of(other.name) == one_of(table.name)
    return is_named and _are_alike(table, other)


def is_part(table: Table, other: Table) -> bool:
    """Return whether a table beside it holds more of its rows: orders_archive, old_orders."""
    own, name = {snake(table.name), one_of(table.name)}, snake(other.name)
    is_named = any(name.startswith(f"{one}_") or name.endswith(f"_{one}") for one in own)
    return other.schema == table.schema and is_named and _are_alike(table, other)


def _are_alike(table: Table, other: Table) -> bool:
    """Return whether two tables have nearly the same columns."""
    own, theirs = ({snake(name) for name in one.columns} for one in (table, other))
    return len(own & theirs) >= MOSTLY * len(own | theirs)


def rank_of_table(
    table: Table, synonyms: Sequence[str], catalog: Catalog
) -> tuple[int | None, bool]:
    """Return which synonym a table's name matches, and whether only its end matches."""
    names = singulars_of(catalog, table)
    name = one_of(table.name)
    for rank, synonym in enumerate(synonyms):
        if synonym in names:
            return rank, False
    # Django puts the app before the name: order_order
    bared = _bared(names)
    for rank, synonym in enumerate(synonyms):
        if name.endswith(f"_{synonym}") or synonym in bared:
            return rank, True
    return None, False


def name_points(
    column: Column, table: Table, names: Sequence[str], *, is_time: bool
) -> tuple[int, str]:
    """Return the points for a column's name, and the name that it matches best."""
    forms = _forms(column, table, is_time=is_time)
    best = 0, ""
    for rank, name in enumerate(names):
        wanted = tuple(name.split("_"))
        forms_wanted = [wanted, without_time(wanted)] if is_time else [wanted]
        if any(form == asked for form in forms for asked in forms_wanted if asked):
            points = max(NAME - LESS * rank, LEAST)
        elif name not in TIME_WORDS and any(
            asked and form[-len(asked) :] == asked for form in forms for asked in forms_wanted
        ):
            points = max(PARTLY - rank, 20)
        elif name in column.comment.lower().replace(" ", "_").split(","):
            points = PARTLY
        else:
            continue
        if points > best[0]:
            best = points, name
    return best


@cache
def _first_of_all(columns: tuple[str, ...]) -> str:
    """Return the word that the names of all columns begin with: c_ in TPC-H; or ''."""
    firsts = {words_of(name)[0] for name in columns if words_of(name)[1:]}
    alike = len(firsts) == 1 and all(words_of(name)[1:] for name in columns)
    return firsts.pop() if alike and len(columns) >= FEW else ""


def bare_words(column: Column, table: Table) -> tuple[str, ...]:
    """Return the words of a column's name without one that all of its table begin with."""
    own = words_of(column.name)
    return own[1:] if own[0] == _first_of_all(tuple(table.columns)) else own


def _forms(column: Column, table: Table, *, is_time: bool) -> list[tuple[str, ...]]:
    """Return what the name of a column may mean, as words."""
    own = bare_words(column, table)
    stem = words_of(one_of(table.name))
    forms = [own]
    for key in table.key:
        # appt_date in a table whose key is appt_id
        short = tuple(word for word in key_stem(snake(key)).split("_") if word)
        if short and own[: len(short)] == short and len(own) > len(short):
            forms.append(own[len(short) :])
    if own[: len(stem)] == stem and len(own) > len(stem):
        forms.append(own[len(stem) :])
    elif own[0] in map(singular, words_of(table.name)) and own[1:]:
        forms.append(own[1:])
    if own[-1:] == ("id",) or own[:1] in (("id",), ("fk",)):
        # id_services is service_id, and id_users_provider, a link to users, is provider_id
        parts = [singular(word) for word in key_stem("_".join(own)).split("_")]
        link = table.link_of(column.name)
        forms.append((*parts, "id"))
        if link and parts[1:] and singular(snake(link.to)).endswith(f"_{parts[0]}"):
            forms.append((*parts[1:], "id"))
    if own[-1] in CENTS and own[1:]:
        # convert reads the unit
        forms.append(own[: -2 if own[-2:-1] == ("in",) and own[2:] else -1])
    if "money" in own and own[1:]:
        # amount_money_amount is the amount of a document amount_money
        forms.append(tuple(dict.fromkeys(word for word in own if word != "money")))
    if is_time:
        forms = [*forms, *(without_time(form) for form in forms)]
    return forms


def without_time(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of a name without those that only say that it is a date."""
    while len(words) > 1 and words[-1] in TIME_WORDS:
        words = words[:-1]
    while len(words) > 1 and words[0] in TIME_FIRST:
        words = words[1:]
    return words


def time_beside(table: Table, date: Column) -> Column | None:
    """Return the column with the time of day that belongs to a date, or None."""
    times = {
        without_time(words_of(column.name)): column
        for column in table.columns.values()
        if column.family == "time"
    }
    own = without_time(words_of(date.name))
    begins = [(word,) for word in ("start", "starts", "begin", "begins", "from", "time")]
    named = next((times[name] for name in (own, *begins) if name in times), None)
    named = named or next(
        (
            column
            for column in table.columns.values()
            if column.family == "text"
            and {"time", "hour"} & {*words_of(column.name)}
            and without_time(words_of(column.name)) == own
        ),
        None,
    )
    dates = [column for column in table.columns.values() if column.family == "date"]
    is_only = len(dates) == len(times) == 1
    return named or (next(iter(times.values())) if is_only else None)


def name_rank(name: str, names: Sequence[str]) -> int:
    """Return the place of a name in a list, or the list's length."""
    own = snake(name)
    return next((rank for rank, one in enumerate(names) if own == one), len(names))


def may_be_answer(column: Column) -> bool:
    """Return whether a question may name a column: not when a row ended or was copied."""
    ended = {"cancel", "canceled", "cancelled", "deleted", "archived", "voided", "expired"}
    return not {*ended, *evidence()["copied"]} & set(words_of(column.name))


def is_past(name: str) -> bool:
    """Return whether a name is that of a past time of a row, not of a plan or a copy."""
    return not {*evidence()["planned"], *evidence()["copied"]} & set(words_of(name))
