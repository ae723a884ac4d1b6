"""The tables of events: outbox and inbox, subscriptions, questions, and what is known of records."""

import sqlalchemy as sa
from alembic import op

revision = "v0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create all tables."""
    _bad()
    _conflict()
    _inbox()
    _job()
    _known()
    _outbox()
    _position()
    _reference()
    _request()
    _subscription()
    _synced()


def _bad() -> None:
    op.create_table(
        "spean_bad",
        sa.Column("service", sa.String(length=255), nullable=False),
        sa.Column("person", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("service", "person"),
    )


def _conflict() -> None:
    op.create_table(
        "spean_conflict",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("service", sa.String(length=255), nullable=False),
        sa.Column("person", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sender", sa.String(length=1300), nullable=False),
        sa.Column("event", sa.String(length=99), nullable=False),
        sa.Column("field", sa.String(length=255), nullable=False),
        sa.Column("kept", sa.String(length=12), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("decided", sa.String(length=12), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_spean_conflict_at", "spean_conflict", ["at"])


def _inbox() -> None:
    op.create_table(
        "spean_inbox",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.String(length=1300), nullable=False),
        sa.Column("service", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("correlation", sa.LargeBinary(length=32), nullable=True),
        sa.Column("txn", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("ix_spean_inbox_at", "spean_inbox", ["at"])
    op.create_index("ix_spean_inbox_correlation", "spean_inbox", ["correlation"])
    op.create_index("ix_spean_inbox_txn", "spean_inbox", ["txn"])


def _job() -> None:
    op.create_table(
        "spean_job",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("correlation", sa.String(length=99), nullable=False),
        sa.Column("service", sa.String(length=255), nullable=False),
        sa.Column("client", sa.String(length=1300), nullable=False),
        sa.Column("callback", sa.String(length=1300), nullable=False),
        sa.Column("operation", sa.String(length=255), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("correlation"),
    )
    op.create_index("spean_job_state", "spean_job", ["state", "due"])


def _known() -> None:
    op.create_table(
        "spean_known",
        sa.Column("service", sa.String(length=255), nullable=False),
        sa.Column("person", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("round", _BIG, server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("service", "person"),
    )
    op.create_index("spean_known_round", "spean_known", ["service", "round"])


def _outbox() -> None:
    op.create_table(
        "spean_outbox",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("key", sa.String(length=99), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("service", sa.String(length=255), nullable=False),
        sa.Column("receiver", sa.String(length=1300), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("person", sa.LargeBinary(length=32), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("message", sa.String(length=99), nullable=True),
        sa.Column("lone", sa.Integer(), server_default="0", nullable=False),
        sa.Column("queued", sa.BigInteger(), nullable=True),
        sa.Column("recorded", sa.Integer(), server_default="0", nullable=False),
        sa.Column("problem", sa.String(length=255), nullable=True),
        sa.Column("finished", sa.BigInteger(), nullable=True),
        sa.Column("result", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_index("spean_outbox_due", "spean_outbox", ["state", "receiver", "due"])
    op.create_index("spean_outbox_order", "spean_outbox", ["state", "receiver", "id"])
    op.create_index("spean_outbox_finished", "spean_outbox", ["state", "finished"])
    op.create_index("spean_outbox_message", "spean_outbox", ["message"])
    op.create_index("spean_outbox_person", "spean_outbox", ["receiver", "person", "state", "id"])


def _position() -> None:
    op.create_table(
        "spean_position",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def _reference() -> None:
    op.create_table(
        "spean_reference",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("inbox", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("hash", "inbox"),
    )
    op.create_index("spean_reference_inbox", "spean_reference", ["inbox"])


def _request() -> None:
    op.create_table(
        "spean_request",
        sa.Column("message_id", sa.String(length=99), nullable=False),
        sa.Column("transaction_id", sa.String(length=99), nullable=False),
        sa.Column("correlation", sa.String(length=99), nullable=True),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("service", sa.String(length=255), nullable=False),
        sa.Column("receiver", sa.String(length=1300), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("answered", sa.BigInteger(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("message_id"),
    )
    op.create_index("ix_spean_request_correlation", "spean_request", ["correlation"])
    op.create_index("ix_spean_request_transaction_id", "spean_request", ["transaction_id"])


def _subscription() -> None:
    op.create_table(
        "spean_subscription",
        sa.Column("code", sa.String(length=99), nullable=False),
        sa.Column("service", sa.String(length=255), nullable=False),
        sa.Column("client", sa.String(length=1300), nullable=False),
        sa.Column("callback", sa.String(length=1300), nullable=False),
        sa.Column("event_type", sa.String(length=255), nullable=False),
        sa.Column("record_type", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("purpose", sa.String(length=255), nullable=True),
        sa.Column("frequency", sa.String(length=255), nullable=True),
        sa.Column("starts", sa.BigInteger(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=True),
        sa.Column("locale", sa.String(length=3), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_index("spean_subscription_digest", "spean_subscription", ["digest", "status"])
    op.create_index("spean_subscription_service", "spean_subscription", ["service", "status"])


def _synced() -> None:
    op.create_table(
        "spean_synced",
        sa.Column("service", sa.String(length=255), nullable=False),
        sa.Column("person", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("link", sa.LargeBinary(length=32), nullable=True),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sender", sa.String(length=1300), nullable=False),
        sa.Column("event_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service", "person"),
    )
    op.create_index("ix_spean_synced_link", "spean_synced", ["link"])
