"""The options of the listing commands, and what they ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from arangopipe.cli.options import AS_OF, Decorator, add_options, lazily

if TYPE_CHECKING:
    from arangopipe.references import When

DEFAULT_LIMIT = 25


def _columns(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Return the paths of a list of columns; commas inside quotes are part of a name."""
    paths: list[str] = []
    for part in (value or "").split(","):
        if paths and paths[-1].count('"') % 2:
            paths[-1] += f",{part}"
        elif part.strip():
            paths.append(part)
    return tuple(path.strip() for path in paths)


AS_CSV: Decorator[Any] = click.option("--csv", "as_csv", is_flag=True, help="Write CSV, with full numbers.")

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
    AS_CSV,
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
