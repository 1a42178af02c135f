"""Rate limit: how many requests one token may send."""

import hashlib
import time
from collections import OrderedDict
from threading import Lock

from api.problems import Problem

# the number of tokens to remember
MOST_TOKENS = 10_000


class Limits:
    """A token bucket for each API token: a request takes one, the rate refills it."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._lock = Lock()
        # how much is left, and when it was counted
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def count(self, token: str) -> None:
        """Count a request; raises Problem if this token, known or not, sends too many."""
        # keep only a hash of the token in memory
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
                429, f"at most {self._rate} requests per second per token", Retry_After="1"
            )
