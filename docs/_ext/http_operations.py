"""The operations of the HTTP API, read from its OpenAPI document whenever the page is built."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from arangopipe.server import create_app
from arangopipe.store.memory import MemoryStore

METHODS = ("get", "post", "put", "patch", "delete")
COMMON = {"401", "403", "408", "413", "415", "422", "429", "500", "503"}


class Operations(SphinxDirective):
    """``{http-operations}``: a definition list for each tag."""

    def run(self) -> list[nodes.Node]:
        """Return a section for each tag."""
        document = create_app(MemoryStore()).openapi()
        found: list[nodes.Node] = []
        for tag in document["tags"]:
            listed = [
                self._item(document, method, path, operation)
                for path, operations in document["paths"].items()
                for method, operation in operations.items()
                if method in METHODS and operation["tags"][0] == tag["name"]
            ]
            if listed:
                title = tag["name"].capitalize()
                section = nodes.section("", nodes.title("", title), ids=[f"operations-{tag['name']}"])
                section += nodes.paragraph("", "", *self.parse_inline(tag["description"])[0])
                section += nodes.definition_list("", *listed)
                found.append(section)
        return found

    def _item(
        self, document: dict[str, Any], method: str, path: str, operation: dict[str, Any]
    ) -> nodes.definition_list_item:
        name = nodes.literal("", f"{method.upper()} {path}")
        words = operation["description"].split("\n\n")
        parts: list[nodes.Node] = [nodes.paragraph("", "", *self._inline(text)) for text in words]
        if query := [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]:
            parts.append(self._names("Parameters: ", query))
        if fields := self._fields(document, operation):
            parts.append(self._names("Fields: ", fields))
        if errors := sorted(set(operation["responses"]) - COMMON - {"200", "201"}):
            parts.append(self._names("May also answer: ", errors))
        return nodes.definition_list_item("", nodes.term("", "", name), nodes.definition("", *parts))

    def _inline(self, text: str) -> list[nodes.Node]:
        return self.parse_inline(text.replace("\n", " "))[0]

    @staticmethod
    def _names(start: str, names: list[str]) -> nodes.paragraph:
        paragraph = nodes.paragraph("", start)
        for place, name in enumerate(names):
            paragraph += [nodes.Text(", ")] * bool(place) + [nodes.literal("", name)]
        return paragraph

    @staticmethod
    def _fields(document: dict[str, Any], operation: dict[str, Any]) -> list[str]:
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        reference = content.get("schema", {}).get("$ref", "")
        schema = document["components"]["schemas"].get(reference.rpartition("/")[2], {})
        return list(schema.get("properties", ()))


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive("http-operations", Operations)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
