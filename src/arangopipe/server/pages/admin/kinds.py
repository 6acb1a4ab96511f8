"""Own kinds of things and of edges."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from arangopipe.roles import require
from arangopipe.server.kinds import shown
from arangopipe.server.pages.acts import Posted, acts
from arangopipe.server.pages.admin.sections import entered
from arangopipe.server.pages.asking import Ask, AskedNow
from arangopipe.server.pages.rendering import View, page

router = APIRouter()


@page(router, "/admin/kinds", "admin/kinds.html")
def kinds(ask: AskedNow) -> View:
    """List the kinds, own ones first."""
    known = shown(ask.store.vocabulary(reload=True))
    own_first = {what: sorted(kinds, key=lambda kind: not kind["own"]) for what, kinds in known.items()}
    return {**entered(ask, "/admin/kinds"), **own_first}


def register_node(ask: Ask, form: Posted) -> str:
    """Make an own kind of things known."""
    require(ask.principal, "kinds")
    return ask.pipe.admin.register_node_kind(form.text("name"), form.text("records")).name


def register_edge(ask: Ask, form: Posted) -> str:
    """Make an own kind of edge known."""
    require(ask.principal, "kinds")
    depends: Any = form.text("depends") or None
    source, target = (form.text(name) or None for name in ("from", "to"))
    records = form.text("records")
    return ask.pipe.admin.register_edge_kind(form.text("name"), source, target, depends, records=records).name


def delete(ask: Ask, form: Posted) -> str:
    """Delete an own kind of which there is nothing."""
    require(ask.principal, "kinds")
    name = form.text("about")
    ask.pipe.admin.delete(f"kinds:{name}", reason=form.text("reason"))
    ask.store.vocabulary(reload=True)
    return name


acts(
    router,
    "/admin/kinds",
    "admin/kinds.html",
    kinds,
    **{"register-node-kind": register_node, "register-edge-kind": register_edge, "delete-kind": delete},
)
