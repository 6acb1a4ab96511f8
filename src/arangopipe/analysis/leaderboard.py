"""The best runs of a task by a metric: found by the store's own index, so that no other run is read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from arangopipe.analysis.answers import Answer, number, several
from arangopipe.analysis.facts import USED
from arangopipe.analysis.runs import (
    NO_TASK,
    NO_TECHNIQUE,
    UNFINISHED,
    measured,
    metric_path,
    of_task,
)
from arangopipe.analysis.scope import Scope
from arangopipe.errors import NotFound
from arangopipe.model.directions import Better
from arangopipe.model.entities import Model
from arangopipe.model.expressions import And, Compare, Expression, In, Not, OrderKey, Path
from arangopipe.model.filters import parse_path
from arangopipe.model.graph import Node
from arangopipe.store.base import MAX_PAGE, Store, pages_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PAGE = 100
MOST_EDGES = 1_000_000


@dataclass(frozen=True)
class Placed:
    """A run and what it was made of."""

    rank: int
    run: str
    id: str
    value: float
    technique: str
    model: str
    featureset: str
    dataset: str
    seed: Any


@dataclass(frozen=True)
class Leaderboard(Answer):
    """The best finished runs; equal values share a rank.

    `runs` is how many there are to compare, None where runs of several tasks have the metric.
    """

    task: str
    metric: str
    better: Better
    runs: int | None
    items: tuple[Placed, ...]

    @property
    def sentence(self) -> str:
        """Which run leads, by how much."""
        first = self.items[0]
        among = f"{'the runs' if self.runs is None else several(self.runs, 'run')} of {self.task}"
        lead = f"{first.run} leads {among} with {self.metric} {number(first.value)}"
        behind = next((item for item in self.items if item.rank > 1), None)
        if behind is None:
            return f"{lead}."
        return f"{lead}, ahead of {behind.run} with {number(behind.value)}."

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each run."""
        headings = {"value": self.metric}
        rows = [asdict(item) for item in self.items]
        return [{headings.get(name, name): row[name] for name in row if name != "id"} for row in rows]

    def figure(self, axes: Axes) -> bool:
        """Draw the value of each."""
        from arangopipe.analysis.pictures import ranges

        ranges(axes, [(i.run, i.value, i.value, i.value) for i in self.items], self.metric)
        return True


def leaderboard(
    store: Store, scope: Scope, task: str | None, metric: str, better: Better, limit: int
) -> Leaderboard:
    """Return the best `limit` runs of a task, walking the store's index of the metric from its good end."""
    tasks = _tasks(store, scope)
    if task not in (None, *tasks) or (task is None and len(tasks) > 1):
        _, task = of_task(store, scope, task, metric=metric)
    path = parse_path(metric_path(metric))
    finished = Not(In(Path(("status",)), UNFINISHED))
    # Only numbers compare with a number.
    counted = _all(scope, finished, Compare(path, ">=", -sys.float_info.max))
    placed: list[_Found] = []
    for found in _walk(store, scope, counted, OrderKey(path, better == "higher"), limit):
        if task is None or found.task == task:
            placed.append(found)
        if len(placed) == limit:
            break
    if not placed:
        runs, task = of_task(store, scope, task, metric=metric)
        measured(runs, metric, task)
        raise NotFound(f"no finished run of task {task!r} has a finite {metric!r}")
    total, notes = None, []
    if len(tasks) < 2:
        total = store.count("run", counted, as_of=scope.as_of)[None]
        every = store.count("run", _all(scope), as_of=scope.as_of)[None]
        if every > total:
            notes = [f"{several(every - total, 'run')} left out: not finished, or without a finite {metric}."]
    return Leaderboard(
        task=task or placed[0].task,
        metric=metric,
        better=better,
        runs=total,
        items=tuple(_placed(placed)),
        notes=tuple(notes),
    )


def _all(scope: Scope, *more: Expression) -> Expression | None:
    items = [item for item in (scope.where(), *more) if item is not None]
    return And(tuple(items)) if len(items) > 1 else next(iter(items), None)


def _tasks(store: Store, scope: Scope) -> set[str]:
    """Return the tasks that models have."""
    counts = store.count("models", by="task", as_of=scope.as_of)
    return {NO_TASK if task is None else str(task) for task in counts}


class _Found(NamedTuple):
    """A run, its metric, and what it used by kind of edge."""

    run: Node
    value: float
    used: dict[str, list[Node]]

    @property
    def task(self) -> str:
        """The task of its models."""
        models = [Model(node) for node in self.used.get("run_models", ())]
        return " + ".join(sorted({model.task or NO_TASK for model in models})) or NO_TASK


def _walk(
    store: Store, scope: Scope, where: Expression | None, order: OrderKey, limit: int
) -> Iterator[_Found]:
    """Yield runs from the best on, a page at a time, with what they used."""
    for page in pages_of(store, "run", where, [order], min(max(limit, _PAGE), MAX_PAGE), scope.as_of):
        ids = [node.id for node in page.items]
        cells: dict[str, Any] = {}
        keys = In(Path(("key",)), tuple(node.key for node in page.items))
        for chunk in store.columns("run", [order.path.text], keys, scope.as_of) if ids else ():
            cells.update(zip(chunk["id"], chunk[order.path.text], strict=True))
        edges = store.edges(ids, USED, MOST_EDGES, scope.as_of) if ids else ()
        ends = sorted({end for edge in edges for end in (edge.source, edge.target)} - set(ids))
        nodes = {node.id: node for node in store.get(ends, scope.as_of) if node is not None}
        used: dict[str, dict[str, list[Node]]] = {id: {} for id in ids}
        for edge in sorted(edges):
            run, other = (edge.source, edge.target) if edge.source in used else (edge.target, edge.source)
            training = edge.kind != "run_datasets" or "training" in edge.document.get("roles", ["training"])
            if other in nodes and training:
                used[run].setdefault(edge.kind, []).append(nodes[other])
        yield from (_Found(node, float(cells[node.id]), used[node.id]) for node in page.items)


def _placed(found: Sequence[_Found]) -> Iterator[Placed]:
    rank = 0
    for place, (node, value, used) in enumerate(found, 1):
        if place == 1 or value != found[place - 2].value:
            rank = place
        models = [Model(model) for model in used.get("run_models", ())]
        technique = " + ".join(sorted({model.technique or model.name for model in models}))
        model, dataset, featureset = (", ".join(other.label for other in used.get(kind, ())) for kind in USED)
        seed = node.document.get("seed")
        technique = technique or NO_TECHNIQUE
        yield Placed(rank, node.label, node.id, value, technique, model, featureset, dataset, seed)
