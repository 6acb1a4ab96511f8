"""What `arangopipe doctor` looks at: the installation, the settings, the store, and what goes on in it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.text import Text

from arangopipe import __version__
from arangopipe.audit import verify
from arangopipe.cli.bars import progress
from arangopipe.cli.tables import write_rows
from arangopipe.cli.terminal import Terminal, clean
from arangopipe.cli.words import joined, when
from arangopipe.deployments import every, last_serving
from arangopipe.details import stale
from arangopipe.errors import ArangopipeError, StoreUnavailable
from arangopipe.model import times
from arangopipe.model.entities import Run
from arangopipe.references import listed
from arangopipe.spool.files import files
from arangopipe.spool.overview import summary
from arangopipe.store import inspection
from arangopipe.store.abilities import Condition, Maintenance
from arangopipe.store.settings import SETTINGS, absolute, disabled
from arangopipe.words import count, short_key

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe

UNMEASURED = timedelta(days=7)
"""So long a deployment may serve before somebody should have measured how."""

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "bold red")}


def conditions(terminal: Terminal, quick: bool) -> Iterator[Condition]:
    """Yield the outcome of each check, as it is known."""
    yield _versions()
    yield _extras()
    yield _settings()
    yield _spool()
    yield from _of_store(terminal, quick)


def _versions() -> Condition:
    said = f"arangopipe {__version__}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return Condition("versions", "ok", said)


def _extras() -> Condition:
    """Say which extras are installed whole."""
    try:
        needs = importlib.metadata.requires("arangopipe") or []
    except importlib.metadata.PackageNotFoundError:
        return Condition(
            "extras", "warn", "arangopipe runs from a folder, it is not installed", "pip install ."
        )
    extras: dict[str, list[str]] = {}
    for need in needs:
        name = re.match(r"[\w.-]+", need)
        extra = re.search(r"extra == ['\"]([\w.-]+)['\"]", need)
        if name and extra and name[0] != "arangopipe" and extra[1] != "all":
            extras.setdefault(extra[1], []).append(name[0])
    here = sorted(extra for extra, names in extras.items() if all(map(_installed, names)))
    missing = joined(sorted(extras.keys() - set(here)))
    said = f"{joined(here) or 'none'}{f'; not installed: {missing}' if missing else ''}"
    return Condition("extras", "ok", said)


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _shown(name: str, value: str) -> str:
    """Return a setting as anyone may read it."""
    if name.endswith(("_TOKEN", "_PASSWORD")):
        return "…"
    return absolute(value) if name.endswith("_URL") and "://" in value else value


def _settings() -> Condition:
    set_ = [f"{name}={_shown(name, os.environ[name])}" for name in SETTINGS if os.environ.get(name)]
    said = ", ".join(map(clean, set_)) or "none is set"
    if disabled():
        return Condition("settings", "warn", said, "unset ARANGOPIPE_DISABLED: nothing is recorded")
    return Condition("settings", "ok", said)


def _spool() -> Condition:
    """Say what waits on disk for a store that was away, whichever that is."""
    try:
        found = [each for each in map(summary, files()) if not each.in_use]
    except OSError as error:
        return Condition("spool", "fail", f"it cannot be read: {error}", "mend the permissions of its folder")
    if not found:
        return Condition("spool", "ok", "nothing waits")
    runs = sum(each.runs for each in found)
    batches = sum(each.batches for each in found)
    said = f"waiting: {count(batches, 'batch', 'batches')} of {count(runs, 'run')}"
    refused = sum(each.state == "refused" for each in found)
    if refused:
        more = f"{said}; {count(refused, 'file')} was refused by its store"
        return Condition("spool", "warn", more, "arangopipe spool list")
    return Condition("spool", "warn", said, "arangopipe spool replay")


def _of_store(terminal: Terminal, quick: bool) -> Iterator[Condition]:
    try:
        look = inspection(terminal.url)
    except ArangopipeError as error:
        yield Condition("store", "fail", str(error), "correct --store or ARANGOPIPE_URL")
        return
    if not terminal.exists():
        yield Condition(
            "store", "fail", f"there is none at {terminal.place}", f"arangopipe init{terminal.argument}"
        )
        return
    known = [] if look is None else list(look.conditions())
    yield from known
    if any(condition.name in ("file", "schema") and condition.state != "ok" for condition in known):
        return  # to open it would fail, or upgrade it
    try:
        with terminal.pipe(quietly=True) as pipe:
            pipe.store.head()  # a server that is away does not keep its store from being opened
            yield Condition("store", "ok", f"{terminal.place} opens")
            yield from _kinds(pipe)
            if not quick:
                yield _structures(terminal, pipe)
                yield _chain(terminal, pipe)
            yield _runs(pipe)
            yield from _deployments(pipe)
    except (ArangopipeError, StoreUnavailable) as error:
        yield Condition("store", "fail", str(error))


def _kinds(pipe: ArangoPipe) -> Iterator[Condition]:
    """Name own kinds of an older version that Arangopipe now needs for itself."""
    if passed := pipe.store.vocabulary().passed_over:
        said = f"own kinds that are now reserved: {listed(passed)}; what was recorded of them is kept, unused"
        yield Condition("kinds", "warn", said, "register a kind of another name for it")


def _structures(terminal: Terminal, pipe: ArangoPipe) -> Condition:
    if not isinstance(pipe.store, Maintenance):
        return Condition("structures", "ok", f"{pipe.store.url} checks itself")
    with progress(terminal, "Checking structures"):
        found = list(pipe.store.check())
    if found:
        said = f"{count(len(found), 'problem')}: {listed(found)}"
        return Condition("structures", "fail", said, "keep a copy of the file and restore a backup")
    return Condition("structures", "ok", "they agree with each other")


def _chain(terminal: Terminal, pipe: ArangoPipe) -> Condition:
    if pipe.store.restricted:
        return Condition("audit chain", "ok", "an administrator of the store can verify it")
    with progress(terminal, "Verifying changes") as tell:
        found = verify(pipe.store, tell)
    if found.ok:
        said = f"{count(found.changes, 'change')}, head {found.head[:12]}" if found.head else "no change yet"
        return Condition("audit chain", "ok", said)
    return Condition(
        "audit chain", "fail", f"first bad entry: {found.problems[0]}", "arangopipe audit verify"
    )


def _runs(pipe: ArangoPipe) -> Condition:
    running = [run for run in pipe.iterate("run", "status = 'running'") if isinstance(run, Run)]
    silent = stale(pipe, running)
    old = [run for run in running if run.id in silent]
    if not old:
        said = f"{count(len(running), 'run')} running, none stale" if running else "none is running"
        return Condition("runs", "ok", said)
    names = listed([run.name or short_key(run.key) for run in old])
    said = f"{count(len(old), 'run')} said to be running, but silent for ten minutes: {names}"
    return Condition("runs", "warn", said, "arangopipe runs \"status = 'running'\"")


def _deployments(pipe: ArangoPipe) -> Iterator[Condition]:
    now = times.now()
    known = list(every(pipe.store))
    live = [one for one in known if one.live_at(now)]
    measured = last_serving(pipe.store, live)
    silent = [
        one
        for one in live
        if one.id not in measured and one.active_from is not None and now - one.active_from > UNMEASURED
    ]
    if silent:
        tags = listed([f"{clean(one.tag)} (since {when(one.active_from, False)})" for one in silent])
        said = f"{count(len(silent), 'live deployment')} without serving performance: {tags}"
        yield Condition("deployments", "warn", said, "pipe.log_serving_perf(tag, …), to know how it does")
    else:
        yield Condition(
            "deployments", "ok", f"{len(live)} live, all measured or new" if live else "none is live"
        )
    overdue = [one for one in known if one.status == "scheduled" and one.scheduled and one.scheduled < now]
    if overdue:
        said = f"{listed([f'{clean(one.tag)} was due {when(one.scheduled, False)}' for one in overdue])}"
        yield Condition("schedule", "warn", said, f"arangopipe deploy {clean(overdue[0].tag)} --activate")


def show(terminal: Terminal, condition: Condition) -> None:
    """Print one outcome, with what to do about it."""
    mark, style = _MARKS[condition.state]
    first, *more = clean_lines(condition.said)
    terminal.show(Text.assemble((mark, style), f" {condition.name:<12} ", first))
    for line in more:
        terminal.show(Text(f"{' ' * 15}{line}"))
    if condition.advice:
        terminal.show(Text(f"{' ' * 15}→ {condition.advice}", style="cyan"))


def clean_lines(text: str) -> list[str]:
    """Return the lines of a text, each harmless to a terminal."""
    return [clean(line) for line in text.splitlines()] or [""]


def write(found: Sequence[Condition]) -> None:
    """Print the outcomes as CSV."""
    write_rows([condition._asdict() for condition in found])


def sum_up(terminal: Terminal, found: Sequence[Condition]) -> None:
    """Print how many checks failed."""
    states = [condition.state for condition in found]
    if "fail" in states:
        terminal.show("", Text(f"{count(states.count('fail'), 'check')} failed.", style="bold red"))
    elif "warn" in states:
        terminal.show("", Text(f"No check failed; {count(states.count('warn'), 'warning')}.", style="yellow"))
    else:
        terminal.show("", Text("Everything is all right.", style="green"))
