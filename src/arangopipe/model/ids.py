"""Keys, names and references: how a thing is identified at the boundary."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import threading
import time

from arangopipe.errors import InvalidInput

KEY_LENGTH = 26
MAX_NAME = 1_000

_KEY = re.compile(r"[A-Za-z0-9_\-:.@()+,=;$!*'%]{1,254}\Z")
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
_lock = threading.Lock()
_last = 0


def uuid7() -> str:
    """Return a new UUIDv7 text (RFC 9562); within a process each is greater than the last."""
    global _last
    with _lock:
        # 48 bits of milliseconds and 12 of their fraction: method 3 of RFC 9562, section 6.2.
        nanoseconds = time.time_ns()
        stamp = (nanoseconds // 1_000_000 << 12) | (nanoseconds % 1_000_000 << 12) // 1_000_000
        _last = stamp = max(stamp, _last + 1)
    low = int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    time_, rest = f"{stamp >> 12:012x}", f"{low:016x}"
    return f"{time_[:8]}-{time_[8:]}-7{stamp & 0xFFF:03x}-{rest[:4]}-{rest[4:]}"


def named_key(kind: str, project: str, name: str, version: str) -> str:
    """Return the key of a named node: 26 characters of base32(sha256(kind, project, name, version)).

    Clients on any engine, online or not, derive the same key, so the primary key is the
    uniqueness rule.
    """
    text = json.dumps([kind, project, name, version], ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    return base64.b32encode(digest).decode()[:KEY_LENGTH].lower()


def split_id(text: str) -> tuple[str, str]:
    """Return (kind, key) of an id such as ``run/0192…``."""
    kind, slash, key = text.partition("/")
    if not slash or not kind or not key:
        raise InvalidInput(f"{text!r} is not an id: ids look like 'kind/key'")
    return kind, key


def check_key(key: str) -> str:
    """Return a key given by the user, or raise `InvalidInput`."""
    if not isinstance(key, str) or not _KEY.match(key):
        raise InvalidInput(
            f"key {key!r} cannot be used: keys have 1 to 254 ASCII letters, digits or any of _-:.@()+,=;$!*'%"
        )
    return key


def check_name(name: object, what: str) -> str:
    """Return a name that every engine can hold, or raise `InvalidInput` saying what is wrong."""
    if not isinstance(name, str):
        raise InvalidInput(f"{what} must be a text, not {type(name).__name__} ({name!r})")
    if not name.strip():
        raise InvalidInput(f"{what} is empty: give it a name")
    if len(name) > MAX_NAME:
        raise InvalidInput(f"{what} has {len(name)} characters; {MAX_NAME} are allowed")
    if "\x00" in name:
        raise InvalidInput(f"{what} {name!r} contains a NUL character")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(f"{what} {name!r} contains half of a surrogate pair") from error
    return name


def check_kind_name(name: object) -> str:
    """Return the name of an own kind, or raise `InvalidInput`."""
    text = check_name(name, "the name of a kind")
    if not _ATTRIBUTE.match(text):
        raise InvalidInput(
            f"{text!r} cannot name a kind: use a letter, then up to 63 letters, digits, _ or -"
        )
    return text
