"""The tables of what an administrator changes while the server runs: clients, services, access rights, local groups.

It refuses to know the rules between them: `declaration` and `snapshot` do.
The migrations create these tables; a test compares the two.
"""

from sqlalchemy import Column, Float, ForeignKey, Integer, LargeBinary, MetaData, String, Table, Text, UniqueConstraint

METADATA = MetaData()


def _child_of(table: str) -> Column[int]:
    return Column(f"{table}_id", Integer, ForeignKey(f"conf_{table}.id", ondelete="CASCADE"), nullable=False)


# One row: its number grows with each change, so that other processes notice by reading one integer.
VERSION = Table("conf_version", METADATA, Column("version", Integer, nullable=False))

CLIENT = Table(
    "conf_client",
    METADATA,
    Column("id", Integer, primary_key=True),
    # The identifier in its percent-encoded form is unique and loses nothing.
    Column("identifier", Text, nullable=False, unique=True),
    Column("connection", String(16), nullable=False),
    Column("log_requests", String(16), nullable=False, server_default="encrypted"),
    Column("log_responses", String(16), nullable=False, server_default="encrypted"),
)

CLIENT_CERTIFICATE = Table(
    "conf_client_certificate",
    METADATA,
    Column("id", Integer, primary_key=True),
    _child_of("client"),
    Column("der", LargeBinary, nullable=False),
)

SERVICE = Table(
    "conf_service",
    METADATA,
    Column("id", Integer, primary_key=True),
    _child_of("client"),
    Column("code", String(255), nullable=False),
    Column("version", String(255), nullable=False),  # empty: none; NULLs would not be unique
    Column("url", Text, nullable=False),
    Column("timeout", Float, nullable=False),
    Column("tls_verify", Integer, nullable=False),
    Column("tls_certificate", LargeBinary),
    Column("disabled", Text),
    UniqueConstraint("client_id", "code", "version", name="uq_conf_service"),
)

ACCESS_RIGHT = Table(
    "conf_access_right",
    METADATA,
    Column("id", Integer, primary_key=True),
    _child_of("service"),
    Column("subject_kind", String(16), nullable=False),
    Column("subject", Text, nullable=False),
    Column("method", String(16), nullable=False),
    Column("path", Text, nullable=False),
    UniqueConstraint("service_id", "subject_kind", "subject", "method", "path", name="uq_conf_access_right"),
)

LOCAL_GROUP = Table(
    "conf_local_group",
    METADATA,
    Column("id", Integer, primary_key=True),
    _child_of("client"),
    Column("code", String(255), nullable=False),
    UniqueConstraint("client_id", "code", name="uq_conf_local_group"),
)

LOCAL_GROUP_MEMBER = Table(
    "conf_local_group_member",
    METADATA,
    Column("id", Integer, primary_key=True),
    _child_of("local_group"),
    Column("member", Text, nullable=False),
    UniqueConstraint("local_group_id", "member", name="uq_conf_local_group_member"),
)
