"""How often someone may try to log in: a few times at once, then ever more slowly."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic


class Attempts:
    """Counts attempts under keys, such as names and addresses, until one succeeds.

    The first `free` may come at once; then each has to wait twice as long as the last, up to `longest`
    seconds. What had no attempt for an hour, and the oldest of more than `known` keys, is forgotten.
    """

    def __init__(
        self,
        free: int = 5,
        longest: float = 300.0,
        known: int = 10_000,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.free = free
        self.longest = longest
        self.known = known
        self._clock = clock
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._counts)

    def begin(self, key: str) -> float:
        """Count an attempt and return 0, or return in how many seconds it may be made."""
        now = self._clock()
        with self._lock:
            count, last = self._counts.get(key, (0, now))
            if now - last > 3_600:
                count = 0
            wait = last + self._pause(count) - now
            if wait > 0:
                return wait
            self._counts[key] = (count + 1, now)
            self._counts.move_to_end(key)
            while len(self._counts) > self.known:
                self._counts.popitem(last=False)
        return 0.0

    def succeeded(self, key: str) -> None:
        """Forget the attempts under a key."""
        with self._lock:
            self._counts.pop(key, None)

    def _pause(self, count: int) -> float:
        return min(self.longest, 2.0 ** min(count - self.free, 60)) if count >= self.free else 0.0


class Seen:
    """The last `most` keys that were added."""

    def __init__(self, most: int = 10_000) -> None:
        self.most = most
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def add(self, key: str) -> None:
        """Add a key, and forget the oldest of too many."""
        with self._lock:
            self._keys[key] = None
            self._keys.move_to_end(key)
            if len(self._keys) > self.most:
                self._keys.popitem(last=False)


def network(address: str) -> str:
    """Return what counts as one client: an address, of IPv6 its network of 64 bits."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)
