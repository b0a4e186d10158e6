"""Answers kept for repeated calls (Idempotency-Key), and how long letters' text is kept."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade() -> None:
    """Add both tables."""
    rest = [sa.Column(name, sa.Text, nullable=False) for name in ("digest", "token", "state", "answer", "sealed_with", "letters", "started_at", "expires_at")]
    op.create_table("idempotency", sa.Column("scope", sa.Text, primary_key=True), sa.Column("key", sa.Text, primary_key=True), *rest)
    op.create_table(
        "retention",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("days", sa.Integer, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("at", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
