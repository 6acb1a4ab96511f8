"""The best runs of a task by a metric."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from arangopipe.analysis.answers import Answer, number, several
from arangopipe.analysis.directions import Better
from arangopipe.analysis.runs import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    """The best finished runs, of how many; equal values share a rank."""

    task: str
    metric: str
    better: Better
    runs: int
    items: tuple[Placed, ...]

    @property
    def sentence(self) -> str:
        """Which run leads, by how much."""
        first = self.items[0]
        among = f"{several(self.runs, 'run')} of {self.task}"
        lead = f"{first.run} leads {among} with {self.metric} {number(first.value)}"
        behind = next((item for item in self.items if item.rank > 1), None)
        if behind is None:
            return f"{lead}."
        return f"{lead}, ahead of {behind.run} with {number(behind.value)}."

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each run."""
        return [
            {
                self.metric if name == "value" else name: value
                for name, value in asdict(item).items()
                if name != "id"
            }
            for item in self.items
        ]

    def figure(self, axes: Axes) -> bool:
        """Draw the value of each."""
        from arangopipe.analysis.pictures import ranges

        ranges(axes, [(i.run, i.value, i.value, i.value) for i in self.items], self.metric)
        return True


def leaderboard(measured: Measured, better: Better, limit: int) -> Leaderboard:
    """Return the best `limit` runs."""
    signed = measured.values if better == "lower" else -measured.values
    order = np.argsort(signed, kind="stable")[:limit].astype(np.int64)
    best = measured.taken(order)
    runs = best.runs
    nodes = runs.store.get(runs.ids.tolist(), runs.scope.as_of)
    codes, names = runs.techniques
    ranks = np.searchsorted(np.sort(signed), signed[order], side="left") + 1
    items = []
    for row, (id, node) in enumerate(zip(runs.ids.tolist(), nodes, strict=True)):
        model, featureset, dataset = (
            ", ".join(runs.label(member) for member in linked.members[linked.codes[row]])
            for linked in (runs.links[name] for name in ("run_models", "run_featuresets", "training"))
        )
        label, seed = (id, None) if node is None else (node.label, node.document.get("seed"))
        technique = names[codes[row]]
        value, rank = float(best.values[row]), int(ranks[row])
        items.append(Placed(rank, label, id, value, technique, model, featureset, dataset, seed))
    return Leaderboard(
        task=measured.task,
        metric=measured.metric,
        better=better,
        runs=len(measured.values),
        items=tuple(items),
        notes=measured.notes,
    )
