"""Listing: search, and print a page of what was found as a table, CSV or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from arangopipe.cli.listing import Request
from arangopipe.cli.tables import Column, show_table, write_csv, write_rows
from arangopipe.cli.terminal import Terminal, clean
from arangopipe.cli.words import joined
from arangopipe.deployments import served
from arangopipe.details import cells, stale
from arangopipe.errors import InvalidInput
from arangopipe.model.entities import Deployment, Run
from arangopipe.model.filters import (
    And,
    Compare,
    Expression,
    IsNull,
    Not,
    Path,
    parse,
    parse_order,
    parse_path,
    paths,
)
from arangopipe.model.vocabulary import near
from arangopipe.references import When, moment_of
from arangopipe.results import Page
from arangopipe.words import things, title

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe

_SAMPLED = 50

View = Callable[["ArangoPipe", Page[Any], When], Sequence[Column]]
"""Makes the columns that are shown of a kind when none are chosen."""


def condition(request: Request, also: Expression | None = None) -> Expression | None:
    """Return all conditions of a request as one."""
    texts = [text for text in (request.filter, *request.where) if text]
    conditions = [found for found in (*map(parse, texts), also) if found is not None]
    if request.project is not None:
        conditions.append(Compare(Path(("project",)), "=", request.project))
    return And(tuple(conditions)) if len(conditions) > 1 else next(iter(conditions), None)


def show_list(
    terminal: Terminal,
    kind: str,
    request: Request,
    view: View,
    *,
    also: Expression | None = None,
    keep: Callable[[Any], bool] | None = None,
    rank: Callable[[Any], int] | None = None,
) -> None:
    """Search, and print a page of what was found as a table, CSV or JSON.

    `also` is one more condition. `keep` is one that the search language cannot say: all that it keeps
    is one page. `rank` sorts a page for which no order was asked.
    """
    where = condition(request, also)
    with terminal.pipe() as pipe:
        name = pipe.references().kind(kind).name
        if request.project is not None:
            pipe.lookup_project(request.project, as_of=request.as_of)
        page = _page(pipe, name, where, request, keep)
        if rank is not None and request.order is None:
            page = replace(page, items=tuple(sorted(page.items, key=rank)))
        if terminal.as_json:
            terminal.give(_as_json(pipe, name, page, request))
        elif terminal.as_csv:
            _as_csv(pipe, name, page, request)
        elif page.items:
            _as_table(terminal, pipe, name, page, request, view)
            by = [key.path for key in parse_order(request.order or "")]
            _say_unknown(terminal, pipe, name, by, request.as_of)
        else:
            filtered = where is not None or keep is not None
            terminal.note(_nothing(pipe, name, request, filtered))
            if where is not None:
                _say_unknown(terminal, pipe, name, paths(where), request.as_of)
        if page.cursor is not None and not terminal.as_json:
            total = pipe.count(name, where, as_of=request.as_of)
            terminal.note(f"{len(page):,} of {total:,}. The next page: --cursor {page.cursor}")


def _page(
    pipe: ArangoPipe,
    kind: str,
    where: Expression | None,
    request: Request,
    keep: Callable[[Any], bool] | None,
) -> Page[Any]:
    if keep is None:
        return pipe.search(
            kind,
            where,
            order_by=request.order,
            limit=request.limit,
            cursor=request.cursor,
            as_of=request.as_of,
        )
    found = pipe.iterate(kind, where, order_by=request.order, as_of=request.as_of)
    return Page(tuple(filter(keep, found)), None, _no_more)


def _no_more(cursor: str) -> Page[Any]:
    raise InvalidInput(f"there is no page at cursor {cursor!r}")


def _as_json(pipe: ArangoPipe, kind: str, page: Page[Any], request: Request) -> dict[str, Any]:
    if not request.columns:
        more = _more(pipe, page, request.as_of)
        items = [{**item.to_dict(), **said} for item, said in zip(page, more, strict=True)]
        return {"items": items, "cursor": page.cursor}
    found = cells(pipe.store, kind, page, request.columns, request.as_of)
    rows = [
        {"id": item.id, **{path: found[path][place] for path in request.columns}}
        for place, item in enumerate(page)
    ]
    return {"items": rows, "cursor": page.cursor}


def _more(pipe: ArangoPipe, page: Page[Any], as_of: When) -> list[dict[str, Any]]:
    """Return what is said of each thing besides its own: whether a run is stale, what a deployment serves."""
    placed = [item for item in page if isinstance(item, Deployment)]
    serving = served(pipe.store, placed, moment_of(as_of))
    silent = stale(pipe, page, as_of)
    return [
        {"stale": item.id in silent}
        if isinstance(item, Run)
        else {title(kind): joined(node.id for node in nodes) for kind, nodes in serving[item.id].items()}
        if isinstance(item, Deployment)
        else {}
        for item in page
    ]


def _as_csv(pipe: ArangoPipe, kind: str, page: Page[Any], request: Request) -> None:
    if request.columns:
        found = cells(pipe.store, kind, page, request.columns, request.as_of)
        write_csv([(path, found[path]) for path in request.columns])
        return
    more = _more(pipe, page, request.as_of)
    write_rows([{**row, **said} for row, said in zip(page.rows(), more, strict=True)])


def _as_table(
    terminal: Terminal, pipe: ArangoPipe, kind: str, page: Page[Any], request: Request, view: View
) -> None:
    if request.columns:
        found = cells(pipe.store, kind, page, request.columns, request.as_of)
        chosen = [Column(clean(path), found[path]) for path in request.columns]
        show_table(terminal, chosen, chosen=True)
        empty = [parse_path(path) for path, column in found.items() if not any(c is not None for c in column)]
        _say_unknown(terminal, pipe, kind, empty, request.as_of)
        return
    shown = list(view(pipe, page, request.as_of))
    sorted_by = [key.path.text for key in parse_order(request.order or "")]
    first = [
        replace(column, rank=0) if (column.path or column.heading) in sorted_by else column
        for column in shown
    ]
    missing = [path for path in sorted_by if path not in {c.path or c.heading for c in shown}]
    found = cells(pipe.store, kind, page, missing, request.as_of) if missing else {}
    added = [Column(clean(path), found[path], 0) for path in missing]
    show_table(terminal, [*first, *added], hint=" (see --columns)")


def _nothing(pipe: ArangoPipe, kind: str, request: Request, filtered: bool) -> str:
    """Return what to say of an empty page, and what to do next."""
    when = "" if request.as_of is None else " then"
    total = pipe.count(kind, as_of=request.as_of) if filtered else 0
    if request.cursor is not None:
        return "There is no more."
    if total:
        return f"No match among {things(kind, total)}{when}."
    nothing = things(kind, 0).partition(" ")[2]
    return f"There were no {nothing}{when}." if when else f"No {nothing} yet. {_NEXT.get(kind, '')}"


def _say_unknown(terminal: Terminal, pipe: ArangoPipe, kind: str, asked: Iterable[Path], as_of: When) -> None:
    """Say which paths nothing of a kind has, as where they are mistyped, with near ones."""
    for path in dict.fromkeys(asked):
        if not pipe.count(kind, Not(IsNull(path)), as_of=as_of):
            known = {name for row in pipe.search(kind, limit=_SAMPLED, as_of=as_of).rows() for name in row}
            terminal.note(f"No {title(kind)} has {path.text!r}{near(path.text, known) or '.'}")


_NEXT = {
    "project": "Make one: arangopipe init --project NAME",
    "datasets": 'Record one in Python: pipe.register_dataset("name", data=frame)',
    "featuresets": 'Record one in Python: pipe.register_featureset("name", dataset=…)',
    "models": 'Record one in Python: pipe.register_model("name", project=…, technique=…)',
    "run": "Record one in Python: with pipe.start_run(model=…) as run: … Or see 'arangopipe demo'.",
    "deployment": 'An administrator makes one in Python: pipe.admin.register_deployment("tag", run=…)',
}
