"""References as people type them: also bare names, and the ends of keys that tables show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from arangopipe.errors import Conflict, InvalidInput, NotFound
from arangopipe.model.expressions import Like, Path
from arangopipe.model.graph import Node
from arangopipe.model.vocabulary import NODE_KINDS, near
from arangopipe.references import When, listed, moment_of

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe

_KEY_END = re.compile(r"[0-9a-z_-]{6,36}")
_MANY = 6
_COMPARED = 500


def find(pipe: ArangoPipe, text: str, as_of: When = None) -> Node:
    """Return the node that a text means, or raise `NotFound`.

    What the API takes comes first: an id, or a name with its kind. Then the things of that name of any
    kind and in any project, and those whose key ends so; several raise `Conflict`.
    """
    try:
        return pipe.references(as_of).any_node(text)
    except InvalidInput:
        kind, name, failure = "", text, None
    except NotFound as error:
        word, _, name = re.split("([/:])", text, maxsplit=1)
        kind, failure = pipe.references(as_of).kind(word).name, error
    found = {node.id: node for node in _candidates(pipe, kind, name, as_of)}
    if not found:
        raise failure or NotFound(_unknown(pipe, text))
    if len(found) > 1:
        raise Conflict(
            f"{text!r} may mean {'any of ' if len(found) >= _MANY else ''}{listed(list(found))}: "
            "name one of them by its id"
        )
    return next(iter(found.values()))


def find_run(pipe: ArangoPipe, text: str, as_of: When = None) -> Node:
    """Return the run that a text means, or raise `NotFound`."""
    node = find(pipe, text, as_of)
    if node.kind != "run":
        raise InvalidInput(f"{text!r} is a {NODE_KINDS[node.kind].singular}, a run is wanted here")
    return node


def _candidates(pipe: ArangoPipe, kind: str, text: str, as_of: When) -> Iterator[Node]:
    """Yield what has that name, the newest of each project, and what has a key with that end."""
    moment = moment_of(as_of)
    name, at, version = text.rpartition("@")
    for each in [kind] if kind else _kinds(pipe):
        newest: dict[str, Node] = {}
        found = pipe.store.find(each, text, as_of=moment)
        if at and not found:
            named = pipe.store.find(each, name, as_of=moment)
            found = tuple(node for node in named if node.version == version)
        for node in found:
            distinct = node.key if each in ("run", "servingperf") else node.project
            newest.setdefault(distinct, node)
        yield from newest.values()
        if _KEY_END.fullmatch(text) and each in ("run", "deployment", "servingperf"):
            ends = Like(Path(("key",)), f"%{text.replace('_', chr(92) + '_')}", fold=False)
            yield from pipe.store.search(each, ends, limit=_MANY, as_of=moment).items


def _kinds(pipe: ArangoPipe) -> list[str]:
    known = pipe.store.vocabulary(reload=True).nodes.values()
    return [kind.name for kind in known if kind.identity != "run" and kind.name != "kinds"]


def _unknown(pipe: ArangoPipe, text: str) -> str:
    kinds = [kind.singular for kind in NODE_KINDS.values()]
    word, mark, _ = re.split("([/:]|$)", text, maxsplit=1)
    if mark:
        return f"nothing is called {text!r}, and no kind {word!r}{near(word, kinds)}"
    names = {node.name for each in _kinds(pipe) for node in pipe.store.search(each, limit=_COMPARED).items}
    return (
        f"nothing is called {text!r}{near(text, names)}\n"
        "A reference is an id (run/0192…), a name with its kind (dataset:diabetes, model:ridge@2), or the "
        "end of a run's key. 'arangopipe search KIND' lists what there is."
    )
