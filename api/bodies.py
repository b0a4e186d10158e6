"""A request's body as JSON: strict UTF-8, no key twice, within the limits; and what is wrong with it, without a word of it."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from triage.errors import InputError

if TYPE_CHECKING:
    from starlette.requests import Request

DEEPEST = 32  # levels of objects and lists
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")


async def json_of(request: Request) -> Any:
    """The body of a request as JSON. Raises InputError that says what is wrong and never what was sent."""
    check(request.headers.get("content-type", ""), request.headers.get("content-encoding", "identity"))
    return content_of(await _bytes(request, request.app.state.settings.max_body))


def content_of(body: bytes) -> Any:
    """A body as JSON. Raises InputError that says what is wrong and never what was sent."""
    body = body.removeprefix(BYTE_ORDER_MARK)
    if not body.strip():
        raise InputError("body: empty. A JSON object is needed. Send it as /docs shows.", kind="empty-body", status=400)
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _refusal(body) from None
    if _is_flat(content, body):
        return content
    if _is_deeper(content, DEEPEST):
        raise _too_deep()
    _ONCE.decode(body.decode())  # of a field that stands twice every other reader takes the last
    return content


def _is_flat(content: Any, body: bytes) -> bool:
    """Whether it is an object of nothing but texts, in which no field stands twice: then the body has four quotes for each field, and none that is escaped."""
    return isinstance(content, dict) and b'\\"' not in body and body.count(b'"') == 4 * len(content) and all(type(text) is str for text in content.values())


@lru_cache(maxsize=64)
def check(content_type: str, content_encoding: str) -> None:
    """Raise InputError when these headers do not say that the body is plain JSON."""
    kind, *parameters = content_type.lower().split(";")
    if kind.strip() != "application/json" or content_encoding.lower() != "identity":
        raise InputError(
            "Content-Type: not plain application/json. Allowed is application/json without Content-Encoding. Set the header and send JSON.",
            kind="unsupported-media-type",
            status=415,
        )
    charsets = [value.partition("=")[2].strip().strip('"') for value in parameters if value.strip().startswith("charset")]
    if charsets not in ([], ["utf-8"]):
        raise _unsupported_charset()


def _unsupported_charset() -> InputError:
    return InputError("Content-Type: another character set. JSON is sent in UTF-8 (RFC 8259). Convert it.", kind="unsupported-charset", status=415)


async def _bytes(request: Request, limit: int) -> bytes:
    body = bytearray()
    told = request.headers.get("content-length", "")
    if told.isdecimal() and int(told[:20]) > limit:
        raise _too_large(limit)
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> InputError:
    return InputError(
        f"body: more than {limit} bytes. TRIAGE_MAX_BODY is the limit. Send fewer letters in a call, or raise it.", kind="body-too-large", status=413
    )


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise InputError("body: an object names a field twice. A field stands once. Remove one of the two.", kind="duplicate-key", status=400)


_ONCE = json.JSONDecoder(object_pairs_hook=_once)


def _is_deeper(content: Any, levels: int) -> bool:
    inner = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return levels == 0 or any(_is_deeper(part, levels - 1) for part in inner if isinstance(part, dict | list))


def _too_deep() -> InputError:
    return InputError(f"body: more than {DEEPEST} levels of objects and lists. No call needs as many. Correct it.", kind="json-too-deep", status=400)


def _refusal(body: bytes) -> InputError:
    """Why a body was refused. The standard library's reader tells one fault from another, though it lets some of them pass."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in body[:4]:
        return _unsupported_charset()
    try:
        content = json.loads(body.decode(), parse_constant=_no_constant)
    except RecursionError:
        return _too_deep()
    except (ValueError, InputError) as error:
        return _said(error)
    if _HALF.search(body):
        return InputError("body: half of a surrogate pair. A text holds whole characters. Send them as UTF-8.", kind="invalid-unicode", status=400)
    return _too_deep() if _is_deeper(content, DEEPEST) else _out_of_range()


def _said(error: ValueError | InputError) -> InputError:
    if isinstance(error, InputError):
        return error
    if isinstance(error, UnicodeDecodeError):
        return InputError(f"body: byte {error.start} is not UTF-8. JSON is sent in UTF-8 (RFC 8259). Convert it.", kind="not-utf8", status=400)
    if isinstance(error, json.JSONDecodeError):
        where = f"line {error.lineno}, column {error.colno}"
        return InputError(f"body: not valid JSON ({where}). RFC 8259 says what is. Correct it.", kind="invalid-json", status=400)
    return _out_of_range()  # more digits than Python reads


def _no_constant(_: str) -> None:
    raise InputError("body: NaN or Infinity. They are no JSON (RFC 8259). Leave the field out.", kind="invalid-json", status=400)


def _out_of_range() -> InputError:
    return InputError("body: a number that is too large. No call needs as large a one. Correct it.", kind="number-out-of-range", status=400)
