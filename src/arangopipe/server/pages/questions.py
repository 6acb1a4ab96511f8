"""Questions: each aggregate question as a form, and its answer as sentence, plot and table."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response

from arangopipe.errors import ArangopipeError, InvalidInput, NotFound
from arangopipe.server.pages import catalog, offers
from arangopipe.server.pages.asking import Ask, Asked
from arangopipe.server.pages.catalog import Field, Question
from arangopipe.server.pages.rendering import Entry, View, page
from arangopipe.server.problems import status_of
from arangopipe.server.streaming import Stream

if TYPE_CHECKING:
    from arangopipe.analysis.answers import Answer

NAVIGATION = Entry("Questions", "/questions")

router = APIRouter()

Text = Annotated[str, Query()]
Texts = Annotated[Sequence[str], Query()]


async def _told(
    task: Text = "",
    metric: Text = "",
    better: Text = "",
    attribute: Text = "",
    transformation: Text = "",
    technique: Text = "",
    param: Text = "",
    versus: Text = "",
    ignore: Texts = (),
    limit: Text = "",
    dataset: Text = "",
    per: Text = "",
    run: Texts = (),
    a: Text = "",
    b: Text = "",
    project: Text = "",
    where: Text = "",
    since: Text = "",
    until: Text = "",
) -> Mapping[str, Sequence[str]]:
    """Return all that a form may say; each question takes its own fields of it."""
    return {name: [value] if isinstance(value, str) else value for name, value in locals().items()}


Told = Annotated[Mapping[str, Sequence[str]], Depends(_told)]

_CHOOSE = "choose a task"

_IN_PYTHON = {
    "pass task=": _CHOOSE,
    "pass metric=": "choose a metric",
    "Say better='lower' or better='higher'": "Say so under More",
    "ignore=": "'May differ all the same'",
}
"""What errors advise to callers of Python, and where a form has it."""


@page(router, "/questions", "questions.html")
def questions(ask: Asked) -> View:
    """Show what can be asked, with instances that the records suggest."""
    found = offers.Offers(ask)
    return {
        "questions": [
            {
                "name": question.name,
                "title": question.title,
                "about": question.about,
                "examples": offers.examples(ask, found, question.name),
            }
            for question in catalog.QUESTIONS
        ]
    }


@page(router, "/questions/{name}", "question.html")
def question(ask: Asked, name: str, told: Told) -> View:
    """Show a question as a form; the answer follows as a part, since it reads many runs."""
    asked = catalog.known(name)
    values = catalog.given(asked, told)
    found = offers.Offers(ask)
    problem = _problem(asked, values)
    lacking = catalog.missing(asked, values)
    # A form that nothing was said in is no mistake yet.
    started = any(field.name in values for field in asked.fields)
    wrong = problem if started or not (lacking or asked.one_of) else None
    shown = values if started else {**values, **_usual(asked, found)}
    complete = problem is None
    return {
        "name": name,
        "title": asked.title,
        "about": asked.about,
        "reading": asked.reading,
        "fields": [_field(field, shown, found) for field in asked.every],
        "one_of": list(asked.one_of),
        "examples": offers.examples(ask, found, name),
        "questions": [{"name": each.name, "title": each.title} for each in catalog.QUESTIONS],
        "problem": wrong,
        "answer": ask.to(f"/questions/{name}/answer", **values) if complete else None,
        "names": ask.to(f"/questions/{name}/names"),
    }


@page(router, "/questions/{name}/answer", "parts/answer.html")
def answer(ask: Asked, name: str, told: Told) -> View:
    """Answer a question, or say why that cannot be done; the page asks for it when the rest is there."""
    asked = catalog.known(name)
    values = catalog.given(asked, told)
    try:
        found = _answered(ask, asked, values)
        from arangopipe.server.pages import answered

        shown = answered.view(ask, found)
    except ArangopipeError as error:
        status = status_of(error)
        if status >= 500 and status != 501:
            raise
        said = _said(error)
        problem = {"status": status, "said": said}
        return {"problem": problem, "name": name, "choices": _choices(ask, name, values, said)}
    return {
        **shown,
        "name": name,
        "reading": asked.reading,
        "csv": ask.to(f"/questions/{name}/answer.csv", **values),
        "pairs_csv": ask.to(f"/questions/{name}/answer.csv", **values, pairs="1") if shown["pairs"] else None,
        "same": same(ask, asked, values),
        "compare": ask.to("/compare", run=values.get("run", ())) if name == "compare" else None,
    }


@router.get("/questions/{name}/answer.csv", include_in_schema=False)
def answer_csv(ask: Asked, name: str, told: Told, pairs: bool = False) -> Response:
    """Return the whole table of an answer as CSV, or each matched pair."""
    asked = catalog.known(name)
    found = _answered(ask, asked, catalog.given(asked, told))
    rows = _matched(found) if pairs else [dict(row) for row in found.rows()]
    headers = {
        "Content-Disposition": f'attachment; filename="{name}{"-pairs" if pairs else ""}.csv"',
        "X-Content-Type-Options": "nosniff",
    }
    return Stream(_lines(rows), media_type="text/csv; charset=utf-8", headers=headers)


@page(router, "/questions/{name}/names", "parts/names.html")
def names(ask: Asked, name: str) -> View:
    """Return what may be named in a question, by sort."""
    asked = catalog.known(name)
    found = offers.Offers(ask)
    sorts = dict.fromkeys(field.names for field in asked.every if field.names and field.names != "ignorable")
    return {"names": {sort: found.named(sort) for sort in sorts}}


def _choices(ask: Ask, name: str, values: Mapping[str, Any], said: str) -> list[dict[str, str]]:
    """Return, where a question means runs of several tasks, the same question of each of them."""
    if _CHOOSE not in said:
        return []
    tasks = [task for task in offers.Offers(ask).of_models("task") if task in said]
    return [
        {"words": task, "address": ask.to(f"/questions/{name}", **{**values, "task": task})} for task in tasks
    ]


def _usual(asked: Question, found: offers.Offers) -> dict[str, Any]:
    """Return what a form begins with: the commonest metric, where one must be named."""
    metric = found.metric() if catalog.METRIC in asked.fields else None
    return {} if metric is None else {"metric": metric}


def _problem(asked: Question, values: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        catalog.check(asked, values)
    except InvalidInput as error:
        return {"status": 422, "said": str(error)}
    return None


def _field(field: Field, values: Mapping[str, Any], found: offers.Offers) -> dict[str, Any]:
    """Return a field with what stands in it, and of several the choice."""
    value = values.get(field.name)
    known: dict[str, Any] = {
        "name": field.name,
        "label": field.label,
        "names": field.names,
        "choices": list(field.choices),
        "required": field.required,
        "several": field.several,
        "hint": field.hint,
        "rare": field.rare,
        "value": value if value is not None else [] if field.several else "",
    }
    if field.names == "ignorable":
        offered = [each["value"] for each in found.named(field.names)]
        known["choices"] = list(dict.fromkeys([*offered, *(value or ())]))
    return known


def _answered(ask: Ask, asked: Question, values: Mapping[str, Any]) -> Answer:
    """Return the answer to what was asked."""
    catalog.check(asked, values)
    told = dict(values)
    if "limit" in told:
        told["limit"] = catalog.limit(values)
    runs = told.pop("run", None)
    analysis = ask.pipe.analysis
    if runs is not None:
        return analysis.compare(runs, as_of=ask.as_of)
    if "param" in told and "versus" in told:
        from arangopipe.analysis.factors import parsed

        told["versus"] = parsed(told["versus"])
    found: Answer = getattr(analysis, _method(asked))(**told, as_of=ask.as_of)
    return found


def _method(asked: Question) -> str:
    return asked.name.replace("-", "_")


def _matched(found: Answer) -> list[dict[str, Any]]:
    from arangopipe.analysis.effect import Effect

    if not isinstance(found, Effect):
        raise NotFound("only the question about an effect has matched pairs")
    return [pair._asdict() for pair in found.matched]


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield rows as lines of CSV; several values in one cell are separated by semicolons."""
    from arangopipe.analysis.answers import plain

    names = list(rows[0]) if rows else []
    for values in (names, *([plain(row[name]) for name in names] for row in rows)):
        out = io.StringIO()
        csv.writer(out).writerow([_cell(value) for value in values])
        yield out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return "; ".join(str(each) for each in value)
    return "" if value is None else value


def _said(error: ArangopipeError) -> str:
    said = str(error)
    for words, place in _IN_PYTHON.items():
        said = said.replace(words, place)
    return said


def same(ask: Ask, asked: Question, values: Mapping[str, Any]) -> dict[str, str]:
    """Return how to ask the same in Python, on the command line and over HTTP."""
    url = str(ask.request.base_url).rstrip("/")
    moment = {} if ask.as_of is None else {"as_of": ask.as_of}
    told = {**values, **({"limit": catalog.limit(values)} if "limit" in values else {})}
    named = [f"{name}={value!r}" for name, value in {**told, **moment}.items() if name != "run"]
    arguments = ", ".join(([repr(values["run"])] if "run" in values else []) + named)
    verb = ["arangopipe", "compare"] if asked.name == "compare" else ["arangopipe", "ask", asked.name]
    for name, value in {**told, **moment}.items():
        texts = [str(each) for each in (value if isinstance(value, list) else [value])]
        if name in ("a", "b", "run") or (asked.name == "test-set-wear" and name == "dataset"):
            verb += texts
        else:
            verb += [part for text in texts for part in (f"--{name.replace('_', '-')}", text)]
    address = url + ask.to(f"/api/v1/questions/{asked.name}", **values)
    connect = f'import arangopipe\n\npipe = arangopipe.connect("{url}")\n'
    return {
        "Python": f"{connect}answer = pipe.analysis.{_method(asked)}({arguments})",
        "Command line": f"{shlex.join(verb)} --store {url}",
        "HTTP": f"curl {shlex.quote(address)}",
    }
