"""How much a caller may ask for in a while: a bucket of calls that fills again evenly, the same for all workers of a service."""

from __future__ import annotations

import math
import mmap
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BUCKETS = 16_384  # that are remembered
PLACES = 8  # where one caller's bucket may be; when all of them are others', the fullest is given up, which holds the least


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a call is allowed, how many more are, in how many seconds the next one is, and all of them again."""

    allowed: bool
    left: int
    next: int
    whole: int


class Buckets:
    """Buckets in memory that processes forked from this one share, without a lock: of two calls of one caller in the same microsecond one may be free."""

    def __init__(self) -> None:
        memory = memoryview(mmap.mmap(-1, 3 * 8 * BUCKETS))  # whose each is, how much is left, since when
        size = BUCKETS * 8
        self.whose: memoryview[int] = memory[:size].cast("q")
        self.left: memoryview[float] = memory[size : 2 * size].cast("d")
        self.since: memoryview[float] = memory[2 * size :].cast("d")


class Limit:
    """``quota`` calls in ``window`` seconds for each caller. The clock is one for all processes."""

    def __init__(self, quota: int, window: float = 60.0, clock: Callable[[], float] = time.monotonic, buckets: Buckets | None = None) -> None:
        self.quota, self.window, self._clock = quota, window, clock
        self._buckets, self._rate = buckets or Buckets(), quota / window

    def take(self, who: str) -> Standing:
        """Count a call of ``who``; one that is not allowed costs nothing.

        >>> limit = Limit(2, 60, lambda: 0.0)
        >>> [limit.take("热线").allowed for _ in range(3)], limit.take("信箱").left
        ([True, True, False], 1)
        """
        now = self._clock()
        place = self._place(hash(who) or 1, now)  # the same in processes that are forked from one; 0 is nobody's
        left = self._left(place, now)
        allowed = left >= 1
        left -= allowed
        self._buckets.left[place], self._buckets.since[place] = left, now
        return Standing(allowed, int(left), math.ceil(max(0.0, 1 - left) / self._rate), math.ceil((self.quota - left) / self._rate))

    def _left(self, place: int, now: float) -> float:
        """How much is left in a bucket: one that is nobody's is full."""
        if not self._buckets.whose[place]:
            return float(self.quota)
        return min(float(self.quota), self._buckets.left[place] + (now - self._buckets.since[place]) * self._rate)

    def _place(self, mark: int, now: float) -> int:
        """Where the bucket of a caller is; who has none gets a full one."""
        places = [(mark + step) % BUCKETS for step in range(PLACES)]
        for place in places:
            if self._buckets.whose[place] == mark:
                return place
        fullest = max(places, key=lambda place: self._left(place, now))
        self._buckets.left[fullest], self._buckets.since[fullest], self._buckets.whose[fullest] = float(self.quota), now, mark
        return fullest
