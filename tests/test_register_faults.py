"""What a register says when its database is locked, full, read-only, damaged, newer, older, or not there; and that nothing is lost."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from registers import KEY, TEXT, at_version, change, count, entry, put

from triage.errors import RegisterError, StorageError
from triage.register import book, engine, entries, files, health, idempotency, listing, migrate, schema
from triage.register.engine import address, connect

FILE = "register.sqlite3"


@pytest.fixture
def closing():
    """Open registers that are closed when the test ends."""
    made = []

    def closing(register):
        made.append(register)
        return register

    yield closing
    for register in made:
        register.close()


def test_a_new_office_gets_a_register_that_only_its_user_can_read(tmp_path, closing):
    closing(book.open_register(tmp_path / "新 office"))
    assert (tmp_path / "新 office" / FILE).stat().st_mode & 0o777 == 0o600


def test_sqlite_is_set_up_so_that_what_was_acknowledged_is_on_the_disk(tmp_path, closing):
    register = closing(book.open_register(tmp_path))
    with register.reading() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")}
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_a_writer_waits_for_the_others_and_then_says_so(opened):
    one, other = opened(), opened(patience=0.3)
    with one.writing(), pytest.raises(RegisterError) as refused:
        put(other)
    assert (refused.value.kind, refused.value.status) == ("register-busy", 503)
    assert put(other)


def test_a_writer_waits_for_another_thread_of_its_process(opened):
    register = opened(patience=0.2)
    started = threading.Event()

    def hold():
        with register.writing():
            started.set()
            time.sleep(0.6)

    thread = threading.Thread(target=hold)
    thread.start()
    started.wait()
    with pytest.raises(RegisterError) as refused:
        put(register)
    thread.join()
    assert refused.value.kind == "register-busy"
    assert put(register)


def test_readers_do_not_wait_for_a_writer(opened):
    one, other = opened(), opened(patience=0.3)
    letter = put(one)
    with one.writing():
        assert listing.find(other, letter).letter.body == TEXT


def test_a_call_that_fails_half_way_leaves_nothing(register):
    def fail(_):
        raise LookupError

    with pytest.raises(LookupError):
        entries.enter(register, [entry()], "intake", claim=idempotency.Claim("s", "k", "t"), answer=fail)
    assert count(register, "audit") == count(register, "letters") == 0


@pytest.mark.parametrize("content", [b"", b"SQLite", b"x" * 5_000, b"PK\x03\x04" + b"\0" * 5_000])
def test_a_file_that_is_no_register_is_refused_and_not_overwritten(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(RegisterError, match="restore BACKUP") as refused:
        book.open_register(tmp_path)
    assert (refused.value.exit_status, refused.value.kind) == (6, "register-damaged")
    assert (tmp_path / FILE).read_bytes() == content


def test_a_damaged_page_is_found(tmp_path, closing):
    register = book.open_register(tmp_path)
    for number in range(40):
        put(register, f"第{number}封信" * 100)
    register.close()
    content = bytearray((tmp_path / FILE).read_bytes())
    content[len(content) // 2 :] = os.urandom(len(content) - len(content) // 2)
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(RegisterError, match="damaged"):
        health.check(closing(book.open_register(tmp_path)))


def test_a_sound_register_is_healthy_and_writable(register):
    health.check(register)
    health.check_writable(register)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user who may not write")
def test_a_register_that_cannot_be_written_says_so_and_recovers(tmp_path):
    script = (
        "import os, sys, pathlib; from registers import put; from triage.register import book; from triage.errors import RegisterError\n"
        "register = book.open_register(pathlib.Path(sys.argv[1])); os.setuid(65534)\n"
        "try: register.engine.dispose(); put(register)\n"
        "except RegisterError as error: print(error.kind)\n"
    )
    book.open_register(tmp_path).close()
    (tmp_path / FILE).chmod(0o644)
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o111)
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, check=True, cwd=Path(__file__).parent, env=_environment())
    assert done.stdout.strip() in {b"register-read-only", b"register-full"}


def _environment():
    here = Path(__file__).parent
    return {**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{here.parent}"}


def test_a_folder_that_cannot_hold_a_register_is_a_storage_error(tmp_path):
    (tmp_path / "office").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot be made"):
        book.open_register(tmp_path / "office")


def test_a_full_disk_is_named_and_what_was_stored_stays(tmp_path, closing):
    register = closing(book.open_register(tmp_path))
    letter = put(register)
    with register.writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RegisterError) as refused:
        put(register, "长" * 90_000)
    assert (refused.value.kind, refused.value.status) == ("register-full", 507)
    with register.writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert put(register, "长" * 90_000) != letter


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_network_file_systems_are_known(kind):
    mounts = f"1 0 0:1 / / rw - ext4 /dev/sda rw\n2 1 0:2 / /srv/my\\040office rw,relatime shared:1 - {kind} nas:/x rw\n3 1 0:3 / /srvx rw - tmpfs x rw\n"
    assert files.file_system(Path("/srv/my office/register"), mounts) in files.NETWORK
    assert files.file_system(Path("/srv"), mounts) == "ext4"
    assert files.file_system(Path("/srv"), "") == ""


def test_a_sqlite_that_may_lose_commits_is_warned_of(tmp_path, closing):
    register = closing(book.open_register(tmp_path))
    bad = engine.has_reset_bug(engine.sqlite_module().sqlite_version_info)
    assert bool(register.warnings) is bad
    assert not bad or "pysqlite3" in register.warnings[0]


def test_without_pysqlite3_the_sqlite_of_python_does_and_says_when_it_is_too_old(tmp_path):
    script = (
        "import sys, pathlib; sys.modules['pysqlite3'] = None\n"
        "from registers import TEXT, put; from triage.register import book, engine, health, listing\n"
        "register = book.open_register(pathlib.Path(sys.argv[1])); module = engine.sqlite_module()\n"
        "assert listing.find(register, put(register)).letter.body == TEXT; health.check(register); register.close()\n"
        "print(module.__name__, bool(register.warnings) is engine.has_reset_bug(module.sqlite_version_info))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, check=True, env=_environment())
    assert done.stdout.split() == [b"sqlite3", b"True"]


def test_an_older_register_is_backed_up_and_brought_up_to_date(tmp_path, database, closing):
    at_version(tmp_path, database, "0001")
    if database:
        with pytest.raises(RegisterError, match="triage register upgrade"):
            book.open_register(tmp_path, database)
        assert book.upgrade(tmp_path, database) == "0001"
    register = closing(book.open_register(tmp_path, database))
    assert listing.find(register, "old").letter.body == "x"
    assert put(register)
    assert [path.suffix for path in (tmp_path / "backups").iterdir()] == [".zip" if database else ".sqlite3"]
    assert book.upgrade(tmp_path, database) == schema.VERSION


def test_an_upgrade_that_fails_half_way_changes_nothing(tmp_path, database, closing):
    url = at_version(tmp_path, database, "0001")
    made = connect(url)
    with made.connect().execution_options(triage_writes=True) as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE retention (x INTEGER)")  # so the last statement of the next step fails
    with pytest.raises(RegisterError):
        book.upgrade(tmp_path, database)
    with made.connect() as connection:
        assert "idempotency" not in sa.inspect(connection).get_table_names()
        assert migrate.version(connection) == "0001"
    with made.connect().execution_options(triage_writes=True) as connection, connection.begin():
        connection.exec_driver_sql("DROP TABLE retention")
    made.dispose()
    book.upgrade(tmp_path, database)
    closing(book.open_register(tmp_path, database))


def test_a_newer_register_is_refused_and_left_alone(opened, tmp_path, database):
    change(opened(), "UPDATE alembic_version SET version_num = '9999'")
    for action in (lambda: book.open_register(tmp_path, database), lambda: book.upgrade(tmp_path, database)):
        with pytest.raises(RegisterError, match="newer than this program") as refused:
            action()
        assert refused.value.exit_status == 6


def test_a_database_of_something_else_is_refused(tmp_path, postgresql):
    database = postgresql.create()
    made = connect(address(tmp_path, database))
    with made.connect().execution_options(triage_writes=True) as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE invoices (x INTEGER)")
    made.dispose()
    with pytest.raises(RegisterError, match="no register among them"):
        book.upgrade(tmp_path, database)


def test_of_several_processes_that_make_the_register_one_does_and_the_others_wait(tmp_path, database):
    script = "import sys, pathlib; from triage.register import book; print(repr(book.upgrade(pathlib.Path(sys.argv[1]), sys.argv[2])))"
    command = [sys.executable, "-c", script, tmp_path, database]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()) for _ in range(4)]
    done = [process.communicate(timeout=60) for process in running]
    assert [process.returncode for process in running] == [0] * 4, done
    if database:
        assert sorted(out.strip() for out, _ in done) == [b"''", *[b"'0003'"] * 3]
    else:
        assert {out.strip() for out, _ in done} == {b"'0003'"}  # made whole before anybody else sees it


def test_the_migrations_make_the_tables_that_the_program_expects(opened):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with opened().engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.METADATA) == []
    assert schema.KNOWN_VERSIONS[-1] == schema.VERSION


@pytest.mark.parametrize(
    "database",
    ["mysql://root:geheim@db/x", "geheim", "sqlite://", "sqlite:///:memory:", "postgresql+asyncpg://root:geheim@db/x", "http://[geheim"],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(tmp_path, database):
    with pytest.raises(RegisterError, match="TRIAGE_DATABASE") as refused:
        book.open_register(tmp_path, database)
    assert "geheim" not in str(refused.value)


def test_a_server_that_is_not_there_is_named_without_the_password(tmp_path):
    started = time.monotonic()
    with pytest.raises(RegisterError) as refused:
        book.open_register(tmp_path, "postgresql://clerk:geheim@127.0.0.1:1/letters?password=geheim")
    assert (refused.value.kind, refused.value.status) == ("register-unreachable", 503)
    assert "127.0.0.1:1/letters" in str(refused.value)
    assert "geheim" not in str(refused.value)
    assert time.monotonic() - started < 10


def test_a_database_that_does_not_exist_is_named(tmp_path, postgresql):
    with pytest.raises(RegisterError) as refused:
        book.open_register(tmp_path, postgresql.url("no_such_database"))
    assert refused.value.kind == "register-absent"


def test_an_empty_postgresql_is_made_by_a_command_only(tmp_path, postgresql):
    with pytest.raises(RegisterError, match="triage register init"):
        book.open_register(tmp_path, postgresql.create())


def test_a_postgresql_in_another_encoding_is_refused(tmp_path, postgresql):
    database = postgresql.create(encoding="SQL_ASCII")
    with pytest.raises(RegisterError, match="SQL_ASCII"):
        book.upgrade(tmp_path, database)


def test_a_wrong_password_is_named_and_not_shown(tmp_path, postgresql):
    database = postgresql.create()
    access = postgresql.folder / "data" / "pg_hba.conf"
    before = access.read_text()
    try:
        access.write_text("local all all scram-sha-256\n")
        postgresql._run("pg_ctl", "reload", "--pgdata", postgresql.folder / "data")
        time.sleep(0.5)
        with pytest.raises(RegisterError) as refused:
            book.open_register(tmp_path, database.replace("clerk@", "clerk:geheim@"))
    finally:
        access.write_text(before)
        postgresql._run("pg_ctl", "reload", "--pgdata", postgresql.folder / "data")
        time.sleep(0.5)
    assert refused.value.kind == "register-password"
    assert "geheim" not in str(refused.value)


def test_a_postgresql_that_was_restarted_is_used_again(tmp_path, postgresql):
    database = postgresql.create()
    book.upgrade(tmp_path, database)
    register = book.open_register(tmp_path, database)
    letter = put(register)
    postgresql.stop()
    with pytest.raises(RegisterError) as refused:
        put(register, "停机时来的信")
    postgresql.start()
    assert refused.value.kind == "register-unreachable"
    assert listing.find(register, letter).id == letter
    assert put(register, "重启以后来的信")
    register.close()


def test_a_postgresql_that_became_read_only_is_named(tmp_path, postgresql):
    database = postgresql.create()
    book.upgrade(tmp_path, database)
    name = database.split("/")[3].partition("?")[0]
    register = book.open_register(tmp_path, database)
    change(register, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    register.engine.dispose()
    with pytest.raises(RegisterError) as refused:
        put(register)
    assert refused.value.kind == "register-read-only"
    register.close()


def test_when_no_connection_is_free_it_says_so_within_seconds(opened, database):
    if not database:
        return
    register = opened()
    held = [register.engine.connect() for _ in range(engine.CONNECTIONS)]
    started = time.monotonic()
    with pytest.raises(RegisterError) as refused:
        put(register)
    for connection in held:
        connection.close()
    assert (refused.value.kind, time.monotonic() - started < 8) == ("register-busy", True)


def test_an_error_of_the_database_never_repeats_what_was_sent(opened):
    register = opened(KEY)
    with pytest.raises(RegisterError) as refused, register.writing() as connection:
        connection.execute(sa.text("INSERT INTO meta VALUES ('register', :words)"), {"words": "绝密来信"})
    assert "绝密" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert entries.enter(register, [entry()], "intake")[0].new
