"""Who answers while the desk is being opened: every call is told to come back soon, by a thread of the parent that ends before workers are forked."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import orjson

from api.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOK = 0.1  # seconds between two looks whether the desk is open
PATIENCE = 1.0  # seconds for a client to say what it wants
HEAD = 65_536


@contextmanager
def answering(listening: socket.socket) -> Iterator[None]:
    """Answer 503 ``starting`` on this socket until the block ends."""
    done = threading.Event()
    listening.settimeout(LOOK)
    thread = threading.Thread(target=_run, args=(listening, done), name="porter")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _run(listening: socket.socket, done: threading.Event) -> None:
    while not done.is_set():
        try:
            client, _ = listening.accept()
        except TimeoutError:
            continue
        with client:
            try:
                _answer(client)
            except OSError:  # gone, or too slow
                continue


def _answer(client: socket.socket) -> None:
    client.settimeout(PATIENCE)
    head = b""
    while b"\r\n\r\n" not in head and len(head) < HEAD and (part := client.recv(HEAD)):
        head += part
    client.sendall(_lives() if head.startswith(b"GET /healthz ") else _starting())
    client.shutdown(socket.SHUT_WR)
    while client.recv(HEAD):  # a body that is not read would take the answer away with it
        pass


def _lives() -> bytes:
    return _response("200 OK", "application/json", {"status": "ok", "detail": ""})


def _starting() -> bytes:
    starting = KINDS["starting"]
    problem = {"type": "urn:letter-triage:problem:starting", "title": starting.title, "status": starting.status, "detail": starting.says}
    return _response("503 Service Unavailable", "application/problem+json", problem, "Retry-After: 1\r\n")


def _response(status: str, kind: str, body: dict[str, object], more: str = "") -> bytes:
    content = orjson.dumps(body)
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n{more}Connection: close\r\n\r\n".encode() + content
