"""PostgreSQL: the identifiers of messages in narrow partitions, which say in which days to look for a message."""

import sqlalchemy as sa
from alembic import op

revision = "v0006"
down_revision = "v0005"
branch_labels = None
depends_on = None

_COLUMNS = "query_id, request_id, response, client_side, time"
_DAYS = sa.text(
    "SELECT relname, pg_get_expr(relpartbound, oid) FROM pg_class JOIN pg_inherits ON inhrelid = oid"
    " WHERE inhparent = 'log_record'::regclass ORDER BY relname"
)


def upgrade() -> None:
    """Make the table with the days that there are; fill it before its indexes are built."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    op.execute(
        'CREATE TABLE log_message_key (query_id TEXT COLLATE "C" NOT NULL, request_id TEXT COLLATE "C" NOT NULL,'
        " response SMALLINT NOT NULL, client_side SMALLINT NOT NULL, time BIGINT NOT NULL) PARTITION BY RANGE (time)"
    )
    for name, bounds in connection.execute(_DAYS).all():
        day = name.replace("log_record", "log_message_key")
        op.execute(f"CREATE TABLE {day} PARTITION OF log_message_key {bounds}")
        op.execute(f"INSERT INTO {day} ({_COLUMNS}) SELECT {_COLUMNS} FROM {name}")  # noqa: S608 - all our own
    for column in ("query_id", "request_id"):
        op.execute(f"CREATE INDEX ix_log_message_key_{column} ON log_message_key ({column})")
