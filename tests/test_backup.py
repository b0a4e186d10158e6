"""A backup that was never restored is none: every one here is; and a move loses nothing."""

import json
import threading
import zipfile

import pytest
from registers import KEY, OTHER_KEY, TEXT, entry, put
from sqlalchemy import select

from triage.errors import RegisterError, StorageError
from triage.register import audit, backup, book, entries, idempotency, keys, listing, retention
from triage.register.cipher import Cipher
from triage.register.restore import move, rehearse, restore
from triage.register.schema import TABLES
from triage.register.verdicts import Correction, correct


def content(register, *, but=()):
    with register.reading() as connection:
        rows = {table.name: sorted(map(tuple, connection.execute(select(table))), key=repr) for table in TABLES}
    rows["meta"] = [row for row in rows["meta"] if row[0] not in but]
    return rows


def filled(register, taxonomy):
    """A little of everything."""
    letters = [put(register, f"{TEXT}{number}𠮷", str(number), sender=f"P-{number % 3}", title="讨薪") for number in range(30)]
    correct(register, letters[3], Correction("王科员", category="utilities", why="看过"), taxonomy)
    entries.enter(register, [entry("再来一封")], "intake", claim=idempotency.claim(register, "s", "k", "d"), answer=lambda _: "回答")
    retention.keep_for(register, 365, "王科员")
    retention.purge(register, "P-2", "王科员")
    keys.create(register, "热线系统", "intake", "王科员", days=30)
    return letters


def back_up(register, path):
    with register.reading() as connection:
        backup.write(connection, path)
    return path


@pytest.fixture
def elsewhere(tmp_path):
    made = []

    def elsewhere(keys="", name="elsewhere"):
        made.append(book.open_register(tmp_path / name, text_keys=keys))
        return made[-1]

    yield elsewhere
    for register in made:
        register.close()


@pytest.mark.parametrize("keys", ["", KEY])
def test_what_is_restored_is_what_was_backed_up(opened, elsewhere, taxonomy, tmp_path, keys):
    register = opened(keys)
    letters = filled(register, taxonomy)
    path = back_up(register, tmp_path / "backup.zip")
    assert path.stat().st_mode & 0o777 == 0o600
    target = elsewhere(keys)
    assert restore(path, target).rows["letters"] == 21
    assert content(target) == content(register)
    assert listing.find(target, letters[3]).category == "utilities"
    put(target, "恢复以后的信")
    with target.reading() as connection:
        assert audit.verify(connection).first_bad is None


def test_a_backup_is_rehearsed_without_touching_anything(register, taxonomy, tmp_path):
    filled(register, taxonomy)
    before = content(register)
    assert rehearse(back_up(register, tmp_path / "backup.zip"), "").rows["letters"] == 21
    assert content(register) == before


def test_a_backup_made_under_load_is_one_moment(opened, elsewhere, tmp_path):
    register, stop = opened(), threading.Event()

    def load():
        while not stop.is_set():
            put(register, TEXT)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        paths = [back_up(register, tmp_path / f"{number}.zip") for number in range(5)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    counts = [rehearse(path, "").rows for path in paths]
    assert all(rows["letters"] == rows["decisions"] == rows["audit"] for rows in counts)


def test_a_backup_with_another_key_is_refused_by_the_keys_id(opened, elsewhere, tmp_path):
    register = opened(KEY)
    put(register)
    path = back_up(register, tmp_path / "backup.zip")
    for others in ("", OTHER_KEY):
        with pytest.raises(RegisterError, match=f'key "{Cipher(KEY).id}"') as refused:
            rehearse(path, others)
        assert refused.value.exit_status == 6


def test_a_register_that_holds_letters_is_never_overwritten(register, tmp_path):
    letter = put(register)
    path = back_up(register, tmp_path / "backup.zip")
    with pytest.raises(RegisterError, match="holds 1 letters"):
        restore(path, register)
    assert listing.find(register, letter).letter.body == TEXT


def rewritten(path, change):
    """The backup with its files changed by ``change``, as name to bytes."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
    return path


def consistent(files, name, raw):
    """Change a file as somebody would who also mends the manifest."""
    from hashlib import sha256

    manifest = json.loads(files["manifest.json"])
    manifest["sha256"][name], manifest["rows"][name] = sha256(raw).hexdigest(), raw.count(b"\n")
    files[f"{name}.jsonl"], files["manifest.json"] = raw, json.dumps(manifest).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.update({"letters.jsonl": files["letters.jsonl"][:-20]}),
        lambda files: files.update({"audit.jsonl": files["audit.jsonl"].replace(b"intake", b"nobody")}),
        lambda files: files.pop("decisions.jsonl"),
        lambda files: files.pop("manifest.json"),
        lambda files: files.update({"manifest.json": b"{}"}),
        lambda files: files.update({"manifest.json": b"[]"}),
        lambda files: files.update({"manifest.json": files["manifest.json"].replace(b'"format": 1', b'"format": 2')}),
        lambda files: consistent(files, "audit", files["audit.jsonl"].replace(b"intake", b"nobody")),
        lambda files: consistent(files, "audit", files["audit.jsonl"].rpartition(b"\n{")[0] + b"\n"),
        lambda files: consistent(files, "decisions", files["decisions.jsonl"].replace(b"wages", b"noise")),
    ],
)
def test_a_backup_that_was_altered_is_refused_and_restores_nothing(opened, elsewhere, tmp_path, change):
    register = opened()
    for number in range(3):
        put(register, f"第{number}封信")
    path = rewritten(back_up(register, tmp_path / "backup.zip"), change)
    target = elsewhere()
    with pytest.raises(RegisterError):
        restore(path, target)
    assert content(target)["letters"] == content(target)["audit"] == []
    put(target)


@pytest.mark.parametrize("raw", [b"", b"PK", b"x" * 1000])
def test_a_file_that_is_no_backup_is_refused(tmp_path, raw):
    path = tmp_path / "backup.zip"
    path.write_bytes(raw)
    with pytest.raises(RegisterError, match="backup"):
        rehearse(path, "")


def test_a_backup_cut_short_or_flipped_is_refused(register, tmp_path):
    put(register)
    whole = back_up(register, tmp_path / "backup.zip").read_bytes()
    for cut in range(0, len(whole), 97):
        (tmp_path / "cut.zip").write_bytes(whole[:cut])
        with pytest.raises(RegisterError):
            backup.check(tmp_path / "cut.zip", Cipher())


def test_a_backup_of_another_schema_is_refused(register, tmp_path):
    put(register)
    for schema in (b"0001", b"0099"):
        path = back_up(register, tmp_path / "backup.zip")
        rewritten(path, lambda files, schema=schema: files.update({"manifest.json": files["manifest.json"].replace(b'"0003"', b'"%b"' % schema)}))
        with pytest.raises(RegisterError, match="is of schema"):
            backup.check(path, Cipher())


def test_a_backup_that_cannot_be_written_is_a_storage_error(register, tmp_path):
    with pytest.raises(StorageError, match="backup"):
        back_up(register, tmp_path / "no such folder" / "backup.zip")


@pytest.mark.parametrize("keys", ["", KEY])
def test_a_register_moves_to_postgresql_and_back_and_loses_nothing(tmp_path, postgresql, taxonomy, keys):
    here, database = book.open_register(tmp_path / "old", text_keys=keys), postgresql.create()
    letters = filled(here, taxonomy)
    move(here, tmp_path, database, keys, "王科员")
    there = book.open_register(tmp_path, database, keys)
    assert content(there) == content(here, but=("moved",))
    assert listing.find(there, letters[3]).letter.title == "讨薪"
    put(there, "搬家以后的信", "new")
    move(there, tmp_path, f"sqlite:///{tmp_path}/back.sqlite3", keys, "王科员")
    back = book.open_register(tmp_path, f"sqlite:///{tmp_path}/back.sqlite3", keys)
    assert content(back) == content(there, but=("moved",))
    with back.reading() as connection:
        assert audit.verify(connection).first_bad is None
    assert put(back, "再来一封")
    for register in (here, there, back):
        register.close()


def test_a_register_that_was_moved_away_takes_no_more_letters(tmp_path, elsewhere):
    register = elsewhere(name="old")
    put(register)
    move(register, tmp_path, f"sqlite:///{tmp_path}/new.sqlite3", "", "王科员")
    with pytest.raises(RegisterError, match="was moved"):
        put(register)
    with pytest.raises(RegisterError, match="was moved"):
        book.open_register(tmp_path / "old")


def test_a_move_that_fails_leaves_the_register_as_it_is(tmp_path, elsewhere):
    register, full = elsewhere(name="old"), elsewhere(name="full")
    put(register)
    put(full)
    with pytest.raises(RegisterError, match="holds 1 letters"):
        move(register, tmp_path, f"sqlite:///{tmp_path}/full/register.sqlite3", "", "王科员")
    with pytest.raises(RegisterError, match="this register itself"):
        move(register, tmp_path, f"sqlite:///{tmp_path}/old/register.sqlite3", "", "王科员")
    assert put(register, "还能登记")
