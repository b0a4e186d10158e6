"""The register in one file, the same for both engines: a zip of ``manifest.json`` and one ``TABLE.jsonl`` for each table.

The manifest counts the rows of every table and holds the SHA-256 of its file, the schema's version, the ids of the keys with which texts are
sealed, and the head of the audit trail. Texts stay sealed as they are, so a backup opens with the keys of its register only.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from models.disk import flush
from triage.errors import RegisterError, StorageError
from triage.register import audit
from triage.register.schema import TABLES, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from triage.register.cipher import Cipher

FORMAT = 1
MANIFEST = "manifest.json"
SORTED = {"meta": "name", "audit": "seq", "idempotency": "scope, key"}  # by number, all others


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds: rows and SHA-256 of each table's file."""

    register: str
    schema: str
    made_at: str
    keys: tuple[str, ...]
    audit_head: str
    rows: Mapping[str, int]
    sha256: Mapping[str, str]


def write(connection: Connection, path: Path) -> None:
    """Back up what this connection sees into ``path``, which is there whole or not at all. Raises StorageError."""
    draft = path.with_name(f".{path.name}")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "w+b") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            _write(connection, archive)
        flush(draft)
        draft.rename(path)
        flush(path.parent)
    except OSError as error:
        raise StorageError(f"backup {path}: cannot be written ({error.strerror or error}). The folder must be writable and have room. See to it.") from error
    finally:
        draft.unlink(missing_ok=True)


def _write(connection: Connection, archive: zipfile.ZipFile) -> None:
    rows, sums, keys = {}, {}, set()
    meta: dict[str, str] = dict(connection.execute(text("SELECT name, value FROM meta")).all())
    tables = [table.name for table in TABLES if connection.dialect.has_table(connection, table.name)]
    for name in tables:
        digest, count = hashlib.sha256(), 0
        with archive.open(f"{name}.jsonl", "w", force_zip64=True) as file:
            for row in _rows(connection, name):
                keys.add(row.get("sealed_with") or "")
                line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
                digest.update(line)
                file.write(line)
                count += 1
        rows[name], sums[name] = count, digest.hexdigest()
    schema = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    facts = {"register": meta["register"], "schema": schema, "made_at": audit.now(), "keys": sorted(keys - {""}), "audit_head": meta["audit_head"]}
    archive.writestr(MANIFEST, json.dumps({"format": FORMAT, **facts, "rows": rows, "sha256": sums}, ensure_ascii=False, indent=1))


def _rows(connection: Connection, name: str) -> Iterator[dict[str, Any]]:
    """The rows of a table as any schema has it, in a fixed order."""
    truths = {column.name for table in TABLES if table.name == name for column in table.columns if column.type.python_type is bool}
    statement = text(f"SELECT * FROM {name} ORDER BY {SORTED.get(name, 'number')}")  # noqa: S608  # a name of ours
    with connection.execute(statement, execution_options=audit.STREAMED) as rows:
        for row in rows.mappings():
            yield {column: bool(value) if column in truths else value for column, value in row.items()}


def check(path: Path, cipher: Cipher) -> Manifest:
    """The manifest of a backup that is whole, of this schema, and opens with our keys. Raises RegisterError."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive)
            for name in manifest.rows:
                _check_table(archive, name, manifest)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, EOFError, OSError) as error:
        raise _damaged(path, type(error).__name__) from error
    if manifest.schema != VERSION:
        raise RegisterError(
            f'backup {path}: is of schema "{manifest.schema[:40]}", this program\'s is "{VERSION}". A backup is restored by the release that made it. '
            "Restore it with that release, then run `triage register upgrade`.",
            kind="register-newer" if manifest.schema > VERSION else "register-older",
        )
    if foreign := [key for key in manifest.keys if not cipher.knows(key)]:
        raise RegisterError(
            f'backup {path}: letters in it are sealed with key "{foreign[0]}", which is not among those of TRIAGE_TEXT_KEY. '
            "They would never be read again. Add that key to TRIAGE_TEXT_KEY.",
            kind="register-key",
        )
    return manifest


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    raw = json.loads(archive.read(MANIFEST))
    if raw.pop("format") != FORMAT:
        raise ValueError("format")
    manifest = Manifest(**raw | {"keys": tuple(raw["keys"])})
    if not {"meta", "audit", "letters"} <= set(manifest.rows) <= {table.name for table in TABLES}:
        raise ValueError("tables")
    return manifest


def _check_table(archive: zipfile.ZipFile, name: str, manifest: Manifest) -> None:
    digest, count = hashlib.sha256(), 0
    with archive.open(f"{name}.jsonl") as file:
        for line in file:
            digest.update(line)
            count += 1
    if (count, digest.hexdigest()) != (manifest.rows[name], manifest.sha256[name]):
        raise ValueError(name)


def _damaged(path: Path, what: str) -> RegisterError:
    return RegisterError(
        f"backup {path}: is damaged or no backup of a register ({what}). Every file in it must be as it was written. Use another backup.", kind="backup-damaged"
    )


def lines(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """The rows of a table in a backup that was checked."""
    with zipfile.ZipFile(path) as archive:
        if f"{name}.jsonl" in archive.namelist():
            with archive.open(f"{name}.jsonl") as file:
                yield from map(json.loads, file)
