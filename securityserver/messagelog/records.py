"""What the log keeps of one message, and how it becomes a row and a value again.

It refuses to know threads and files: the writer and the reader move rows.
Pipelines make a `Record` per message; auditors get `StoredRecord` back.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import RowMapping

from securityserver.messagelog.body import Body
from securityserver.messagelog.leaf import FIELDS, leaf_of
from securityserver.messagelog.tables import MESSAGE_RECORD, RECORD
from xroad.identifiers import ClientId, ServiceId

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

Row = list[Any]

# What is written once the message is known, and never changes after; the row's number is given by the database.
_LATER = frozenset({"id", "timestamp_id", "timestamp_hash_chain", "archive_id"})
# In the order of `row_of`.
COLUMNS: tuple[str, ...] = tuple(column.name for column in RECORD.columns if column.name not in _LATER)
BODY_ID, TIME = COLUMNS.index("body_id"), COLUMNS.index("time")
LEAF_INDEX, LEAF_HASH = COLUMNS.index("leaf_index"), COLUMNS.index("leaf_hash")
BODY, _SIGNATURE_HASH = COLUMNS.index("body"), COLUMNS.index("signature_hash")
BODY_FORM, _KEY_ID = COLUMNS.index("body_form"), COLUMNS.index("body_key_id")
_STORED_DIGEST = COLUMNS.index("body_stored_digest")
MessageKey = tuple[str, int, int]
# Of a row, what no other row has: request id, whether it is a response, whose side it is.
message_key: Callable[[Row], MessageKey] = itemgetter(
    *(COLUMNS.index(name) for name in ("request_id", "response", "client_side"))
)
# Of a row, what its leaf covers.
covered: Callable[[Row], Sequence[Any]] = itemgetter(*(COLUMNS.index(name) for name in FIELDS))
DAY_MILLISECONDS = 24 * 60 * 60 * 1000


_AS_STORED = (
    "body_key_id",
    "body_stored_digest",
    "leaf_index",
    "leaf_hash",
    "timestamp_id",
    "timestamp_hash_chain",
    "archive_id",
)


class Direction(StrEnum):
    """Which half of an exchange."""

    REQUEST = "request"
    RESPONSE = "response"


class Side(StrEnum):
    """Whose server logs: the consumer's (X-Road: client side) or the producer's."""

    CONSUMER = "consumer"
    PRODUCER = "producer"


class BodyForm(IntEnum):
    """How a record keeps its body."""

    PLAIN = 0
    ENCRYPTED = 1
    NOT_LOGGED = 2  # the record has its size and digest only


class Record(NamedTuple):
    """One message, to be logged.

    Args:
        direction: request or response.
        side: whose server logs it.
        query_id: `X-Road-Id` (PR-REST 4.3): the same in all four records of an exchange.
        request_id: `x-road-request-id`: the same in request and response, on both sides.
        client: who asks.
        service: what is asked for.
        user_id: `X-Road-UserId`, if any.
        issue: `X-Road-Issue`, if any.
        head: the exact bytes of the signed head part.
        body: the body.
        signature: the XAdES document.
        at: when (aware, UTC).
        hash_chain: of a batch signature, else `None`.
        hash_chain_result: of a batch signature, else `None`.
    """

    direction: Direction
    side: Side
    query_id: str
    request_id: str
    client: ClientId
    service: ServiceId
    user_id: str | None
    issue: str | None
    head: bytes
    body: Body
    signature: bytes
    at: datetime
    hash_chain: bytes | None = None
    hash_chain_result: bytes | None = None


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One message of the log; as `Record`, with its body told by size and SHA-512 digest.

    Args:
        body_form: how the body is kept.
        body_key_id: the data key (`log_key`) of an encrypted body.
        body_stored_digest: SHA-256 over the encrypted body as it is stored.
        leaf_index: the record's place in the log's Merkle tree, from 0.
        leaf_hash: its leaf there.
        timestamp_id: of the time-stamp (`log_timestamp`) over its signature, once there is one.
        timestamp_hash_chain: its way to a time-stamp over several signatures; `None` for one of its own.
        archive_id: where it has been archived.
    """

    id: int
    direction: Direction
    side: Side
    query_id: str
    request_id: str
    client: ClientId
    service: ServiceId
    user_id: str | None
    issue: str | None
    head: bytes
    body_size: int
    body_digest: bytes
    signature: bytes
    signature_hash: bytes | None
    at: datetime
    hash_chain: bytes | None
    hash_chain_result: bytes | None
    body_form: BodyForm = BodyForm.PLAIN
    body_key_id: int | None = None
    body_stored_digest: bytes | None = None
    leaf_index: int | None = None
    leaf_hash: bytes | None = None
    timestamp_id: int | None = None
    timestamp_hash_chain: bytes | None = None
    archive_id: int | None = None


@dataclass(frozen=True, slots=True)
class StoredTimestamp:
    """A time-stamp over one signature, or over several by a hash chain.

    Args:
        id: its number.
        at: the time that it says.
        token: RFC 3161, DER.
        hash_chain_result: what it is over, when that is a hash chain; each record has its own way there.
        authority: the authority's name.
        tree_head_id: the tree head (`log_tree_head`) that it is over too.
    """

    id: int
    at: datetime
    token: bytes
    hash_chain_result: bytes | None
    authority: str
    tree_head_id: int | None


def stored_timestamp(row: RowMapping) -> StoredTimestamp:
    """Give the value of a row."""
    return StoredTimestamp(
        id=row["id"],
        at=moment(row["time"]),
        token=row["token"],
        hash_chain_result=row["hash_chain_result"],
        authority=row["authority"],
        tree_head_id=row["tree_head_id"],
    )


def row_of(record: Record) -> Row:
    """Give the row, in the order of `COLUMNS`; `body_id` is still empty."""
    client, service, body = record.client, record.service, record.body
    provider = service.client
    return [
        MESSAGE_RECORD,
        milliseconds(record.at),
        searchable(record.query_id),
        searchable(record.request_id),
        int(record.direction is Direction.RESPONSE),
        int(record.side is Side.CONSUMER),
        client.instance,
        client.member_class,
        client.member_code,
        client.subsystem_code,
        provider.instance,
        provider.member_class,
        provider.member_code,
        provider.subsystem_code,
        service.service_code,
        service.service_version,
        None if record.user_id is None else searchable(record.user_id),
        None if record.issue is None else searchable(record.issue),
        record.head,
        body.inline,
        None,
        body.size,
        body.digest,
        record.signature,
        record.hash_chain,
        record.hash_chain_result,
        hashlib.sha512(record.signature).digest(),
        None,
        None,
        BodyForm.PLAIN.value,
        None,
        None,
    ]


def signature_hash_of(row: Row) -> bytes:
    """Give the SHA-512 digest of the signature."""
    digest: bytes = row[_SIGNATURE_HASH]
    return digest


def keep_body(
    row: Row, form: BodyForm, key: int | None, stored_body: bytes | None, digest: bytes | None = None
) -> None:
    """Say how the row's body is kept, and with which bytes."""
    row[BODY], row[BODY_FORM], row[_KEY_ID], row[_STORED_DIGEST] = stored_body, form.value, key, digest


def note_stored_digest(row: Row, digest: bytes) -> None:
    """Complete the row of a large encrypted body, once all of it is stored."""
    row[_STORED_DIGEST] = digest


def seal_row(row: Row) -> None:
    """Make the row's leaf; its columns do not change any more."""
    row[LEAF_HASH] = leaf_of(covered(row), signature_hash_of(row))


def day_of(time: int) -> int:
    """Give the days since 1970 of a time in milliseconds."""
    return time // DAY_MILLISECONDS


def stored(row: RowMapping) -> StoredRecord:
    """Give the value of a row."""
    provider = ClientId(
        row["service_instance"],
        row["service_member_class"],
        row["service_member_code"],
        row["service_subsystem_code"],
    )
    return StoredRecord(
        id=row["id"],
        direction=Direction.RESPONSE if row["response"] else Direction.REQUEST,
        side=Side.CONSUMER if row["client_side"] else Side.PRODUCER,
        query_id=row["query_id"],
        request_id=row["request_id"],
        client=ClientId(row["instance"], row["member_class"], row["member_code"], row["subsystem_code"]),
        service=ServiceId(provider, row["service_code"], row["service_version"]),
        user_id=row["user_id"],
        issue=row["issue"],
        head=row["head"],
        body_size=row["body_size"],
        body_digest=row["body_digest"],
        signature=row["signature"],
        signature_hash=row["signature_hash"],
        at=moment(row["time"]),
        hash_chain=row["hash_chain"],
        hash_chain_result=row["hash_chain_result"],
        body_form=BodyForm(row["body_form"]),
        **{name: row[name] for name in _AS_STORED},
    )


def milliseconds(at: datetime) -> int:
    """Give milliseconds since 1970 (UTC), as the column `time` has them."""
    return (at - _EPOCH) // _MILLISECOND


def moment(time: int) -> datetime:
    """Give the time of so many milliseconds since 1970."""
    return _EPOCH + time * _MILLISECOND


def searchable(text: str) -> str:
    """Give text that a database can hold.

    A header may carry bytes that are no UTF-8, which HTTP parsers keep as lone surrogates: a sender could stop the
    whole batch with them. The head part keeps the exact bytes; a column only serves to find them.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
