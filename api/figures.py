"""What the workers of one service count, in memory that all of them share. Each worker writes its own row, so none waits for another.

A row belongs to a place in the service, not to a process: who takes the place of a worker that died counts on where that one stopped, and
nothing of the dead is left over. Shared by fork, without a file: a full or missing temporary folder does no harm.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from http import HTTPStatus

from api.limits import Buckets

COUNTS = (
    "beats",  # seconds that the worker has been ready, as it counts them; the parent watches that they go on
    "in_work",
    "letters",
    "letters_for_review",
    "refused",
    "disconnects",
    "swaps",
    "models_refused",
    "lines_lost",
    "draining",
)
CLOSED = 499  # the client went away before it was answered; nginx's number
STATUSES = (*sorted(HTTPStatus), CLOSED)
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf"))  # seconds
ROUTES = 96  # more than the app has; the last one is for addresses that it does not have
NAME = 64  # bytes of a model's version

_PLACES = {name: place for place, name in enumerate(COUNTS)}
_OF_STATUS = {int(status): place for place, status in enumerate(STATUSES)}
_ROUTE = len(STATUSES) + len(BUCKETS) + 1  # a count a status, a count a bucket, the sum of seconds
_ROW = len(COUNTS) + ROUTES * _ROUTE


class Figures:
    """The counts of ``workers`` processes; ``worker`` is whose row this process writes. ``calls`` and ``wrong_keys`` are for limits (``api.limits``)."""

    def __init__(self, workers: int = 1) -> None:
        self.workers, self.worker = workers, 0
        self._numbers = memoryview(mmap.mmap(-1, workers * _ROW * 8)).cast("d")
        self._models = mmap.mmap(-1, workers * NAME)
        self.calls, self.wrong_keys = Buckets(), Buckets()

    def take(self, worker: int) -> None:
        """From now on this process writes the row of ``worker``; what only a living one has begins at nothing."""
        self.worker = worker
        self.set("in_work", 0)
        self.set("draining", 0)
        self.set("beats", 0)

    def add(self, name: str, amount: float = 1) -> None:
        """Count."""
        self._numbers[self.worker * _ROW + _PLACES[name]] += amount

    def set(self, name: str, value: float) -> None:
        """Say what a count is now."""
        self._numbers[self.worker * _ROW + _PLACES[name]] = value

    def of(self, worker: int, name: str) -> float:
        """What a worker has counted."""
        return self._numbers[worker * _ROW + _PLACES[name]]

    def total(self, name: str) -> float:
        """What all of them have counted."""
        return sum(self.of(worker, name) for worker in range(self.workers))

    def answered(self, route: int, status: int, seconds: float) -> None:
        """Count one request by its route's number, its status, and the time that it took."""
        begin = self.worker * _ROW + len(COUNTS) + route * _ROUTE
        self._numbers[begin + _OF_STATUS[status]] += 1
        self._numbers[begin + len(STATUSES) + bisect_left(BUCKETS, seconds)] += 1
        self._numbers[begin + _ROUTE - 1] += seconds

    def requests(self, route: int) -> tuple[dict[int, float], list[float], float]:
        """Of all workers: requests by status, by bucket (none counted twice), and the sum of their seconds."""
        begins = [worker * _ROW + len(COUNTS) + route * _ROUTE for worker in range(self.workers)]
        sums = [sum(self._numbers[begin + place] for begin in begins) for place in range(_ROUTE)]
        counts = {int(status): sums[place] for place, status in enumerate(STATUSES) if sums[place]}
        return counts, sums[len(STATUSES) : -1], sums[-1]

    def decides_with(self, version: str | None) -> None:
        """Say which model this worker decides with."""
        begin = self.worker * NAME
        self._models[begin : begin + NAME] = (version or "").encode().ljust(NAME, b"\0")[:NAME]

    def model_of(self, worker: int) -> str:
        """The model that a worker decides with; empty without one."""
        return self._models[worker * NAME : (worker + 1) * NAME].rstrip(b"\0").decode()
