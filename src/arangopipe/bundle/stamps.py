"""What a store knows of the life of a node or edge: when it was made, last written and last closed.

Two stores agree on what stands if they order the same changes in the same way. A change is ordered by its
`Stamp`: when it was first recorded, as which change of that store, and its batch; a copy of it in a
third store has the same one. Local times are no use for that: they say when a store got to know.

* A thing is there if it was made after it was last closed. Its content is what was written last; to make
  it once more with equal content, as another store does that does not know of it, writes nothing new.
* An edge is there if it was made after it was last closed, and after both its ends were made.
* Points are there if they came after their run was made.

Each of these depends on greatest and least stamps only, so the order in which changes arrive does not matter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from arangopipe.model.graph import Change, Edge, EdgeRef, Node
from arangopipe.model.vocabulary import OWNED_BY_RUN


class Stamp(NamedTuple):
    """The place of a change in the order that all stores agree on."""

    time: datetime
    number: int
    batch: str


def stamp_of(change: Change) -> Stamp:
    """Return the stamp of a change, wherever it was first recorded."""
    if change.origin is None:
        return Stamp(change.time, change.number, change.batch)
    return Stamp(change.origin.time, change.origin.number, change.batch)


class Notes(NamedTuple):
    """What merging recorded otherwise than the origin did, by the names of things and edges.

    `new`: made by the origin, though here it was there already. `stale`: closed by the origin, which had no
    effect here; the state beside it is only a trace of that. `back`: brought back by merging itself.
    """

    new: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    back: frozenset[str] = frozenset()


def notes_of(change: Change) -> Notes:
    """Return the notes of a change."""
    if change.origin is None or change.origin.merged == "{}":
        return _NO_NOTES
    found: dict[str, Any] = json.loads(change.origin.merged)
    return Notes(*(frozenset(found.get(name, ())) for name in Notes._fields))


_NO_NOTES = Notes()


def name_of(ref: str | EdgeRef) -> str:
    """Return the name of a thing or an edge in notes."""
    return ref if isinstance(ref, str) else " ".join(ref)


def always_new(ref: str | EdgeRef) -> bool:
    """Whether every state of it counts as made: of edges, and of what belongs to a run."""
    return isinstance(ref, EdgeRef) or ref.partition("/")[0] in OWNED_BY_RUN


@dataclass
class Life:
    """When a node or edge was made, last written and last closed, and whether it stands in the store."""

    written: Stamp | None = None
    closed: Stamp | None = None
    made: dict[Stamp, Node | Edge] = field(default_factory=dict)
    revised: tuple[Stamp, Node | Edge] | None = None
    stands: bool = False
    fresh: bool = False
    """Whether the store had never heard of it."""

    @property
    def known(self) -> bool:
        """Whether anything was ever heard of it."""
        return self.written is not None or self.closed is not None

    @property
    def birth(self) -> Stamp | None:
        """When what is there now was made; None where it is not there."""
        return min((stamp for stamp in self.made if after(stamp, self.closed)), default=None)

    @property
    def content(self) -> tuple[Stamp, Node | Edge] | None:
        """What was written last, and when."""
        found = [] if self.revised is None else [self.revised]
        seen = set()
        for stamp in sorted(self.made):
            value = self.made[stamp]
            if isinstance(value, Edge) or value.kind in OWNED_BY_RUN:
                found.append((stamp, value))
            elif after(stamp, self.closed) and (said := value._replace(revision=0)) not in seen:
                seen.add(said)
                found.append((stamp, value))
        return max(found, key=itemgetter(0), default=None)

    def write(self, stamp: Stamp, value: Node | Edge, new: bool) -> None:
        """Note that a value was written."""
        if new:
            self.made[stamp] = value
        elif self.revised is None or stamp > self.revised[0]:
            self.revised = (stamp, value)
        self.written = stamp if after(stamp, self.written) else self.written

    def close(self, stamp: Stamp) -> bool:
        """Note that it was closed, and return whether that was the last time."""
        last = after(stamp, self.closed)
        if last:
            self.closed = stamp
        return last


def after(stamp: Stamp, other: Stamp | None) -> bool:
    """Whether a stamp comes after another, None being before all."""
    return other is None or stamp > other


State = tuple[Node | Edge, Change, Change | None]
"""A `Revision` or `EdgeRevision`."""


def life_of(ref: str | EdgeRef, states: Sequence[State]) -> Life:
    """Return the life of a node or edge from all its states."""
    name, life, every = name_of(ref), Life(fresh=not states), always_new(ref)
    lasting = [state for state in states if not _at_once(state)]
    began = {change.number for _, change, _ in lasting}
    replaced = {end.number for _, _, end in lasting if end is not None}
    for state in states:
        value, change, end = state
        stamp, notes = stamp_of(change), notes_of(change)
        if _at_once(state):
            if name in notes.stale:
                life.close(stamp)
            else:
                life.write(stamp, value, every or name in notes.new)
        elif name not in notes.back:
            life.write(stamp, value, every or name in notes.new or change.number not in replaced)
        if end is None:
            life.stands = True
        elif not _at_once(state) and end.number not in began:
            life.close(stamp_of(end))
    return life


def _at_once(state: State) -> bool:
    """Whether a state was superseded by the change that wrote it."""
    _, change, end = state
    return end is not None and end.number == change.number
