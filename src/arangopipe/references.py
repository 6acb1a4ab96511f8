"""From what callers write to what the store knows: references become ids and nodes.

A reference is an entity (or anything else with an `id`), an id (``datasets/3f…``), a name with its
kind (``dataset:diabetes`` or ``dataset:diabetes@2``) or, where the kind is known, a bare name
(``diabetes``, ``diabetes@2``) or the bare key of a run, deployment or servingperf. A name is taken
whole before a version is split off it. An id is taken as it is, without asking the store: the write
that uses it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias

from arangopipe.errors import Conflict, InvalidInput, NotFound, StoreUnavailable
from arangopipe.model import documents, times
from arangopipe.model.graph import Edge, Node, kind_of
from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import OWNED_BY_RUN, EdgeKind, NodeKind, Vocabulary, near
from arangopipe.store.base import AsOf, Store


class Identified(Protocol):
    """An entity, a node, an active run: whatever knows its id."""

    @property
    def id(self) -> str:
        """The reference ``kind/key``."""
        ...


Ref: TypeAlias = str | Identified
When: TypeAlias = int | str | datetime | None
"""A moment of the record: a change number, a time (as `times.parse` takes it), None for now."""

_SHOWN = 5
_NAMES_COMPARED = 2_000


def moment_of(moment: When) -> AsOf:
    """Return a moment as stores take it."""
    if moment is None or (isinstance(moment, int) and not isinstance(moment, bool)):
        return moment
    return times.parse(moment, "as_of")


def listed(items: Sequence[str]) -> str:
    """Return the first few items as text."""
    more = len(items) - _SHOWN
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def several(refs: Ref | Sequence[Ref] | None) -> Sequence[Ref]:
    """Return one reference, several or none as a sequence."""
    if refs is None:
        return ()
    # A node is a tuple and yet one reference.
    if isinstance(refs, (list, tuple, set, frozenset)) and not hasattr(refs, "id"):
        return tuple(refs)
    return (refs,)  # type: ignore[return-value]


def texts(items: Iterable[str]) -> Iterable[str]:
    """Return one text or several as several."""
    if not isinstance(items, Iterable):
        raise InvalidInput(f"{items!r:.80} is neither a text nor a sequence of texts")
    return (items,) if isinstance(items, str) else items


class References:
    """What callers name, for the length of one action: each name is looked up once.

    Names are sought in `project`, then among what all projects share; the newest version wins.
    """

    def __init__(self, store: Store, project: str = "", moment: When = None) -> None:
        self.store = store
        self.project = project
        self.as_of = moment_of(moment)
        self._vocabulary = _vocabulary_of(store)
        self._nodes: dict[tuple[str, str, str | None, str], Node] = {}
        self._turned: dict[tuple[str, str, str], bool] = {}

    def kind(self, word: str) -> NodeKind:
        """Return a node kind by its name or singular; own kinds that others have added count."""
        try:
            return self._vocabulary.node_kind(word)
        except InvalidInput:
            self._vocabulary = self.store.vocabulary(reload=True)
            return self._vocabulary.node_kind(word)

    def edge_kind(self, word: str) -> EdgeKind:
        """Return an edge kind by its name; own kinds that others have added count."""
        try:
            return self._vocabulary.edge_kind(word)
        except InvalidInput:
            self._vocabulary = self.store.vocabulary(reload=True)
            return self._vocabulary.edge_kind(word)

    def edge(self, kind: str, one: str, other: str, text: str = documents.EMPTY) -> Edge:
        """Return the edge of that kind between two ids, in the direction it is stored.

        Raises `InvalidInput` where the vocabulary knows no such edge between such things.
        """
        ends = (kind, one.partition("/")[0], other.partition("/")[0])
        turned = self._turned.get(ends)
        if turned is None:
            turned = self._turned[ends] = self._is_turned(kind, kind_of(one), kind_of(other))
        if turned:
            one, other = other, one
        if one == other:
            raise InvalidInput(f"{one} cannot be linked to itself ({kind})")
        return Edge(kind, one, other, text=text)

    def _is_turned(self, kind: str, one: str, other: str) -> bool:
        """Return whether an edge between things of two kinds is stored the other way round."""
        known = self.edge_kind(kind)
        turned = known.source == other != known.target
        source, target = (other, one) if turned else (one, other)
        if known.source not in (None, source) or known.target not in (None, target):
            self._vocabulary.check_edge(kind, source, target)
        return turned

    def id(self, kind: str, ref: Ref, project: Ref | None = None) -> str:
        """Return the id of a thing of that kind; only a bare name or key is looked up."""
        found = self._given_id(kind, ref)
        return found if found is not None else self.node(kind, ref, project=project).id

    def any_id(self, ref: Ref) -> str:
        """Return the id of a thing of any kind, which the reference itself names."""
        if not isinstance(ref, str):
            return _id_of(ref, "thing")
        for mark in "/:":
            word, found, rest = ref.partition(mark)
            kind = self._known(word) if found and rest else None
            if kind is not None:
                return self.id(kind.name, f"{kind.name}/{rest}" if mark == "/" else rest)
        raise InvalidInput(
            f"{ref!r} does not say what kind of thing it is: write an id such as 'run/0192…', "
            "a name such as 'dataset:diabetes', or pass the entity"
        )

    def any_node(self, ref: Ref) -> Node:
        """Return the node of a thing of any kind, or raise `NotFound`."""
        node_id = self.any_id(ref)
        return self.node(kind_of(node_id), node_id)

    def node(self, kind: str, ref: Ref, version: str | int | None = None, project: Ref | None = None) -> Node:
        """Return the node of a thing of that kind, or raise `NotFound` with near names."""
        scope = self._scope(project)
        wanted = None if version is None else str(version)
        given = self._given_id(kind, ref)
        memo = (kind, given or str(ref), wanted, scope)
        if memo not in self._nodes:
            if given is not None:
                self._nodes[memo] = self._by_id(given)
            else:
                self._nodes[memo] = self._by_text(self.kind(kind), str(ref), wanted, scope)
        return self._nodes[memo]

    def project_node(self, ref: Ref) -> Node:
        """Return the node of a project, or raise `NotFound` saying how one is made."""
        node = getattr(ref, "node", None)
        if isinstance(node, Node) and node.kind == "project":
            return node
        try:
            return self.node("project", ref, project="")
        except NotFound as error:
            start = " An" if str(error).endswith("?") else "; an"
            how = f"{start} administrator makes one with admin.register_project(…)"
            raise NotFound(f"{error}{how}") from None

    def owner(self, project: Ref) -> Node | None:
        """Return the node of the project that something is to belong to; None for "": it is to be shared."""
        return None if isinstance(project, str) and not project else self.project_node(project)

    def project_of(self, kind: str, ref: Ref) -> str:
        """Return the name of the project a thing belongs to, "" for a shared one."""
        known = getattr(ref, "project", None)
        return known if isinstance(known, str) else self.node(kind, ref).project

    def is_in(self, project: str, kind: str, ref: Ref) -> bool:
        """Return whether a thing is there and belongs to the project of that name."""
        if not isinstance(ref, str):
            return getattr(ref, "project", None) == project
        try:
            return self.node(kind, ref, project=project).project == project
        except NotFound:
            return False

    def _scope(self, project: Ref | None) -> str:
        """Return the name of the project in which names are sought first."""
        if project is None:
            return self.project
        named = isinstance(project, str) and self._given_id("project", project) is None
        return project if named else self.project_node(project).name  # type: ignore[return-value]

    def _given_id(self, kind: str, ref: Ref) -> str | None:
        """Return the id that a reference states, checked to be of that kind, or None for a name."""
        node = getattr(ref, "node", None)
        if isinstance(node, Node) and node.kind == kind:
            return node.id
        wanted = self.kind(kind)
        if isinstance(ref, str):
            word, slash, key = ref.partition("/")
            is_id = slash and key and (word in _words(wanted) or _owns(word, kind))
            return f"{kind}/{key}" if is_id else None
        given, key = split_id(_id_of(ref, wanted.singular))
        if given == kind or _owns(given, kind):
            return f"{kind}/{key}"
        singular = self.kind(given).singular
        raise InvalidInput(f"{given}/{key} is a {singular}; a {wanted.singular} is wanted here")

    def _known(self, word: str) -> NodeKind | None:
        try:
            return self.kind(word)
        except InvalidInput:
            return None

    def _by_id(self, node_id: str) -> Node:
        (node,) = self.store.get([node_id], self.as_of)
        if node is None:
            was = self.store.revisions(node_id) if self.as_of is None else ()
            closed = was[-1].closed_by if was else None
            hint = f": change {closed.number} deleted it" if closed else ""
            raise NotFound(f"there is no {node_id!r}{self._when()}{hint}")
        return node

    def _by_text(self, kind: NodeKind, text: str, version: str | None, scope: str) -> Node:
        if kind.name in OWNED_BY_RUN:
            run = self.node("run", text, project=scope)
            return self._by_id(f"{kind.name}/{run.key}")
        for name, wanted in self._readings(kind, text, version):
            found = self._named(kind, name, scope, wanted)
            if found is not None:
                return found
        raise NotFound(self._missing(kind, text, version, scope))

    def _readings(self, kind: NodeKind, text: str, version: str | None) -> Iterable[tuple[str, str | None]]:
        """Yield what a text may mean as (name, version), the most literal first."""
        names = [text]
        word, colon, rest = text.partition(":")
        if colon and rest and word in _words(kind):
            names.append(rest)
        for name in names:
            yield name, version
            head, at, tail = name.rpartition("@")
            if version is None and at and head and tail:
                yield head, tail

    def _named(self, kind: NodeKind, name: str, scope: str, version: str | None) -> Node | None:
        if kind.identity == "event":
            return self._event(kind, name, scope)
        nodes = self.store.find(kind.name, name, as_of=self.as_of)
        for project in dict.fromkeys((scope, "")):
            for node in nodes:
                if node.project == project and version in (None, node.version):
                    return node
        return None

    def _event(self, kind: NodeKind, text: str, scope: str) -> Node | None:
        """Return the one event of that key or name; the active one of a deployment's tag."""
        nodes = self.store.called(kind.name, text, self.as_of)
        nodes = tuple(node for node in nodes if node.project == scope) or nodes
        if kind.name == "deployment" and len(nodes) > 1:
            active = [node for node in nodes if node.document.get("status") == "active"]
            nodes = tuple(active) or nodes
        if len(nodes) > 1:
            ids = listed([node.id for node in nodes])
            raise Conflict(f"{len(nodes)} {kind.title}s are called {text!r}: name one by id ({ids})")
        return nodes[0] if nodes else None

    def _missing(self, kind: NodeKind, text: str, version: str | None, scope: str) -> str:
        asked = f"{text}@{version}" if version is not None else text
        where = f" in project {scope!r} or shared" if scope and kind.identity == "name" else ""
        said = f"no {kind.singular} is called {asked!r}{where}{self._when()}"
        for name, wanted in self._readings(kind, text, version):
            nodes = self.store.find(kind.name, name, as_of=self.as_of)
            here = [node for node in nodes if node.project in (scope, "")]
            if here and wanted is not None:
                return f"{said}: {name!r} has {listed([_version(node) for node in here])}"
            projects = sorted({node.project for node in nodes} - {scope, ""})
            if projects:
                pass_it = f"pass project={projects[0]!r}"
                return f"{said}: there is one in {listed([repr(p) for p in projects])}; {pass_it}"
        word, slash, _ = text.partition("/")
        other = self._known(word) if slash else None
        if other is not None:
            return f"{said}; as an id that is a {other.singular}"
        page = self.store.search(kind.name, limit=_NAMES_COMPARED, as_of=self.as_of)
        hint = near(text, {node.name for node in page.items if node.name})
        if kind.name == "run" and not hint:
            return f"{said}; a search finds runs, such as \"tag = '…'\" or \"name like '…%'\""
        return said + hint

    def _when(self) -> str:
        return "" if self.as_of is None else f" as of {self.as_of}"


def _vocabulary_of(store: Store) -> Vocabulary:
    try:
        return store.vocabulary()
    except StoreUnavailable:
        return Vocabulary()  # of what needs no look-up


def _words(kind: NodeKind) -> tuple[str, str]:
    return kind.name, kind.singular


def _owns(given: str, kind: str) -> bool:
    """Whether a thing of the given kind stands for what it owns: a run for its modelparams."""
    return given == "run" and kind in OWNED_BY_RUN


def _id_of(ref: object, wanted: str) -> str:
    found = getattr(ref, "id", None)
    if not isinstance(found, str):
        raise InvalidInput(
            f"{type(ref).__name__} {ref!r:.80} does not name a {wanted}: pass an entity, an id or a name"
        )
    return found


def _version(node: Node) -> str:
    return f"version {node.version!r}"
