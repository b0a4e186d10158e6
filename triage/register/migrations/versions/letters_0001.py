"""Letters, decisions, corrections, returns, the audit trail that nothing can rewrite, and the register's own identity."""

import secrets

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NEVER = "the audit trail is append-only"
SQLITE_TRIGGER = "CREATE TRIGGER audit_no_{verb} BEFORE {verb} ON audit BEGIN SELECT RAISE(ABORT, '" + NEVER + "'); END"
POSTGRESQL_FUNCTION = "CREATE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '" + NEVER + "'; END $$"
POSTGRESQL_TRIGGERS = (
    "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuses()",
    "CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuses()",
)


def upgrade() -> None:
    """Create all of it."""
    _letters()
    _audit()
    _beside_letters("decisions", "category", "purpose", "department", "needs_review!", "model?", "taxonomy", "content")
    _beside_letters("corrections", "who", "category", "purpose", "department")
    _beside_letters("returns", "who", "objector", "category", "department", "forwarded_on", "returned_on", "due_on", "in_time!")
    meta = op.create_table("meta", sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False))
    op.bulk_insert(meta, [{"name": name, "value": secrets.token_hex(16)} for name in ("register", "salt", "cursor_key")])
    op.bulk_insert(meta, [{"name": "audit_head", "value": "0 " + 64 * "0"}, {"name": "text_key", "value": ""}])


def _letters() -> None:
    texts = ["id", "source", "source_id?", "channel", "received_at", "sender", "place", "title", "body", "sealed_with"]
    state = ["mark?", "repeats?", "registered_at", "category", "purpose", "department", "review", "erased_at?"]
    columns = [*map(_column, texts), sa.Column("characters", sa.Integer, nullable=False), *map(_column, state)]
    op.create_table("letters", _number(), *columns, sa.UniqueConstraint("id"), sqlite_autoincrement=True)
    op.create_index("letters_by_source", "letters", ["source", "source_id"], unique=True)
    for name in ("sender", "department", "category", "review"):
        op.create_index(f"letters_by_{name}", "letters", [name, "number"])
    op.create_index("letters_by_time", "letters", ["registered_at"])


def _audit() -> None:
    columns = [_column(name) for name in ("at", "who", "action", "subject", "detail", "prev_hash", "row_hash")]
    op.create_table("audit", sa.Column("seq", NUMBER, primary_key=True, autoincrement=False), *columns)
    if op.get_bind().dialect.name == "sqlite":
        statements = tuple(SQLITE_TRIGGER.format(verb=verb) for verb in ("UPDATE", "DELETE"))
    else:
        statements = (POSTGRESQL_FUNCTION, *POSTGRESQL_TRIGGERS)
    for statement in statements:
        op.execute(statement)


def _beside_letters(name: str, *columns: str) -> None:
    letter = sa.Column("letter", sa.Text, sa.ForeignKey("letters.id"), nullable=False)
    seq = sa.Column("seq", NUMBER, sa.ForeignKey("audit.seq"), nullable=False)
    rest = [_column(column) for column in ("at", *columns, "why", "sealed_with")]
    op.create_table(name, _number(), letter, seq, *rest, sa.UniqueConstraint("seq"), sqlite_autoincrement=True)
    op.create_index(f"ix_{name}_letter", name, ["letter"])


def _number() -> sa.Column[int]:
    return sa.Column("number", NUMBER, primary_key=True, autoincrement=True)


def _column(name: str) -> sa.Column[str] | sa.Column[bool]:
    """``name!`` is a yes or no, ``name?`` may be null, and any other a text."""
    kind = sa.Boolean() if name.endswith("!") else sa.Text()
    return sa.Column(name.rstrip("!?"), kind, nullable=name.endswith("?"))
