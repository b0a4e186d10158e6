"""Archives that staff hand in over HTTP: each a folder under TRIAGE_HOME/archives, done one after the other by a process of its own.

The folder is the state: what was asked for, how far it is, what came of it. So a server that starts again, and one that was killed, finds
every order where it was, and an archive goes on where it was (see ``job``). Any number of servers may start a runner: one holds the lock,
the others end.
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from models.disk import flush, replace
from triage.archive import job
from triage.archive.deciding import decide_rows
from triage.archive.parts import storing
from triage.archive.plan import Order
from triage.errors import BusyError, InputError, TriageError
from triage.tables import shown

if TYPE_CHECKING:
    from triage.archive.parts import Decide

FOLDER, UPLOAD = "archives", ".upload-"
ASKED, PROGRESS, SUMMARY, FAILED, DELETED = "order.json", "progress.json", "summary.json", "failed.json", "deleted"
ATTEMPTS = 3  # without one more letter decided; then the next order has its turn
ABANDONED = 86_400  # seconds after which an upload that was never finished is taken away
NICE = 10  # letters that somebody waits for come first


@dataclass(frozen=True, slots=True)
class Asked:
    """An order as it was handed in. ``name`` is for people and never a path."""

    name: str
    at: str
    form: str = "csv"
    headers: str = "zh"
    text: str = ""
    title: str = ""
    id: str = ""
    sheet: str = ""
    encoding: str = ""


def upload(home: Path) -> Path:
    """A folder for a file that is being received; ``hand_in`` makes an order of it, or ``shutil.rmtree`` ends it. Raises StorageError."""
    folder = home / FOLDER / f"{UPLOAD}{secrets.token_hex(16)}"
    with storing(folder):
        folder.mkdir(parents=True, mode=0o700)
    return folder


def letters_in(folder: Path, name: str) -> Path:
    """Where the letters of an order are kept: under a name of ours, with the ending of theirs.

    >>> letters_in(Path("x"), "../../来信 五月.CSV").name, letters_in(Path("x"), "x.c/../s").name
    ('letters.csv', 'letters')
    """
    suffix = PurePosixPath(name.lower()).suffix
    return folder / f"letters{suffix if re.fullmatch(r'[.][a-z0-9]{1,8}', suffix) else ''}"


def hand_in(folder: Path, asked: Asked) -> str:
    """Put a received file in the queue, whole and on the disk, and return the order's id. Raises StorageError."""
    name = folder.name.removeprefix(UPLOAD)
    with storing(folder):
        (folder / ASKED).write_bytes(json.dumps(asdict(asked), ensure_ascii=False).encode())
        for path in (letters_in(folder, asked.name), folder / ASKED, folder):
            flush(path)
        folder.rename(folder.with_name(name))
        flush(folder.parent)
    return name


def find(home: Path, name: str) -> Path:
    """The folder of an order. Raises InputError (404) when there is none, or it was deleted."""
    folder = home / FOLDER / name
    if re.fullmatch(r"[0-9a-f]{32}", name) is None or not (folder / ASKED).exists() or (folder / DELETED).exists():
        raise InputError("archive: no such id. GET /v1/archives lists those that are kept. Correct the id.", kind="no-such-archive", status=404)
    return folder


def names(home: Path) -> list[str]:
    """The ids of all orders, the earliest first."""
    found = [(path.stat().st_mtime, path.parent) for path in (home / FOLDER).glob(f"*/{ASKED}") if not path.parent.name.startswith(UPLOAD)]
    return [folder.name for _, folder in sorted(found) if not (folder / DELETED).exists()]


def state(folder: Path) -> dict[str, Any]:
    """What is known of an order: ``state`` is queued, running, done or failed."""
    asked, progress = _read(folder / ASKED), _read(folder / PROGRESS)
    summary, failed = _read(folder / SUMMARY), _read(folder / FAILED)
    word = "failed" if failed else "done" if summary else "running" if progress else "queued"
    done = {"letters": progress.get("letters", 0), "share": 1.0 if summary else progress.get("share", 0.0)}
    return {"id": folder.name, "name": asked["name"], "at": asked["at"], "state": word, **done, "summary": summary or None, "problem": failed or None}


def output_of(folder: Path) -> tuple[Path, str]:
    """The decisions of an order, and the name under which they are handed out."""
    asked = Asked(**_read(folder / ASKED))
    return folder / f"decisions.{asked.form}", f"{PurePosixPath(asked.name).stem}.decisions.{asked.form}"


def delete(home: Path, name: str) -> None:
    """Take an order away with its letters; one that is being done ends with its next thousand letters. Raises InputError, StorageError."""
    folder = find(home, name)
    with storing(folder):
        (folder / DELETED).touch()
    with suppress(BusyError), job.held(home / FOLDER):  # a runner that is busy takes it away
        shutil.rmtree(folder, ignore_errors=True)


class Runner:
    """The process that works through the orders of an office, as long as there are some."""

    def __init__(self, home: Path) -> None:
        self._home = home.absolute()
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """See to it that the queue is being worked on; one runner more than needed ends by itself."""
        self._processes = [process for process in self._processes if process.poll() is None]
        if waiting(self._home):
            line = [sys.executable, "-m", "triage.archive.orders", str(self._home)]
            self._processes.append(subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))  # noqa: S603 (our own module)

    def stop(self) -> None:
        """End them; the next one goes on where they were."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()


def waiting(home: Path) -> list[Path]:
    """The orders that are still to be done, and those that are to be taken away."""
    folders = [home / FOLDER / name for name in names(home)]
    gone = [path.parent for path in (home / FOLDER).glob(f"*/{DELETED}")]
    return gone + [folder for folder in folders if not (folder / SUMMARY).exists() and not (folder / FAILED).exists()]


def run(home: Path) -> None:
    """Work until nothing waits. What is handed in while the lock is let go is seen, for it is looked for once more."""
    while waiting(home):
        try:
            with job.held(home / FOLDER):
                _sweep(home)
                for folder in waiting(home)[:1]:
                    perform(home, folder)
        except BusyError:
            return


class _WithdrawnError(Exception):
    """The order was deleted while it was being done."""


def perform(home: Path, folder: Path, decide: Decide = decide_rows) -> None:
    """Do one order, or take it away; what comes of it stands in its folder. Only while holding the lock."""
    if (folder / DELETED).exists():
        shutil.rmtree(folder, ignore_errors=True)
        return
    before = _read(folder / PROGRESS)
    best, attempts = before.get("letters", 0), before.get("attempts", 0) + 1
    if attempts > ATTEMPTS:
        _fail(folder, "archive-crashed", f"{ATTEMPTS} processes ended while they did this archive. The file, or the memory of the machine, is the reason.")
        return
    _write(folder / PROGRESS, {"letters": best, "share": before.get("share", 0.0), "attempts": attempts})

    def told(letters: int, share: float) -> None:
        if (folder / DELETED).exists():
            raise _WithdrawnError
        if letters > best:
            _write(folder / PROGRESS, {"letters": letters, "share": round(share, 4), "attempts": 0})

    try:
        summary = job.archive(home, _order(folder), told, stdin=io.BytesIO(), decide=decide)
    except TriageError as error:
        _fail(folder, error.kind, str(error).replace(f"{folder}/", ""))
    except _WithdrawnError:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        _write(folder / SUMMARY, {key: value for key, value in summary.items() if key not in {"output", "refused_file"}})


def _order(folder: Path) -> Order:
    asked = Asked(**_read(folder / ASKED))
    options = {name: getattr(asked, name) for name in ("headers", "text", "title", "id", "sheet", "encoding")}
    return Order((str(letters_in(folder, asked.name)),), output_of(folder)[0], jobs=max((os.cpu_count() or 1) // 2, 1), overwrite=True, **options)


def _sweep(home: Path) -> None:
    """Take away what was never received to the end."""
    for folder in (home / FOLDER).glob(f"{UPLOAD}*"):
        if time.time() - folder.stat().st_mtime > ABANDONED:
            shutil.rmtree(folder, ignore_errors=True)


def _fail(folder: Path, kind: str, detail: str) -> None:
    _write(folder / FAILED, {"kind": kind, "detail": detail})


def _write(path: Path, content: dict[str, Any]) -> None:
    with storing(path):
        replace(path, json.dumps(content, ensure_ascii=False).encode())


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    return found


def asked_now(name: str, **options: str) -> Asked:
    """An order of this moment; its name is cut and made printable."""
    return Asked(shown(name)[-200:], datetime.now(UTC).isoformat(timespec="seconds"), **options)


if __name__ == "__main__":
    os.nice(NICE)
    run(Path(sys.argv[1]))
