"""What every answer can do: be read as a sentence, a table, a picture, a data frame, JSON."""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from arangopipe.errors import MissingExtra
from arangopipe.model import times

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

ROWS_SHOWN = 30
_CELL = 48


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer: frozen values, a sentence that anybody can read, and notes on what was left out."""

    notes: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        raise NotImplementedError

    def rows(self) -> list[dict[str, Any]]:
        """Return the answer as rows of plain values, all with the same names."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as JSON-able values, with its sentence."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.repr}
        notes = fields.pop("notes")
        return {"sentence": self.sentence, **plain(fields), "notes": list(notes)}

    def to_frame(self) -> pandas.DataFrame:
        """Return the rows as a pandas data frame."""
        return frame(self.rows())

    def figure(self, axes: Axes) -> bool:
        """Draw the answer where people would rather look than read; whether there was anything to draw."""
        return False

    def to_svg(self) -> str:
        """Return the picture as SVG text, empty where there is none."""
        from arangopipe.analysis.pictures import svg

        return svg(self.figure)

    def __str__(self) -> str:
        rows = self.rows()
        more = [f"… and {len(rows) - ROWS_SHOWN:,} more: to_frame()"] if len(rows) > ROWS_SHOWN else []
        table = text_table(rows[:ROWS_SHOWN])
        return "\n".join([self.sentence, *(["", *table] if table else []), *more, *self._remarks()])

    def _remarks(self) -> list[str]:
        return ["", *(f"Note: {note}" for note in self.notes)] if self.notes else []

    def _repr_html_(self) -> str:
        rows = self.rows()[:ROWS_SHOWN]
        head = "".join(f"<th>{html.escape(name)}</th>" for name in (rows[0] if rows else ()))
        lines = ["".join(f"<td>{html.escape(cell(value))}</td>" for value in row.values()) for row in rows]
        body = "".join(f"<tr>{line}</tr>" for line in [head, *lines])
        table = f"<table>{body}</table>" if rows else ""
        notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self.notes)
        try:
            picture = self.to_svg()
        except MissingExtra:
            picture = ""
        return f"<p>{html.escape(self.sentence)}</p>{picture}{table}{notes}"


def frame(rows: Sequence[Any], columns: Sequence[str] | None = None) -> pandas.DataFrame:
    """Return rows as a pandas data frame; raises `MissingExtra` without pandas."""
    try:
        import pandas
    except ImportError as error:
        raise MissingExtra("pandas", "analysis") from error
    found: pandas.DataFrame = pandas.DataFrame(rows, columns=None if columns is None else list(columns))
    return found


def plain(value: Any) -> Any:
    """Return a value of an answer as JSON-able values; what is not a finite number becomes None."""
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return times.to_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return {name: plain(item) for name, item in value._asdict().items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value


def number(value: float | None, digits: int = 4) -> str:
    """Return a number as people read it."""
    if value is None or math.isnan(value):
        return "–"
    if value == int(value) and abs(value) < 1e6 and isinstance(value, int):
        return str(value)
    return f"{value:.{digits}g}"


def signed(value: float) -> str:
    """Return a difference with its sign."""
    return f"{value:+.3g}".replace("-", "−")


def cell(value: Any) -> str:
    """Return any value of a row as one short line."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return number(float(value))
    if isinstance(value, datetime):
        return f"{value.astimezone():%Y-%m-%d %H:%M}"
    if isinstance(value, (list, tuple)):
        value = ", ".join(map(cell, value))
    text = " ".join(str(value).split())
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"


def text_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return rows as lines of aligned text; numbers stand to the right."""
    if not rows:
        return []
    names = list(rows[0])
    cells = [names, *([cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    right = [any(isinstance(row[name], (int, float, np.number)) for row in rows) for name in names]
    lines = []
    for line in cells:
        padded = (
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return lines


def several(count: int, one: str, many: str = "") -> str:
    """Return how many of something there are, in words."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def listed(names: Sequence[str], shown: int = 5) -> str:
    """Return the first few names as text."""
    more = len(names) - shown
    if more > 0:
        return f"{', '.join(names[:shown])} and {more:,} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
