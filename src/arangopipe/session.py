"""An open store and who works on it: what a user's side and an administrator's side share."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from arangopipe import outbox
from arangopipe.errors import Conflict, InvalidInput, StoreUnavailable
from arangopipe.model.documents import SHORT, Written
from arangopipe.model.entities import Entity, entity_of
from arangopipe.model.graph import Batch, Change, Edge, EdgeRef, Node, Points, Put
from arangopipe.model.ids import check_name, uuid7
from arangopipe.references import Ref, References, When, moment_of
from arangopipe.store import open_store
from arangopipe.store.base import RETRIES, Store
from arangopipe.store.settings import default_url, disabled, offline, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Self

T = TypeVar("T")
R = TypeVar("R")


class Session:
    """A store that was opened, or given open, on behalf of an actor and, by default, a project."""

    def __init__(
        self,
        store: Store | str | os.PathLike[str] | None = None,
        *,
        token: str | None = None,
        project: Ref | None = None,
        actor: str | None = None,
    ) -> None:
        name = project if isinstance(project, str) else getattr(project, "name", "")
        self.project = check_name(name, "the project's name") if project is not None else ""
        self.actor = _os_user() if actor is None else check_name(actor, "actor")
        self._owns_store = not isinstance(store, Store)
        self.store = _opened(store, token)
        self.outbox = outbox.outbox_of(self.store)
        if self._owns_store:
            self.outbox.catch_up()

    def close(self) -> None:
        """Close the store, if this session opened it; closing twice is harmless."""
        self._close_after(None)

    def _close_after(self, error: BaseException | None) -> None:
        if self._owns_store:
            self.store.close()
            self.outbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close_after(error)

    def __repr__(self) -> str:
        project = f" project={self.project!r}" if self.project else ""
        return f"<{type(self).__name__} {self.store.url}{project}>"

    def get(self, ref: Ref, *, as_of: When = None) -> Entity:
        """Return what an id, a name with its kind (``dataset:diabetes``) or an entity names.

        Of an entity that is its state now, or `as_of` a change number or time.
        """
        return self.entity(self.references(as_of).any_node(ref), as_of)

    def lookup(
        self,
        kind: str,
        ref: Ref,
        *,
        version: str | int | None = None,
        project: Ref | None = None,
        as_of: When = None,
    ) -> Entity:
        """Return the thing of a kind, own ones too, that a reference names, or raise `NotFound`.

        A name is sought in `project` (by default the session's) and then among what all projects
        share; without `version` the newest one wins.
        """
        references = self.references(as_of)
        node = references.node(references.kind(kind).name, ref, version, project)
        return self.entity(node, as_of)

    def references(self, moment: When = None) -> References:
        """Return what turns references into ids and nodes, for one action."""
        return References(self.store, self.project, moment)

    def entity(self, node: Node, moment: When = None) -> Entity:
        """Return the entity of a node; of a run with its parameters and metrics."""
        return self.entities([node], moment)[0]

    def entities(self, nodes: Sequence[Node], moment: When = None) -> tuple[Entity, ...]:
        """Return the entities of nodes, with one read for all runs among them."""
        keys = [node.key for node in nodes if node.kind == "run"]
        if not keys:
            return tuple([entity_of(node) for node in nodes])
        owned = self.store.owned(keys, moment_of(moment))
        return tuple([entity_of(node, *owned.get(node.key, ())) for node in nodes])

    def batch(
        self,
        action: str,
        *,
        puts: Iterable[Put] = (),
        edges: Iterable[Edge] = (),
        closes: Iterable[str | EdgeRef] = (),
        points: Iterable[Points] = (),
        reason: str = "",
        unchanged: Iterable[str] = (),
        since: int = 0,
        read: Iterable[Written] = (),
    ) -> Batch:
        """Return one user action as a batch by this session's actor.

        `read` holds documents of `puts` that were made just now.
        """
        return Batch(
            uuid7(),
            tuple(puts),
            tuple(edges),
            tuple(closes),
            tuple(points),
            self.actor,
            action,
            reason,
            tuple(unchanged),
            since,
            read={text: document for text, document in read if len(text) <= SHORT},
        )

    def put(self, action: str, put: Put, edges: Iterable[Edge] = (), reason: str = "") -> Node:
        """Write one node with its edges in one batch and return it as recorded."""
        return self.send(self.batch(action, puts=[put], edges=edges, reason=reason))[0]

    def send(self, batch: Batch) -> tuple[Node, ...]:
        """Write a batch and return the nodes it puts, as recorded."""
        return self._nodes(batch, self.store.write(batch))

    def record(self, batch: Batch) -> tuple[Node, ...]:
        """Write a batch or, while the store is away, spool it; return the nodes it puts."""
        return self._nodes(batch, self.deliver(batch))

    def deliver(self, batch: Batch) -> Change | None:
        """Write a batch or, while the store is away, spool it with a warning and return None."""
        why = self.outbox.obstacle(batch)
        if not why:
            try:
                return self.store.write(batch, outbox.PATIENCE)
            except StoreUnavailable as error:
                if not self.outbox.spools:
                    raise
                why = str(error)
        self.outbox.keep(batch, why)
        return None

    def _nodes(self, batch: Batch, change: Change | None) -> tuple[Node, ...]:
        if change is None:
            return tuple(put.node for put in batch.puts)
        if change.batch == batch.id:
            return tuple([put.node.at(change.number) for put in batch.puts])
        found = self.store.get([put.node.id for put in batch.puts])
        return tuple(node for node in found if node is not None)

    def send_fresh(self, build: Callable[[], Batch]) -> tuple[Node, ...]:
        """Build a batch on what is read, and write it; built again where others wrote meanwhile."""
        return self.retried(build, self.send)

    @staticmethod
    def retried(read: Callable[[], T], write: Callable[[T], R]) -> R:
        """Write what was read to be written; both again where others wrote meanwhile."""
        for _ in range(RETRIES):
            found = read()
            try:
                return write(found)
            except Conflict as error:
                last = error
        raise Conflict(f"others wrote {RETRIES} times in the midst of this: {last}")


def _opened(store: Store | str | os.PathLike[str] | None, token: str | None) -> Store:
    if isinstance(store, os.PathLike):
        store = url_of(store)
    if isinstance(store, Store):
        url = store.url
    else:
        url = store if store is not None and not disabled() else default_url()
    if token is not None and not url.startswith(("http://", "https://")) and not disabled():
        raise InvalidInput(f"token= is for a server (https://…), {url!r} takes none: leave it out")
    if isinstance(store, Store):
        return store
    if offline() and not url.startswith("memory:"):
        from arangopipe.store.offline import OfflineStore

        return OfflineStore(url)
    return open_store(url, None if disabled() else token)


@lru_cache(maxsize=1)
def _os_user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # the user id of a container often has no name
        return "unknown"
