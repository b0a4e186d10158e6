"""What /readyz says of the register: whether letters can be stored, without a path, a server or a password, and without a restart once they can."""

import asyncio
import threading
import time

import pytest
from doors import Clock, door, elsewhere, key, probed
from registers import KEY, change, put

from api import opened
from api.settings import Settings
from api.sight import LATE, Seen, Sight
from triage.register import book

CLOSED = "postgresql://clerk:geheim@127.0.0.1:1/letters"


@pytest.fixture
def register(tmp_path):
    made = book.open_register(tmp_path / "office")
    yield made
    made.close()


def test_where_no_register_was_ever_made_none_is_needed_and_none_is_made(desk, tmp_path):
    with door(desk, tmp_path) as client:
        probed(client, Clock(), "ready")
    assert list(tmp_path.iterdir()) == []


def test_a_register_that_does_not_answer_is_told_to_everybody_without_saying_where_it_is(desk, tmp_path):
    with door(desk, tmp_path, database=CLOSED) as client:
        answer = probed(elsewhere(client), Clock(), "register-unreachable")
    assert not [secret for secret in ("geheim", "clerk", "127.0.0.1", str(tmp_path)) if secret in str(answer)]
    assert "triage doctor" in answer["detail"]


@pytest.mark.parametrize(
    ("says", "status"), [("database or disk is full", "register-full"), ("attempt to write a readonly database", "register-read-only"), ("?", "register")]
)
def test_a_register_that_takes_nothing_is_told_and_it_recovers_by_itself(desk, register, tmp_path, says, status):
    clock = Clock()
    with door(desk, tmp_path / "office", clock=clock) as client:
        probed(client, clock, "ready")
        change(register, f"CREATE TRIGGER refusing BEFORE UPDATE ON meta BEGIN SELECT RAISE(ABORT, '{says}'); END")
        answer = probed(client, clock, status)
        assert str(tmp_path) not in str(answer)
        change(register, "DROP TRIGGER refusing")
        assert probed(client, clock, "ready")["detail"] == desk.version


def test_a_register_whose_key_is_missing_takes_no_letters(desk, tmp_path):
    book.open_register(tmp_path, text_keys=KEY).close()
    with door(desk, tmp_path) as client:
        probed(client, Clock(), "register-key")


def test_one_look_holds_for_two_seconds(desk, register, tmp_path):
    clock = Clock()
    with door(desk, tmp_path / "office", clock=clock) as client:
        probed(client, clock, "ready")
        change(register, "ALTER TABLE meta RENAME TO gone")
        clock.now += 1.9
        assert client.get("/readyz").json()["status"] == "ready"
        probed(client, clock, "register")


def test_a_register_that_others_write_to_for_long_counts_as_ready(register, tmp_path):
    way = opened.Door(Settings(home=tmp_path / "office"), patience=0.1)
    with register.writing():
        sight, clock = Sight(way, clock=Clock()), time.monotonic()
        assert asyncio.run(settled(sight)) == Seen()
        assert time.monotonic() >= clock + 0.1
    way.close()


async def settled(sight):
    """What was seen once the look came back."""
    while (seen := await sight.now()).refused == "register-unreachable":
        pass
    return seen


def test_a_probe_does_not_wait_for_a_look_that_does_not_come_back(desk, register, tmp_path):
    clock, held = Clock(), threading.Event()
    with door(desk, tmp_path / "office", clock=clock) as client:
        probed(client, clock, "ready")
        way = client.app.state.door
        waiting = [client.portal.start_task_soon(way.call, held.wait) for _ in range(opened.THREADS)]
        while way._threads.statistics().borrowed_tokens < opened.THREADS:
            client.portal.call(asyncio.sleep, 0)
        clock.now += 2
        assert client.get("/readyz").json()["status"] == "ready"
        clock.now += LATE + 1
        assert client.get("/readyz").json()["status"] == "register-unreachable"
        held.set()
        probed(client, clock, "ready")
        for task in waiting:
            task.result(60)


def test_a_trail_whose_end_was_altered_is_told_while_letters_are_taken(desk, register, tmp_path):
    for number in range(3):
        put(register, f"第{number}封信")
    clock, header = Clock(), key(tmp_path / "office")
    with door(desk, tmp_path / "office", clock=clock) as client:
        probed(client, clock, "ready")
        change(register, "DROP TRIGGER audit_no_DELETE", "DELETE FROM audit WHERE seq = 4")
        answer = probed(client, clock, "degraded")
        assert (answer["detail"], "should end at 4, and ends at 3" in answer["refused"]) == (desk.version, True)
        assert client.post("/v1/letters", json={"text": "路灯坏了半年没人修"}, headers=header).status_code == 201
