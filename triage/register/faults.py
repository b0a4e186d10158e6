"""What a database says when it cannot, in the words of this house. Its own words are left out: they may hold a letter's or a password."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFreeError

from triage.errors import RegisterError

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY = ("register-busy", 503, "is in use by others for too long", "Try again in a moment; if it stays so, look for a program that holds the register open")
GONE = ("register-unreachable", 503, "cannot be reached", "Start the database, or correct TRIAGE_DATABASE; what was not acknowledged is sent again")
READ_ONLY = ("register-read-only", 503, "cannot be written (read-only)", "Give this program the right to write, or wait until the main server is back")
FULL = ("register-full", 507, "has no room on its disk", "Free space; nothing else needs to be done")
DAMAGED = ("register-damaged", 503, "is damaged or no register", "Nothing was overwritten. Move it away and run `triage register restore BACKUP`")
PASSWORD = ("register-password", 503, "refuses the user or the password", "Correct TRIAGE_DATABASE")
ABSENT = ("register-absent", 503, "does not exist", "Create the database in UTF8, and run `triage register init`")
APPEND_ONLY = ("register-append-only", 503, "refused to change its audit trail", "The trail is only ever added to")
OTHER = ("register", 503, "failed", "Run `triage register verify`, and look into the database's own log")

# SQLite knows no states and PostgreSQL gives none while connecting, so there the text is read, though never passed on.
SAYINGS = {
    "database is locked": BUSY,
    "database table is locked": BUSY,
    "readonly database": READ_ONLY,
    "unable to open database file": READ_ONLY,
    "disk is full": FULL,
    "disk i/o error": FULL,
    "malformed": DAMAGED,
    "not a database": DAMAGED,
    "append-only": APPEND_ONLY,
    "password": PASSWORD,
    "too many clients": BUSY,
    "remaining connection slots": BUSY,
    "does not exist": ABSENT,
}
STATES = {"53100": FULL, "53300": BUSY, "55P03": BUSY, "57014": BUSY, "40001": BUSY, "40P01": BUSY, "25006": READ_ONLY, "28": PASSWORD, "3D": ABSENT}
STATES |= {"08": GONE, "57P": GONE, "25P03": GONE}


@contextmanager
def faults(place: str) -> Iterator[None]:
    """Whatever the database raises within becomes a RegisterError about ``place``."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _translated(error, place) from None


def _translated(error: SQLAlchemyError, place: str) -> RegisterError:
    kind, status, what, way_out = BUSY if isinstance(error, NoConnectionFreeError) else _meaning(error)
    return RegisterError(f"register {place}: {what} ({_name(error)}). A register must answer and be writable. {way_out}.", kind=kind, status=status)


def _meaning(error: SQLAlchemyError) -> tuple[str, int, str, str]:
    if not isinstance(error, DBAPIError):
        return OTHER
    state = getattr(error.orig, "sqlstate", None) or ""
    for length in (5, 3, 2):
        if state[:length] in STATES:
            return STATES[state[:length]]
    said = str(error.orig).lower()
    for saying, meaning in SAYINGS.items():
        if saying in said:
            return meaning
    return GONE if error.connection_invalidated or (not state and "psycopg" in type(error.orig).__module__) else OTHER


def _name(error: SQLAlchemyError) -> str:
    origin = error.orig if isinstance(error, DBAPIError) else error
    return getattr(origin, "sqlstate", None) or type(origin).__name__
