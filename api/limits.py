"""Limits: how many requests a token may send, and how many of them run at a time."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Lock
from weakref import WeakValueDictionary

from api.problems import Problem

# the number of tokens, and of addresses, to remember
MOST = 10_000
# how long a request waits for others of its token to end
SECONDS_TO_WAIT = 5


class Limits:
    """A token bucket for each API token: a request takes one, the rate refills it.

    A token that was not in force when last seen has no bucket of its own, because anybody can
    invent tokens: it shares one with all such tokens from the same address.

    Of the connections to the database, a quarter is always left to other tokens.
    """

    def __init__(self, rate: int, connections: int) -> None:
        self._rate = rate
        self._at_a_time = max(1, connections * 3 // 4)
        # as long as a request runs or waits
        self._turns: WeakValueDictionary[bytes, asyncio.Semaphore] = WeakValueDictionary()
        self._lock = Lock()
        # how much is left, and when it was counted
        self._buckets: OrderedDict[bytes | str, tuple[float, float]] = OrderedDict()
        self._in_force: OrderedDict[bytes, None] = OrderedDict()

    def count(self, token: str, address: str) -> None:
        """Count a request; raises Problem if its token, or its address, sends too many."""
        token_key = _key_of(token)
        now = time.monotonic()
        with self._lock:
            is_in_force = token_key in self._in_force
            key = token_key if is_in_force else address
            left, then = self._buckets.pop(key, (float(self._rate), now))
            left = min(self._rate, left + (now - then) * self._rate)
            is_over = left < 1
            self._buckets[key] = (left if is_over else left - 1, now)
            _trim(self._buckets)
        if is_over:
            whom = "per token" if is_in_force else "with unknown tokens from one address"
            raise Problem(
                429, f"at most {self._rate} requests per second {whom}", Retry_After="1"
            )

    @asynccontextmanager
    async def turn(self, token: str) -> AsyncIterator[None]:
        """Wait for a turn and keep it during the block; raises Problem if none is free.

        A request that waits holds no thread. Only for the event loop, so it needs no lock.
        """
        turns = self._turns.setdefault(_key_of(token), asyncio.Semaphore(self._at_a_time))
        try:
            async with asyncio.timeout(SECONDS_TO_WAIT):
                await turns.acquire()
        except TimeoutError:
            raise Problem(
                429, f"at most {self._at_a_time} requests at a time per token", Retry_After="1"
            ) from None
        try:
            yield
        finally:
            turns.release()

    def remember(self, token: str, *, is_in_force: bool) -> None:
        """Note whether a token turned out to be in force."""
        key = _key_of(token)
        with self._lock:
            self._in_force.pop(key, None)
            if is_in_force:
                self._in_force[key] = None
                _trim(self._in_force)


def _key_of(token: str) -> bytes:
    """Return a hash, so that memory holds no token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _trim(
    kept: OrderedDict[bytes, None] | OrderedDict[bytes | str, tuple[float, float]],
) -> None:
    """Forget what was not used for longest, beyond the number to remember."""
    if len(kept) > MOST:
        kept.popitem(last=False)
