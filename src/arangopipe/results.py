"""What questions give back: pages of entities, and what a change would touch."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from arangopipe.errors import MissingExtra
from arangopipe.model.entities import Deployment, Entity, Run, ServingPerf
from arangopipe.model.graph import Graph
from arangopipe.model.vocabulary import OWNED_BY_RUN, singular

if TYPE_CHECKING:
    import pandas

Item = TypeVar("Item", bound=Entity, covariant=True)

_COLUMNS_SHOWN = 20
_CELL = 60
_ITEMS_SHOWN = 10


@dataclass(frozen=True, eq=False, repr=False)
class Page(Generic[Item]):
    """Some of the entities that a search found; `cursor` continues it, None where it ends."""

    items: tuple[Item, ...]
    cursor: str | None
    _follow: Callable[[str], Page[Item]]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, index: int | slice) -> Item | tuple[Item, ...]:
        return self.items[index]

    def __repr__(self) -> str:
        lines = [f"<Page of {len(self)}{'' if self.cursor is None else ', more follow'}>"]
        return "\n  ".join([*lines, *map(repr, self.items[:_ITEMS_SHOWN])])

    def next(self) -> Page[Item] | None:
        """Return the page that follows, None after the last."""
        return None if self.cursor is None else self._follow(self.cursor)

    def to_dict(self) -> dict[str, Any]:
        """Return the page as JSON-able values."""
        return {"items": [item.to_dict() for item in self], "cursor": self.cursor}

    def rows(self) -> list[dict[str, Any]]:
        """Return a flat row for each entity: its own fields, scalars, ``params.*`` and ``metrics.*``."""
        return [_row(item) for item in self]

    def to_frame(self) -> pandas.DataFrame:
        """Return the rows as a pandas data frame; raises `MissingExtra` without pandas."""
        try:
            import pandas
        except ImportError as error:
            raise MissingExtra("pandas", "analysis") from error
        frame: pandas.DataFrame = pandas.DataFrame(self.rows())
        return frame

    def _repr_html_(self) -> str:
        if not self.items:
            return "<p>nothing found</p>"
        rows = self.rows()
        names = list(dict.fromkeys(name for row in rows for name in row))[:_COLUMNS_SHOWN]
        lines = ["".join(f"<th>{html.escape(name)}</th>" for name in names)]
        lines += ["".join(f"<td>{_cell(row.get(name))}</td>" for name in names) for row in rows]
        table = "".join(f"<tr>{line}</tr>" for line in lines)
        more = "" if self.cursor is None else "<p>… and more: page.next()</p>"
        return f"<table>{table}</table>{more}"


@dataclass(frozen=True)
class Impact:
    """What depends on a thing, and which of it serves.

    `live` and `scheduled` are the deployments that do and are to; `last_serving` holds, by
    deployment id, the latest performance each has shown.
    """

    graph: Graph
    live: tuple[Deployment, ...]
    scheduled: tuple[Deployment, ...]
    last_serving: Mapping[str, ServingPerf]

    def __str__(self) -> str:
        reached = [node for node in self.graph if node.id not in self.graph.start]
        counts = Counter(node.kind for node in reached if node.kind not in OWNED_BY_RUN)
        found = ", ".join(counted(kind, count) for kind, count in counts.items())
        starts = [self.graph.nodes[node_id] for node_id in self.graph.start]
        start = ", ".join(f"{singular(node.kind)} {node.label}" for node in starts)
        lines = [f"{start}: {found or 'nothing'} downstream"]
        for word, deployments in (("live", self.live), ("scheduled", self.scheduled)):
            lines += [f"  {word}: {self._line(deployment)}" for deployment in deployments]
        return "\n".join(lines if len(lines) > 1 else [*lines, "  nothing live or scheduled"])

    def _line(self, deployment: Deployment) -> str:
        since = deployment.active_from or deployment.scheduled
        said = f"{deployment.tag} ({deployment.id})" + (f" from {since:%Y-%m-%d %H:%M}" if since else "")
        served = self.last_serving.get(deployment.id)
        if served is None:
            return said
        metrics = ", ".join(f"{name} {value:.6g}" for name, value in served.metrics.items())
        return f"{said}, last served {metrics}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-able values."""
        return {
            "graph": self.graph.to_dict(),
            "live": [deployment.to_dict() for deployment in self.live],
            "scheduled": [deployment.to_dict() for deployment in self.scheduled],
            "last_serving": {name: perf.to_dict() for name, perf in self.last_serving.items()},
        }


def counted(kind: str, count: int) -> str:
    """Return a number of things of a kind in words: ``1 dataset``, ``3 runs``."""
    if count == 1:
        return f"1 {singular(kind)}"
    return f"{count} {kind if kind.endswith('s') else f'{kind}s'}"


def _row(entity: Entity) -> dict[str, Any]:
    own = {"id": entity.id, "name": entity.name, "version": entity.version, "project": entity.project}
    row: dict[str, Any] = {name: value for name, value in own.items() if value}
    parts = [("", entity.document)]
    if isinstance(entity, Run):
        parts += [("params.", entity.params), ("metrics.", entity.metrics)]
    for prefix, part in parts:
        for name, value in part.items():
            if not isinstance(value, (dict, list)):
                row.setdefault(f"{prefix}{name}", value)
    return row


def _cell(value: Any) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return html.escape(text if len(text) <= _CELL else f"{text[: _CELL - 1]}…")
