"""What a change touched, read from its rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from arangopipe.model.graph import Change, Entry
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.words import count, short_key, title

_EDGE = '["edge",'
"""How the rows of edges begin: they name nothing that is touched, and are most."""


class Thing(NamedTuple):
    """A node that a change wrote or closed, or a run whose points it added."""

    kind: str
    key: str
    name: str


def touched(change: Change) -> Iterator[Thing]:
    """Yield each thing of a change once."""
    seen = set()
    for entry in change.entries:
        if entry.text is not None and entry.text.startswith(_EDGE):
            continue
        match _parts(entry):
            case ["node", str(kind), str(key), str(name), *_]:
                found = Thing(kind, key, name)
            case ["points", str(run), *_]:
                found = Thing("points", run.partition("/")[2], "")
            case _:
                continue
        if found not in seen:
            seen.add(found)
            yield found


def _parts(entry: Entry) -> list[Any]:
    try:
        parts = json.loads(entry.text or "[]")
    except ValueError:
        return []
    return parts if isinstance(parts, list) else []


def what(found: Iterable[Thing]) -> str:
    """Return in words what a change that touched some things wrote: of a run only the run, of many only how
    many.
    """
    kinds: dict[str, list[Thing]] = {}
    for thing in found:
        kinds.setdefault(thing.kind, []).append(thing)
    for kind in OWNED_BY_RUN:
        if "run" in kinds:
            kinds.pop(kind, None)
    parts = [
        f"{title(kind)} {things[0].name or short_key(things[0].key)}"
        if len(things) == 1
        else count(len(things), title(kind))
        for kind, things in kinds.items()
    ]
    return ", ".join(parts)
