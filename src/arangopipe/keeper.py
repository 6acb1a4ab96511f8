"""What a run does with values that cannot be recorded as they are: text and a warning, or an error."""

from __future__ import annotations

import operator
import sys
import time as clock
import warnings
from collections.abc import Mapping
from typing import Any

from arangopipe.errors import InvalidInput
from arangopipe.model import documents, times
from arangopipe.model.ids import MAX_NAME, check_name
from arangopipe.record import Time, named

MAX_STEP = 2**63 - 1
_TEXT_KEPT = 1_000


class ArangopipeWarning(UserWarning):
    """Something could not be recorded as it was given."""


class Keeper:
    """Turns what is logged into what can be recorded.

    Strict, it raises `InvalidInput` for what cannot be; else it keeps that as text and warns once
    about each thing.
    """

    def __init__(self, run: str, strict: bool) -> None:
        self.strict = strict
        self._run = run
        self._warned: set[str] = set()

    def mapping(self, values: Any, what: str) -> dict[str, Any]:
        """Return a plain copy of a mapping."""
        items = [(self.name(name, what), value) for name, value in self.items(values, what)]
        return {name: self.value(name, value, what) for name, value in items}

    def items(self, values: Any, what: str) -> list[tuple[Any, Any]]:
        """Return the items of a mapping; of anything else one without a name."""
        if isinstance(values, Mapping):
            return list(values.items())
        self.refuse(f"{what} must be a mapping, not {type(values).__name__}", what)
        return [("unnamed", values)]

    def value(self, name: str, value: Any, what: str) -> Any:
        """Return the value of that name as JSON holds it; in metrics NaN and infinities are fine."""
        try:
            plain = named(value) if what == "metrics" else value
            warn = None if self.strict else self._warn
            return documents.normalise({name: plain}, what, warn)[name]
        except Exception as error:
            # The one boundary: whatever a foreign object does must not stop the training.
            if self.strict:
                raise
            self._warn(f"{what}.{name}: {error}; kept as text")
            return _text(value)

    def name(self, name: Any, what: str) -> str:
        """Return a name that can be recorded."""
        try:
            text = check_name(str(name), f"a name in {what}")
            if text.startswith("_"):
                raise InvalidInput(f"{what}.{text}: names starting with '_' are reserved")
        except InvalidInput as error:
            kept = _text(name, MAX_NAME).replace("\0", "").strip().lstrip("_") or "unnamed"
            self.refuse(f"{error}; kept as {kept!r}", f"{what} {kept}")
            return kept
        return text

    def number(self, value: Any) -> int | float | None:
        """Return a number, or the one in an array or tensor, as a plain one; None for anything else."""
        if isinstance(value, (bool, str, bytes)):
            return None
        try:
            item = value.item() if hasattr(value, "item") else value
            if isinstance(item, bool) or not hasattr(type(item), "__float__"):
                return None
            number = float(item)
            return int(item) if isinstance(item, int) else number
        except Exception:  # the boundary again: it is then kept as any other value
            return None

    def step(self, name: str, step: Any) -> int | None:
        """Return a step as a whole number of 64 bits."""
        if step is None:
            return None
        try:
            number = int(step) if isinstance(step, float) and step.is_integer() else operator.index(step)
            if abs(number) > MAX_STEP:
                raise OverflowError(number)
        except (TypeError, OverflowError):
            said = f"metrics.{name}: step {step!r:.80} is no whole number of 64 bits"
            self.refuse(f"{said}; left out", f"step of {name}")
            return None
        return number

    def time(self, name: str, time: Time | None) -> int:
        """Return a time in nanoseconds since 1970, by default now."""
        if time is not None:
            try:
                return times.to_microseconds(times.parse(time)) * 1_000
            except InvalidInput as error:
                self.refuse(f"metrics.{name}: {error}; taken as now", f"time of {name}")
        return clock.time_ns()

    def refuse(self, message: str, about: str | None = None) -> None:
        """Raise or, not being strict, warn."""
        if self.strict:
            raise InvalidInput(message)
        self._warn(message, about)

    def _warn(self, message: str, about: str | None = None) -> None:
        thing = about or message.partition(":")[0]
        if thing not in self._warned:
            self._warned.add(thing)
            warn(f"{self._run}: {message}")


def warn(message: str) -> None:
    """Warn about the line of the caller's own code."""
    frame, level = sys._getframe(1), 2
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("arangopipe."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, ArangopipeWarning, stacklevel=level)


def _text(value: Any, longest: int = _TEXT_KEPT) -> str:
    try:
        text = value if isinstance(value, str) else repr(value)
        return text.encode(errors="backslashreplace").decode()[:longest]
    except Exception:  # a broken __repr__
        return f"<{type(value).__name__}>"
