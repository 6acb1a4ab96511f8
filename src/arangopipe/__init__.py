"""Arangopipe: the metadata graph for machine-learning pipelines.

>>> import arangopipe
>>> pipe = arangopipe.connect("memory://")
>>> data = pipe.register_dataset("diabetes", source="sklearn")
>>> with pipe.start_run(dataset=data) as run:
...     run.log_params({"alpha": 1.0})
...     run.log_metrics({"rmse": 54.2})
>>> [found.metrics for found in pipe.search("run", "params.alpha = 1")]
[{'rmse': 54.2}]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arangopipe.admin import ArangoPipeAdmin
    from arangopipe.errors import (
        AlreadyExists,
        ArangopipeError,
        Conflict,
        FilterSyntaxError,
        InvalidInput,
        MissingExtra,
        NotFound,
        PermissionDenied,
        SchemaMismatch,
        StoreError,
        StoreUnavailable,
        Unsupported,
    )
    from arangopipe.model.entities import (
        Dataset,
        Deployment,
        DevPerf,
        Entity,
        Featureset,
        Model,
        ModelParams,
        Project,
        Run,
        ServingPerf,
        Thing,
    )
    from arangopipe.model.graph import Edge, Graph, Node
    from arangopipe.pipe import ArangoPipe, connect
    from arangopipe.results import Impact, Page
    from arangopipe.run import ActiveRun, ArangopipeWarning

__version__ = "1.0.0.dev0"

__all__ = [
    "ActiveRun",
    "AlreadyExists",
    "ArangoPipe",
    "ArangoPipeAdmin",
    "ArangopipeError",
    "ArangopipeWarning",
    "Conflict",
    "Dataset",
    "Deployment",
    "DevPerf",
    "Edge",
    "Entity",
    "Featureset",
    "FilterSyntaxError",
    "Graph",
    "Impact",
    "InvalidInput",
    "MissingExtra",
    "Model",
    "ModelParams",
    "Node",
    "NotFound",
    "Page",
    "PermissionDenied",
    "Project",
    "Run",
    "SchemaMismatch",
    "ServingPerf",
    "StoreError",
    "StoreUnavailable",
    "Thing",
    "Unsupported",
    "__version__",
    "connect",
]

# Modules that code written for Arangopipe 0.0.x imports; not rooms of today's package.
__path__.append(f"{__path__[0]}/compat/legacy_paths")

_HOMES = {
    "ActiveRun": "run",
    "ArangoPipe": "pipe",
    "ArangoPipeAdmin": "admin",
    "ArangopipeWarning": "run",
    "Edge": "model.graph",
    "Graph": "model.graph",
    "Impact": "results",
    "Node": "model.graph",
    "Page": "results",
    "connect": "pipe",
    **dict.fromkeys(
        (
            "Dataset",
            "Deployment",
            "DevPerf",
            "Entity",
            "Featureset",
            "Model",
            "ModelParams",
            "Project",
            "Run",
            "ServingPerf",
            "Thing",
        ),
        "model.entities",
    ),
}
"""The module of each public name; all others are errors."""


def __getattr__(name: str) -> Any:
    # Nothing is imported before it is used: a script that never logs pays for no store.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return [*__all__]
