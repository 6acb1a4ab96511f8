"""The figures in docs/performance.md: `python benchmarks/page.py PAGE FILE` makes them again from a file.

A run writes the part of the page between its own two marks; the rest is written by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import plots
from report import TRAINING_COLUMNS, notes, training_figures
from result import GROUPS, Findings, Result, growth, ordered, ratio

REACHED = {None: "", True: "yes", False: "**no**"}
LARGE = 1_000_000
SERVED = {"http", "pages", "stores", "training"}
"""Groups that have a part of their own: what a server and its clients do."""


def update(page: Path, found: Findings) -> None:
    """Bring the part of a page that belongs to such a run up to date, and its plots beside it."""
    name = "full" if max(found.bytes, default=0) >= LARGE else "bench"
    if {line.group for line in found.results} <= SERVED:
        name = "server"
    begin, end = (f"<!-- {name}: {word} -->" for word in ("begin", "end"))
    text = page.read_text(encoding="utf-8")
    head, opened, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (opened and closed):
        sys.exit(f"{page} has no part between {begin} and {end}")
    pictures = plots.draw(found, page.with_name(f"{page.stem}-{name}"))
    body = "\n".join(_part(found, pictures))
    page.write_text(f"{head}{begin}\n\n{body}\n{end}{tail}", encoding="utf-8")


def _part(found: Findings, pictures: dict[str, Path]) -> Iterator[str]:
    yield f"Measured on {found.machine['date']}.\n"
    yield from _missed(found)
    lines = ordered(found.results)
    if limit := [line for line in lines if not line.is_peer]:
        yield "### Against hand-written SQL\n"
        yield from _results(limit, "by hand", "ours / by hand", "best form")
    if peers := [line for line in lines if line.is_peer]:
        yield "### Against peers\n"
        yield from _results(peers, "theirs", "times as fast", "peer")
    if found.trainings:
        yield "### A training that logs each step\n"
        rows = [(line.store, line.side, *training_figures(line), line.raised) for line in found.trainings]
        yield from _table(("store", "side", *TRAINING_COLUMNS, "raised"), rows)
    if grown := growth(lines):
        yield f"### Growth from {grown[0].small:,} to {grown[0].large:,} runs\n"
        rows = [
            (GROUPS[line.group], line.name, f"{line.ours:.2f}", f"{line.theirs:.2f}", line.asked,
             REACHED[line.reached])
            for line in grown
        ]  # fmt: skip
        yield from _table(("", "what it costs, as a multiple", "ours", "by hand", "target", "reached"), rows)
    for about, path in pictures.items():
        yield f"![{about}]({path.name})\n"
    yield "### Sizes and load times\n"
    rows = [
        (f"{size:,}", f"{about['per_run']:,}", *_load(found, size)) for size, about in found.bytes.items()
    ]
    yield from _table(("runs", "bytes a run", "loaded in", "by hand in", "memory at its end"), rows)
    yield "### What it ran on\n"
    yield from (f"* {note}" for note in notes(found))
    yield ""


def _missed(found: Findings) -> Iterator[str]:
    lines: dict[str, list[str]] = {}
    for line in ordered(line for line in found.results if line.reached is False):
        peer = f" against {line.against}" if line.is_peer else ""
        at = "" if line.size is None else f" at {line.size:,}"
        what = f"{GROUPS[line.group]}, {line.name}{peer}: {line.asked}"
        lines.setdefault(what, []).append(f"{ratio(line.ratio)}{at}")
    for grown in growth(found.results):
        if grown.reached is False:
            what = f"{GROUPS[grown.group]}, growth of {grown.name}: {grown.asked}"
            lines.setdefault(what, []).append(f"{grown.ours:.2f}")
    if not lines:
        yield "All targets were reached.\n"
        return
    yield "Targets that were missed, with what was reached at how many runs:\n"
    yield from (f"* {what}; {', '.join(reached)}" for what, reached in lines.items())
    yield ""


def _results(lines: Sequence[Result], theirs: str, quotient: str, last: str) -> Iterator[str]:
    rows = [
        (GROUPS[line.group], line.name, *line.figures, REACHED[line.reached], line.about) for line in lines
    ]
    yield from _table(("", "workload", "runs", "ours", theirs, quotient, "target", "reached", last), rows)


def _load(found: Findings, size: int) -> tuple[str, ...]:
    """Return how long each side took for all runs, and what memory ours had at the end."""
    before, ours, theirs, mib = 0.0, 0.0, 0.0, 0.0
    for part in found.loads.get(size, ()):
        count = part["runs"] - before
        before, mib = part["runs"], part["mib"]
        ours += count / part["ours"]
        theirs += count / part["raw"]
    return f"{ours:,.1f} s", f"{theirs:,.1f} s", f"{mib:,.0f} MiB"


def _table(names: Iterable[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(names)
    yield _row("---" for _ in names)
    yield from map(_row, rows)
    yield ""


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


if __name__ == "__main__":
    update(Path(sys.argv[1]), Findings.from_json(Path(sys.argv[2]).read_text(encoding="utf-8")))
