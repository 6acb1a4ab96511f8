"""Compare: two to two hundred runs side by side, what differs first."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from arangopipe.errors import ArangopipeError, InvalidInput
from arangopipe.model.directions import known_direction
from arangopipe.model.entities import Run
from arangopipe.server.pages import comparing, curves
from arangopipe.server.pages.asking import Ask, Asked
from arangopipe.server.pages.comparing import FEW, Column
from arangopipe.server.pages.rendering import Entry, View, page
from arangopipe.server.pages.texts import is_number
from arangopipe.server.pages.things import brief, plain_metrics, seconds_of, time_text

NAVIGATION = Entry("Compare", "/compare")

MOST = 200
"""So many runs are compared."""

COLUMNS = 7
"""So many differing facts, and so many metrics, stand in the table if none are chosen."""

OFFERED = 300
SUGGESTED = 12

Runs = Annotated[Sequence[str], Query()]

router = APIRouter()


@page(router, "/compare", "compare.html")
def compare(ask: Asked, run: Runs = (), order: str = "", columns: Runs = ()) -> View:
    """Set runs side by side: what differs, what is the same, and the best of each metric."""
    runs, wrong = comparing.chosen(ask, run[: MOST + 1])
    asked: View = {
        "runs": [_run(each) for each in runs],
        "wrong": wrong,
        "order": order,
        "chosen": list(columns),
        "few": len(runs) <= FEW,
        "problem": None,
        "most": MOST,
        "curved": curves.RUNS,
    }
    if len(run) > MOST:
        said = f"{len(run)} runs are too many to compare: choose up to {MOST}"
        return {**asked, "runs": [], "problem": {"status": 422, "said": said}}
    if len(runs) < 2:
        return {**asked, "suggested": _suggested(ask, runs)}
    found = comparing.columns(ask, runs)
    metrics = comparing.metrics(found)
    shown = _shown(found, columns)
    return {
        **asked,
        "differences": {
            section: [_difference(column, len(runs) <= FEW) for column in part]
            for section, part in comparing.by_section(found, True).items()
        },
        "equal": {
            section: [{"name": column.name, "value": column.values[0]} for column in part]
            for section, part in comparing.by_section(found, False).items()
        },
        "metrics": [_metric(column) for column in metrics[:OFFERED]],
        "columns": [_heading(column, order) for column in shown],
        "places": _places(found, order, len(runs)),
        "cells": [[column.values[place] for column in shown] for place in range(len(runs))],
        "offered": [column.key for column in found if column.differs or column.section == "metrics"][
            :OFFERED
        ],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        **brief(run),
        "status": run.status or "",
        "start": time_text(run.start),
        "seconds": seconds_of(run),
        "tag": run.tag,
    }


def _suggested(ask: Ask, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Return the newest runs, to begin with."""
    known = {run.id for run in runs}
    found = ask.pipe.search("run", limit=SUGGESTED, as_of=ask.as_of)
    return [
        {**_run(item), "metrics": plain_metrics(item.metrics, 3)}
        for item in found
        if isinstance(item, Run) and item.id not in known
    ]


def _difference(column: Column, few: bool) -> dict[str, Any]:
    values = {"values": list(column.values)} if few else {"spread": column.spread()}
    return {"name": column.name, "key": column.key, "missing": column.missing, **values}


def _metric(column: Column) -> dict[str, Any]:
    direction = known_direction(column.name)
    return {
        "name": column.name,
        "key": column.key,
        "better": direction,
        "best": column.best(direction),
        "missing": column.missing,
        "values": list(column.values),
    }


def _heading(column: Column, order: str) -> dict[str, Any]:
    """Return a column of the table, and the order that a click on it asks for: the best first."""
    metric = column.section == "metrics"
    direction = known_direction(column.name) if metric else None
    first, second = (
        (f"{column.key} desc", column.key) if direction == "higher" else (column.key, f"{column.key} desc")
    )
    return {
        "key": column.key,
        "section": column.section,
        "name": column.name,
        "numeric": column.numeric,
        "better": direction,
        "best": column.best(direction),
        "sorted": {column.key: "ascending", f"{column.key} desc": "descending"}.get(order),
        "order": {first: second, second: ""}.get(order, first),
    }


def _shown(found: Sequence[Column], chosen: Sequence[str]) -> list[Column]:
    """Return the columns of the table: those chosen, else what differs most tellingly."""
    if chosen:
        by_key = {column.key: column for column in found}
        return [by_key[key] for key in chosen if key in by_key]
    given = [column for column in found if column.section != "metrics" and column.differs]
    # What was set is told before what merely comes with it, such as columns of a featureset.
    named = [c for c in given if c.section == "params" or not c.name.startswith(("column ", "rows of "))]
    return [*named[:COLUMNS], *comparing.metrics(found)[:COLUMNS]]


def _places(found: Sequence[Column], order: str, count: int) -> list[int]:
    key = order.removesuffix(" desc")
    column = next((column for column in found if column.key == key), None)
    return comparing.sorted_by(column, count, order.endswith(" desc"))


@page(router, "/compare/values", "parts/values.html")
def values(ask: Asked, run: Runs = ()) -> View:
    """Return what differs and what was measured, one column each, as charts take it."""
    runs, _ = comparing.chosen(ask, run[:MOST])
    found = comparing.columns(ask, runs) if runs else []
    given = [column for column in found if column.section != "metrics" and column.differs]
    metrics = [column for column in comparing.metrics(found) if any(map(is_number, column.values))]
    return {
        "runs": [brief(each) for each in runs],
        "given": [_values(column, None) for column in given[:OFFERED]],
        "metrics": [_values(column, known_direction(column.name)) for column in metrics[:OFFERED]],
    }


def _values(column: Column, direction: str | None) -> dict[str, Any]:
    return {
        "key": column.key,
        "section": column.section,
        "name": column.name,
        "numeric": column.numeric,
        "better": direction,
        "values": list(column.values),
    }


@page(router, "/compare/points", "parts/points.html")
def points(ask: Asked, run: Runs = (), name: Runs = ()) -> View:
    """Return the curves of the first runs, to be drawn over each other."""
    runs, _ = comparing.chosen(ask, run[: curves.RUNS])
    return {"runs": curves.overlaid(ask, [each.id for each in runs], name)}


@page(router, "/compare/why", "parts/why.html")
def why(ask: Asked, a: str, b: str, metric: str = "") -> View:
    """Rank the differences of two runs by how often such a change moved the metric."""
    try:
        found = ask.pipe.analysis.explain_difference(a, b, metric=metric or None, as_of=ask.as_of)
    except ArangopipeError as error:
        return {"said": str(error), "causes": [], "notes": [], "metric": metric}
    return {
        "said": found.sentence,
        "causes": [{name.replace(" ", "_"): cell for name, cell in row.items()} for row in found.rows()],
        "notes": list(found.notes),
        "metric": found.metric,
    }


@router.get("/compare/download/{form}")
def download(ask: Asked, form: str, run: Runs = ()) -> Response:
    """Give everything that is compared as CSV or JSON, a row for each run."""
    if form not in ("csv", "json"):
        raise InvalidInput(f"{form!r} cannot be downloaded: ask for csv or json")
    runs, _ = comparing.chosen(ask, run[:MOST])
    found = comparing.columns(ask, runs) if runs else []
    rows = [
        {"id": each.id, "name": each.name, **{column.key: column.values[place] for column in found}}
        for place, each in enumerate(runs)
    ]
    text, media = (
        (_csv(rows), "text/csv; charset=utf-8") if form == "csv" else (_json(rows), "application/json")
    )
    headers = {
        "Content-Disposition": f'attachment; filename="comparison.{form}"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text, headers=headers, media_type=media)


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return out.getvalue()


def _json(rows: Sequence[dict[str, Any]]) -> str:
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
