"""The parts of a condition, any of which can be left out, and what was meant by one that finds nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from arangopipe.model.expressions import And, Expression, Not, Or, Path, paths
from arangopipe.model.filters import parse_path, to_text

_ALIKE = 0.7
_MEANT = 3


def parts(where: Expression | None) -> list[dict[str, str]]:
    """Return what a condition asks for, one by one, each with the condition without it."""
    items = where.items if isinstance(where, And) else () if where is None else (where,)
    return [
        {"text": to_text(item), "without": _joined([*items[:place], *items[place + 1 :]])}
        for place, item in enumerate(items)
    ]


def _joined(items: list[Expression]) -> str:
    if len(items) < 2:
        return "".join(map(to_text, items))
    return to_text(And(tuple(items)))


def meant(where: Expression, known: Iterable[str]) -> list[dict[str, Any]]:
    """Return the attributes of a condition that no thing is known to have, with those that are like them."""
    names = list(known)
    unknown = dict.fromkeys(path for path in paths(where) if path.text not in names)
    return [
        {
            "path": path.text,
            "instead": [
                {"path": name, "q": to_text(_renamed(where, path, parse_path(name)))}
                for name in _like(path, names)
            ],
        }
        for path in unknown
    ]


def _like(path: Path, names: list[str]) -> list[str]:
    """Return the names that end like a path, else those that are written much like it."""
    wanted = path.segments[-1].casefold()
    ends = [name for name in names if parse_path(name).segments[-1].casefold() == wanted]
    close = difflib.get_close_matches(path.text.casefold(), names, _MEANT, _ALIKE)
    tails = {parse_path(name).segments[-1]: name for name in names}
    near = [tails[tail] for tail in difflib.get_close_matches(wanted, tails, _MEANT, _ALIKE)]
    return list(dict.fromkeys([*ends, *close, *near]))[:_MEANT]


def _renamed(where: Expression, old: Path, new: Path) -> Expression:
    match where:
        case And(items) | Or(items):
            return replace(where, items=tuple(_renamed(item, old, new) for item in items))
        case Not(item):
            return Not(_renamed(item, old, new))
        case leaf:
            return replace(leaf, path=new) if leaf.path == old else leaf
