"""The store contract over HTTP, one route a method: what `store.remote` speaks.

Each is a POST whose body is a JSON object of the method's arguments, as `store.base` names them; an
expression, an order and a path are texts of the search language, and `as_of` is the number of a change or a
time. Nodes and edges come as the list of their fields, the document as its text. What may be long comes
in lines (`bodies.streamed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from arangopipe import __version__
from arangopipe.errors import InvalidInput, Unsupported
from arangopipe.model import times
from arangopipe.model.filters import parse, parse_order
from arangopipe.model.graph import Change, Edge, EdgeRef, Node, Points
from arangopipe.model.wire import batch_from, change_dict, points_from
from arangopipe.server.access import AskedStore, asking
from arangopipe.server.bodies import LINES, encode, json_of, streamed
from arangopipe.server.problems import may
from arangopipe.server.straight import straight
from arangopipe.server.threads import Threads
from arangopipe.store.abilities import Adoption, Maintenance, NativeQuery, Replica
from arangopipe.store.base import MAX_NODES, MAX_PAGE, Store

API = 1
ABILITIES: dict[str, type] = {"maintenance": Maintenance, "replica": Replica, "query": NativeQuery}

router = APIRouter(tags=["store"])


@router.get("/store")
async def store(store: AskedStore) -> dict[str, Any]:
    """Say which version of the API this is, and what the store is able to do for whoever asks."""
    able = [
        name for name, ability in ABILITIES.items() if isinstance(store, ability) and not store.restricted
    ]
    exports = sorted(store.exports)
    return {
        "arangopipe": __version__,
        "api": API,
        "abilities": able,
        "restricted": store.restricted,
        "exports": exports,
    }


# --- arguments -----------------------------------------------------------------------------------


class Kind(NamedTuple):
    """What an argument is: its JSON schema, and how it is read from JSON."""

    schema: dict[str, Any]
    read: Callable[[Any], Any]


def _of(types: type | tuple[type, ...], words: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, types):
            raise InvalidInput(f"must be {words}, not {value!r:.80}")
        return value

    return read


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidInput(f"must be a list of texts, not {value!r:.80}")
    return value


def _moment(value: Any) -> Any:
    return times.parse(value, "as_of") if isinstance(value, str) else value


TEXT = Kind({"type": "string"}, _of(str, "a text"))
TEXTS = Kind({"type": "array", "items": {"type": "string"}}, _texts)
NUMBER = Kind({"type": "integer"}, _of(int, "a whole number"))
SWITCH = Kind({"type": "boolean"}, _of(bool, "true or false"))
OBJECTS = Kind({"type": "array", "items": {"type": "object"}}, _of(list, "a list"))
OBJECT = {"type": "object"}
MOMENT = Kind({"oneOf": [{"type": "integer"}, {"type": "string", "format": "date-time"}]}, _moment)
WHERE = Kind({"type": "string", "description": "A search such as `metrics.rmse < 55`."}, parse)
ORDER = Kind(TEXTS.schema, lambda value: parse_order(_texts(value)))


def _arguments(body: bytes, kinds: dict[str, Kind], needed: frozenset[str]) -> dict[str, Any]:
    given = json_of(body or b"{}")
    if not isinstance(given, dict):
        raise InvalidInput(f"the body must be a JSON object, not {given!r:.80}")
    arguments: dict[str, Any] = {}
    for name, value in given.items():
        if name not in kinds:
            raise InvalidInput(f"there is no argument {name!r:.80} here; known: {', '.join(kinds)}")
        if value is None and name not in needed:
            continue
        try:
            arguments[name] = kinds[name].read(value)
        except InvalidInput as error:
            if type(error) is not InvalidInput:
                raise
            raise InvalidInput(f"{name}: {error}") from error
    if missing := needed - arguments.keys():
        raise InvalidInput(f"{', '.join(sorted(missing))} must be given")
    return arguments


Answer = Callable[..., Any]


def asked(route: str, example: dict[str, Any], /, **kinds: Kind) -> Callable[[Answer], Answer]:
    """Make a function of a store and arguments a route.

    What it returns is the JSON of the answer, or an iterator of what comes in lines. Arguments whose
    parameter has no default must be given.
    """

    def make(function: Answer) -> Answer:
        code, defaults = function.__code__, function.__defaults__ or ()
        needed = frozenset(code.co_varnames[1 : code.co_argcount - len(defaults)])

        def work(store: Store, body: bytes) -> Response:
            found = function(store, **_arguments(body, kinds, needed))
            if isinstance(found, Iterator):
                return streamed(found)
            return Response(encode(found), media_type="application/json")

        @straight
        async def endpoint(request: Request) -> Response:
            _, store = asking(request)
            threads: Threads = request.app.state.threads
            return await threads.run(work, store, await request.body())

        endpoint.__doc__ = function.__doc__
        schema = {
            "type": "object",
            "properties": {name: kind.schema for name, kind in kinds.items()},
            "required": sorted(needed),
            "additionalProperties": False,
        }
        content = {"application/json": {"schema": schema, "example": example}}
        in_lines = (function.__doc__ or "").startswith("Stream")
        answer = (
            {LINES: {"schema": {"type": "string"}}} if in_lines else {"application/json": {"schema": OBJECT}}
        )
        router.add_api_route(
            f"/store/{route}",
            endpoint,
            methods=["POST"],
            name=f"store_{route.replace('-', '_')}",
            response_class=Response,
            responses={**may(404, 409, 501), 200: {"content": answer}},
            openapi_extra={"requestBody": {"content": content, "required": bool(needed)}},
        )
        return function

    return make


# --- reading -------------------------------------------------------------------------------------

_ID = "run/0192f0c4-7a5c-7cc0-8000-6d4c3b2a1f0e"


@asked("head", {"as_of": 12}, as_of=MOMENT)
def head(store: Store, as_of: Any = None) -> Any:
    """Return the last change, not later than `as_of`."""
    return {"change": _change(store.head(as_of))}


@asked("get", {"ids": [_ID]}, ids=TEXTS, as_of=MOMENT)
def get(store: Store, ids: list[str], as_of: Any = None) -> Any:
    """Return the nodes of ids, null where there is none."""
    return {"nodes": store.get(ids, as_of)}


@asked("owned", {"runs": [_ID[4:]]}, runs=TEXTS, as_of=MOMENT)
def owned(store: Store, runs: list[str], as_of: Any = None) -> Any:
    """Return the modelparams and devperf of runs, as texts."""
    return {"owned": [(run, *texts) for run, texts in store.owned(runs, as_of).items()]}


@asked("last-written", {"runs": [_ID[4:]]}, runs=TEXTS, as_of=MOMENT)
def last_written(store: Store, runs: list[str], as_of: Any = None) -> Any:
    """Return when runs last wrote anything, by key; nothing of what is not there."""
    found = store.last_written(runs, as_of)
    return {"written": {run: times.to_text(time) for run, time in found.items()}}


@asked("find", {"kind": "datasets", "name": "diabetes"}, kind=TEXT, name=TEXT, project=TEXT, as_of=MOMENT)
def find(store: Store, kind: str, name: str, project: str | None = None, as_of: Any = None) -> Any:
    """Return the nodes of a name, the newest first."""
    return {"nodes": store.find(kind, name, project, as_of)}


@asked(
    "search",
    {"kind": "run", "where": "metrics.rmse < 55", "order": ["metrics.rmse"], "limit": 20},
    kind=TEXT,
    where=WHERE,
    order=ORDER,
    limit=NUMBER,
    cursor=TEXT,
    as_of=MOMENT,
)
def search(
    store: Store,
    kind: str,
    where: Any = None,
    order: Any = (),
    limit: int = 100,
    cursor: str | None = None,
    as_of: Any = None,
) -> Any:
    """Return a page of the nodes that match, and the cursor to the next one."""
    page = store.search(kind, where, order, limit, cursor, as_of)
    return {"nodes": page.items, "cursor": page.cursor}


@asked(
    "columns",
    {"kind": "run", "paths": ["params.alpha", "metrics.rmse"], "links": ["run_models"]},
    kind=TEXT,
    paths=TEXTS,
    where=WHERE,
    as_of=MOMENT,
    links=TEXTS,
    documents=SWITCH,
)
def columns(
    store: Store,
    kind: str,
    paths: list[str],
    where: Any = None,
    as_of: Any = None,
    links: Any = (),
    documents: bool = False,
) -> Any:
    """Stream columns of what matches, some thousand rows an item."""
    return iter(store.columns(kind, paths, where, as_of, links, documents))


@asked("count", {"kind": "run", "by": "status"}, kind=TEXT, where=WHERE, by=TEXT, as_of=MOMENT)
def count(store: Store, kind: str, where: Any = None, by: str | None = None, as_of: Any = None) -> Any:
    """Return pairs of a value at the path `by` and how many nodes have it."""
    return {"counts": list(store.count(kind, where, by, as_of).items())}


@asked("edges", {"ids": [_ID]}, ids=TEXTS, kinds=TEXTS, limit=NUMBER, as_of=MOMENT)
def edges(store: Store, ids: list[str], kinds: Any = (), limit: int = MAX_PAGE, as_of: Any = None) -> Any:
    """Stream the edges that touch any of these nodes."""
    return iter(store.edges(ids, kinds, limit, as_of))


@asked(
    "traverse",
    {"start": [_ID], "direction": "upstream"},
    start=TEXTS,
    direction=Kind({"enum": ["upstream", "downstream"]}, TEXT.read),
    depth=NUMBER,
    limit=NUMBER,
    as_of=MOMENT,
)
def traverse(
    store: Store,
    start: list[str],
    direction: Any,
    depth: int | None = None,
    limit: int = MAX_NODES,
    as_of: Any = None,
) -> Any:
    """Stream a walk: what it is, its nodes with their depths, and its edges."""
    graph = store.traverse(start, direction, depth, limit, as_of)
    about = {"start": graph.start, "depends": dict(graph.depends), "truncated": graph.truncated}

    def items() -> Iterator[Any]:
        yield about
        for node in graph:
            yield {"node": node, "depth": graph.depths[node.id]}
        for edge in graph.edges:
            yield {"edge": edge}

    return items()


@asked("points", {"run": _ID, "name": "loss"}, run=TEXT, name=TEXT, as_of=MOMENT)
def points(store: Store, run: str, name: str | None = None, as_of: Any = None) -> Any:
    """Return the points of a run by metric, each [step, time in microseconds, value]."""
    return {"points": store.points(run, name, as_of)}


@asked("revisions", {"node": _ID}, node=TEXT)
def revisions(store: Store, node: str) -> Any:
    """Stream every state a node had: it, the change that wrote it and the one that ended it."""
    return ((found.node, *map(_change, found[1:])) for found in store.revisions(node))


@asked("changes", {"after": 0, "entries": True}, after=NUMBER, limit=NUMBER, entries=SWITCH)
def changes(store: Store, after: int = 0, limit: int | None = None, entries: bool = False) -> Any:
    """Stream the changes after a number, with their rows if `entries`."""
    return map(change_dict, store.changes(after, limit, entries))


# --- abilities -----------------------------------------------------------------------------------


def _maintained(store: Store) -> Maintenance:
    if not isinstance(store, Maintenance):
        raise Unsupported("this store has no maintenance, or not for whoever asks: an administrator may")
    return store


def replica_of(store: Store) -> Replica:
    """Return a store that can take over changes; raise `Unsupported` for any other."""
    if not isinstance(store, Replica):
        raise Unsupported("this store takes no changes over, or not from whoever asks: an administrator may")
    return store


@asked("check", {})
def check(store: Store) -> Any:
    """Stream, in words, each thing in which the store's own structures disagree."""
    return iter(_maintained(store).check())


@asked(
    "erase",
    {"ids": [_ID], "actor": "ann", "reason": "asked by the patient"},
    ids=TEXTS,
    actor=TEXT,
    reason=TEXT,
    unchanged=TEXTS,
    since=NUMBER,
)
def erase(store: Store, ids: list[str], actor: str, reason: str, unchanged: Any = (), since: int = 0) -> Any:
    """Remove name, document and salt of every revision of these nodes for good."""
    return _change(_maintained(store).erase(ids, actor, reason, unchanged, since))


@asked("adopt", {"adoptions": []}, adoptions=OBJECTS)
def adopt(store: Store, adoptions: list[Any]) -> Any:
    """Record batches that another store recorded first, all or nothing."""
    replica_of(store).adopt([_adoption(value) for value in adoptions])
    return {}


@asked("numbers", {"batches": ["0192f0c4-7a5c-7cc0-8000-6d4c3b2a1f0e"]}, batches=TEXTS)
def numbers(store: Store, batches: list[str]) -> Any:
    """Return the numbers of the changes that these batches made."""
    return {"numbers": replica_of(store).numbers(batches)}


@asked(
    "edge-revisions",
    {"kind": "run_models", "source": "models/7m3q5w2k4n6p", "target": _ID},
    kind=TEXT,
    source=TEXT,
    target=TEXT,
)
def edge_revisions(store: Store, kind: str, source: str, target: str) -> Any:
    """Stream every state an edge had, with its changes."""
    found = replica_of(store).edge_revisions(EdgeRef(kind, source, target))
    return ((each.edge, *map(_change, each[1:])) for each in found)


@asked("ever-linked", {"node": _ID}, node=TEXT)
def ever_linked(store: Store, node: str) -> Any:
    """Stream every edge that a node ever had."""
    return iter(replica_of(store).ever_linked(node))


def _change(change: Change | None) -> dict[str, Any] | None:
    return None if change is None else change_dict(change)


def _adoption(value: Any) -> Adoption:
    try:
        return Adoption(batch_from(value["batch"]), [_past(each) for each in value["past"]])
    except (LookupError, TypeError, ValueError) as error:
        raise InvalidInput(f"this is no adoption ({error}): {value!r:.80}") from error


def _past(value: dict[str, Any]) -> Node | Edge | Points:
    if "points" in value:
        return points_from(value["points"])
    return Node(*value["node"]) if "node" in value else Edge(*value["edge"])
