"""The message log's tables, after the data model of X-Road's (DM-ML), as SQLAlchemy sees them.

It refuses to know what a record means: `records` turns rows into values.
The migrations create these tables; a test compares the two.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA = MetaData()

# SQLite numbers rows by itself only in a column that is exactly INTEGER.
_BIG = BigInteger().with_variant(Integer, "sqlite")

MESSAGE_RECORD = "m"  # discriminator; DM-ML's other kind, "t", is a time-stamp record

_PARTY = ("instance", "member_class", "member_code", "subsystem_code")

# The signed head of a response begins with its HTTP status (PR-REST). A partial index and the queries that it serves
# must say this alike, letter by letter: with a bound value neither database could tell that the index fits.
FAILED = {
    "sqlite": "response = 1 AND substr(head, 1, 3) >= x'343030'",
    "postgresql": r"response = 1 AND substr(head, 1, 3) >= '\x343030'::bytea",
}

BODY = Table(
    "log_body",
    METADATA,
    # A large body's chunks are committed before the record that names them: a body without a record is an orphan.
    Column("id", _BIG, primary_key=True),
    sqlite_autoincrement=True,
)

BODY_CHUNK = Table(
    "log_body_chunk",
    METADATA,
    Column("id", _BIG, primary_key=True),
    Column("body_id", _BIG, ForeignKey("log_body.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    # Days since 1970 of the body's record: PostgreSQL keeps a partition a day, so that a day is dropped whole.
    Column("day", Integer, nullable=False, server_default="0"),
    UniqueConstraint("body_id", "position", name="uq_log_body_chunk"),
)

TIMESTAMP = Table(
    "log_timestamp",
    METADATA,
    Column("id", _BIG, primary_key=True),
    Column("time", BigInteger, nullable=False),  # genTime, in milliseconds
    Column("token", LargeBinary, nullable=False),
    Column("hash_chain_result", LargeBinary),
    Column("authority", String(255), nullable=False),
    Column("tree_head_id", BigInteger),
)

KEY = Table(
    "log_key",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("day", String(10), nullable=False),
    Column("wrapped", Text, nullable=False),  # JSON: fingerprint of a public key → the data key, wrapped for it
)

ARCHIVE = Table(
    "log_archive",
    METADATA,
    Column("id", _BIG, primary_key=True),
    Column("file_name", String(255), nullable=False),
    Column("group_name", String(1024), nullable=False),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("verified", SmallInteger, nullable=False, server_default="0"),
)

TREE_NODE = Table(
    "log_tree_node",
    METADATA,
    Column("level", SmallInteger, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
    # Level 0 has removed records only, and this says where each went.
    Column("archive_id", BigInteger),
    sqlite_with_rowid=False,
)

TREE_HEAD = Table(
    "log_tree_head",
    METADATA,
    Column("id", _BIG, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("certificate", LargeBinary, nullable=False),
    Column("timestamp_id", BigInteger),
)

RECORD = Table(
    "log_record",
    METADATA,
    Column("id", _BIG, primary_key=True),
    Column("discriminator", String(1), nullable=False),
    Column("time", BigInteger, nullable=False),  # milliseconds since 1970-01-01T00:00:00Z, as DM-ML
    Column("query_id", String(255), nullable=False),
    Column("request_id", String(255), nullable=False),
    Column("response", SmallInteger, nullable=False),  # 1: a response, 0: a request
    Column("client_side", SmallInteger, nullable=False),  # 1: logged by the consumer's server, 0: by the provider's
    Column("instance", String(255), nullable=False),
    Column("member_class", String(255), nullable=False),
    Column("member_code", String(255), nullable=False),
    Column("subsystem_code", String(255)),
    Column("service_instance", String(255), nullable=False),
    Column("service_member_class", String(255), nullable=False),
    Column("service_member_code", String(255), nullable=False),
    Column("service_subsystem_code", String(255)),
    Column("service_code", String(255), nullable=False),
    Column("service_version", String(255)),
    Column("user_id", String(1024)),
    Column("issue", String(1024)),
    Column("head", LargeBinary, nullable=False),
    Column("body", LargeBinary),
    Column("body_id", _BIG, ForeignKey("log_body.id")),
    Column("body_size", BigInteger, nullable=False),
    Column("body_digest", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("hash_chain", LargeBinary),
    Column("hash_chain_result", LargeBinary),
    Column("signature_hash", LargeBinary),
    Column("leaf_index", BigInteger),
    Column("leaf_hash", LargeBinary),
    Column("body_form", SmallInteger, nullable=False, server_default="0"),
    Column("body_key_id", Integer, ForeignKey("log_key.id")),
    Column("body_stored_digest", LargeBinary),
    Column("timestamp_id", BigInteger, ForeignKey("log_timestamp.id")),
    Column("timestamp_hash_chain", LargeBinary),
    Column("archive_id", BigInteger, ForeignKey("log_archive.id")),
    UniqueConstraint("request_id", "response", "client_side", name="uq_log_record_message"),
    # Each holds what a search is led by, then the order of its answer; see `search`.
    Index("ix_log_record_query_id", "query_id", "time", "id"),
    Index("ix_log_record_time", "time", "id"),
    Index("ix_log_record_client", *_PARTY, "time", "id"),
    Index("ix_log_record_service", *(f"service_{name}" for name in _PARTY), "service_code", "time", "id"),
    Index("ix_log_record_user", "user_id", "time", "id", sqlite_where=Column("user_id").is_not(None)),
    Index("ix_log_record_issue", "issue", "time", "id", sqlite_where=Column("issue").is_not(None)),
    Index("ix_log_record_failed", "time", "id", sqlite_where=text(FAILED["sqlite"])),
    Index("ix_log_record_body_id", "body_id", unique=True, sqlite_where=Column("body_id").is_not(None)),
    Index("uq_log_record_leaf_index", "leaf_index", unique=True),
    Index("ix_log_record_unstamped", "id", sqlite_where=Column("timestamp_id").is_(None)),
    Index("ix_log_record_unarchived", "id", sqlite_where=Column("archive_id").is_(None)),
    sqlite_autoincrement=True,
)

# Of PostgreSQL alone: narrow partitions that say in which days a message is. To plan a search among the wide ones of a
# month, a new connection must read what it knows of four hundred tables and indexes; with this, of a quarter of them.
MESSAGE_KEY = Table(
    "log_message_key",
    MetaData(),
    *(Column(name, RECORD.c[name].type, nullable=False) for name in ("query_id", "request_id", "response")),
    Column("client_side", SmallInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
)
