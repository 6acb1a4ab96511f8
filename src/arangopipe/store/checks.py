"""What can be wrong with a batch whatever the store holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from arangopipe.errors import Conflict, InvalidInput, StoreError
from arangopipe.model import documents
from arangopipe.model.graph import Batch, Edge, EdgeRef, Node, Point, Points, kind_of
from arangopipe.model.ids import check_key, check_name, uuid7
from arangopipe.model.vocabulary import OWNED_BY_RUN, Vocabulary

MAX_STEP = 2**63
_WORDS = ("the id of a batch", "the actor", "the action", "the reason")


def check_batch(batch: Batch, known: Vocabulary) -> list[dict[str, Any]]:
    """Return the document of each put, or raise `InvalidInput` for what no store may take."""
    for what, text in zip(_WORDS, (batch.id, batch.actor, batch.action, batch.reason), strict=True):
        if not isinstance(text, str):
            raise InvalidInput(f"{what} must be a text, not {type(text).__name__} ({text!r:.80})")
        if not _is_unicode(text):
            raise InvalidInput(f"{what} contains half of a surrogate pair")
    read = _check_puts(batch, known)
    _check_edges(batch.edges, known)
    for points in batch.points:
        _check_points(points)
    for name in batch.unchanged:
        kind = kind_of(name) if "/" in name else name
        if kind not in known.nodes and kind not in known.edges:
            raise InvalidInput(f"unchanged: {name!r} is neither a kind nor an id")
    if batch.closes:
        _check_closes(batch)
    return read


def erasing(actor: str, reason: str, unchanged: Sequence[str], since: int) -> Batch:
    """Return the batch of an erasure, without what it closes."""
    return Batch(uuid7(), actor=actor, action="erase", reason=reason, unchanged=tuple(unchanged), since=since)


def changed_since(name: str, since: int) -> Conflict:
    """Return the error of a batch that rests on what has changed."""
    what = name if "/" in name else f"something of kind {name!r}"
    return Conflict(f"{what} was changed after change {since}: look again and repeat")


def _check_puts(batch: Batch, known: Vocabulary) -> list[dict[str, Any]]:
    """Return the document of each put."""
    read: list[dict[str, Any]] = []
    put: set[tuple[str, str]] = set()
    project = ""  # of the node before: most are of one
    for node, expect in batch.puts:
        _check_node(node, known)
        if node.project not in ("", project):
            project = check_name(node.project, f"the project of {node.id}")
        document = batch.read.get(node.text)
        if document is None and (document := _document(node.text)) is None:
            raise _not_an_object(node.id, node.text)
        read.append(document)
        if expect not in ("absent", "any") and type(expect) is not int:
            raise InvalidInput(f"{node.id}: expect is 'absent', 'any' or a revision, not {expect!r}")
        if (place := node[:2]) in put:  # kind and key
            raise InvalidInput(f"the batch writes {node.id} twice")
        put.add(place)
    return read


def _check_node(node: Node, known: Vocabulary) -> None:
    kind, key, name, version, *_ = node
    if kind not in known.nodes:
        known.node_kind(kind)
        raise InvalidInput(f"{node.id}: write the name of its collection as the kind of a node")
    check_key(key)
    if name or known.nodes[kind].identity == "name":
        check_name(name, f"the name of a {known.nodes[kind].singular}")
    if version != "":
        check_name(version, f"the version of {node.id}")


def _check_edges(edges: Sequence[Edge], known: Vocabulary) -> None:
    checked = {documents.EMPTY}
    for edge in edges:
        kind, source, target, _, text = edge
        near, _, one = source.partition("/")
        far, _, other = target.partition("/")
        if (kind, near, far) not in known.allowed or source == target or not (one and other):
            _check_edge(edge, known)
        if text not in checked:
            if _document(text) is None:
                raise _not_an_object(f"edge {_words(edge.ref)}", text)
            checked.add(text)
    if len({edge[:3] for edge in edges}) < len(edges):
        texts: dict[tuple[str, ...], str] = {}
        for edge in edges:
            if texts.setdefault(edge[:3], edge.text) != edge.text:
                raise InvalidInput(f"the batch writes edge {_words(edge.ref)} twice, differently")


def _check_edge(edge: Edge, known: Vocabulary) -> None:
    if edge.source == edge.target:
        raise InvalidInput(f"edge {edge.kind!r} would link {edge.source} to itself")
    known.check_edge(edge.kind, kind_of(edge.source), kind_of(edge.target))


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _document(text: str) -> dict[str, Any] | None:
    """Return the document of a text, or None where it is none."""
    if text == documents.EMPTY:
        return {}
    try:
        found = documents.load(text) if _is_unicode(text) else None
    except StoreError:
        return None
    return found if isinstance(found, dict) else None


def check_document(what: str, text: str) -> None:
    """Raise `InvalidInput` for a text that is no document."""
    if _document(text) is None:
        raise _not_an_object(what, text)


def _not_an_object(what: str, text: str) -> InvalidInput:
    if not _is_unicode(text):
        return InvalidInput(f"the document of {what} contains half of a surrogate pair")
    return InvalidInput(f"the document of {what} is no JSON object: {text!r:.80}")


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
