"""Values that JSON can hold."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"


def plain(value: Any) -> Any:
    """Return what numpy and torch wrap as plain Python, and None for a float that is not finite."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None
    return value


def utf8(text: str) -> str:
    """Return the text with escapes for what UTF-8 cannot hold: halves of surrogate pairs."""
    return text.encode("utf-8", "backslashreplace").decode()
