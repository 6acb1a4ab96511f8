"""What a change meant where it was first recorded: read from its rows, and from the notes of merging."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from arangopipe.bundle.stamps import Stamp, always_new, name_of, notes_of, stamp_of
from arangopipe.model import chain
from arangopipe.model.graph import Change, Edge, EdgeRef, Entry, Node, Points
from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import RESERVED_EDGES


class Written(NamedTuple):
    """A state that a change wrote: of something `new` or, if not, in place of the state `base`."""

    value: Node | Edge
    new: bool
    base: Node | Edge | None = None


_OF_ONE_STORE = frozenset({"users", "tokens", *RESERVED_EDGES})
"""Who may use a store is said there: no bundle that is merged makes an administrator."""


@dataclass
class Operations:
    """What a change wrote, appended and closed; closings come with the state that was closed."""

    stamp: Stamp
    writes: list[Written] = field(default_factory=list)
    points: list[Points] = field(default_factory=list)
    closes: dict[str | EdgeRef, Node | Edge] = field(default_factory=dict)


@dataclass
class _Rows:
    """The rows of a change that are of one node or edge, by their digests."""

    written: dict[bytes, Node | Edge] = field(default_factory=dict)
    ended: dict[bytes, Node | Edge] = field(default_factory=dict)
    erased: Node | Edge | None = None


def operations_of(change: Change) -> Operations:
    """Return what a change meant."""
    found = Operations(stamp_of(change))
    things: defaultdict[str | EdgeRef, _Rows] = defaultdict(_Rows)
    for entry in change.entries[1:]:
        value = _value(entry)
        if isinstance(value, Points):
            if not entry.closed:  # points end with their run
                found.points.append(value)
        elif value is not None and value.kind not in _OF_ONE_STORE:
            rows = things[value.id if isinstance(value, Node) else value.ref]
            digest = entry.digest or chain.row_digest(entry.salt or b"", entry.text or "")
            if entry.closed:
                rows.ended[digest] = value
            elif entry.text is None:
                rows.erased = value
            else:
                rows.written[digest] = value
    notes = notes_of(change)
    for ref, rows in things.items():
        _read(found, ref, rows, *(name_of(ref) in names for names in notes))
    return found


def _read(found: Operations, ref: str | EdgeRef, rows: _Rows, new: bool, stale: bool, back: bool) -> None:
    """Add what the rows of one node or edge mean."""
    ended = [value for digest, value in rows.ended.items() if digest not in rows.written]
    base = ended[0] if ended else None
    lasting = False
    for digest, value in rows.written.items():
        if digest not in rows.ended:
            lasting = True
            if not back:
                made = new or always_new(ref) or base is None
                found.writes.append(Written(value, made, base))
        elif stale:
            found.closes[ref] = value
        else:
            found.writes.append(Written(value, new or always_new(ref)))
    gone = base or rows.erased  # whatever was written and is erased was closed, too
    if gone is not None and not lasting:
        found.closes[ref] = gone


def _value(entry: Entry) -> Node | Edge | Points | None:
    """Return what an entry is of; of what was erased only the id is left."""
    if entry.left is not None:
        kind, key = split_id(entry.left.id)
        return Node(kind, key, key, project=entry.left.project) if entry.left.what == "node" else None
    if entry.text is None or entry.salt == chain.OPEN_SALT:
        return None
    return chain.read_text(entry.text)
