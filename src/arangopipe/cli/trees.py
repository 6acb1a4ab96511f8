"""Lineage as a tree of lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from arangopipe.cli.labels import entities, line
from arangopipe.cli.terminal import Terminal
from arangopipe.cli.walks import Branch, Walk, kinds_reached
from arangopipe.cli.words import joined, label
from arangopipe.model.entities import Entity
from arangopipe.model.graph import Graph, Node
from arangopipe.model.vocabulary import OWNED_BY_RUN, Direction
from arangopipe.references import When
from arangopipe.words import things

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe

TITLES: Mapping[Direction, str] = {"upstream": "came from", "downstream": "led to"}


def show_lineage(
    terminal: Terminal,
    pipe: ArangoPipe,
    node: Node,
    directions: Iterable[Direction],
    *,
    depth: int | None = None,
    whole: bool = False,
    as_of: When = None,
    summed: bool = True,
) -> None:
    """Print what a thing came from, what came of it, or both; and, if `summed`, how much that is."""
    vocabulary = pipe.store.vocabulary()
    graphs: dict[Direction, Graph] = {}
    branches: dict[Direction, Branch] = {}
    for direction in directions:
        walk = pipe.upstream if direction == "upstream" else pipe.downstream
        graphs[direction] = walk(node, depth, as_of=as_of)
        branches[direction] = Walk(graphs[direction], direction, vocabulary).tree(whole)
    if len(branches) > 1:
        _drop_repeated_leaves(branches, vocabulary.is_leaf)
    shown = [branch for root in branches.values() for branch in root.every()]
    nodes = [node, *(branch.node for branch in shown)]
    known = entities(pipe, nodes, as_of)
    tree = Tree(_line(Branch(node, models=shown[0].models), known, node), guide_style="dim")
    for direction, root in branches.items():
        part = tree if len(branches) == 1 else tree.add(Text(TITLES[direction], style="italic"))
        _grow(part, root, known, node)
        if not root.below:
            nothing = f"nothing recorded{' within that depth' if depth is not None else ''}"
            part.add(Text(nothing, style="dim"))
    terminal.show(tree)
    for direction, graph in graphs.items() if summed else ():
        _sum_up(terminal, TITLES[direction], graph, branches[direction], whole)


def _drop_repeated_leaves(branches: Mapping[Direction, Branch], is_leaf: Callable[[str], bool]) -> None:
    """What no walk leaves again, a run's model, is said in one direction only."""
    above = {branch.node.id for branch in branches["upstream"].every() if is_leaf(branch.node.kind)}
    for branch in branches["downstream"].every():
        branch.below = [b for b in branch.below if b.node.id not in above]


def _grow(tree: Tree, branch: Branch, known: Mapping[str, Entity], start: Node) -> None:
    stack = [(tree, branch)]
    while stack:
        part, current = stack.pop()
        for child in current.below:
            stack.append((part.add(_line(child, known, start)), child))
        for kind, count in current.hidden.items():
            part.add(Text(f"… and {_more(kind, count)}", style="dim"))


def _line(branch: Branch, known: Mapping[str, Entity], start: Node) -> Text:
    text = Text()
    if branch.words:
        text.append(f"{branch.words} ", style="cyan")
    thing = known[branch.node.id]
    models = [f"model {label(model)}" for model in branch.models if model.id != start.id]
    text.append_text(line(thing, models))
    if branch.roles and branch.roles != ("training",):
        text.append(f"  ({', '.join(branch.roles)})", "dim")
    if branch.cut:
        text.append("  … and deeper (--json)", "dim italic")
    if branch.again:
        text.append("  (as above)", "dim italic")
    return text


def _more(kind: str, count: int) -> str:
    number, _, name = things(kind, count).partition(" ")
    return f"{number} more {name}"


def _sum_up(terminal: Terminal, title: str, graph: Graph, root: Branch, whole: bool) -> None:
    reached = {kind: number for kind, number in kinds_reached(graph).items() if kind not in OWNED_BY_RUN}
    if not reached:
        return
    counted = joined(things(kind, number) for kind, number in reached.items())
    cut = any(branch.hidden for branch in root.every())
    terminal.note(f"{title.capitalize()} {counted}.{' All of them: --all' if cut and not whole else ''}")
