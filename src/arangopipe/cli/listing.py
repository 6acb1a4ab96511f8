"""What the listing commands share: their options, the search, and the ways to print a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from arangopipe.cli.options import AS_OF, Decorator, add_options, lazily
from arangopipe.cli.terminal import Terminal, clean
from arangopipe.model.filters import And, Compare, Expression, In, Path, parse, parse_order, parse_path
from arangopipe.references import When, moment_of

if TYPE_CHECKING:
    from arangopipe.cli.tables import Column
    from arangopipe.model.entities import Entity
    from arangopipe.pipe import ArangoPipe
    from arangopipe.results import Page

DEFAULT_LIMIT = 25

_KEYS_AT_ONCE = 500

View = Callable[["ArangoPipe", "Page[Any]", When], "Sequence[Column]"]
"""Makes the columns that are shown of a kind when none are chosen."""


def _columns(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[str, ...]:
    """Return the paths of a list of columns; commas inside quotes are part of a name."""
    paths: list[str] = []
    for part in (value or "").split(","):
        if paths and paths[-1].count('"') % 2:
            paths[-1] += f",{part}"
        elif part.strip():
            paths.append(part)
    return tuple(path.strip() for path in paths)


LIST_OPTIONS: Sequence[Decorator[Any]] = (
    click.argument("filter", metavar="[FILTER]", required=False),
    click.option(
        "--where",
        multiple=True,
        metavar="FILTER",
        help="Only what matches; may be given several times, and all must match.",
    ),
    click.option(
        "--order",
        metavar="PATHS",
        shell_complete=lazily("order"),
        help="Sort by these, such as 'metrics.rmse, name desc'.",
    ),
    click.option(
        "--limit",
        type=click.IntRange(1, 10_000),
        default=DEFAULT_LIMIT,
        show_default=True,
        help="How many at most.",
    ),
    click.option("--cursor", metavar="TEXT", help="Go on where an earlier page ended."),
    click.option(
        "--columns",
        metavar="PATHS",
        callback=_columns,
        shell_complete=lazily("columns"),
        help="Show these, separated by commas: name, params.alpha, metrics.rmse, model.name, …",
    ),
    click.option("--csv", "as_csv", is_flag=True, help="Write CSV, with full numbers."),
    AS_OF,
)

IN_PROJECT: Decorator[Any] = click.option(
    "--project",
    metavar="NAME",
    shell_complete=lazily("projects"),
    help="Only what belongs to this project.",
)


def list_options(function: Any) -> Any:
    """Add the options of a listing command."""
    return add_options((*LIST_OPTIONS[:2], IN_PROJECT, *LIST_OPTIONS[2:]))(function)


@dataclass(frozen=True)
class Request:
    """What a listing command was asked."""

    filter: str | None = None
    where: tuple[str, ...] = ()
    project: str | None = None
    order: str | None = None
    limit: int = DEFAULT_LIMIT
    cursor: str | None = None
    columns: tuple[str, ...] = ()
    as_csv: bool = False
    as_of: When = None

    def expression(self) -> Expression | None:
        """Return all conditions as one."""
        texts = [text for text in (self.filter, *self.where) if text]
        conditions = [found for found in map(parse, texts) if found is not None]
        if self.project is not None:
            conditions.append(Compare(Path(("project",)), "=", self.project))
        return And(tuple(conditions)) if len(conditions) > 1 else next(iter(conditions), None)


def show_list(terminal: Terminal, kind: str, request: Request, view: View) -> None:
    """Search, and print a page of what was found as a table, CSV or JSON."""
    where = request.expression()
    with terminal.pipe() as pipe:
        name = pipe.references().kind(kind).name
        if request.project is not None:
            pipe.lookup_project(request.project, as_of=request.as_of)
        page = pipe.search(
            name,
            where,
            order_by=request.order,
            limit=request.limit,
            cursor=request.cursor,
            as_of=request.as_of,
        )
        if terminal.as_json:
            terminal.give(_as_json(pipe, name, page, request))
        elif request.as_csv:
            _as_csv(pipe, name, page, request)
        elif not page.items:
            _nothing(terminal, pipe, name, where, request)
            return
        else:
            _as_table(terminal, pipe, name, page, request, view)
        if page.cursor is not None and not terminal.as_json:
            total = pipe.count(name, where, as_of=request.as_of)
            terminal.note(f"{len(page):,} of {total:,}. The next page: --cursor {page.cursor}")


def _as_json(pipe: ArangoPipe, kind: str, page: Page[Any], request: Request) -> dict[str, Any]:
    if not request.columns:
        return page.to_dict()
    found = cells(pipe, kind, page, request.columns, request.as_of)
    rows = [
        {"id": item.id, **{path: found[path][place] for path in request.columns}}
        for place, item in enumerate(page)
    ]
    return {"items": rows, "cursor": page.cursor}


def _as_csv(pipe: ArangoPipe, kind: str, page: Page[Any], request: Request) -> None:
    from arangopipe.cli.tables import write_csv

    if request.columns:
        found = cells(pipe, kind, page, request.columns, request.as_of)
        write_csv([(path, found[path]) for path in request.columns])
        return
    rows = page.rows()
    names = dict.fromkeys(name for row in rows for name in row)
    write_csv([(name, [row.get(name) for row in rows]) for name in names])


def _as_table(
    terminal: Terminal, pipe: ArangoPipe, kind: str, page: Page[Any], request: Request, view: View
) -> None:
    from arangopipe.cli.tables import Column, show_table

    if request.columns:
        found = cells(pipe, kind, page, request.columns, request.as_of)
        chosen = [Column(clean(path), found[path]) for path in request.columns]
        show_table(terminal, chosen, chosen=True)
        return
    shown = list(view(pipe, page, request.as_of))
    sorted_by = [key.path.text for key in parse_order(request.order or "")]
    first = [
        replace(column, rank=0) if (column.path or column.heading) in sorted_by else column
        for column in shown
    ]
    missing = [path for path in sorted_by if path not in {c.path or c.heading for c in shown}]
    found = cells(pipe, kind, page, missing, request.as_of) if missing else {}
    show_table(terminal, [*first, *(Column(clean(path), found[path], 0) for path in missing)])


def cells(
    pipe: ArangoPipe, kind: str, page: Page[Any], paths: Sequence[str], as_of: When
) -> Mapping[str, list[Any]]:
    """Return what stands at each path, for each thing of a page; None where that is not one scalar."""
    for path in paths:
        parse_path(path)
    items: Sequence[Entity] = page.items
    rows: dict[str, dict[str, Any]] = {}
    for first in range(0, len(items), _KEYS_AT_ONCE):
        keys = tuple(item.key for item in items[first : first + _KEYS_AT_ONCE])
        where = In(Path(("key",)), keys)
        for chunk in pipe.store.columns(kind, paths, where, moment_of(as_of)):
            for place, node_id in enumerate(chunk["id"]):
                rows[node_id] = {path: chunk[path][place] for path in paths}
    return {path: [rows.get(item.id, {}).get(path) for item in items] for path in paths}


def _nothing(
    terminal: Terminal, pipe: ArangoPipe, kind: str, where: Expression | None, request: Request
) -> None:
    from arangopipe.cli.words import things

    when = "" if request.as_of is None else " then"
    total = pipe.count(kind, as_of=request.as_of) if where is not None else 0
    if request.cursor is not None:
        terminal.note("There is no more.")
    elif total:
        terminal.note(f"None of {things(kind, total)}{when} matches. Try without a filter.")
    else:
        terminal.note(f"No {things(kind, 0).partition(' ')[2]} yet{when}. {_NEXT.get(kind, '')}")


_NEXT = {
    "project": "Make one: arangopipe init --project NAME",
    "datasets": "Record one in Python: pipe.register_dataset(\"name\", data=frame)",
    "featuresets": "Record one in Python: pipe.register_featureset(\"name\", dataset=…)",
    "models": "Record one in Python: pipe.register_model(\"name\", project=…, technique=…)",
    "run": "Record one in Python: with pipe.start_run(model=…) as run: … Or see 'arangopipe demo'.",
    "deployment": "An administrator makes one in Python: pipe.admin.register_deployment(\"tag\", run=…)",
}
