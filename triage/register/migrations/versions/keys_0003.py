"""The keys of the HTTP service: who may call it, as what, until when."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0003", "0002"


def upgrade() -> None:
    """Add the table."""
    texts = [sa.Column(name, sa.Text, nullable=False) for name in ("name", "role", "digest", "made_at", "made_by")]
    ends = [sa.Column(name, sa.Text, nullable=True) for name in ("expires_at", "revoked_at", "revoked_by")]
    op.create_table(
        "api_keys",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        *texts,
        *ends,
        sqlite_autoincrement=True,
    )
