"""What routes are given: the API on the store as the caller may see it, and the parameters they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query

from arangopipe import outbox
from arangopipe.errors import InvalidInput, PermissionDenied
from arangopipe.model import times
from arangopipe.model.graph import Batch, Change
from arangopipe.pipe import ArangoPipe
from arangopipe.references import When, listed
from arangopipe.server.access import AskedStore, Asker, Principal
from arangopipe.store.base import MAX_PAGE

MAX_WALK = 100_000
"""Nodes of a walk that one answer holds."""

_MAX_CHANGE = 2**63


class Pipe(ArangoPipe):
    """The API as the server uses it: what cannot be recorded now is refused, for the caller has the spool."""

    def deliver(self, batch: Batch) -> Change | None:
        """Write a batch."""
        return self.store.write(batch, outbox.PATIENCE)


async def _pipe(store: AskedStore, asker: Asker) -> Pipe:
    return Pipe(store, actor=asker.user or None, capture=False)


AskedPipe = Annotated[Pipe, Depends(_pipe)]


def check_administrator(asker: Principal) -> None:
    """Raise `PermissionDenied` for whoever does not administer the store."""
    if not asker.admin:
        raise PermissionDenied(f"{asker.user} does not administer the store: this is for who does")


async def _administrator(asker: Asker) -> None:
    check_administrator(asker)


Administrator = Annotated[None, Depends(_administrator)]


async def _as_of(
    as_of: Annotated[
        str | None,
        Query(
            description="Answer with what was recorded then: a time, or the number of a change.",
            openapi_examples={
                "time": {"value": "2026-11-23T09:30:00Z"},
                "change": {"value": "12"},
                "now": {"value": None},
            },
        ),
    ] = None,
) -> When:
    return when(as_of)


def when(text: str | None, what: str = "as_of") -> When:
    """Return a moment of the record that a parameter names."""
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        return times.parse(text, what)
    number = int(text[:20])
    if number >= _MAX_CHANGE:
        raise InvalidInput(f"{what} is {text[:40]}: there is no such change")
    return number


def _query(description: str, *examples: Any) -> Any:
    return Query(description=description, examples=list(examples))


AsOf = Annotated[When, Depends(_as_of)]
Ref = Annotated[str, Path(description="A key, or a name such as `diabetes` or `diabetes@2`.")]
Event = Annotated[str, Path(description="A key, or a name that only one has.")]
Kind = Annotated[str, Path(description="A kind of thing, built in or own.", examples=["run"])]
Named = Annotated[str, _query("An id, or a name with its kind.", "dataset:diabetes")]
Project = Annotated[str | None, _query("The project in which a name is sought first.", "diabetes")]
Version = Annotated[str | None, _query("The version; by default the newest.", "2")]
Where = Annotated[str | None, _query("A search text.", "metrics.rmse < 55 and params.alpha >= 1")]
OrderBy = Annotated[str | None, _query("What to sort by; `-` for descending.", "metrics.rmse,-name")]
Limit = Annotated[int, Query(description="How many at most.", ge=1, le=MAX_PAGE)]
Cursor = Annotated[str | None, _query("Where an earlier page ended.")]
By = Annotated[str | None, _query("An attribute whose values are counted.", "model.technique")]
Actor = Annotated[str | None, _query("Only what this user changed.", "ann")]
Action = Annotated[str | None, _query("Only changes of this action.", "log run")]
OfKind = Annotated[str | None, _query("Only changes of this kind of thing.", "deployment")]
OfThing = Annotated[
    str | None, _query("Only changes of this thing: an id, or a name with its kind.", "model:ridge")
]
InReason = Annotated[str | None, _query("Only changes whose reason holds this text.", "reviewed")]
Since = Annotated[str | None, _query("From this time or change on.", "2026-01-01")]
Until = Annotated[str | None, _query("Up to this time or change.", "1200")]
Older = Annotated[int | None, Query(description="Where an earlier page ended.", ge=1, lt=_MAX_CHANGE)]
Depth = Annotated[int | None, Query(description="How many edges far.", ge=0, le=1_000_000)]
WalkLimit = Annotated[int, Query(description="How many things at most.", ge=1, le=MAX_WALK)]
MetricName = Annotated[str | None, _query("The metric; by default all.", "loss")]
EdgeKind = Annotated[str, _query("The kind of edge.", "related")]
EdgeKinds = Annotated[list[str] | None, _query("Kinds of edges; by default all.", "run_datasets")]
Source = Annotated[str, Query(alias="from", description="An id, or a name with its kind.")]
Target = Annotated[str, Query(alias="to", description="An id, or a name with its kind.")]
Reason = Annotated[str, _query("Why; the record keeps it.", "by mistake")]
Force = Annotated[bool, _query("Whether even what is in use; needs a reason.")]
IfMatch = Annotated[
    str | None, Header(description="The ETag that the thing must still have.", examples=['"12"'])
]
IfNoneMatch = Annotated[str | None, Header(description="An ETag that needs no answer again: 304.")]


def free(document: Mapping[str, Any], *taken: str) -> dict[str, Any]:
    """Return the attributes of a document that go beside fields of these names."""
    if twice := sorted(document.keys() & set(taken)):
        raise InvalidInput(f"the document cannot hold {listed(twice)}: it stands beside it")
    return dict(document)
