"""Find: what the box in the header leads to. One thing by its id or name, a list, or a search."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from arangopipe.errors import ArangopipeError, InvalidInput
from arangopipe.model.expressions import Like, Path
from arangopipe.model.filters import parse
from arangopipe.model.graph import Node
from arangopipe.model.vocabulary import RESERVED_KINDS
from arangopipe.server.pages.asking import PRIVATE, Ask, Asked, entity_path
from arangopipe.server.pages.rendering import View, html, page
from arangopipe.server.pages.texts import label
from arangopipe.server.pages.things import brief

SHOWN = 8
SAMPLED = 100
"""Of kinds with many things so many of the newest are looked at for a part of a name."""

_ALIKE = 0.6

_CONDITION = re.compile(r"[=<>]|\b(is|in|i?like)\b", re.IGNORECASE)
_KEY_END = re.compile(r"[0-9a-f-]{6,36}")
_MANY = ("run", "servingperf", "modelparams", "devperf")
"""Kinds with so many things that only whole names, the ends of keys and the newest are sought."""

router = APIRouter()


@page(router, "/find/names", "find.html")
def names(ask: Asked, text: str = "") -> View:
    """Show what has a name, or a key, like a text."""
    groups = []
    if text.strip():
        for kind in ask.store.vocabulary().nodes.values():
            if kind.name not in RESERVED_KINDS and kind.identity != "run":
                found = {node.id: node for node in _named(ask, kind.name, text.strip())}
                if found:
                    things = [
                        {**brief(node), "label": label(brief(node))} for node in list(found.values())[:SHOWN]
                    ]
                    groups.append({"kind": kind.name, "title": kind.title, "items": things})
    near = _alike(ask, text.strip()) if text.strip() and not groups else []
    return {"text": text, "groups": groups, "near": near}


@router.get("/find", include_in_schema=False)
def find(ask: Asked, text: str = "") -> Response:
    """Go to the one thing that a text means, or to the search that it says, or show what it may mean."""
    if (node := the_one(ask, text.strip())) is not None:
        return RedirectResponse(ask.to(entity_path(node.id)), 303)
    view = names(ask, text)
    found = [item for group in view["groups"] for item in group["items"]]
    called = [item for item in found if item["name"] == text.strip()]  # such as alpha=10.0
    if not called and _CONDITION.search(text) and _is_condition(text):
        return RedirectResponse(ask.to("/search", kind="run", q=text), 303)
    if len(found) == 1:
        return RedirectResponse(ask.to(entity_path(found[0]["id"])), 303)
    return html(ask, "find.html", view)


def the_one(ask: Ask, text: str) -> Node | None:
    """Return what an id, or a name with its kind, means."""
    try:
        found = ask.pipe.references(ask.as_of).any_node(text)
    except ArangopipeError:
        return None
    return None if found.kind in PRIVATE else found


def _is_condition(text: str) -> bool:
    try:
        return parse(text) is not None
    except InvalidInput:
        return False


def _named(ask: Ask, kind: str, text: str) -> Iterator[Node]:
    yield from ask.store.find(kind, text, as_of=ask.moment)[:SHOWN]
    literal = "".join(f"\\{c}" if c in "%_\\" else c for c in text)
    if _KEY_END.fullmatch(text):
        ends: Any = Like(Path(("key",)), f"%{literal}", fold=False)
        yield from ask.store.search(kind, ends, limit=SHOWN, as_of=ask.moment).items
    if kind not in _MANY:
        holds = Like(Path(("name",)), f"%{literal}%", fold=True)
        yield from ask.store.search(kind, holds, limit=SHOWN, as_of=ask.moment).items
    elif kind == "run":
        newest = ask.store.search(kind, limit=SAMPLED, as_of=ask.moment).items
        yield from (node for node in newest if text.casefold() in node.name.casefold())


def _alike(ask: Ask, text: str) -> list[dict[str, Any]]:
    """Return things whose names are written much like a text, the most alike first."""
    named: dict[str, Node] = {}
    for kind in ask.store.vocabulary().nodes.values():
        if kind.name not in RESERVED_KINDS and kind.name not in _MANY[1:]:
            for node in ask.store.search(kind.name, limit=SAMPLED, as_of=ask.moment).items:
                named.setdefault(node.name.casefold(), node)
    named.pop("", None)
    return [brief(named[name]) for name in difflib.get_close_matches(text.casefold(), named, SHOWN, _ALIKE)]
