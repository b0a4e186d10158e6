"""Letters' words at rest: sealed with a key from the environment, or plain where an office has none. The key itself is never stored."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from triage.errors import RegisterError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

UNSTORABLE = {0: "\ufffd", **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}


class Cipher:
    """The keys of TRIAGE_TEXT_KEY: Fernet keys parted by commas, of which the first seals and every one opens.

    >>> cipher = Cipher("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    >>> cipher.open(cipher.id, cipher.seal("拖欠工资"))
    '拖欠工资'
    """

    def __init__(self, keys: str = "") -> None:
        self._keys: dict[str, Fernet] = {}
        for number, key in enumerate(filter(None, map(str.strip, keys.split(","))), 1):
            self._keys[_id(key)] = _fernet(key, number)
        self.id = next(iter(self._keys), "")
        """Which key seals, empty when none does."""

    def knows(self, key: str) -> bool:
        """Whether what was sealed with this key can be opened."""
        return not key or key in self._keys

    def seal(self, text: str) -> str:
        """The text as it is stored. What no database can store (NUL, half a surrogate pair) becomes U+FFFD."""
        plain = storable(text)
        return self._keys[self.id].encrypt(plain.encode()).decode() if self.id and plain else plain

    def open(self, key: str, stored: str) -> str:
        """The text of what was sealed with a key. Raises RegisterError when the key is not among ours or does not fit."""
        if not key or not stored:
            return stored
        if key not in self._keys:
            raise wrong_key(key, self)
        from cryptography.fernet import InvalidToken

        try:
            return self._keys[key].decrypt(stored.encode()).decode()
        except InvalidToken as error:
            raise RegisterError(
                f'register: a text sealed with key "{key}" was altered. It opens only as it was sealed. Restore it from a backup.', kind="register-damaged"
            ) from error

    @property
    def ids(self) -> list[str]:
        """The ids of all keys."""
        return list(self._keys)


def storable(text: str) -> str:
    r"""Without what PostgreSQL or UTF-8 refuses.

    >>> storable("甲\0乙𠮷")
    '甲\ufffd乙𠮷'
    """
    return text.translate(UNSTORABLE)


def wrong_key(key: str, cipher: Cipher) -> RegisterError:
    """The error of a text that none of our keys opens; keys are named by their ids."""
    ours = ", ".join(f'"{own}"' for own in cipher.ids) or "unset"
    return RegisterError(
        f'register: letters are sealed with key "{key}", and TRIAGE_TEXT_KEY is {ours}. Statistics need no key; reading and registering do. '
        "Set TRIAGE_TEXT_KEY to that key, or to a new one, a comma and that key.",
        kind="register-key",
    )


def _fernet(key: str, number: int) -> Fernet:
    from cryptography.fernet import Fernet

    try:
        return Fernet(key)
    except ValueError as error:
        raise RegisterError(
            f"TRIAGE_TEXT_KEY: key number {number} is no key. A key is 32 random bytes in URL-safe base64. docs/register.md says how to make one.",
            kind="register-key",
        ) from error


def _id(key: str) -> str:
    return sha256(key.encode()).hexdigest()[:8]
