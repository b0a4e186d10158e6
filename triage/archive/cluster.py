"""Shares of a job -> parts on many machines, by joblib's own backends for Dask and Spark.

A worker opens its share of the sources and writes the parts of it in the job's folder, which all machines see under one path: the driver
hears counts. A part that is there is not made again, so a share whose worker was lost is taken up where it was. What workers leave, since
it may have ended one of them, is read at last where the command was given, by processes that may die (see ``parallel``).
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from triage import errors
from triage.archive.inputs import chunks_of
from triage.archive.parallel import Crew
from triage.archive.parts import part_numbers, read_facts, storing, trying, work
from triage.archive.plan import RELEASE
from triage.errors import TriageError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from triage.archive.inputs import Inputs, Share
    from triage.archive.parallel import Found
    from triage.archive.parts import Task
    from triage.archive.plan import Order

DASK, SPARK = "dask:", "spark"
ANSWER = 60.0  # seconds that a scheduler has to answer, and a first worker to be there
STARTS = 3  # of one share in one round: Dask gives a task up for good when four workers died of it
ROUNDS = 4
_ALLOWED = 'dask:tcp://HOST:PORT of a running Dask scheduler, or "spark"'


@dataclass(frozen=True, slots=True)
class Engine:
    """What runs calls elsewhere. ``slots``: calls at a time; ``how``: in what order joblib hands results back; ``broken``: what it raises for lost workers."""

    slots: int
    how: str
    broken: tuple[type[Exception], ...] = ()

    def each(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """The function of each item, in order."""
        return list(self._run("list", function, items))

    def unordered(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """The same as they are finished, where the backend can."""
        yield from self._run(self.how, function, items)

    @staticmethod
    def _run(how: str, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        from joblib import Parallel, delayed

        answers = Parallel(n_jobs=-1, batch_size=1, pre_dispatch="all", return_as=how)(delayed(_answer)(function, item) for item in items)
        for answer in answers:
            if isinstance(answer, _Refusal):
                raise answer.error()
            yield answer


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a share: the facts of its parts, and the numbers of the chunks that were left."""

    share: Share
    facts: list[dict[str, Any]]
    left: list[int]


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An error in a form that travels: joblib waits for ever for one that cannot be unpacked."""

    name: str
    message: str
    kind: str

    def error(self) -> TriageError:
        found: TriageError = getattr(errors, self.name)(self.message, kind=self.kind)
        return found


def _answer(function: Callable[[Any], Any], item: Any) -> Any:
    try:
        return function(item)
    except TriageError as error:
        known = next(kind.__name__ for kind in type(error).mro() if hasattr(errors, kind.__name__))
        return _Refusal(known, str(error), error.kind)


@contextmanager
def engine(cluster: str, folder: Path) -> Iterator[Engine]:
    """The engine that a name asks for, with every worker looked at. Raises UsageError for another name, and when nobody answers or a library is missing."""
    if cluster.startswith(DASK):
        with _dask(cluster.removeprefix(DASK), folder) as found:
            yield found
    elif cluster == SPARK:
        with _spark(folder) as found:
            yield found
    else:
        raise UsageError(f'--cluster: "{cluster}" is no cluster. {_ALLOWED} is. Correct it, or leave --cluster out.')


def results(task: Task, inputs: Inputs, order: Order, crew: Engine) -> Iterator[Found]:
    """The facts of every part, also of those that an earlier run has left, with the share of the job that is done."""
    earlier = frozenset(part_numbers(task.folder))
    waiting = inputs.shares(crew.slots)
    count, left = len(waiting), set[int]()
    for turn in range(ROUNDS):
        for done in _round(task, waiting, crew, turn):
            waiting.remove(done.share)
            left.update(done.left)
            for facts in done.facts:
                yield facts | {"earlier": facts["part"] in earlier}, 1 - len(waiting) / count
        if not waiting:
            break
    if left or waiting:
        chunks = inputs.chunks(task.form)
        yield from Crew(task, (chunk for chunk in chunks if chunk.number in left or any(share.holds(chunk.number) for share in waiting))).results(order.jobs)


def decide_share(task: Task, turn: int, share: Share) -> Done:
    """Make the parts of a share that are not there yet; what a worker died of, or may have died of, is left. Raises InputError, StorageError."""
    facts, left = [], []
    is_weary = _starts(task.folder / f"{share.name}-{turn}.starts") > STARTS
    for chunk in chunks_of(share):
        known = read_facts(task.folder, chunk.number)
        if known is None and (is_weary or trying(task.folder, chunk.number).exists()):
            left.append(chunk.number)
        else:
            facts.append(known or work(task, chunk))
    return Done(share, facts, left)


def ready(folder: Path, release: dict[str, Any]) -> str:
    """What keeps this worker from taking part, "" for nothing."""
    if release != RELEASE:
        return f"has another release of letter-triage ({RELEASE}, not {release})"
    return "" if folder.is_dir() and os.access(folder, os.W_OK) else f"cannot write in {folder}"


def _round(task: Task, shares: Sequence[Share], crew: Engine, turn: int) -> Iterator[Done]:
    try:
        yield from crew.unordered(partial(decide_share, task, turn), list(shares))
    except crew.broken:
        return


def _starts(place: Path) -> int:
    """How often a share was begun, this time counted."""
    with storing(place), place.open("ab") as file:
        file.write(b".")
        return file.tell()


@contextmanager
def _dask(address: str, folder: Path) -> Iterator[Engine]:
    try:
        from distributed import Client
        from joblib import effective_n_jobs, parallel_config
    except ImportError as error:
        raise _missing("dask", error) from error
    try:
        client = Client(address, set_as_default=False, timeout=ANSWER)
    except (OSError, ValueError) as error:
        raise _silent(f"dask:{address}", "does not answer") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=ANSWER)
            _check(client.run(ready, folder, RELEASE))
        except (TimeoutError, ImportError) as error:
            raise _silent(f"dask:{address}", "has no worker with letter-triage installed") from error
        with parallel_config(backend="dask", client=client):
            yield Engine(effective_n_jobs(-1), "generator_unordered")


@contextmanager
def _spark(folder: Path) -> Iterator[Engine]:
    """The session of this process, or a new one by the settings of the Spark installation (SPARK_HOME, SPARK_CONF_DIR, MASTER)."""
    try:
        from joblib import effective_n_jobs, parallel_config
        from joblibspark import register_spark
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise _missing("spark", error) from error
    theirs = SparkSession.getActiveSession()
    try:
        session = theirs or SparkSession.builder.appName("letter-triage").getOrCreate()
    except (PySparkException, Py4JError, OSError) as error:
        raise _silent(SPARK, f"cannot be started ({type(error).__name__})") from error
    register_spark()
    try:
        with parallel_config(backend="spark"):
            crew = Engine(effective_n_jobs(-1), "list", (Py4JError, PySparkException))
            _check(dict(enumerate(crew.each(partial(_ready, folder, RELEASE), range(crew.slots)))))
            yield crew
    finally:
        if theirs is None:
            session.stop()


def _ready(folder: Path, release: dict[str, Any], _: int) -> str:
    return ready(folder, release)


def _check(answers: dict[Any, str]) -> None:
    for worker, problem in answers.items():
        if problem:
            what = "One release and one path of the job's folder on all machines are needed."
            raise UsageError(f"--cluster: worker {worker} {problem}. {what} Install it there, or write the output to a shared folder.", kind="worker-unfit")


def _missing(extra: str, error: ImportError) -> UsageError:
    return UsageError(f"--cluster: needs {error.name}, which is not installed. Run pip install 'letter-triage[{extra}]'.", kind="not-installed")


def _silent(cluster: str, what: str) -> UsageError:
    return UsageError(f"--cluster: {cluster} {what}. {_ALLOWED} is needed. Start it, or leave --cluster out.", kind="cluster-not-reached")
