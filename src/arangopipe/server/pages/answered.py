"""Answers as pages show them: sentence, figures, what was left out, a table, and plots as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from arangopipe.analysis.answers import Answer, plain
from arangopipe.analysis.effect import Effect, Pair
from arangopipe.analysis.explanation import Explanation
from arangopipe.analysis.importance import Importance
from arangopipe.analysis.leaderboard import Leaderboard
from arangopipe.analysis.wear import TestSetWear
from arangopipe.server.pages import plots
from arangopipe.server.pages.asking import Ask, entity_path
from arangopipe.words import brief

ROWS = 100
"""So many rows of an answer are shown; the CSV has all."""

PAIRS = 40

COLUMNS = 16
"""So many columns are shown: a comparison has one for each run."""


def view(ask: Ask, answer: Answer) -> dict[str, Any]:
    """Return an answer as plain values."""
    verdict, colon, rest = answer.sentence.partition(": ")
    return {
        "sentence": answer.sentence,
        "said": {"verdict": verdict if colon else "", "rest": rest if colon else answer.sentence},
        "tone": _tone(answer),
        "figures": [{"name": name, "value": value} for name, value in _figures(answer)],
        "notes": list(_notes(answer)),
        "plots": plots.of(answer),
        "table": table(ask, rows(answer), _ids(answer)),
        "pairs": _pairs(ask, answer) if isinstance(answer, Effect) else None,
        "answer": answer.to_dict(),
    }


def rows(answer: Answer) -> list[dict[str, Any]]:
    """Return the rows of an answer."""
    return [dict(row) for row in answer.rows()]


def table(
    ask: Ask, found: Sequence[Mapping[str, Any]], ids: Mapping[str, Sequence[str]], most: int = ROWS
) -> dict[str, Any]:
    """Return rows as a table: its columns, and cells with addresses where they name something."""
    every = list(found[0]) if found else []
    names = every[:COLUMNS]
    cells = [{name: plain(row[name]) for name in names} for row in found[:most]]
    columns = [{"name": name, "numeric": any(_is_number(row[name]) for row in cells)} for name in names]
    return {
        "columns": columns,
        "rows": [
            [{"value": row[name], "href": _address(ask, ids, name, place)} for name in names]
            for place, row in enumerate(cells)
        ],
        "total": len(found),
        "columns_left_out": len(every) - len(names),
    }


def _address(ask: Ask, ids: Mapping[str, Sequence[str]], name: str, place: int) -> str | None:
    return ask.to(entity_path(ids[name][place])) if name in ids else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _ids(answer: Answer) -> dict[str, list[str]]:
    """Return, for the columns that name things, what each row's is called in the store."""
    if isinstance(answer, Leaderboard):
        return {"run": [item.id for item in answer.items]}
    return {}


def _pairs(ask: Ask, answer: Effect) -> dict[str, Any] | None:
    """Return the first matched pairs, those with the largest differences first."""
    if not answer.matched:
        return None
    first = sorted(answer.matched, key=lambda pair: -abs(pair.difference))[:PAIRS]
    found = table(ask, [pair_row(pair) for pair in first], {}, PAIRS)
    for cells, pair in zip(found["rows"], first, strict=True):
        for name, cell in zip(found["columns"], cells, strict=True):
            if name["name"] in ("with it", "without it"):
                cell["href"] = ask.to(
                    entity_path(pair.run_with if name["name"] == "with it" else pair.run_without)
                )
    return {**found, "total": len(answer.matched)}


def pair_row(pair: Pair) -> dict[str, Any]:
    """Return a matched pair as a row."""
    return {
        "technique": pair.technique,
        "dataset": pair.dataset,
        "with it": pair.with_it,
        "without it": pair.without_it,
        "difference": pair.difference,
        "runs with": pair.runs_with,
        "runs without": pair.runs_without,
    }


def _tone(answer: Answer) -> str:
    """Return whether an answer is good news, bad news or neither."""
    if isinstance(answer, Effect):
        verdict = answer.verdict
        gain, loss = (verdict.startswith(f"consistent {word}") for word in ("gain", "loss"))
        return "good" if gain else "bad" if loss else "warn"
    return ""


def _figures(answer: Answer) -> Iterator[tuple[str, str]]:
    """Yield what stands behind a sentence."""
    match answer:
        case Effect():
            yield "matched pairs", f"{answer.pairs:,}"
            yield "clusters (a technique on a dataset)", f"{answer.clusters:,}"
            if answer.interval is not None:
                yield "95 % interval", " to ".join(brief(end) for end in answer.interval)
            if answer.p_value is not None:
                yield "p-value (exact sign test over clusters)", brief(answer.p_value)
            if answer.datasets:
                yield "datasets", ", ".join(answer.datasets[:5])
            if answer.versus:
                yield "compared with", ", ".join(map(str, answer.versus[:8]))
        case Importance():
            yield "runs", f"{answer.runs:,}"
            yield "variance told in unseen runs", f"{100 * answer.explained:.0f} %"
        case Explanation() if answer.noise is not None:
            yield "noise of repeats", brief(answer.noise)
        case Leaderboard() if answer.runs is not None:
            yield "runs compared", f"{answer.runs:,}"


def _notes(answer: Answer) -> Iterator[str]:
    """Yield what was left out, and why; what is not told by the answer itself too."""
    yield from answer.notes
    if isinstance(answer, TestSetWear):
        yield from (f"{item.dataset}: {item.why_not}." for item in answer.items[:20] if item.why_not)
