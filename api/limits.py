"""How much a caller may ask for in a while: a bucket of calls that fills again evenly. Each process counts for itself."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 10_000  # callers that are remembered; whoever was not heard of for longest is forgotten first


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a call is allowed, how many more are, in how many seconds the next one is, and all of them again."""

    allowed: bool
    left: int
    next: int
    whole: int


class Limit:
    """``quota`` calls in ``window`` seconds for each caller. Not for several threads."""

    def __init__(self, quota: int, window: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self.quota, self.window, self._clock = quota, window, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> Standing:
        """Count a call of ``who``; one that is not allowed costs nothing.

        >>> limit = Limit(2, 60, lambda: 0.0)
        >>> [limit.take("热线").allowed for _ in range(3)], limit.take("信箱").left
        ([True, True, False], 1)
        """
        now, rate = self._clock(), self.quota / self.window
        left, at = self._buckets.pop(who, (float(self.quota), now))
        left = min(float(self.quota), left + (now - at) * rate)
        allowed = left >= 1
        left -= allowed
        self._buckets[who] = left, now
        if len(self._buckets) > MOST:
            self._buckets.popitem(last=False)
        return Standing(allowed, int(left), math.ceil(max(0.0, 1 - left) / rate), math.ceil((self.quota - left) / rate))
