"""From any older schema to the newest: in one transaction, after a backup, one process at a time. A newer schema is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, text

from triage.errors import RegisterError
from triage.register import migrations
from triage.register.schema import KNOWN_VERSIONS, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

BACKUPS = "backups"


def version(connection: Connection) -> str:
    """The schema's version, empty when there is no register yet. Raises RegisterError when it is newer than this program."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" not in tables:
        _check_empty(tables)
        return ""
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""
    if found and found not in KNOWN_VERSIONS:
        raise RegisterError(
            f'register: schema "{found[:40]}" is newer than this program, which knows up to "{VERSION}". Nothing was changed. '
            "Install the release that made it, or restore the backup from before the upgrade.",
            kind="register-newer",
        )
    return str(found)


def _check_empty(tables: list[str]) -> None:
    if tables:
        raise RegisterError(
            f"register: the database holds {len(tables)} tables, and no register among them. A register has a database of its own. Name another one.",
            kind="register-foreign",
        )


def upgrade(connection: Connection, before: Callable[[str], None] | None = None, to: str = "head") -> str:
    """Bring the schema to ``to`` within the connection's writing transaction; returns the version from which it came.

    ``before`` is called with that version when there is a register to lose. All steps hold, or none.
    """
    found = version(connection)
    if found == VERSION:
        return found
    if found and before:
        before(found)
    _take_steps(connection, to)
    return found


def _take_steps(connection: Connection, to: str) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(str(migrations.__file__)).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")  # the folder's path may hold any other sign
    scripts = ScriptDirectory.from_config(config)

    def steps(revision: Any, _: object) -> Any:
        return scripts._upgrade_revs(to, revision)  # noqa: SLF001  # as alembic's own command "upgrade" does

    with EnvironmentContext(config, scripts, fn=steps, destination_rev=to) as environment:
        environment.configure(connection=connection, render_as_batch=connection.dialect.name == "sqlite")
        environment.run_migrations()


def backup_path(home: Path, found: str, suffix: str) -> Path:
    """Where the backup from before an upgrade goes."""
    folder = home / BACKUPS
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"register-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-schema-{found}{suffix}"
