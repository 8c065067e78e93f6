"""Jobs: what a purchase needs whose caller left at once."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

COLUMNS = (
    ("job_surface", sa.Text),
    ("job_model", sa.Text),
    ("job_key_is_ours", sa.Integer),
    ("job_request", sa.Text),
    ("job_attempts", sa.Integer),
    ("job_sent_at", sa.Double),
    ("job_not_before", sa.Double),
    ("job_completed_at", sa.Double),
    ("webhook_at", sa.Double),
    ("webhook_tries", sa.Integer),
)


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("purchases", sa.Column(name, kind))
    op.create_index("purchases_state", "purchases", ["state", "job_not_before"])
    op.create_index("purchases_webhook", "purchases", ["webhook_at"])
