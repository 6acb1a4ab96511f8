"""What the server is sent, as models."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from arangopipe.server.wire import Document, Strict

Number = int | float | Literal["NaN", "Infinity", "-Infinity"]

_KEY = "Its key; without one it is made from name and version, or anew."
_EXIST_OK = "Whether a taken name gives the thing that has it, if its content is equal."


def _example(**value: Any) -> ConfigDict:
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [value]})


class NewProject(Strict):
    """A project to register."""

    model_config = _example(name="diabetes", document={"description": "progression after a year"})

    name: str
    document: Document = Field({}, description="Everything else about it.")
    key: str | None = Field(None, description=_KEY)
    exist_ok: bool = Field(False, description=_EXIST_OK)


class NewThing(Strict):
    """A named thing to register."""

    model_config = _example(name="diabetes", document={"source": "scikit-learn", "rows": 442})

    name: str
    document: Document = Field({}, description="Everything else about it.")
    version: str | None = Field(None, description="Its version; without one the first, or the next.")
    project: str | None = Field(None, description="Its project; without one all share it.")
    key: str | None = Field(None, description=_KEY)
    exist_ok: bool = Field(False, description=f"{_EXIST_OK} With other content the next version is made.")


class NewModel(NewThing):
    """A model to register."""

    model_config = _example(
        name="ridge", project="diabetes", document={"task": "progression", "technique": "ridge"}
    )


class NewFeatureset(NewThing):
    """A featureset to register."""

    model_config = _example(
        name="base+s5",
        dataset="diabetes",
        document={"columns": {"s5": "float64"}, "transformation": "log"},
    )

    dataset: str | list[str] = Field(description="The dataset it was made from, or several.")


class Artifact(Strict):
    """A file that a run made; only its reference is kept."""

    model_config = ConfigDict(extra="allow")

    uri: str
    name: str | None = None


class Used(Strict):
    """What a run used."""

    project: str | None = Field(None, description="Its project; by default that of its model.")
    model: str | None = None
    dataset: str | list[str] | None = Field(None, description="What it was trained on.")
    datasets: dict[Literal["training", "validation", "test"], str | list[str]] | None = None
    featureset: str | list[str] | None = None
    parent: str | None = Field(None, description="The run that it is a part of.")
    name: str | None = None
    tag: str | None = None
    deployment_tag: str | None = None
    seed: int | str | None = None
    key: str | None = Field(None, description="Its key; with one, sending it again does no harm.")


class Told(Strict):
    """What a run has to say."""

    params: Document | None = Field(None, description="Hyper-parameters.")
    fitted: Document | None = Field(None, description="What it found, such as coefficients.")
    optimizer: Document | None = Field(None, description="How it found it.")
    metrics: Document | None = Field(None, description="What it measured; each is the last value.")
    tags: Document | None = None
    artifacts: list[Artifact] | None = None
    document: Document = Field({}, description="Everything else about it, such as code and environment.")


class Finished(Told):
    """How a run ended, and what it has to say at last."""

    model_config = _example(status="finished", metrics={"rmse": 54.2})

    status: Literal["finished", "failed", "killed"] = "finished"
    end: str | None = Field(None, description="When; by default now.")
    error: str | Document | None = Field(None, description="What went wrong.")


class NewRun(Used, Told):
    """A run to record: as it starts (`running`), or whole."""

    model_config = _example(
        model="ridge",
        dataset="diabetes",
        project="diabetes",
        params={"alpha": 1.0},
        metrics={"rmse": 54.2},
        tag="sweep-1",
    )

    status: Literal["scheduled", "running", "finished", "failed", "killed"] = "finished"
    start: str | None = Field(None, description="When it started; by default now.")
    end: str | None = None
    error: str | Document | None = Field(None, description="What went wrong.")


class PointIn(Strict):
    """One value of a metric."""

    step: int = Field(0, ge=-(2**63), lt=2**63)
    value: Number
    time: str | None = Field(None, description="By default now.")


class Log(Told):
    """What a run logs while it goes on."""

    model_config = _example(points={"loss": [{"step": 0, "value": 0.7}, {"step": 1, "value": 0.4}]})

    points: dict[str, list[PointIn]] = Field({}, description="Points of metrics, by name; they are appended.")


class Changed(Strict):
    """Attributes to set and to remove."""

    model_config = _example(document={"owner": "ann"}, reason="asked by audit")

    document: Document = Field({}, description="Attributes to set.")
    remove: list[str] = Field([], description="Attributes to remove.")
    reason: str = Field("", description="Why; the record keeps it.")


class NewDeployment(Strict):
    """A run to deploy."""

    model_config = _example(tag="prod", run="run/01934c5e-7a41-7d20-8b1e-2f4a6c8e0d13", reason="best of May")

    tag: str
    run: str | None = Field(None, description="Without one, exactly one run must carry the tag.")
    status: Literal["scheduled", "active", "archived"] | None = None
    active_from: str | None = Field(None, description="From when it serves; by default now.")
    active_to: str | None = Field(None, description="Until when it served.")
    schedule: str | None = Field(None, description="For when it is scheduled.")
    keep: bool = Field(False, description="Whether the one of this tag that serves goes on.")
    key: str | None = None
    reason: str = ""
    document: Document = Field({})


class Moved(Strict):
    """When and why a deployment starts or ends."""

    model_config = _example(at="2026-11-23T09:30:00Z", reason="drift")

    at: str | None = Field(None, description="When; by default now.")
    reason: str = ""


class Activated(Moved):
    """When and why a deployment starts."""

    keep: bool = Field(False, description="Whether the one of this tag that serves goes on.")


class NewServing(Strict):
    """How a deployment performed over a period."""

    model_config = _example(metrics={"rmse": 55.1}, start="2026-11-16T00:00:00Z", end="2026-11-23T00:00:00Z")

    metrics: Document
    start: str
    end: str
    key: str | None = None
    document: Document = Field({})


class NewNodeKind(Strict):
    """An own kind of named things."""

    model_config = _example(name="patient", records="who it is about")

    name: str
    records: str = Field("", description="What they record, in words.")
    exist_ok: bool = False


class NewEdgeKind(Strict):
    """An own kind of edge."""

    model_config = _example(name="patient_dataset", **{"from": "datasets", "to": "patient"}, depends="from")

    name: str
    source: str | None = Field(None, alias="from", description="A kind of thing; null: any.")
    target: str | None = Field(None, alias="to", description="A kind of thing; null: any.")
    depends: Literal["from", "to"] | None = Field(
        None, description="The end that depends on the other, so that lineage follows the edge."
    )
    records: str = ""
    exist_ok: bool = False


class NewLink(Strict):
    """An edge to record; one that exists takes the new document."""

    model_config = _example(**{"from": "dataset:diabetes", "to": "model:ridge"}, document={"study": 1})

    source: str = Field(alias="from")
    target: str = Field(alias="to")
    kind: str = "related"
    document: Document = Field({})


class Erasure(Strict):
    """What to erase for good, and why."""

    model_config = _example(refs=["dataset:patients"], reason="a right to be forgotten")

    refs: list[str] = Field(min_length=1)
    reason: str
    force: bool = Field(False, description="Whether even what a live deployment depends on.")
