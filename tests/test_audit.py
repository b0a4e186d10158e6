"""The audit trail: whoever alters, removes or slips in a row is found out, at the first row that is wrong."""

import pytest
from registers import change, put
from sqlalchemy import select

from triage.errors import RegisterError
from triage.register import audit, listing, retention
from triage.register.listing import Filters
from triage.register.schema import AUDIT
from triage.register.verdicts import Correction, correct

OPEN_SQLITE = ("DROP TRIGGER audit_no_UPDATE", "DROP TRIGGER audit_no_DELETE")
OPEN_POSTGRESQL = ("ALTER TABLE audit DISABLE TRIGGER ALL", *(f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in ("decisions", "corrections", "returns")))


def verified(register, anchor=""):
    with register.reading() as connection:
        return audit.verify(connection, anchor)


def ended(register):
    with register.reading() as connection:
        return audit.end(connection)


@pytest.fixture
def trail(register, taxonomy):
    """Four letters and a correction: rows 1 to 5."""
    letters = [put(register, f"第{number}封信", str(number)) for number in range(4)]
    correct(register, letters[1], Correction("王科员", category="utilities"), taxonomy)
    return register


def tamper(register, *statements):
    """As somebody who owns the database and switches its guards off."""
    if register.engine.dialect.name == "sqlite":
        with register.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            for statement in (*OPEN_SQLITE, *statements):
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
            connection.exec_driver_sql("BEGIN")
    else:
        change(register, *OPEN_POSTGRESQL, *statements)


def test_a_trail_that_nobody_touched_is_sound(trail):
    found = verified(trail)
    assert (found.rows, found.seq, found.first_bad, found.problem) == (5, 5, None, "")


def test_an_empty_trail_is_sound(register):
    assert verified(register).as_dict() == {"rows": 0, "seq": 0, "hash": "0" * 64, "first_bad": None, "problem": "", "sound": True}
    assert ended(register) == ""


@pytest.mark.parametrize(
    ("statements", "first_bad"),
    [
        (["UPDATE audit SET who = 'nobody' WHERE seq = 3"], 3),
        (["UPDATE audit SET at = '1970-01-01' WHERE seq = 1"], 1),
        (["UPDATE audit SET detail = '{}' WHERE seq = 5"], 5),
        (["UPDATE audit SET row_hash = prev_hash WHERE seq = 2"], 2),
        (["DELETE FROM audit WHERE seq = 2"], 2),
        (["DELETE FROM audit WHERE seq = 5"], 5),
        (["DELETE FROM audit"], 1),
        (["DELETE FROM audit WHERE seq = 3", "UPDATE audit SET seq = seq - 1 WHERE seq > 3"], 3),
        (["INSERT INTO audit SELECT 6, at, who, action, subject, detail, row_hash, row_hash FROM audit WHERE seq = 5"], 6),
        (["UPDATE decisions SET category = 'utilities' WHERE seq = 3"], 3),
        (["UPDATE decisions SET content = '{}' WHERE seq = 4"], 4),
        (["UPDATE corrections SET who = 'nobody'"], 5),
        (["DELETE FROM decisions WHERE seq = 2"], 2),
        (["DELETE FROM corrections"], 5),
    ],
)
def test_the_first_bad_row_is_named(trail, statements, first_bad):
    tamper(trail, *statements)
    found = verified(trail)
    assert found.first_bad == first_bad
    assert found.problem
    assert bool(ended(trail)) == ("audit" in statements[0].split())  # a look at the end sees no records


def test_the_end_of_a_long_trail_is_looked_at_and_nothing_before(trail):
    assert ended(trail) == ""
    for number in range(audit.LAST):
        put(trail, f"后来的第{number}封信")
    tamper(trail, "UPDATE audit SET who = 'nobody' WHERE seq = 3")
    assert (ended(trail), verified(trail).first_bad) == ("", 3)


def test_a_trail_that_was_written_anew_does_not_hold_the_row_noted_down_before(trail):
    note = verified(trail)
    anchor = f"{note.seq}:{note.hash}"
    put(trail, "后来的一封")
    assert verified(trail, anchor).first_bad is None
    assert verified(trail, f"{note.seq}:{'0' * 64}").first_bad == note.seq
    assert verified(trail, "nonsense").first_bad == 0


@pytest.mark.parametrize("statement", ["UPDATE audit SET who = 'x'", "DELETE FROM audit", "DELETE FROM audit WHERE seq = 5"])
def test_the_database_itself_refuses_to_change_the_trail(trail, statement):
    with pytest.raises(RegisterError, match="audit trail"):
        change(trail, statement)
    assert verified(trail).first_bad is None


def test_postgresql_refuses_to_truncate_it_too(trail):
    if trail.engine.dialect.name == "postgresql":
        with pytest.raises(RegisterError, match="audit trail"):
            change(trail, "TRUNCATE audit CASCADE")


def test_the_trail_says_who_did_what_and_never_a_letters_words(trail):
    retention.purge(trail, "P-7", "王科员")
    with trail.reading() as connection:
        rows = connection.execute(select(AUDIT).order_by(AUDIT.c.seq)).all()
    assert [(row.who, row.action) for row in rows] == [*[("intake", "register")] * 4, ("王科员", "correct")]
    assert "封信" not in "".join(f"{row.detail}{row.subject}" for row in rows)


def test_a_clock_that_goes_back_changes_neither_the_trail_nor_the_order_of_letters(trail):
    came = [put(trail, "钟表走快时来的信")]
    with trail.writing() as connection:  # what such a clock had written: a row of the future, sound in itself
        row = connection.execute(select(AUDIT).order_by(AUDIT.c.seq.desc())).first()._asdict() | {"at": "2999-01-01T00:00:00.000000+00:00"}
        row |= {"seq": row["seq"] + 1, "prev_hash": row["row_hash"], "action": "test", "detail": "{}"}
        row["row_hash"] = audit._hash(row)
        connection.execute(AUDIT.insert(), row)
        connection.exec_driver_sql(f"UPDATE meta SET value = '{row['seq']} {row['row_hash']}' WHERE name = 'audit_head'")
    change(trail, "UPDATE letters SET registered_at = '2999-01-01T00:00:00.000000+00:00'")
    came += [put(trail, f"钟表拨回以后的第{number}封信") for number in range(2)]
    assert (verified(trail).first_bad, ended(trail)) == (None, "")
    assert [letter.id for letter in listing.page(trail, Filters()).letters][:3] == came[::-1]
    assert len(set(came)) == 3


def test_rows_do_not_depend_on_the_clock(trail):
    with trail.writing() as connection:
        audit.append(connection, "clerk", "test")
    change(trail, "UPDATE letters SET registered_at = '1970-01-01T00:00:00.000000+00:00'")
    put(trail, "时钟回拨以后的信")
    assert verified(trail).first_bad is None
