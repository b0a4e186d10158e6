"""The register, open: the engine, the keys and the few facts that outlive a call. What can be done with it stands in the rooms beside."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from triage.errors import RegisterError
from triage.register import audit, files, migrate
from triage.register.cipher import Cipher, wrong_key
from triage.register.engine import PATIENCE, WRITES, address, connect, has_reset_bug, place, sqlite_module
from triage.register.faults import faults
from triage.register.schema import META, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, Engine


class Register:
    """An open register. Safe to share between threads, not between forked processes.

    ``warnings`` are what a person should know and ``place`` is its name in messages.
    """

    def __init__(self, engine: Engine, name: str, cipher: Cipher, patience: float = PATIENCE) -> None:
        self.engine, self.place, self.cipher, self.patience = engine, name, cipher, patience
        self.warnings: tuple[str, ...] = ()
        self.facts: dict[str, str] = {}
        """``register`` (its id), ``salt`` and ``cursor_key``, made with it."""
        self._turn = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees the register as it is at one moment."""
        with faults(self.place), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection whose changes all hold once this ends, on the disk, or not at all; there is one writer at a time.

        Raises RegisterError ("register-busy") after waiting for ``patience`` seconds.
        """
        if not self._turn.acquire(timeout=self.patience):  # threads of one process queue here, in order; SQLite would have them poll
            raise RegisterError(
                f"register {self.place}: is in use by others for too long. One writer at a time is allowed. Try again in a moment.", kind="register-busy"
            )
        try:
            with faults(self.place), self.engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
                yield connection
        finally:
            self._turn.release()

    def check_key(self) -> None:
        """Raise RegisterError when letters are sealed here and no key is set: a new one would be stored in plain text."""
        if self.facts["text_key"] and not self.cipher.id:
            raise wrong_key(self.facts["text_key"], self.cipher)

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def open_register(home: Path, database: str = "", text_keys: str = "", *, patience: float = PATIENCE) -> Register:
    """The register of an office; a SQLite file is made on first use, and an older one brought up to date after a backup.

    ``database`` is TRIAGE_DATABASE and ``text_keys`` TRIAGE_TEXT_KEY. Raises RegisterError, StorageError.

    >>> import tempfile
    >>> register = open_register(Path(tempfile.mkdtemp()))
    >>> register.close()
    """
    cipher, url = Cipher(text_keys), address(home, database)
    register = _at(url, cipher, patience)
    try:
        _bring_up_to_date(register, home, url)
        return _ready(register)
    except RegisterError:
        register.close()
        raise


def upgrade(home: Path, database: str = "", *, patience: float = PATIENCE) -> str:
    """Make or upgrade the register, PostgreSQL's too; returns the version from which it came, empty for a new one. A backup goes before."""
    url = address(home, database)
    register = _at(url, Cipher(), patience)
    try:
        with register.writing() as connection:
            _check_encoding(connection)
            return migrate.upgrade(connection, lambda found: _back_up(register, home, url, found))
    finally:
        register.close()


def _at(url: URL, cipher: Cipher, patience: float) -> Register:
    if url.get_backend_name() == "sqlite":
        files.prepare(Path(str(url.database)), _make)
    register = Register(connect(url, patience), place(url), cipher, patience)
    version = sqlite_module().sqlite_version_info
    if url.get_backend_name() == "sqlite" and has_reset_bug(version):
        found = ".".join(map(str, version))
        advice = "3.51.3, 3.50.7 and 3.44.6 do not. Run `pip install pysqlite3`."
        register.warnings = (f"SQLite {found} may lose commits when its log is reset (sqlite.org/wal.html). {advice}",)
    return register


def _make(path: Path) -> None:
    register = Register(connect(address(path.parent, f"sqlite:///{path}")), str(path), Cipher())
    try:
        with register.writing() as connection:
            migrate.upgrade(connection)
    finally:
        register.close()


def _bring_up_to_date(register: Register, home: Path, url: URL) -> None:
    with register.reading() as connection:
        _check_encoding(connection)
        found = migrate.version(connection)
    if found == VERSION:
        return
    if url.get_backend_name() != "sqlite":
        what, command = (f'has the older schema "{found}"', "upgrade") if found else ("is empty", "init")
        raise RegisterError(f"register {register.place}: {what}. This program needs schema {VERSION}. Run `triage register {command}`.", kind="register-older")
    with register.writing() as connection:
        migrate.upgrade(connection, lambda version: _back_up(register, home, url, version))


def _back_up(register: Register, home: Path, url: URL, found: str) -> None:
    if url.get_backend_name() == "sqlite":
        return files.copy(Path(str(url.database)), migrate.backup_path(home, found, ".sqlite3"))
    from triage.register import backup

    with register.reading() as connection:
        return backup.write(connection, migrate.backup_path(home, found, ".zip"))


def _check_encoding(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise RegisterError(
            f'register: the database\'s encoding is "{encoding}". Only UTF8 holds every letter. Create it with `createdb --encoding UTF8 --template template0 NAME`.',
            kind="register-encoding",
        )


def _ready(register: Register) -> Register:
    """Read the facts; note the key that seals from now on. Raises RegisterError when letters are sealed with a key that is not among ours."""
    with register.reading() as connection:
        register.facts = {row.name: row.value for row in connection.execute(select(META))}
    audit.check_not_moved(register.facts)
    sealed, own = register.facts["text_key"], register.cipher
    if not own.id or own.id == sealed:
        return register
    if not own.knows(sealed):
        raise wrong_key(sealed, own)
    with register.writing() as connection:
        connection.execute(update(META).where(META.c.name == "text_key").values(value=own.id))
    register.facts["text_key"] = own.id
    return register
