"""Values and amounts in words: short numbers, lengths of time, what things are called."""

from __future__ import annotations

import math
from datetime import timedelta

from arangopipe.model.vocabulary import NODE_KINDS, RESERVED_KINDS

SHORT_KEY = 8
WHOLE_KEY = 12
MISSING = "–"

_TITLES = {
    "modelparams": "set of parameters",
    "devperf": "development result",
    "servingperf": "serving period",
    "kinds": "own kind",
}


def length(span: timedelta | None) -> str:
    """Return a length of time in one or two units; none is what nobody measured."""
    if not span:
        return MISSING
    seconds = span.total_seconds()
    if seconds < 9.95:
        return f"{seconds:.2g} s" if seconds >= 0.0995 else f"{seconds * 1000:.0f} ms"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7_200:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 172_800:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86_400} days"


def number(value: float) -> str:
    """Return a number with five significant digits; whole numbers as they are."""
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    if value != 0 and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.4e}"
    return f"{value:#.5g}".rstrip(".")


def brief(value: float) -> str:
    """Return a number with about four digits."""
    if isinstance(value, int) or not math.isfinite(value):
        return number(value)
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def shortened(text: str, longest: int) -> str:
    """Return a text cut to a length."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def count(how_many: int, one: str, many: str = "") -> str:
    """Return how many of something there are, in words."""
    return f"{how_many:,} {one if how_many == 1 else many or f'{one}s'}"


def title(kind: str) -> str:
    """Return what one thing of a kind is called."""
    known = NODE_KINDS.get(kind) or RESERVED_KINDS.get(kind)
    return _TITLES.get(kind) or (known.singular if known else kind)


def things(kind: str, how_many: int) -> str:
    """Return how many things of a kind there are, in words."""
    return count(how_many, title(kind), "sets of parameters" if kind == "modelparams" else "")


def short_key(key: str) -> str:
    """Return the end of a key, which is enough to name a thing; short keys whole."""
    return key if len(key) <= WHOLE_KEY else key[-SHORT_KEY:]


def bytes_of(size: int) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit, least in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= least:
            return f"{size / least:.3g} {unit}" if size < 1000 * least else f"{size / least:,.0f} {unit}"
    return f"{size} B"
