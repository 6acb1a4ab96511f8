"""The tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from result import GROUPS, Findings, Growth, Result, Training, figure, growth, ordered
from rich.console import Console
from rich.table import Table

TRAINING_COLUMNS = ("steps", "mean call", "worst call", "end of the run", "points recorded")
MARKS = {None: "", True: "[green]✓[/]", False: "[red]✗[/]"}


def show(found: Findings, console: Console) -> None:
    """Print all tables, then the notes."""
    lines = ordered(found.results)
    limit = [line for line in lines if not line.is_peer]
    peers = [line for line in lines if line.is_peer]
    if limit:
        title = "Arangopipe against hand-written SQL on the same tables"
        console.print(_results_table(title, ("raw", "ours / raw", "best raw form"), limit))
    if grown := growth(lines):
        console.print(_growth_table(grown))
    if peers:
        title = "Arangopipe against its peers"
        console.print(_results_table(title, ("theirs", "times as fast", "peer"), peers))
    if found.trainings:
        console.print(_trainings_table(found.trainings))
    console.print("Rates (/s): more is better. Times: less is better. See benchmarks/README.md.")
    for note in notes(found):
        console.print(note, highlight=False, markup=False)


def notes(found: Findings) -> Iterator[str]:
    """Yield what else a run has found, and on what it ran."""
    for size, sizes in found.bytes.items():
        yield f"bytes a run at {size:,}: {sizes['per_run']:,}"
    yield from found.notes
    yield ", ".join(f"{name} {value}" for name, value in found.machine.items())


def _results_table(title: str, names: tuple[str, str, str], lines: Sequence[Result]) -> Table:
    theirs, quotient, last = names
    table = _table(title, ("", "workload", "runs in store", "ours", theirs, quotient, "target", "", last))
    for before, line in zip([None, *lines], lines, strict=False):
        first = before is None or before.name != line.name
        if first:
            table.add_section()
        table.add_row(
            GROUPS[line.group] if first else "",
            line.name if first else "",
            *line.figures,
            MARKS[line.reached],
            line.about,
        )
    return table


def _growth_table(grown: Sequence[Growth]) -> Table:
    table = _table(
        f"What it costs at {grown[0].large:,} runs, as a multiple of {grown[0].small:,}",
        ("", "workload", "ours", "raw", "target", ""),
    )
    for line in grown:
        figures = (f"{line.ours:.2f}", f"{line.theirs:.2f}", line.asked, MARKS[line.reached])
        table.add_row(GROUPS[line.group], line.name, *figures)
    return table


def _trainings_table(trainings: Sequence[Training]) -> Table:
    title = "A training that logs each step"
    table = _table(title, ("store", "side", *TRAINING_COLUMNS, "raised"))
    for line in trainings:
        table.add_row(line.store, line.side, *training_figures(line), line.raised[:40])
    return table


def training_figures(line: Training) -> tuple[str, ...]:
    """Return the figures of a training, as `TRAINING_COLUMNS` names them."""
    calls = (figure(line.mean_us, "µs"), figure(line.worst_ms, "ms"), figure(line.end_ms, "ms"))
    return f"{line.steps:,}", *calls, f"{line.points:,}"


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title)
    for name in columns:
        left = name in ("workload", "", "best raw form", "peer", "store", "side", "raised")
        table.add_column(name, justify="left" if left else "right", no_wrap=True)
    return table
