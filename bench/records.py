"""Fills a message log with made-up records, by SQL inside the database: ten million in minutes.

It refuses to sign: what is searched is who, what and when. The records have all that a search reads, and small
signatures; half are requests, half responses, over thirty days.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from securityserver.messagelog.partitions import make_statements
from serverkit.database import Database
from xroad.identifiers import ClientId, ServiceId

BATCH = 500_000
DAY_MILLISECONDS = 24 * 60 * 60 * 1000
FIRST_TIME = 1_782_864_000_000  # 2026-07-01T00:00:00Z
DAYS = 30
# Every eighth exchange is the busy client's, the others are those of 40 subsystems; a rare one asks once in 50,000.
BUSY = ClientId("KH-SANDBOX", "GOV", "NSAF", "FAMILY-PACKAGE")
RARE = ClientId("KH-SANDBOX", "GOV", "RARE")
SERVICE = ServiceId(ClientId("KH-SANDBOX", "GOV", "MOP", "IDPOOR"), "household")


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How a database says what the two say differently."""

    series: str
    head: str
    zeros: str


_DIALECTS = {
    "sqlite": _Dialect(
        "(WITH RECURSIVE s(n) AS (SELECT :low UNION ALL SELECT n + 1 FROM s WHERE n + 1 < :high) SELECT n FROM s)",
        "CAST({} AS BLOB)",
        "zeroblob({})",
    ),
    "postgresql": _Dialect(
        "(SELECT n FROM generate_series(CAST(:low AS BIGINT), CAST(:high AS BIGINT) - 1) AS s(n))",
        "convert_to({}, 'UTF8')",
        "decode(repeat('00', {}), 'hex')",
    ),
}


def query_id(exchange: int) -> str:
    """Give the `X-Road-Id` of an exchange, counted from 0."""
    return f"KH-SANDBOX-{exchange * 7919 % 1_000_000_007}-{exchange}"


def request_id(exchange: int) -> str:
    """Give the request id of an exchange, counted from 0; in no order, as real ones."""
    return f"{exchange * 7919 % 1_000_000_007}-{exchange}"


def make_days(connection: Connection) -> None:
    """Make the partitions of all days, where the database has any."""
    if connection.dialect.name == "postgresql":
        first = FIRST_TIME // DAY_MILLISECONDS
        for statement in make_statements(range(first, first + DAYS + 1)):
            connection.exec_driver_sql(statement)


def fill(connection: Connection, low: int, high: int, count: int) -> None:
    """Write the records from number `low` to before `high`, of `count` in all; two records are an exchange."""
    connection.execute(
        text(_insert(_DIALECTS[connection.dialect.name])),
        {"low": low, "high": high, "step": max(1, DAYS * DAY_MILLISECONDS // count)},
    )


_INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'log_record' AND sql > ''",
    # ON ONLY is how the definition of a partitioned table's index is shown; without ONLY it is made on every day too.
    "postgresql": "SELECT indexname, replace(indexdef, ' ON ONLY ', ' ON ') FROM pg_indexes WHERE tablename ="
    " 'log_record' AND indexname NOT IN (SELECT conname FROM pg_constraint)",
}


def prepare(database: Database) -> list[str]:
    """Take the indexes away and give their definitions: to build each once at the end is several times as fast."""
    with database.transaction() as connection:
        make_days(connection)
        found = connection.execute(text(_INDEXES[connection.dialect.name])).all()
        for name, _ in found:
            connection.execute(text(f"DROP INDEX {name}"))
    return [definition for _, definition in found]


def finish(database: Database, definitions: Sequence[str]) -> None:
    """Build the indexes, and let PostgreSQL count, as it does by itself in time."""
    for definition in definitions:
        with database.transaction() as connection:
            connection.exec_driver_sql(definition)
    with database.transaction() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE log_record, log_message_key"))


def _insert(dialect: _Dialect) -> str:
    status = "CASE WHEN (n / 2) % 500 = 3 THEN '500 Internal Server Error' ELSE '200 OK' END"
    head = dialect.head.format(f"CASE WHEN n % 2 = 1 THEN {status} ELSE 'POST /r1/KH-SANDBOX/GOV/MOP/IDPOOR' END")
    # n / 2 counts exchanges, n % 2 is 1 for a response; both databases divide whole numbers into whole numbers.
    values = {
        "discriminator": "'m'",
        "time": f"{FIRST_TIME} + n * :step",
        "query_id": "'KH-SANDBOX-' || (n / 2 * 7919 % 1000000007) || '-' || (n / 2)",
        "request_id": "(n / 2 * 7919 % 1000000007) || '-' || (n / 2)",
        "response": "n % 2",
        "client_side": "1",
        "instance": "'KH-SANDBOX'",
        "member_class": "'GOV'",
        "member_code": _client("'RARE'", "'NSAF'", "'M' || (n / 2 % 40)"),
        "subsystem_code": _client("NULL", "'FAMILY-PACKAGE'", "'S'"),
        "service_instance": "'KH-SANDBOX'",
        "service_member_class": "'GOV'",
        "service_member_code": "'MOP'",
        "service_subsystem_code": "'IDPOOR'",
        "service_code": "CASE WHEN (n / 2) % 3 = 0 THEN 'membership' ELSE 'household' END",
        "user_id": "CASE WHEN (n / 2) % 10 = 1 THEN 'officer-' || (n / 2 % 500) END",
        "issue": "CASE WHEN (n / 2) % 100 = 1 THEN 'case-' || (n / 2) END",
        "head": head,
        "body_size": "0",
        "body_digest": dialect.zeros.format(64),
        "signature": dialect.zeros.format(100),
        "signature_hash": dialect.zeros.format(64),
        "leaf_index": "n",
        "leaf_hash": dialect.zeros.format(32),
    }
    # What is selected is all our own: no caller's text comes in.
    new = f"INSERT INTO log_record ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {dialect.series} AS numbers"  # noqa: S608, E501
    if dialect is not _DIALECTS["postgresql"]:
        return new
    keys = "query_id, request_id, response, client_side, time"
    return f"WITH new AS ({new} RETURNING {keys}) INSERT INTO log_message_key ({keys}) SELECT {keys} FROM new"  # noqa: S608


def _client(rare: str, busy: str, other: str) -> str:
    return f"CASE WHEN (n / 2) % 50000 = 7 THEN {rare} WHEN (n / 2) % 8 = 0 THEN {busy} ELSE {other} END"
