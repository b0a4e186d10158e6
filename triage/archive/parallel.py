"""Chunks -> parts on the cores of this machine, by joblib; a row that kills every process that reads it is found and refused.

While a worker has a chunk in hand, a mark stands beside its part. Where a worker died, here or in an earlier run, the mark is left:
such a chunk is read again by a process of its own, in halves, until the row is alone.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, Self

from triage.archive.deciding import crashed, joined
from triage.archive.parts import read_facts, trying, work, write_part
from triage.errors import StorageError, TriageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from triage.archive.chunks import Chunk, Layout, PlainRow
    from triage.archive.deciding import Decided
    from triage.archive.parts import Task

    Found = tuple[dict[str, Any], float]

IN_HAND = 2  # chunks waiting or under way for each worker
MAX_BREAKS = 4  # times that workers may die without one chunk finished
MAX_CRASHES = 16  # rows of one chunk
WATCH = 1.0  # seconds between two looks whether the job still lives


class Crew:
    """The chunks of a job that are still to be done, each given out once, to any thread; and what became of them."""

    def __init__(self, task: Task, chunks: Iterator[Chunk]) -> None:
        self.task, self._chunks = task, chunks
        self._lock = threading.Lock()
        self._in_hand: dict[int, Chunk] = {}
        self._again: deque[Chunk] = deque()
        self._suspects: list[Chunk] = []
        self._known: deque[Found] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Chunk:
        with self._lock:
            chunk = self._again.popleft() if self._again else self._fresh()
            self._in_hand[chunk.number] = chunk
            return chunk

    def results(self, jobs: int) -> Iterator[Found]:
        """The facts of every part, also of those that an earlier run has left, with the share of the input that was read for it."""
        breaks = 0
        while True:
            try:
                for facts in _done(self.task, self, jobs):
                    breaks = 0
                    yield facts, self._in_hand.pop(facts["part"]).done
                    yield from self._drained()
            except BrokenProcessPool as error:
                breaks += 1
                if breaks > MAX_BREAKS:
                    raise _dying(self.task) from error
            self._sort_out()
            if not self._again:
                break
        for chunk in self._suspects:
            yield write_part(self.task, chunk.number, one_by_one(self.task, chunk)), chunk.done
        yield from self._drained()

    def _fresh(self) -> Chunk:
        for chunk in self._chunks:
            facts = read_facts(self.task.folder, chunk.number)
            if facts is not None:
                self._known.append((facts | {"earlier": True}, chunk.done))
            elif trying(self.task.folder, chunk.number).exists():
                self._suspects.append(chunk)
            else:
                return chunk
        raise StopIteration

    def _drained(self) -> Iterator[Found]:
        while self._known:
            yield self._known.popleft()

    def _sort_out(self) -> None:
        """After workers died: what was in hand is done after all, or a suspect, or to be given out again."""
        with self._lock:
            for chunk in self._in_hand.values():
                facts = read_facts(self.task.folder, chunk.number)
                if facts is not None:
                    self._known.append((facts, chunk.done))
                elif trying(self.task.folder, chunk.number).exists():
                    self._suspects.append(chunk)
                else:
                    self._again.append(chunk)
            self._in_hand.clear()


def one_by_one(task: Task, chunk: Chunk) -> Decided:
    """Decide a chunk in processes that may die: it is halved until the rows that kill them are alone; these are refused."""
    with _Expendable(task) as reader:
        return joined(_halved(reader, chunk.layout, chunk.rows))


def _halved(reader: _Expendable, layout: Layout, rows: Sequence[PlainRow]) -> list[Decided]:
    decided = reader.decide(layout, rows)
    if decided is not None:
        return [decided]
    if len(rows) == 1:
        reader.count_crash()
        return [crashed(layout, rows[0][0])]
    half = len(rows) // 2
    return [*_halved(reader, layout, rows[:half]), *_halved(reader, layout, rows[half:])]


class _Expendable:
    """A process that decides rows; when they kill it, the next rows get a new one."""

    def __init__(self, task: Task) -> None:
        self._task, self._crashes = task, 0
        self._pool = self._new()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def decide(self, layout: Layout, rows: Sequence[PlainRow]) -> Decided | None:
        """The decided rows, None when they killed the process or raised what nobody foresaw."""
        future = self._pool.submit(self._task.decide, self._task.office, layout, rows)
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, (TriageError, OSError)):
            raise error
        self._pool.shutdown()
        self._pool = self._new()
        return None

    def count_crash(self) -> None:
        """Raise StorageError when it is not the rows: the machine kills whatever is started."""
        self._crashes += 1
        if self._crashes > MAX_CRASHES:
            raise _dying(self._task)

    def _new(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def _done(task: Task, chunks: Iterator[Chunk], jobs: int) -> Iterator[dict[str, Any]]:
    if jobs == 1:
        yield from (work(task, chunk) for chunk in chunks)
        return
    from joblib import Parallel, delayed

    crew = Parallel(
        n_jobs=jobs, backend="loky", pre_dispatch=IN_HAND * jobs, batch_size=1, return_as="generator_unordered", initializer=_end_with, initargs=(os.getpid(),)
    )
    yield from crew(delayed(work)(task, chunk) for chunk in chunks)


def _end_with(parent: int) -> None:
    """See to it that this worker ends soon after the job is killed: joblib's own would wait five minutes for work."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)


def _dying(task: Task) -> StorageError:
    return StorageError(
        f"{task.folder}: processes end as soon as they are started, probably because memory is short. "
        "A process takes about 200 MB. Give the same command again with fewer --jobs: it goes on where it was.",
        kind="workers-ended",
    )
