"""The search language: reads expressions by the grammar in ``filters.lark``, and writes them.

What an expression is and means stands in `expressions`; its names are public here as well.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from arangopipe.errors import FilterSyntaxError, InvalidInput
from arangopipe.model.expressions import (
    KEYWORD,
    NAME,
    And,
    Compare,
    Expression,
    In,
    IsNull,
    Like,
    Not,
    Operator,
    Or,
    OrderKey,
    Path,
    Read,
    Value,
    comparable,
    like_prefix,
    like_to_glob,
    matches,
    ordered,
    path_text,
    paths,
    predicate,
    quoted,
    sort_key,
)

if TYPE_CHECKING:
    from lark import Lark, Token

__all__ = [
    "And",
    "Compare",
    "Expression",
    "In",
    "IsNull",
    "Like",
    "Not",
    "Operator",
    "Or",
    "OrderKey",
    "Path",
    "Read",
    "Value",
    "comparable",
    "like_prefix",
    "like_to_glob",
    "matches",
    "ordered",
    "parse",
    "parse_order",
    "parse_path",
    "path_text",
    "paths",
    "predicate",
    "sort_key",
    "to_text",
]

MAX_TEXT = 200_000
"""Characters of a search: reading one takes seconds for each million."""
MAX_DEPTH = 100
MAX_DIGITS = 4_000


def parse(text: str) -> Expression | None:
    """Return the expression of a search text, or None if it is blank.

    Raises `FilterSyntaxError`, which shows where the text goes wrong.
    """
    found: Expression | None = _meaning(text, "search")
    return found


def parse_path(text: str) -> Path:
    """Return the path that a text such as ``metrics."r.squared"`` names."""
    path: Path | None = _meaning(text, "path")
    if path is None:
        raise FilterSyntaxError("expected a path such as metrics.rmse, found the end", text, 0)
    return path


def parse_order(order: str | Sequence[str | OrderKey]) -> tuple[OrderKey, ...]:
    """Return the keys of an order: ``"metrics.rmse desc, name"`` or ``["-metrics.rmse", …]``."""
    if not isinstance(order, (str, list, tuple)):
        raise InvalidInput(
            f"an order is a text or a list of texts, not {type(order).__name__} ({order!r:.80})"
        )
    keys: list[OrderKey] = []
    for part in [order] if isinstance(order, str) else order:
        keys += [part] if isinstance(part, OrderKey) else _meaning(part, "order") or ()
    return tuple(keys)


_lock = threading.Lock()


@cache
def _parser() -> Lark:
    from lark import Lark

    grammar = resources.files("arangopipe.model").joinpath("filters.lark").read_text("utf-8")
    starts = ["search", "path", "order", "unknown"]
    return Lark(grammar, start=starts, parser="lalr", propagate_positions=True)


def _meaning(text: str, start: str) -> Any:
    """Return what a text says, or None if it is blank."""
    if not isinstance(text, str):
        raise InvalidInput(f"a {start} is written as text, not {type(text).__name__} ({text!r})")
    if len(text) > MAX_TEXT:
        shown = f"{text[:_SHOWN]}…"
        raise FilterSyntaxError(f"{len(text):,} characters, and {MAX_TEXT:,} are the most", shown, _SHOWN)
    if not text.strip():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        shown = text.encode(errors="replace").decode()
        raise FilterSyntaxError("half of a surrogate pair", shown, error.start) from None
    return _parsed(text, start)


# A page, a poll or a loop asks the same again and again; nobody can change an expression.
@lru_cache(maxsize=512)
def _parsed(text: str, start: str) -> Any:
    from lark import UnexpectedToken

    with _lock:
        parser = _parser()
    try:
        tree: Any = parser.parse(text, start=start)
    except UnexpectedToken as error:
        raise _mistake(error.token, error.expected, text, start) from None
    if start == "search":
        return _expression(tree, text, 1)
    return _path(tree) if start == "path" else tuple([_order_key(key) for key in tree.children])


def _order_key(tree: Any) -> OrderKey:
    return OrderKey(_path(tree.children[0]), tree.data == "descending")


def _expression(tree: Any, text: str, depth: int) -> Expression:
    if depth > MAX_DEPTH:
        raise FilterSyntaxError(f"nested deeper than {MAX_DEPTH} levels", text, tree.meta.start_pos)
    found: Expression
    match tree.data, tree.children:
        case "disjunction", items:
            return Or(tuple(_expression(item, text, depth + 1) for item in items))
        case "conjunction", items:
            return And(tuple(_expression(item, text, depth + 1) for item in items))
        case "negated", [_, item]:
            return Not(_expression(item, text, depth + 1))
        case "compare", [path, op, value]:
            return Compare(_path(path), _OPERATORS[op], _value(value, text))
        case "contained", [path, negated, *values]:
            found = In(_path(path), tuple(_value(value, text) for value in values))
        case "like", [path, negated, like, pattern]:
            found = Like(_path(path), _pattern(pattern, text), fold=len(like) == len("ilike"))
        case _, [path, negated]:
            found = IsNull(_path(path))
    return Not(found) if negated else found


_OPERATORS: dict[str, Operator] = {
    "=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
}  # fmt: skip
_SEGMENT = re.compile(rf'({NAME.pattern})|"([^"]*(?:""[^"]*)*)"')


def _path(token: Token) -> Path:
    names = [name or inner.replace('""', '"') for name, inner in _SEGMENT.findall(token)]
    return Path(tuple(names), own=token[0] == '"')


def _value(token: Token, text: str) -> Value:
    if token.type == "BOOLEAN":
        return token.lower() == "true"
    if token.type != "NUMBER":
        return _unquoted(token)
    digits = token.lstrip("+-")
    if digits.isdecimal():
        if len(digits) > MAX_DIGITS:
            reason = f"a whole number of over {MAX_DIGITS:,} digits"
            raise FilterSyntaxError(reason, text, token.start_pos or 0)
        return int(token)
    number = float(token)
    if not math.isfinite(number):
        raise FilterSyntaxError("a number too large to hold", text, token.start_pos or 0)
    return number


def _pattern(token: Token, text: str) -> str:
    pattern = _unquoted(token)
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        reason = "a pattern cannot end in a single backslash (two stand for the character itself)"
        raise FilterSyntaxError(reason, text, (token.end_pos or 0) - 2)
    return pattern


def _unquoted(token: Token) -> str:
    quote = token[0]
    return token[1:-1].replace(quote * 2, quote)


# What was expected: the words of the first of these terminals that the parser would have taken,
# or of the last of them.
_IN_SEARCH = {
    "NUMBER": "a value (a number, 'text', true or false)",
    "TEXT": "a pattern in quotes such as 'ridge%'",
    "PATH": "a path such as metrics.rmse",
    "OPERATOR": "=, !=, <, <=, >, >=, in, like, ilike or is",
    "LIKE": "in, like or ilike",
    "NOT": "null or not null",
    "_NULL": "null",
    "LPAR": "values in parentheses such as (1, 2)",
    "_OR": "and / or",
    "COMMA": "a comma or a closing )",
    "RPAR": "a closing )",
    "$END": "the end",
}
_IN_ORDER = {"PATH": _IN_SEARCH["PATH"], "OPERATOR": "asc, desc or a comma", "COMMA": "a comma"}
_IN_PATH = {"PATH": _IN_SEARCH["PATH"], "OPERATOR": "the end of the path"}
_EXPECTED = {"search": _IN_SEARCH, "order": _IN_ORDER, "path": _IN_PATH}

_WORD = re.compile(r"""[^\s()=<>!,'"]+""")
_NAME_BEGUN = re.compile(r"""[^\s()=<>!,'".]*\Z""")
_COMPARISON = re.compile(r"""\s*(<=|>=|<>|!=|==?|<|>)\s*([^\s()=<>!,'0-9.+-][^\s()=<>!,']*)""")
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_SHOWN = 60


def _mistake(token: Token, expected: set[str], text: str, start: str) -> FilterSyntaxError:
    """Return the error that says what was expected, what was found, and what to write instead."""
    words = _EXPECTED[start]
    place = next((terminal for terminal in words if terminal in expected), [*words][-1])
    wanted, kind = words[place], token.type
    position = len(text.rstrip()) if kind == "$END" else token.start_pos or 0
    if place == "OPERATOR" and text.startswith(".", position):
        wanted, place, kind, position = "a name after the dot", "PATH", "DOT", position + 1
    quotes = {"UNKNOWN": ('"', "'"), "DOT": ('"',)}.get(kind, ())
    if text.startswith(quotes, position):
        return FilterSyntaxError("a quote that is never closed", text, position)
    word = _WORD.match(text, position)
    found = word[0] if word else text[position : position + 1].strip()
    if kind not in ("UNKNOWN", "DOT") and len(token) > len(found):
        found = str(token)
    hint = _hint(place, kind, found, text, position) if 0 < len(found) <= _SHOWN else ""
    if not found:
        found = "a blank" if text[position:].strip() else "the end"
    elif len(found) > _SHOWN:
        found = f"{found[:_SHOWN]}…"
    reason = f"expected {wanted}, found {found}" + (f" ({hint})" if hint else "")
    return FilterSyntaxError(reason, text, position)


def _hint(place: str, kind: str, found: str, text: str, position: int) -> str:
    before = text[:position]
    if found[0] in "‘’“”":
        return "use straight quotes"
    if place == "NUMBER":
        return _hint_at_value(kind, found, before)
    if place == "PATH" and kind in ("NUMBER", "TEXT", "BOOLEAN"):
        if match := _COMPARISON.match(text, position + len(found)):
            return f"the path comes first: {match[2]} {_FLIPPED.get(match[1], match[1])} {found}"
        return f"the path comes first{'; a name takes double quotes' if kind == 'TEXT' else ''}"
    if place == "PATH" and KEYWORD.fullmatch(found):
        return f"as a name it needs quotes: {quoted(found)}"
    if place in ("PATH", "OPERATOR") and kind in ("UNKNOWN", "DOT"):
        begun = _NAME_BEGUN.findall(before[-_SHOWN:])[0]
        return _hint_at_name(begun, found) if begun or place == "PATH" else ""
    if place == "_OR" and before.endswith(("'", '"')):
        return "inside text, write a quote twice"
    return "no ( is open" if place == "$END" else ""


def _hint_at_value(kind: str, found: str, before: str) -> str:
    if kind == "_NULL":
        return "write: is not null" if before.rstrip().endswith(("!=", "<>")) else "write: is null"
    if kind not in ("PATH", "UNKNOWN"):
        return ""
    paths = "two paths cannot be compared; " if kind == "PATH" and "." in found else ""
    return f"{paths}if it is text, put it in quotes: {quoted(found, chr(39))}"


def _hint_at_name(begun: str, found: str) -> str:
    if found in ("!", "'"):
        return "write not" if found == "!" else "a name takes double quotes"
    name = begun + found.split(".")[0]
    if not name:
        return ""
    what = "a name that starts with a digit" if name[0].isdecimal() else "such a name"
    return f"{what} needs quotes: {quoted(name)}"


def to_text(expression: Expression) -> str:
    """Return the canonical search text, which `parse` reads back."""
    match expression:
        case Or(items):
            return " or ".join(_grouped(item, Or) for item in items)
        case And(items):
            return " and ".join(_grouped(item, And, Or) for item in items)
        case Not(In() | Like() | IsNull() as leaf):
            return _leaf_text(leaf, "not ")
        case Not(item):
            return f"not {_grouped(item, And, Or)}"
        case leaf:
            return _leaf_text(leaf, "")


def _grouped(item: Expression, *kinds: type) -> str:
    return f"({to_text(item)})" if isinstance(item, kinds) else to_text(item)


def _leaf_text(leaf: Compare | In | Like | IsNull, negation: str) -> str:
    path = leaf.path.text
    match leaf:
        case Compare(_, op, value):
            return f"{path} {op} {_value_text(value)}"
        case In(_, values):
            return f"{path} {negation}in ({', '.join(map(_value_text, values))})"
        case Like(_, pattern, fold):
            return f"{path} {negation}{'ilike' if fold else 'like'} {_value_text(pattern)}"
        case IsNull():
            return f"{path} is {negation}null"


def _value_text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(value, "'") if isinstance(value, str) else repr(value)
