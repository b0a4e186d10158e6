"""Who may call: a key in ``Authorization: Bearer``, or, while no key was ever made, a program on this machine.

Pure ASGI and in front of every route but the probes and the page: who forgets to ask for a right gets nobody's. A key never reaches a log
or an error.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from api import problems
from api.limits import Limit
from api.opened import Door, Keyring
from api.problems import RefusedError
from triage.errors import RegisterError, TriageError
from triage.register import audit, keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.figures import Figures
    from api.limits import Standing
    from api.settings import Settings

OPEN = frozenset({"/healthz", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json"})
PAGES = "/static/"
LOCAL = "local"  # whoever calls while there are no keys
SOON = 1.0  # seconds that a service which starts waits for the writers of its register; its workers try again
WRONG_KEYS = 20  # that an address may try in a minute
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-real-ip"})
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="letter-triage"'}
_HOST = re.compile(rb"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: ``name`` is the source of the letters that it registers, ``rights`` is what it may. ``refused`` is why it may no more."""

    name: str
    role: str
    rights: frozenset[str]
    key: str = ""
    refused: TriageError | None = None

    def check(self, right: str) -> None:
        """Raise RefusedError when this caller has not the right, or why nobody can be asked for it now."""
        if right not in self.rights:
            raise self.refused or RefusedError(
                f'key: the role "{self.role}" has not the right "{right}". docs/http.md says which role has. Use another key.',
                kind="missing-scope",
                status=403,
            )

    def sees(self, source: str) -> bool:
        """Whether it may read letters of a source: intake systems read their own."""
        return self.role != "intake" or source == self.name


_ANYBODY = Caller(LOCAL, "steward", keys.ROLES["steward"])


def caller_of(request: Request) -> Caller:
    """Who makes this request. Raises RefusedError when nobody was let in: a route that the gate does not guard answers nobody."""
    caller = request.scope.get("state", {}).get("caller")
    if not isinstance(caller, Caller):
        raise _no_key()
    return caller


class Access:
    """Who was let in and who was not: the keys, the calls of each key, and the wrong keys of each address."""

    def __init__(self, door: Door, calls: Limit, wrong: Limit, clock: Callable[[], float] = time.monotonic) -> None:
        self._keyring = Keyring(door, clock)
        self.calls, self.wrong = calls, wrong
        self.refusals: Counter[str] = Counter()

    async def freshen(self) -> None:
        """Read the keys anew if it is time."""
        await self._keyring.freshen()

    def let_in(self, scope: Scope) -> dict[str, str]:
        """Put who calls into ``scope["state"]``; returns the headers that tell how much more it may. Raises RefusedError; RegisterError while keys cannot be read."""
        told: dict[str, str] = {}
        try:
            _check_host(scope)
            if not _is_open(scope):
                scope.setdefault("state", {})["caller"], told = self._admit(scope)
        except TriageError as error:
            self.refusals[error.kind] += 1
            raise
        return told

    def _admit(self, scope: Scope) -> tuple[Caller, dict[str, str]]:
        known = self._keyring.known
        if known is None:
            if not _is_local(scope, _headers(scope)) and self._keyring.refused:
                raise self._keyring.refused
            return Caller(LOCAL, "", frozenset({keys.CLASSIFY}), refused=self._keyring.refused), {}
        if not known:
            _check_local(scope)
            return _ANYBODY, {}
        key = self._key(known, scope)
        standing = self.calls.take(key.id)
        told = _told(self.calls, standing)
        if not standing.allowed:
            raise RefusedError(
                f"key: more than {self.calls.quota} calls in a minute. TRIAGE_RATE_LIMIT is the limit. Wait as long as Retry-After says.",
                kind="too-many-calls",
                status=429,
                headers=told | {"Retry-After": str(standing.next)},
            )
        return Caller(key.name, key.role, keys.ROLES.get(key.role, frozenset()), key.id), told

    def _key(self, known: Mapping[str, keys.Key], scope: Scope) -> keys.Key:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, text = given[0].decode("latin-1").partition(" ") if len(given) == 1 else ("", "", "")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise _no_key()
        if key := keys.holder(known, text, audit.now()):
            return key
        standing = self.wrong.take(_address(scope))
        if not standing.allowed:
            raise RefusedError(
                f"Authorization: more than {WRONG_KEYS} wrong keys in a minute from this address. A right one is answered at once. Correct the key.",
                kind="too-many-wrong-keys",
                status=429,
                headers={"Retry-After": str(standing.next)},
            )
        raise _mistyped() if keys.is_mistyped(text) else _no_key()


@dataclass(slots=True)
class Gate:
    """The middleware: nobody comes to a route without ``Access`` having let it in."""

    app: ASGIApp
    access: Access = field(kw_only=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in with its caller in ``scope["state"]``, or answer it."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if not _is_open(scope):
            await self.access.freshen()
        try:
            told = self.access.let_in(scope)
        except TriageError as error:
            return await problems.of(error)(scope, receive, send)

        async def telling(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *((name.lower().encode(), value.encode()) for name, value in told.items())]
            await send(message)

        return await self.app(scope, receive, telling if told else send)


def install(app: FastAPI, settings: Settings, figures: Figures, clock: Callable[[], float] = time.monotonic) -> None:
    """Put the gate before the app, and the way to the register into ``app.state.door``."""
    app.state.door = Door(settings, clock)
    limits = Limit(settings.rate_limit, clock=clock, buckets=figures.calls), Limit(WRONG_KEYS, clock=clock, buckets=figures.wrong_keys)
    app.state.access = Access(app.state.door, *limits, clock)
    app.add_middleware(Gate, access=app.state.access)


def check_address(host: str, settings: Settings) -> str:
    """Who will be answered at an address, to be said when the service starts; empty when everybody with a key is.

    Raises SettingsError when others than this machine could call, and no key was ever made, or when TRIAGE_TEXT_KEY holds what is no key.
    """
    from api.settings import SettingsError

    _check_text_key(settings)
    door = Door(settings, patience=SOON)  # no signal is heard while SQLite waits
    try:
        known = door.keys()
    except TriageError as error:
        return f"keys cannot be read ({error.kind}): until they can, nobody is answered but programs of this machine that classify"
    finally:
        door.close()
    if not known and not _is_loopback(host) and host != "localhost":
        raise SettingsError(
            f'TRIAGE_HOST: "{host}" lets other machines in, and there are no keys. Without keys the service is for this machine alone. '
            "Run `triage keys create NAME --role intake`, or listen on 127.0.0.1."
        )
    return "" if known else "no keys: programs of this machine alone are answered (triage keys create NAME --role intake)"


def _check_text_key(settings: Settings) -> None:
    """Before the register is there at all: otherwise the first letter would be refused, and not the start."""
    from api.settings import SettingsError
    from triage.register.cipher import Cipher

    try:
        Cipher(settings.text_key.get_secret_value())
    except RegisterError as error:
        raise SettingsError(str(error)) from None


def _check_host(scope: Scope) -> None:
    """A Host is a name and a port, and stands once (RFC 9112, 3.2): what else it says could be taken for an address of ours."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if (hosts or scope["http_version"] != "1.0") and (len(hosts) != 1 or _HOST.fullmatch(hosts[0]) is None):
        raise RefusedError("Host: missing, doubled or no name of a host. RFC 9112 asks for exactly one. Correct it.", kind="bad-host", status=400)


def _is_open(scope: Scope) -> bool:
    return scope["path"] in OPEN or scope["path"].startswith(PAGES)


def _check_local(scope: Scope) -> None:
    headers = _headers(scope)
    if not _is_local(scope, headers):
        raise RefusedError(
            "service: has no keys, so it answers this machine alone. Other machines need a key. Run `triage keys create NAME --role intake`.",
            kind="no-keys",
            status=403,
        )
    origin = headers.get(b"origin")
    if headers.get(b"sec-fetch-site", b"none") not in {b"none", b"same-origin"} or (origin and origin.partition(b"//")[2] != headers.get(b"host")):
        raise RefusedError("Origin: a page of another site asked for this call. Only pages of this service may. Use a key.", kind="cross-site", status=403)


def _is_local(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """Whether a program on this machine calls, by a local name (a page may rebind a name of its own to 127.0.0.1), and not as somebody's proxy."""
    return _is_loopback(_address(scope)) and _is_local_name(headers.get(b"host", b"localhost")) and headers.keys().isdisjoint(FORWARDED)


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """The first of each name."""
    return dict(reversed(scope["headers"]))


@lru_cache(maxsize=1024)
def _is_local_name(host: bytes) -> bool:
    return re.sub(r":\d+$", "", host.decode("latin-1")).lower() in LOCAL_NAMES


def _address(scope: Scope) -> str:
    """The client's address; of IPv6 the network, since one has many addresses there."""
    return _network(scope["client"][0] if scope.get("client") else "")


@lru_cache(maxsize=1024)
def _network(host: str) -> str:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or (address if address.is_loopback else IPv6Address(int(address) >> 64 << 64))
    return str(address)


@lru_cache(maxsize=1024)
def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _told(limit: Limit, standing: Standing) -> dict[str, str]:
    """draft-ietf-httpapi-ratelimit-headers-10."""
    return {"RateLimit-Policy": f'"calls";q={limit.quota};w={limit.window:.0f}', "RateLimit": f'"calls";r={standing.left};t={standing.whole}'}


def _no_key() -> RefusedError:
    return RefusedError(
        "Authorization: no key that is valid here. A key is needed that was neither revoked nor has ended. Send `Authorization: Bearer KEY`.",
        kind="key-refused",
        status=401,
        headers=CHALLENGE,
    )


def _mistyped() -> RefusedError:
    return RefusedError(
        "Authorization: the key was copied wrongly, its last signs do not fit. A key is 51 signs long. Copy it again, whole.",
        kind="key-mistyped",
        status=401,
        headers=CHALLENGE,
    )
