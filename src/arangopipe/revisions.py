"""The states a thing had, and what changed from one to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from arangopipe.details import change_dict
from arangopipe.model.filters import path_text
from arangopipe.model.graph import Change, Revision
from arangopipe.references import When, moment_of

_MISSING = object()


class Difference(NamedTuple):
    """One attribute that differs: ``+`` added, ``-`` removed, ``~`` changed."""

    mark: str
    path: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Step:
    """One change of a thing: what it wrote, None where it deleted the thing.

    A change that was merged may have come too late: its state is `superseded` by one that was there.
    """

    change: Change
    revision: Revision | None
    differences: tuple[Difference, ...]
    superseded: bool = False


def until(revisions: Iterable[Revision], as_of: When) -> list[Revision]:
    """Return the revisions up to a moment, as they stood then."""
    moment = moment_of(as_of)
    return [
        revision
        if revision.closed_by is None or _until(revision.closed_by, moment)
        else revision._replace(closed_by=None)
        for revision in revisions
        if _until(revision.change, moment)
    ]


def _until(change: Change, moment: int | datetime | None) -> bool:
    if moment is None:
        return True
    return change.number <= moment if isinstance(moment, int) else change.time <= moment


def steps(revisions: Sequence[Revision]) -> Iterator[Step]:
    """Yield the changes a thing went through, deletions too, with what each changed."""
    before: dict[str, Any] = {}
    lasting = {revision.change.number for revision in revisions if not _at_once(revision)}
    for revision in sorted(revisions, key=lambda revision: revision.change.number):
        after = revision.node.document
        passing = _at_once(revision)
        yield Step(revision.change, revision, tuple(differences(before, after)), passing)
        if passing:
            continue
        before = after
        end = revision.closed_by
        if end is not None and end.number not in lasting:
            yield Step(end, None, ())
            before = {}


def _at_once(revision: Revision) -> bool:
    return revision.closed_by is not None and revision.closed_by.number == revision.change.number


def differences(
    before: Mapping[str, Any], after: Mapping[str, Any], within: tuple[str, ...] = ()
) -> Iterator[Difference]:
    """Yield the attributes in which two documents differ, objects attribute by attribute."""
    for name in sorted({*before, *after}):
        path = (*within, name)
        old, new = before.get(name, _MISSING), after.get(name, _MISSING)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, path)
        elif old is _MISSING:
            yield Difference("+", path_text(path), None, new)
        elif new is _MISSING:
            yield Difference("-", path_text(path), old, None)
        elif old != new or type(old) is not type(new):
            yield Difference("~", path_text(path), old, new)


def as_json(revisions: Sequence[Revision]) -> dict[str, Any]:
    """Return the history as JSON-able values, the documents whole."""
    items = [
        {
            **change_dict(step.change),
            "deleted": step.revision is None,
            "superseded": step.superseded,
            "differences": [
                {"mark": d.mark, "path": d.path, "before": d.before, "after": d.after}
                for d in step.differences
            ],
            "document": None if step.revision is None else step.revision.node.document,
        }
        for step in steps(revisions)
    ]
    return {"id": revisions[0].node.id if revisions else None, "items": items}
