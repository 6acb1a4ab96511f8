"""The page of a run: what it was given, what it measured, its curves, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query

from arangopipe.details import stale
from arangopipe.model import documents
from arangopipe.model.entities import Run
from arangopipe.model.expressions import Compare, Expression, Path
from arangopipe.server.pages import curves
from arangopipe.server.pages.asking import Ask, Asked
from arangopipe.server.pages.entity import common, known
from arangopipe.server.pages.rendering import View, page
from arangopipe.server.pages.things import brief, plain_metrics, seconds_of, time_text

SIBLINGS = 12

_ELSEWHERE = (
    *("error", "environment", "code", "artifacts"),
    *("tags", "tag", "user", "start", "end", "status", "metrics"),
)
"""What stands in a part of its own, and is left out of the rest of the document."""

Others = Annotated[Sequence[str], Query(alias="with")]

router = APIRouter()


@page(router, "/entity/run/{key}/points", "parts/points.html")
def points(ask: Asked, key: str, others: Others = (), name: Annotated[Sequence[str], Query()] = ()) -> View:
    """Return the curves of a run, and of other runs to draw over them."""
    known(ask, f"run/{key}")
    return {"runs": curves.overlaid(ask, [f"run/{each}" for each in (key, *others)], name)}


@page(router, "/entity/run/{key}", "run.html")
def run(ask: Asked, key: str, a: str = "", b: str = "", others: Others = ()) -> View:
    """Show all that is recorded about a run."""
    thing, found = known(ask, f"run/{key}")
    assert isinstance(thing, Run)
    document = thing.document
    metrics = documents.load(thing.metrics_text) or _last(ask, thing)
    return {
        **common(ask, thing, found, a, b),
        "status": "stale" if stale(ask.pipe, [thing], ask.as_of) else thing.status or "",
        "start": time_text(thing.start),
        "end": time_text(thing.end),
        "seconds": seconds_of(thing),
        "params": thing.params,
        "fitted": thing.fitted,
        "optimizer": thing.optimizer,
        "metrics": metrics,
        "curves": curves.names_of(ask, thing, metrics),
        "tag": thing.tag,
        "user": thing.user,
        "tags": thing.tags,
        "error": thing.error,
        "environment": _part(document, "environment"),
        "code": _part(document, "code"),
        "artifacts": thing.artifacts,
        "rest": {name: value for name, value in document.items() if name not in _ELSEWHERE},
        "others": list(others),
        "siblings": _siblings(ask, thing, others),
    }


def _last(ask: Ask, thing: Run) -> dict[str, Any]:
    """Return the last value of each metric of a run that goes on, whose summary is not written yet."""
    found = ask.store.points(thing.id, as_of=ask.moment) if thing.status == "running" else {}
    return {
        name: max(points, key=lambda point: (point.step, point.time)).value for name, points in found.items()
    }


def _part(document: Mapping[str, Any], name: str) -> Any:
    return document.get(name) or {}


def _siblings(ask: Ask, thing: Run, others: Sequence[str]) -> list[dict[str, Any]]:
    """Return other runs to draw over this one: those of the same tag, else of the same project."""
    where: Expression | None = None
    if thing.tag is not None:
        where = Compare(Path(("tag",)), "=", thing.tag)
    elif thing.project:
        where = Compare(Path(("project",)), "=", thing.project)
    found = list(ask.pipe.search("run", where, limit=SIBLINGS + 1, as_of=ask.as_of))
    shown = {item.key: item for item in found if item.key != thing.key}
    missing = [f"run/{key}" for key in others if key not in shown]
    more = [node for node in ask.store.get(missing, ask.moment) if node is not None] if missing else []
    listed = [*ask.pipe.entities(more, ask.as_of), *list(shown.values())[:SIBLINGS]]
    return [
        {**brief(item), "metrics": plain_metrics(item.metrics, 2), "shown": item.key in others}
        for item in listed
        if isinstance(item, Run)
    ]
