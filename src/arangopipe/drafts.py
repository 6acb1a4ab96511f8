"""What a run has been told and not yet handed over: its three documents and the points of its metrics.

Params and metrics get their nodes with the first batch that has some, at the latest with the last one. A
batch says what the run sets (puts that expect "any"), not how the whole document looks then, so it
can be recorded later and over what others have written meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from arangopipe.model import documents
from arangopipe.model.entities import Run
from arangopipe.model.graph import Edge, Node, Points, Put
from arangopipe.points import Buffer, Series, as_batch
from arangopipe.record import RunRecord, named


@dataclass
class Draft:
    """One document of a run: its node as the run began, and all that the run has set in it since."""

    node: Node
    edge: Edge | None = None
    set: dict[str, Any] = field(default_factory=dict)
    dirty: bool = False

    def update(self, values: Mapping[str, Any]) -> None:
        """Set attributes, to be written with the next batch."""
        self.set.update(values)
        self.dirty = self.dirty or bool(values)

    def get(self, name: str, default: Any) -> Any:
        """Return an attribute as it is now."""
        return self.set[name] if name in self.set else self.node.document.get(name, default)

    def put(self) -> Put:
        """Return what sets it."""
        return Put(self.node._replace(text=documents.dump(self.set)), "any")

    def over(self, there: Node | None) -> Node:
        """Return the whole node as it is over what was recorded of it."""
        base = self.node if there is None else there
        return base._replace(text=documents.dump({**base.document, **self.set}))


class Drafts:
    """The documents and points of one run. Whoever changes them holds `lock`.

    `known` maps the ids of the documents to their nodes as recorded last, None: not there yet.
    """

    def __init__(self, record: RunRecord) -> None:
        self.lock = threading.Lock()
        run, params, metrics = record.nodes
        *_, owns_params, owns_metrics = record.edges
        self.run, self.params, self.metrics = (
            Draft(run),
            Draft(params, owns_params),
            Draft(metrics, owns_metrics),
        )
        self.known: dict[str, Node | None] = {params.id: None, metrics.id: None}
        self.all = (self.run, self.params, self.metrics)
        # Metrics whose last value is a number; the document has the other ones already.
        self.numbers: set[str] = set()
        self._series = Series()
        self._begun: set[str] = set()

    def gather(self, buffer: Buffer, last: bool = False) -> tuple[list[Put], list[Edge], tuple[Points, ...]]:
        """Take what has not been handed over yet; with the `last`, every document gets its node."""
        with self.lock:
            single, points = self._series.drain(buffer)
            if last:
                single = {name: value.value for name, value in self._series.last.items()}
            self.metrics.update({name: named(single[name]) for name in single.keys() & self.numbers})
            drafts = [draft for draft in self.all if draft.dirty or (last and self._is_new(draft))]
            puts = [draft.put() for draft in drafts]
            edges = [draft.edge for draft in drafts if draft.edge is not None and self._is_new(draft)]
            for draft in drafts:
                draft.dirty = False
                self._begun.add(draft.node.kind)
        return puts, edges, as_batch(self.run.node.id, points)

    def _is_new(self, draft: Draft) -> bool:
        return draft.edge is not None and draft.node.kind not in self._begun

    def entity(self) -> Run:
        """Return the run as it is now."""
        run, params, metrics = (draft.over(self.known.get(draft.node.id)) for draft in self.all)
        return Run(run, params.text, metrics.text)
