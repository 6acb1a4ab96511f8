"""How to get what a page shows in Python, on the command line and over HTTP: text to copy and run."""

from __future__ import annotations

import shlex
from typing import Any

from arangopipe.model.entities import Entity, Run
from arangopipe.model.vocabulary import singular
from arangopipe.server.pages.asking import Ask, entity_path


def thing(ask: Ask, found: Entity) -> dict[str, str]:
    """Return how to get one thing; of a run, its curves too."""
    lines = [f"thing = pipe.get({found.id!r}{_moment(ask)})"]
    if isinstance(found, Run):
        lines.append("params, metrics = thing.params, thing.metrics")
    return {
        "Python": _python(ask, lines),
        "Command line": f"arangopipe show {shlex.quote(found.id)} {_options(ask)}",
        "HTTP": _curl(ask, ask.to(f"/api/v1/things/{entity_path(found.id).removeprefix('/entity/')}")),
    }


def search(ask: Ask, kind: str, q: str, order: str, columns: list[str]) -> dict[str, str]:
    """Return how to search for the same."""
    where = f", {q!r}" if q else ""
    order_by = f", order_by={order!r}" if order else ""
    options = [shlex.quote(q)] if q else []
    options += ["--order", shlex.quote(order)] if order else []
    options += ["--columns", shlex.quote(",".join(["name", *columns]))] if columns else []
    query: dict[str, Any] = {"where": q, "order_by": order}
    return {
        "Python": _python(
            ask, [f"page = pipe.search({kind!r}{where}{order_by}{_moment(ask)})", "rows = page.rows()"]
        ),
        "Command line": " ".join(["arangopipe search", singular(kind), *options, _options(ask)]),
        "HTTP": _curl(ask, ask.to(f"/api/v1/search/{kind}", **query)),
    }


def _python(ask: Ask, lines: list[str]) -> str:
    return "\n".join(["import arangopipe", "", f"pipe = arangopipe.connect({_url(ask)!r})", *lines])


def _curl(ask: Ask, address: str) -> str:
    token = '-H "Authorization: Bearer $ARANGOPIPE_TOKEN" ' if ask.principal.user else ""
    return f"curl {token}{shlex.quote(_url(ask) + address)}"


def _url(ask: Ask) -> str:
    return str(ask.request.base_url).rstrip("/")


def _moment(ask: Ask) -> str:
    return "" if ask.as_of is None else f", as_of={ask.as_of!r}"


def _options(ask: Ask) -> str:
    moment = "" if ask.as_of is None else f" --as-of {shlex.quote(str(ask.as_of))}"
    return f"--store {_url(ask)}{moment}"
