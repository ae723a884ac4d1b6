"""Evidence: time-stamps, a Merkle tree over records, encrypted bodies, archives; on PostgreSQL a partition a day."""

import sqlalchemy as sa
from alembic import op

revision = "v0002"
down_revision = "v0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the new tables, then widen the old ones."""
    _times_and_archives()
    _tree()
    _record_columns()
    op.add_column("log_body_chunk", sa.Column("day", sa.Integer(), nullable=False, server_default="0"))
    for name in ("log_requests", "log_responses"):
        op.add_column("conf_client", sa.Column(name, sa.String(16), nullable=False, server_default="encrypted"))
    if op.get_bind().dialect.name == "postgresql":
        _partition_chunks()
        _partition_records()
    _record_indexes()


def _times_and_archives() -> None:
    op.create_table(
        "log_timestamp",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("hash_chain_result", sa.LargeBinary(), nullable=True),
        sa.Column("authority", sa.String(length=255), nullable=False),
        sa.Column("tree_head_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "log_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("wrapped", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "log_archive",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("file_name", sa.String(length=255), nullable=False),
        sa.Column("group_name", sa.String(length=1024), nullable=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("verified", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id"),
    )


def _tree() -> None:
    op.create_table(
        "log_tree_node",
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("archive_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("level", "position"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_tree_head",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("timestamp_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def _record_columns() -> None:
    for definition in (
        "leaf_index BIGINT",
        f"leaf_hash {_bytes()}",
        "body_form SMALLINT NOT NULL DEFAULT 0",
        "body_key_id INTEGER REFERENCES log_key (id)",
        f"body_stored_digest {_bytes()}",
        "timestamp_id BIGINT REFERENCES log_timestamp (id)",
        f"timestamp_hash_chain {_bytes()}",
        "archive_id BIGINT REFERENCES log_archive (id)",
    ):
        op.execute(f"ALTER TABLE log_record ADD COLUMN {definition}")


def _bytes() -> str:
    return "BYTEA" if op.get_bind().dialect.name == "postgresql" else "BLOB"


def _partition_chunks() -> None:
    # PostgreSQL is supported from this migration on, so that there is nothing to move. Keys of a partitioned table
    # must hold the column that it is divided by.
    for statement in (
        "ALTER SEQUENCE log_body_chunk_id_seq OWNED BY NONE",
        "ALTER TABLE log_body_chunk RENAME TO log_body_chunk_whole",
        "CREATE TABLE log_body_chunk (LIKE log_body_chunk_whole INCLUDING DEFAULTS) PARTITION BY RANGE (day)",
        "DROP TABLE log_body_chunk_whole",
        "ALTER SEQUENCE log_body_chunk_id_seq OWNED BY log_body_chunk.id",
        "ALTER TABLE log_body_chunk ADD PRIMARY KEY (id, day)",
        "ALTER TABLE log_body_chunk ADD CONSTRAINT uq_log_body_chunk UNIQUE (body_id, position, day)",
        "ALTER TABLE log_body_chunk ADD FOREIGN KEY (body_id) REFERENCES log_body (id)",
    ):
        op.execute(statement)


def _partition_records() -> None:
    for statement in (
        "ALTER SEQUENCE log_record_id_seq OWNED BY NONE",
        "ALTER TABLE log_record RENAME TO log_record_whole",
        "CREATE TABLE log_record (LIKE log_record_whole INCLUDING DEFAULTS) PARTITION BY RANGE (time)",
        "DROP TABLE log_record_whole",
        "ALTER SEQUENCE log_record_id_seq OWNED BY log_record.id",
        "ALTER TABLE log_record ADD PRIMARY KEY (id, time)",
        "ALTER TABLE log_record ADD CONSTRAINT uq_log_record_message UNIQUE (request_id, response, client_side, time)",
        "ALTER TABLE log_record ADD FOREIGN KEY (body_id) REFERENCES log_body (id)",
        "ALTER TABLE log_record ADD FOREIGN KEY (body_key_id) REFERENCES log_key (id)",
        "ALTER TABLE log_record ADD FOREIGN KEY (timestamp_id) REFERENCES log_timestamp (id)",
        "ALTER TABLE log_record ADD FOREIGN KEY (archive_id) REFERENCES log_archive (id)",
        "CREATE INDEX ix_log_record_query_id ON log_record (query_id)",
        "CREATE INDEX ix_log_record_time ON log_record (time)",
        "CREATE INDEX ix_log_record_body_id ON log_record (body_id) WHERE body_id IS NOT NULL",
        # SQLite does not hold a text to its column's length, and no sender may make the two behave differently.
        *(f"ALTER TABLE log_record ALTER COLUMN {name} TYPE TEXT" for name in _TEXTS),
    ):
        op.execute(statement)


_TEXTS = (
    "query_id",
    "request_id",
    "instance",
    "member_class",
    "member_code",
    "subsystem_code",
    "service_instance",
    "service_member_class",
    "service_member_code",
    "service_subsystem_code",
    "service_code",
    "service_version",
    "user_id",
    "issue",
)


def _record_indexes() -> None:
    unique = op.get_bind().dialect.name != "postgresql"  # there the lock of the one writer stands for it
    op.create_index("uq_log_record_leaf_index", "log_record", ["leaf_index"], unique=unique)
    for column, condition in (("timestamp_id", "IS NOT NULL"), ("id", "IS NULL")):
        name = "ix_log_record_timestamp_id" if condition == "IS NOT NULL" else "ix_log_record_unstamped"
        where = sa.text(f"timestamp_id {condition}")
        op.create_index(name, "log_record", [column], sqlite_where=where, postgresql_where=where)
