"""What lists and pages say beside a document: when it was written, and whether a run is stale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from arangopipe.model import times
from arangopipe.model.entities import Entity, Run
from arangopipe.model.expressions import In, Path
from arangopipe.model.filters import parse_path
from arangopipe.model.graph import Change, Node
from arangopipe.references import When, moment_of
from arangopipe.session import Session
from arangopipe.store.base import Store

_KEYS_AT_ONCE = 500

STALE_AFTER = timedelta(minutes=10)


def change(pipe: Session, number: int) -> Change | None:
    """Return one change of the store, None where there is no such."""
    found = next(pipe.store.changes(number - 1, limit=1), None)
    return found if found is not None and found.number == number else None


def written(pipe: Session, things: Iterable[Entity]) -> dict[str, datetime]:
    """Return when each of these was last written, by id."""
    known: dict[int, Change | None] = {}
    found = {}
    for thing in things:
        if thing.revision not in known:
            known[thing.revision] = change(pipe, thing.revision)
        last = known[thing.revision]
        if last is not None:
            found[thing.id] = last.time
    return found


def stale(pipe: Session, things: Iterable[Entity], as_of: When = None) -> set[str]:
    """Return the ids of those runs that say they are running but have written nothing for ten minutes."""
    running = [thing.key for thing in things if isinstance(thing, Run) and thing.status == "running"]
    if not running:
        return set()
    since = _now(pipe, as_of) - STALE_AFTER
    written = pipe.store.last_written(running, moment_of(as_of))
    return {f"run/{key}" for key, time in written.items() if time < since}


def _now(pipe: Session, as_of: When) -> datetime:
    moment = moment_of(as_of)
    if isinstance(moment, int):
        head = pipe.store.head(moment)
        return head.time if head is not None else times.now()
    return moment or times.now()


def change_dict(change: Change) -> dict[str, Any]:
    """Return who made a change, when and why as JSON-able values, and where it was first recorded."""
    found = {
        "change": change.number,
        "time": times.to_text(change.time),
        "actor": change.actor,
        "action": change.action,
        "reason": change.reason,
    }
    if change.origin is not None:
        store, number, time, actor, _ = change.origin
        found["origin"] = {"store": store, "change": number, "time": times.to_text(time), "actor": actor}
    return found


def cells(
    store: Store, kind: str, things: Iterable[Entity | Node], paths: Sequence[str], as_of: When = None
) -> dict[str, list[Any]]:
    """Return what stands at each path, for each of some things of a kind; None for no single scalar."""
    for path in paths:
        parse_path(path)
    wanted = [(thing.id, thing.key) for thing in things]
    rows: dict[str, dict[str, Any]] = {}
    for first in range(0, len(wanted), _KEYS_AT_ONCE):
        keys = tuple(key for _, key in wanted[first : first + _KEYS_AT_ONCE])
        for chunk in store.columns(kind, paths, In(Path(("key",)), keys), moment_of(as_of)):
            for place, node_id in enumerate(chunk["id"]):
                rows[node_id] = {path: chunk[path][place] for path in paths}
    return {path: [rows.get(node_id, {}).get(path) for node_id, _ in wanted] for path in paths}
