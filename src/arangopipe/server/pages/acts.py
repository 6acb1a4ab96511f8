"""What pages do: forms that post to the page they stand on, and what is said when it is done or refused."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from arangopipe.errors import ArangopipeError, InvalidInput
from arangopipe.model import times
from arangopipe.server import problems
from arangopipe.server.pages.asking import Ask, AskedNow, address
from arangopipe.server.pages.rendering import View, html

M = TypeVar("M", bound=BaseModel)

_ZONE = re.compile(r"([zZ]|[+-]\d\d:?\d\d)$")

SECRET = ("password", "token", "csrf")
"""What occurs in the name of a field that is never shown again."""


@dataclass(frozen=True)
class Posted:
    """What a form says."""

    fields: Mapping[str, list[str]]

    def text(self, name: str) -> str:
        """Return a field without blanks around it, "" where it is missing."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """Return a field as it was typed."""
        return self.fields.get(name, [""])[0]

    def texts(self, name: str) -> list[str]:
        """Return all values of a field that may be there several times."""
        return [text.strip() for text in self.fields.get(name, []) if text.strip()]

    def flag(self, name: str) -> bool:
        """Whether a box is checked."""
        return bool(self.text(name))

    def time(self, name: str) -> str | None:
        """Return a time, None where none is given; without a zone it is UTC."""
        text = self.text(name)
        return times.to_text(moment(text, name)) if text else None

    def again(self) -> dict[str, str]:
        """Return what may stand in the form again."""
        return {
            name: values[0]
            for name, values in self.fields.items()
            if not any(word in name for word in SECRET)
        }


def moment(text: str, what: str) -> datetime:
    """Read a time that a form gives; browsers send UTC, and without a zone it is UTC too."""
    zone = "" if _ZONE.search(text) else "Z" if "T" in text else "T00:00:00Z"
    return times.parse(text + zone, what)


async def posted(request: Request) -> Posted:
    """Return what a form says."""
    form = await request.form()
    fields: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            fields.setdefault(name, []).append(value)
    return Posted(fields)


def checked(model: type[M], **fields: Any) -> M:
    """Return what goes over the wire, or raise `InvalidInput` for what cannot."""
    try:
        return model(**fields)
    except ValidationError as error:
        said = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'the form'}: {item['msg']}" for item in error.errors()[:3]
        )
        raise InvalidInput(said) from error


Act = Callable[..., Any]


def acts(router: APIRouter, path: str, template: str, view: Callable[..., View], **known: Act) -> None:
    """Let the forms of a page post to it; the field `act` names what is done.

    An act takes `ask`, what was posted and the parts of the path. It returns what it was done to, so that the
    page comes again and says so, or an answer of its own. What is refused is said beside the form.
    """

    async def endpoint(ask: AskedNow, request: Request) -> Response:
        form = await posted(request)
        name, parts = form.text("act"), request.path_params
        try:
            act = known.get(name)
            if act is None:
                raise InvalidInput(f"act is {name!r:.80}: it is one of {', '.join(known)}")
            if inspect.iscoroutinefunction(act):
                found = await act(ask, form, **parts)
            else:
                found = await run_in_threadpool(act, ask, form, **parts)
        except (ArangopipeError, HTTPException) as error:
            return await run_in_threadpool(refused, ask, form, error, template, view, parts)
        if isinstance(found, Response):
            return found
        return RedirectResponse(address(request.url.path, {"done": name, "about": found}), 303)

    router.add_api_route(path, endpoint, methods=["POST"], include_in_schema=False)


def refused(
    ask: Ask,
    form: Posted,
    error: ArangopipeError | HTTPException,
    template: str,
    view: Callable[..., View],
    parts: Mapping[str, Any],
) -> Response:
    """Return the page again, with what was wrong beside the form that was sent."""
    status = error.status_code if isinstance(error, HTTPException) else problems.status_of(error)
    if status >= 500:
        raise error
    said = str(error.detail if isinstance(error, HTTPException) else error)
    problem = {"status": status, "said": said, "act": form.text("act"), "about": form.text("about")}
    answer = html(ask, template, {**view(ask, **parts), "problem": problem, "typed": form.again()}, status)
    if isinstance(error, HTTPException):
        answer.headers.update(error.headers or {})
    return answer
