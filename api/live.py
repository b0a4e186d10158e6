"""The desk that decides now. When another model goes live the next requests get a desk with it; a request keeps the one that it began with."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from api import logs
from models import history, store
from models.errors import RefusedModelError
from triage.desk import model_folder, open_desk
from triage.errors import ModelError, TriageError

if TYPE_CHECKING:
    from pathlib import Path

    from api.figures import Figures
    from triage.desk import Desk

EVERY = 0.5  # seconds between two looks; a promotion is to be picked up within two
AGAIN = 30.0  # seconds after which a refused model is tried once more: its folder may have been mended


class Live:
    """``desk`` is replaced as a whole, by one assignment. ``refused`` says why the model that should be live is not; empty when all is well."""

    def __init__(self, desk: Desk, figures: Figures) -> None:
        self.desk, self.refused = desk, ""
        self._figures = figures
        self._stop = threading.Event()
        self._seen: tuple[int, ...] = ()
        self._tried = 0.0
        self._thread: threading.Thread | None = None
        figures.decides_with(desk.version)

    def follow(self, home: Path) -> None:
        """Watch the office's history of models, in a thread, until ``end``."""
        self.look(home)
        self._thread = threading.Thread(target=self._run, args=(home,), name="live", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Watch no longer."""
        self._stop.set()

    def trouble(self) -> str:
        """Why the desk is not the one that it should be, or may not be soon; empty when all is well."""
        blind = self._thread is not None and not self._thread.is_alive()
        return "the history of models is not watched any more; restart the service" if blind else self.refused

    def _run(self, home: Path) -> None:
        while not self._stop.wait(EVERY):
            self.look(home)

    def look(self, home: Path) -> None:
        """Bring the desk up to date with the history, if that changed or the last try failed a while ago."""
        try:
            seen = _mark(home)
            if seen == self._seen and not (self.refused and time.monotonic() - self._tried > AGAIN):
                return
            self._seen, self._tried = seen, time.monotonic()
            self._change(home)
        except (TriageError, RefusedModelError) as error:
            self._refuse(str(error))
        except OSError as error:
            self._refuse(f"{home}: cannot be read ({error.strerror}). The model that serves is kept. Look after the disk.")

    def _change(self, home: Path) -> None:
        desk, version = self.desk, store.current(model_folder(home))
        if version is None and desk.version:
            raise ModelError(f"{model_folder(home)}: no model is live any more. The one that serves is kept. Run `triage models promote VERSION`.")
        if version != desk.version:
            self.desk = open_desk(home, desk.taxonomy, desk.segmenter, version=version)
            self._figures.add("swaps")
            self._figures.decides_with(version)
            logs.write("info", "model live", model=version, before=desk.version)
        self.refused = ""

    def _refuse(self, why: str) -> None:
        why = logs.plain(why)
        self._figures.add("models_refused")
        if why != self.refused:
            logs.write("error", "model refused", why=why, serves=self.desk.version)
        self.refused = why


def _mark(home: Path) -> tuple[int, ...]:
    """What changes whenever the history does."""
    try:
        found = (model_folder(home) / history.FILE).stat()
    except FileNotFoundError:
        return ()
    return found.st_mtime_ns, found.st_ino, found.st_size
