"""What an edge means, read from either end, in words."""

from __future__ import annotations

PHRASES = {
    "project_models": ("has", "belongs to"),
    "featureset_dataset": ("made from", "made into"),
    "run_models": ("trained by", "trained"),
    "run_datasets": ("used", "used by"),
    "run_featuresets": ("used", "used by"),
    "run_modelparams": ("with", "of"),
    "run_devperf": ("measured", "measured by"),
    "deployment_model": ("serves", "served by"),
    "deployment_modelparams": ("serves", "served by"),
    "deployment_featureset": ("is fed", "feeds"),
    "deployment_servingperf": ("", "of"),
    "run_parent": ("part of", "has part"),
    "related": ("related to", "related to"),
    "user_project": ("has a role in", "has among its users"),
}
"""For each kind of edge that is built in: how its source relates to its target, and the other way."""


def phrase(edge_kind: str, from_source: bool) -> str:
    """Return how one end of an edge relates to the other."""
    words = PHRASES.get(edge_kind)
    if words is None:
        return edge_kind if from_source else f"← {edge_kind}"
    return words[0] if from_source else words[1]
