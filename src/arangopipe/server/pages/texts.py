"""Values as a page shows them: what templates call with ``|``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup, escape

from arangopipe import words
from arangopipe.errors import InvalidInput
from arangopipe.model import times

MISSING = Markup('<span class="missing">–</span>')

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_LONGEST = 120
_INLINE = 70
_EXACT = 8


def number(value: Any) -> str:
    """Return a number with five significant digits; anything else as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return words.number(value)


def thousands(value: int) -> str:
    """Return a whole number with separators."""
    return f"{value:,}"


def moment(value: str | datetime | None, ago: bool = False) -> Markup:
    """Return a time: its UTC form, which the browser turns into its own zone's, and UTC in the title.

    With `ago` the browser says of what is not long past how long ago it was.
    """
    if value is None:
        return MISSING
    try:
        known = times.parse(value)
    except InvalidInput:
        return escape(value)
    text, since = times.to_text(known), " data-ago" if ago else ""
    day, hour = text[:10], text[11:19]
    return Markup(f'<time datetime="{text}" title="{day} {hour} UTC"{since}>{day} {hour[:5]} UTC</time>')


def took(seconds: float | None) -> Any:
    """Return a length of time in one or two units."""
    return MISSING if seconds is None else words.length(timedelta(seconds=seconds))


def cell(value: Any, ago: bool = False) -> Any:
    """Return any recorded value as it stands in a table; of times, with `ago`, how long ago they were."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, str):
        return moment(value, ago) if _TIME.fullmatch(value) else shortened(value)
    return shortened(json.dumps(value, ensure_ascii=False))


def plain(value: Any) -> Any:
    """Return a value as one line, its numbers without padding, small lists as they are written."""
    if isinstance(value, float) and math.isfinite(value):
        exact = repr(value)
        return exact if len(exact) <= _EXACT else f"{value:.6g}"
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return cell(value)


def is_nested(value: Any) -> bool:
    """Whether a value is shown as a branch of a tree, not on one line."""
    if isinstance(value, dict):
        return bool(value)
    if not isinstance(value, list):
        return False
    simple = not any(isinstance(each, (dict, list)) for each in value)
    return not simple or len(json.dumps(value)) > _INLINE


def shortened(value: str, longest: int = _LONGEST) -> Any:
    """Return a text cut to a length, whole in its title."""
    if len(value) <= longest:
        return value
    return Markup('<span title="{}">{}</span>').format(value[:2_000], words.shortened(value, longest))


def is_number(value: Any) -> bool:
    """Whether a value lines up with numbers."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def label(thing: Mapping[str, Any]) -> str:
    """Return what a person calls a thing: its name and version, or the end of its key."""
    name = thing.get("name") or words.short_key(thing["key"])
    version = thing.get("version") or ""
    return f"{name}@{version}" if version not in ("", "1") else name


def pretty(value: Any) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2)


SAID = {
    "logout": "You are logged out.",
    "password": "Your password is changed, and your other sessions are ended.",
    "register-user": "{} is registered.",
    "set-password": "The password of {} is set; their sessions are ended.",
    "disable": "{} is disabled; their tokens and sessions are ended.",
    "enable": "{} is enabled.",
    "grant-admin": "{} now administers the store.",
    "revoke-admin": "{} no longer administers the store.",
    "grant": "The role is given: {}.",
    "revoke": "The role is taken away: {}.",
    "revoke-token": "The token {} is ended.",
    "end-session": "The session is ended.",
    "register-project": "Project {} is registered.",
    "describe": "Project {} is described anew.",
    "register-node-kind": "The kind {} is registered.",
    "register-edge-kind": "The kind of edge {} is registered.",
    "delete-kind": "The kind {} is deleted.",
    "deploy": "{} is deployed.",
    "schedule": "{} is scheduled.",
    "activate": "{} is active.",
    "archive": "{} is archived.",
}
"""What a page says when something was done, by act."""


def done(query: Mapping[str, str]) -> str:
    """Return what was done before a page was shown, "" where nothing was."""
    return SAID.get(query.get("done", ""), "").format(words.shortened(query.get("about", ""), 80))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "ago": lambda value: moment(value, ago=True),
    "brief": words.brief,
    "bytes": words.bytes_of,
    "cell": cell,
    "counted": lambda what, how_many: words.count(how_many, what),
    "is_number": is_number,
    "cut": words.shortened,
    "is_nested": is_nested,
    "plain": plain,
    "label": label,
    "moment": moment,
    "number": number,
    "pretty": pretty,
    "short_key": words.short_key,
    "shortened": shortened,
    "thousands": thousands,
    "took": took,
    "title_of": words.title,
    "things": words.things,
}
