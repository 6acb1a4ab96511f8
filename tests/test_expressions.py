"""What expressions mean: comparisons, patterns and orders, on values as documents hold them."""

from __future__ import annotations

import functools
import itertools
import math
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arangopipe.model.filters import (
    And,
    Compare,
    Expression,
    In,
    IsNull,
    Like,
    Not,
    Or,
    OrderKey,
    Path,
    comparable,
    like_prefix,
    like_to_glob,
    matches,
    ordered,
    parse,
    predicate,
    sort_key,
)

X = Path(("x",))

literals = st.one_of(
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, 0.0, 1.0, "1", 2**53, 2**53 + 1, -(2**53) - 1]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=3),
)
scalars = st.one_of(literals, st.none(), st.just({}), st.just(math.nan))


def read_text(text: str) -> Expression:
    expression = parse(text)
    assert expression is not None
    return expression


def check(document: dict[str, list[Any]], text: str) -> bool:
    return matches(read_text(text), lambda path: document.get(path.text, []))


DOCUMENT: dict[str, list[Any]] = {
    "n": [5],
    "f": [0.5],
    "t": ["b"],
    "yes": [True],
    "null": [None],
    "tags": ["a", "b", None, 3],
    "object": [{}],
    "big": [2**53 + 1],
    "edge": [2**53],
    "nan": [math.nan, math.inf],
    "lines": ["one\ntwo"],
    "street": ["Straße"],
}


@pytest.mark.parametrize(
    "text",
    [
        "n = 5", "n = 5.0", "n != 4", "n < 6", "n >= 5", "n in (1, 5)", "n is not null",
        "f = .5", "f < 1", "t = 'b'", "t > 'a'", "t < 'c'", "t != ''", "t > 'Z'",
        "yes = true", "yes != false", "yes > false", "yes in (true)",
        "tags = 'a'", "tags = 'b'", "tags != 'a'", "tags = 3", "tags like 'a'", "tags is not null",
        '"null" is null', "missing is null", "object is not null", "nan is not null",
        "not missing = 1", "not missing != 1", "missing not in (1)", "missing not like '%'",
        "not (n = 5 and n = 6)", "n = 6 or n = 5", "n = 6 or n = 7 or not n = 8",
        "big = 9007199254740993", "big = '9007199254740993'", "big like '900%'", "big < 'a'",
        "edge = 9007199254740992", "edge = 9007199254740992.0", "edge < 1e300",
        "lines like 'one%two'", "lines like 'one_two'", "street ilike 'STRASSE'",
        "street like 'S%e'",
        "t like 'b'", "t like '%'", "t like '_'", "t ilike 'B'",
    ],
)  # fmt: skip
def test_what_holds(text: str) -> None:
    assert check(DOCUMENT, text)
    assert not check(DOCUMENT, f"not ({text})")


@pytest.mark.parametrize(
    "text",
    [
        "n = '5'", "n != '5'", "n != 'a'", "n = true", "n in ('5', true)", "n like '5'",
        "n is null",
        "yes = 1", "yes != 1", "yes = 'true'", "yes in (1, 'true')", "t != 5", "t = 'B'",
        "t like 'B'",
        "missing = 1", "missing != 1", "missing < 1", "missing like '%'", "missing in (1)",
        '"null" = 1', '"null" != 1', '"null" in (1)', '"null" like \'%\'',
        "object = 1", "object != 1", "object like '%'", "nan > 0", "nan != 0", "nan in (0)",
        "big > 5", "big = 9007199254740992", "big = 9007199254740993.0",
        "edge = '9007199254740992'",
        "n = 99999999999999999999", "n < 99999999999999999999",
        "street like 'strasse'", "street like 'S%E'", "street like 'S'", "tags like 'A'",
        "tags is null",
        "missing is not null",
    ],
)  # fmt: skip
def test_what_does_not_hold(text: str) -> None:
    assert not check(DOCUMENT, text)
    assert check(DOCUMENT, f"not ({text})")


@pytest.mark.parametrize("op", ["=", "!=", "<", ">="])
@pytest.mark.parametrize("literal", [math.nan, math.inf])
def test_nothing_compares_with_what_is_not_finite(op: Any, literal: float) -> None:
    def read(path: Path) -> list[object]:
        return [1, "a", None, {}, math.nan]

    assert not matches(Compare(X, op, literal), read)
    assert not matches(In(X, (literal,)), read)


@given(st.lists(scalars, max_size=3), literals)
def test_comparisons_agree_with_each_other(values: list[Any], literal: Any) -> None:
    holds = {op: matches(Compare(X, op, literal), lambda _: values) for op in ("=", "!=", "<", ">")}
    assert matches(Compare(X, "<=", literal), lambda _: values) == (holds["<"] or holds["="])
    assert matches(Compare(X, ">=", literal), lambda _: values) == (holds[">"] or holds["="])
    assert holds["!="] == (holds["<"] or holds[">"])
    assert matches(In(X, (literal,)), lambda _: values) == holds["="]
    if any(holds.values()):
        assert not matches(IsNull(X), lambda _: values)


parts = st.sampled_from(["x = 1", "x != 1", "x > 'a'", "x is null", "x like '%'", "x in (true, 0)"])


@given(st.lists(parts.map(read_text), min_size=2, max_size=3), st.lists(scalars, max_size=3))
def test_and_or_not_are_plain(items: list[Expression], values: list[Any]) -> None:
    def holds(expression: Expression) -> bool:
        return predicate(expression)(lambda path: values)

    each = [holds(item) for item in items]
    assert holds(And(tuple(items))) == all(each)
    assert holds(Or(tuple(items))) == any(each)
    assert [holds(Not(item)) for item in items] == [not held for held in each]


def test_what_is_comparable() -> None:
    big = 2**53
    same: list[Any] = [0, -1.5, "", "a", True, False, big, -big, 1e300]
    assert [repr(comparable(value)) for value in same] == [repr(value) for value in same]
    assert comparable(big + 1) == "9007199254740993"
    assert comparable(-big - 1) == "-9007199254740993"
    refused: list[Any] = [None, {}, [], math.nan, math.inf, -math.inf, object()]
    assert [comparable(value) for value in refused] == [None] * 7


# Patterns

patterns = st.text("%_\\abßA*?[]^-!\n", max_size=8)


def like(pattern: str, text: str) -> bool:
    """The slow and plain meaning of a pattern."""
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(like(pattern[1:], text[start:]) for start in range(len(text) + 1))
    literal = pattern[0] == "\\" and len(pattern) > 1
    head, rest = (pattern[1], pattern[2:]) if literal else (pattern[0], pattern[1:])
    fits = bool(text) and (text[0] == head or (head == "_" and not literal))
    return fits and like(rest, text[1:])


texts = st.text("ab%_\\*?[]^-!\n\0ßẞAé", max_size=8)


@given(patterns, texts)
@example("\\", "\\")
def test_like_means_what_it_says(pattern: str, text: str) -> None:
    assert matches(Like(X, pattern), lambda _: [text]) == like(pattern, text)
    folded = like(pattern.casefold(), text.casefold())
    assert matches(Like(X, pattern, True), lambda _: [text]) == folded
    if like(pattern, text):
        assert text.startswith(like_prefix(pattern))


@pytest.fixture(scope="module")
def database() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


@given(patterns, texts.map(lambda text: text.replace("\0", "")))
def test_glob_of_sqlite_agrees(database: sqlite3.Connection, pattern: str, text: str) -> None:
    (found,) = database.execute("SELECT ? GLOB ?", (text, like_to_glob(pattern))).fetchone()
    assert bool(found) == matches(Like(X, pattern), lambda _: [text])


def test_glob_of_sqlite_ends_at_a_nul(database: sqlite3.Connection) -> None:
    assert database.execute("SELECT ? GLOB ?", ("a\0b", like_to_glob("a"))).fetchone() == (1,)
    assert not matches(Like(X, "a"), lambda _: ["a\0b"])


@pytest.mark.parametrize(
    ("pattern", "prefix", "glob"),
    [
        ("ridge%", "ridge", "ridge*"),
        ("r\\%d_e", "r%d", "r%d?e"),
        ("a*b?[c]", "a*b?[c]", "a[*]b[?][[]c]"),
        ("%", "", "*"),
        ("a\\\\%", "a\\", "a\\*"),
        ("\\a\\b", "ab", "ab"),
    ],
)
def test_patterns_are_translated(pattern: str, prefix: str, glob: str) -> None:
    assert (like_prefix(pattern), like_to_glob(pattern)) == (prefix, glob)


def test_no_pattern_takes_long() -> None:
    # With plain backtracking this takes longer than the universe has existed.
    assert not matches(Like(X, "%a" * 40 + "%b"), lambda _: ["a" * 2_000])


# Order


def test_sort_keys_rank_types() -> None:
    values: list[list[Any]] = [[True], ["b"], [2**53 + 1], [2], [False], ["a"], [-0.5]]
    expected = [[-0.5], [2], [2**53 + 1], ["a"], ["b"], [False], [True]]
    assert sorted(values, key=sort_key) == expected
    missing: list[list[Any]] = [[], [None], [1, 2], [{}], [math.nan], [1, None]]
    assert {sort_key(values) for values in missing} == {(True, 0, 0)}


@given(
    st.lists(st.tuples(st.lists(scalars, max_size=2), st.lists(scalars, max_size=2)), max_size=6),
    st.lists(st.tuples(st.sampled_from([0, 1]), st.booleans()), max_size=2),
)
def test_order_of_records(rows: list[Any], wanted: list[tuple[int, bool]]) -> None:
    keys = [OrderKey(Path((str(column),)), descending) for column, descending in wanted]

    def compare(one: int, other: int) -> int:
        for key in keys:
            column = int(key.path.segments[0])
            left, right = sort_key(rows[one][column]), sort_key(rows[other][column])
            if left[0] != right[0]:
                return 1 if left[0] else -1
            if left != right:
                return -1 if (left < right) != key.descending else 1
        return (one - other) * (-1 if keys and keys[-1].descending else 1)

    def read(record: int, path: Path) -> Sequence[object]:
        values: list[object] = rows[record][int(path.segments[0])]
        return values

    records = range(len(rows))
    expected = sorted(records, key=functools.cmp_to_key(compare))
    for shuffled in itertools.islice(itertools.permutations(records), 5):
        assert ordered(shuffled, keys, read, tie=int) == expected
