"""Logging in and out in a browser, and the first administrator of a store that has none."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from arangopipe import users
from arangopipe.errors import ArangopipeError
from arangopipe.server import login as desks
from arangopipe.server import problems
from arangopipe.server.access import Gate
from arangopipe.server.pages.acts import Posted, posted
from arangopipe.server.pages.asking import AskedNow
from arangopipe.server.pages.rendering import bare
from arangopipe.server.pages.texts import SAID
from arangopipe.server.wire_users import Setup

router = APIRouter()


def local(path: str) -> str:
    """Return a path of this server, "/" for anything that leads elsewhere."""
    parts = urlsplit(path)
    inside = path.startswith("/") and not path.startswith("//") and not parts.scheme and not parts.netloc
    plain = "\\" not in path and path.isprintable() and " " not in path
    return path if inside and plain and parts.path not in ("/login", "/logout") else "/"


def back(request: Request, path: str) -> str:
    """Return where someone goes on who has logged in."""
    return f"{request.scope.get('root_path', '')}{local(path)}"


@router.get("/login")
def show(request: Request, next: str = "/", done: str = "") -> Response:
    """Show the form; who need not log in goes on."""
    gate: Gate = request.app.state.gate
    if not gate.authentication:
        return RedirectResponse(back(request, next), 303)
    return _form(request, local(next), said=SAID["logout"] if done == "logout" else "")


def _form(request: Request, there: str, status: int = 200, **more: str) -> HTMLResponse:
    gate: Gate = request.app.state.gate
    view = {"next": there, "first": not users.any_users(gate.store), "name": "", "problem": "", "said": ""}
    return bare(request, "login.html", {**view, **more}, status, navigation=False)


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Begin a session; of a store without users, make the first administrator before."""
    form = await posted(request)
    there, name = local(form.text("next")), form.text("name")
    desk: desks.Desk = request.app.state.desk
    try:
        if form.text("setup_token"):
            await _set_up(request, desk, form)
        made = await desk.enter(request, name, form.raw("password"))
    except HTTPException as error:
        return await _refused(request, form, str(error.detail), error.status_code, error.headers)
    except ArangopipeError as error:
        return await _refused(request, form, str(error), problems.status_of(error), None)
    answer = RedirectResponse(back(request, there), 303)
    desks.set_cookie(request, answer, made.text)
    return answer


async def _set_up(request: Request, desk: desks.Desk, form: Posted) -> None:
    name, password = form.text("name"), form.raw("password")
    if password != form.raw("password_again"):
        raise HTTPException(422, "the two passwords differ: type the same one twice")
    setup = Setup.model_construct(token=form.text("setup_token"), name=name, password=password)
    await desks.set_up(setup, request, desk)


async def _refused(request: Request, form: Posted, said: str, status: int, headers: object) -> HTMLResponse:
    there, name = local(form.text("next")), form.text("name")
    answer = await run_in_threadpool(_form, request, there, status, problem=said, name=name)
    if isinstance(headers, dict):
        answer.headers.update(headers)
    return answer


@router.post("/logout")
def log_out(ask: AskedNow) -> Response:
    """End the session."""
    answer = RedirectResponse(f"{ask.request.scope.get('root_path', '')}/login?done=logout", 303)
    desks.leave(ask.request, answer)
    return answer
