"""What waits in the spool: finding it, printing it, replaying and dropping it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from itertools import count as count_up
from typing import Any

from arangopipe.cli.asking import proceed
from arangopipe.cli.bars import progress
from arangopipe.cli.tables import Column, heading, show_table, write_rows
from arangopipe.cli.terminal import Terminal, as_url, clean
from arangopipe.cli.words import joined, when
from arangopipe.errors import ArangopipeError, Conflict, NotFound, StoreError
from arangopipe.model import times
from arangopipe.model.graph import Batch
from arangopipe.model.vocabulary import near
from arangopipe.model.wire import batch_dict
from arangopipe.spool.files import address, files
from arangopipe.spool.overview import Summary, summary
from arangopipe.spool.replay import Replay, written
from arangopipe.store import open_store
from arangopipe.words import count, short_key, title

_REASONS = 3


def chosen(terminal: Terminal, names: Sequence[str]) -> list[Summary]:
    """Return what waits, or the files of these names; only of the store that --store names, if it does."""
    found = files(as_url(terminal.store) if terminal.store is not None else None)
    known = {file.name for file in found}
    for name in names:
        if name not in known:
            raise NotFound(
                f"nothing in the spool is called {name!r}{near(name, known)}: see 'arangopipe spool list'"
            )
    try:
        return [summary(file) for file in found if not names or file.name in names]
    except OSError as error:
        raise StoreError(f"the spool cannot be read: {error}") from error


def show_list(terminal: Terminal, found: Sequence[Summary]) -> None:
    """Print what waits, a line for each file."""
    if terminal.as_json:
        terminal.give({"items": [each.to_dict() for each in found]})
        return
    if terminal.as_csv:
        write_rows([each.to_dict() for each in found])
        return
    if not found:
        terminal.note("Nothing waits.")
        return
    for each in found:
        terminal.show(heading(each.file.name, f"{each.state} since {when(each.since)}"), *_lines(each))


def _lines(each: Summary) -> Iterator[str]:
    """Yield in words what a file holds."""
    counts = ((each.batches, "batch", "batches"), (each.runs, "run", ""), (each.points, "point", ""))
    much = joined(count(*counted) for counted in counts if counted[0])
    yield f"  {much} for {clean(each.store) or 'no store'}"
    if each.dropped:
        yield f"  {count(each.dropped, 'point')} of metrics dropped, since the spool was full"
    for reason in each.reasons[:_REASONS]:
        yield f"  {clean(reason)}"
    if more := each.reasons[_REASONS:]:
        yield f"  and {count(len(more), 'more reason')}: arangopipe spool show {each.file.name}"


def show_batches(terminal: Terminal, found: Sequence[Summary]) -> None:
    """Print each batch that waits."""
    lines = [(each, line.entry) for each in found for line in each.file.lines()]
    rows = [
        {
            "name": each.file.name,
            "store": entry.store,
            "time": times.to_text(entry.time),
            "why": entry.why,
            "dropped": entry.dropped,
            "batch": None if entry.batch is None else batch_dict(entry.batch),
        }
        for each, entry in lines
    ]
    if terminal.as_json:
        terminal.give({"items": rows})
        return
    if terminal.as_csv:
        write_rows(
            [
                {**row, "batch": entry.batch and entry.batch.id}
                for row, (_, entry) in zip(rows, lines, strict=True)
            ]
        )
        return
    if not lines:
        terminal.note("Nothing waits.")
        return
    batches = [entry.batch or Batch("", action="(damaged)") for _, entry in lines]
    show_table(
        terminal,
        [
            Column("name", [each.file.name for each, _ in lines], 1),
            Column("time", [when(entry.time) for _, entry in lines], 0),
            Column("actor", [clean(batch.actor) for batch in batches], 3),
            Column("action", [clean(batch.action) for batch in batches], 0, "cyan"),
            Column("what", [_what(batch) for batch in batches], 1),
            Column("why", [clean(entry.why) for _, entry in lines], 2),
        ],
    )


def _what(batch: Batch) -> str:
    """Return in words what a batch writes."""
    points = sum(len(points.points) for points in batch.points)
    names = {node.id: node.name for node, _ in batch.puts}
    ids = [node_id.partition("/") for node_id in dict.fromkeys(written(batch))]
    named = [f"{title(kind)} {clean(names.get(f'{kind}/{key}') or short_key(key))}" for kind, _, key in ids]
    said = joined(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
    return joined([said, count(points, "point") if points else ""])


# --- replaying -----------------------------------------------------------------------------------


def replay(terminal: Terminal, found: Sequence[Summary]) -> bool:
    """Replay files into their stores; say what came of it, and return whether all is recorded."""
    stores = dict.fromkeys(address(each.store) for each in found if each.store)
    outcomes = []
    total = sum(each.batches + each.damaged for each in found)
    with progress(terminal, "Replaying") as shown:
        done = count_up(1)
        step = (lambda: shown(next(done), total)) if shown else None
        for store in stores:
            wanted = [each for each in found if each.store and address(each.store) == store]
            outcomes.append(_replay_store(terminal, wanted, step))
    damaged = [each for each in found if not each.store]
    if terminal.as_json:
        terminal.give({"items": outcomes, "damaged": [each.file.name for each in damaged]})
    elif not found:
        terminal.note("Nothing waits.")
    else:
        for outcome in outcomes:
            _say(terminal, outcome)
    return not damaged and not any(outcome["refused"] or outcome["error"] for outcome in outcomes)


def _replay_store(
    terminal: Terminal, found: Sequence[Summary], step: Callable[[], object] | None
) -> dict[str, Any]:
    url = _url_of(terminal, found[0].store)
    outcome = {
        "store": found[0].store,
        "recorded": 0,
        "refused": 0,
        "in_use": 0,
        "reasons": [],
        "error": None,
    }
    try:
        with open_store(url) as store:
            work = Replay(store, again=True, progress=step)
            for each in found:
                if not work.file(each.file):
                    break
    except ArangopipeError as error:
        return {**outcome, "error": str(error)}
    return {
        **outcome,
        "recorded": work.recorded,
        "refused": len(work.reasons),
        "in_use": sum(each.in_use for each in found),
        "reasons": list(dict.fromkeys(work.reasons)),
        "error": None if work.failure is None else str(work.failure),
    }


def _url_of(terminal: Terminal, store: str) -> str:
    """Return the address to open: the one that was given or set may hold a password, the spool never does."""
    for known in (terminal.store, os.environ.get("ARANGOPIPE_URL")):
        if known and address(as_url(known)) == address(store):
            return as_url(known)
    return store


def _say(terminal: Terminal, outcome: dict[str, Any]) -> None:
    terminal.show(f"{clean(outcome['store'])}: {count(outcome['recorded'], 'batch', 'batches')} recorded.")
    if outcome["in_use"]:
        files_ = count(outcome["in_use"], "file")
        terminal.note(f"{files_} in use: left to the program that writes, or replays, it.")
    if outcome["refused"]:
        terminal.show(f"{count(outcome['refused'], 'batch', 'batches')} could not be recorded, and stay:")
        for reason in outcome["reasons"][:10]:
            terminal.show(f"  {clean(reason)}")
    if outcome["error"]:
        terminal.show(f"The rest waits on: {clean(outcome['error'])}")


# --- dropping ------------------------------------------------------------------------------------


def drop(terminal: Terminal, found: Sequence[Summary], dry_run: bool, yes: bool) -> None:
    """Remove files for good, once that is confirmed."""
    if used := [each.file.name for each in found if each.in_use]:
        raise Conflict(f"{joined(used)}: in use by a program that is running; end it first")
    if not terminal.as_json:
        show_list(terminal, found)
    if found and proceed(terminal, dry_run, yes):
        for each in found:
            with each.file.locked() as locked:
                if locked is None:
                    raise Conflict(f"{each.file.name}: in use by another program meanwhile")
                each.file.path.unlink()
        if not terminal.as_json:
            terminal.show("Dropped: none of it will be recorded.")
    if terminal.as_json:
        terminal.give({"items": [each.to_dict() for each in found], "dropped": not dry_run})
