"""``triage archive`` whole: letters in, decisions out, and after a kill at any moment the same command goes on where it was.

While a job lasts, ``.OUTPUT.job`` beside the output holds its plan and its finished parts. The output appears by one rename when all
parts are there; then the folder goes. One job at a time may hold it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from contextlib import contextmanager, nullcontext
from dataclasses import replace as replaced
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from models.disk import LOCK, flush, replace
from triage import exports
from triage.archive import cluster, outputs, places, plan, sources
from triage.archive.deciding import Office, decide_rows
from triage.archive.inputs import Inputs, check_rows
from triage.archive.parallel import Crew
from triage.archive.parts import Task, part_numbers, read_facts, storing
from triage.archive.summary import Totals
from triage.errors import BusyError, InputError, ModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from triage.archive.cluster import Engine
    from triage.archive.parts import Decide
    from triage.archive.plan import Order, Plan
    from triage.archive.sources import Source

    Told = Callable[[int, float], None]

PLAN, FINISHED, RESULT = "job.json", "finished.json", "result"
OUTGOING = "outgoing"  # in TRIAGE_HOME: outputs on their way to a far place
REFUSED = ("行号", "代码", "原因")


def archive(home: Path, order: Order, told: Told, *, stdin: IO[bytes], decide: Decide = decide_rows) -> dict[str, Any]:
    """Decide an archive and return the summary; ``told`` hears of letters decided and the share of the input read (0 when unknown).

    Raises InputError, ModelError, StorageError, BusyError, and UsageError when the output is there already or an unfinished job began otherwise.
    """
    form = outputs.form_of(order.output)
    found = sources.find(order.inputs)
    if order.cluster:  # workers stand in other folders
        home, order, found = home.absolute(), replaced(order, output=order.output.absolute()), list(map(sources.absolute, found))
    _check_places(order, found)
    folder = _folder(order)
    with held(folder):
        try:
            with sources.fetched(found, folder, stdin, anew=order.overwrite) as here, _crew(order, folder) as crew:
                inputs = Inputs(here, order, folder, each=crew.each if crew else map)
                begun = _begun(home, order, inputs, folder)
                if not (folder / FINISHED).exists():
                    task = Task(folder / begun.checksum, Office(home, begun.model), form, tuple(begun.columns), decide)
                    _run(task, inputs, order, crew, told)
            return _finish(order, folder)
        finally:
            if not (folder / PLAN).exists():
                shutil.rmtree(folder.parent if order.far else folder, ignore_errors=True)


def far_order(home: Path, order: Order, place: str) -> Order:
    """The order for an output at a far place: it is made in the office's folder, and brought from there.

    >>> from pathlib import Path
    >>> from triage.archive.plan import Order
    >>> order = far_order(Path("office"), Order(("letters.csv",), Path("-")), "s3://office/decisions.csv?key=geheim")
    >>> order.output.name, order.output.parts[:2]
    ('decisions.csv', ('office', 'outgoing'))
    """
    folder = home / OUTGOING / hashlib.sha256(place.encode()).hexdigest()[:16]
    return replaced(order, output=folder / PurePosixPath(places.said(place)).name, far=place)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a job's folder, made if need be. Raises BusyError when another process holds it; a kill gives it back."""
    handle = _lock(folder)
    while not _is_the_lock(handle, folder / LOCK):  # its job was finished in between, and the folder removed
        os.close(handle)
        handle = _lock(folder)
    try:
        yield
    finally:
        os.close(handle)


def refused_place(output: Path) -> Path:
    """Where the refused rows of an output stand.

    >>> from pathlib import Path
    >>> refused_place(Path("out/decisions.xlsx")).name
    'decisions.refused.csv'
    """
    return output.with_name(f"{output.stem}.refused.csv")


def _folder(order: Order) -> Path:
    """Where the job is kept while it lasts."""
    if order.far:
        with storing(order.output.parent):
            order.output.parent.mkdir(parents=True, exist_ok=True)
    return order.output.with_name(f".{order.output.name}.job")


def _lock(folder: Path) -> int:
    import fcntl

    with storing(folder):
        folder.mkdir(exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise BusyError(f"{folder}: this job is being done by another process. One at a time is allowed. Wait for it, or end it.") from error
    return handle


def _is_the_lock(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _check_places(order: Order, found: Sequence[Source]) -> None:
    for place in (order.output, refused_place(order.output)):
        if any(place.exists() and path.samefile(place) for source in found for path in source.paths):
            raise UsageError(f"{place}: is read and would be written. Input and output are two files. Name another output.", kind="output-is-input")
        is_ours = order.output.with_name(f".{order.output.name}.job").joinpath(FINISHED).exists()
        target = places.beside(order.far, place.name) if order.far else str(place)
        if not order.overwrite and not is_ours and (places.exists(target) if order.far else place.exists()):
            what = f"{places.said(target)}: is there already. Nothing is overwritten unasked."
            raise UsageError(f"{what} Name another output, or add --overwrite.", kind="output-exists")
        if place.is_dir():
            raise UsageError(f"{place}: is a folder. The output is a file. Name another output.", kind="output-exists")


def _begun(home: Path, order: Order, inputs: Inputs, folder: Path) -> Plan:
    """The plan of the job that this command goes on with, or begins."""
    then = None if order.overwrite and not _is_plan(folder / PLAN) else plan.read_plan(folder / PLAN)
    fingerprints = inputs.fingerprints()
    columns = inputs.columns()
    if then is not None:
        try:
            plan.check_same(then, plan.make_plan(home, order, fingerprints, columns, then.model), str(folder))
        except (InputError, UsageError, ModelError):
            if not order.overwrite:
                raise
        else:
            return then
    fresh = plan.make_plan(home, order, fingerprints, columns, plan.live(home))
    with storing(folder):
        _clear(folder)
        (folder / fresh.checksum).mkdir()
        replace(folder / PLAN, fresh.as_json())
    return fresh


def _crew(order: Order, folder: Path) -> AbstractContextManager[Engine | None]:
    return cluster.engine(order.cluster, folder) if order.cluster else nullcontext()


def _run(task: Task, inputs: Inputs, order: Order, crew: Engine | None, told: Told) -> None:
    """Decide what is not decided yet, and lay the output ready."""
    import orjson

    folder, totals, began, resumed = task.folder.parent, Totals(), time.monotonic(), 0
    found = cluster.results(task, inputs, order, crew) if crew else Crew(task, inputs.chunks(task.form)).results(order.jobs)
    for facts, share in found:
        resumed += facts["letters"] * bool(facts.get("earlier"))
        totals.add(facts)
        told(totals.letters + totals.refused, share)
    inputs.check_unchanged()
    check_rows(totals.letters, task.form)
    seconds = time.monotonic() - began
    with storing(order.output):
        put_together = partial(outputs.assemble, task.folder, columns=task.columns, form=task.form)
        [cuts] = (crew.each if crew else map)(put_together, [folder / RESULT])
        flush(folder / RESULT)
    place = _write_refused(task.folder, totals, order, several=inputs.several)
    summary = {
        **totals.as_dict(),
        "model": task.office.version,
        "seconds": round(seconds, 3),
        "resumed": resumed,
        "letters_per_second": round((totals.letters - resumed) / seconds, 1) if seconds else 0.0,
        "output": places.said(order.far) or str(order.output),
        "refused_file": places.said(places.beside(order.far, place.name)) if place and order.far else str(place) if place else None,
        "notes": [*inputs.notes, *cuts],
    }
    with storing(folder):
        replace(folder / FINISHED, orjson.dumps(summary))


def _finish(order: Order, folder: Path) -> dict[str, Any]:
    """Put the output in its place, unless a run that was killed has just done so, and take the job's folder away."""
    import orjson

    summary: dict[str, Any] = orjson.loads((folder / FINISHED).read_bytes())
    with storing(order.output):
        if (folder / RESULT).exists():
            (folder / RESULT).replace(order.output)
            flush(order.output.parent)
    if order.far:
        _deliver(order, is_refused=summary["refused_file"] is not None)
    with storing(order.output):
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
        (folder / PLAN).unlink()
    return summary


def _deliver(order: Order, *, is_refused: bool) -> None:
    """Bring the output to its far place, behind the refused rows; a run that was killed in the middle is followed by one that brings both again."""
    if not order.output.exists():
        return
    refused = refused_place(order.output)
    there = places.beside(order.far, refused.name)
    if is_refused:
        places.put(refused, there)
    elif order.overwrite:
        places.take_away(there)
    places.put(order.output, order.far)
    with storing(order.output):
        order.output.unlink()


def _write_refused(parts: Path, totals: Totals, order: Order, *, several: bool) -> Path | None:
    place = refused_place(order.output)
    if not totals.refused:
        with storing(place):
            place.unlink(missing_ok=True)
        return None
    columns = (("来源文件",) if several else ()) + REFUSED
    exports.write_csv(
        place, columns, (list(map(str, row)) for number in part_numbers(parts) for row in (read_facts(parts, number) or {"refused": []})["refused"])
    )
    return place


def _is_plan(path: Path) -> bool:
    try:
        return plan.read_plan(path) is not None
    except UsageError:
        return False


def _clear(folder: Path) -> None:
    """Take away what another job has left, but for the lock and what was just copied here."""
    for path in folder.iterdir():
        if path.name == LOCK or path.name.startswith(sources.SPOOLED):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
