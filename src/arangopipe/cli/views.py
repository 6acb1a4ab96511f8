"""The columns that lists show of each kind when none are chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from arangopipe.cli.labels import period, status
from arangopipe.cli.tables import LONGEST, Column, short
from arangopipe.cli.terminal import clean
from arangopipe.cli.words import label, when
from arangopipe.details import cells, stale, written
from arangopipe.model.entities import Dataset, Entity, Featureset, Model, Project, Run, ServingPerf
from arangopipe.model.filters import Compare, Expression, Path, path_text
from arangopipe.references import When
from arangopipe.words import length, short_key

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe
    from arangopipe.results import Page

METRICS_SHOWN = 6
_OTHERS_SHOWN = 6


def projects(pipe: ArangoPipe, page: Page[Project], as_of: When) -> list[Column]:
    """Name, description, and how much belongs to it."""
    return [
        Column("name", [label(item) for item in page], 0, "cyan"),
        Column("description", [item.get("description") for item in page], 3),
        Column("models", [_belonging(pipe, "models", item, as_of) for item in page]),
        Column("runs", [_belonging(pipe, "run", item, as_of) for item in page]),
        _changed(pipe, page, 2),
    ]


def datasets(pipe: ArangoPipe, page: Page[Dataset], as_of: When) -> list[Column]:
    """Name and version, size, where it came from, and what identifies its content."""
    summaries = [item.summary or {} for item in page]
    return [
        *_named(page),
        Column("rows", [summary.get("rows") for summary in summaries], 1),
        Column("columns", [summary.get("column_count") for summary in summaries], 3),
        Column("source", [item.source for item in page], 2),
        Column("location", [item.location for item in page], 5),
        Column("fingerprint", [_digest(item.fingerprint) for item in page], 4, "dim"),
        _changed(pipe, page, 3),
    ]


def featuresets(pipe: ArangoPipe, page: Page[Featureset], as_of: When) -> list[Column]:
    """Name and version, what it was made from and how, and its columns."""
    made_from = cells(pipe.store, "featuresets", page, ["dataset.name"], as_of)["dataset.name"]
    columns = [", ".join(item.columns) for item in page]
    return [
        *_named(page),
        Column("dataset", made_from, 1),
        Column("columns", [short(clean(names)) for names in columns], 2),
        Column("transformation", [item.transformation for item in page], 4),
        _changed(pipe, page, 3),
    ]


def models(pipe: ArangoPipe, page: Page[Model], as_of: When) -> list[Column]:
    """Name and version, task and technique, and how many runs trained it."""
    runs = [pipe.count("run", _is("model.key", item.key), as_of=as_of) for item in page]
    return [
        *_named(page),
        Column("task", [item.task for item in page], 2),
        Column("technique", [item.technique for item in page], 1),
        Column("runs", runs, 1),
        _changed(pipe, page, 3),
    ]


def runs(pipe: ArangoPipe, page: Page[Run], as_of: When) -> list[Column]:
    """Key and name, status, what it used, what it measured, when it started and how long it took."""
    used = cells(pipe.store, "run", page, ["model.name", "featureset.name", "dataset.name"], as_of)
    silent = stale(pipe, page, as_of)
    return [
        Column("run", [short_key(item.key) for item in page], 0, "cyan"),
        Column("name", [item.name for item in page], 5),
        Column("status", [status("stale" if item.id in silent else item.status or "") for item in page], 0),
        Column("model", used["model.name"], 1),
        Column("featureset", used["featureset.name"], 2),
        *_metrics(page),
        Column("started", [_time(item.start) for item in page], 4, path="start"),
        Column("took", [_took(item) for item in page], 6),
        Column("dataset", used["dataset.name"], 7),
        Column("tag", [item.tag for item in page], 8),
        Column("project", [item.project for item in page], 9),
    ]


def serving(pipe: ArangoPipe, page: Page[ServingPerf], as_of: When) -> list[Column]:
    """The deployment, the period, what was measured in it, and what else is said of it."""
    deployments = cells(pipe.store, "servingperf", page, ["deployment.tag"], as_of)["deployment.tag"]
    words = [
        {n: v for n, v in item.document.items() if n not in (*item.metrics, "start", "end")} for item in page
    ]
    names = dict.fromkeys(name for found in words for name in found)
    return [
        Column("period", [period(item) for item in page], 0, "cyan", path="start"),
        Column("deployment", deployments, 1),
        *_metrics(page),
        *(Column(clean(name), [found.get(name) for found in words], 4 + i) for i, name in enumerate(names)),
    ]


def anything(pipe: ArangoPipe, page: Page[Entity], as_of: When) -> list[Column]:
    """Id or name, and the first attributes of things of any kind."""
    rows = page.rows()
    own = ("id", "name", "version", "project")
    names = list(dict.fromkeys(name for row in rows for name in row if name not in own))
    named = any(item.name for item in page)
    identity = _named(page) if named else [Column("id", [item.id for item in page], 0, "cyan")]
    names.sort(key=lambda name: max(len(str(row.get(name, ""))) for row in rows) > LONGEST)
    rest = [
        Column(clean(name), [row.get(name) for row in rows], 2 + place)
        for place, name in enumerate(names[:_OTHERS_SHOWN])
    ]
    return [*identity, *rest, _changed(pipe, page, 1)]


def view_of(kind: str) -> Any:
    """Return the view of a kind."""
    known: dict[str, Any] = {
        "project": projects,
        "datasets": datasets,
        "featuresets": featuresets,
        "models": models,
        "run": runs,
        "servingperf": serving,
    }
    if kind == "deployment":
        from arangopipe.cli.placing import view

        return view
    return known.get(kind, anything)


def _named(page: Page[Any]) -> list[Column]:
    versions = [item.version for item in page]
    several = any(version not in ("", "1") for version in versions)
    return [
        Column("name", [clean(item.name) for item in page], 0, "cyan"),
        Column("version", versions if several else [None] * len(versions), 0),
        Column("project", [item.project for item in page], 3),
    ]


def _metrics(page: Page[Any]) -> Sequence[Column]:
    """Return a column for each of the metrics that most runs have."""
    metrics = [item.metrics for item in page]
    plain = Counter(
        name
        for found in metrics
        for name, value in found.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    )
    names = [name for name, _ in plain.most_common(METRICS_SHOWN)]
    return [
        Column(clean(name), [found.get(name) for found in metrics], 3, path=path_text(("metrics", name)))
        for name in names
    ]


def _changed(pipe: ArangoPipe, page: Page[Any], rank: int) -> Column:
    moments = written(pipe, page)
    return Column("written", [_time(moments.get(item.id)) for item in page], rank, "dim")


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else when(moment, seconds=False)


def _took(run: Run) -> str | None:
    if run.start is None or run.end is None:
        return None
    return length(run.end - run.start)


def _digest(fingerprint: dict[str, Any] | None) -> str | None:
    digest = (fingerprint or {}).get("digest")
    return digest[:12] if isinstance(digest, str) else None


def _belonging(pipe: ArangoPipe, kind: str, project: Project, as_of: When) -> int:
    return pipe.count(kind, _is("project", project.name), as_of=as_of)


def _is(path: str, value: str) -> Expression:
    return Compare(Path(tuple(path.split("."))), "=", value)
