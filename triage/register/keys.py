"""Keys of the HTTP service: made here, shown once, and kept as digests. A key says by itself whether it was typed wrongly."""

from __future__ import annotations

import hmac
import re
import secrets
import string
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from zlib import crc32

from sqlalchemy import select, update

from triage.errors import InputError
from triage.register import audit
from triage.register.cipher import storable
from triage.register.schema import KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triage.register.book import Register

CLASSIFY, REGISTER, READ, LIST, CORRECT, RETURN = "classify", "register", "read", "list", "correct", "return"
ARCHIVE, MODELS = "archive", "models"
ROLES: dict[str, frozenset[str]] = {
    "intake": frozenset({CLASSIFY, REGISTER, READ}),  # reads the letters that it registered, and no others
    "staff": frozenset({READ, LIST, CORRECT, RETURN, ARCHIVE}),
    "steward": frozenset({CLASSIFY, REGISTER, READ, LIST, CORRECT, RETURN, ARCHIVE, MODELS}),
}
PREFIX = "ltk_"
LONGEST_NAME = 64
MOST_DAYS = 3_650
SIGNS = string.digits + string.ascii_uppercase + string.ascii_lowercase
SECRET, CHECK = 32, 6  # signs: 190 random bits; a CRC-32, which finds every wrong sign and every two that changed places
_FORM = re.compile(rf"{PREFIX}([0-9a-f]{{8}})_[0-9A-Za-z]{{{SECRET + CHECK}}}")
_NOBODY = "0" * 64


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key, without the key: whose it is (``name``), as what it calls (``role``), and when it ends."""

    id: str
    name: str
    role: str
    digest: str
    made_at: str
    made_by: str
    expires_at: str | None = None
    revoked_at: str | None = None
    revoked_by: str | None = None

    def state(self, now: str) -> str:
        """``live``, ``expired`` or ``revoked`` at a time as the register writes it.

        >>> Key("1", "热线", "intake", "", "2026-01-01", "li", expires_at="2026-06-01").state("2026-06-01")
        'expired'
        """
        if self.revoked_at:
            return "revoked"
        return "expired" if self.expires_at and self.expires_at <= now else "live"

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON, without the digest."""
        facts = asdict(self)
        del facts["digest"]
        return facts | {"state": self.state(audit.now())}


def create(register: Register, name: str, role: str, who: str, *, days: int | None = None) -> tuple[Key, str]:
    """Make a key and return what is known of it and the key itself, which nobody can show again. Raises InputError, RegisterError."""
    _check(name, role, days)
    now = datetime.now(UTC)
    number = secrets.token_hex(4)
    text = _checked(f"{PREFIX}{number}_{''.join(secrets.choice(SIGNS) for _ in range(SECRET))}")
    ends = (now + timedelta(days=days)).isoformat(timespec="microseconds") if days else None
    key = Key(number, storable(name.strip()), role, _digest(text), now.isoformat(timespec="microseconds"), storable(who), ends)
    with register.writing() as connection:
        audit.append(connection, who, "key-create", key.id, name=key.name, role=role, expires_at=ends)
        connection.execute(KEYS.insert().values(asdict(key)))
    return key, text


def known(register: Register) -> list[Key]:
    """All keys that were ever made, in that order."""
    names = [KEYS.c[name] for name in Key.__slots__]
    with register.reading() as connection:
        return [Key(*row) for row in connection.execute(select(*names).order_by(KEYS.c.number))]


def revoke(register: Register, beginning: str, who: str) -> Key:
    """End a key, named by the beginning of its id or by the whole key; one that was ended before stays as it is. Raises InputError."""
    wanted = found[1] if (found := _FORM.fullmatch(beginning)) else beginning
    named = [key for key in known(register) if wanted and key.id.startswith(wanted)]
    if len(named) != 1:
        what = "several keys begin so" if named else "no key has this id"
        raise InputError(f"key: {what}. Keys are named by their id or its beginning. Look it up with `triage keys list`.", kind="no-such-key", status=404)
    with register.writing() as connection:
        ended = update(KEYS).where(KEYS.c.id == named[0].id, KEYS.c.revoked_at.is_(None)).values(revoked_at=audit.now(), revoked_by=storable(who))
        if connection.execute(ended).rowcount:
            audit.append(connection, who, "key-revoke", named[0].id, name=named[0].name)
    return next(key for key in known(register) if key.id == named[0].id)


def is_mistyped(text: str) -> bool:
    """Whether a key that begins as ours was copied wrongly: its last signs are the CRC-32 of those before.

    >>> is_mistyped("ltk_00000000_" + "0" * 38), is_mistyped("another system's key")
    (True, False)
    """
    return text.startswith(PREFIX) and (_FORM.fullmatch(text) is None or text != _checked(text[:-CHECK]))


def holder(keys: Mapping[str, Key], text: str, now: str) -> Key | None:
    """Whose key this is, None for one that is unknown, expired or revoked; it takes the same time for all of them. ``keys`` are by id."""
    found = _FORM.fullmatch(text)
    key = keys.get(found[1]) if found else None
    fits = hmac.compare_digest(_digest(text), key.digest if key else _NOBODY)
    return key if key and fits and key.state(now) == "live" else None


def _check(name: str, role: str, days: int | None) -> None:
    if not name.strip() or len(name.strip()) > LONGEST_NAME or not name.isprintable():
        raise InputError(f"name: not a name of 1 to {LONGEST_NAME} printable characters. It says whose key it is, and stands in lists. Choose one.")
    if role not in ROLES:
        raise InputError(f'role: "{role[:40]}" is no role. Allowed: {", ".join(ROLES)}. Choose one.')
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise InputError(f"days: {days} is out of range. A key ends after 1 to {MOST_DAYS} days, or never. Correct it.")


def _checked(text: str) -> str:
    value, check = crc32(text.encode("utf-8", "replace")), ""
    for _ in range(CHECK):
        value, place = divmod(value, len(SIGNS))
        check = SIGNS[place] + check
    return text + check


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
