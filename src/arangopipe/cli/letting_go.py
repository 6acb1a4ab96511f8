"""A plan of retention: shown, written as CSV, carried out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.text import Text

from arangopipe import retention
from arangopipe.cli.bars import chart, progress
from arangopipe.cli.tables import Column, heading, show_table, write_rows
from arangopipe.cli.terminal import Terminal, clean
from arangopipe.cli.words import label, when
from arangopipe.details import written
from arangopipe.words import count, title

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe
    from arangopipe.retention import Plan

SHOWN = 10


def show(terminal: Terminal, pipe: ArangoPipe, plan: Plan, do: bool) -> None:
    """Print what would go, the first of it in a table, and how much stays for which reason."""
    if plan.goes:
        terminal.show(heading("Goes", count(len(plan.goes), "thing")))
        terminal.show(chart(Counter(verdict.why for verdict in plan.goes)), "")
        first = plan.goes[:SHOWN]
        nodes = [verdict.node for verdict in first]
        moments = written(pipe, pipe.entities(nodes))
        show_table(
            terminal,
            [
                Column("kind", [title(node.kind) for node in nodes], 1),
                Column("thing", [label(node) for node in nodes], 0, "cyan"),
                Column("id", [clean(node.id) for node in nodes], 2, "dim"),
                Column(
                    "last written",
                    [when(moments[node.id], False) if node.id in moments else None for node in nodes],
                ),
                Column("by rule", [clean(verdict.why) for verdict in first], 1),
            ],
        )
        if len(plan.goes) > SHOWN:
            terminal.show(
                Text(f"… and {len(plan.goes) - SHOWN:,} more: --csv and --json list all", style="dim")
            )
    else:
        terminal.show(Text("Nothing goes.", style="green"))
    if plan.stays:
        terminal.show("", heading("Stays", count(len(plan.stays), "thing")))
        terminal.show(chart(dict(Counter(verdict.why for verdict in plan.stays).most_common(SHOWN))))
    if plan.goes and not do:
        terminal.note("Nothing was changed. Do it: --apply")


def write(plan: Plan) -> None:
    """Print every verdict as CSV."""
    write_rows([verdict.to_dict() for verdict in (*plan.goes, *plan.stays)])


def carry_out(terminal: Terminal, pipe: ArangoPipe, plan: Plan, reason: str, erase: bool) -> int:
    """Do what the plan says, with a progress bar where someone watches; return how many things went."""
    with progress(terminal, "Erasing" if erase else "Deleting") as tell:
        changes = retention.apply(pipe, plan, reason=reason, erase=erase, progress=tell)
    if not (terminal.as_json or terminal.as_csv):
        done = "Erased" if erase else "Deleted"
        terminal.show(f"{done} {count(len(plan.goes), 'thing')} in {count(len(changes), 'change')}.")
    return len(plan.goes)
