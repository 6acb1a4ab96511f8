"""What can be wrong with a batch whatever the store holds."""

from __future__ import annotations

import math
from collections.abc import Iterable

from arangopipe.errors import InvalidInput, StoreError
from arangopipe.model import documents
from arangopipe.model.graph import Batch, Edge, EdgeRef, Node, Point, Points, kind_of
from arangopipe.model.ids import check_key, check_name
from arangopipe.model.vocabulary import OWNED_BY_RUN, Vocabulary

MAX_STEP = 2**63


def check_batch(batch: Batch, known: Vocabulary) -> None:
    """Raise `InvalidInput` for what no store may take."""
    for text in (batch.id, batch.actor, batch.action, batch.reason):
        _check_text(text, "a word of the batch")
    put: set[str] = set()
    for node, expect in batch.puts:
        _check_node(node, known)
        if isinstance(expect, bool) or not (isinstance(expect, int) or expect in ("absent", "any")):
            raise InvalidInput(f"{node.id}: expect is 'absent', 'any' or a revision, not {expect!r}")
        if node.id in put:
            raise InvalidInput(f"the batch writes {node.id} twice")
        put.add(node.id)
    texts: dict[EdgeRef, str] = {}
    for edge in batch.edges:
        _check_edge(edge, known)
        if texts.setdefault(edge.ref, edge.text) != edge.text:
            raise InvalidInput(f"the batch writes edge {_words(edge.ref)} twice, differently")
    for points in batch.points:
        _check_points(points)
    _check_closes(batch)


def _check_node(node: Node, known: Vocabulary) -> None:
    if node.kind not in known.nodes:
        known.node_kind(node.kind)
        raise InvalidInput(f"{node.id}: write the name of its collection as the kind of a node")
    check_key(node.key)
    if node.name or known.nodes[node.kind].identity == "name":
        check_name(node.name, f"the name of a {known.nodes[node.kind].singular}")
    for text, what in ((node.version, "version"), (node.project, "project")):
        if text != "":
            check_name(text, f"the {what} of {node.id}")
    _check_document(node.text, f"the document of {node.id}")


def _check_edge(edge: Edge, known: Vocabulary) -> None:
    if edge.source == edge.target:
        raise InvalidInput(f"edge {edge.kind!r} would link {edge.source} to itself")
    known.check_edge(edge.kind, kind_of(edge.source), kind_of(edge.target))
    _check_document(edge.text, f"the document of edge {_words(edge.ref)}")


def _check_text(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{what} contains half of a surrogate pair") from error


def _check_document(text: str, what: str) -> None:
    _check_text(text, what)
    if text != documents.EMPTY:
        try:
            known = isinstance(documents.load(text), dict)
        except StoreError:
            known = False
        if not known:
            raise InvalidInput(f"{what} is no JSON object: {text!r:.80}")


def _check_points(points: Points) -> None:
    if kind_of(points.run) != "run":
        raise InvalidInput(f"points belong to a run, not to {points.run!r}")
    check_name(points.name, f"the name of a metric of {points.run}")
    for point in points.points:
        if not (_is_whole(point.step) and _is_whole(point.time) and _is_measured(point)):
            raise InvalidInput(
                f"metric {points.name!r} of {points.run}: {tuple(point)!r} is not a step, a time in "
                "microseconds and a number (or the text NaN, Infinity or -Infinity)"
            )


def _is_whole(number: object) -> bool:
    return type(number) is int and -MAX_STEP <= number < MAX_STEP


def _is_measured(point: Point) -> bool:
    value: object = point.value
    if isinstance(value, str):
        return value in documents.NON_FINITE
    if type(value) is int:
        return _is_whole(value)
    return isinstance(value, float) and math.isfinite(value)


def _check_closes(batch: Batch) -> None:
    """Raise where a batch closes what it writes, directly or along with something else."""
    closed = set(batch.closes)
    written: list[tuple[str | EdgeRef, Iterable[str]]] = []
    for node, _ in batch.puts:
        written.append((node.id, [f"run/{node.key}"] if node.kind in OWNED_BY_RUN else []))
    written += [(edge.ref, (edge.source, edge.target)) for edge in batch.edges]
    written += [(points.run, ()) for points in batch.points]
    for what, along_with in written:
        if what in closed or not closed.isdisjoint(along_with):
            raise InvalidInput(f"the batch both writes and closes {_words(what)}")


def _words(what: str | EdgeRef) -> str:
    return what if isinstance(what, str) else f"{what.kind!r} {what.source} -> {what.target}"
