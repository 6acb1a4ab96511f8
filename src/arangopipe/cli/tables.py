"""Tables that fit: columns with a rank, of which a narrow terminal shows the first ones."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.cells import cell_len
from rich.text import Text

from arangopipe.cli.terminal import Terminal
from arangopipe.cli.words import cell
from arangopipe.words import MISSING, shortened

_GAP = 2
LONGEST = 48
_NARROWEST = 12


@dataclass(frozen=True)
class Column:
    """A column: its heading, its cells, and its rank (0: always shown; the lowest has room first).

    `path` is what a search calls it, where that is not the heading. A `whole` one is never cut.
    """

    heading: str
    cells: Sequence[Any]
    rank: int = 1
    style: str = ""
    path: str = ""
    whole: bool = False

    @property
    def texts(self) -> list[Text]:
        """The cells as they are printed."""
        return [value if isinstance(value, Text) else _text(value) for value in self.cells]

    @property
    def empty(self) -> bool:
        """Whether no cell holds anything."""
        return all(value is None or value == "" for value in self.cells)

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers, which stand to the right."""
        kinds = {type(value) for value in self.cells if value is not None}
        return bool(kinds) and kinds <= {int, float}


def _text(value: Any) -> Text:
    if value is None or value == "":
        return Text(MISSING, style="dim")
    return Text(cell(value))


def show_table(terminal: Terminal, columns: Sequence[Column], chosen: bool = False, hint: str = "") -> None:
    """Print a table; what does not fit is left out and named, with a hint, unless it was `chosen`."""
    wanted = [column for column in columns if chosen or not column.empty]
    room = terminal.out.width
    full = {id(column): column.texts for column in wanted}
    needed = [column for column in wanted if column.rank == 0]
    longest = LONGEST if chosen else _longest(needed, full, room)
    texts = {
        id(column): full[id(column)] if column.whole else [_cut(text, longest) for text in full[id(column)]]
        for column in wanted
    }
    widths = {id(column): _width(column, texts) for column in wanted}
    shown = wanted if chosen else _fitting(wanted, widths, room)
    lines = [Text() for _ in range(1 + len(texts[id(shown[0])]))] if shown else []
    for column in shown:
        cells = [Text(column.heading, style="bold"), *texts[id(column)]]
        width = widths[id(column)] if column is not shown[-1] or column.numeric else 0
        for place, (line, text) in enumerate(zip(lines, cells, strict=True)):
            if place:
                text.style = text.style or column.style
            _append(line, text, width, column.numeric)
    terminal.show(*lines)
    hidden = [column.heading for column in wanted if column not in shown]
    if hidden:
        terminal.note(f"Not shown for lack of width: {', '.join(hidden)}{hint}")


def _append(line: Text, text: Text, width: int, to_the_right: bool) -> None:
    """Add a cell to a line, padded to its column; the last column is not."""
    room = " " * (width - text.cell_len)
    if line:
        line.append(" " * _GAP)
    line.append(room if to_the_right else "").append_text(text).append("" if to_the_right else room)


def _longest(columns: Sequence[Column], texts: Mapping[int, Sequence[Text]], room: int) -> int:
    """Return how long cells may be for these columns to fit; `LONGEST` where cutting does not help."""
    least = [_width(column, texts) if column.whole else cell_len(column.heading) for column in columns]
    most = [_width(column, texts) for column in columns]
    for longest in range(LONGEST, _NARROWEST - 1, -1):
        widths = (max(low, min(high, longest)) + _GAP for low, high in zip(least, most, strict=True))
        if sum(widths) <= room + _GAP:
            return longest
    return LONGEST


def _width(column: Column, texts: Mapping[int, Sequence[Text]]) -> int:
    return max([cell_len(column.heading), *(text.cell_len for text in texts[id(column)])])


def _cut(text: Text, longest: int) -> Text:
    text = text.copy()
    if text.cell_len > longest:
        text.truncate(longest, overflow="ellipsis")
    return text


def _fitting(columns: Sequence[Column], widths: Mapping[int, int], room: int) -> list[Column]:
    """Return those of rank 0, and of the others those for which there is room, by rank."""
    shown = set()
    left = room + _GAP
    for column in sorted(columns, key=lambda column: column.rank):
        width = widths[id(column)] + _GAP
        if column.rank == 0 or width <= left:
            shown.add(id(column))
            left -= width
    return [column for column in columns if id(column) in shown]


def write_csv(columns: Sequence[tuple[str, Sequence[Any]]]) -> None:
    """Print columns as CSV: full numbers, times as recorded, nothing where there is no value."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([heading for heading, _ in columns])
    writer.writerows(zip(*(cells for _, cells in columns), strict=True))
    click.echo(buffer.getvalue(), nl=False)


def write_rows(rows: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> None:
    """Print rows as CSV: these columns first, then whatever else any row has."""
    found = dict.fromkeys((*names, *(name for row in rows for name in row)))
    if found:
        write_csv([(name, [row.get(name) for row in rows]) for name in found])


def facts(rows: Sequence[tuple[str, Any]]) -> Text:
    """Return names and values below each other."""
    width = max((cell_len(name) for name, _ in rows), default=0)
    lines = [
        Text.assemble((name.ljust(width + _GAP), "dim")).append_text(
            value if isinstance(value, Text) else Text(cell(value))
        )
        for name, value in rows
    ]
    return Text("\n").join(lines)


def heading(text: str, more: str = "") -> Text:
    """Return the title of a part of an answer, with what is said beside it."""
    return Text.assemble((text, "bold"), ("  " if more else ""), (more, "dim"))


def short(text: str, longest: int = LONGEST) -> str:
    """Return a text cut to fit in a table."""
    return shortened(text, max(longest, _NARROWEST))
