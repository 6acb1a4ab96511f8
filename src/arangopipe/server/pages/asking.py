"""One request of a page: who asks, of which store, as of when, and the addresses that keep that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Depends, Request

from arangopipe.errors import InvalidInput
from arangopipe.model import times
from arangopipe.model.vocabulary import RESERVED_KINDS
from arangopipe.pipe import ArangoPipe
from arangopipe.references import When, moment_of
from arangopipe.server.access import AskedStore, Asker, Principal
from arangopipe.server.asking import when
from arangopipe.store.base import AsOf, Store

PRIVATE = frozenset(RESERVED_KINDS) - {"kinds"}
"""Kinds that are not shown as other things are."""

_SAFE = "-._~:@!$'()*,;"


@dataclass(frozen=True)
class Ask:
    """A request of a page. `store` shows what the asker may see; `as_of` goes into every read."""

    request: Request
    store: Store
    principal: Principal
    as_of: When

    @cached_property
    def pipe(self) -> ArangoPipe:
        """The API over the store as the asker may see it."""
        return ArangoPipe(self.store, actor=self.principal.user or None, capture=False)

    @cached_property
    def moment(self) -> AsOf:
        """The moment as stores take it."""
        return moment_of(self.as_of)

    @cached_property
    def now(self) -> datetime:
        """The time that the moment stands for."""
        if isinstance(self.moment, int):
            head = self.store.head(self.moment)
            return head.time if head is not None else times.now()
        return self.moment or times.now()

    def kind(self, word: str) -> str:
        """Return the kind that a word names, or raise `InvalidInput`; users and tokens are none."""
        known = self.pipe.references(self.as_of).kind(word)
        if known.name in PRIVATE:
            raise InvalidInput(f"{known.title.lower()}s are looked after on the page Admin")
        return known.name

    @property
    def csrf(self) -> str:
        """What a form of this session must send to prove where it comes from; "" where nobody logs in."""
        found: str = self.request.scope["state"].get("csrf", "")
        return found

    @property
    def here(self) -> str:
        """The address of this page, with what was asked."""
        url = self.request.url
        return f"{url.path}?{url.query}" if url.query else url.path

    def to(self, path: str, /, **query: Any) -> str:
        """Return the address of another page as of the same moment; empty values are left out."""
        if not query and self.as_of is None:
            return path
        return address(path, {**query, "as_of": query.get("as_of", self.as_of)})

    def again(self, **query: Any) -> str:
        """Return the address of this page with other values for some of what was asked."""
        asked = {name: self.request.query_params.getlist(name) for name in self.request.query_params}
        return address(self.request.url.path, {**asked, **query})


def address(path: str, query: Mapping[str, Any]) -> str:
    """Return a path with a query; empty values are left out, lists are repeated."""
    pairs = [
        (name, each)
        for name, value in query.items()
        for each in (value if isinstance(value, (list, tuple)) else [value])
        if each not in (None, "")
    ]
    return f"{path}?{urlencode(pairs)}" if pairs else path


@lru_cache(maxsize=4096)
def entity_path(node_id: str) -> str:
    """Return the path of the page about a thing."""
    kind, _, key = node_id.partition("/")
    return f"/entity/{quote(kind)}/{quote(key, safe=_SAFE)}"


def _moment(text: str | None) -> When:
    """Read a moment from an address: a change number or a time."""
    found = when(text or None)
    return times.to_text(found) if isinstance(found, datetime) else found


def _ask(request: Request, store: AskedStore, asker: Asker, as_of: str | None = None) -> Ask:
    return Ask(request, store, asker, _moment(as_of))


Asked = Annotated[Ask, Depends(_ask)]


def _ask_now(request: Request, store: AskedStore, asker: Asker) -> Ask:
    return Ask(request, store, asker, None)


AskedNow = Annotated[Ask, Depends(_ask_now)]
"""For what is always of the present, such as who may log in."""
