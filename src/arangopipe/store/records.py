"""What a search sees of one node: the meaning of paths, on documents.

The memory store evaluates every search here; the SQL stores only what their value index cannot decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from arangopipe.model import attributes, documents
from arangopipe.model.expressions import Path, sort_key
from arangopipe.model.graph import Node, Point
from arangopipe.model.vocabulary import Vocabulary

Links = tuple[tuple[str, str], ...]
"""What a node is linked to by edges of one kind: (id of the other end, document of the edge), sorted."""

OWN_WORDS = ("key", "name", "version", "project")


class Summary(NamedTuple):
    """The points of one metric in short; `low` and `high` are over finite values, None without any."""

    number: int
    step: int
    time: int
    last: float | str
    low: float | None
    high: float | None


def summarise(points: Sequence[Point], before: Summary | None = None) -> Summary:
    """Return the summary of points (at least one) that follow what `before` summed up."""
    for point in points:
        finite = None if isinstance(point.value, str) else point.value
        if before is None:
            before = Summary(1, point.step, point.time, point.value, finite, finite)
            continue
        latest = point if (point.step, point.time) >= (before.step, before.time) else None
        before = Summary(
            before.number + 1,
            latest.step if latest else before.step,
            latest.time if latest else before.time,
            latest.value if latest else before.last,
            _least(before.low, finite, min),
            _least(before.high, finite, max),
        )
    if before is None:
        raise ValueError("there are no points to sum up")
    return before


def _least(known: float | None, fresh: float | None, better: Any) -> float | None:
    if known is None or fresh is None:
        return fresh if known is None else known
    return better(known, fresh)  # type: ignore[no-any-return]


def scalar(values: Sequence[Any]) -> Any:
    """Return the one value among these that can be compared, None where there is not just one."""
    missing, _, value = sort_key(values)
    return None if missing else value


def tally(values: Iterable[Any]) -> dict[Any, int]:
    """Count values; where 1 and true both occur, which Python takes for one, true becomes text."""
    return tally_counts(Counter((isinstance(value, bool), value) for value in values))


def tally_counts(found: Mapping[tuple[bool, Any], int]) -> dict[Any, int]:
    """Return counts of (is it a boolean, value) as `tally` does."""
    result: Counter[Any] = Counter()
    for (boolean, value), count in found.items():
        clash = boolean and (False, int(value)) in found
        result[str(value).lower() if clash else value] += count
    return dict(result)


class Needs(NamedTuple):
    """What must be fetched beside the nodes themselves to read some paths."""

    params: bool
    metrics: bool
    hops: frozenset[str]


def needs(vocabulary: Vocabulary, kind: str, paths: Iterable[Path]) -> Needs:
    """Return what reading `paths` on nodes of `kind` needs."""
    params = metrics = False
    hops = set()
    for path in paths:
        if hop_of(vocabulary, kind, path):
            hops.add(path.segments[0])
        elif kind == "run" and not path.own:
            params = params or path.segments[0] == "params"
            metrics = metrics or path.segments[0] == "metrics"
    return Needs(params, metrics, frozenset(hops))


def hop_of(vocabulary: Vocabulary, kind: str, path: Path) -> bool:
    """Whether the first segment of a path leads to a neighbour."""
    return len(path.segments) > 1 and not path.own and path.segments[0] in vocabulary.hops(kind)


@dataclass(frozen=True)
class Record:
    """A node with what a search of it may read.

    `sequence` orders nodes by creation. `params` and `metrics` are the documents of a run's modelparams
    and devperf; `neighbours` holds, by hop, the nodes one edge away.
    """

    node: Node
    sequence: int
    params: str = documents.EMPTY
    metrics: str = documents.EMPTY
    series: Mapping[str, Summary] = field(default_factory=dict)
    neighbours: Mapping[str, Sequence[Node]] = field(default_factory=dict)

    @cached_property
    def _document(self) -> dict[str, Any]:
        return self.node.document

    @cached_property
    def _params(self) -> dict[str, Any]:
        return documents.load(self.params)

    @cached_property
    def _metrics(self) -> dict[str, Any]:
        return documents.load(self.metrics)

    def read(self, path: Path) -> Sequence[Any]:
        """Return the values at a path, as `filters.matches` wants them."""
        first, rest = path.segments[0], path.segments[1:]
        if path.own:
            return self._own(self.node, self._document, path.segments)
        if rest and first in self.neighbours:
            return [value for node in self.neighbours[first] for value in read_node(node, rest)]
        if self.node.kind == "run" and first == "params":
            return attributes.read(self._params, rest)
        if self.node.kind == "run" and first == "metrics":
            return self._metric(rest)
        if not rest and first in OWN_WORDS:
            return read_node(self.node, path.segments)
        return self._own(self.node, self._document, path.segments)

    @staticmethod
    def _own(node: Node, document: Mapping[str, Any], segments: Sequence[str]) -> list[Any]:
        return attributes.read(document, segments, node.kind in attributes.MEASURED)

    def _metric(self, segments: Sequence[str]) -> Sequence[Any]:
        summary = self.series.get(segments[0]) if segments else None
        if summary is None:
            if not segments and self.series:
                return [attributes.NOT_COMPARABLE]
            return attributes.read(self._metrics, segments, measured=True)
        # Logged points speak for their metric; whatever devperf holds under its name is hidden.
        numbers = {
            (): summary.last,
            ("last",): summary.last,
            ("min",): summary.low,
            ("max",): summary.high,
        }
        if (words := tuple(segments[1:])) not in numbers:
            return []
        value = numbers[words]
        return [attributes.NOT_COMPARABLE if value is None or isinstance(value, str) else value]


def read_node(node: Node, segments: Sequence[str]) -> list[Any]:
    """Return the values at a path of a neighbour: its own words, else its document."""
    if len(segments) == 1 and segments[0] in OWN_WORDS:
        value = getattr(node, segments[0])
        return [value] if value else []
    return attributes.read(node.document, segments, node.kind in attributes.MEASURED)
