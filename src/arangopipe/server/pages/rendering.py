"""Pages from views: plain values as HTML, and the same values at the same address under ``.json``."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any, Literal, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from arangopipe import __version__
from arangopipe.errors import NotFound
from arangopipe.phrases import phrase
from arangopipe.roles import Principal, allows
from arangopipe.server import door
from arangopipe.server.pages import static, texts
from arangopipe.server.pages.asking import Ask, address, entity_path

View = dict[str, Any]
F = TypeVar("F", bound=Callable[..., View])

HEADERS = {"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class Entry:
    """A page in the navigation: its title, path, and who sees it (a maintainer: of any project)."""

    title: str
    path: str
    needs: Literal["anyone", "maintainer", "admin"] = "anyone"


def page(router: APIRouter, path: str, template: str, *, also: str = "") -> Callable[[F], F]:
    """Serve the view that a function returns as HTML at a path, and as JSON under ``.json``.

    The function takes `ask` and whatever a FastAPI endpoint takes. Where the path ends in a key, and no
    thing has it, the page is of the thing whose key ends in ``.json`` itself.
    """

    def register(view: F) -> F:
        # Annotations that are texts would be sought in this module.
        signature = inspect.signature(view, eval_str=True)
        last = path.rpartition("{")[2].removesuffix("}")
        key = last if last in signature.parameters and signature.parameters[last].annotation is str else ""

        @wraps(view)
        def of_one_moment(**asked: Any) -> View:
            with asked["ask"].store.one_moment():
                return view(**asked)

        @wraps(view)
        def as_html(**asked: Any) -> Response:
            values = of_one_moment(**asked)
            return html(asked["ask"], template, values, _status(values))

        @wraps(view)
        def as_json(**asked: Any) -> Response:
            try:
                values = of_one_moment(**asked)
            except NotFound as error:
                if not key:
                    raise
                try:
                    return as_html(**{**asked, key: f"{asked[key]}.json"})
                except NotFound:
                    raise error from None
            return json_response(values, _status(values))

        for endpoint, at in ((as_json, f"{path}.json"), (as_html, path), (as_html, also)):
            endpoint.__signature__ = signature.replace(return_annotation=Response)  # type: ignore[attr-defined]
            if at:
                router.add_api_route(at, endpoint, methods=["GET"], include_in_schema=False)
        return view

    return register


def _status(values: View) -> int:
    """Return the status of a page; one that says what was wrong with the question names it."""
    problem = values.get("problem")
    return int(problem["status"]) if problem else 200


def html(ask: Ask, template: str, view: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """Return a view as a page."""
    text = (
        environment()
        .get_template(template)
        .render(
            view=view,
            ask=ask,
            to=ask.to,
            again=ask.again,
            thing=lambda node_id: ask.to(entity_path(node_id)),
            navigation=_navigation(ask.request, ask.principal),
            done=texts.done(ask.request.query_params),
        )
    )
    return HTMLResponse(text, status, HEADERS)


def bare(
    request: Request, template: str, view: Mapping[str, Any], status: int, navigation: bool = True
) -> HTMLResponse:
    """Return a page for a request of which nothing is known, such as one that failed."""
    text = (
        environment()
        .get_template(template)
        .render(
            view=view,
            ask=None,
            to=lambda path, **query: address(path, query),
            navigation=_navigation(request, None) if navigation else [],
            done="",
        )
    )
    return HTMLResponse(text, status, {**door.HEADERS, **HEADERS})


def json_response(view: Any, status: int = 200) -> Response:
    """Return values as JSON."""
    text = json.dumps(view, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text, status, {"Cache-Control": "private, no-cache"}, "application/json")


def _navigation(request: Request, principal: Principal | None) -> list[dict[str, Any]]:
    """Return the entries that the asker sees (None: nobody known), and which of them this page belongs to."""
    path = request.url.path
    entries: tuple[Entry, ...] = request.app.state.navigation
    return [
        {
            "title": entry.title,
            "path": entry.path,
            "here": path == "/" if entry.path == "/" else path.startswith(entry.path),
        }
        for entry in entries
        if _sees(principal, entry)
    ]


def _sees(principal: Principal | None, entry: Entry) -> bool:
    if entry.needs == "anyone" or (principal is not None and principal.admin):
        return True
    return principal is not None and entry.needs == "maintainer" and allows(principal.highest(), "maintainer")


class _Absent(StrictUndefined):
    """What a view lacks: it may be asked for, never shown."""

    def __bool__(self) -> bool:  # type: ignore[override]
        return False


@cache
def environment() -> Environment:
    """Return what renders templates."""
    made = Environment(
        loader=PackageLoader("arangopipe.server", "templates"),
        autoescape=True,
        undefined=_Absent,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(texts.FILTERS)
    made.globals.update(static=static.address, phrase=phrase, entity_path=entity_path, version=__version__)
    return made
