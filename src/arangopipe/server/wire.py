"""What the server answers, as models: half of what the OpenAPI document is made of (`forms` is the other)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Document = dict[str, Any]


class Strict(BaseModel):
    """A model that takes no fields but its own."""

    model_config = ConfigDict(extra="forbid")


class Fault(Strict):
    """One thing that is wrong with a request."""

    where: str = Field(examples=["query.limit"])
    message: str = Field(examples=["Input should be a valid integer"])


class Problem(Strict):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="The kind of error; `about:blank` where the status says it all.")
    title: str = Field(description="The name of the error.")
    status: int = Field(description="The HTTP status.", ge=400, le=599)
    detail: str = Field(description="What, which, and what to do about it, for people.")
    errors: list[Fault] | None = Field(None, description="All that is wrong with the request.")
    position: int | None = Field(None, description="Where in a search text the error is, from 0.")
    reason: str | None = Field(None, description="What is wrong there.")
    text: str | None = Field(None, description="The search text.")
    need: str | None = Field(None, description="What is not installed on the server.")
    extra: str | None = Field(None, description="The extra that installs it.")


class State(Strict):
    """How the server is."""

    status: Literal["ok"]


class Spoken(Strict):
    """What a server is, for a client of any version."""

    name: Literal["Arangopipe"]
    arangopipe: str = Field(description="The version of the server.")
    api: list[int] = Field(description="The versions of the API: 1 is below `/api/v1`.")


class Thing(Strict):
    """One revision of a thing; everything recorded about it stands in its document."""

    id: str = Field(examples=["datasets/7m3q5w2k4n6p8r1t9v0x2z4b6d"])
    kind: str = Field(examples=["datasets"])
    key: str
    name: str | None = Field(examples=["diabetes"])
    version: str | None = Field(None, examples=["1"])
    project: str | None = Field(None, description="Its project; left out where all share it.")
    revision: int = Field(description="The number of the change that wrote this state of it.")
    document: Document


class RunThing(Thing):
    """A run, with its parameters and what it measured."""

    params: Document
    metrics: Document


class ThingPage(Strict):
    """Some of the things that a search found."""

    items: list[RunThing | Thing]
    cursor: str | None = Field(description="Continues the search; null after its end.")


class Things(Strict):
    """Several things."""

    items: list[Thing]


class Difference(Strict):
    """One attribute that differs between two revisions."""

    mark: Literal["+", "-", "~"] = Field(description="`+` added, `-` removed, `~` changed.")
    path: str
    before: Any
    after: Any


class Origin(Strict):
    """Where a change was first recorded, if it came from another store."""

    store: str
    change: int
    time: str
    actor: str


class Made(Strict):
    """A change of the store: who made it, when and why."""

    change: int
    time: str = Field(examples=["2026-11-23T09:30:00.000000Z"])
    actor: str
    action: str
    reason: str
    origin: Origin | None = None


class Step(Made):
    """One change of a thing, what it changed, and the whole document after it."""

    deleted: bool
    superseded: bool
    differences: list[Difference]
    document: Document | None


class History(Strict):
    """Every state a thing had, the oldest first."""

    id: str | None
    items: list[Step]


class Logged(Made):
    """A change as the audit shows it, with its link in the chain of digests."""

    things: dict[str, int] = Field(description="How many things of each kind it touched.")
    batch: str
    digest: str
    chain: str


class ChangePage(Strict):
    """Some of the changes, the newest first."""

    items: list[Logged]
    cursor: int | None = Field(description="Continues with older changes; null after the last.")


class Damage(Strict):
    """One thing that is wrong with the record."""

    change: int | None
    what: str
    text: str


class Verified(Strict):
    """Whether the record is still what was recorded."""

    ok: bool
    changes: int
    head: str | None = Field(description="The last link of the chain: keep it elsewhere, and compare.")
    problems: list[Damage]


class Counted(Strict):
    """How many things a search selects."""

    count: int
    by: list[Share] | None = Field(None, description="How many for each value, the commonest first.")


class Share(Strict):
    """How many things have one value; null: no single value."""

    value: str | int | float | bool | None
    count: int


class Link(Strict):
    """One edge, as it is stored."""

    kind: str = Field(examples=["run_datasets"])
    source: str = Field(alias="from")
    target: str = Field(alias="to")
    revision: int
    document: Document


class Links(Strict):
    """The edges of a thing."""

    items: list[Link]


class Gone(Strict):
    """What was deleted is no longer there."""

    deleted: Literal[True]


class Reached(Thing):
    """A thing that a walk reached, and how far it is: below 0 upstream, above 0 downstream."""

    depth: int


class Walked(Strict):
    """What a walk reached, nearest first, and the edges between."""

    start: list[str]
    nodes: list[Reached]
    edges: list[Link]
    truncated: bool = Field(description="Whether `depth` or `limit` cut the walk.")


class Impact(Strict):
    """What depends on a thing, and the deployments among it."""

    graph: Walked
    live: list[Thing]
    scheduled: list[Thing]
    last_serving: dict[str, Thing]


class PointOut(Strict):
    """One value of a metric."""

    step: int
    time: str
    value: float | str = Field(description="`NaN`, `Infinity` and `-Infinity` are texts.")


class Curves(Strict):
    """The points of a run's metrics, by step and time."""

    points: dict[str, list[PointOut]]


class NodeKindOut(Strict):
    """A kind of thing."""

    name: str
    singular: str
    title: str
    records: str
    own: bool = Field(description="Whether it is of this store, not built in.")


class EdgeKindOut(Strict):
    """A kind of edge; null is any kind of thing."""

    name: str
    source: str | None = Field(alias="from")
    target: str | None = Field(alias="to")
    depends: str | None = Field(description="The end that depends on the other; null: not lineage.")
    records: str
    own: bool


class Kinds(Strict):
    """The kinds that the store knows."""

    nodes: list[NodeKindOut]
    edges: list[EdgeKindOut]


class Answered(BaseModel):
    """The answer to a question: a sentence, what it rests on, and what was left out."""

    model_config = ConfigDict(extra="allow")

    sentence: str
    notes: list[str]


class Disagreement(BaseModel):
    """Where two stores disagreed."""

    model_config = ConfigDict(extra="allow")


class Imported(Strict):
    """What an import did."""

    store: str
    verbatim: bool = Field(description="Whether the store took over the other's changes as they were.")
    new: int
    known: int
    conflicts: list[Disagreement]


class Server(Strict):
    """The server and its store."""

    arangopipe: str
    authentication: bool
    change: int = Field(description="The number of the last change; 0 where nothing is recorded.")
    time: str | None


class NativeQuestion(Strict):
    """A query in the SQL of the store."""

    sql: str = Field(
        max_length=100_000,
        description="One statement that reads.",
        examples=["SELECT action, count(*) AS changes FROM change GROUP BY action ORDER BY 2 DESC"],
    )
    parameters: list[str | float | int | bool | None] = Field(
        default_factory=list,
        max_length=1_000,
        description="What stands for its placeholders: ? in SQLite, $1 in PostgreSQL.",
        examples=[[]],
    )
    limit: int = Field(1_000, ge=1, le=10_000, description="How many rows at most.")
    timeout: float = Field(5.0, gt=0, le=30, description="After how many seconds it is stopped.")
    plan: bool = Field(False, description="Only say how it would be answered.")


class QueryRows(Strict):
    """What a query found, or the lines of its plan."""

    columns: list[str] = Field(examples=[["action", "changes"]])
    rows: list[list[Any]] = Field(examples=[[["log run", 12], ["register datasets", 3]]])
    truncated: bool = Field(description="Whether there would have been more.", examples=[False])
