"""The tables of the data dictionary, read from the vocabulary whenever the page is built."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from arangopipe.model.vocabulary import EDGE_KINDS, NODE_KINDS, EdgeKind

Cell = str | list[nodes.Node]


def _row(cells: Iterable[Cell]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        content = [nodes.Text(cell)] if isinstance(cell, str) else cell
        row += nodes.entry("", nodes.paragraph("", "", *content))
    return row


def _table(head: list[Cell], rows: Iterable[list[Cell]]) -> nodes.table:
    columns = [nodes.colspec(colwidth=1) for _ in head]
    body = nodes.tbody("", *[_row(row) for row in rows])
    group = nodes.tgroup("", *columns, nodes.thead("", _row(head)), body, cols=len(head))
    return nodes.table("", group)


def _code(text: str) -> Cell:
    return [nodes.literal(text, text)]


def _dependency(kind: EdgeKind) -> str:
    source = NODE_KINDS[kind.source].singular if kind.source else "any"
    target = NODE_KINDS[kind.target].singular if kind.target else "any"
    return {
        "from": f"{source} depends on {target}",
        "to": f"{target} depends on {source}",
        "both": f"{source} and {target}, both ways",
        None: "not lineage",
    }[kind.depends]


class _KindsTable(SphinxDirective):
    def words(self, text: str) -> Cell:
        """Return running text with its `code` set as such."""
        content, _ = self.parse_inline(text)
        return content


class NodeKinds(_KindsTable):
    """``{node-kinds}``: one row for each built-in kind of node."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        rows = [
            [kind.title, _code(kind.name), _code(kind.singular), self.words(kind.records)]
            for kind in NODE_KINDS.values()
        ]
        return [_table(["Kind", "Collection", "In searches", "What it records"], rows)]


class EdgeKinds(_KindsTable):
    """``{edge-kinds}``: one row for each built-in kind of edge."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        rows = [
            [
                _code(kind.name),
                f"{kind.source or 'any'} → {kind.target or 'any'}",
                _dependency(kind),
                self.words(kind.records),
            ]
            for kind in EDGE_KINDS.values()
        ]
        return [_table(["Kind", "Stored from → to", "Lineage", "What it records"], rows)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register both directives."""
    app.add_directive("node-kinds", NodeKinds)
    app.add_directive("edge-kinds", EdgeKinds)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
