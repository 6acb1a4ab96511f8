"""Whoever sees one project asks every route for another: nothing of that one is in any answer."""

from __future__ import annotations

import gzip
import html
import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from arangopipe.server import create_app
from arangopipe.store.memory import MemoryStore
from served import SECONDS, running
from surface import BEST, OKAPI, RUN, ZEBRA, Documents, call_of, fill, parameters, request, routes

pytestmark = pytest.mark.xdist_group("isolation")

KINDS = ("project", "datasets", "featuresets", "models", "run", "modelparams", "devperf", "deployment")
KINDS += ("servingperf", "patient", "kinds", "users", "tokens", "user", "dataset")
KEYS = ("d-1", "d-2", "f-1", "m-1", RUN, BEST, "running", "curve", "p-1", "p-2", "s-1", "t-1", "project")
NAMES = (
    "zebra-diabetes",
    "zebra-base+s5",
    "zebra-ridge",
    "zebra-prod",
    "zebra-run-1",
    "zebra-patient",
    "zebras",
)
IDS = (
    *(f"datasets/z-{key}" for key in ("d-1", "d-2")),
    *(f"{kind}/z-{RUN}" for kind in ("run", "modelparams", "devperf")),
    *("featuresets/z-f-1", "models/z-m-1", "run/z-curve", "deployment/z-p-1", "servingperf/z-s-1"),
    *("patient/z-t-1", "project/z-project", "datasets/shared", f"run/{RUN}", "datasets/d-1"),
)
REFS = (
    *IDS,
    *("dataset:zebra-diabetes", "dataset:zebra-diabetes@zebra-2", "model:zebra-ridge", "run:zebra-run-1"),
    *("project:zebras", "deployment:zebra-prod", "patient:zebra-patient"),
)
CONDITIONS = (
    "name like '%zebra%'",
    "note = 'zebra-note' or tags.zebra_tag = 'zebra-value'",
    "params.zebra_param is not null or metrics.zebra_metric > 0",
    "model.technique = 'zebra-technique' or dataset.name like 'zebra%'",
    "project.name = 'zebras' or project = 'zebras'",
    "environment.host = 'zebra-host'",
    "not (name = 'x')",
)
PATHS = ("params.zebra_param", "metrics.zebra_metric", "tags.zebra_tag", "note", "project", "tag", "name")
PATHS += ("model.technique", "model.name", "dataset.name", "environment.host")

ASKED: Mapping[str, tuple[Any, ...]] = {
    "ref": (*REFS, *(f"z-{key}" for key in KEYS), *NAMES),
    "key": (*(f"z-{key}" for key in KEYS), *NAMES),
    "run": (f"z-{RUN}", "z-curve", "run/z-curve", f"run/z-{RUN}", "zebra-run-1", "run:zebra-run-1"),
    "deployment": ("z-p-1", "zebra-prod"),
    "tag": ("zebra-prod",),
    "kind": KINDS,
    "project": ("zebras", "z-project", "project/z-project"),
    **dict.fromkeys(("where", "q"), CONDITIONS),
    **dict.fromkeys(("order_by", "order"), tuple(f"{path} desc" for path in PATHS)),
    **dict.fromkeys(("by", "columns", "attribute"), (*PATHS, "zebra_column")),
    "metric": ("zebra_metric", "zebra_loss"),
    "name": ("zebra-zoe", "zebra_loss", "root"),
    "user": ("zebra-zoe", "root"),
    "task": ("zebra-task",),
    "technique": ("zebra-technique",),
    "transformation": ("zebra-log",),
    "param": ("zebra_param", "zebra_param=zebra-value", "alpha"),
    "versus": ("zebra-technique",),
    "dataset": ("datasets/z-d-1", "zebra-diabetes", "datasets/shared"),
    "version": ("zebra-2",),
    "as_of": ("4", "9", "15", "1000"),
    "since": ("1",),
    "until": ("30", "2100-01-01"),
    "actor": ("zebra-actor", "root"),
    "action": ("register deployment", "log run"),
    "text": ("zebra", "z-d-1", "zebra-diabetes", "datasets/z-d-1", "dataset:zebra-diabetes", CONDITIONS[0]),
    **dict.fromkeys(("a", "b"), (f"z-{RUN}", f"run/z-{RUN}", "1", "20")),
    "with": (f"z-{RUN}", "z-curve"),
    "limit": ("500",),
    "form": ("json",),
    "of": (["datasets/z-d-1", "models/z-m-1"], ["datasets/z-d-1", "datasets/d-1"]),
    "thing": IDS,
    "number": tuple(map(str, range(15, 40))),
    # Of the store's own routes.
    "ids": ([*IDS],),
    "runs": ([f"z-{RUN}", "z-curve"],),
    "paths": ([*PATHS],),
    "links": (["run_models", "run_datasets"],),
    "start": ([f"run/{RUN}"], ["datasets/shared"], ["datasets/z-d-1"], [f"run/z-{RUN}"]),
    "direction": ("upstream", "downstream"),
    "node": IDS,
    "entries": (True,),
    "kinds": (["related", "run_datasets", "user_project"],),
}

READS = sorted(
    route
    for route in routes(create_app(MemoryStore()))
    if route.startswith("GET ") or ("/store/" in route and call_of(route).stranger != 403)
)


SILENT = {
    *("GET /health", "GET /ready", "GET /openapi", "GET /search/add", "GET /api"),
    *(f"GET /api/v1/{path}" for path in ("audit/verify", "export", "kinds", "me", "server", "store")),
    *("POST /api/v1/store/head", "POST /api/v1/store/last-written"),
    *("GET /login", "GET /admin", "GET /admin/kinds", "GET /admin/store", "GET /admin/store/state"),
    *("GET /audit/verification", "GET /lineage/{kind}/{key}/members"),
    *("GET /query", "GET /query/rows", "GET /query/plan", "GET /query/download/{form}"),
}
"""Routes that tell nothing of what is recorded in a project, or tell it packed, or need a store with SQL."""


class Asking:
    """Who sees the project diabetes asks a server that has another, with cursors that others were given."""

    def __init__(
        self, client: httpx.Client, tokens: Mapping[str, str], documents: Documents, app: Any
    ) -> None:
        self.client = client
        self.tokens = tokens
        self.documents = documents
        self.routes = routes(app)
        self.sent: set[str] = set()

    def variants(self, route: str, only: Collection[str] = ()) -> Iterator[dict[str, Any]]:
        """Yield the request of a route, and it with each parameter of it asking for the other project.

        `only`: with no other parameters than these.
        """
        call = call_of(route)
        plain = request(route, call, self.documents)
        yield plain
        found = parameters(self.routes[route])
        if only:
            found = {place: [name for name in names if name in only] for place, names in found.items()}
        for name in found["path"]:
            for value in ASKED.get(name, ()):
                yield request(route, call, self.documents, {name: value})
        for name in found["query"]:
            for value in (*ASKED.get(name, ()), *(self._cursors(plain) if name == "cursor" else ())):
                yield {**plain, "params": {**plain["params"], name: value}}
        if {"kind"} <= {*found["path"], *found["query"]}:
            yield from self._of_kinds(route, plain, found)
        if "json" in plain:
            operation = self.documents.operation(route) or {}
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            if route.endswith("/store/find"):
                for project in (None, "z-project"):
                    yield {
                        **plain,
                        "json": {"kind": "datasets", "name": "zebra-diabetes", "project": project},
                    }
            for name in (name for name in schema["properties"] if not only or name in only):
                for value in ASKED.get(name, ()):
                    yield {**plain, "json": {**plain["json"], name: value}}

    def _of_kinds(self, route: str, plain: dict[str, Any], found: Any) -> Iterator[dict[str, Any]]:
        """Yield what asks for each kind under a condition, or for a key of it."""
        for kind in KINDS:
            own = {name: kind for name in found["path"] if name == "kind"}
            keys = [name for name in found["path"] if name in ("key", "ref")]
            for name, key in ((name, f"z-{key}") for name in keys for key in KEYS):
                yield request(route, call_of(route), self.documents, {**own, name: key})
            for name in {"where", "q"} & {*found["query"]}:
                for condition in CONDITIONS[:3]:
                    asked = request(route, call_of(route), self.documents, own)
                    more = {name: condition} | ({} if own else {"kind": kind})
                    yield {**asked, "params": {**asked["params"], **more}}

    def _cursors(self, plain: dict[str, Any]) -> list[str]:
        """Return where the pages of an administrator end."""
        first = {**plain, "params": {**plain["params"], "limit": 1}}
        answer = self.client.request(**first, headers={"Authorization": f"Bearer {self.tokens['root']}"})
        found = re.findall(r'"cursor":\s*("[^"]*"|\d+)', answer.text)
        return [str(json.loads(text)) for text in found]

    def told(self, asked: dict[str, Any], token: str) -> str:
        """Return all that an answer says, but for what was sent and comes back as it is."""
        headers = {"Authorization": f"Bearer {self.tokens[token]}"}
        answer = self.client.request(**asked, headers=headers)
        assert answer.status_code < 500 or answer.status_code == 501, answer.text
        said = plainly(answer.text + "\n".join(map(": ".join, answer.headers.items())))
        for text in sorted(map(plainly, sent(asked)), key=len, reverse=True):
            said = re.sub(rf"(?<![\w-]){re.escape(text)}(?![\w-])", "", said)
        return said


def plainly(text: str) -> str:
    """Return a text as it was before it came into an address or a page, in small letters."""
    return unquote(html.unescape(text)).replace("+", " ").lower()


def sent(asked: Mapping[str, Any]) -> set[str]:
    """Return the texts in a request, and the words that they are made of."""
    texts = unquote(asked["url"]).removesuffix(".json").split("/")
    for value in (*asked["params"].values(), *(asked.get("json") or {}).values()):
        texts += map(str, value) if isinstance(value, list) else [str(value)]
    words = [word for text in texts for word in re.split(r"[\s='%:@/.]+", text)]
    return {text for text in (*texts, *words) if ZEBRA in text}


@contextmanager
def asking(store: Any) -> Iterator[Asking]:
    tokens = fill(store)
    app = create_app(store, authentication=True)
    with running(app) as url, httpx.Client(base_url=url, timeout=SECONDS) as client:
        yield Asking(client, tokens, Documents(app.openapi()), app)


@pytest.fixture(scope="module")
def viewer() -> Iterator[Asking]:
    with asking(MemoryStore()) as found:
        yield found


@pytest.mark.parametrize("user", ["maintainer", "admin"])
def test_a_bundle_tells_nothing_of_another_project(viewer: Asking, user: str) -> None:
    def unpacked(token: str) -> str:
        headers = {"Authorization": f"Bearer {viewer.tokens[token]}"}
        answer = viewer.client.get("/api/v1/export?project=diabetes", headers=headers)
        assert answer.status_code == 200, answer.text
        return gzip.decompress(answer.content).decode().lower()

    told = unpacked(user)
    assert OKAPI in told
    at = told.find(ZEBRA)
    assert at < 0, told[max(0, at - 200) : at + 200]
    assert "apt_" not in told
    assert "users/" not in told
    # What the project depends on in another is there for who may see it, so that this can fail.
    assert ZEBRA in unpacked("root")


@pytest.mark.parametrize("route", READS)
def test_nothing_of_another_project_is_told(viewer: Asking, route: str) -> None:
    for asked in viewer.variants(route):
        told = viewer.told(asked, "viewer")
        at = told.find(ZEBRA)
        assert at < 0, f"{asked}: …{told[max(0, at - 200) : at + 200]}"


def test_the_other_project_is_there_to_be_told_of(viewer: Asking) -> None:
    """The same requests of who administers the store show it, so that the test above can fail."""
    shown = set()
    for route in READS:
        for asked in viewer.variants(route):
            if ZEBRA in viewer.told(asked, "root"):
                shown.add(route)
                break
    silent = {route.removesuffix(".json") for route in READS if route not in shown}
    assert silent == SILENT, " | ".join(sorted(silent ^ SILENT))


NAMING = ("ref", "key", "run", "deployment", "project", "node", "thing", "dataset", "user", "ids", "start")
"""Parameters that name a thing."""


def of_nothing(asked: Any) -> Any:
    """Return a request with what names things of the other project in it naming what never was."""
    if isinstance(asked, str):
        return re.sub(r"\bz-", "y-", asked.replace(ZEBRA, "yebra"))
    if isinstance(asked, dict):
        return {name: of_nothing(value) for name, value in asked.items()}
    return [of_nothing(each) for each in asked] if isinstance(asked, (list, tuple)) else asked


def without_names(text: str) -> str:
    return re.sub(r"\b[zy]-", "?-", re.sub("[zy]ebra", "?ebra", plainly(text)))


@pytest.mark.parametrize("route", [route for route in READS if "/api/v1/" in route])
def test_what_is_hidden_is_answered_as_what_never_was(viewer: Asking, route: str) -> None:
    headers = {"Authorization": f"Bearer {viewer.tokens['viewer']}"}
    for asked in viewer.variants(route, NAMING):
        if (other := of_nothing(asked)) != asked:
            hidden, nothing = (viewer.client.request(**each, headers=headers) for each in (asked, other))
            assert hidden.status_code == nothing.status_code, asked
            assert without_names(hidden.text) == without_names(nothing.text), asked
            assert hidden.headers.get("etag") == nothing.headers.get("etag"), asked
