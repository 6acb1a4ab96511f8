"""The commands that walk the graph: lineage and impact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from arangopipe.cli.options import AS_OF, PROJECT, reference, verb
from arangopipe.cli.terminal import Terminal, pass_terminal

if TYPE_CHECKING:
    from arangopipe.model.graph import Graph, Node
    from arangopipe.model.vocabulary import Direction
    from arangopipe.pipe import ArangoPipe
    from arangopipe.references import When


@verb(
    "lineage",
    "arangopipe lineage dataset:diabetes --down",
    "arangopipe lineage deployment:prod --up",
    "arangopipe lineage model:ridge --depth 2",
    "arangopipe lineage deployment:prod --mermaid",
    "arangopipe lineage dataset:diabetes --csv",
    csv=True,
    see=("impact", "show"),
)
@reference()
@click.option("--up", is_flag=True, help="Only what it came from.")
@click.option("--down", is_flag=True, help="Only what came of it.")
@click.option("--depth", type=click.IntRange(0), metavar="N", help="Follow at most N edges each way.")
@click.option("--all", "whole", is_flag=True, help="Show large groups whole.")
@click.option("--mermaid", is_flag=True, help="Write a Mermaid flowchart of the whole graph.")
@PROJECT
@AS_OF
@pass_terminal
def lineage(
    terminal: Terminal,
    ref: str,
    up: bool,
    down: bool,
    depth: int | None,
    whole: bool,
    mermaid: bool,
    project: str | None,
    as_of: When,
) -> None:
    """Show what a thing came from, and what came of it.

    Each line says what it is to the line above. In the tree a run stands for its parameters and for
    what it measured, an edge is left out where a longer way says the same, and of more than eight
    things alike the first few are shown, those that lead to a deployment before others. With
    --json and --mermaid you get every node and edge.
    """
    from arangopipe.cli.refs import find

    directions: list[Direction] = []
    if up or not down:
        directions.append("upstream")
    if down or not up:
        directions.append("downstream")
    with terminal.pipe(project=project) as pipe:
        node = find(pipe, ref, as_of)
        if mermaid:
            click.echo(_graph(pipe, node, directions, depth, as_of).to_mermaid(), nl=False)
        elif terminal.as_json:
            terminal.give(_graph(pipe, node, directions, depth, as_of).to_dict())
        elif terminal.as_csv:
            _write_nodes(_graph(pipe, node, directions, depth, as_of))
        else:
            from arangopipe.cli.trees import show_lineage

            show_lineage(terminal, pipe, node, directions, depth=depth, whole=whole, as_of=as_of)


def _graph(
    pipe: ArangoPipe, node: Node, directions: list[Direction], depth: int | None, as_of: When
) -> Graph:
    if len(directions) > 1:
        return pipe.lineage(node, depth, as_of=as_of)
    walk = pipe.upstream if directions == ["upstream"] else pipe.downstream
    return walk(node, depth, as_of=as_of)


def _write_nodes(graph: Graph, states: Mapping[str, str] | None = None) -> None:
    """Print what a walk reached as CSV, from far upstream to far downstream."""
    from arangopipe.cli.tables import write_rows

    found = [(depth, node) for depth, layer in graph.layers().items() for node in layer]
    write_rows(
        [
            {
                "depth": depth,
                "id": node.id,
                "name": node.name or None,
                "version": node.version or None,
                "project": node.project or None,
                **({} if states is None else {"state": states.get(node.id)}),
            }
            for depth, node in found
        ]
    )


@verb(
    "impact",
    "arangopipe impact dataset:diabetes",
    "arangopipe impact featureset:base+s5 --json",
    "arangopipe impact dataset:diabetes --csv",
    csv=True,
    see=("lineage", "deployments"),
)
@reference()
@PROJECT
@AS_OF
@pass_terminal
def impact(terminal: Terminal, ref: str, project: str | None, as_of: When) -> None:
    """Show what would be affected if a thing were wrong.

    Live and scheduled deployments that depend on it come first, each with what it last showed in
    service; then how much else depends on it, by kind.
    """
    from arangopipe.cli.refs import find

    with terminal.pipe(project=project) as pipe:
        node = find(pipe, ref, as_of)
        found = pipe.impact(node, as_of=as_of)
        if terminal.as_json:
            terminal.give(found.to_dict())
        elif terminal.as_csv:
            states = dict.fromkeys((item.id for item in found.live), "live")
            states.update(dict.fromkeys((item.id for item in found.scheduled), "scheduled"))
            _write_nodes(found.graph, states)
        else:
            from arangopipe.cli.placing import show_impact

            show_impact(terminal, pipe, node, found, as_of)
