"""Times: timezone-aware UTC in Python, RFC 3339 text with microseconds in documents."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone

from arangopipe.errors import InvalidInput, StoreError

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(timezone.utc)


def to_text(moment: datetime) -> str:
    """Return RFC 3339 text in UTC with microseconds, such as ``2026-11-23T09:30:00.000000Z``."""
    if moment.tzinfo is not timezone.utc:
        moment = moment.astimezone(timezone.utc)
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def to_microseconds(moment: datetime) -> int:
    """Return microseconds since 1970 in UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Return the UTC time that many microseconds after 1970; raises `StoreError` for none there can be."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError as error:
        raise StoreError(f"a recorded time is damaged: {microseconds} microseconds") from error


def parse(value: object, what: str = "time") -> datetime:
    """Return an aware UTC time from a datetime, a date, ISO 8601 text or Unix seconds.

    A time without a zone is local time, as in Python's own `datetime.astimezone`.
    """
    if isinstance(value, datetime):
        if value.tzinfo is timezone.utc:
            return value
        moment = value
    elif isinstance(value, date):
        moment = datetime.combine(value, time())
    elif isinstance(value, str):
        moment = _parse_text(value, what)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        moment = _EPOCH
        try:
            moment = _EPOCH + timedelta(seconds=value)
        except (OverflowError, ValueError) as error:
            raise InvalidInput(f"{what} {value!r} is out of range") from error
    else:
        raise InvalidInput(f"{what} must be a time, not {type(value).__name__} ({value!r})")
    try:
        return moment.astimezone(timezone.utc)
    except (OverflowError, ValueError) as error:
        raise InvalidInput(f"{what} {value!r} is out of range") from error


def _parse_text(text: str, what: str) -> datetime:
    try:
        return datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in "Zz" else text)
    except ValueError as error:
        raise InvalidInput(
            f"{what} {text!r} is not a time: write 2026-11-23 or 2026-11-23T09:30:00Z"
        ) from error
