"""One engine for each kind of database: how it connects, how a writing transaction begins, how long it waits."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from triage.errors import RegisterError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from sqlalchemy import Connection, Engine

FILE = "register.sqlite3"
PATIENCE = 10.0  # seconds that a writer waits for the others
STATEMENT, IDLE = 30_000, 60_000  # milliseconds that PostgreSQL gives a statement, and a transaction that does nothing
CONNECTIONS = 5  # of a process
WAIT = 5.0  # seconds for one of them, and for PostgreSQL to answer at all
WRITES = "triage_writes"
LOCK = 0x74726961_67650001  # PostgreSQL's advisory lock of whoever writes: "triage" and a number


def address(home: Path, database: str) -> URL:
    """Where the register of an office is. ``database`` is TRIAGE_DATABASE: empty for the file in ``home``, or a URL of PostgreSQL or SQLite.

    >>> from pathlib import Path
    >>> address(Path("office"), "").database, address(Path("office"), "postgresql://clerk@db/letters").drivername
    ('office/register.sqlite3', 'postgresql+psycopg')
    """
    if not database:
        return URL.create("sqlite", database=str(home / FILE))
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        url = URL.create("none")
    if url.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite" and url.database and url.database != ":memory:":
        return url
    raise RegisterError(
        'TRIAGE_DATABASE: no register can be at such an address. Allowed is nothing, "postgresql://USER:PASSWORD@HOST/DATABASE", or "sqlite:///FILE". Correct it.',
        kind="register-address",
    )


def place(url: URL) -> str:
    """What to call a register in messages: never with its password.

    >>> place(make_url("postgresql+psycopg://clerk:secret@db:5433/letters?sslmode=require"))
    'postgresql db:5433/letters'
    """
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"postgresql {url.host or 'local socket'}{f':{url.port}' if url.port else ''}/{url.database}"


def connect(url: URL, patience: float = PATIENCE) -> Engine:
    """An engine that connects when it is first asked. A transaction of a connection with the option ``WRITES`` locks out other writers."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, patience)
    try:
        import_module("psycopg")
    except ImportError as error:
        raise RegisterError(
            "register: PostgreSQL is asked for, but psycopg is not installed. It is an extra. Run `pip install letter-triage[postgres]`.",
            kind="register-driver",
        ) from error
    options = f"-c statement_timeout={STATEMENT} -c lock_timeout={int(patience * 1000)} -c idle_in_transaction_session_timeout={IDLE} -c timezone=UTC"
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=WAIT,
        pool_pre_ping=True,
        connect_args={"connect_timeout": int(WAIT), "options": options, "client_encoding": "utf8", "application_name": "letter-triage"},
    )
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def _sqlite(url: URL, patience: float) -> Engine:
    engine = create_engine(
        url,
        module=sqlite_module(),
        hide_parameters=True,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=patience,
        connect_args={"timeout": patience, "check_same_thread": False},
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def sqlite_module() -> ModuleType:
    """pysqlite3, which brings a SQLite of its own, where it is installed; otherwise Python's."""
    try:
        return import_module("pysqlite3.dbapi2")
    except ImportError:
        return import_module("sqlite3")


def has_reset_bug(version: tuple[int, ...]) -> bool:
    """Whether a SQLite of this version may lose commits when a write-ahead log is reset (sqlite.org/wal.html, "the WAL-reset bug").

    >>> [has_reset_bug(version) for version in [(3, 40, 1), (3, 44, 6), (3, 50, 6), (3, 50, 7), (3, 51, 2), (3, 51, 3)]]
    [True, False, True, False, True, False]
    """
    mended = (3, 44, 6) <= version < (3, 45) or (3, 50, 7) <= version < (3, 51) or version >= (3, 51, 3)
    return version >= (3, 7) and not mended


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # BEGIN is ours: the driver's own would be a deferred one
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """A deferred BEGIN that reads and then writes fails when another wrote in between, however long it may wait."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITES) else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    """One writer at a time, since the audit trail is one chain; readers see one moment."""
    if connection.get_execution_options().get(WRITES):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
