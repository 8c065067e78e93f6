"""The tables of keys and budgets."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "access_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("per", sa.Text, nullable=False),
        sa.Column("budget", sa.BigInteger),
        sa.Column("models", sa.Text),
        sa.Column("requests_per_minute", sa.Integer),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double),
        sa.Column("revoked_at", sa.Double),
        sa.Column("last_used_at", sa.Double),
        sa.UniqueConstraint("name", name="access_keys_name"),
    )
    op.create_table(
        "access_hashes",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("valid_until", sa.Double),
    )
    op.create_index("access_hashes_key", "access_hashes", ["key_id"])
    op.create_table(
        "access_budgets",
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("period", sa.Text, primary_key=True),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "access_calls",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("day", sa.Text, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("lease_until", sa.Double, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger),
        sa.Column("pictures", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_index("access_calls_key", "access_calls", ["key_id", "started_at"])
    op.create_index("access_calls_lease", "access_calls", ["state", "lease_until"])
    op.create_table(
        "access_spending",
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("key_id", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("pictures", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
    )
