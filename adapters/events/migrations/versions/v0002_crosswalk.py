"""The tables of the crosswalk: persons, records, what was decided of them, and what does not fit."""

import sqlalchemy as sa
from alembic import op

revision = "v0002"
down_revision = "v0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create all tables."""
    _person()
    _record()
    _link()
    _history()
    _word()
    _finding()


def _person() -> None:
    op.create_table(
        "spean_crosswalk_person",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("spid", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("into", _BIG, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("spid"),
    )


def _record() -> None:
    op.create_table(
        "spean_crosswalk_record",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("registry", sa.String(length=255), nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("person", _BIG, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("spean_crosswalk_record_key", "spean_crosswalk_record", ["key"], unique=True)
    op.create_index("spean_crosswalk_record_person", "spean_crosswalk_record", ["person", "registry"])


def _link() -> None:
    op.create_table(
        "spean_crosswalk_link",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("person", _BIG, nullable=False),
        sa.Column("record", _BIG, nullable=True),
        sa.Column("twin", _BIG, nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("basis", sa.String(length=64), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("human", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("spean_crosswalk_link_record", "spean_crosswalk_link", ["record", "person"], unique=True)
    op.create_index("spean_crosswalk_link_twin", "spean_crosswalk_link", ["twin", "person"], unique=True)
    op.create_index("spean_crosswalk_link_person", "spean_crosswalk_link", ["person"])
    op.create_index("spean_crosswalk_link_state", "spean_crosswalk_link", ["state", "id"])


def _history() -> None:
    op.create_table(
        "spean_crosswalk_history",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("link", _BIG, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("basis", sa.String(length=64), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(length=255), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_spean_crosswalk_history_link", "spean_crosswalk_history", ["link"])


def _word() -> None:
    op.create_table(
        "spean_crosswalk_word",
        sa.Column("word", sa.LargeBinary(length=16), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("owner", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("word", "kind", "owner"),
        sqlite_with_rowid=False,
    )
    op.create_index("spean_crosswalk_word_owner", "spean_crosswalk_word", ["kind", "owner"])


def _finding() -> None:
    op.create_table(
        "spean_crosswalk_finding",
        sa.Column("id", _BIG, nullable=False),
        sa.Column("link", _BIG, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("spean_crosswalk_finding_link", "spean_crosswalk_finding", ["link", "kind"], unique=True)
    op.create_index("spean_crosswalk_finding_state", "spean_crosswalk_finding", ["state", "id"])
