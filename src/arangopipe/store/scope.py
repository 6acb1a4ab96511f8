"""What is shown of a store to whom not every project is shown: the one judgement of every engine.

A thing is shown that belongs to no project, or to one of the scope; a project itself, by its name. The
modelparams and devperf of a run are shown where the run is. Serving performance is shown where it is so
itself and every deployment that it is of is; what is of none must belong to a project, since it may have been
of a hidden one that was deleted. Own kinds are shown. Users and tokens are not: to whom they are shown
depends on more than projects. Of an edge both ends must be shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from arangopipe.model import documents
from arangopipe.model.graph import Edge, Node
from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import OWNED_BY_RUN

PERSONAL = ("users", "tokens")
SERVED = "deployment_servingperf"
REDACTED = documents.dump({"redacted": True})


@dataclass(frozen=True)
class Scope:
    """The projects, by name, of which everything is shown."""

    projects: frozenset[str]

    def owns(self, project: str) -> bool:
        """Whether what belongs to a project of that name ("": to none) may be shown."""
        return not project or project in self.projects

    def admits(self, kind: str, name: str, project: str) -> bool:
        """Whether a node is shown by its own words, where no run or deployment that owns it decides."""
        if kind == "project":
            return name in self.projects
        if kind in PERSONAL:
            return False
        return self.owns(project) or kind == "kinds" or kind in OWNED_BY_RUN


def redacted(node_id: str) -> Node:
    """Return what a walk shows of a thing that is hidden."""
    return Node(*split_id(node_id), text=REDACTED)


def bare(edge: Edge) -> Edge:
    """Return what a walk shows of an edge to a thing that is hidden."""
    return Edge(edge.kind, edge.source, edge.target)
