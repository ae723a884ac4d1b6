"""Known records have a place each, in the order in which they were met: a first load goes through them by it."""

import sqlalchemy as sa
from alembic import op

revision = "v0003"
down_revision = "v0002"
branch_labels = None
depends_on = None

# What is known already gets the order in which it stands: that in which it was written, as far as a database keeps it.
_ORDER = {
    "sqlite": "UPDATE spean_known SET place = rowid",
    "postgresql": """UPDATE spean_known SET place = ordered.place
        FROM (SELECT service, person, row_number() OVER (ORDER BY ctid) AS place FROM spean_known) AS ordered
        WHERE spean_known.service = ordered.service AND spean_known.person = ordered.person""",
}


def upgrade() -> None:
    """Add the column and its index, and number what is there."""
    place = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("spean_known", sa.Column("place", place, nullable=False, server_default="0"))
    op.execute(_ORDER[op.get_bind().dialect.name])
    op.create_index("spean_known_place", "spean_known", ["service", "place"], unique=True)
