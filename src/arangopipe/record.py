"""What a run writes: its three documents, and the edges to all that it used.

Whoever records a run enters here: `pipe.log_run`, `pipe.log_runs` and `ActiveRun`.
"""

from __future__ import annotations

import hashlib
import math
import os
import traceback
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import unquote, urlsplit

from arangopipe.capture import snapshot
from arangopipe.errors import InvalidInput
from arangopipe.model import documents, times
from arangopipe.model.documents import Written
from arangopipe.model.graph import Edge, Node
from arangopipe.model.ids import check_key, check_name, uuid7
from arangopipe.model.vocabulary import EDGE_KINDS, ROLES, near
from arangopipe.references import Ref, References, several

Status: TypeAlias = Literal["scheduled", "running", "finished", "failed", "killed"]
Time: TypeAlias = datetime | str | float

STATUSES = ("scheduled", "running", "finished", "failed", "killed")
ENDED = ("finished", "failed", "killed")
_FROM_RUN = frozenset({kind.name for kind in EDGE_KINDS.values() if kind.source == "run"})

_TRACEBACK_CHARACTERS = 20_000
_BLOCK = 1 << 20


class RunRecord(NamedTuple):
    """One run: its nodes (run, modelparams, devperf), what their texts say, and its edges.

    The last two edges go to its modelparams and devperf, those before to what it used.
    """

    nodes: tuple[Node, Node, Node]
    written: tuple[Written, Written, Written]
    edges: tuple[Edge, ...]


def run_record(
    references: References,
    actor: str,
    /,
    *,
    capture: bool,
    project: Ref | None = None,
    model: Ref | None = None,
    dataset: Ref | Sequence[Ref] | None = None,
    datasets: Mapping[str, Ref | Sequence[Ref]] | None = None,
    featureset: Ref | Sequence[Ref] | None = None,
    parent: Ref | None = None,
    params: Mapping[Any, Any] | None = None,
    fitted: Mapping[Any, Any] | None = None,
    optimizer: Mapping[Any, Any] | None = None,
    metrics: Mapping[Any, Any] | None = None,
    key: str | None = None,
    name: str | None = None,
    **attributes: Any,
) -> RunRecord:
    """Return the record of one run; the arguments are those of `ArangoPipe.log_run`."""
    key = uuid7() if key is None else check_key(key)
    run_id = f"run/{key}"
    owner = run_project(references, project, model)
    edges = inputs(references, run_id, model, dataset, datasets, featureset, owner)
    if parent is not None:
        parent = references.id("run", parent)
        edges.append(references.edge("run_parent", run_id, parent))
    called = "" if name is None else check_name(name, "the name of a run")
    said = documents.write(run_document(actor, capture=capture, parent=parent, **attributes))
    found = _written_params(params, fitted, optimizer)
    measured = _written_metrics(metrics)
    return RunRecord(
        (
            Node("run", key, called, "", owner, 0, said.text),
            Node("modelparams", key, "", "", "", 0, found.text),
            Node("devperf", key, "", "", "", 0, measured.text),
        ),
        (said, found, measured),
        (
            *edges,
            Edge("run_modelparams", run_id, f"modelparams/{key}"),
            Edge("run_devperf", run_id, f"devperf/{key}"),
        ),
    )


def run_project(references: References, project: Ref | None, model: Ref | None) -> str:
    """Return the name of the project a run belongs to: as given, its model's, or the session's."""
    if model is not None:
        known = project if isinstance(project, str) else None
        if known and references.is_in(known, "models", model):
            return known  # what has a model is there
        if project is None and (known := references.project_of("models", model)):
            return known
    owner = references.owner(references.project if project is None else project)
    return "" if owner is None else owner.name


def inputs(
    references: References,
    run_id: str,
    model: Ref | None,
    dataset: Ref | Sequence[Ref] | None,
    datasets: Mapping[str, Ref | Sequence[Ref]] | None,
    featureset: Ref | Sequence[Ref] | None,
    project: str,
) -> list[Edge]:
    """Return the edges from a run to what it used; names are sought in its project first."""
    edges = []
    if model is not None:
        edges.append(_edge("run_models", run_id, references.id("models", model, project)))
    for used, roles in _roles(references, dataset, datasets, project).items():
        edges.append(_edge("run_datasets", run_id, used, _roles_text(roles)))
    for used in dict.fromkeys([references.id("featuresets", ref, project) for ref in several(featureset)]):
        edges.append(_edge("run_featuresets", run_id, used))
    return edges


def _edge(kind: str, run_id: str, used: str, text: str = documents.EMPTY) -> Edge:
    """Return the edge of a built-in kind between a run and what it used."""
    if kind in _FROM_RUN:
        return Edge(kind, run_id, used, 0, text)
    return Edge(kind, used, run_id, 0, text)


def _roles(
    references: References,
    dataset: Ref | Sequence[Ref] | None,
    datasets: Mapping[str, Ref | Sequence[Ref]] | None,
    project: str,
) -> dict[str, tuple[str, ...]]:
    """Return the roles each dataset plays, by its id."""
    if datasets is not None and not isinstance(datasets, Mapping):
        raise InvalidInput("datasets= maps roles to datasets: {'training': a, 'test': b}")
    roles: dict[str, tuple[str, ...]] = {}
    for role, refs in (("training", dataset), *(datasets or {}).items()):
        if role not in ROLES:
            raise InvalidInput(f"no role is called {role!r}{near(str(role), ROLES)}: {', '.join(ROLES)}")
        for ref in several(refs):
            used = references.id("datasets", ref, project)
            roles[used] = (*roles.get(used, ()), role)
    return roles


@cache
def _roles_text(roles: tuple[str, ...]) -> str:
    return documents.dump({"roles": sorted(set(roles), key=ROLES.index)})


# --- documents -----------------------------------------------------------------------------------


def run_document(
    actor: str,
    /,
    *,
    capture: bool,
    status: Status = "finished",
    start: Time | None = None,
    end: Time | None = None,
    parent: str | None = None,
    tag: str | None = None,
    deployment_tag: str | None = None,
    seed: Any = None,
    error: BaseException | Mapping[str, Any] | str | None = None,
    artifacts: Iterable[Mapping[str, Any] | str | os.PathLike[str]] | None = None,
    tags: Mapping[Any, Any] | None = None,
    **attributes: Any,
) -> dict[str, Any]:
    """Return the document of a run; what was not given is left out."""
    given = {
        "tag": tag,
        "deployment_tag": deployment_tag,
        "seed": seed,
        "tags": tags,
        "error": None if error is None else error_document(error),
        "artifacts": None if artifacts is None else _artifacts(artifacts),
    }
    attributes.update({name: value for name, value in given.items() if value is not None})
    document = documents.normalise(attributes, "run")
    if capture:
        document = {**snapshot(seed=document.get("seed")), **document}
    document.setdefault("user", actor)
    if parent:
        document["parent"] = parent
    document["status"] = check_status(status)
    document.update(_period(status, start, end))
    return document


def _written_params(
    params: Mapping[Any, Any] | None,
    fitted: Mapping[Any, Any] | None,
    optimizer: Mapping[Any, Any] | None,
) -> Written:
    known = documents.as_given(params or {}) if fitted is None and optimizer is None else None
    return known or documents.write(params_document(params, fitted, optimizer))


def _written_metrics(metrics: Mapping[Any, Any] | None) -> Written:
    return documents.as_given(metrics or {}) or documents.write(metrics_document(metrics))


def params_document(
    params: Mapping[Any, Any] | None,
    fitted: Mapping[Any, Any] | None,
    optimizer: Mapping[Any, Any] | None,
) -> dict[str, Any]:
    """Return the document of a run's modelparams: params at its top level, the rest below."""
    document = documents.normalise(params or {}, "params")
    for name, part in (("fitted", fitted), ("optimizer", optimizer)):
        if part is not None:
            if name in document:
                raise InvalidInput(f"a param is called {name!r}, as is the argument {name}=: rename it")
            document[name] = documents.normalise(part, name)
    return document


def metrics_document(metrics: Mapping[Any, Any] | None, what: str = "metrics") -> dict[str, Any]:
    """Return measured values as a document; numbers that are not finite become their names."""
    if not metrics:
        return {}
    if not isinstance(metrics, Mapping):
        raise InvalidInput(f"{what} must be a mapping, not {type(metrics).__name__}")
    finite = {
        name: value if type(value) is float and isfinite(value) else named(value)
        for name, value in metrics.items()
    }
    return documents.normalise(finite, what)


def named(value: Any, depth: int = 0) -> Any:
    """Return a value with NaN and the infinities in it as text, as measured values hold them."""
    if type(value) in (str, int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if depth > documents.MAX_DEPTH:
        return value
    if isinstance(value, Decimal):
        return value if value.is_finite() else named(float(value))
    if isinstance(value, Mapping):
        return {name: named(item, depth + 1) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [named(item, depth + 1) for item in value]
    return named(value.tolist(), depth + 1) if hasattr(value, "tolist") else value


def check_status(status: str) -> str:
    """Return the status of a run, or raise `InvalidInput`."""
    if status not in STATUSES:
        hint = near(str(status), STATUSES)
        raise InvalidInput(f"no run status is called {status!r}{hint}: {', '.join(STATUSES)}")
    return status


def error_document(error: BaseException | Mapping[str, Any] | str) -> dict[str, Any]:
    """Return an error as ``type``, ``message`` and ``traceback`` (its last 20,000 characters)."""
    if isinstance(error, Mapping):
        return dict(error)
    if not isinstance(error, BaseException):
        return {"message": str(error)}
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return {
        "type": type(error).__qualname__,
        "message": _printable(_message(error)),
        "traceback": _printable(trace)[-_TRACEBACK_CHARACTERS:],
    }


def artifact(place: str | os.PathLike[str], name: str | None = None, **attributes: Any) -> dict[str, Any]:
    """Return the reference to a file: ``name``, ``uri`` and, for a local one, ``checksum``, ``bytes``.

    `place` is a path or a URL. The content of a local file is read to take its sha256, never
    copied; a folder has no checksum. Raises `InvalidInput` where a path leads nowhere.
    """
    try:
        text = os.fsdecode(place)
        if "://" in text and not text.startswith("file://"):
            return {"name": name or text.rstrip("/").rpartition("/")[2], "uri": text, **attributes}
        path = Path(unquote(urlsplit(text).path) if text.startswith("file://") else text).absolute()
        found = {"name": name or path.name, "uri": path.as_uri()}
        if path.is_dir():
            return {**found, **attributes}
        digest, size = _sha256(path)
    except (OSError, TypeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(f"artifact {place!r:.200} cannot be read: {reason}") from error
    return {**found, "checksum": f"sha256:{digest}", "bytes": size, **attributes}


def _artifacts(items: Any) -> list[Any]:
    """Return the descriptions of artifacts; one that stands alone is one of them."""
    alone = isinstance(items, (str, Mapping, os.PathLike))
    if not alone and not isinstance(items, Iterable):
        raise InvalidInput(f"artifacts= is a sequence of paths or mappings, not {items!r:.80}")
    return [_artifact(item) for item in ([items] if alone else items)]


def _artifact(item: Mapping[str, Any] | str | os.PathLike[str]) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        return artifact(item)
    if not isinstance(item.get("uri"), str):
        raise InvalidInput(f"artifact {dict(item)!r:.80} has no 'uri': write {{'name', 'uri'}} or a path")
    return {"name": item["uri"].rstrip("/").rpartition("/")[2], **item}


def _sha256(path: Path) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def _period(status: Status, start: Time | None, end: Time | None) -> dict[str, str]:
    """Return start and end as recorded: by default now, and as one moment where only one is known."""
    began = None if start is None else times.parse(start, "start")
    ended = None if end is None else times.parse(end, "end")
    if status in ENDED:
        ended = ended or times.now()
        began = began or ended
        if ended < began:
            raise InvalidInput(f"the run ends ({ended}) before it starts ({began})")
    elif ended is not None:
        raise InvalidInput(f"a run that is {status} has no end yet: leave end= out")
    elif status == "running":
        began = began or times.now()
    found = {}
    if began is not None:
        found["start"] = times.to_text(began)
    if ended is not None:
        found["end"] = times.to_text(ended)
    return found


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # a broken __str__ must not hide what went wrong
        return "(its message could not be read)"


def _printable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()
