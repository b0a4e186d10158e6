"""Whether the database itself is whole: what SQLite can check of its file, and that every row points to one that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triage.errors import RegisterError

if TYPE_CHECKING:
    from triage.register.book import Register


def check(register: Register) -> None:
    """Raise RegisterError when SQLite finds its file damaged; PostgreSQL checks its pages by itself."""
    if register.engine.dialect.name != "sqlite":
        return
    with register.reading() as connection:
        found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(10)")]
        orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if found != ["ok"] or orphans:
        raise RegisterError(
            f"register {register.place}: is damaged ({len(found) if found != ['ok'] else 0} faults of the file, {len(orphans)} rows that point to none). "
            "Nothing was changed. Move the file away and run `triage register restore BACKUP`.",
            kind="register-damaged",
        )


def check_writable(register: Register) -> None:
    """Raise RegisterError when nothing could be stored now: locked, read-only, full or out of reach. Takes the writers' turn for a moment."""
    from sqlalchemy import text

    with register.writing() as connection:
        connection.execute(text("UPDATE meta SET value = value WHERE name = 'register'"))
