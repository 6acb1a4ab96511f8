"""Positions in an ordered search, and the opaque text that carries them between pages."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from functools import total_ordering
from typing import Any

from arangopipe.errors import InvalidInput
from arangopipe.model.filters import Expression, OrderKey, Path, sort_key, to_text
from arangopipe.store.scope import Scope

Position = tuple[Any, ...]


@total_ordering
class Reversed:
    """A value that sorts the other way round."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reversed) and bool(self.value == other.value)

    def __lt__(self, other: Reversed) -> bool:
        return bool(other.value < self.value)

    def __hash__(self) -> int:
        return hash(self.value)


def sort_values(order: Sequence[OrderKey], read: Callable[[Path], Sequence[Any]]) -> list[Any]:
    """Return, for each key of an order, what `filters.sort_key` says of a record."""
    return [sort_key(read(key.path)) for key in order]


def position(order: Sequence[OrderKey], values: Sequence[Any], sequence: int) -> Position:
    """Return where a record stands: missing values last, ties by creation in the last direction."""
    if len(order) == 1:
        missing, *rest = values[0]
        descending = order[0].descending
        value = () if missing else Reversed(tuple(rest)) if descending else tuple(rest)
        return missing, value, -sequence if descending else sequence
    place: list[Any] = []
    for key, (missing, *rest) in zip(order, values, strict=True):
        place.append(missing)
        if not missing:
            place.append(Reversed(tuple(rest)) if key.descending else tuple(rest))
        else:
            place.append(())
    place.append(-sequence if order and order[-1].descending else sequence)
    return tuple(place)


def query_mark(
    kind: str, where: Expression | None, order: Sequence[OrderKey], at: object, scope: Scope | None = None
) -> str:
    """Return a short digest of a search, so that its cursors are not used with another."""
    asked = [kind, to_text(where) if where else "", [key.text for key in order], str(at)]
    text = json.dumps(asked if scope is None else [*asked, sorted(scope.projects)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def encode(mark: str, state: Sequence[Any]) -> str:
    """Return the opaque text of where a page ended."""
    return base64.urlsafe_b64encode(json.dumps([mark, *state]).encode()).decode().rstrip("=")


def decode(mark: str, cursor: str) -> list[Any]:
    """Return where a page ended, or raise `InvalidInput` for a cursor of another search."""
    try:
        state = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        given: str = state[0]
        rest: list[Any] = state[1:]
    except (binascii.Error, ValueError, TypeError, LookupError) as error:
        raise InvalidInput(f"cursor {str(cursor)[:60]!r} is damaged: start the search again") from error
    if given != mark:
        raise InvalidInput(
            "this cursor belongs to another search: use it with the same kind, filter and order"
        )
    return rest
