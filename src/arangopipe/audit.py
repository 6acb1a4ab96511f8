"""Who changed what, and whether the record is still what was recorded.

`verify` recomputes the audit chain (`model.chain`) from the rows themselves. A change keeps one digest over
all its rows, so where it differs the change is certain and its rows are the suspects; those that no store
would write are named alone. Whoever can write the file can also remove the last changes, or make the
whole chain anew: keep `Verification.head` elsewhere, and compare, to see that too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from arangopipe.errors import StoreError
from arangopipe.model import chain, times
from arangopipe.model.graph import Change, Entry
from arangopipe.store.abilities import Maintenance
from arangopipe.store.base import Store, check_whole, last_number

__all__ = ["Problem", "Verification", "log", "verify"]

Progress = Callable[[int, int | None], object]
"""Told how many changes are verified, and of how many (None where that cannot be read)."""

MAX_PROBLEMS = 100
"""A store this damaged is not read on."""

_STEP = 100
_SUSPECTS = 10

# A damaged row may hold a value of any type, and an engine that reads it may fail in any way.
_DAMAGE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

T = TypeVar("T")

_LAST: Mapping[Any, Any] = {
    "node": dict,
    "edge": dict,
    "points": list,
    "change": (str, list),
    "erased": str,
}
"""The type of the last part of a row, by what the row is of."""

_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: in which change (None: in what the store derives), in what, and how."""

    change: int | None
    what: str
    text: str

    def __str__(self) -> str:
        place = f"change {self.change}, {self.what}" if self.change is not None else self.what
        return f"{place}: {self.text}"


@dataclass(frozen=True)
class Verification:
    """The outcome of `verify`: how many changes were read, the last link of the chain, what is wrong."""

    changes: int
    head: str | None
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        if self.ok:
            return f"ok: {self.changes:,} changes verified, head {self.head or '(none)'}"
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        lines = [f"NOT ok: {count} in {self.changes:,} changes"]
        return "\n  ".join([*lines, *map(str, self.problems)])

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON-able values."""
        return {
            "ok": self.ok,
            "changes": self.changes,
            "head": self.head,
            "problems": [
                {"change": problem.change, "what": problem.what, "text": problem.text}
                for problem in self.problems
            ],
        }


def verify(store: Store, progress: Progress | None = None) -> Verification:
    """Recompute the audit chain of a store and check what the store derives; never raises for damage.

    Problems come in the order of changes, so the first of them names the first bad entry; after
    100 of them it stops. Memory is bounded by the largest change. Of a store that shows only a part
    `PermissionDenied` is raised: the chain covers all of it.
    """
    check_whole(store, "verify the audit chain")
    links = _Links()
    problems: list[Problem] = []
    for found in _problems(store, links, progress):
        problems.append(found)
        if len(problems) == MAX_PROBLEMS:
            break
    return Verification(links.count, links.head, tuple(problems))


def log(
    store: Store,
    *,
    actor: str | None = None,
    since: datetime | str | None = None,
    until: datetime | str | None = None,
    after: int = 0,
    limit: int | None = None,
) -> Iterator[Change]:
    """Yield the changes after a number in order: those of one actor (here, or where they
    were first recorded), from `since` to `until` inclusive."""
    if limit is not None and limit <= 0:
        return
    if since is not None:
        after = max(after, last_number(store, times.parse(since, "since") - timedelta(microseconds=1)))
    end = None if until is None else times.parse(until, "until")
    count = 0
    for change in store.changes(after):
        if end is not None and change.time > end:
            return
        if actor in (None, change.actor, change.origin and change.origin.actor):
            yield change
            count += 1
            if count == limit:
                return


def _problems(store: Store, links: _Links, progress: Progress | None) -> Iterator[Problem]:
    damage: list[str] = []
    total = None
    if progress is not None:
        for last in _until_damage(lambda: iter([store.head()]), damage):
            total = last.number if last else 0
    for found in _until_damage(lambda: map(links.follow, store.changes(entries=True)), damage):
        yield from found
        if progress is not None and links.count % _STEP == 0:
            progress(links.count, total)
    if damage:
        yield Problem(links.number + 1, "what follows", f"cannot be read: {damage[0]}")
    elif progress is not None:
        progress(links.count, total)
    if isinstance(store, Maintenance):
        for text in _until_damage(store.check, damage := []):
            yield Problem(None, "the store", text)
        if damage:
            yield Problem(None, "the store", f"cannot be checked: {damage[0]}")


def _until_damage(read: Callable[[], Iterator[T]], damage: list[str]) -> Iterator[T]:
    """Yield what can be read, and note why nothing more can."""
    try:
        yield from read()
    except StoreError as error:
        damage.append(str(error))
    except _DAMAGE as error:
        damage.append(f"{type(error).__name__}: {error}")


class _Links:
    """The chain as far as it has been followed."""

    def __init__(self) -> None:
        self.count = 0
        self.number = 0
        self.head: str | None = None
        self._time: datetime | None = None
        # The link before as it stands and, where it is wrong, as it ought to be.
        self._before: tuple[bytes, ...] = (chain.GENESIS,)

    def follow(self, change: Change) -> list[Problem]:
        """Return what is wrong with the next change."""
        number = change.number
        found = []
        if self._time is not None and change.time < self._time:
            found.append(Problem(number, "time", "is earlier than that of the change before"))
        digest = chain.change_digest(map(chain.entry_digest, change.entries))
        stored = bytes.fromhex(change.digest)
        if number != self.number + 1:
            found.insert(0, self._gap(number))
            fits, beside = True, False
        else:
            fits, beside = self._fits(change, stored), self._fits(change, digest)
        if digest != stored and beside:
            found.append(Problem(number, "digest", "was altered: rows and chain agree without it"))
        elif digest != stored:
            found.append(_bad_rows(change))
        if not fits and not beside:
            words = "does not follow from number, time, actor, digest and the change before"
            found.append(Problem(number, "chain", words))
        self._advance(change, fits or beside)
        return found

    def _gap(self, number: int) -> Problem:
        if number <= self.number:
            return Problem(number, "number", f"follows change {self.number}")
        first, last = self.number + 1, number - 1
        return Problem(first, "number", "is missing" if first == last else f"to {last} are missing")

    def _fits(self, change: Change, digest: bytes) -> bool:
        return any(_link(before, change, digest) == change.chain for before in self._before)

    def _advance(self, change: Change, fits: bool) -> None:
        stands = bytes.fromhex(change.chain)
        ought = bytes.fromhex(_link(self._before[0], change, bytes.fromhex(change.digest)))
        self._before = (stands,) if fits else (stands, ought)
        self.count += 1
        self.number, self._time, self.head = change.number, change.time, change.chain


def _link(before: bytes, change: Change, digest: bytes) -> str:
    return chain.link(before, change.number, change.time, change.actor, digest).hex()


def _bad_rows(change: Change) -> Problem:
    rows = [_Row(entry) for entry in change.entries]
    odd = [row for row in rows if not row.plausible]
    named = _listed([row.name for row in odd or rows])
    if odd:
        return Problem(change.number, named, "not as it was recorded")
    if len(rows) == 1:
        return Problem(change.number, named, "not as it was recorded, or rows beside it are missing")
    return Problem(change.number, "its rows", f"one is missing, added or altered, of {named}")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SUSPECTS} more" if len(names) > _SUSPECTS else ""
    return ", ".join(names[:_SUSPECTS]) + more


class _Row:
    """A row of a change, read as far as its text allows."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._parts: list[Any] = []
        try:
            parts = json.loads(entry.text or "")
            self._canonical = _encode(parts) == entry.text
        except (ValueError, RecursionError):
            self._canonical = False
        else:
            self._parts = parts if isinstance(parts, list) else []

    @property
    def plausible(self) -> bool:
        """Whether a store could have written it."""
        text, salt, digest = self._entry[1:4]
        if digest is not None:
            return len(digest) == 32 and text is None and salt is None
        if salt is None or len(salt) != chain.SALT or not self._canonical:
            return False
        *head, document = self._parts or [None]
        return all(isinstance(part, str) for part in head) and isinstance(document, _LAST.get(head[0], ()))

    @property
    def name(self) -> str:
        """The id of what it records."""
        return f"closing of {self._subject()}" if self._entry.closed else self._subject()

    def _subject(self) -> str:
        if self._entry.digest is not None:
            return "an erased row"
        match self._parts:
            case ["node", kind, key, *_]:
                return f"{kind}/{key}"
            case ["edge", kind, source, target, *_]:
                return f"edge {kind!r} {source} -> {target}"
            case ["erased", _, id, *_]:
                return f"what is left of {id}"
            case ["points", run, name, *_]:
                return f"points of {name!r} of {run}"
            case ["change", *_]:
                return "its own record (batch, action, reason)"
        return f"an unreadable row {(self._entry.text or '')[:60]!r}"
