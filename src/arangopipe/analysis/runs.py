"""The runs a question is about, as columns: streamed from the store once, never run by run."""

from __future__ import annotations

import dataclasses
import math
import operator
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from itertools import islice, repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arangopipe.analysis.answers import listed, several
from arangopipe.analysis.codes import Bools, Floats, Ints, coded
from arangopipe.analysis.scope import Scope
from arangopipe.errors import ArangopipeError, FilterSyntaxError, InvalidInput, NotFound
from arangopipe.model import documents, times
from arangopipe.model.entities import Model
from arangopipe.model.expressions import path_text
from arangopipe.model.filters import parse_path
from arangopipe.model.graph import Node
from arangopipe.model.vocabulary import ROLES, near
from arangopipe.store.base import Store
from arangopipe.store.records import Links

UNFINISHED = ("scheduled", "running", "failed", "killed")
NO_TASK = "(no task)"
NO_TECHNIQUE = "(no technique)"

_AT_ONCE = 5_000
_MOST = 2
"""Reading one document in so many by its key takes as long as reading all."""
_NAMES_READ = 500


@dataclass(frozen=True)
class Linked:
    """For each run a code of the set of things it is linked to; `members` are the ids of each set."""

    codes: Ints
    members: Sequence[tuple[str, ...]]

    def taken(self, rows: Ints | Bools) -> Linked:
        """Return it for some of the runs."""
        return Linked(self.codes[rows], self.members)


@dataclass(frozen=True)
class Runs:
    """Runs as columns of equal length: their ids, what was asked of them, and what they are linked to."""

    store: Store
    scope: Scope
    ids: NDArray[np.object_]
    values: Mapping[str, NDArray[np.object_]]
    links: Mapping[str, Linked]
    nodes: Mapping[str, Node] = field(repr=False)

    @classmethod
    def read(
        cls, store: Store, scope: Scope, paths: Sequence[str] = (), links: Sequence[str] = ("run_models",)
    ) -> Runs:
        """Read the runs of a scope with the values at paths, and whole kinds of edges."""
        found: dict[str, list[Any]] = {name: [] for name in ("id", *paths, *links)}
        for chunk in store.columns("run", paths, scope.where(), scope.as_of, links):
            for name, cells in chunk.items():
                found[name] += cells
        found = _sorted(found)
        ids = found.pop("id")
        linked = dict(_linked({name: found.pop(name) for name in dict.fromkeys(links)}))
        wanted = {member for each in linked.values() for members in each.members for member in members}
        nodes = {node.id: node for node in read_nodes(store, scope, sorted(wanted))}
        values = {name: _objects(cells) for name, cells in found.items()}
        return cls(store, scope, _objects(ids), values, linked, nodes)

    def __len__(self) -> int:
        return len(self.ids)

    def taken(self, rows: Ints | Bools) -> Runs:
        """Return some of these runs."""
        return dataclasses.replace(
            self,
            ids=self.ids[rows],
            values={name: cells[rows] for name, cells in self.values.items()},
            links={name: linked.taken(rows) for name, linked in self.links.items()},
        )

    @cached_property
    def tasks(self) -> tuple[Ints, list[str]]:
        """The task of each run's model, as codes and names."""
        return self._of_models(lambda model: model.task or NO_TASK, NO_TASK)

    @cached_property
    def techniques(self) -> tuple[Ints, list[str]]:
        """The technique of each run's model, as codes and names; a model without one stands for itself."""
        return self._of_models(lambda model: model.technique or model.name, NO_TECHNIQUE)

    def _of_models(self, read: Any, missing: str) -> tuple[Ints, list[str]]:
        linked = self.links["run_models"]
        names = []
        for members in linked.members:
            models = [Model(self.nodes[member]) for member in members if member in self.nodes]
            names.append(" + ".join(sorted({read(model) for model in models})) or missing)
        there, codes = np.unique(linked.codes, return_inverse=True)
        renamed, distinct = coded(names[code] for code in there.tolist())
        return renamed[codes], distinct

    @cached_property
    def starts(self) -> NDArray[np.datetime64]:
        """When each run started, in UTC; NaT where that is not recorded."""
        codes, cells = coded(self.values["start"].tolist())
        try:
            texts = [cell.removesuffix("Z") if cell else "NaT" for cell in cells]
            return np.array(texts, dtype="datetime64[us]")[codes]
        except (ValueError, AttributeError):  # a document of another hand
            return np.array([_moment(cell) for cell in cells], dtype="datetime64[us]")[codes]

    def label(self, node_id: str) -> str:
        """Return what a person calls a linked thing."""
        node = self.nodes.get(node_id)
        return node_id if node is None else node.label

    def documents(self, kind: str) -> Iterator[dict[str, Any]]:
        """Yield the document of that kind which each run owns; empty where there is none."""
        return map(documents.load, self.texts(kind))

    def texts(self, kind: str) -> Iterator[str]:
        """Yield these documents as text: fetched many at a time, or where most are wanted, all at once."""
        wanted = [f"{kind}/{id[len('run/') :]}" for id in self.ids.tolist()]
        if len(self) * _MOST < self.store.count(kind, as_of=self.scope.as_of)[None]:
            nodes = (
                node
                for start in range(0, len(wanted), _AT_ONCE)
                for node in self.store.get(wanted[start : start + _AT_ONCE], self.scope.as_of)
            )
            return (documents.EMPTY if node is None else node.text for node in nodes)
        found: dict[str, str] = {}
        known: dict[str, str] = {}
        for chunk in self.store.columns(kind, (), as_of=self.scope.as_of, documents=True):
            texts = chunk["document"]
            # Equal texts are kept once.
            found.update(zip(chunk["id"], map(known.setdefault, texts, texts), strict=True))
        return map(found.get, wanted, repeat(documents.EMPTY))


@dataclass(frozen=True)
class Measured:
    """The finished runs of one task with a finite number for a metric, and what was left out."""

    runs: Runs
    values: Floats
    metric: str
    task: str
    notes: tuple[str, ...]

    def taken(self, rows: Ints | Bools) -> Measured:
        """Return some of these runs."""
        return dataclasses.replace(self, runs=self.runs.taken(rows), values=self.values[rows])


def of_task(
    store: Store,
    scope: Scope,
    task: str | None,
    paths: Sequence[str] = (),
    links: Sequence[str] = (),
    metric: str | None = None,
) -> tuple[Runs, str]:
    """Return the runs of a task, and the task: if none is named, the only one there is.

    With `metric` that is the only one whose runs have it as a number: one name may mean different things in
    different tasks.
    """
    having = None if metric is None else metric_path(metric)
    wanted = ["status", *([having] if having else []), *paths]
    return chosen(Runs.read(store, scope, wanted, ("run_models", *links)), task, having)


def chosen(runs: Runs, task: str | None, having: str | None = None) -> tuple[Runs, str]:
    """Return those of the runs that are of a task (see `of_task`)."""
    scope = runs.scope
    if not len(runs):
        raise NotFound(f"there are no runs{scope.words}: nothing can be said of them")
    codes, names = runs.tasks
    if task is None:
        mask = np.isfinite(numbers(runs, having)) if having else np.ones(len(runs), bool)
        known = sorted(names[code] for code in np.unique(codes[mask] if mask.any() else codes))
        if len(known) > 1:
            what = "have that metric, where it may mean different things" if having else "are there"
            raise InvalidInput(f"runs of {len(known)} tasks {what} ({listed(known)}): pass task=")
        task = known[0]
    if task not in names:
        hint = f"{near(task, names)} (known: {listed(sorted(names))})"
        raise NotFound(f"no run{scope.words} is of task {task!r}{hint}")
    return runs.taken(codes == names.index(task)), task


def numbers(runs: Runs, path: str) -> Floats:
    """Return the numbers at a path, nan where there is none."""
    cells = runs.values[path].tolist()
    if set(map(type, cells)) <= {float, int, type(None)}:
        return np.array(cells, dtype=float)
    return np.array([_number(cell) for cell in cells], dtype=float)


def measured(runs: Runs, metric: str, task: str) -> Measured:
    """Return the runs that a metric can compare; raises `NotFound` or `InvalidInput` with the reason."""
    path = metric_path(metric)
    cells, values = runs.values[path], numbers(runs, path)
    if not np.isfinite(values).any():
        raise _no_metric(runs, metric, cells)
    return _kept(runs, metric, task, cells, values)


def unmeasured(runs: Runs, task: str) -> Measured:
    """Return what there is to compare where no metric is known: nothing."""
    return Measured(runs.taken(np.empty(0, np.int64)), np.empty(0), "", task, ())


def _kept(runs: Runs, metric: str, task: str, cells: NDArray[np.object_], values: Floats) -> Measured:
    """Leave out what cannot be compared, and say so."""
    codes, words = coded(runs.values["status"].tolist())
    unfinished = np.array([word in UNFINISHED for word in words])[codes]
    having = np.isfinite(values)
    notes = []
    if unfinished.any():
        counts = Counter(runs.values["status"][unfinished].tolist())
        said = ", ".join(f"{count:,} {word}" for word, count in sorted(counts.items()))
        notes.append(f"{several(int(unfinished.sum()), 'run')} left out: not finished ({said}).")
    missing = ~having & ~unfinished
    if missing.any():
        texts = sum(isinstance(cell, (str, bool)) for cell in cells[missing].tolist())
        of_all = f"{int(missing.sum()):,} of {int((~unfinished).sum()):,} finished runs left out"
        more = f" ({texts:,} have text there)" if texts else ""
        notes.append(f"{of_all}: no finite {metric}{more}.")
    kept = having & ~unfinished
    if not kept.any():
        raise NotFound(f"no finished run of task {task!r} has a finite {metric!r}: {' '.join(notes)}")
    return Measured(runs.taken(kept), values[kept], metric, task, tuple(notes))


def metric_path(metric: str) -> str:
    """Return the path of a metric: as a search writes it (``loss.min``), else the name as it stands."""
    if not isinstance(metric, str) or not metric:
        raise InvalidInput(f"metric is the name of a metric, not {metric!r}")
    try:
        return parse_path(f"metrics.{metric}").text
    except FilterSyntaxError:
        return path_text(("metrics", metric))


def _no_metric(runs: Runs, metric: str, cells: NDArray[np.object_]) -> ArangopipeError:
    there = [cell for cell in cells.tolist() if cell is not None]
    if there:
        return InvalidInput(f"{metric!r} is no number: the first of {len(there):,} runs has {there[0]!r:.40}")
    known = metric_names(runs)
    if metric in known:
        return InvalidInput(
            f"{metric!r} is a number in no run: it holds lists, objects, or values that are not finite"
        )
    hint = f" (known: {listed(list(known), 12)})" if known else ": these runs have no metrics"
    return NotFound(f"no run has a metric {metric!r}{near(metric, known)}{hint}")


def newest(store: Store, scope: Scope) -> Runs:
    """Return some hundred of the newest runs, with nothing but their ids."""
    page = store.search("run", scope.where(), limit=_NAMES_READ, as_of=scope.as_of)
    return Runs(store, scope, _objects([node.id for node in page.items]), {}, {}, {})


def metric_names(runs: Runs) -> dict[str, int]:
    """Return the names of metrics in some hundred runs from all over, the commonest first."""
    rows = np.unique(np.linspace(0, max(len(runs) - 1, 0), _NAMES_READ).astype(np.int64))
    found: Counter[str] = Counter()
    for document in runs.taken(rows[: len(runs)]).documents("devperf"):
        found.update(document.keys())
    return dict(found.most_common())


def _linked(links: Mapping[str, Sequence[Links]]) -> Iterator[tuple[str, Linked]]:
    """Yield, by kind of edge, what the runs are linked to; of datasets one for each role."""
    for kind, cells in links.items():
        # Most equal cells are one thing, which is compared sooner than what is in it.
        codes, _ = coded(map(id, cells))
        distinct = list(dict(zip(map(id, cells), cells, strict=True)).values())
        if kind != "run_datasets":
            yield kind, _recoded(codes, [tuple(id for id, _ in links) for links in distinct])
            continue
        texts = {text for links in distinct for _, text in links}
        roles = {text: documents.load(text).get("roles") or ROLES[:1] for text in texts}
        for role in ROLES:
            members = [tuple(id for id, text in links if role in roles[text]) for links in distinct]
            yield role, _recoded(codes, members)


def _recoded(codes: Ints, members: Sequence[tuple[str, ...]]) -> Linked:
    """Return sets of things that equal ones have one code of; that of the empty set is 0."""
    renamed, distinct = coded([(), *members])
    return Linked(renamed[1:][codes], distinct)


def read_nodes(store: Store, scope: Scope, ids: Sequence[str]) -> Iterable[Node]:
    """Yield the nodes of ids, many at a time."""
    for start in range(0, len(ids), _AT_ONCE):
        found = store.get(ids[start : start + _AT_ONCE], scope.as_of)
        yield from (node for node in found if node is not None)


def _sorted(found: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Return columns in the order of ids, so that every store gives the same answer to the last digit."""
    ids = found["id"]
    if all(map(operator.lt, ids, islice(ids, 1, None))):
        return found
    order = sorted(range(len(ids)), key=ids.__getitem__)
    return {name: [cells[place] for place in order] for name, cells in found.items()}


def _objects(cells: Sequence[Any]) -> NDArray[np.object_]:
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found


def _number(cell: Any) -> float:
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return float(cell)
    return math.nan


def _moment(cell: Any) -> datetime | None:
    try:
        return None if cell is None else times.parse(cell).astimezone(timezone.utc).replace(tzinfo=None)
    except InvalidInput:
        return None
