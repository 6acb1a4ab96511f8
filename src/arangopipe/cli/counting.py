"""Counting a store: things, runs over time, points, changes, bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from rich.text import Text

from arangopipe.cli.bars import chart
from arangopipe.cli.tables import Column, facts, heading, show_table, write_rows
from arangopipe.cli.terminal import Terminal
from arangopipe.cli.words import when
from arangopipe.model import times
from arangopipe.model.expressions import And, Compare, Path
from arangopipe.store import inspection
from arangopipe.words import bytes_of, things

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe

MONTHS = 12


def count(pipe: ArangoPipe, url: str, tables: bool) -> dict[str, Any]:
    """Return all counts as JSON-able values."""
    store = pipe.store
    kinds = {
        kind.name: store.count(kind.name).get(None, 0)
        for kind in store.vocabulary(reload=True).nodes.values()
    }
    first, last = next(store.changes(limit=1), None), store.head()
    look = inspection(url)
    size = None if look is None else look.size(tables)
    found: dict[str, Any] = {
        "store": store.url,
        "things": {kind: number for kind, number in kinds.items() if number},
        "runs": {
            "project": _by(pipe, "project"),
            "status": _by(pipe, "status"),
            "month": dict(_by_month(pipe)),
        },
        "points": None if size is None else size.points,
        "changes": 0 if last is None else last.number,
        "first_change": None if first is None else times.to_text(first.time),
        "last_change": None if last is None else times.to_text(last.time),
        "bytes": None if size is None else size.bytes,
    }
    if size is not None and tables:
        found["tables"] = [table._asdict() for table in size.tables]
    return found


def _by(pipe: ArangoPipe, path: str) -> dict[str, int]:
    counts = pipe.store.count("run", by=path)
    words = {"(none)" if value is None else str(value): number for value, number in counts.items()}
    return dict(sorted(words.items(), key=lambda item: (-item[1], item[0])))


def _by_month(pipe: ArangoPipe) -> Iterator[tuple[str, int]]:
    """Yield how many runs started in each of the last months; those before the first are left out."""
    now = times.now()
    number = now.year * 12 + now.month - MONTHS
    months = [f"{at // 12:04}-{at % 12 + 1:02}" for at in range(number, number + MONTHS + 1)]
    begun = False
    for month, following in pairwise(months):
        within = And((Compare(Path(("start",)), ">=", month), Compare(Path(("start",)), "<", following)))
        found = pipe.store.count("run", within).get(None, 0)
        begun = begun or bool(found)
        if begun:
            yield month, found


def write(found: Mapping[str, Any]) -> None:
    """Print the counts as CSV: what is counted, its name, the number."""
    rows = [{"what": "things", "name": kind, "number": number} for kind, number in found["things"].items()]
    for what, counts in found["runs"].items():
        rows += [
            {"what": f"runs by {what}", "name": name, "number": number} for name, number in counts.items()
        ]
    rows += [
        {"what": "store", "name": name, "number": found[name]} for name in ("points", "changes", "bytes")
    ]
    for table in found.get("tables", ()):
        for name in ("rows", "bytes"):
            rows.append({"what": f"{name} of table", "name": table["name"], "number": table[name]})
    write_rows(rows)


def show(terminal: Terminal, found: Mapping[str, Any]) -> None:
    """Print the counts, with bars where one looks at them."""
    size = found["bytes"]
    terminal.show(
        facts(
            [
                ("store", terminal.place),
                ("size", None if size is None else bytes_of(size)),
                ("changes", _changes(found)),
                ("points", None if found["points"] is None else f"{found['points']:,}"),
            ]
        )
    )
    counts = found["things"]
    if counts:
        named = {things(kind, 2).partition(" ")[2]: number for kind, number in counts.items()}
        terminal.show("", heading("Things"), chart(named))
    for what, title in (("project", "project"), ("status", "status"), ("month", "month started")):
        if found["runs"][what]:
            terminal.show("", heading(f"Runs by {title}"), chart(found["runs"][what]))
    if "tables" in found:
        terminal.show("", heading("Tables"))
        rows = sorted(found["tables"], key=lambda table: -(table["bytes"] or 0))
        show_table(
            terminal,
            [
                Column("table", [row["name"] for row in rows], 0, "cyan"),
                Column("rows", [row["rows"] for row in rows], 1),
                Column("size", [None if row["bytes"] is None else bytes_of(row["bytes"]) for row in rows], 0),
            ],
        )


def _changes(found: Mapping[str, Any]) -> Text:
    text = Text(f"{found['changes']:,}")
    moments = [_time(found[name]) for name in ("first_change", "last_change")]
    return text.append(f"  {moments[0]} → {moments[1]}", style="dim") if found["changes"] else text


def _time(text: str | None) -> str:
    moment: datetime | None = None if text is None else times.parse(text)
    return when(moment, seconds=False)
