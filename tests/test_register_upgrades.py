"""An upgrade of the register that is broken off, at any place and in any way: all of it holds, or nothing of it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from offices import TRIAGE
from registers import at_version, put
from served import PATIENCE, Asked, free_port, until

from triage.register import book, listing, migrate, schema
from triage.register.engine import address, connect

HERE = Path(__file__).parent
KILLED_AT_EVERY_STATEMENT = """
import os, pathlib, shutil, signal, sys
from sqlalchemy import Engine, event
from triage.register import book
before, home = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])

def upgraded(dies_at):
    statements = iter(range(dies_at))
    event.listen(Engine, "before_cursor_execute", lambda *_: next(statements, None) is not None or os.kill(os.getpid(), signal.SIGKILL))
    book.upgrade(home)
    os._exit(0)

status, dies_at = 1, 0
while status:
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(before, home)
    child = os.fork() or upgraded(dies_at)
    status = os.waitpid(child, 0)[1]
    shutil.copytree(home, f"{home}-{dies_at}")
    dies_at += 1
"""


def version(url):
    made = connect(url)
    with made.connect() as connection:
        found = migrate.version(connection)
    made.dispose()
    return found


def test_an_upgrade_that_is_killed_at_any_statement_holds_whole_or_not_at_all_and_can_be_run_again(tmp_path):
    at_version(tmp_path / "before", "", "0001")
    environment = {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}"}
    subprocess.run([sys.executable, "-c", KILLED_AT_EVERY_STATEMENT, tmp_path / "before", tmp_path / "home"], check=True, env=environment)
    left = sorted(tmp_path.glob("home-*"))
    assert len(left) > 8
    found = []
    for home in left:
        found.append(version(address(home, "")))
        register = book.open_register(home)
        assert listing.find(register, "old").letter.body == "x"
        assert put(register)
        register.close()
    assert set(found) == {"0001", schema.VERSION}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_upgrade_that_is_stopped_in_its_midst_changes_nothing(tmp_path, postgresql, how):
    psycopg = pytest.importorskip("psycopg")
    database = postgresql.create()
    url = at_version(tmp_path, database, "0001")
    with psycopg.connect(database) as holding, psycopg.connect(database, autocommit=True) as watching:
        holding.execute("LOCK TABLE alembic_version IN SHARE MODE")  # which a step writes to when it is done
        with command(tmp_path, database, "register", "upgrade") as process:
            waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            until(lambda: watching.execute(waits).fetchone()[0], "an upgrade that waits for a table")
            process.send_signal(how)
            assert process.wait(PATIENCE) == {signal.SIGINT: 130}.get(how, -how)
    assert version(url) == "0001"
    assert book.upgrade(tmp_path, database) == "0001"


def test_a_service_told_to_stop_while_its_register_waits_to_be_upgraded_ends_well_and_answers_meanwhile(small_home, tmp_path):
    home = shutil.copytree(small_home, tmp_path / "office")
    url, port = at_version(home, "", "0001"), free_port()
    made = connect(url)
    with made.connect().execution_options(triage_writes=True) as connection, connection.begin():  # nobody else writes now
        with command(home, "", "serve", "--port", str(port)) as process:
            until(lambda: Asked(f"http://127.0.0.1:{port}").status("/v1/categories") == 503, "the porter")
            process.terminate()
            assert process.wait(PATIENCE) == 0
        assert migrate.version(connection) == "0001"
    made.dispose()
    assert book.upgrade(home) == "0001"


def command(home, database, *words):
    environment = os.environ | {"TRIAGE_HOME": str(home), "TRIAGE_DATABASE": database}
    return subprocess.Popen([TRIAGE, *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
