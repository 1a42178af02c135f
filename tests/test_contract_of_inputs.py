"""The inputs' yml agrees with their page, their staging views and their words."""

import importlib.util
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from conftest import PROJECT

from flows.systems import registry


@pytest.fixture(scope="module")
def document() -> ModuleType:
    spec = importlib.util.spec_from_file_location("inputs", PROJECT / "docs" / "inputs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def inputs(document: ModuleType) -> list[dict[str, Any]]:
    return [one for system in registry() for one in document.contracts(system)]


def columns(inputs: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    for one in inputs:
        for column in one["columns"]:
            meta = column.get("config", {}).get("meta", {})
            yield f"{one['name']}.{column['name']}", column, meta


def test_the_page_of_the_inputs_is_current(document: ModuleType) -> None:
    assert (PROJECT / "docs" / "inputs.md").read_text() == document.page(), (
        "PYTHONPATH=. python docs/inputs.py writes it anew"
    )


def test_every_input_is_on_the_page_and_says_its_key(
    document: ModuleType, inputs: list[dict[str, Any]]
) -> None:
    files = {file.stem for file in PROJECT.glob("models/[!s]*/inputs/input_*.sql")}
    assert {one["name"] for one in inputs} == files
    for one in inputs:
        key = document.meta(one)["key"]
        assert key
        assert set(key) <= {column["name"] for column in one["columns"]}, one["name"]
        assert f"### `{one['name']}`" in document.page()


def test_words_that_are_allowed_are_described_and_no_others_in_capitals(
    inputs: list[dict[str, Any]],
) -> None:
    for name, column, meta in columns(inputs):
        words = set(re.findall(r"\w+", column["description"]))
        assert set(meta.get("allowed", [])) <= words, name
        assert set(meta) <= {"optional", "nullable", "allowed"}, name
        # an optional column may be NULL
        assert not (meta.get("optional") and meta.get("nullable")), name


def test_no_row_is_left_out_for_the_lack_of_what_may_lack(
    inputs: list[dict[str, Any]],
) -> None:
    may_lack = {
        name for name, _, meta in columns(inputs) if {"optional", "nullable"} & set(meta)
    }
    seen = 0
    for one in inputs:
        system, _, entity = one["name"].removeprefix("input_").partition("__")
        staging = PROJECT / "models" / system / "staging" / f"stg_{system}__{entity}.sql"
        text = staging.read_text()
        for listed in re.findall(r"required=\[(.*?)\]", text, re.DOTALL):
            for column in re.findall(r"'(\w+)'", listed):
                seen += 1
                assert f"{one['name']}.{column}" not in may_lack
        # the key and the words are those of the yml, and are written nowhere else
        assert text.count("known_values=") == text.count("words_of_input(")
        assert f"copy_number('{one['name']}'" in " ".join(text.split()).replace(
            "( '", "('"
        ) or (entity == "customer_statuses")
    assert seen > 40
