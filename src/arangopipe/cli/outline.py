"""A document as an outline: one name a line, what is inside indented, small things on one line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from arangopipe.cli.terminal import clean
from arangopipe.cli.words import plain

INLINE = 88
WIDEST = 118

_INDENT = "  "
_DEEPEST = 30
_ITEMS_SHOWN = 50
_FLOWING = 12


def outline(document: Mapping[str, Any]) -> Text:
    """Return a document as lines of text, names in colour."""
    return Text("\n").join(_mapping(document, 0))


def _mapping(document: Mapping[str, Any], level: int) -> Iterator[Text]:
    width = max((len(clean(name)) for name in document), default=0)
    lined_up = all(_one_line(value) is not None for value in document.values())
    if level and lined_up and len(document) > _FLOWING:
        yield from _flow(document, level)
        return
    for name, value in document.items():
        start = Text(_INDENT * level).append(clean(name), style="cyan")
        inline = _one_line(value)
        if inline is not None:
            gap = "  ".rjust(width - len(clean(name)) + 2) if lined_up else ": "
            yield start.append(gap, style="dim").append_text(inline)
        else:
            yield start.append(":", style="dim")
            yield from _inside(value, level + 1)


def _inside(value: Any, level: int) -> Iterator[Text]:
    """Yield the lines of what does not fit on one."""
    if level > _DEEPEST:
        yield Text(f"{_INDENT * level}…", style="dim")
    elif isinstance(value, str):
        for line in value.splitlines():
            yield Text(f"{_INDENT * level}{clean(line)}")
    elif isinstance(value, Mapping):
        yield from _grid(value, level) or _mapping(value, level)
    else:
        yield from _items(value, level)


def _items(items: Sequence[Any], level: int) -> Iterator[Text]:
    for item in items[:_ITEMS_SHOWN]:
        mark = Text(_INDENT * level).append("- ", style="dim")
        inline = _one_line(item)
        yield mark if inline is None else mark.append_text(inline)
        if inline is None:
            yield from _inside(item, level + 1)
    if len(items) > _ITEMS_SHOWN:
        yield Text(f"{_INDENT * level}… and {len(items) - _ITEMS_SHOWN:,} more", style="dim")


def _flow(document: Mapping[str, Any], level: int) -> Iterator[Text]:
    """Yield many small things as a paragraph."""
    words = [f"{clean(name)} {plain(value)}".replace(" ", "\0") for name, value in document.items()]
    indent = _INDENT * level
    lines = textwrap.wrap(
        ", ".join(words), INLINE, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    for line in lines:
        yield Text(line.replace("\0", " "))


def _grid(rows: Mapping[str, Any], level: int) -> list[Text]:
    """Return objects of the same attributes as a table; nothing where they are not, or it is too wide."""
    if len(rows) < 3 or not all(isinstance(row, Mapping) and row for row in rows.values()):
        return []
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    cells = [[_one_line(row.get(name, "")) for name in names] for row in rows.values()]
    filled = sum(len(row) for row in rows.values())
    if filled < len(rows) * len(names) * 0.7 or any(cell is None for row in cells for cell in row):
        return []
    texts = [["", *map(clean, names)]]
    texts += [[clean(name), *(str(cell) for cell in row)] for name, row in zip(rows, cells, strict=True)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    if sum(widths) + 2 * len(widths) > WIDEST:
        return []
    lines = []
    for place, row in enumerate(texts):
        line = Text(_INDENT * level).append(row[0].ljust(widths[0]), style="cyan")
        for text, width in zip(row[1:], widths[1:], strict=True):
            line.append("  ").append(text.rjust(width), style="dim" if place == 0 else "")
        lines.append(line)
    return lines


def _one_line(value: Any) -> Text | None:
    """Return a value on one line, None where it is too long for one."""
    if isinstance(value, str):
        return Text(plain(value)) if "\n" not in value.rstrip("\n") else None
    if not isinstance(value, (Mapping, list)):
        return Text(plain(value), style="dim" if value is None else "")
    if not value:
        return Text("{}" if isinstance(value, Mapping) else "[]", style="dim")
    inside = value.values() if isinstance(value, Mapping) else value
    if any(isinstance(item, Mapping) and item for item in inside):
        return None
    if isinstance(value, Mapping):
        text = ", ".join(f"{clean(name)} {_flat(item)}" for name, item in value.items())
    else:
        text = ", ".join(map(_flat, value))
    return Text(text) if len(text) <= INLINE else None


def _flat(value: Any) -> str:
    return f"[{', '.join(map(_flat, value))}]" if isinstance(value, list) else plain(value)
