"""How often one token may ask."""

import hashlib
import time
from collections import OrderedDict
from threading import Lock

from api.problems import Problem

# of how many tokens it is kept in mind
MOST_TOKENS = 10_000


class Limits:
    """A bucket for each token: it takes one to ask, and fills at the rate."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._lock = Lock()
        # what is left, and when that was
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def count(self, token: str) -> None:
        """Raise Problem where this token, known or not, asks too often."""
        # no token stays in memory
        key = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        now = time.monotonic()
        with self._lock:
            left, then = self._buckets.pop(key, (float(self._rate), now))
            left = min(self._rate, left + (now - then) * self._rate)
            is_over = left < 1
            self._buckets[key] = (left if is_over else left - 1, now)
            if len(self._buckets) > MOST_TOKENS:
                self._buckets.popitem(last=False)
        if is_over:
            raise Problem(
                429, f"at most {self._rate} requests a second for one token", Retry_After="1"
            )
