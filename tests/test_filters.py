"""The search language: from text to expression and back, and what is wrong with a text."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arangopipe.errors import FilterSyntaxError, InvalidInput
from arangopipe.model import expressions, filters
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
    matches,
    parse,
    parse_order,
    parse_path,
    path_text,
    paths,
    to_text,
)

X, Y, Z = Path(("x",)), Path(("y",)), Path(("z",))
A, B, C = Compare(X, "=", 1), Compare(Y, "=", 2), Compare(Z, "=", 3)

names = st.one_of(
    st.text(max_size=4),
    st.text("ab_-.09\"'é² %", max_size=4),
    st.sampled_from(["model", "x", "and", "NOT", "in", "ilike", "true", "null", "desc", "asc"]),
)
all_paths = st.builds(Path, st.lists(names, min_size=1, max_size=3).map(tuple), st.booleans())
literals = st.one_of(
    st.booleans(),
    st.integers(),
    st.sampled_from([2**53, -(2**53), 2**53 + 1, -(2**53) - 1, 10**400]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)
patterns = st.text("%_\\abßA*?[]^-!\n", max_size=8).map(
    lambda text: text + "\\" * (len(text) - len(text.rstrip("\\")) & 1)
)
leaves = st.one_of(
    st.builds(Compare, all_paths, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), literals),
    st.builds(In, all_paths, st.lists(literals, min_size=1, max_size=3).map(tuple)),
    st.builds(Like, all_paths, patterns, st.booleans()),
    st.builds(IsNull, all_paths),
)


def _nested(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(st.builds(And, several), st.builds(Or, several), st.builds(Not, inner))


all_expressions = st.recursive(leaves, _nested, max_leaves=8)


# Text to expression


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1", A),
        ("x=1", A),
        ("x == 1", A),
        ("x <> 1", Compare(X, "!=", 1)),
        ("x >= -1.5", Compare(X, ">=", -1.5)),
        ("x < +2", Compare(X, "<", 2)),
        ("x = 1e-3", Compare(X, "=", 0.001)),
        ("x = .5", Compare(X, "=", 0.5)),
        ("x = 1E2", Compare(X, "=", 100.0)),
        ("x = 123456789012345678901234567890", Compare(X, "=", 123456789012345678901234567890)),
        ("x = 'it''s'", Compare(X, "=", "it's")),
        ('x = "say ""hi"""', Compare(X, "=", 'say "hi"')),
        ("x = ''", Compare(X, "=", "")),
        ("x = 'a\nb\\'", Compare(X, "=", "a\nb\\")),
        ("x = TRUE", Compare(X, "=", True)),
        ("x != false", Compare(X, "!=", False)),
        ("x in (1, 'a', true)", In(X, (1, "a", True))),
        ("x NOT IN (1)", Not(In(X, (1,)))),
        ("x like 'a%'", Like(X, "a%")),
        ("x iLike \"a%\"", Like(X, "a%", True)),
        ("x not ilike 'a%'", Not(Like(X, "a%", True))),
        ("x is null", IsNull(X)),
        ("x Is Not Null", Not(IsNull(X))),
        ("x = 1 or y = 2 and z = 3", Or((A, And((B, C))))),
        ("(x = 1 or y = 2) and z = 3", And((Or((A, B)), C))),
        ("not x = 1 and y = 2", And((Not(A), B))),
        ("not (x = 1 and y = 2)", Not(And((A, B)))),
        ("not not x = 1", Not(Not(A))),
        ("x = 1 and y = 2 and z = 3", And((A, B, C))),
        ("x = 1 and (y = 2 and z = 3)", And((A, And((B, C))))),
        ("\n( (x = 1 ) )\t", A),
        ("x = 'a'and y = 2", And((Compare(X, "=", "a"), B))),
        ('"x" = 1', Compare(Path(("x",), own=True), "=", 1)),
        ("model.technique = 'r'", Compare(Path(("model", "technique")), "=", "r")),
        ('"model".x = 1', Compare(Path(("model", "x"), own=True), "=", 1)),
        ('metrics."r.squared" > 0', Compare(Path(("metrics", "r.squared")), ">", 0)),
        ("in.not.null = 1", Compare(Path(("in", "not", "null")), "=", 1)),
        ("android = 1", Compare(Path(("android",)), "=", 1)),
        ("f1-score = 1", Compare(Path(("f1-score",)), "=", 1)),
        ("desc = 1", Compare(Path(("desc",)), "=", 1)),
        ("größe.µs.R² = 1", Compare(Path(("größe", "µs", "R²")), "=", 1)),
    ],
)  # fmt: skip
def test_text_is_read(text: str, expected: Expression) -> None:
    # repr, because 1 == 1.0 == True.
    assert repr(parse(text)) == repr(expected)


@pytest.mark.parametrize("text", ["", "  ", "\n\t\u00a0"])
def test_blank_text_asks_nothing(text: str) -> None:
    assert parse(text) is None
    assert parse_order(text) == ()


@given(all_expressions)
def test_an_expression_survives_being_written(expression: Expression) -> None:
    assert repr(parse(to_text(expression))) == repr(expression)


def test_paths_come_from_left_to_right() -> None:
    expression = parse("a = 1 and (b in (2) or not c.d like 'x') and a is null")
    assert expression is not None
    assert [path.text for path in paths(expression)] == ["a", "b", "c.d", "a"]


# Paths and orders


@given(all_paths)
@example(Path(("KELVIN".replace("K", "\u212a"), "x")))
@example(Path(("li\u212ae",)))
@example(Path(("i\u017f",)))
@example(Path(("\ufeffx", "y")))
@example(Path(("\u1680", "\u2028")))
def test_a_path_survives_being_written(path: Path) -> None:
    assert parse_path(path.text) == path
    assert parse_path(f" {path.text}\n") == path
    assert parse(to_text(IsNull(path))) == IsNull(path)


@given(st.lists(names, max_size=3), st.lists(names, max_size=3))
@example(["a.b"], ["a", "b"])
@example(['a"."b'], ["a", "b"])
@example([""], [])
def test_no_two_paths_have_the_same_text(one: list[str], other: list[str]) -> None:
    assert (path_text(one) == path_text(other)) == (one == other)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (Path(("metrics", "rmse")), "metrics.rmse"),
        (Path(("metrics", "r.squared")), 'metrics."r.squared"'),
        (Path(("val/loss",)), '"val/loss"'),
        (Path(('say "hi"', "1st")), '"say ""hi"""."1st"'),
        (Path(("And",)), '"And"'),
        (Path(("and", "or")), "and.or"),
        (Path(("li\u212ae",)), "li\u212ae"),
        (Path(("", "größe")), '"".größe'),
    ],
)
def test_canonical_text_of_a_path(path: Path, text: str) -> None:
    assert path.text == path_text(path.segments) == text


def test_a_quoted_first_name_is_the_documents_own() -> None:
    own = Path(("model", "x"), own=True)
    assert (own.text, path_text(own.segments)) == ('"model".x', "model.x")
    assert Path(("r.squared", "x")).own
    assert not Path(("model", "r.squared")).own


def test_grammar_and_module_agree_on_the_characters_of_a_name() -> None:
    grammar = resources.files("arangopipe.model").joinpath("filters.lark").read_text("utf-8")
    assert f"/{expressions.CHARACTER}/" in grammar


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("metrics.rmse", "metrics.rmse"),
        ("-metrics.rmse", "metrics.rmse desc"),
        ("x desc, y ASC,z", "x desc, y, z"),
        (["-x", "y desc", "z, x"], "x desc, y desc, z, x"),
        ((OrderKey(X, True), "-y"), "x desc, y desc"),
        ("desc desc", "desc desc"),
        ('-"and", "-x" desc', '"and" desc, "-x" desc'),
        ([], ""),
    ],
)
def test_orders(order: str | Sequence[str | OrderKey], expected: str) -> None:
    assert ", ".join(key.text for key in parse_order(order)) == expected


@given(st.lists(st.builds(OrderKey, all_paths, st.booleans()), max_size=3))
def test_an_order_survives_being_written(keys: list[OrderKey]) -> None:
    assert parse_order(", ".join(key.text for key in keys)) == tuple(keys)


# What is wrong with a text

A_VALUE = "expected a value (a number, 'text', true or false), found "
A_PATH = "expected a path such as metrics.rmse, found "
AN_OPERATOR = "expected =, !=, <, <=, >, >=, in, like, ilike or is, found "
A_NAME = "expected a name after the dot, found "
IF_TEXT = "if it is text, put it in quotes: "
Y_Z = '"y".z'
DIGIT = "a name that starts with a digit needs quotes: "
QUOTE = "such a name needs quotes: "
PATH_END = "expected the end of the path, found "
ALONE = "a pattern cannot end in a single backslash (two stand for the character itself)"

MISTAKES = [
    ("technique = ridge", 12, f"{A_VALUE}ridge ({IF_TEXT}'ridge')"),
    ("x = 2026-11-23", 4, f"{A_VALUE}2026-11-23 ({IF_TEXT}'2026-11-23')"),
    ("x = y.z", 4, f"{A_VALUE}y.z (two paths cannot be compared; {IF_TEXT}'y.z')"),
    ('x = "y".z', 4, f"{A_VALUE}{Y_Z} (two paths cannot be compared; {IF_TEXT}'{Y_Z}')"),
    ("x = 1.2.3", 4, f"{A_VALUE}1.2.3 ({IF_TEXT}'1.2.3')"),
    ("x = null", 4, f"{A_VALUE}null (write: is null)"),
    ("x != NULL", 5, f"{A_VALUE}NULL (write: is not null)"),
    ("x in ()", 6, f"{A_VALUE})"),
    ("x = ", 3, f"{A_VALUE}the end"),
    ("x = ‘ridge’", 4, f"{A_VALUE}‘ridge’ (use straight quotes)"),
    (f"x = {'a' * 99}", 4, f"{A_VALUE}{'a' * 60}…"),
    ("5 < x", 0, f"{A_PATH}5 (the path comes first: x > 5)"),
    ("y = 2 and 'a' = x", 10, f"{A_PATH}'a' (the path comes first: x = 'a')"),
    ("'my name' = 5", 0, f"{A_PATH}'my name' (the path comes first; a name takes double quotes)"),
    ("and = 1", 0, f'{A_PATH}and (as a name it needs quotes: "and")'),
    ("1st = 1", 0, f'{A_PATH}1st ({DIGIT}"1st")'),
    ("!x = 1", 0, f"{A_PATH}! (write not)"),
    ("x = 1 and", 9, f"{A_PATH}the end"),
    ("metrics.1st.x = 1", 8, f'{A_NAME}1st.x ({DIGIT}"1st")'),
    ("metrics.5 = 1", 8, f'{A_NAME}5 ({DIGIT}"5")'),
    ("metrics. x = 1", 8, f"{A_NAME}a blank"),
    ("metrics.'x' = 1", 8, f"{A_NAME}' (a name takes double quotes)"),
    ("x.", 2, f"{A_NAME}the end"),
    ("metrics.val/loss < 1", 11, f'{AN_OPERATOR}/loss ({QUOTE}"val/loss")'),
    ("x ~ 1", 2, f"{AN_OPERATOR}~"),
    ("x AND y = 2", 2, f"{AN_OPERATOR}AND"),
    ("x", 1, f"{AN_OPERATOR}the end"),
    ("x not 5", 6, "expected in, like or ilike, found 5"),
    ("x is 5", 5, "expected null or not null, found 5"),
    ("x is not 5", 9, "expected null, found 5"),
    ("x like 5", 7, "expected a pattern in quotes such as 'ridge%', found 5"),
    ("x in 5", 5, "expected values in parentheses such as (1, 2), found 5"),
    ("x in (1 2)", 8, "expected a comma or a closing ), found 2"),
    ("x = 'it's'", 8, "expected and / or, found s (inside text, write a quote twice)"),
    ("x = 1 && y = 2", 6, "expected and / or, found &&"),
    ("x = 1)", 5, "expected the end, found ) (no ( is open)"),
    ("(x = 1", 6, "expected a closing ), found the end"),
    ("x = 'abc", 4, "a quote that is never closed"),
    ("x = 'abc''", 4, "a quote that is never closed"),
    ('x = "abc""', 4, "a quote that is never closed"),
    ('"x = 1', 0, "a quote that is never closed"),
    ('metrics."x = 1', 8, "a quote that is never closed"),
    ("x like 'a\\'", 9, ALONE),
    ("x = 1e999", 4, "a number too large to hold"),
    ("x = -1e999", 4, "a number too large to hold"),
    (f"x = -{'9' * 4001}", 4, "a whole number of over 4,000 digits"),
    ("x = '\ud800'", 5, "half of a surrogate pair"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "position", "reason"), MISTAKES)
def test_a_mistake_is_explained(text: str, position: int, reason: str) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        parse(text)
    assert (caught.value.reason, caught.value.position) == (reason, position)
    str(caught.value).encode()


@pytest.mark.parametrize(
    ("read", "text", "position", "reason"),
    [
        (parse_order, "x, ", 2, f"{A_PATH}the end"),
        (parse_order, "x y", 2, "expected asc, desc or a comma, found y"),
        (parse_order, "-x desc", 3, "expected a comma, found desc"),
        (parse_order, "x.5", 2, f'{A_NAME}5 ({DIGIT}"5")'),
        (parse_path, "", 0, f"{A_PATH}the end"),
        (parse_path, "x y", 2, f"{PATH_END}y"),
        (parse_path, "x = 1", 2, f"{PATH_END}="),
        (parse_path, "hits@10", 4, f'{PATH_END}@10 ({QUOTE}"hits@10")'),
        (parse_path, "x..y", 2, f"{A_NAME}.y"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_path_or_an_order(read: Any, text: str, position: int, reason: str) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        read(text)
    assert (caught.value.reason, caught.value.position) == (reason, position)


@pytest.mark.parametrize(
    "drawing",
    [
        f"{A_VALUE}ridge ({IF_TEXT}'ridge') at position 13:\n  technique = ridge\n              ^",
        f"{A_PATH}5 (the path comes first: x > 5) at position 1:\n  5 < x\n  ^",
        "expected a closing ), found the end at position 7:\n  (x = 1\n        ^",
        "a quote that is never closed at position 7:\n  größe='a\n        ^",
    ],
)
def test_a_mistake_is_drawn(drawing: str) -> None:
    with pytest.raises(FilterSyntaxError) as caught:
        parse(drawing.split("\n")[1][2:])
    assert str(caught.value) == drawing


def test_a_mistake_on_a_later_line_is_drawn_there() -> None:
    with pytest.raises(FilterSyntaxError, match=r":\n  and y == z\n           \^\Z"):
        parse("x = 1\nand y == z\nor x = 2")


pieces = st.sampled_from(
    [
        "x", "metrics.r", '"q.r"', "=", "!=", "<", "in", "(", ")", ",", "and", "or", "not", "like", "is",
        "null", "true", "1", "-2.5", "'a'", ".", "-", '"', "'", "!", "1st", "é", "$", "desc", "\n",
    ]
)  # fmt: skip
terminals = re.compile(r"[A-Z]{4}|_[A-Z]|\$END|[Tt]oken")


@given(st.one_of(st.text(), st.lists(pieces).map(" ".join), st.lists(pieces).map("".join)))
def test_any_text_is_read_or_refused(text: str) -> None:
    reads: list[Callable[[str], object]] = [parse, parse_path, parse_order]
    for read in reads:
        mistake = _mistake(read, text)
        if mistake is not None:
            assert 0 <= mistake.position <= len(text)
            assert not terminals.search(mistake.reason.split(", found ")[0])


def _mistake(read: Callable[[str], object], text: str) -> FilterSyntaxError | None:
    try:
        read(text)
    except FilterSyntaxError as error:
        return error
    return None


@pytest.mark.parametrize("value", [None, 5, b"x = 1", {"x": 1}])
def test_only_text_is_read(value: Any) -> None:
    with pytest.raises(InvalidInput, match="text"):
        parse(value)


# Size


def test_parentheses_may_be_deep() -> None:
    assert parse("(" * 20_000 + "x = 1" + ")" * 20_000) == A
    with pytest.raises(FilterSyntaxError, match="found the end"):
        parse("(" * 20_000)


@pytest.mark.parametrize("opening", ["not ", "not (", "x = 1 or (y = 2 and ("])
def test_meaning_may_not_be_deep(opening: str) -> None:
    closing = ")" * opening.count("(")
    with pytest.raises(FilterSyntaxError, match="nested deeper than 100 levels") as caught:
        parse(opening * 1_000 + "x = 1" + closing * 1_000)
    assert caught.value.text[caught.value.position :].startswith(("not ", "x = 1", "y = 2"))
    expression = parse(opening * 40 + "x = 1" + closing * 40)
    assert expression is not None
    assert repr(parse(to_text(expression))) == repr(expression)
    assert isinstance(matches(expression, lambda path: []), bool)


@pytest.mark.parametrize(("word", "kind"), [("or", Or), ("and", And)])
def test_chains_may_be_long(word: str, kind: Any) -> None:
    expression = parse(f" {word} ".join(f"x = {number}" for number in range(5_000)))
    assert isinstance(expression, kind)
    assert len(expression.items) == 5_000
    assert matches(expression, lambda path: list(range(5_000)))


def test_a_text_may_not_be_endless() -> None:
    with pytest.raises(FilterSyntaxError, match="300,008 characters, and 200,000 are the most") as caught:
        parse(f"x in ({'1, ' * 100_000}1)")
    assert len(str(caught.value)) < 300


def test_whole_numbers_may_have_4000_digits() -> None:
    for number in (10**4000 - 1, 1 - 10**4000):
        assert parse(f"x = {number}") == Compare(X, "=", number)


def test_threads_share_one_parser() -> None:
    filters._parser.cache_clear()
    texts = [f"x = {number} and y = 2" for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(parse, texts))
    assert [to_text(expression) for expression in found if expression is not None] == texts
    assert filters._parser.cache_info().misses == 1


def test_lark_waits_until_it_is_needed() -> None:
    code = "import sys, arangopipe.model.filters; assert 'lark' not in sys.modules"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=environment)
