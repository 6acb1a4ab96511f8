"""The things recorded, as callers hold them: one frozen class per kind of node, free of any store.

An entity is one revision of a node. Its document is free-form; the properties of a class read the
attributes that Arangopipe itself writes, and those that older documents used instead. Nothing that
an entity hands out is still its own, so it can be shared and kept.
"""

from __future__ import annotations

import copy
import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from arangopipe.errors import InvalidInput
from arangopipe.model import documents, times
from arangopipe.model.graph import Node, node_dict

_DTYPE = re.compile(
    r"(u?int|float|complex)(8|16|32|64|128)?|bool(ean)?|object|category|categorical|factor"
    r"|str(ing)?(\[\w+\])?|utf8|text|character|numeric|number|integer|double|decimal|long|logical"
    r"|date(time)?|timestamp|(datetime|timedelta)64(\[[\w, /+:-]+\])?",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False, repr=False)
class Entity:
    """One revision of a thing that a store holds; equal to another of the same id and revision."""

    node: Node

    @property
    def kind(self) -> str:
        """The kind of node, such as ``datasets``."""
        return self.node.kind

    @property
    def key(self) -> str:
        """What identifies it within its kind."""
        return self.node.key

    @property
    def id(self) -> str:
        """The reference ``kind/key``."""
        return self.node.id

    @property
    def name(self) -> str:
        """What a person calls it; empty where it has no name."""
        return self.node.name

    @property
    def version(self) -> str:
        """Its version, as text; empty for kinds without versions."""
        return self.node.version

    @property
    def project(self) -> str:
        """The name of the project it belongs to; empty where all projects share it."""
        return self.node.project

    @property
    def revision(self) -> int:
        """The number of the change that wrote this state of it."""
        return self.node.revision

    @property
    def document(self) -> dict[str, Any]:
        """A fresh copy of everything recorded about it."""
        return self.node.document

    @cached_property
    def _document(self) -> dict[str, Any]:
        return self.node.document

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute of the document, or `default`."""
        return copy.deepcopy(self._document.get(name, default))

    def __getitem__(self, name: str) -> Any:
        return copy.deepcopy(self._document[name])

    def __contains__(self, name: object) -> bool:
        return name in self._document

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Entity):
            return NotImplemented
        return (self.id, self.revision) == (other.id, other.revision)

    def __hash__(self) -> int:
        return hash((self.id, self.revision))

    def __repr__(self) -> str:
        facts = "".join(f" {name}={value!r}" for name, value in self._facts().items() if value)
        name = f" {self.node.label!r}" if self.name else ""
        return f"<{type(self).__name__}{name} {self.id}{facts}>"

    def _facts(self) -> dict[str, Any]:
        """Return what a one-line description adds to name and id."""
        return {"project": self.project}

    def _rows(self) -> dict[str, Any]:
        """Return what a table of this entity shows, first things first."""
        return {"id": self.id, **self._facts(), **self._document}

    def _repr_html_(self) -> str:
        title = f"{type(self).__name__} {self.node.label}"
        return f"<h4>{html.escape(title)}</h4>{html_table(self._rows().items())}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-able values: its own fields, and its document under ``document``."""
        return node_dict(self.node)

    def _text(self, *names: str) -> str | None:
        """Return the first of these attributes that is a text."""
        found = (self._document.get(name) for name in names)
        return next((value for value in found if isinstance(value, str)), None)

    def _mapping(self, name: str) -> dict[str, Any]:
        value = self.get(name)
        return value if isinstance(value, dict) else {}

    def _time(self, name: str) -> datetime | None:
        value = self._document.get(name)
        try:
            return None if value is None else times.parse(value, name)
        except InvalidInput:
            return None


@dataclass(frozen=True, eq=False, repr=False)
class Project(Entity):
    """A body of work; an administrator creates it."""


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(Entity):
    """Data that was used."""

    @property
    def fingerprint(self) -> dict[str, Any] | None:
        """What identifies its content (`capture.fingerprint`), where it was taken."""
        return self._mapping("fingerprint") or None

    @property
    def summary(self) -> dict[str, Any] | None:
        """Its rows, columns and their statistics (`capture.summarize`), where they were taken."""
        return self._mapping("summary") or None

    @property
    def source(self) -> str | None:
        """The system it came from."""
        return self._text("source")

    @property
    def location(self) -> str | None:
        """Where it lies: a path or URL."""
        return self._text("location")


@dataclass(frozen=True, eq=False, repr=False)
class Featureset(Entity):
    """The result of transforming datasets."""

    @property
    def columns(self) -> dict[str, str]:
        """Its columns and their dtypes.

        Older documents have them at their top level; there, every value that reads like a dtype
        counts.
        """
        columns = self._document.get("columns")
        if isinstance(columns, dict):
            return {name: str(dtype) for name, dtype in columns.items()}
        return {
            name: value
            for name, value in self._document.items()
            if isinstance(value, str) and _DTYPE.fullmatch(value)
        }

    @property
    def transformation(self) -> Any:
        """How it was made of its datasets: text, or whatever was recorded."""
        return self.get("transformation")


@dataclass(frozen=True, eq=False, repr=False)
class Model(Entity):
    """What is being fitted."""

    @property
    def technique(self) -> str | None:
        """How it learns, such as ``ridge``; older documents call it ``type``."""
        return self._text("technique", "type")

    @property
    def task(self) -> str | None:
        """What it is to predict."""
        return self._text("task")

    def _facts(self) -> dict[str, Any]:
        return {"technique": self.technique, **super()._facts()}


@dataclass(frozen=True, eq=False, repr=False)
class ModelParams(Entity):
    """The hyper-parameters and fitted parameters of one run, whose key it has."""

    @property
    def params(self) -> dict[str, Any]:
        """The hyper-parameters."""
        return _hyper_parameters(self.document)

    @property
    def fitted(self) -> dict[str, Any]:
        """What the run found, such as coefficients."""
        return self._mapping("fitted")

    @property
    def optimizer(self) -> dict[str, Any]:
        """How it was found, such as solver and iterations."""
        return self._mapping("optimizer")


@dataclass(frozen=True, eq=False, repr=False)
class DevPerf(Entity):
    """Performance that one run, whose key it has, saw in development."""

    @property
    def metrics(self) -> dict[str, Any]:
        """Its metrics, the last value of each."""
        return _as_numbers(self.document)


@dataclass(frozen=True, eq=False, repr=False)
class Run(Entity):
    """One execution, with its parameters and metrics.

    A run whose status is *running* and that has written nothing for ten minutes is *stale*; whoever
    shows runs finds that out from the time of its last change, nothing records it.
    """

    params_text: str = documents.EMPTY
    metrics_text: str = documents.EMPTY

    @property
    def params(self) -> dict[str, Any]:
        """Its hyper-parameters."""
        return _hyper_parameters(documents.load(self.params_text))

    @property
    def fitted(self) -> dict[str, Any]:
        """The parameters it found, such as coefficients."""
        return _sub_object(documents.load(self.params_text), "fitted")

    @property
    def optimizer(self) -> dict[str, Any]:
        """How it found them, such as solver and iterations."""
        return _sub_object(documents.load(self.params_text), "optimizer")

    @property
    def metrics(self) -> dict[str, Any]:
        """Its metrics, the last value of each; `pipe.metric_points` has those of a running one."""
        return _as_numbers(documents.load(self.metrics_text))

    @property
    def status(self) -> str | None:
        """One of scheduled, running, finished, failed and killed."""
        return self._text("status")

    @property
    def start(self) -> datetime | None:
        """When it started."""
        return self._time("start")

    @property
    def end(self) -> datetime | None:
        """When it ended."""
        return self._time("end")

    @property
    def tag(self) -> str | None:
        """The experiment it belongs to."""
        return self._text("tag")

    @property
    def deployment_tag(self) -> str | None:
        """The deployment it was made for."""
        return self._text("deployment_tag")

    @property
    def tags(self) -> dict[str, Any]:
        """Its free tags."""
        return self._mapping("tags")

    @property
    def seed(self) -> Any:
        """The random seed it was given."""
        return self.get("seed")

    @property
    def user(self) -> str | None:
        """Who ran it."""
        return self._text("user")

    @property
    def parent(self) -> str | None:
        """The id of the run it is nested in."""
        return self._text("parent")

    @property
    def error(self) -> dict[str, Any] | None:
        """Why it failed: ``type``, ``message`` and ``traceback``."""
        return self._mapping("error") or None

    @property
    def artifacts(self) -> list[dict[str, Any]]:
        """The files it made: ``name``, ``uri`` and, for local files, ``checksum`` and ``bytes``."""
        value = self.get("artifacts")
        return value if isinstance(value, list) else []

    def _facts(self) -> dict[str, Any]:
        return {"status": self.status, "tag": self.tag, **super()._facts()}

    def _rows(self) -> dict[str, Any]:
        rows = super()._rows()
        last = {name: rows.pop(name, None) for name in ("environment", "code")}
        shown = {"params": self.params, "metrics": documents.load(self.metrics_text)}
        return {**rows, **shown, **{name: value for name, value in last.items() if value}}

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-able values, with ``params`` and ``metrics`` as they are recorded."""
        return {
            **super().to_dict(),
            "params": documents.load(self.params_text),
            "metrics": documents.load(self.metrics_text),
        }


@dataclass(frozen=True, eq=False, repr=False)
class Deployment(Entity):
    """One placement of one run; deployments that follow each other share a tag."""

    @property
    def tag(self) -> str:
        """What the deployments of one purpose have in common."""
        return self._text("tag") or self.name

    @property
    def status(self) -> str:
        """One of scheduled, active and archived; older documents have none and count as active."""
        return self._text("status") or "active"

    @property
    def active_from(self) -> datetime | None:
        """Since when it serves or served."""
        return self._time("active_from")

    @property
    def active_to(self) -> datetime | None:
        """Until when it served."""
        return self._time("active_to")

    @property
    def scheduled(self) -> datetime | None:
        """When it was to become active."""
        return self._time("scheduled")

    def live_at(self, moment: datetime) -> bool:
        """Whether it served at that time; the moment it was archived no longer counts."""
        if self.status == "scheduled" or (self.status == "archived" and self.active_to is None):
            return False
        started = self.active_from is None or self.active_from <= moment
        return started and (self.active_to is None or moment < self.active_to)

    def _facts(self) -> dict[str, Any]:
        return {"status": self.status, **super()._facts()}


@dataclass(frozen=True, eq=False, repr=False)
class ServingPerf(Entity):
    """Performance that a deployment had over a serving period."""

    @property
    def start(self) -> datetime | None:
        """When the period began."""
        return self._time("start")

    @property
    def end(self) -> datetime | None:
        """When the period ended."""
        return self._time("end")

    @property
    def metrics(self) -> dict[str, float]:
        """Its metrics: every number of the document."""
        numbers = _as_numbers(self.document)
        return {
            name: value
            for name, value in numbers.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }


@dataclass(frozen=True, eq=False, repr=False)
class Thing(Entity):
    """A node of an own kind."""

    def _facts(self) -> dict[str, Any]:
        return {"kind": self.kind, **super()._facts()}


_CLASSES: Mapping[str, type[Entity]] = {
    "project": Project,
    "datasets": Dataset,
    "featuresets": Featureset,
    "models": Model,
    "modelparams": ModelParams,
    "devperf": DevPerf,
    "deployment": Deployment,
    "servingperf": ServingPerf,
}


def entity_of(node: Node, params: str = documents.EMPTY, metrics: str = documents.EMPTY) -> Entity:
    """Return the entity of a node; of a run with the texts of its modelparams and devperf."""
    if node.kind == "run":
        return Run(node, params, metrics)
    return _CLASSES.get(node.kind, Thing)(node)


def html_table(rows: Iterable[tuple[str, Any]], longest: int = 200) -> str:
    """Return an HTML table of names and values, escaped and shortened, for notebooks."""
    lines = []
    for name, value in rows:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if value is None:
            continue
        shown = text if len(text) <= longest else f"{text[: longest - 1]}…"
        lines.append(f"<tr><th>{html.escape(name)}</th><td>{html.escape(shown)}</td></tr>")
    return f"<table>{''.join(lines)}</table>"


def _hyper_parameters(document: dict[str, Any]) -> dict[str, Any]:
    for name in ("fitted", "optimizer"):
        if isinstance(document.get(name), dict):
            del document[name]
    return document


def _sub_object(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _as_numbers(document: dict[str, Any]) -> dict[str, Any]:
    """Return measured values with "NaN", "Infinity" and "-Infinity" as the floats they stand for."""
    return {
        name: float(value) if isinstance(value, str) and value in documents.NON_FINITE else value
        for name, value in document.items()
    }
