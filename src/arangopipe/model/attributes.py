"""Which values of a document people search by, and how a path reads a document.

`indexed` and `read` are two views of one rule: a value index built by the first finds what the second
reads. Indexed are the top-level scalars of every document and, at any depth, ``params`` (the document
of modelparams), ``metrics`` (the document of devperf) and ``tags``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from arangopipe.model import documents
from arangopipe.model.expressions import MAX_EXACT, comparable, path_text

MAX_TEXT = 1_000
MAX_VALUES = 1_000
MAX_NAMES = 65_536

PREFIX = {"modelparams": ("params",), "devperf": ("metrics",)}
"""Documents that are searched as part of their run, and the path they stand under."""

MEASURED = frozenset({"devperf", "servingperf"})
"""Kinds in whose documents the texts "NaN", "Infinity" and "-Infinity" are numbers that never compare."""

_NUMBERS = frozenset({int, float, bool})

NOT_COMPARABLE: Mapping[str, Any] = {}

Value = tuple[str, Any]
"""A searchable value after the canonical text of its path, with ``[]`` where the path has several."""


class _Names(dict[str, str]):
    """The paths of top-level attributes; the same few hundred come again with every run."""

    def __init__(self, *prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def __missing__(self, name: str) -> str:
        if len(self) >= MAX_NAMES:
            self.clear()
        text = self[name] = path_text((*self._prefix, name))
        return text


_NAMES = {kind: _Names(*prefix) for kind, prefix in PREFIX.items()}
_OTHER_NAMES = _Names()


def indexed(kind: str, document: Mapping[str, Any]) -> tuple[list[Value], bool]:
    """Return the searchable values of a document, and whether they are all of them.

    Not all: a text is over 1,000 characters, or there are more than 1,000 values; such a node is
    also evaluated on its document.
    """
    values: list[Value] = []
    complete = True
    prefix = PREFIX.get(kind, ())
    names = _NAMES.get(kind, _OTHER_NAMES)
    measured = kind in MEASURED
    for name, item in document.items():
        type_ = type(item)
        if (type_ is float and isfinite(item)) or (type_ is not float and _is_plain(item, measured)):
            values.append((names[name], item))
            continue
        path, whole = (*prefix, name), bool(prefix) or name == "tags"
        if type_ is dict and not whole:
            continue  # what is below the top cannot be searched, and it can be large
        if isinstance(item, (dict, list)):
            leaves = _marked(_leaves(path, item, whole))
        else:
            leaves = [(path, item, False)]
        for at, value, element in leaves:
            if isinstance(value, str):
                if len(value) > MAX_TEXT:
                    complete = False
                    continue
                if measured and value in documents.NON_FINITE:
                    continue
            scalar = comparable(value)
            if scalar is not None:
                values.append((f"{path_text(at)}[]" if element else path_text(at), scalar))
    if len(values) > MAX_VALUES:
        return values[:MAX_VALUES], False
    return values, complete


def _is_plain(item: Any, measured: bool) -> bool:
    """Whether a value is certainly one searchable scalar, as nearly all are."""
    kind = type(item)
    if kind is str:
        return len(item) <= MAX_TEXT and not (measured and item in documents.NON_FINITE)
    return kind is bool or (kind is int and -MAX_EXACT <= item <= MAX_EXACT)


def is_indexed(kind: str, segments: Sequence[str]) -> bool:
    """Whether the value index of that kind holds every scalar at this path (but for incomplete nodes)."""
    if kind in PREFIX:
        return False
    if len(segments) == 1:
        return True
    return segments[0] == "tags" or (kind == "run" and segments[0] in ("params", "metrics"))


def _leaves(path: tuple[str, ...], item: Any, whole: bool) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield (path, value) of what `read` gives at any path; below the top only if `whole`."""
    for value in _expand([item], keep_empty=True):
        if isinstance(value, Mapping):
            yield path, NOT_COMPARABLE
            if whole:
                for name, inner in value.items():
                    yield from _leaves((*path, name), inner, True)
        else:
            yield path, value


def _marked(leaves: Iterable[tuple[tuple[str, ...], Any]]) -> list[tuple[tuple[str, ...], Any, bool]]:
    """Return leaves with whether each is one of several at its path."""
    found = list(leaves)
    count = Counter(path for path, _ in found)
    return [(path, value, count[path] > 1) for path, value in found]


def read(document: Any, segments: Sequence[str], measured: bool = False) -> list[Any]:
    """Return the values at a path, arrays expanded: [] where missing, [None] for null.

    What is there but cannot be compared (an object, an empty array, a measured value that is not
    finite) is given as an empty mapping.
    """
    if len(segments) == 1 and type(document) is dict and type(item := document.get(segments[0])) in _NUMBERS:
        return [item]  # as nearly all are that are read one by one
    found = [document]
    for segment in segments:
        found = [item[segment] for item in _expand(found) if isinstance(item, Mapping) and segment in item]
    return [
        NOT_COMPARABLE if isinstance(item, Mapping) or (measured and item in documents.NON_FINITE) else item
        for item in _expand(found, keep_empty=True)
    ]


def _expand(items: list[Any], keep_empty: bool = False) -> Iterator[Any]:
    for item in items:
        if isinstance(item, list):
            if item:
                yield from _expand(item, keep_empty)
            elif keep_empty:
                yield NOT_COMPARABLE
        else:
            yield item
