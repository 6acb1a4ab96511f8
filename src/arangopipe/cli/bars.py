"""What takes long shows how far it is; what is counted is drawn as bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from rich.text import Text

from arangopipe.cli.tables import LONGEST
from arangopipe.cli.terminal import Terminal, clean
from arangopipe.words import shortened

WIDTH = 30

Progress = Callable[[int, "int | None"], object]


@contextmanager
def stages(terminal: Terminal, first: str) -> Iterator[Callable[[str, int, int | None], object] | None]:
    """Give what to tell what is being done, how much of it is, and of how much; None where nobody watches."""
    if not terminal.err.is_terminal or terminal.as_json:
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal.err, transient=True) as bar:
        task = bar.add_task(first, total=None)
        yield lambda doing, done, total: bar.update(
            task, description=doing.capitalize(), completed=done, total=total
        )


@contextmanager
def progress(terminal: Terminal, doing: str) -> Iterator[Progress | None]:
    """Give what to tell how much is done, and of how much; None where nobody watches."""
    with stages(terminal, doing) as told:
        yield told and partial(told, doing)


def chart(counts: Mapping[Any, int], width: int = WIDTH) -> Text:
    """Return counts as a bar chart: a line for each, the longest bar `width` wide."""
    names = {key: shortened(clean(str(key)), LONGEST) for key in counts}
    room = max(map(len, names.values()), default=0)
    most = max(counts.values(), default=0) or 1
    digits = max((len(f"{count:,}") for count in counts.values()), default=0)
    lines = []
    for key, count in counts.items():
        eighths = round(count / most * width * 8)
        bar = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()
        text = Text(f"  {names[key]:<{room}}  {count:>{digits},}  ")
        lines.append(text.append(bar or ("▏" if count else ""), style="cyan"))
        lines[-1].rstrip()
    return Text("\n").join(lines)
