"""Stretches of time as people name them: a year, a month, a day, or one moment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from arangopipe.errors import InvalidInput
from arangopipe.model import times

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
_NAMED = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")


@dataclass(frozen=True)
class Span:
    """The time from `start` to before `end`, or one moment, where both are it; in UTC."""

    start: datetime
    end: datetime
    words: str

    @property
    def moment(self) -> bool:
        """Whether it is one moment."""
        return self.start == self.end

    def meets(self, start: datetime | None, end: datetime | None) -> bool:
        """Whether a stretch that is open where it has no start or end lies in it at least in part."""
        began = start is None or (start <= self.start if self.moment else start < self.end)
        return began and (end is None or end > self.start)


def parse(text: str) -> Span:
    """Return what ``2026``, ``2026-10``, ``2026-10-15`` or a time means; UTC where no zone is said."""
    said = text.strip()
    named = _NAMED.fullmatch(said)
    try:
        if named is None:
            return _moment(said)
        year, month, day = (int(part) if part else None for part in named.groups())
        return _named(year or 0, month, day)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"{text!r:.40} is no time: write 2026, 2026-10, 2026-10-15 or 2026-10-15T12:00"
        ) from error


def _named(year: int, month: int | None, day: int | None) -> Span:
    start = datetime(year, month or 1, day or 1, tzinfo=timezone.utc)
    if day is not None:
        return Span(start, start + timedelta(days=1), f"on {day_text(start)}")
    if month is not None:
        return Span(start, following(start), f"in {_MONTHS[month - 1]} {year}")
    return Span(start, start.replace(year=year + 1), f"in {year}")


def _moment(text: str) -> Span:
    known = datetime.fromisoformat(f"{text[:-1]}+00:00" if text[-1:] in ("Z", "z") else text)
    zoned = known if known.tzinfo is not None else known.replace(tzinfo=timezone.utc)
    moment = zoned.astimezone(timezone.utc)
    return Span(moment, moment, f"at {moment:%H:%M} UTC on {day_text(moment)}")


def day_text(moment: datetime) -> str:
    """Return the day of a moment in words, in UTC."""
    known = moment.astimezone(timezone.utc)
    return f"{known.day} {_MONTHS[known.month - 1]} {known.year}"


def short_day(moment: datetime) -> str:
    """Return the day of a moment with a short month, in UTC."""
    known = moment.astimezone(timezone.utc)
    return f"{known.day} {_MONTHS[known.month - 1][:3]} {known.year}"


def following(month: datetime) -> datetime:
    """Return the first moment of the month after the one of a moment."""
    year, index = divmod(month.year * 12 + month.month, 12)
    return month.replace(year=year, month=index + 1, day=1, hour=0, minute=0, second=0, microsecond=0)


def months(first: datetime, last: datetime, most: int) -> Sequence[tuple[str, str]]:
    """Return the last months of a time, each as it is written and in words, the earliest first."""
    month = first.astimezone(timezone.utc).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    least = last - timedelta(days=31 * (most + 1))
    found = []
    while month <= last:
        if month >= least:
            found.append((f"{month:%Y-%m}", f"{_MONTHS[month.month - 1][:3]} {month.year}"))
        month = following(month)
    return found[-most:]


def text(moment: datetime | None) -> str | None:
    """Return a time as text, None for none."""
    return None if moment is None else times.to_text(moment)
