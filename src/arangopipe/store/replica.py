"""A change of another store read back into rows, so that it can be recorded here as it was there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from arangopipe.errors import StoreError
from arangopipe.model import chain
from arangopipe.model.graph import Batch, Change, Edge, EdgeRef, Left, Node, Points, Put

Value = Node | Edge | Points


class Row(NamedTuple):
    """A row with what makes its digest."""

    value: Value
    salt: bytes
    digest: bytes


class Erased(NamedTuple):
    """An erased row of which only the digest is left."""

    left: Left
    digest: bytes


@dataclass
class Rows:
    """The rows of a change: written, written and superseded at once, closed, and erased since."""

    salt: bytes
    written: list[Row] = field(default_factory=list)
    past: list[Row] = field(default_factory=list)
    closed: list[Row] = field(default_factory=list)
    erased: list[Erased] = field(default_factory=list)
    unwritten: list[bytes] = field(default_factory=list)
    """Digests that the change covers and that no row of it makes: closings and rests of erased rows."""

    def closes(self) -> tuple[str | EdgeRef, ...]:
        """Return the nodes and edges that are closed and not written anew; points go with their run."""
        written = {ref_of(row.value) for row in self.written}
        refs = (ref_of(row.value) for row in self.closed if not isinstance(row.value, Points))
        return tuple(ref for ref in refs if ref not in written)


def ref_of(value: Value) -> str | EdgeRef:
    """Return what identifies a node or edge; of points, their run and name as one text."""
    if isinstance(value, Node):
        return value.id
    return value.ref if isinstance(value, Edge) else f"{value.run} {value.name}"


def read_rows(change: Change) -> Rows:
    """Return the rows of a change; raises `StoreError` where they are not what its digest says."""
    if chain.change_digest(map(chain.entry_digest, change.entries)).hex() != change.digest:
        raise StoreError(f"change {change.number} is damaged: its rows do not give its digest")
    note, *entries = change.entries
    if note.salt is None or note.text != chain.note_text(
        change.batch, change.action, change.reason, change.origin
    ):
        raise StoreError(f"change {change.number} is damaged: its own row does not say what it says")
    rows = Rows(note.salt)
    ended: dict[bytes, Row] = {}
    for entry in entries:
        if entry.text is None or entry.salt is None:
            if entry.left is None or entry.digest is None:
                raise StoreError(f"change {change.number} is damaged: a row is neither whole nor erased")
            rows.unwritten.append(chain.entry_digest(entry))
            if not entry.closed:
                rows.erased.append(Erased(entry.left, entry.digest))
        elif entry.salt == chain.OPEN_SALT:
            rows.unwritten.append(chain.entry_digest(entry))
        else:
            digest = chain.row_digest(entry.salt, entry.text)
            row = Row(chain.read_text(entry.text), entry.salt, digest)
            if entry.closed:
                ended[digest] = row
            else:
                rows.written.append(row)
    for row in [row for row in rows.written if row.digest in ended]:
        rows.past.append(ended.pop(row.digest))
        rows.written.remove(row)
    rows.closed += ended.values()
    return rows


def check_follows(change: Change, last: Change | None) -> None:
    """Raise `StoreError` unless a change is the next link of the chain after the last one."""
    before = chain.GENESIS if last is None else bytes.fromhex(last.chain)
    number = 1 if last is None else last.number + 1
    digest = bytes.fromhex(change.digest)
    link = chain.link(before, change.number, change.time, change.actor, digest)
    if change.number != number or link.hex() != change.chain:
        raise StoreError(f"change {change.number} does not follow on change {number - 1} of this store")


def check_all_follow(changes: Sequence[Change], last: Change | None) -> None:
    """Raise `StoreError` unless these changes go on, one after the other, from the last one."""
    for change in changes:
        check_follows(change, last)
        last = change


def as_batch(id: str, values: Sequence[Value]) -> Batch:
    """Return a batch that would write these values, so that they can be checked as such."""
    nodes = {value.id: Put(value, "any") for value in values if isinstance(value, Node)}
    edges = {value.ref: value for value in values if isinstance(value, Edge)}
    points = tuple(value for value in values if isinstance(value, Points))
    return Batch(id, tuple(nodes.values()), tuple(edges.values()), (), points)
