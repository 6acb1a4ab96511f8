"""Search: things of any kind, by the search language or by a form, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response

from arangopipe.errors import FilterSyntaxError, InvalidInput
from arangopipe.model.directions import known_direction
from arangopipe.model.filters import parse, parse_order, parse_path
from arangopipe.server.pages import elsewhere, finding, narrowing
from arangopipe.server.pages.asking import Asked
from arangopipe.server.pages.download import as_csv, as_json
from arangopipe.server.pages.rendering import Entry, View, page
from arangopipe.server.pages.texts import is_number
from arangopipe.server.streaming import Stream

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
        "usual": LIMIT,
        "limits": sorted({*LIMITS, limit}),
        "chosen": list(columns),
        "operators": list(OPERATORS),
        "problem": None,
        "parts": [],
        "meant": [],
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
        where = parse(q)
    except InvalidInput as error:
        return {**asked, "problem": _problem(error)}
    if items and not columns:
        shown, items = finding.without_empty(shown, items, sorted_by)
    headings = [
        {**_heading(name, path, order), "numeric": any(is_number(item["cells"][place]) for item in items)}
        for place, path in enumerate(shown)
    ]
    nothing = not items and not cursor
    return {
        **asked,
        "parts": narrowing.parts(where),
        "meant": narrowing.meant(where, finding.attributes(ask, name))
        if where is not None and nothing
        else [],
        "items": items,
        "columns": headings,
        "cursor": found.cursor,
        "same": elsewhere.search(ask, name, q, order, list(columns)),
    }


def _problem(error: InvalidInput) -> dict[str, Any]:
    """Return what is wrong with a search; where it is said, the place."""
    if not isinstance(error, FilterSyntaxError):
        return {"status": 422, "said": str(error), "text": None, "position": None}
    return {"status": 422, "said": error.reason, "text": error.text, "position": error.position}


def _heading(kind: str, path: str, order: str) -> dict[str, Any]:
    """Return a column: its path, how the page is sorted by it, and the order that a click asks for.

    The first click on a metric brings the best to the top, where its name says what is better.
    """
    keys = {key.path.text: key.descending for key in parse_order(order)[:1]}
    known = parse_path(path)
    metric = known.segments[-1] if known.segments[0] == "metrics" or kind == "servingperf" else ""
    better = known_direction(metric) if metric else None
    first = better == "higher"
    now = keys.get(known.text)
    wanted = first if now is None else None if now != first else not first
    return {
        "path": path,
        "better": better,
        "sorted": {None: None, False: "ascending", True: "descending"}[now],
        "order": {None: "", False: known.text, True: f"{known.text} desc"}[wanted],
    }


@page(router, "/search/facets", "parts/facets.html")
def facets(ask: Asked, kind: str = "run", q: str = "", order: str = "", columns: Columns = ()) -> View:
    """Count what a search finds, and how it divides; the page asks for it when the rest is there.

    `order` and `columns` are kept by whoever goes on to a part.
    """
    name = ask.kind(kind)
    kept = {"kind": name, "order": order, "columns": list(columns)}
    return {**kept, **finding.facets(ask, name, finding.condition([q]))}


@page(router, "/search/attributes", "parts/attributes.html")
def attributes(ask: Asked, kind: str = "run", q: str = "", columns: Columns = ()) -> View:
    """Return the attributes that may be named in a search of a kind, and values that some of them have."""
    name = ask.kind(kind)
    return {"kind": name, **finding.offered(ask, name), "chosen": list(columns)}


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
    return Stream(lines, media_type=media, headers=headers)
