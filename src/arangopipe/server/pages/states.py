"""The states of a thing: its versions, its revisions, and what differs between any two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from arangopipe import revisions
from arangopipe.details import change_dict
from arangopipe.errors import NotFound
from arangopipe.model.graph import Node, Revision
from arangopipe.server.pages.asking import Ask
from arangopipe.server.pages.things import brief

STEPS = 20
VERSIONS = 50


def of(ask: Ask, node_id: str) -> list[Revision]:
    """Return the revisions of a thing up to the moment that is asked for."""
    return revisions.until(ask.store.revisions(node_id), ask.as_of)


def history(found: Sequence[Revision]) -> dict[str, Any]:
    """Return the last changes of a thing, the newest first, with what each changed."""
    steps = list(revisions.steps(found))
    return {
        "count": len(steps),
        "steps": [
            {
                **change_dict(step.change),
                "deleted": step.revision is None,
                "superseded": step.superseded,
                "differences": differences(step.differences),
            }
            for step in steps[-STEPS:][::-1]
        ],
    }


def differences(found: Iterable[revisions.Difference]) -> list[dict[str, Any]]:
    """Return differences as plain values."""
    return [each._asdict() for each in found]


def versions(ask: Ask, node: Node) -> list[dict[str, Any]]:
    """Return all versions of a thing, the newest first."""
    if not node.name or not node.version:
        return []
    found = ask.store.find(node.kind, node.name, node.project, ask.moment)
    return [{**brief(other), "here": other.id == node.id} for other in found[:VERSIONS]]


def compared(
    ask: Ask, node: Node, found: Sequence[Revision], before: str, after: str
) -> dict[str, Any] | None:
    """Return what differs between two states, each the number of a revision or the id of a version."""
    if not before and not after:
        return None
    one, other = (_state(ask, node, found, text) for text in (before, after))
    return {
        "before": before or str(node.revision),
        "after": after or str(node.revision),
        "differences": differences(revisions.differences(one.document, other.document)),
    }


def _state(ask: Ask, node: Node, found: Sequence[Revision], text: str) -> Node:
    if not text:
        return node
    if "/" in text:
        return ask.pipe.references(ask.as_of).any_node(text)
    for revision in found:
        if str(revision.change.number) == text:
            return revision.node
    numbers = ", ".join(str(revision.change.number) for revision in found[-STEPS:])
    raise NotFound(f"{node.id} has no revision {text!r}; it has {numbers}")
