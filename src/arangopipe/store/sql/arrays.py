"""Many values as one parameter of PostgreSQL: the text of an array, which the driver passes on as it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def array(items: Iterable[Any]) -> str:
    """Return the text of an array of integers, numbers, booleans, texts or bytes, with None among them."""
    return f"{{{','.join([_item(item) for item in items])}}}"


def _item(item: Any) -> str:
    kind = type(item)
    if kind is str:
        if '"' in item or "\\" in item:
            item = item.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{item}"'
    if kind is int or kind is float:
        return repr(item)
    if item is None:
        return "NULL"
    if kind is bytes:
        return f'"\\\\x{item.hex()}"'
    return str(item)
