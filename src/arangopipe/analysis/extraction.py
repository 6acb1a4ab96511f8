"""Which feature engineering was tried for a task, and what it was applied to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from arangopipe.analysis.answers import Answer, cell, several
from arangopipe.analysis.features import origins
from arangopipe.analysis.runs import Runs, read_nodes
from arangopipe.analysis.techniques import period

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NONE = "(none recorded)"


@dataclass(frozen=True)
class Applied:
    """One transformation: the featuresets it made, the datasets they came from, and the runs on them."""

    transformation: str
    featuresets: tuple[str, ...]
    datasets: tuple[str, ...]
    techniques: tuple[str, ...]
    runs: int
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True)
class FeatureTechniques(Answer):
    """The transformations of the featuresets that runs of a task used, the most used first."""

    task: str
    items: tuple[Applied, ...]

    @property
    def sentence(self) -> str:
        """How many there are, on how many featuresets and datasets."""
        known = [item for item in self.items if item.transformation != NONE]
        sets = {name for item in self.items for name in item.featuresets}
        data = {name for item in self.items for name in item.datasets}
        return (
            f"{several(len(known), 'feature-engineering technique')} made {several(len(sets), 'featureset')} "
            f"from {several(len(data), 'dataset')} for {self.task}."
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each transformation."""
        return [asdict(item) for item in self.items]

    def figure(self, axes: Axes) -> bool:
        """Draw how many runs used each."""
        from arangopipe.analysis.pictures import bars

        bars(axes, [(cell(item.transformation), item.runs) for item in self.items], "runs")
        return bool(self.items)


def feature_techniques(runs: Runs, task: str) -> FeatureTechniques:
    """Return the transformations recorded on featuresets and on their edges to datasets."""
    linked = runs.links["run_featuresets"]
    used = {member for code in np.unique(linked.codes) for member in linked.members[code]}
    made = origins(runs.store, runs.scope, [runs.nodes[id] for id in sorted(used) if id in runs.nodes])
    sources = sorted({each.dataset for each in made if each.dataset})
    datasets = {node.id: node.label for node in read_nodes(runs.store, runs.scope, sources)}
    featuresets: dict[str, set[str]] = {}
    data: dict[str, set[str]] = {}
    for each in made:
        for name in each.transformations or (NONE,):
            featuresets.setdefault(name, set()).add(each.featureset.id)
            data.setdefault(name, set()).update([datasets[each.dataset]] if each.dataset in datasets else [])
    items = [_applied(name, runs, ids, sorted(data[name])) for name, ids in featuresets.items()]
    items.sort(key=lambda item: (-item.runs, item.transformation))
    return FeatureTechniques(task=task, items=tuple(items))


def _applied(name: str, runs: Runs, ids: set[str], datasets: list[str]) -> Applied:
    linked = runs.links["run_featuresets"]
    having = np.array([not ids.isdisjoint(members) for members in linked.members])
    rows = np.flatnonzero(having[linked.codes]).astype(np.int64)
    codes, names = runs.techniques
    return Applied(
        name,
        tuple(sorted(runs.label(id) for id in ids)),
        tuple(datasets),
        tuple(sorted(names[code] for code in np.unique(codes[rows]))),
        len(rows),
        *period(runs, rows),
    )
