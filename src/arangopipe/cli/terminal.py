"""Where a command reads and writes: the store it opens, its two streams, plain or as JSON."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import click

from arangopipe.errors import StoreUnavailable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from arangopipe.pipe import ArangoPipe

UNBOUNDED = 10_000
"""The width of output that no terminal shows: nothing is cut off in files and pipes."""

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_SPACED = str.maketrans({**_CONTROLS, 9: " ", 10: " ", 13: " "})


@dataclass
class Terminal:
    """What the options that every command has were set to, and what follows from them."""

    store: str | None = None
    as_json: bool = False
    as_csv: bool = False
    no_color: bool = False

    @cached_property
    def out(self) -> Console:
        """Standard output."""
        return self._console(stderr=False)

    @cached_property
    def err(self) -> Console:
        """Standard error: what is said beside the answer."""
        return self._console(stderr=True)

    def _console(self, stderr: bool) -> Console:
        from rich.console import Console

        console = Console(
            stderr=stderr,
            highlight=False,
            markup=False,
            emoji=False,
            color_system=None if self.plain else "auto",
        )
        if not console.is_terminal and "COLUMNS" not in os.environ:
            console.width = UNBOUNDED
        return console

    @property
    def plain(self) -> bool:
        """Whether colours are switched off."""
        return self.no_color or bool(os.environ.get("NO_COLOR"))

    def show(self, *things: RenderableType) -> None:
        """Print the answer, for people; the terminal wraps what is text, everything else itself."""
        from rich.text import Text

        for thing in things:
            self.out.print(thing, soft_wrap=isinstance(thing, (str, Text)))

    def note(self, text: str) -> None:
        """Print a remark on standard error, so that it is no part of the answer."""
        self.err.print(clean(text), style="dim", soft_wrap=True)

    def give(self, value: Any) -> None:
        """Print the answer as one JSON document."""
        encoding = (sys.stdout.encoding or "ascii").lower()
        click.echo(json.dumps(value, ensure_ascii=not encoding.startswith("utf"), indent=2))

    # --- the store -------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The address of the store: as given, from the environment, or the default."""
        from arangopipe.store.settings import DEFAULT_URL

        return as_url(self.store or os.environ.get("ARANGOPIPE_URL") or DEFAULT_URL)

    @property
    def path(self) -> Path | None:
        """The file of the store, where it is one."""
        match = re.match(r"sqlite:///([^?]+)", self.url)
        return Path(unquote(match[1])).expanduser() if match else None

    def exists(self) -> bool:
        """Whether the store is there; of one that is no file, only opening it tells."""
        try:
            return self.path is None or self.path.exists()
        except OSError:
            return False

    @property
    def place(self) -> str:
        """The store, in the words a user would write, without a password."""
        from arangopipe.store.settings import absolute

        return absolute(self.url) if self.path is None else str(self.path)

    @property
    def argument(self) -> str:
        """What names this store on a command line; empty where nothing needs to."""
        if self.store is None:
            return ""
        import shlex

        return f" --store {shlex.quote(self.store)}"

    @contextmanager
    def pipe(
        self, create: bool = False, project: str | None = None, quietly: bool = False
    ) -> Iterator[ArangoPipe]:
        """Open the store; one that is not there is made only if `create`.

        What waits for it in the spool is not replayed, so that reading writes nothing; unless `quietly`, that
        something waits is said in the end.
        """
        from arangopipe.pipe import ArangoPipe
        from arangopipe.spool.files import files
        from arangopipe.store import open_store

        if not create and not self.exists():
            raise StoreUnavailable(
                f"there is no store at {self.place}\n"
                f"Make one with 'arangopipe init{self.argument}', see one with 'arangopipe demo', "
                "or name another with --store."
            )
        with open_store(self.url) as store:
            yield ArangoPipe(store, project=project)
        if not quietly and files(self.url, refused=False):
            self.note(f"Not all is in {self.place} yet, some waits in the spool: arangopipe spool replay")


def as_url(store: str) -> str:
    """Return the address of a store that is given by its address, as the path of a file, or as ``legacy``."""
    if store == "legacy":
        from arangopipe.compat import databases

        return databases.last().url
    from arangopipe.store.settings import url_of

    return store if "://" in store else url_of(store)


def clean(text: str) -> str:
    """Return text from a store as one harmless line: control characters cannot reach the terminal."""
    return text.translate(_SPACED)


def pass_terminal(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command its `Terminal` as the first argument."""
    return click.make_pass_decorator(Terminal, ensure=True)(function)
