"""Everything about one thing on a page: facts, document, links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from arangopipe.cli.labels import entities, line, status
from arangopipe.cli.outline import outline
from arangopipe.cli.tables import facts, heading
from arangopipe.cli.terminal import Terminal, clean
from arangopipe.cli.walks import GROUPED_ABOVE
from arangopipe.cli.words import label, when, who, zone
from arangopipe.details import change, change_dict, stale
from arangopipe.model.entities import Entity, Run
from arangopipe.model.graph import Edge, Node, edge_dict
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.phrases import phrase
from arangopipe.references import When, moment_of
from arangopipe.store.base import MAX_PAGE
from arangopipe.words import count, length, number, title

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe

LINKS_SHOWN = 5


@dataclass(frozen=True)
class Links:
    """The edges of one kind that leave a thing, or reach it: how many, and the first of them."""

    words: str
    count: int
    first: tuple[tuple[Node, Edge], ...]


def as_json(pipe: ArangoPipe, node: Node, as_of: When) -> dict[str, Any]:
    """Return a thing, its last change and its edges as JSON-able values."""
    thing = pipe.entity(node, as_of)
    edges = pipe.edges(node, as_of=as_of)
    last = change(pipe, node.revision)
    found = {**thing.to_dict(), "written": None if last is None else change_dict(last)}
    if isinstance(thing, Run):
        found["stale"] = bool(stale(pipe, [thing], as_of))
    return {**found, "edges": [edge_dict(edge) for edge in edges]}


def show(terminal: Terminal, pipe: ArangoPipe, node: Node, as_of: When) -> None:
    """Print all about one thing."""
    thing = pipe.entity(node, as_of)
    heading_text = Text.assemble((f"{title(node.kind)} ", ""), (label(node), "bold"))
    if isinstance(thing, Run):
        word = "stale" if stale(pipe, [thing], as_of) else thing.status or ""
        heading_text.append("  ").append_text(status(word))
    terminal.show(heading_text, facts(_facts(pipe, thing)))
    for name, part in _parts(thing).items():
        if part:
            terminal.show("", heading(name), outline(part))
    _show_points(terminal, pipe, thing, as_of)
    links = _links(pipe, node, as_of)
    if links:
        terminal.show("", heading("links"))
        _show_links(terminal, pipe, links, as_of)


def _facts(pipe: ArangoPipe, thing: Entity) -> list[tuple[str, Any]]:
    last = change(pipe, thing.revision)
    rows: list[tuple[str, Any]] = [("id", thing.id)]
    if thing.version:
        rows.append(("version", thing.version))
    if thing.project:
        rows.append(("project", thing.project))
    if isinstance(thing, Run) and thing.start is not None:
        took = f" and took {length(thing.end - thing.start)}" if thing.end not in (None, thing.start) else ""
        rows.append(("started", f"{when(thing.start)}{took}"))
    if last is not None:
        said = f"{when(last.time)} {zone(last.time)} by {who(last)}: {clean(last.action)}"
        reason = f" ({clean(last.reason)})" if last.reason else ""
        rows.append(("written", f"{said}{reason}, change {last.number}"))
    return rows


def _parts(thing: Entity) -> dict[str, Mapping[str, Any]]:
    """Return the parts of what is recorded, what one looks for first."""
    document = thing.document
    if not isinstance(thing, Run):
        return {"document": document}
    shown = {name: document.pop(name, None) for name in ("error", "environment", "code")}
    for name in ("start", "end", "status"):
        document.pop(name, None)
    return {
        "params": thing.params,
        "metrics": thing.metrics,
        "fitted": thing.fitted,
        "optimizer": thing.optimizer,
        "error": shown["error"] if isinstance(shown["error"], dict) else {},
        "document": document,
        "environment": shown["environment"] or {},
        "code": shown["code"] or {},
    }


def _show_points(terminal: Terminal, pipe: ArangoPipe, thing: Entity, as_of: When) -> None:
    if not isinstance(thing, Run):
        return
    series = pipe.store.points(thing.id, as_of=moment_of(as_of))
    if not series:
        return
    rows = []
    for name, points in series.items():
        finite = [point.value for point in points if not isinstance(point.value, str)]
        extent = f", {number(min(finite))} to {number(max(finite))}" if finite else ""
        last = points[-1]
        value = last.value if isinstance(last.value, str) else number(last.value)
        rows.append((name, f"{count(len(points), 'point')}{extent}, last {value} at step {last.step}"))
    terminal.show("", heading("metrics over time"), facts(rows))


def _links(pipe: ArangoPipe, node: Node, as_of: When) -> Sequence[Links]:
    """Return what a thing is linked to; of a run not its own parameters and performance."""
    moment = moment_of(as_of)
    edges = pipe.edges(node, as_of=as_of)
    groups: dict[tuple[str, bool], list[Edge]] = {}
    for edge in edges:
        from_source = edge.source == node.id
        other = edge.target if from_source else edge.source
        if node.kind != "run" or other.partition("/")[0] not in OWNED_BY_RUN:
            groups.setdefault((edge.kind, from_source), []).append(edge)
    found = []
    for (kind, from_source), members in groups.items():
        first = members if len(members) <= GROUPED_ABOVE else members[: -LINKS_SHOWN - 1 : -1]
        others = [_run_of(edge.target if from_source else edge.source) for edge in first]
        nodes = pipe.store.get(others, moment)
        shown = [(n, e) for n, e in zip(nodes, first, strict=True) if n is not None]
        found.append(Links(phrase(kind, from_source), len(members), tuple(shown)))
    return found


def _run_of(node_id: str) -> str:
    """Return the run that stands for its parameters and its performance, or the thing itself."""
    kind, _, key = node_id.partition("/")
    return f"run/{key}" if kind in OWNED_BY_RUN else node_id


def _show_links(terminal: Terminal, pipe: ArangoPipe, links: Sequence[Links], as_of: When) -> None:
    known = entities(pipe, [node for group in links for node, _ in group.first], as_of)
    total = sum(group.count for group in links)
    for group in links:
        for node, edge in group.first:
            text = Text(f"{group.words} " if group.words else "", style="cyan")
            text.append_text(line(known[node.id]))
            roles = edge.document.get("roles")
            if roles:
                text.append(f"  ({', '.join(roles)})", style="dim")
            terminal.show(text)
        if group.count > len(group.first):
            more = group.count - len(group.first)
            terminal.show(Text(f"… and {more:,} more", style="dim"))
    if total >= MAX_PAGE:
        terminal.show(Text(f"… only the first {MAX_PAGE:,} links were counted", style="dim"))
