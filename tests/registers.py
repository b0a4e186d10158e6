"""Letters with decisions, for tests of the register that need no model."""

from triage.letter import CategoryScore, Decision, Label, Letter, PurposeScore, Reason, Term
from triage.register import files, migrate
from triage.register.engine import FILE, address, connect
from triage.register.entries import Entry, enter

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER_KEY = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU="
TEXT = "包工头欠我们八个人四个月工资,到现在一分没给"


def decision(own_id="", code="wages", department="human_resources", *, review=False, why="工资"):
    """A decision as the desk gives it; ``code`` empty is "not classified"."""
    category = CategoryScore(code, f"名称{code}", "劳动和社会保障", 0.93) if code else None
    purpose = PurposeScore("appeal", "申诉求决", 0.97) if code else None
    lead = Label(department, f"名称{department}") if department else None
    reasons = (Reason("category", "规则说明"),)
    return Decision(
        own_id,
        category,
        (category,) if category else (),
        purpose,
        lead,
        (),
        "forward",
        review,
        reasons,
        (Term(why, 1.84),),
        "2026-11-22T08-15-30Z-7f3a",
        "sha256:1",
    )


def entry(text=TEXT, own_id="", *, source="web", sender="", title="", **decided):
    return Entry(
        Letter(text, title=title, id=own_id, sender=sender, place="石桥镇", channel="web", received_at="2026-11-20"), decision(own_id, **decided), source
    )


def put(register, text=TEXT, own_id="", **options):
    """Register one letter and return its id."""
    return enter(register, [entry(text, own_id, **options)], "intake")[0].id


def count(register, table):
    with register.reading() as connection:
        return connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()


def change(register, *statements):
    """What somebody with the database's own tools could do."""
    with register.writing() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def at_version(home, database, version):
    """A register of an older schema with a letter in it."""
    url = address(home, database)
    if not database:
        files.prepare(home / FILE, lambda path: _upgraded(address(home, f"sqlite:///{path}"), version))
    else:
        _upgraded(url, version)
    return url


def _upgraded(url, version):
    made = connect(url)
    with made.connect().execution_options(triage_writes=True) as connection, connection.begin():
        migrate.upgrade(connection, to=version)
        connection.exec_driver_sql(
            "INSERT INTO letters (id, source, channel, received_at, sender, place, title, body, sealed_with, characters, registered_at, category, purpose,"
            " department, review) VALUES ('old', '', '', '', '', '', '', 'x', '', 1, '2025-01-01', '', '', '', 'open')"
        )
    made.dispose()
