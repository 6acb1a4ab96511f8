"""The kinds of nodes and edges, and what lineage means: the one table everything else derives from.

An edge kind has a stored direction (`source` -> `target`, as existing users know it) and a meaning:
`depends` says which end is the dependent. ``upstream`` walks from a dependent to what it depends on,
``downstream`` the other way; nobody but this module knows stored directions.

A model names what its runs produce: ``run_models`` is followed from either end in both walks, and a
model is expanded only as the start of a walk; elsewhere it is a leaf.
"""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from arangopipe.errors import Conflict, InvalidInput
from arangopipe.model.ids import check_kind_name

Depends = Literal["from", "to", "both"]
Direction = Literal["upstream", "downstream"]
Identity = Literal["name", "event", "run"]


@dataclass(frozen=True)
class NodeKind:
    """A kind of node.

    `identity` says where its key comes from: its *name* and version (a named thing), itself (an
    *event*, whose names need not be unique), or the *run* that owns it.
    """

    name: str
    singular: str
    title: str
    identity: Identity
    records: str
    leaf: bool = False


@dataclass(frozen=True)
class EdgeKind:
    """A kind of edge: stored `source` -> `target` (None: any kind), and the end that depends on the other."""

    name: str
    source: str | None
    target: str | None
    depends: Depends | None
    records: str


def _nodes(*kinds: NodeKind) -> dict[str, NodeKind]:
    return {kind.name: kind for kind in kinds}


def _edges(*kinds: EdgeKind) -> dict[str, EdgeKind]:
    return {kind.name: kind for kind in kinds}


NODE_KINDS: Mapping[str, NodeKind] = _nodes(
    NodeKind("project", "project", "Project", "name", "a body of work; created by an administrator"),
    NodeKind(
        "datasets", "dataset", "Dataset", "name",
        "data used: location, source system, creation date, fingerprint, summary statistics, version",
    ),
    NodeKind(
        "featuresets", "featureset", "Featureset", "name",
        "result of transforming a dataset: column -> dtype, transformation, version",
    ),
    NodeKind(
        "models", "model", "Model", "name",
        "what is being fitted: name, task, technique; may hold serialized metadata",
        leaf=True,
    ),
    NodeKind(
        "run", "run", "Run", "event",
        "one execution: start, end, status, error, code, environment, tag, deployment_tag",
    ),
    NodeKind(
        "modelparams", "modelparams", "ModelParams", "run",
        "hyper-parameters and fitted parameters of a run",
    ),
    NodeKind("devperf", "devperf", "DevPerf", "run", "performance seen in development: any metrics"),
    NodeKind(
        "deployment", "deployment", "Deployment", "event",
        "a production deployment: tag, scheduled date, status (scheduled, active, archived)",
    ),
    NodeKind("servingperf", "servingperf", "ServingPerf", "event", "performance over a serving period"),
)  # fmt: skip

EDGE_KINDS: Mapping[str, EdgeKind] = _edges(
    EdgeKind("project_models", "project", "models", None, "a model belongs to a project (not lineage)"),
    EdgeKind(
        "featureset_dataset", "featuresets", "datasets", "from",
        "a featureset was made from a dataset; may hold the transformation",
    ),
    EdgeKind("run_models", "models", "run", "both", "a run trained a model"),
    EdgeKind(
        "run_datasets", "run", "datasets", "from",
        "a run used a dataset; `roles`: any of training, validation, test",
    ),
    EdgeKind("run_featuresets", "run", "featuresets", "from", "a run used a featureset"),
    EdgeKind("run_modelparams", "run", "modelparams", "to", "the parameters a run used and found"),
    EdgeKind("run_devperf", "run", "devperf", "to", "the performance a run measured"),
    EdgeKind("deployment_model", "deployment", "models", "from", "a deployment serves a model"),
    EdgeKind(
        "deployment_modelparams", "deployment", "modelparams", "from",
        "a deployment serves the parameters of one run",
    ),
    EdgeKind("deployment_featureset", "deployment", "featuresets", "from", "what a deployment is fed"),
    EdgeKind(
        "deployment_servingperf", "deployment", "servingperf", "to",
        "performance measured while a deployment served",
    ),
    EdgeKind("run_parent", "run", "run", None, "a nested run -> the run it belongs to (not lineage)"),
    EdgeKind("related", None, None, None, "any two things that a user linked (not lineage)"),
)  # fmt: skip

RESERVED_KINDS: Mapping[str, NodeKind] = _nodes(
    NodeKind("kinds", "kind", "Kind", "name", "an own kind of node or edge"),
    NodeKind("users", "user", "User", "name", "who may use the store: administrator or not, disabled or not"),
    NodeKind(
        "tokens", "token", "Token", "event",
        "what proves who asks: an API token, a session or a password, each only as a hash",
    ),
)  # fmt: skip
"""Kinds that Arangopipe uses for itself; not listed among a user's own."""

RESERVED_EDGES: Mapping[str, EdgeKind] = _edges(
    EdgeKind("user_project", "users", "project", None, "a user has a role in a project (not lineage)"),
)
"""Kinds of edges that Arangopipe uses for itself; no search goes along them."""

OWNED_BY_RUN = ("modelparams", "devperf")
ROLES = ("training", "validation", "test")


Hop = tuple[EdgeKind, bool, str]
Step = Mapping[str, tuple[str | None, bool | None]]
"""The edge kinds to follow, each with the kind it leads to and whether a walk goes on there (None: any)."""


@dataclass(frozen=True)
class Vocabulary:
    """The kinds one store knows: the built-in ones and its own."""

    nodes: Mapping[str, NodeKind] = field(default_factory=lambda: {**NODE_KINDS, **RESERVED_KINDS})
    edges: Mapping[str, EdgeKind] = field(default_factory=lambda: {**EDGE_KINDS, **RESERVED_EDGES})
    passed_over: tuple[str, ...] = ()
    """Own kinds of the store that Arangopipe has come to name itself since they were registered."""

    @cached_property
    def _by_word(self) -> dict[str, NodeKind]:
        words = {kind.singular: kind for kind in self.nodes.values()}
        words.update(self.nodes)
        words.update({kind.title: kind for kind in self.nodes.values()})
        return words

    def node_kind(self, word: str) -> NodeKind:
        """Return the node kind of a collection name or its singular, or raise `InvalidInput`."""
        kind = self._by_word.get(word) if isinstance(word, str) else None
        if kind is None:
            raise InvalidInput(_unknown("kind of node", word, self.nodes))
        return kind

    def edge_kind(self, word: str) -> EdgeKind:
        """Return the edge kind of that name, or raise `InvalidInput`."""
        kind = self.edges.get(word) if isinstance(word, str) else None
        if kind is None:
            raise InvalidInput(_unknown("kind of edge", word, self.edges))
        return kind

    @cached_property
    def allowed(self) -> set[tuple[str, str, str]]:
        """Edge kinds with the kinds of both ends that `check_edge` has found to be right."""
        return set()

    def check_edge(self, name: str, source: str, target: str) -> EdgeKind:
        """Return the edge kind after checking the kinds of both ends."""
        kind = self.edge_kind(name)
        for end, wanted, given in (("from", kind.source, source), ("to", kind.target, target)):
            if wanted is not None and wanted != given:
                raise InvalidInput(
                    f"an edge {name!r} goes {kind.source} -> {kind.target}: "
                    f"its {end} end cannot be of kind {given!r}"
                )
        if source in self.nodes and target in self.nodes:
            self.allowed.add((name, source, target))
        return kind

    def walk(self, direction: Direction) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the edge kinds to follow source -> target, and those to follow target -> source."""
        if direction not in ("upstream", "downstream"):
            raise InvalidInput(f"a walk goes 'upstream' or 'downstream', not {direction!r}")
        dependent = "from" if direction == "upstream" else "to"
        forward = tuple(k.name for k in self.edges.values() if k.depends in (dependent, "both"))
        backward = tuple(
            k.name for k in self.edges.values() if k.depends is not None and k.depends != dependent
        )
        return forward, backward

    def steps(self, direction: Direction, kinds: frozenset[str]) -> tuple[Step, Step]:
        """Return how a walk goes on from nodes of these kinds, source -> target and the other way."""
        known = self._steps.get((direction, kinds))
        if known is None:
            forward, backward = self.walk(direction)
            known = self._steps[direction, kinds] = (
                self._step(direction, forward, "source", "target", kinds),
                self._step(direction, backward, "target", "source", kinds),
            )
        return known

    @cached_property
    def _steps(self) -> dict[tuple[Direction, frozenset[str]], tuple[Step, Step]]:
        return {}

    def _step(
        self, direction: Direction, names: Iterable[str], near: str, far: str, kinds: frozenset[str]
    ) -> Step:
        found = {}
        for name in names:
            start, end = getattr(self.edges[name], near), getattr(self.edges[name], far)
            if start is None or start in kinds:
                found[name] = (end, None if end is None else self.leads_on(direction, end))
        return found

    def leads_on(self, direction: Direction, kind: str) -> bool:
        """Whether a walk goes on from nodes of a kind that it came to."""
        forward, backward = self.walk(direction)
        return not self.is_leaf(kind) and (
            any(self.edges[name].source in (None, kind) for name in forward)
            or any(self.edges[name].target in (None, kind) for name in backward)
        )

    def is_leaf(self, kind: str) -> bool:
        """Whether a walk ends at nodes of that kind (unless it starts there)."""
        known = self.nodes.get(kind)
        return known is not None and known.leaf

    def hops(self, kind: str) -> Mapping[str, tuple[Hop, ...]]:
        """Return what lies one edge away from `kind`, by singular name.

        Each hop is (edge kind, whether it is followed source -> target, kind of the other end).
        """
        known = self._hops.get(kind)
        if known is None:
            known = self._hops[kind] = self._hops_of(kind)
        return known

    @cached_property
    def _hops(self) -> dict[str, Mapping[str, tuple[Hop, ...]]]:
        return {}

    def _hops_of(self, kind: str) -> Mapping[str, tuple[Hop, ...]]:
        found: dict[str, list[Hop]] = {}
        for edge in self.edges.values():
            if edge.name in RESERVED_EDGES:
                continue
            if edge.source == kind and edge.target is not None:
                found.setdefault(self.nodes[edge.target].singular, []).append((edge, True, edge.target))
            if edge.target == kind and edge.source is not None and edge.source != kind:
                found.setdefault(self.nodes[edge.source].singular, []).append((edge, False, edge.source))
        return {name: tuple(steps) for name, steps in found.items()}

    def with_node_kind(self, name: str, records: str = "") -> Vocabulary:
        """Return a vocabulary that also knows an own kind of named nodes."""
        check_kind_name(name)
        if name in self._by_word or name in self.edges:
            raise Conflict(f"{name!r} is already the name of a kind")
        kind = NodeKind(name, name, name, "name", records)
        return replace(self, nodes={**self.nodes, name: kind})

    def with_edge_kind(
        self,
        name: str,
        source: str | None,
        target: str | None,
        depends: str | None,
        records: str = "",
    ) -> Vocabulary:
        """Return a vocabulary that also knows an own kind of edge; `depends` is "from", "to" or None."""
        check_kind_name(name)
        if name in self._by_word or name in self.edges:
            raise Conflict(f"{name!r} is already the name of a kind")
        if depends not in ("from", "to", None):
            raise InvalidInput(f"depends is 'from', 'to' or None, not {depends!r}")
        ends = [None if end is None else self.node_kind(end).name for end in (source, target)]
        kind = EdgeKind(name, ends[0], ends[1], depends, records)  # type: ignore[arg-type]
        return replace(self, edges={**self.edges, name: kind})

    def with_own(self, definitions: Iterable[tuple[str, Mapping[str, Any]]]) -> Vocabulary:
        """Return a vocabulary with the own kinds that a store holds as (name, document) of kind ``kinds``."""
        known = self
        edges = []
        for name, document in definitions:
            if document.get("of") == "edge":
                edges.append((name, document))
            else:
                known = known.with_node_kind(name, document.get("records", ""))
        for name, document in edges:
            known = known.with_edge_kind(
                name,
                document.get("from"),
                document.get("to"),
                document.get("depends"),
                document.get("records", ""),
            )
        return known

    @classmethod
    def of_store(cls, definitions: Iterable[tuple[str, Mapping[str, Any]]]) -> Vocabulary:
        """Return the vocabulary of a store that holds these own kinds.

        Own kinds whose names are reserved by now were registered by an older version. They are passed
        over, and their words stay theirs: no new version makes a store unreadable.
        """
        own = list(definitions)
        passed = {name for name, document in own if name in _reserved(document)}
        words = {
            name: NodeKind(name, name, name, "name", document.get("records", ""))
            for name, document in own
            if name in _RESERVED_WORDS and document.get("of") != "edge"
        }
        known = cls(passed_over=tuple(sorted(passed)))
        known = replace(known, nodes={**known.nodes, **words})
        return known.with_own(each for each in own if each[0] not in passed | words.keys())


_RESERVED_WORDS = frozenset(
    word
    for kind in ("users", "tokens")
    for word in (RESERVED_KINDS[kind].singular, RESERVED_KINDS[kind].title)
)


def _reserved(document: Mapping[str, Any]) -> Container[str]:
    """Return the names that an own kind could have once, and no more."""
    return RESERVED_EDGES if document.get("of") == "edge" else ("users", "tokens")


def singular(kind: str) -> str:
    """Return what one thing of a kind is called."""
    known = NODE_KINDS.get(kind)
    return known.singular if known else kind


def near(word: str, known: Iterable[str]) -> str:
    """Return a hint such as ``; did you mean 'ridge'?`` or nothing."""
    names = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), names, n=3, cutoff=0.6)
    close = [names[name] for name in found]
    return f"; did you mean {' or '.join(repr(name) for name in close)}?" if close else ""


def _unknown(what: str, word: object, known: Iterable[str]) -> str:
    names = list(known)
    return f"no {what} is called {word!r:.200}{near(str(word), names)} (known: {', '.join(names)})"
