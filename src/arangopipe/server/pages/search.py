"""Search: things of any kind, by the search language or by a form, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from arangopipe.errors import FilterSyntaxError, InvalidInput
from arangopipe.model.filters import parse_order, parse_path
from arangopipe.server.pages import finding
from arangopipe.server.pages.asking import Asked
from arangopipe.server.pages.download import as_csv, as_json
from arangopipe.server.pages.rendering import Entry, View, page
from arangopipe.server.pages.texts import is_number

NAVIGATION = Entry("Search", "/search")

LIMIT = 50
LIMITS = (20, 50, 100, 200, 500)
OPERATORS = ("=", "!=", "<", "<=", ">", ">=", "contains", "is null", "is not null")

Columns = Annotated[Sequence[str], Query()]

router = APIRouter()


@page(router, "/search", "search.html")
def search(
    ask: Asked,
    kind: str = "run",
    q: str = "",
    order: str = "",
    columns: Columns = (),
    limit: int = LIMIT,
    cursor: str = "",
) -> View:
    """Show a page of what a search finds. What cannot be read is said beside what was asked."""
    name = ask.kind(kind)
    asked: View = {
        "kind": name,
        "kinds": finding.kinds(ask),
        "q": q,
        "order": order,
        "limit": limit,
        "limits": list(LIMITS),
        "chosen": list(columns),
        "operators": list(OPERATORS),
        "problem": None,
        "items": [],
        "columns": [],
        "cursor": None,
        "first": not cursor,
    }
    try:
        found = ask.pipe.search(
            name, q, order_by=order or None, limit=limit, cursor=cursor or None, as_of=ask.as_of
        )
        shown = [*columns] if columns else finding.default_columns(name, found)
        sorted_by = [key.path.text for key in parse_order(order)]
        shown += [path for path in sorted_by if path not in (*shown, "name") and not columns]
        items = finding.rows(ask, name, found.items, shown)
    except InvalidInput as error:
        return {**asked, "problem": _problem(error)}
    headings = [
        {**_heading(path, order), "numeric": any(is_number(item["cells"][place]) for item in items)}
        for place, path in enumerate(shown)
    ]
    return {**asked, "items": items, "columns": headings, "cursor": found.cursor}


def _problem(error: InvalidInput) -> dict[str, Any]:
    """Return what is wrong with a search; where it is said, the place."""
    if not isinstance(error, FilterSyntaxError):
        return {"status": 422, "said": str(error), "text": None, "position": None}
    return {"status": 422, "said": error.reason, "text": error.text, "position": error.position}


def _heading(path: str, order: str) -> dict[str, Any]:
    """Return a column: its path, how the page is sorted by it, and the order that a click asks for."""
    keys = {key.path.text: key.descending for key in parse_order(order)[:1]}
    text = parse_path(path).text
    down = keys.get(text)
    following = {None: text, False: f"{text} desc", True: ""}[down]
    return {
        "path": path,
        "sorted": {None: None, False: "ascending", True: "descending"}[down],
        "order": following,
    }


@page(router, "/search/facets", "parts/facets.html")
def facets(ask: Asked, kind: str = "run", q: str = "") -> View:
    """Count what a search finds, and how it divides; the page asks for it when the rest is there."""
    name = ask.kind(kind)
    return {"kind": name, **finding.facets(ask, name, finding.condition([q]))}


@page(router, "/search/attributes", "parts/attributes.html")
def attributes(ask: Asked, kind: str = "run", q: str = "", columns: Columns = ()) -> View:
    """Return the attributes that may be named in a search of a kind."""
    name = ask.kind(kind)
    return {"kind": name, "attributes": finding.attributes(ask, name), "chosen": list(columns)}


@router.get("/search/add")
def add(ask: Asked, attribute: str = "", operator: str = "=", value: str = "") -> Response:
    """Add what a form says to the search it stands beside, and show that."""
    if operator not in OPERATORS:
        raise InvalidInput(f"operator is {operator!r}: it is one of {', '.join(OPERATORS)}")
    asked = {name: ask.request.query_params.getlist(name) for name in ("kind", "order", "columns", "limit")}
    q = ask.request.query_params.get("q", "")
    also = finding.built(attribute, operator, value) if attribute.strip() else ""
    both = " and ".join(f"({part})" if " or " in part.lower() else part for part in (q, also) if part)
    return RedirectResponse(ask.to("/search", **asked, q=both), 303)


@router.get("/search/download/{form}")
def download(
    ask: Asked,
    form: str,
    kind: str = "run",
    q: str = "",
    order: str = "",
    columns: Columns = (),
) -> Response:
    """Stream everything that a search finds as CSV or JSON."""
    name = ask.kind(kind)
    made = {"csv": as_csv, "json": as_json}.get(form)
    if made is None:
        raise InvalidInput(f"{form!r} cannot be downloaded: ask for csv or json")
    lines, media = made(ask, name, q, order, columns)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.{form}"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(lines, media_type=media, headers=headers)
