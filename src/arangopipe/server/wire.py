"""What goes over the wire, as models: what the OpenAPI document is made of."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


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
