"""From a walk to the tree that is shown of it: what is implied is left out, what is alike is grouped.

A run stands for its parameters and its performance. An edge is left out where a longer way says the
same: a run that used a featureset made from a dataset stands below the featureset only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from arangopipe.model.graph import Edge, Graph, Node
from arangopipe.model.vocabulary import OWNED_BY_RUN, Direction, Vocabulary
from arangopipe.phrases import phrase

SHOWN = (4, 2)
"""How many of a large group are shown: next to the start, and farther away."""
GROUPED_ABOVE = 8
"""Groups up to this size are shown whole."""
DEEPEST = 60


@dataclass
class Branch:
    """One line of the tree: a node, how the line above relates to it, and what is below.

    `models` are the models a run trained; `hidden` counts what a group leaves out, by kind; `again`
    says that what is below was shown before, `cut` that it is too deep to be shown.
    """

    node: Node
    words: str = ""
    roles: tuple[str, ...] = ()
    models: tuple[Node, ...] = ()
    below: list[Branch] = field(default_factory=list)
    hidden: dict[str, int] = field(default_factory=dict)
    again: bool = False
    cut: bool = False

    def every(self) -> Iterable[Branch]:
        """Yield this line and all below it."""
        stack = [self]
        while stack:
            branch = stack.pop()
            yield branch
            stack += branch.below


class _Step(NamedTuple):
    """One step of the walk: to which node, and by which edge."""

    to: str
    edge: Edge
    from_source: bool


class Walk:
    """One direction of a walk, ready to be drawn."""

    def __init__(self, graph: Graph, direction: Direction, vocabulary: Vocabulary) -> None:
        self._graph = graph
        self._vocabulary = vocabulary
        self._owners = self._runs_of_owned()
        self._steps: dict[str, dict[str, _Step]] = {}
        forwards = {"both", "from" if direction == "upstream" else "to"}
        backwards = {"both", "to" if direction == "upstream" else "from"}
        for edge in graph.edges:
            if edge.target in self._owners and edge.source == self._owners[edge.target]:
                continue
            depends = graph.depends.get(edge.kind)
            if depends in forwards:
                self._add(edge, edge.source, edge.target, True)
            if depends in backwards:
                self._add(edge, edge.target, edge.source, False)
        self._leading = self._towards_deployments()
        self._expanded: set[str] = set()

    def _runs_of_owned(self) -> dict[str, str]:
        """Return the run that stands for each set of parameters and performance."""
        nodes, start = self._graph.nodes, self._graph.start
        owned = ((id, f"run/{node.key}") for id, node in nodes.items() if node.kind in OWNED_BY_RUN)
        return {id: run for id, run in owned if run in nodes and id not in start}

    def _add(self, edge: Edge, one: str, other: str, from_source: bool) -> None:
        start, end = self._owners.get(one, one), self._owners.get(other, other)
        if start == end or end in self._graph.start:
            return
        known = self._steps.get(start)
        if known is None:
            if self._vocabulary.is_leaf(self._graph.nodes[start].kind) and start not in self._graph.start:
                return
            known = self._steps[start] = {}
        if end not in known:
            known[end] = _Step(end, edge, from_source)

    def _towards_deployments(self) -> dict[str, int]:
        """Return 0 for what leads to an active deployment, 1 for what leads to any."""
        sources: dict[str, list[str]] = {}
        for start, steps in self._steps.items():
            for end in steps:
                sources.setdefault(end, []).append(start)
        found: dict[str, int] = {}
        placed = self._graph.of_kind("deployment")
        active = [node for node in placed if node.document.get("status", "active") == "active"]
        for rank, nodes in enumerate((active, placed)):
            queue = [node.id for node in nodes if node.id not in found]
            for current in queue:
                if current not in found:
                    found[current] = rank
                    queue += sources.get(current, ())
        return found

    def tree(self, whole: bool = False) -> Branch:
        """Return the tree below the start; large groups are cut unless `whole`."""
        (start,) = self._graph.start
        root = Branch(self._graph.nodes[start])
        queue = [(root, 0)]
        for branch, depth in queue:
            fresh = self._expand(branch, SHOWN[min(depth, 1)], whole)
            for child in fresh:
                child.cut = depth + 1 == DEEPEST and child.node.id in self._steps
            queue += [(child, depth + 1) for child in fresh if not child.cut]
        return root

    def _expand(self, branch: Branch, shown: int, whole: bool) -> list[Branch]:
        """Fill in what stands below a line; return it."""
        here = branch.node.id
        steps = self._needed(here)
        if branch.node.kind == "run":
            trained = [s for s in steps if self._graph.nodes[s.to].kind == "models"]
            branch.models = tuple(self._graph.nodes[step.to] for step in trained)
            steps = [step for step in steps if step not in trained]
        if here in self._expanded:
            branch.again = bool(steps)
            return []
        self._expanded.add(here)
        for group in self._grouped(steps):
            kept = group if whole or len(group) <= GROUPED_ABOVE else group[:shown]
            branch.below += [self._branch(step) for step in kept]
            if len(kept) < len(group):
                kind = self._graph.nodes[group[0].to].kind
                branch.hidden[kind] = branch.hidden.get(kind, 0) + len(group) - len(kept)
        return branch.below

    def _branch(self, step: _Step) -> Branch:
        roles = step.edge.document.get("roles", ()) if step.edge.kind == "run_datasets" else ()
        words = phrase(step.edge.kind, step.from_source)
        return Branch(self._graph.nodes[step.to], words, tuple(roles))

    def _grouped(self, steps: Sequence[_Step]) -> list[list[_Step]]:
        """Return steps by what they mean; what leads to a deployment comes first in each group."""
        groups: dict[tuple[str, str], list[_Step]] = {}
        for step in steps:
            kind = self._graph.nodes[step.to].kind
            groups.setdefault((kind, step.edge.kind), []).append(step)
        for group in groups.values():
            group.sort(key=lambda step: step.to, reverse=True)  # of nameless events the newest first
            group.sort(key=lambda step: (self._rank(step), *self._place(step)))
        return sorted(groups.values(), key=lambda group: self._rank(group[0]))

    def _place(self, step: _Step) -> tuple[str, str]:
        """Return what things alike are sorted by: their names, and periods in the order of time."""
        node = self._graph.nodes[step.to]
        start = node.document.get("start") if node.kind == "servingperf" else ""
        return node.name, str(start)

    def _rank(self, step: _Step) -> int:
        return self._leading.get(step.to, 2)

    def _needed(self, here: str) -> list[_Step]:
        """Return the steps from a node that no longer way makes superfluous."""
        steps = self._steps.get(here, {})
        if len(steps) < 2:
            return list(steps.values())
        beyond = self._reached([end for child in steps for end in self._steps.get(child, {})], here)
        kept = {end for end in steps if end not in beyond}
        covered = self._reached(kept, here)
        return [step for end, step in steps.items() if end in kept or end not in covered]

    def _reached(self, starts: Iterable[str], without: str) -> set[str]:
        seen = {without}
        queue = list(starts)
        for current in queue:
            if current not in seen:
                seen.add(current)
                queue += self._steps.get(current, {})
        return seen - {without}


def kinds_reached(graph: Graph) -> Mapping[str, int]:
    """Return how many things of each kind a walk reached, without its start."""
    found: dict[str, int] = {}
    for node in graph:
        if node.id not in graph.start:
            found[node.kind] = found.get(node.kind, 0) + 1
    return found
