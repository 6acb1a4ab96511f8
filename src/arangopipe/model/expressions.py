"""What a search asks: its expression as values, and their meaning, which every store agrees with.

Values are numbers, texts and booleans, each a type of its own (`comparable`). A comparison holds
if any value at the path compares so; with a missing value, or one of another type, it is false.
``not`` is the plain complement. `filters` reads expressions from text and writes them.
"""

from __future__ import annotations

import fnmatch
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal, TypeAlias, TypeVar

MAX_EXACT = 2**53
"""Integers beyond this, either way, compare as text: not every engine holds them as numbers."""

Value: TypeAlias = int | float | str | bool
Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]

# Blocks of letters that no version of Unicode changes, so that an interned path keeps its text;
# the grammar has the same.
CHARACTER = (
    r"[A-Za-z0-9_\-\u00b2\u00b3\u00b5\u00b9\u00c0-\u167f\u1681-\u1fff\u2070-\u218f\u2c00-\u2fef"
    r"\u3001-\ud7ff\uf900-\ufefe\uff00-\uffef\U00010000-\U000effff]"
)
NAME = re.compile(rf"(?![0-9-]){CHARACTER}+")
KEYWORD = re.compile(r"(?ai:and|or|not|in|i?like|is|null|true|false)")


@dataclass(frozen=True, slots=True)
class Path:
    """Where a value stands: names from the outside in.

    `own` says that the first name was quoted, or must be, so that it names an attribute of the
    document itself: ``"model".x`` is the document's own, ``model.x`` may be a neighbour's.
    """

    segments: tuple[str, ...]
    own: bool = False

    def __post_init__(self) -> None:
        if path_text(self.segments).startswith('"'):
            object.__setattr__(self, "own", True)

    @property
    def text(self) -> str:
        """The canonical text, which `parse_path` reads back."""
        text = path_text(self.segments)
        if not self.own or text.startswith('"'):
            return text
        return quoted(self.segments[0]) + text[len(self.segments[0]) :]


@dataclass(frozen=True, slots=True)
class Compare:
    """A value at the path compares so with a literal."""

    path: Path
    op: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class In:
    """A value at the path is one of these (at least one)."""

    path: Path
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """A text at the path matches the whole pattern; `fold` (``ilike``) ignores case.

    ``%`` stands for any run of characters, ``_`` for any one; a backslash takes the next as it is.
    """

    path: Path
    pattern: str
    fold: bool = False


@dataclass(frozen=True, slots=True)
class IsNull:
    """The path has no value, or only nulls."""

    path: Path


@dataclass(frozen=True, slots=True)
class And:
    """Every item (at least two) holds."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Some item (of at least two) holds."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The item does not hold."""

    item: Expression


Expression: TypeAlias = Compare | In | Like | IsNull | And | Or | Not


@dataclass(frozen=True, slots=True)
class OrderKey:
    """A path to sort by; whatever has no single value there comes last, ascending or descending."""

    path: Path
    descending: bool = False

    @property
    def text(self) -> str:
        """The canonical text, which `parse_order` reads back."""
        return f"{self.path.text} desc" if self.descending else self.path.text


def path_text(segments: Sequence[str]) -> str:
    """Return the canonical text of a path: no other path has the same.

    A name stands bare where it can be read as nothing else, otherwise in double quotes, with a
    double quote inside it doubled.
    """
    if len(segments) == 1 and KEYWORD.fullmatch(segments[0]):
        return quoted(segments[0])
    return ".".join([name if NAME.fullmatch(name) else quoted(name) for name in segments])


def quoted(text: str, quote: str = '"') -> str:
    """Return a text in quotes, with the quotes inside it doubled."""
    return quote + text.replace(quote, quote * 2) + quote


def paths(expression: Expression) -> Iterator[Path]:
    """Yield every path of an expression, from left to right, as often as it occurs."""
    match expression:
        case And(items) | Or(items):
            for item in items:
                yield from paths(item)
        case Not(item):
            yield from paths(item)
        case leaf:
            yield leaf.path


Read: TypeAlias = Callable[[Path], Sequence[object]]
"""Gives the JSON values at a path, arrays expanded: none where it is missing, [None] for null, a
mapping for what is there but cannot be compared (an object, an empty array)."""

Record = TypeVar("Record")

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def comparable(value: object) -> Value | None:
    """Return a JSON value as it is compared: a number, a text or a boolean; None if it cannot be.

    Integers beyond 2**53 become their decimal text; null, objects and numbers that are not finite
    do not compare.
    """
    if isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        return value if -MAX_EXACT <= value <= MAX_EXACT else str(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    return None


def _ranked(value: object) -> tuple[int, Value] | None:
    """Return a value as it is compared, after the rank of its type."""
    found = comparable(value)
    if found is None:
        return None
    return (2 if isinstance(found, bool) else 1 if isinstance(found, str) else 0), found


def matches(expression: Expression, read: Read) -> bool:
    """Whether the expression holds for what `read` reads."""
    return predicate(expression)(read)


def predicate(expression: Expression) -> Callable[[Read], bool]:
    """Return the expression as a function of `read`, for use on many documents."""
    match expression:
        case And(items):
            every = [predicate(item) for item in items]
            return lambda read: all(holds(read) for holds in every)
        case Or(items):
            some = [predicate(item) for item in items]
            return lambda read: any(holds(read) for holds in some)
        case Not(item):
            inner = predicate(item)
            return lambda read: not inner(read)
        case IsNull(path):
            return lambda read: all(value is None for value in read(path))
        case leaf:
            test = _TESTS[type(leaf)](leaf)
            return lambda read: any(map(test, read(leaf.path)))


def _compares(leaf: Compare) -> Callable[[object], bool]:
    literal, compare = _ranked(leaf.value), _COMPARE[leaf.op]

    def test(value: object) -> bool:
        found = _ranked(value)
        if found is None or literal is None or found[0] != literal[0]:
            return False
        return compare(found[1], literal[1])

    return test


def _is_one_of(leaf: In) -> Callable[[object], bool]:
    literals = {_ranked(value) for value in leaf.values} - {None}
    return lambda value: _ranked(value) in literals


def _is_like(leaf: Like) -> Callable[[object], bool]:
    pattern = leaf.pattern.casefold() if leaf.fold else leaf.pattern
    # What fnmatch makes of a glob never backtracks over an earlier `*`: no pattern takes long.
    fits = re.compile(fnmatch.translate(like_to_glob(pattern))).match

    def test(value: object) -> bool:
        text = comparable(value)
        return isinstance(text, str) and bool(fits(text.casefold() if leaf.fold else text))

    return test


_TESTS: dict[type, Callable[[Any], Callable[[object], bool]]] = {
    Compare: _compares,
    In: _is_one_of,
    Like: _is_like,
}


def sort_key(values: Sequence[object]) -> tuple[bool, int, Value]:
    """Return what the values at a path are sorted by: (is it missing, rank of the type, value).

    Numbers come before texts, texts before booleans. Anything but exactly one value that can be
    compared counts as missing.
    """
    ranked = _ranked(values[0]) if len(values) == 1 else None
    return (True, 0, 0) if ranked is None else (False, *ranked)


def ordered(
    records: Iterable[Record],
    keys: Sequence[OrderKey],
    read: Callable[[Record, Path], Sequence[object]],
    tie: Callable[[Record], int],
) -> list[Record]:
    """Return records sorted by several keys, missing values last whatever the direction.

    Equal ones follow `tie` in the direction of the last key, ascending if there is no key.
    """
    result = sorted(records, key=tie, reverse=bool(keys) and keys[-1].descending)
    for key in reversed(keys):
        pairs = [(sort_key(read(record, key.path)), record) for record in result]
        present = [pair for pair in pairs if not pair[0][0]]
        present.sort(key=operator.itemgetter(0), reverse=key.descending)
        result = [record for _, record in present] + [record for at, record in pairs if at[0]]
    return result


_WILD = {"%": "*", "_": "?"}
_LITERAL = {"*": "[*]", "?": "[?]", "[": "[[]"}


def like_to_glob(pattern: str) -> str:
    """Return the GLOB pattern of SQLite that matches the same texts.

    SQLite reads a text, or a pattern, up to its first NUL character only: where there is one, ask
    `matches` instead.
    """
    return "".join(
        (_WILD if wild else _LITERAL).get(character, character)
        for character, wild in _like_characters(pattern)
    )


def like_prefix(pattern: str) -> str:
    """Return the literal text that every match of a like pattern starts with."""
    literal = takewhile(lambda pair: not pair[1], _like_characters(pattern))
    return "".join(character for character, _ in literal)


def _like_characters(pattern: str) -> Iterator[tuple[str, bool]]:
    """Yield each character of a like pattern and whether it is a wildcard."""
    for escaped, plain in re.findall(r"\\(.)|(.)", pattern, re.DOTALL):
        yield escaped or plain, plain in _WILD
