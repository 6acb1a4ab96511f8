"""The application: what it is made of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import partial

from fastapi import Depends, FastAPI
from fastapi.middleware.gzip import GZipMiddleware

from arangopipe import __version__
from arangopipe.server import (
    batches,
    contract,
    entities,
    health,
    kinds,
    login,
    moving,
    openapi,
    pages,
    people,
    placed,
    problems,
    querying,
    questions,
    reads,
    runs,
)
from arangopipe.server.access import Gate
from arangopipe.server.door import Door
from arangopipe.server.limits import Bounds, Limits, streams
from arangopipe.server.logs import Journal
from arangopipe.server.methods import Methods
from arangopipe.server.parameters import only_known
from arangopipe.server.straight import PACKED, Straight, shortcuts
from arangopipe.server.threads import Threads
from arangopipe.store.base import Store

API = "/api/v1"
NOWHERE = {"type": "http", "method": "GET", "path": "/nowhere", "root_path": "", "headers": []}


def create_app(
    store: Store,
    *,
    authentication: bool = False,
    limits: Limits | None = None,
    hosts: Collection[str] = (),
    close: bool = False,
) -> FastAPI:
    """Return the application that serves a store; with `authentication`, only to known users.

    Without it, the server answers only to the names of this machine for itself, and to `hosts`. With
    `close`, the store is closed when the application stops.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        for route in app.routes:  # FastAPI builds them when they are first matched: no user waits for it
            route.matches(NOWHERE)
        yield
        app.state.threads.stop()
        if close:
            store.close()

    app = FastAPI(
        title="Arangopipe",
        version=__version__,
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        openapi_url=None,  # `openapi.install` serves it
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=openapi.operation_id,
        lifespan=lifespan,
    )
    app.state.gate = gate = Gate(store, authentication)
    app.state.limits = limits or Limits()
    app.state.threads = Threads()
    app.state.parameters = {}  # what each operation takes in a query, once it was asked
    problems.install(app)
    app.include_router(health.router)
    app.state.desk = login.Desk(gate)
    asked = (reads, questions, querying)
    parts = (login, people, batches, contract, runs, placed, entities, kinds, *asked, moving)
    routers = [part.router for part in parts]
    for router in routers:
        app.include_router(router, prefix=API, dependencies=[Depends(only_known)])
    pages.install(app)
    openapi.install(app)
    app.add_middleware(Methods)
    packed = partial(GZipMiddleware, minimum_size=PACKED, compresslevel=1)
    app.add_middleware(packed)
    app.add_middleware(Straight, endpoints=shortcuts(API, routers), packed=packed)
    app.add_middleware(Bounds, limits=app.state.limits, streams=streams(API, routers))
    # Who is not known is refused before a body is read.
    app.add_middleware(Door, gate=gate, hosts=hosts)
    pages.explain(app)
    app.add_middleware(Journal)
    return app
