"""Registering named things: keys, versions, and what happens where a name is taken."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arangopipe import capture
from arangopipe.errors import AlreadyExists, Conflict, InvalidInput, StoreUnavailable
from arangopipe.model import documents
from arangopipe.model.entities import Dataset, Featureset, Model, Thing
from arangopipe.model.graph import Node, Put, Revision
from arangopipe.model.ids import check_key, check_name, named_key
from arangopipe.model.vocabulary import NODE_KINDS, RESERVED_KINDS
from arangopipe.references import Ref, References, listed, several
from arangopipe.session import Session
from arangopipe.store.base import RETRIES, Store, check_switch
from arangopipe.store.settings import offline as is_offline

VERSIONED = ("datasets", "featuresets", "models")
"""Kinds whose other content under a taken name is the next version, not a conflict."""


@dataclass(frozen=True)
class Link:
    """An edge from the thing that is registered to another: its kind, the other end, its document."""

    kind: str
    other: str
    text: str = documents.EMPTY


@dataclass(frozen=True)
class Registration:
    """A named thing to register; `version` None is the first, or the next where the name is taken."""

    kind: str
    name: str
    text: str
    project: str = ""
    version: str | None = None
    key: str | None = None
    links: tuple[Link, ...] = ()

    def node(self, version: str) -> Node:
        """Return the node of that version."""
        key = self.key or named_key(self.kind, self.project, self.name, version)
        return Node(self.kind, key, self.name, version, self.project, text=self.text)


class Registry(Session):
    """The half of the API that records named things."""

    def register_dataset(
        self,
        name: str | Mapping[str, Any],
        *,
        data: Any = None,
        source: str | None = None,
        location: str | os.PathLike[str] | None = None,
        version: str | int | None = None,
        project: Ref | None = None,
        key: str | None = None,
        exist_ok: bool = False,
        offline: bool = False,
        **attributes: Any,
    ) -> Dataset:
        """Record a dataset and return it; it is shared by all projects unless `project` is given.

        `data` (a data frame, array, … or the path of a file) is not kept: its fingerprint and summary
        are. `name` may be a whole dict of name and attributes. A taken name raises
        `AlreadyExists`; with `exist_ok`, equal content returns what has it and other content makes
        the next version. With `offline`, or ARANGOPIPE_OFFLINE, it waits in the spool while the store
        is away, as version "1" unless one is given, and what is returned may be used at once.
        """
        if data is not None:
            is_path = location is None and isinstance(data, (str, os.PathLike))
            location = Path(data).absolute() if is_path else location
            attributes["fingerprint"] = capture.fingerprint(data)
            attributes["summary"] = capture.summarize(data)
        node = register(
            self,
            "datasets",
            name,
            {**attributes, **_given(source=source, location=location)},
            exist_ok,
            offline,
            version=version,
            project=project,
            key=key,
        )
        return Dataset(node)

    def register_featureset(
        self,
        name: str | Mapping[str, Any],
        *,
        dataset: Ref | Sequence[Ref],
        columns: Any = None,
        transformation: Any = None,
        version: str | int | None = None,
        project: Ref | None = None,
        key: str | None = None,
        exist_ok: bool = False,
        offline: bool = False,
        **attributes: Any,
    ) -> Featureset:
        """Record a featureset made from one dataset or several, and return it.

        `columns` maps names to dtypes, or is a data frame that has them. The `transformation` is kept
        with the featureset and with its edges. Names and versions as in `register_dataset`.
        """
        references = self.references()
        made = _given(transformation=transformation)
        text = documents.dump(documents.normalise(made, "transformation"))
        sources = dict.fromkeys(references.id("datasets", ref, project) for ref in several(dataset))
        if not sources:
            raise InvalidInput(f"featureset {name!r:.80} needs the dataset it was made from: dataset=")
        node = register(
            self,
            "featuresets",
            name,
            {**attributes, **made, **_given(columns=_dtypes(columns))},
            exist_ok,
            offline,
            version=version,
            project=project,
            key=key,
            links=[Link("featureset_dataset", source, text) for source in sources],
        )
        return Featureset(node)

    def register_model(
        self,
        name: str | Mapping[str, Any],
        *,
        project: Ref | None = None,
        task: str | None = None,
        technique: str | None = None,
        version: str | int | None = None,
        key: str | None = None,
        exist_ok: bool = False,
        offline: bool = False,
        **attributes: Any,
    ) -> Model:
        """Record a model and return it; without any project it is shared.

        `task` says what it predicts, `technique` how it learns. Names and versions as in
        `register_dataset`.
        """
        node = register(
            self,
            "models",
            name,
            {**attributes, **_given(task=task, technique=technique)},
            exist_ok,
            offline,
            version=version,
            project=project,
            default_project=self.project,
            key=key,
        )
        return Model(node)

    def register(
        self,
        kind: str,
        name: str | Mapping[str, Any],
        *,
        version: str | int | None = None,
        project: Ref | None = None,
        key: str | None = None,
        exist_ok: bool = False,
        **attributes: Any,
    ) -> Thing:
        """Record a thing of an own kind (`ArangoPipeAdmin.register_node_kind`) and return it.

        It has no version unless one is given.
        """
        own = {"version": version, "project": project, "key": key}
        return own_thing(self, kind, name, attributes, exist_ok, **own)


def register(
    session: Session,
    kind: str,
    name: str | Mapping[str, Any],
    attributes: Mapping[str, Any],
    exist_ok: bool = False,
    offline: bool = False,
    **own: Any,
) -> Node:
    """Check and write a named thing; `own` are the arguments of `registration`."""
    references = session.references()
    wanted = registration(references, kind, name, attributes, **own)
    again, later = check_switch("exist_ok", exist_ok), check_switch("offline", offline)
    return write(session, references, wanted, again, later or is_offline())


def own_thing(
    session: Session,
    kind: str,
    name: str | Mapping[str, Any],
    attributes: Mapping[str, Any],
    exist_ok: bool,
    **own: Any,
) -> Thing:
    """Register a thing of an own kind; raises `InvalidInput` for a built-in one."""
    known = session.references().kind(kind).name
    if known in NODE_KINDS or known in RESERVED_KINDS:
        raise InvalidInput(f"{known!r} is a built-in kind, with a method of its own")
    return Thing(register(session, known, name, attributes, exist_ok, **own))


def registration(
    references: References,
    kind: str,
    name: str | Mapping[str, Any],
    attributes: Mapping[str, Any],
    *,
    version: str | int | None = None,
    project: Ref | None = None,
    default_project: str = "",
    key: str | None = None,
    links: Iterable[Link] = (),
) -> Registration:
    """Return what to register, checked.

    `name` may be a whole dict, which then holds the name, attributes, and perhaps version, project
    and key. A model that belongs to a project gets the edge from it.
    """
    own: dict[str, Any] = {"version": version, "project": project, "key": key}
    if isinstance(name, Mapping):
        name, own, attributes = _spread(kind, name, own, attributes)
    what = f"the name of a {references.kind(kind).singular}"
    checked = check_name(name, what)
    node = references.owner(default_project if own["project"] is None else own["project"])
    if node is not None and kind == "models":
        links = (*links, Link("project_models", node.id))
    return Registration(
        kind,
        checked,
        documents.dump(documents.normalise(attributes, repr(checked))),
        node.name if node is not None else "",
        None if own["version"] is None else check_name(str(own["version"]), "version"),
        None if own["key"] is None else check_key(own["key"]),
        tuple(links),
    )


def _spread(
    kind: str, whole: Mapping[str, Any], own: Mapping[str, Any], attributes: Mapping[str, Any]
) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Return name, own fields and attributes of a whole dict and the arguments beside it."""
    if "name" not in whole:
        raise InvalidInput(f"the dict has no 'name', by which {kind} are known")
    arguments = {**attributes, **{field: value for field, value in own.items() if value is not None}}
    if twice := sorted(str(item) for item in whole.keys() & arguments.keys()):
        raise InvalidInput(f"{listed(twice)} given twice: in the dict and as an argument")
    rest = {item: value for item, value in whole.items() if item != "name" and item not in own}
    fields = {field: whole.get(field, value) for field, value in own.items()}
    return whole["name"], fields, {**rest, **attributes}


def write(
    session: Session,
    references: References,
    wanted: Registration,
    exist_ok: bool = False,
    offline: bool = False,
) -> Node:
    """Write a named thing and return its node.

    A taken name raises `AlreadyExists`. With `exist_ok`, equal content returns the thing that has it,
    and other content makes the next version; of kinds without versions, or where the version was
    given, it raises `Conflict`. With `offline`, it is spooled while the store is away.
    """
    for attempt in range(RETRIES):
        taken, existing = _there(session.store, wanted, offline)
        same = [node for node in taken if wanted.version in (None, node.version)]
        if same and not exist_ok:
            raise AlreadyExists(_taken(wanted, same, taken))
        if existing is not None:
            return existing
        node = wanted.node(_version(wanted, same, taken))
        edges = [references.edge(link.kind, node.id, link.other, link.text) for link in wanted.links]
        batch = session.batch(f"register {wanted.kind}", puts=[Put(node)], edges=edges)
        try:
            change = session.deliver(batch) if offline else session.store.write(batch)
            if change is None or change.batch == batch.id:
                return node if change is None else node._replace(revision=change.number)
            # Another process has just registered the very same: that shows at the next look.
        except AlreadyExists:
            # A lost race for the version shows at the next look; a key that is taken stays so.
            (there,) = session.store.get([node.id])
            other = there is not None and there[:5] != node[:5]
            if other or attempt == RETRIES - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _there(store: Store, wanted: Registration, offline: bool) -> tuple[Sequence[Node], Node | None]:
    """Return what has the name, and what of that is equal; nothing of either while the store is away."""
    try:
        taken = store.find(wanted.kind, wanted.name, project=wanted.project)
        return taken, _equal(store, wanted, [n for n in taken if wanted.version in (None, n.version)])
    except StoreUnavailable:
        if not offline:
            raise
        return (), None


def _equal(store: Store, wanted: Registration, nodes: Sequence[Node]) -> Node | None:
    """Return the newest of these nodes that was registered with the same content.

    What was annotated since still counts as what was registered.
    """
    for node in nodes:
        if wanted.key not in (None, node.key) or not _same_links(store, wanted, node):
            continue
        if node.text == wanted.text:
            return node
        if wanted.text == _as_registered(store.revisions(node.id)):
            return node
    return None


def _as_registered(revisions: Sequence[Revision]) -> str:
    """Return the first content since the thing was last registered; it may have been deleted before."""
    first = revisions[-1]
    for before in reversed(revisions[:-1]):
        if before.closed_by is None or before.closed_by.number != first.change.number:
            break
        first = before
    return first.node.text


def _same_links(store: Store, wanted: Registration, node: Node) -> bool:
    """Whether a thing is linked, by edges of these kinds, to just what is wanted."""
    kinds = sorted({link.kind for link in wanted.links})
    if not kinds:
        return True
    there = {
        (edge.kind, edge.target if edge.source == node.id else edge.source, edge.text)
        for edge in store.edges([node.id], kinds)
    }
    return there == {(link.kind, link.other, link.text) for link in wanted.links}


def _version(wanted: Registration, same: Sequence[Node], taken: Sequence[Node]) -> str:
    if not same and wanted.version is not None:
        return wanted.version
    if same and (wanted.version is not None or wanted.kind not in VERSIONED):
        what = f"{wanted.name!r} in {wanted.kind}"
        raise Conflict(
            f"{what} ({same[0].id}) has other content: annotate it, or use another name or version"
        )
    return next_version(taken) if wanted.kind in VERSIONED else ""


def next_version(taken: Sequence[Node]) -> str:
    """Return the version after those of the things that have a name."""
    numbers = [int(node.version) for node in taken if node.version.isdecimal()]
    return str(max(numbers, default=len(taken)) + 1)


def _taken(wanted: Registration, same: Sequence[Node], taken: Sequence[Node]) -> str:
    node = same[0]
    where = f" in project {wanted.project!r}" if wanted.project else ""
    said = f"{wanted.name!r}{where} is taken by {node.id}"
    if wanted.kind not in VERSIONED:
        return f"{said}: pass exist_ok=True to get it if its content is equal, or use another name"
    return (
        f"{said} (version {node.version!r}): pass exist_ok=True to get it if its content is equal, "
        f"and otherwise make the next version; or pass version={next_version(taken)!r} to make that one"
    )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _dtypes(columns: Any) -> Any:
    dtypes = getattr(columns, "dtypes", None)
    if dtypes is not None and hasattr(dtypes, "items"):
        return {str(name): str(dtype) for name, dtype in dtypes.items()}
    if columns is not None and not isinstance(columns, Mapping):
        raise InvalidInput(f"columns= maps names to dtypes, or is a data frame; not {columns!r:.80}")
    return columns
