"""Nobody looks for the records of one time-stamp: the index cost a page at each stamping, and PostgreSQL planning."""

from alembic import op

revision = "v0005"
down_revision = "v0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop it."""
    op.drop_index("ix_log_record_timestamp_id", table_name="log_record")
