"""Values as people read them: times in their own zone, short numbers, lengths of time, labels."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from arangopipe.cli.terminal import clean
from arangopipe.model import times
from arangopipe.model.entities import Entity
from arangopipe.model.graph import Change, Node
from arangopipe.model.vocabulary import NODE_KINDS
from arangopipe.words import MISSING, number

EXACT = 8

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def when(moment: datetime | None, seconds: bool = True) -> str:
    """Return a time in the local zone, in a form that options take back."""
    if moment is None:
        return MISSING
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def who(change: Change) -> str:
    """Return who made a change: where it was first recorded and, if that was elsewhere, who imported it."""
    if change.origin is None:
        return clean(change.actor)
    return clean(f"{change.origin.actor} (imported by {change.actor})")


def zone(moment: datetime) -> str:
    """Return the name of the zone that `when` uses."""
    return moment.astimezone().strftime("%Z")


def plain(value: Any) -> str:
    """Return any recorded value as one line, its numbers without padding."""
    if isinstance(value, float) and math.isfinite(value):
        exact = repr(value)
        return exact if len(exact) <= EXACT else f"{value:.6g}"
    return cell(value)


def cell(value: Any) -> str:
    """Return any recorded value as one line, its numbers with equally many digits."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, str):
        return when(times.parse(value)) if _TIME.fullmatch(value) else clean(value)
    return clean(json.dumps(value, ensure_ascii=False))


def label(thing: Node | Entity) -> str:
    """Return what a person calls a thing, which is also a reference to it within its kind."""
    node = thing.node if isinstance(thing, Entity) else thing
    return clean(node.label)


def reference(node: Node) -> str:
    """Return a reference that a person can read, type and pass to a command."""
    if node.name and not node.name.startswith("-") and NODE_KINDS.get(node.kind) is not None:
        return f"{NODE_KINDS[node.kind].singular}:{label(node)}"
    return clean(node.id)


def joined(words: Iterable[str]) -> str:
    """Return words as a list, without empty ones."""
    return ", ".join(word for word in words if word)
