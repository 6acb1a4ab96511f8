"""Answers on a terminal: the sentence, a picture in text, the table, and what was left out."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rich.text import Text

from arangopipe.analysis.answers import cell
from arangopipe.analysis.comparison import Comparison
from arangopipe.analysis.effect import Effect
from arangopipe.cli.strips import strips
from arangopipe.cli.tables import Column, show_table, write_rows
from arangopipe.cli.terminal import Terminal, clean

if TYPE_CHECKING:
    from arangopipe.analysis.answers import Answer

WIDEST = 100
_FIRST = 3
"""Columns that are always shown; of the rest the first have room first where a terminal is narrow."""


def reply(terminal: Terminal, answer: Answer) -> None:
    """Print an answer as JSON, as CSV, or for people."""
    if terminal.as_json:
        terminal.give(answer.to_dict())
    elif terminal.as_csv:
        write_rows([{name: _flat(value) for name, value in row.items()} for row in answer.rows()])
    else:
        show(terminal, answer)


def show(terminal: Terminal, answer: Answer) -> None:
    """Print an answer for people."""
    said(terminal, answer)
    rows = answer.rows()
    if isinstance(answer, Effect) and answer.estimate is not None:
        terminal.show("", *pictured(terminal, answer))
    if rows:
        terminal.show("")
        table = columns(rows)
        if isinstance(answer, Comparison):  # each run, also one that has none of it
            table = [replace(column, cells=column.texts, rank=0) for column in table]
        show_table(terminal, table)
    if answer.notes:
        terminal.show("", *(Text(clean(note), style="dim") for note in answer.notes))


def said(terminal: Terminal, answer: Answer) -> None:
    """Print the sentence, its first words bold."""
    width = min(WIDEST, terminal.out.width)
    first, colon, rest = clean(answer.sentence).partition(": ")
    lines = textwrap.wrap(f"{first}{colon}{rest}", width, break_on_hyphens=False, break_long_words=False)
    text = Text("\n".join(lines))
    if colon and len(first) <= width:
        text.stylize("bold", 0, len(first))
    terminal.show(text)


def pictured(terminal: Terminal, answer: Effect) -> list[Text]:
    """Return the differences of the pairs by technique, and the mean with its interval, as lines."""
    groups: dict[str, list[float]] = {name: [] for name in answer.per_technique}
    for pair in answer.matched:
        groups[pair.technique].append(pair.difference)
    encoding = (terminal.out.encoding or "ascii").lower()
    return strips(
        {clean(name): values for name, values in groups.items()},
        answer.estimate or 0.0,
        answer.interval,
        answer.better,
        min(WIDEST, terminal.out.width),
        plain=not encoding.startswith("utf"),
    )


def columns(rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return rows as the columns of a table."""
    return [
        Column(clean(name), [_shown(row[name]) for row in rows], max(0, place - _FIRST + 1))
        for place, name in enumerate(rows[0])
    ]


def _shown(value: Any) -> Any:
    return cell(value) if isinstance(value, (list, tuple, bool)) else value


def _flat(value: Any) -> Any:
    return "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
