"""A backup back into an empty register, on either engine; and a whole register from one database into another."""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select, text

from triage.errors import RegisterError
from triage.register import audit, backup
from triage.register.book import open_register, upgrade
from triage.register.engine import address, place
from triage.register.schema import AUDIT, LETTERS, META, TABLES

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from triage.register.backup import Manifest
    from triage.register.book import Register

PART = 1_000  # rows of one insert


def restore(path: Path, register: Register) -> Manifest:
    """Restore a backup into an empty register: all of it, checked, or nothing. Raises RegisterError."""
    manifest = backup.check(path, register.cipher)
    with register.writing() as connection:
        _check_empty(register, connection)
        connection.execute(delete(META))
        for table in TABLES:
            rows = backup.lines(path, table.name)
            while part := list(islice(rows, PART)):
                connection.execute(table.insert(), part)
        _check(path, manifest, connection)
        _count_on(connection)
    register.facts = _facts(register)
    return manifest


def rehearse(path: Path, keys: str) -> Manifest:
    """Restore a backup into a register that is thrown away: proof that it can be done. Raises RegisterError."""
    with tempfile.TemporaryDirectory() as folder:
        register = open_register(Path(folder), text_keys=keys)
        try:
            return restore(path, register)
        finally:
            register.close()


def move(register: Register, home: Path, database: str, keys: str, who: str) -> Manifest:
    """Move everything into the empty register at ``database``. Afterwards this one refuses to be opened, so that no letter goes astray.

    Writers wait meanwhile; when anything fails, this register stays as it is. Raises RegisterError.
    """
    if place(address(home, database)) == register.place:
        raise RegisterError(f"register {register.place}: is this register itself. A move goes elsewhere. Name another database.", kind="register-address")
    upgrade(home, database)
    target = open_register(home, database, keys)
    try:
        with tempfile.TemporaryDirectory(dir=home) as folder, register.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            path = Path(folder) / "move.zip"
            audit.append(connection, who, "move")
            backup.write(connection, path)
            manifest = restore(path, target)
            connection.execute(META.insert().values(name=audit.MOVED, value=audit.now()))
    finally:
        target.close()
    return manifest


def _check_empty(register: Register, connection: Connection) -> None:
    letters, trail = (connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (LETTERS, AUDIT))
    if letters or trail:
        raise RegisterError(
            f"register {register.place}: holds {letters} letters. A backup is restored into an empty register, so that nothing is overwritten. "
            "Name another TRIAGE_HOME or TRIAGE_DATABASE, or move the old register away.",
            kind="register-not-empty",
        )


def _check(path: Path, manifest: Manifest, connection: Connection) -> None:
    counts = {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES}
    verdict = audit.verify(connection)
    wrong = [name for name, rows in manifest.rows.items() if counts[name] != rows]
    if wrong or verdict.first_bad is not None or manifest.audit_head != f"{verdict.seq} {verdict.hash}":
        what = f"its audit trail breaks at row {verdict.first_bad}" if not wrong else f"rows are lost in {wrong[0]}"
        raise RegisterError(f"backup {path}: {what}. Nothing was restored. Use another backup.", kind="backup-damaged")


def _count_on(connection: Connection) -> None:
    """Have PostgreSQL number new rows behind the restored ones; SQLite does by itself."""
    if connection.dialect.name == "postgresql":
        for table in TABLES:
            if "number" in table.columns:
                statement = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'number'), coalesce(max(number), 0) + 1, false) FROM {table.name}"  # noqa: S608
                connection.execute(text(statement))


def _facts(register: Register) -> dict[str, str]:
    with register.reading() as connection:
        rows: Any = connection.execute(select(META)).all()
        return {row.name: row.value for row in rows}
