"""All that a server answers to: its routes, a request that each of them takes, and what that takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from arangopipe import ArangoPipe, ArangoPipeAdmin
from arangopipe.bundle import stream
from arangopipe.store.base import Store
from arangopipe.store.memory import MemoryStore

PASSWORD = "a long sentence is a good password"
RUN = "0192f0c4-7a5c-7cc0-8000-6d4c3b2a1f0e"
BEST = "01934c5e-7a41-7d20-8b1e-2f4a6c8e0d13"
OKAPI, ZEBRA = "okapi", "zebra"
"""What stands in all that is recorded in the project `diabetes`, and in that nobody but `zebra-zoe` sees."""

Routes = dict[str, Any]


def routes(app: FastAPI) -> Routes:
    """Return what an application answers to, as `METHOD /path`; HEAD goes with GET."""
    found: Routes = {}
    for context in iter_route_contexts(app.routes):
        methods = getattr(context, "methods", None)
        for method in {"MOUNT"} if methods is None else methods - {"HEAD"}:
            # As the OpenAPI document writes it.
            found[f"{method} {context.path.replace(':path}', '}')}"] = context
    return found


def parameters(context: Any) -> dict[str, list[str]]:
    """Return the names of a route's parameters by where they stand: path, query or header."""
    found: dict[str, list[str]] = {"path": [], "query": [], "header": []}

    def add(dependant: Any) -> None:
        for place, names in found.items():
            names += [field.alias for field in getattr(dependant, f"{place}_params")]
        for each in dependant.dependencies:
            add(each)

    if (dependant := getattr(context, "dependant", None)) is not None:
        add(dependant)
    return {place: list(dict.fromkeys(names)) for place, names in found.items()}


# --- what there is -------------------------------------------------------------------------------


def study(store: Store, project: str, mark: str, prefix: str = "") -> None:
    """Record one of everything in a project, with a mark in whatever may hold one."""
    pipe = ArangoPipe(store, actor=f"{mark}-actor", capture=False)
    pipe.admin.register_project(project, key=f"{prefix}project", note=f"{mark}-note")
    own = {"project": project, "note": f"{mark}-note"}
    names = {kind: f"{mark}-{name}" if prefix else name for kind, name in NAMES.items()}
    data = pipe.register_dataset(names["datasets"], key=f"{prefix}d-1", summary={"rows": 442}, **own)
    pipe.annotate(data, owner=f"{mark}-owner", reason=f"{mark}-reason")
    pipe.register_dataset(names["datasets"], key=f"{prefix}d-2", version=f"{mark}-2", **own)
    columns = {"age": "float64", f"{mark}_column": "float64"}
    more = {"columns": columns, "transformation": f"{mark}-log", **own}
    features = pipe.register_featureset(names["featuresets"], key=f"{prefix}f-1", dataset=data, **more)
    about = {"task": f"{mark}-task", "technique": f"{mark}-technique", **own}
    model = pipe.register_model(names["models"], key=f"{prefix}m-1", **about)
    used = {"model": model, "dataset": data, "featureset": features, "project": project, "tag": f"{mark}-tag"}
    for number, key in enumerate((RUN, BEST, "running")):
        pipe.log_run(
            key=f"{prefix}{key}",
            name=f"{mark}-run-{number}",
            params={"alpha": float(number), f"{mark}_param": f"{mark}-value"},
            metrics={"rmse": 50.0 + number, f"{mark}_metric": 1.5},
            tags={f"{mark}_tag": f"{mark}-value"},
            status="running" if key == "running" else "finished",
            environment={"host": f"{mark}-host"},
            **used,
        )
    with pipe.start_run(key=f"{prefix}curve", name=f"{mark}-curve", **used) as run:
        run.log_metric(f"{mark}_loss", 1.0, step=1)
    place = pipe.admin.register_deployment
    place(
        names["deployment"], f"run/{prefix}{BEST}", key=f"{prefix}p-1", note=own["note"], reason=f"{mark}-why"
    )
    place("next", f"run/{prefix}{RUN}", key=f"{prefix}p-2", schedule="2099-01-01T00:00Z", note=own["note"])
    period = ("2026-01-01T00:00Z", "2026-01-08T00:00Z")
    pipe.log_serving_perf(
        f"deployment/{prefix}p-1",
        {f"{mark}_served": 3.5},
        period=period,
        key=f"{prefix}s-1",
        note=own["note"],
    )
    pipe.link(data, model, note=own["note"])
    pipe.admin.register("patient", f"{mark}-patient", key=f"{prefix}t-1", **own)


NAMES = {"datasets": "diabetes", "featuresets": "base+s5", "models": "ridge", "deployment": "prod"}

USERS: Mapping[str, Mapping[str, str]] = {
    "viewer": {"diabetes": "viewer"},
    "contributor": {"diabetes": "contributor"},
    "maintainer": {"diabetes": "maintainer"},
    "admin": {"diabetes": "admin"},
    "ana": {"diabetes": "viewer"},
    "stranger": {"asthma": "admin"},
    "disabled": {"diabetes": "admin"},
    "zebra-zoe": {"zebras": "admin"},
}
"""Who there is, named by what they are; `root` administers the store."""


def fill(store: Store) -> dict[str, str]:
    """Record a world, and return tokens, named by whose they are or by what is wrong with them."""
    admin = ArangoPipeAdmin(store, actor="root")
    admin.register_node_kind("patient", "who it is about")
    admin.register_node_kind("unused")
    study(store, "diabetes", OKAPI)
    study(store, "zebras", ZEBRA, "z-")
    admin.register_project("asthma")
    pipe = ArangoPipe(store, actor="root", capture=False)
    pipe.register_dataset("shared", key="shared")
    pipe.link("datasets/shared", f"run/{RUN}", note="okapi-note")
    pipe.link("datasets/shared", f"run/z-{RUN}", note="zebra-note")
    pipe.link("datasets/d-1", "datasets/z-d-1", note="zebra-note")
    pipe.link(f"run/{RUN}", "datasets/z-d-1", "run_datasets", roles=["test"])
    pipe.link("featuresets/z-f-1", "datasets/shared", "featureset_dataset", note="zebra-note")
    admin.register_user("root", password=PASSWORD, admin=True)
    for name, roles in USERS.items():
        more = {"full_name": "Zebra Zoe", "note": "zebra-note"} if name == "zebra-zoe" else {}
        admin.register_user(name, password=PASSWORD, roles=roles, **more)
    found = {name: admin.create_token(name, name=f"{name}-token").text for name in ("root", *USERS)}
    found["elsewhere"] = admin.create_token("root", projects=["asthma"]).text
    found["weakened"] = admin.create_token("root", role="viewer").text
    revoked = admin.create_token("root")
    admin.revoke_token(revoked.token.key)
    admin.disable_user("disabled")
    found["revoked"] = revoked.text
    found["expired"] = admin.create_token("root", expires=timedelta(microseconds=1)).text
    found["session"] = admin.open_session("root").text
    right = found["viewer"]
    found["wrong"] = right[:-1] + ("A" if right[-1] != "A" else "B")
    return found


UNKNOWN = ("wrong", "expired", "revoked", "disabled", "session")
"""Tokens that let nobody in: a session is one of a cookie's only."""

# --- what each route takes -----------------------------------------------------------------------


class Call(NamedTuple):
    """A request that a route takes, the least who may make it, and what is said to them and to others.

    `body` goes over the documented example; bytes are sent as they are. `shows` tells whether what is
    recorded in the project is in the answer.
    """

    least: str = "viewer"
    path: Mapping[str, str] = {}
    query: Mapping[str, Any] = {}
    body: Any = None
    status: int = 200
    stranger: int = 404
    weak: int = 403
    shows: bool = True


def _of_kinds() -> Iterator[tuple[str, Call]]:
    """Yield the calls of the routes that each kind has."""
    named = {"projects": "project", "datasets": "d-1", "featuresets": "f-1", "models": "m-1"}
    events = {"runs": RUN, "deployments": "p-1", "servingperf": "s-1"}
    for plural, key in (named | events | {"things/{kind}": "t-1"}).items():
        api, path = f"/api/v1/{plural}", {"kind": "patient", "ref": key}
        deleting = {"projects": "root"}.get(plural, "maintainer")
        changing = {"projects": "admin", "deployments": "maintainer"}.get(plural, "contributor")
        if plural != "things/{kind}":
            yield f"GET {api}", Call(stranger=200)
        if plural in named and plural != "projects":
            yield f"GET {api}/{{ref}}/versions", Call(path=path)
        yield f"GET {api}/{{ref}}", Call(path=path)
        yield f"GET {api}/{{ref}}/revisions", Call(path=path)
        yield f"PATCH {api}/{{ref}}", Call(changing, path)
        yield f"DELETE {api}/{{ref}}", Call(deleting, path, {"reason": "gone", "force": True}, shows=False)


MADE = {"status": 201, "shows": False}
_IN = {"project": "diabetes", "name": "fresh"}
_MINE: dict[str, Any] = {"project": "diabetes"}
_ABOUT = {"start": [f"run/{RUN}"], "ids": [f"run/{RUN}"], "node": f"run/{RUN}"}
_FORBIDDEN: dict[str, Any] = {"stranger": 403, "shows": False}
_BATCH = {
    "id": "0192f0c4-7a5c-7cc0-8000-00000000abcd",
    "puts": [{"node": {"kind": "run", "key": "new", "project": "diabetes"}, "expect": "absent"}],
}


def _act(act: str, **fields: str) -> dict[str, str]:
    """Return what the form of a page posts."""
    return {"act": act, **fields}


CALLS: dict[str, Call] = {
    "GET /openapi.json": Call("anyone", stranger=200, shows=False),
    "GET /health": Call("anyone", stranger=200, shows=False),
    "GET /api": Call("anyone", stranger=200, shows=False),
    "GET /ready": Call(stranger=200, shows=False),
    "POST /api/v1/session": Call("anyone", body={"name": "ana"}, stranger=200, shows=False),
    "POST /api/v1/setup": Call("anyone", status=401, stranger=401, shows=False),
    "DELETE /api/v1/session": Call(status=422, stranger=422, shows=False),
    "GET /api/v1/me": Call(stranger=200, shows=False),
    "PUT /api/v1/me/password": Call(status=204, stranger=204, shows=False),
    "GET /api/v1/users": Call(stranger=200, shows=False),
    "POST /api/v1/users": Call("root", body={"name": "eve"}, **{**MADE, "stranger": 403}),
    "GET /api/v1/users/{name}": Call("admin", {"name": "ana"}, stranger=200, weak=404, shows=False),
    "PATCH /api/v1/users/{name}": Call("root", {"name": "ana"}, body={"disabled": True}, **_FORBIDDEN),
    "PUT /api/v1/users/{name}/password": Call("root", {"name": "ana"}, status=204, **_FORBIDDEN),
    "PUT /api/v1/users/{name}/roles/{project}": Call("admin", {"name": "ana"} | _MINE, **_FORBIDDEN),
    "DELETE /api/v1/users/{name}/roles/{project}": Call("admin", {"name": "ana"} | _MINE, **_FORBIDDEN),
    "GET /api/v1/tokens": Call(stranger=200, shows=False),
    "POST /api/v1/tokens": Call(body={"user": None, "projects": ["diabetes"]}, stranger=404, **MADE),
    "DELETE /api/v1/tokens/{key}": Call("viewer", {"key": "TOKEN"}, status=204, shows=False),
    "POST /api/v1/store/append": Call("root", body=b"", **_FORBIDDEN),
    "POST /api/v1/batches": Call("contributor", body=_BATCH, **_FORBIDDEN),
    "GET /api/v1/store": Call(stranger=200, shows=False),
    "POST /api/v1/store/head": Call(stranger=200, shows=False),
    "POST /api/v1/store/last-written": Call(stranger=200, shows=False),
    "POST /api/v1/store/owned": Call(stranger=200),
    "POST /api/v1/store/find": Call(body=_MINE, stranger=200),
    "POST /api/v1/store/search": Call(stranger=200),
    "POST /api/v1/store/columns": Call(body={"paths": ["params.okapi_param"]}, stranger=200),
    "POST /api/v1/store/count": Call(body={"by": "tag"}, stranger=200),
    "POST /api/v1/store/get": Call(stranger=200),
    "POST /api/v1/store/edges": Call(body={"ids": ["datasets/d-1"]}, stranger=200),
    "POST /api/v1/store/traverse": Call(),
    "POST /api/v1/store/points": Call(body={"run": "run/curve", "name": None}, stranger=200),
    "POST /api/v1/store/revisions": Call(stranger=200),
    "POST /api/v1/store/changes": Call(stranger=200),
    "POST /api/v1/store/check": Call("root", **_FORBIDDEN),
    "POST /api/v1/store/erase": Call("root", body={"ids": ["datasets/d-2"]}, **_FORBIDDEN),
    "POST /api/v1/store/adopt": Call("root", **_FORBIDDEN),
    "POST /api/v1/store/numbers": Call("root", **_FORBIDDEN),
    "POST /api/v1/store/edge-revisions": Call(
        "root", body={"source": "models/m-1", "target": f"run/{RUN}"}, stranger=403
    ),
    "POST /api/v1/store/ever-linked": Call("root", body={"node": "datasets/d-1"}, **_FORBIDDEN),
    **dict(_of_kinds()),
    "POST /api/v1/projects": Call("root", body={"name": "fresh"}, **{**MADE, "stranger": 403}),
    "POST /api/v1/datasets": Call("contributor", body=_IN, **MADE),
    "POST /api/v1/featuresets": Call("contributor", body={**_IN, "dataset": "datasets/d-1"}, **MADE),
    "POST /api/v1/models": Call("contributor", body=_IN, **MADE),
    "POST /api/v1/runs": Call("contributor", **MADE),
    "POST /api/v1/runs/{run}/log": Call("contributor", {"run": "running"}),
    "POST /api/v1/runs/{run}/finish": Call("contributor", {"run": "running"}),
    "GET /api/v1/runs/{run}/points": Call(path={"run": "curve"}),
    "POST /api/v1/deployments": Call("maintainer", **MADE),
    "POST /api/v1/deployments/{deployment}/activate": Call(
        "maintainer", {"deployment": "p-2"}, body={"at": None}
    ),
    "POST /api/v1/deployments/{deployment}/archive": Call(
        "maintainer", {"deployment": "p-1"}, body={"at": None}
    ),
    "POST /api/v1/deployments/{deployment}/servingperf": Call("contributor", {"deployment": "p-1"}, **MADE),
    "GET /api/v1/kinds": Call(stranger=200, shows=False),
    "POST /api/v1/kinds/nodes": Call("root", body={"name": "fresh"}, **{**MADE, "stranger": 403}),
    "POST /api/v1/kinds/edges": Call("root", **{**MADE, "stranger": 403}),
    "DELETE /api/v1/kinds/{name}": Call("root", {"name": "unused"}, **_FORBIDDEN),
    "POST /api/v1/things/{kind}": Call("contributor", {"kind": "patient"}, body=_IN, **MADE),
    "GET /api/v1/links": Call(query={"ref": "datasets/d-1"}),
    "POST /api/v1/links": Call("contributor", body={"from": "datasets/d-2", "to": "models/m-1"}, **MADE),
    "DELETE /api/v1/links": Call(
        "contributor", query={"from": "datasets/d-1", "to": "models/m-1"}, shows=False
    ),
    "GET /api/v1/search/{kind}": Call(path={"kind": "run"}, stranger=200),
    "GET /api/v1/count/{kind}": Call(path={"kind": "run"}, query={"by": "tag"}, stranger=200),
    "GET /api/v1/graph/upstream": Call(query={"ref": f"run/{RUN}"}),
    "GET /api/v1/graph/downstream": Call(query={"ref": "datasets/d-1"}),
    "GET /api/v1/graph/lineage": Call(query={"ref": f"run/{RUN}"}),
    "GET /api/v1/graph/impact": Call(query={"ref": "datasets/d-1"}),
    "GET /api/v1/audit/changes": Call(stranger=200),
    "GET /api/v1/audit/verify": Call("root", **_FORBIDDEN),
    "GET /api/v1/questions/techniques": Call(query={"metric": "rmse"}),
    "GET /api/v1/questions/feature-techniques": Call(),
    "GET /api/v1/questions/useful-features": Call(query={"metric": "rmse"}),
    "GET /api/v1/questions/effect": Call(query={"metric": "rmse", "attribute": "age", "project": "diabetes"}),
    "GET /api/v1/questions/datasets-used": Call(stranger=200, shows=False),
    "GET /api/v1/questions/leaderboard": Call(query={"metric": "rmse"}),
    "GET /api/v1/questions/importance": Call(query={"metric": "rmse"}, status=422, shows=False),
    "GET /api/v1/questions/test-set-wear": Call(query={"metric": "rmse"}),
    "GET /api/v1/questions/compare": Call(query={"run": [RUN, BEST]}),
    "GET /api/v1/questions/explain-difference": Call(query={"a": RUN, "b": BEST}),
    "GET /api/v1/server": Call(stranger=200, shows=False),
    "GET /api/v1/export": Call("maintainer", query=_MINE, shows=False),
    "POST /api/v1/import": Call("root", body=b"BUNDLE", **_FORBIDDEN),
    "POST /api/v1/erase": Call("root", body={"refs": ["datasets/d-2"]}, **_FORBIDDEN),
    # The pages
    "MOUNT /static": Call("anyone", {"path": "icon.svg"}, stranger=200, shows=False),
    "GET /": Call(stranger=200),
    "GET /home": Call(stranger=200),
    "GET /home/counts": Call(stranger=200, shows=False),
    "GET /search": Call(query={"kind": "run"}, stranger=200),
    "GET /search/facets": Call(query={"kind": "run"}, stranger=200),
    "GET /search/attributes": Call(query={"kind": "run"}, stranger=200),
    "GET /search/add": Call(query={"attribute": "tag", "value": "x"}, status=303, stranger=303, shows=False),
    "GET /search/download/{form}": Call(path={"form": "csv"}, query={"kind": "run"}, stranger=200),
    "GET /find": Call(query={"text": "p"}, stranger=200),
    "GET /find/names": Call(query={"text": "diab"}, stranger=200),
    "GET /questions": Call(stranger=200),
    "GET /questions/{name}": Call(path={"name": "effect"}, stranger=200),
    "GET /questions/{name}/answer": Call(path={"name": "leaderboard"}, query={"metric": "rmse"}),
    "GET /questions/{name}/answer.csv": Call(path={"name": "leaderboard"}, query={"metric": "rmse"}),
    "GET /questions/{name}/names": Call(path={"name": "effect"}, stranger=200),
    "GET /deployments": Call(query={"at": "2026"}, stranger=200),
    "GET /deployments/serving": Call(query={"tag": "prod"}, stranger=200),
    "GET /deployments/impact": Call(stranger=200, shows=False),
    "GET /entity/run/{key}/points": Call(path={"key": "curve"}),
    "GET /entity/run/{key}": Call(path={"key": RUN}),
    "GET /entity/{kind}/{key}": Call(path={"kind": "datasets", "key": "d-1"}),
    "GET /compare": Call(query={"run": [RUN, BEST]}, stranger=200),
    "GET /compare/values": Call(query={"run": [RUN, BEST]}, stranger=200),
    "GET /compare/points": Call(query={"run": ["curve"]}, stranger=200),
    "GET /compare/why": Call(query={"a": RUN, "b": BEST}, stranger=200),
    "GET /compare/download/{form}": Call(path={"form": "csv"}, query={"run": [RUN, BEST]}, stranger=200),
    "GET /lineage": Call(query={"text": "dataset:diabetes"}, stranger=200),
    "GET /lineage/of": Call(query={"text": "diab"}, stranger=200),
    "GET /lineage/edges": Call(query={"of": ["datasets/d-1", "models/m-1"]}),
    "GET /lineage/{kind}/{key}": Call(path={"kind": "run", "key": RUN}),
    "GET /lineage/{kind}/{key}/members": Call(
        path={"kind": "datasets", "key": "d-1"}, query={"group": "x"}, status=404, shows=False
    ),
    "GET /lineage/{kind}/{key}/mermaid": Call(path={"kind": "run", "key": RUN}),
    "GET /audit": Call(stranger=200),
    "GET /audit/verification": Call(stranger=200, shows=False),
    "GET /audit/{number}": Call(path={"number": "6"}, stranger=200),
    "POST /audit": Call("root", body={"act": "verify"}, status=303, **_FORBIDDEN),
    "GET /admin": Call("maintainer", status=303, stranger=303, shows=False),
    "GET /admin/users": Call("admin", stranger=200, shows=False),
    "GET /admin/users/{name}": Call("admin", {"name": "ana"}, stranger=200, weak=404, shows=False),
    "POST /admin/users": Call("root", body=_act("register-user", name="eve"), status=303, **_FORBIDDEN),
    "POST /admin/users/{name}": Call(
        "root", {"name": "ana"}, body=_act("disable"), status=303, weak=404, **_FORBIDDEN
    ),
    "GET /admin/tokens": Call("admin", stranger=200, shows=False),
    "POST /admin/tokens": Call("root", body=_act("create-token", user="ana"), **_FORBIDDEN),
    "GET /admin/projects": Call("root", **_FORBIDDEN),
    "GET /admin/projects.json": Call("root", stranger=403),
    "POST /admin/projects": Call("root", body=_act("register-project", name="x"), status=303, **_FORBIDDEN),
    "GET /admin/kinds": Call("root", **_FORBIDDEN),
    "POST /admin/kinds": Call("root", body=_act("register-node-kind", name="x"), status=303, **_FORBIDDEN),
    "GET /admin/deployments": Call("maintainer", stranger=200),
    "POST /admin/deployments": Call("maintainer", body=_act("archive", about="p-1"), status=303, shows=False),
    "GET /admin/store": Call("root", **_FORBIDDEN),
    "GET /admin/store/state": Call("root", **_FORBIDDEN),
    "GET /login": Call("anyone", stranger=200, shows=False),
    "POST /login": Call("anyone", body={"name": "ana"}, status=401, stranger=401, shows=False),
    "POST /logout": Call(status=422, stranger=422, shows=False),
    "GET /account": Call(stranger=200, shows=False),
    # Of a store in memory, which knows no SQL.
    "POST /api/v1/query": Call("root", status=501, **_FORBIDDEN),
    "GET /query": Call("root", query={"sql": "SELECT 1"}, **_FORBIDDEN),
    "GET /query/rows": Call("root", query={"sql": "SELECT 1"}, status=501, **_FORBIDDEN),
    "GET /query/plan": Call("root", query={"sql": "SELECT 1"}, status=501, **_FORBIDDEN),
    "GET /query/download/{form}": Call(
        "root", {"form": "csv"}, query={"sql": "SELECT 1"}, status=501, **_FORBIDDEN
    ),
    "POST /account": Call(body=_act("create-token", name="x"), stranger=200, shows=False),
}


def call_of(route: str) -> Call:
    """Return how a route is called; a page's ``.json`` as the page."""
    return CALLS[route.removesuffix(".json")] if route not in CALLS else CALLS[route]


# --- requests ------------------------------------------------------------------------------------


class Documents:
    """The OpenAPI document, as far as it says what may be sent and answered."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    def operation(self, route: str) -> dict[str, Any] | None:
        method, _, path = route.partition(" ")
        found: dict[str, Any] | None = self.document["paths"].get(path, {}).get(method.lower())
        return found

    def example(self, route: str) -> Any:
        """Return the documented example of a body, None where there is no body."""
        operation = self.operation(route)
        content = (operation or {}).get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            return None
        return content["example"] if "example" in content else self._of(content["schema"])

    def _of(self, schema: dict[str, Any]) -> Any:
        if "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if schema.get("examples"):
            return schema["examples"][0]
        if "properties" in schema:
            needed = schema.get("required", [])
            return {name: self._of(each) for name, each in schema["properties"].items() if name in needed}
        return schema["enum"][0]


def bundle() -> bytes:
    """Return a store as it is exported."""
    with ArangoPipe(MemoryStore(), actor="far", capture=False) as pipe:
        pipe.register_dataset("imported")
        return b"".join(stream(pipe.store))


def request(
    route: str, call: Call, documents: Documents, path: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the request of a call: its path as written, and what else `httpx` takes."""
    method, _, template = route.partition(" ")
    for name, value in {**call.path, **(path or {})}.items():
        template = template.replace(f"{{{name}}}", quote(value, safe=""))
    if method == "MOUNT":
        method, template = "GET", f"{template}/x/{call.path['path']}"
    asked: dict[str, Any] = {"method": method, "url": template, "params": dict(call.query)}
    example = documents.example(route)
    if isinstance(call.body, bytes):
        asked["content"] = bundle() if call.body == b"BUNDLE" else call.body
    elif example is not None:
        asked["json"] = {**example, **(call.body or {})}
    elif call.body is not None:
        asked["data"] = call.body
    return asked
