"""Runs: recorded whole, or as they start, go on and end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from arangopipe.errors import Conflict, InvalidInput
from arangopipe.model import documents, times
from arangopipe.model.graph import Batch, Edge, Node, Point, Points, Put
from arangopipe.record import ENDED, error_document, metrics_document, params_document
from arangopipe.references import moment_of
from arangopipe.server import asking, forms, wire
from arangopipe.server.asking import AskedPipe, AsOf, Pipe
from arangopipe.server.entities import MADE, found
from arangopipe.server.problems import may
from arangopipe.server.replies import created, of_thing, reply

router = APIRouter(prefix="/runs", tags=["runs"])

_OWN = {*forms.NewRun.model_fields, "user", "capture", "self", "references", "actor", "attributes"}


@router.post("", status_code=201, response_model=wire.RunThing, responses={**MADE, **may(404, 409)})
def log_run(pipe: AskedPipe, body: forms.NewRun) -> Response:
    """Record a run: whole, or as `running` when it starts.

    What it used is named by ids or names. One that is `running` then logs below `/runs/{run}/log`, and ends
    by `/runs/{run}/finish`.
    """
    given = {name: getattr(body, name) for name in body.model_fields_set}
    document = asking.free(given.pop("document", {}), *_OWN)
    if body.artifacts is not None:
        given["artifacts"] = _artifacts(body.artifacts)
    return created(pipe.log_run(**given, **document), "/api/v1/runs")


@router.post("/{run}/log", response_model=wire.RunThing, responses=may(404, 409))
def log_to_run(pipe: AskedPipe, run: asking.Event, body: forms.Log) -> Response:
    """Record what a run that goes on has to say: parameters, metrics, points, tags, artifacts.

    All of it or nothing. Attributes that were there are set anew; tags and artifacts are added.
    """
    return _recorded(pipe, run, "log to run", body, {}, body.points)


@router.post("/{run}/finish", response_model=wire.RunThing, responses=may(404, 409))
def finish_run(pipe: AskedPipe, run: asking.Event, body: forms.Finished) -> Response:
    """Record how a run ended, with what it has to say at last.

    A metric of which points were logged takes the last of them as its value.
    """
    ending: dict[str, Any] = {"status": body.status, "end": body.end}
    if body.error is not None:
        ending["error"] = error_document(body.error)
    return _recorded(pipe, run, "end run", body, ending, {})


@router.get("/{run}/points", response_model=wire.Curves, responses=may(404, 409))
def get_points(pipe: AskedPipe, as_of: AsOf, run: asking.Event, name: asking.MetricName = None) -> Response:
    """Return the points of a run's metrics, or of one, by step and time."""
    thing = found(pipe, "run", run, as_of)
    points = pipe.store.points(thing.id, name, moment_of(as_of))
    return reply(
        {"points": {metric: [_shown(point) for point in series] for metric, series in points.items()}}
    )


def _shown(point: Point) -> dict[str, Any]:
    moment = times.to_text(times.from_microseconds(point.time))
    return {"step": point.step, "time": moment, "value": point.value}


def _recorded(
    pipe: Pipe,
    ref: str,
    action: str,
    body: forms.Told,
    ending: Mapping[str, Any],
    points: Mapping[str, list[forms.PointIn]],
) -> Response:
    """Write what a run says in one batch, over whatever was recorded of it meanwhile."""
    key = found(pipe, "run", ref).key
    series = _series(f"run/{key}", points)

    def build() -> Batch:
        run, params, metrics = pipe.store.get([f"{kind}/{key}" for kind in ("run", "modelparams", "devperf")])
        if run is None or run.document.get("status") in ENDED:
            raise Conflict(f"run/{key} has ended: annotate it with PATCH, or start another run")
        fresh = params_document(body.params, body.fitted, body.optimizer)
        measured = {**(_last(pipe, run.id) if ending else {}), **metrics_document(body.metrics)}
        writes = [
            _put(run, "run", key, _attributes(run, body, ending)),
            _put(params, "modelparams", key, fresh),
            _put(metrics, "devperf", key, measured),
        ]
        puts = [put for put in writes if put is not None]
        return pipe.batch(action, puts=puts, edges=_edges(key, puts), points=series)

    pipe.send_fresh(build)
    return of_thing(found(pipe, "run", key))


def _attributes(run: Node, body: forms.Told, ending: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is to be set in the document of a run."""
    known = run.document
    fresh = documents.normalise(asking.free(body.document, *_OWN), "run")
    if body.tags is not None:
        fresh["tags"] = {**known.get("tags", {}), **documents.normalise(body.tags, "tags")}
    if body.artifacts is not None:
        fresh["artifacts"] = [*known.get("artifacts", []), *_artifacts(body.artifacts)]
    if ending:
        fresh |= documents.normalise({**ending, "end": _end(run, ending["end"])}, "run")
    return fresh


def _end(run: Node, given: str | None) -> str:
    started = times.parse(run.document.get("start") or times.now(), "start")
    ended = max(times.now(), started) if given is None else times.parse(given, "end")
    if ended < started:
        raise InvalidInput(f"the run ends ({ended}) before it started ({started})")
    return times.to_text(ended)


def _put(node: Node | None, kind: str, key: str, fresh: Mapping[str, Any]) -> Put | None:
    """Return what sets attributes of a document of a run; one that is not there yet is made."""
    if node is None:
        return Put(Node(kind, key, text=documents.dump(fresh))) if fresh else None
    text = documents.dump({**node.document, **fresh})
    return None if text == node.text else Put(node._replace(text=text), node.revision)


def _edges(key: str, puts: list[Put]) -> list[Edge]:
    return [
        Edge(f"run_{put.node.kind}", f"run/{key}", put.node.id)
        for put in puts
        if put.expect == "absent" and put.node.kind != "run"
    ]


def _last(pipe: Pipe, run: str) -> dict[str, Any]:
    """Return the last value of each metric of which there are points."""
    return {name: points[-1].value for name, points in pipe.store.points(run).items() if points}


def _series(run: str, points: Mapping[str, list[forms.PointIn]]) -> list[Points]:
    now = times.to_microseconds(times.now())
    return [
        Points(run, name, tuple(_point(point, now) for point in series))
        for name, series in points.items()
        if series
    ]


def _point(point: forms.PointIn, now: int) -> Point:
    moment = now if point.time is None else times.to_microseconds(times.parse(point.time, "time"))
    value = point.value if isinstance(point.value, str) else float(point.value)
    return Point(point.step, moment, value)


def _artifacts(items: list[forms.Artifact]) -> list[dict[str, Any]]:
    """Return references to files; the server reads none of them."""
    return [
        {"name": item.uri.rstrip("/").rpartition("/")[2], **item.model_dump(exclude_none=True)}
        for item in items
    ]
