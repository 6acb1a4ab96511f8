"""What is told of changes, of which some touched what is not visible.

Every change is listed by number, time and its links in the audit chain, so that a receipt of them can be
compared; who made it and why is told where it touched something visible, and its rows, and what merging noted
of them, where they are of something visible. To recompute the chain takes all rows: that is for
administrators.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple, TypeAlias

from arangopipe.model import chain, documents
from arangopipe.model.graph import Change, Edge, EdgeRef, Entry, Node, Points, kind_of
from arangopipe.model.ids import split_id
from arangopipe.server.visible import FOLLOWING, Sight
from arangopipe.store.scope import PERSONAL

_SOME = 500


class Ledger:
    """The changes of a store, as a principal may see them."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    def changes(self, after: int, limit: int | None, entries: bool) -> Iterator[Change]:
        """Yield the changes after a number; with `entries`, those rows of them that are visible."""
        if self._sight.principal.admin:
            yield from self._sight.store.changes(after, limit, entries)
            return
        found = self._sight.store.changes(after, limit)
        while some := list(islice(found, _SOME)):
            told = self._told(some)
            for change in some:
                if change.number not in told:
                    yield without_words(change)
                else:
                    yield self._with_entries(change) if entries else self.plain(change)

    def _told(self, changes: Sequence[Change]) -> set[int]:
        """Return which changes touched something visible, or are the principal's own."""
        own = {change.number for change in changes if self.is_own(change)}
        rest = [change.number for change in changes if change.number not in own]
        return own | self._sight.scoped.touched(self._sight.scope, rest) if rest else own

    def _with_entries(self, change: Change) -> Change:
        (whole,) = self._sight.store.changes(change.number - 1, 1, entries=True)
        subjects = [(entry, subject_of(entry)) for entry in whole.entries[1:]]
        rows = self._visible(change.number, subjects)
        origin = change.origin
        if origin is not None:
            origin = origin._replace(merged=_notes_of(origin.merged, rows))
        note = chain.note_text(change.batch, change.action, change.reason, origin)
        entries = (whole.entries[0]._replace(text=note), *(entry for entry, _ in rows))
        return change._replace(origin=origin, entries=entries)

    def plain(self, change: Change) -> Change:
        """Return a change without its rows, and without what merging noted of what is not visible."""
        if change.origin is not None and change.origin.merged != documents.EMPTY:
            change = self._with_entries(change)
        return change._replace(entries=())

    def is_own(self, change: Change) -> bool:
        """Whether the principal made a change."""
        return bool(change.actor) and change.actor == self._sight.principal.user

    def told(self, change: Change) -> Change:
        """Return a change with its words where the principal made it, without them otherwise."""
        if self._sight.principal.admin:
            return change
        return self.plain(change) if self.is_own(change) else without_words(change)

    def _visible(self, number: int, subjects: Sequence[tuple[Entry, Subject]]) -> list[tuple[Entry, Subject]]:
        """Return the rows of a change that are of something visible, in the state they were of."""
        seen = {}
        for closed in (False, True):
            ids = {i for entry, subject in subjects if entry.closed is closed for i in _ends(subject)}
            seen[closed] = self._sight.nodes(ids, number - closed) if ids else {}
        return [(entry, subject) for entry, subject in subjects if self._shows(subject, seen[entry.closed])]

    def _shows_itself(self, subject: Subject) -> bool:
        """Whether a row is of a thing that is visible by its own words."""
        alone = isinstance(subject, Node) and subject.kind not in FOLLOWING
        return alone and self._sight.by_words(subject) is not None  # type: ignore[arg-type]

    def _shows(self, subject: Subject, seen: Mapping[str, Node]) -> bool:
        match subject:
            case EdgeRef():
                personal = {kind_of(end) for end in (subject.source, subject.target)}.intersection(PERSONAL)
                return not personal and self._sight.joins(subject, seen)
            case Node():
                return subject.id in seen if subject.kind in FOLLOWING else self._shows_itself(subject)
            case Gone(what, id, project, since):
                kind, key = split_id(id)
                if what == "node" and kind not in FOLLOWING:
                    return self._sight.by_words(Node(kind, key, project=project)) is not None
                return since is not None and id in seen
        return subject is not None and subject in seen


class Gone(NamedTuple):
    """What is left of an erased row: "node" or "points", the id of its node, and when it was written."""

    what: str
    id: str
    project: str
    since: int | None


Subject: TypeAlias = Node | EdgeRef | Gone | str | None
"""What a row is of; a text is the run that points are of, None what nobody is shown."""


def subject_of(entry: Entry) -> Subject:
    """Return what a row is of. Whatever proves a user stays out of every listing."""
    subject = _subject_of(entry)
    kind = kind_of(subject.id) if isinstance(subject, (Node, Gone)) else ""
    return None if kind in PERSONAL else subject


def _subject_of(entry: Entry) -> Subject:
    if entry.left is not None:
        return Gone(*entry.left[:4])
    if entry.text is None:
        return None
    if entry.salt == chain.OPEN_SALT:
        _, what, node_id, project, _ = json.loads(entry.text)
        return Gone(what, node_id, project, None)
    value = chain.read_text(entry.text)
    if isinstance(value, Points):
        return value.run
    return value.ref if isinstance(value, Edge) else value


def _ends(subject: Subject) -> tuple[str, ...]:
    match subject:
        case EdgeRef():
            return subject.source, subject.target
        case Node():
            return (subject.id,) if subject.kind in FOLLOWING else ()
        case Gone(id=id):
            return (id,)
        case str():
            return (subject,)
    return ()


def _notes_of(merged: str, rows: Sequence[tuple[Entry, Subject]]) -> str:
    """Return what merging noted of the nodes and edges of some rows."""
    names = {" ".join(subject) for _, subject in rows if isinstance(subject, EdgeRef)}
    names.update(subject.id for _, subject in rows if isinstance(subject, (Node, Gone)))
    kept = {what: [name for name in noted if name in names] for what, noted in json.loads(merged).items()}
    return documents.dump({what: noted for what, noted in kept.items() if noted})


def without_words(change: Change) -> Change:
    """Return number, time and chain of a change, without who made it and why."""
    return change._replace(actor="", action="", reason="", batch="", origin=None, entries=())
