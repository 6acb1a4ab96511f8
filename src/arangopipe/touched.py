"""What a change touched, read from its rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from arangopipe.model.graph import Change, Entry
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.words import count, short_key, title

_DECODER = json.JSONDecoder()
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
            case ["node", kind, key, name]:
                found = Thing(kind, key, name)
            case ["points", run, *_]:
                found = Thing("points", run.partition("/")[2], "")
            case _:
                continue
        if found not in seen:
            seen.add(found)
            yield found


def _parts(entry: Entry) -> list[str]:
    """Return the texts that a row begins with; what comes after them may be long, and is not read."""
    text = entry.text or ""
    parts: list[str] = []
    place = 1
    while len(parts) < 4 and text.startswith('"', place):
        try:
            part, end = _DECODER.raw_decode(text, place)
        except ValueError:
            return []
        parts.append(part)
        place = end + 1
    return parts


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
