"""What auditors search by: indexes that give their answers in order, newest first."""

import sqlalchemy as sa
from alembic import op

revision = "v0003"
down_revision = "v0002"
branch_labels = None
depends_on = None

_PARTY = ("instance", "member_class", "member_code", "subsystem_code")
_FAILED = {
    "sqlite": "response = 1 AND substr(head, 1, 3) >= x'343030'",
    "postgresql": r"response = 1 AND substr(head, 1, 3) >= '\x343030'::bytea",
}


def upgrade() -> None:
    """Replace the two indexes that had no order in them, and add the others."""
    for name in ("ix_log_record_query_id", "ix_log_record_time"):
        op.drop_index(name, table_name="log_record")
    _index("ix_log_record_query_id", "query_id")
    _index("ix_log_record_time")
    _index("ix_log_record_client", *_PARTY)
    _index("ix_log_record_service", *(f"service_{name}" for name in _PARTY), "service_code")
    _index("ix_log_record_user", "user_id", where="user_id IS NOT NULL")
    _index("ix_log_record_issue", "issue", where="issue IS NOT NULL")
    _index("ix_log_record_failed", where=_FAILED[op.get_bind().dialect.name])


def _index(name: str, *columns: str, where: str | None = None) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(name, "log_record", [*columns, "time", "id"], sqlite_where=condition, postgresql_where=condition)
