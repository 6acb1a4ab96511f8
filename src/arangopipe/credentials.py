"""What proves who asks: passwords and tokens, as they are made, hashed and compared. No store here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from arangopipe.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    from argon2 import PasswordHasher

API_TOKEN = "apt"
SESSION_TOKEN = "aps"

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1_000

_ID_BYTES = 10
_SECRET_BYTES = 32
_FORM = re.compile(r"(apt|aps)_([0-9a-f]{20})_([A-Za-z0-9_-]{43})")


class Issued(NamedTuple):
    """A new token: the key it is kept under, its text, which nobody keeps, and the hash that is kept."""

    key: str
    text: str
    digest: str

    def __repr__(self) -> str:
        return f"<Issued {self.key}>"


def issue(prefix: str = API_TOKEN) -> Issued:
    """Return a new token of 256 random bits."""
    key = os.urandom(_ID_BYTES).hex()
    secret = base64.urlsafe_b64encode(os.urandom(_SECRET_BYTES)).rstrip(b"=").decode()
    return Issued(key, f"{prefix}_{key}_{secret}", digest(secret))


def read(text: str) -> tuple[str, str] | None:
    """Return key and secret of a token, None for what is no token."""
    match = _FORM.fullmatch(text)
    return None if match is None else (match[2], match[3])


def key_of(text: str) -> str:
    """Return the key in a token's id, its key, or the token itself, so that no secret goes further."""
    if not isinstance(text, str):
        raise InvalidInput(f"a token is named by its key, a text, not by {type(text).__name__}")
    match = re.match(r"(?:apt|aps)_([^_]*)", text)
    return text.removeprefix("tokens/") if match is None else match[1]


def digest(secret: str) -> str:
    """Return what is kept of a secret of 256 random bits, which is too many to try."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(secret: str, kept: str) -> bool:
    """Whether a secret is the one of a hash, in a time that tells nothing."""
    return hmac.compare_digest(digest(secret), kept)


def csrf_token(secret: str) -> str:
    """Return what proves that a request comes from a page that this session was shown."""
    return hmac.new(secret.encode(), b"arangopipe csrf", hashlib.sha256).hexdigest()


def check_password(password: object) -> str:
    """Return a password that may be set, or raise `InvalidInput` without repeating it."""
    if not isinstance(password, str):
        raise InvalidInput(f"a password must be a text, not {type(password).__name__}")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise InvalidInput(
            f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD:,} characters, not {len(password)}"
        )
    try:
        password.encode()
    except UnicodeEncodeError:
        raise InvalidInput("the password contains half of a surrogate pair") from None
    return password


def hash_password(password: object) -> str:
    """Return the argon2id hash of a password."""
    return _hasher().hash(check_password(password))


def verify_password(password: str, kept: str | None) -> bool:
    """Whether a password is that of a hash; without a hash it takes as long, and is not."""
    hasher = _hasher()
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        hasher.verify(kept or _nobody(), password)
    except (InvalidHashError, UnicodeEncodeError, VerificationError):
        return False
    return kept is not None


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    try:
        from argon2 import PasswordHasher
    except ImportError as error:
        raise MissingExtra("argon2-cffi", "server") from error
    return PasswordHasher()


@lru_cache(maxsize=1)
def _nobody() -> str:
    """Return the hash of a password that nobody has."""
    return _hasher().hash(os.urandom(32).hex())
