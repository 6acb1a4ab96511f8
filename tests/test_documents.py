"""The rule by which what callers hold becomes a document."""

from __future__ import annotations

import enum
import json
import math
import uuid
from collections import OrderedDict, UserDict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangopipe.errors import InvalidInput
from arangopipe.model.documents import dump, load, normalise

PLUS_TWO = timezone(timedelta(hours=2))


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Settings:
    rate: float
    layers: list[int]


class Text(str):
    pass


def plain(value: Any) -> Any:
    return normalise({"x": value})["x"]


@pytest.mark.parametrize(
    "value",
    [
        "text",
        "ünïcødé 🐍 \u0000 \n",
        "",
        True,
        False,
        None,
        0,
        -1,
        2**53 + 1,
        pytest.param(10**3_999, id="a large integer"),
        1.5,
        -0.0,
        1e-320,
        [],
        {},
        [1, [2, {"a": None}]],
        {"a.b": {"": 1}},
    ],
)
def test_what_json_holds_stays_what_it_is(value: Any) -> None:
    assert plain(value) == value
    assert type(plain(value)) is type(value)
    assert load(dump({"x": plain(value)})) == {"x": value}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.uint8(255), 255),
        (np.float64(0.1), 0.1),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([1, 2]), [1, 2]),
        (np.array([[1.5], [2.5]]), [[1.5], [2.5]]),
        (np.array(7), 7),
        (np.array(["a", None], dtype=object), ["a", None]),
        (np.dtype("float64"), "float64"),
        (np.datetime64("2026-11-23T09:30"), "2026-11-23T09:30"),
        (np.timedelta64(5, "s"), "5 seconds"),
        (pd.Series([1, 2], index=["a", "b"]), [1, 2]),
        (pd.Index(["a", "b"]), ["a", "b"]),
        (pd.Series(["a", None], dtype="string"), ["a", None]),
        (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), {"a": [1, 2], "b": ["x", "y"]}),
        (pd.Timestamp("2026-11-23T09:30", tz="UTC"), "2026-11-23T09:30:00.000000Z"),
        (pd.NaT, None),
        (pd.NA, None),
        (pd.Timedelta(minutes=2), 120.0),
        (pd.CategoricalDtype(["a"]), "category"),
    ],
    ids=repr,
)
def test_numpy_and_pandas_become_their_plain_values(value: Any, expected: Any) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc), "2026-11-23T09:30:00.000000Z"),
        (datetime(2026, 11, 23, 11, 30, 0, 5, tzinfo=PLUS_TWO), "2026-11-23T09:30:00.000005Z"),
        (datetime(2026, 11, 23, 9, 30), "2026-11-23T09:30:00.000000"),
        (datetime.max.replace(tzinfo=timezone(-timedelta(hours=14))), "9999-12-31T23:59:59.999999-14:00"),
        (date(2026, 11, 23), "2026-11-23"),
        (time(9, 30), "09:30:00"),
        (timedelta(minutes=1, milliseconds=500), 60.5),
        (Decimal("0.5"), 0.5),
        (Decimal("0.1"), 0.1),
        (Decimal("10"), 10),
        (Decimal("1E+20"), 10**20),
        (Decimal("0.10000000000000000000001"), "0.10000000000000000000001"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/data/x.csv"), "/data/x.csv"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Settings(0.1, [8, 4]), {"rate": 0.1, "layers": [8, 4]}),
        (Text("a"), "a"),
        ((1, 2), [1, 2]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({2, 1}), [1, 2]),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (UserDict({"a": 1}), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        ({1: 1, 2.5: 2, None: 3, False: 4}, {"1": 1, "2.5": 2, "null": 3, "false": 4}),
        ({np.int64(1): 1, Colour.RED: 2, date(2026, 1, 2): 3}, {"1": 1, "red": 2, "2026-01-02": 3}),
    ],
    ids=repr,
)
def test_other_values_become_json_by_the_written_rule(value: Any, expected: Any) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (math.nan, "NaN is not a JSON number"),
        (-math.inf, "-Infinity is not a JSON number"),
        (np.float32("inf"), "Infinity is not a JSON number"),
        (np.array([1.0, math.nan]), r"x\[1\]\.?: NaN"),
        ({"a": [{"b": math.nan}]}, r"x\.a\[0\]\.b: NaN"),
        (Decimal("NaN"), "NaN is not a JSON number"),
        (b"bytes", "bytes cannot become JSON"),
        (object(), "object cannot become JSON"),
        (1j, "complex cannot become JSON"),
        ("\ud800", "half of a surrogate pair"),
        ({"\ud800": 1}, "half of a surrogate pair"),
        pytest.param(10**4_000, "the integer", id="a huge integer"),
        ({1: "a", "1": "b"}, "two keys become the same text"),
        ({(1, 2): "a"}, "cannot be a key"),
    ],
)
def test_what_cannot_be_held_is_refused_and_named(value: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        plain(value)


def test_a_document_that_contains_itself_is_refused() -> None:
    inner: list[Any] = []
    inner.append(inner)
    with pytest.raises(InvalidInput, match="contains itself"):
        plain(inner)
    outer: dict[str, Any] = {}
    outer["again"] = {"and": outer}
    with pytest.raises(InvalidInput, match="contains itself"):
        normalise(outer)


def test_a_document_is_a_mapping() -> None:
    with pytest.raises(InvalidInput, match="params must be a mapping, not list"):
        normalise([("a", 1)], "params")  # type: ignore[arg-type]


def test_attributes_with_an_underscore_in_front_are_reserved_at_the_top_only() -> None:
    with pytest.raises(InvalidInput, match="'_id'"):
        normalise({"_id": 1})
    assert plain({"_id": 1}) == {"_id": 1}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        (b"ab", "b'ab'"),
        (1j, "1j"),
        ("a\ud800", "'a\\ud800'"),
        ([1, math.inf], [1, "Infinity"]),
    ],
)
def test_lenient_keeps_text_and_tells(value: Any, kept: Any) -> None:
    told: list[str] = []
    assert normalise({"x": value}, "params", told.append) == {"x": kept}
    assert len(told) == 1
    assert told[0].startswith("params")


def test_the_callers_own_objects_are_neither_changed_nor_shared() -> None:
    array = np.array([1, 2])
    given_ = {"list": [1, {"a": [2]}], "array": array, 3: (4,)}
    before = json.dumps(given_["list"])
    found = normalise(given_)
    found["list"][1]["a"].append(9)
    found["array"].append(9)
    assert json.dumps(given_["list"]) == before
    assert array.tolist() == [1, 2]
    assert list(given_) == ["list", "array", 3]


def test_equal_documents_have_equal_text() -> None:
    one = dump(normalise({"b": {"y": 1, "x": "ü"}, "a": [1.0]}))
    other = dump(normalise({"a": (1.0,), "b": {"x": "ü", "y": np.int64(1)}}))
    assert one == other == '{"a":[1.0],"b":{"x":"ü","y":1}}'


def test_a_document_of_ten_megabytes_is_kept_whole() -> None:
    document = {"weights": "w" * 10_000_000, "rows": [{"i": i} for i in range(10_000)]}
    assert load(dump(normalise(document))) == document


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    scalars | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20
)


@given(st.dictionaries(texts.filter(lambda name: not name.startswith("_")), values))
def test_every_json_document_survives(document: dict[str, Any]) -> None:
    text = dump(normalise(document))
    assert load(text) == document
    assert dump(load(text)) == text
