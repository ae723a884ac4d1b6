"""The first tables: the message log, and what an administrator changes while the server runs."""

import sqlalchemy as sa
from alembic import op

revision = "v0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create them all."""
    _log_bodies()
    _log_records()
    _clients()
    _services()


def _log_bodies() -> None:
    op.create_table(
        "log_body", sa.Column("id", _BIG, nullable=False), sa.PrimaryKeyConstraint("id"), sqlite_autoincrement=True
    )
    op.create_table(
        "log_body_chunk",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("body_id", _BIG, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["body_id"], ["log_body.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("body_id", "position", name="uq_log_body_chunk"),
    )


def _log_records() -> None:
    op.create_table(
        "log_record",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("discriminator", sa.String(length=1), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("query_id", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=255), nullable=False),
        sa.Column("response", sa.SmallInteger(), nullable=False),
        sa.Column("client_side", sa.SmallInteger(), nullable=False),
        sa.Column("instance", sa.String(length=255), nullable=False),
        sa.Column("member_class", sa.String(length=255), nullable=False),
        sa.Column("member_code", sa.String(length=255), nullable=False),
        sa.Column("subsystem_code", sa.String(length=255), nullable=True),
        sa.Column("service_instance", sa.String(length=255), nullable=False),
        sa.Column("service_member_class", sa.String(length=255), nullable=False),
        sa.Column("service_member_code", sa.String(length=255), nullable=False),
        sa.Column("service_subsystem_code", sa.String(length=255), nullable=True),
        sa.Column("service_code", sa.String(length=255), nullable=False),
        sa.Column("service_version", sa.String(length=255), nullable=True),
        sa.Column("user_id", sa.String(length=1024), nullable=True),
        sa.Column("issue", sa.String(length=1024), nullable=True),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("body_id", _BIG, nullable=True),
        sa.Column("body_size", sa.BigInteger(), nullable=False),
        sa.Column("body_digest", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("hash_chain", sa.LargeBinary(), nullable=True),
        sa.Column("hash_chain_result", sa.LargeBinary(), nullable=True),
        sa.Column("signature_hash", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["body_id"], ["log_body.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("request_id", "response", "client_side", name="uq_log_record_message"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_log_record_body_id", "log_record", ["body_id"], unique=True, sqlite_where=sa.text("body_id IS NOT NULL")
    )
    op.create_index("ix_log_record_query_id", "log_record", ["query_id"], unique=False)
    op.create_index("ix_log_record_time", "log_record", ["time"], unique=False)


def _clients() -> None:
    op.create_table(
        "conf_client",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("connection", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("identifier"),
    )
    op.create_table("conf_version", sa.Column("version", sa.Integer(), nullable=False))
    op.create_table(
        "conf_client_certificate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["conf_client.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "conf_local_group",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["conf_client.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id", "code", name="uq_conf_local_group"),
    )
    op.execute("INSERT INTO conf_version (version) VALUES (1)")


def _services() -> None:
    op.create_table(
        "conf_service",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("client_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("timeout", sa.Float(), nullable=False),
        sa.Column("tls_verify", sa.Integer(), nullable=False),
        sa.Column("tls_certificate", sa.LargeBinary(), nullable=True),
        sa.Column("disabled", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["conf_client.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("client_id", "code", "version", name="uq_conf_service"),
    )
    op.create_table(
        "conf_access_right",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("subject_kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["service_id"], ["conf_service.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("service_id", "subject_kind", "subject", "method", "path", name="uq_conf_access_right"),
    )
    op.create_table(
        "conf_local_group_member",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("local_group_id", sa.Integer(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["local_group_id"], ["conf_local_group.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("local_group_id", "member", name="uq_conf_local_group_member"),
    )
