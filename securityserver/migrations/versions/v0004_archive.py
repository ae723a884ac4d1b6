"""What the archiver looks for: the records that are in no archive yet."""

import sqlalchemy as sa
from alembic import op

revision = "v0004"
down_revision = "v0003"
branch_labels = None
depends_on = None

_WAITING = sa.text("archive_id IS NULL")


def upgrade() -> None:
    """Add the index: without it each run reads the whole log."""
    op.create_index("ix_log_record_unarchived", "log_record", ["id"], sqlite_where=_WAITING, postgresql_where=_WAITING)
