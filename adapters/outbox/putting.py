"""Puts what is to be sent into the outbox, inside the transaction of whoever changed something.

It refuses to begin or end a transaction, so that the change and what is told of it are one. Publishing and the
asynchronous paths call it; the relay hears of it when the transaction is durable.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Table, bindparam, text
from sqlalchemy.dialects import postgresql, sqlite

from adapters.events.canonical import written
from adapters.events.keys import EventsKey
from adapters.events.model import Document, Outgoing
from adapters.events.store import TOLD, milliseconds
from adapters.events.tables import OUTBOX

MAX_ID: Final = 99  # DCI's, and the column's
BODY: Final = b',"body":'  # between what a row says of its body and the body: in a text its quotes would be escaped
NOTIFY: Final = "notify"  # the kind whose rows are events; rows of any other are whole messages
_LOCK_BYTES: Final = 8  # PostgreSQL's advisory locks are numbers of 64 bits
_LOCK: Final = text("SELECT count(pg_advisory_xact_lock(person)) FROM unnest(:persons) person").bindparams(
    bindparam("persons", type_=postgresql.ARRAY(BigInteger))
)


def put(connection: Connection, key: EventsKey, outgoing: Iterable[Outgoing], *, at: datetime) -> int:
    """Write things to be sent, in the caller's transaction; the same ``key`` twice is one row.

    On PostgreSQL the transaction holds a lock for each person until it ends, so that the order of the outbox is the
    order of commits; a server of default settings has room for some 6,000: put at most 2,000 persons a transaction.

    Args:
        connection: of :meth:`adapters.events.EventsStore.write`.
        key: of this adapter's events.
        outgoing: what is to be sent, in the order in which it happened.
        at: now.

    Returns:
        How many were new.
    """
    rows = [_row(key, each, milliseconds(at)) for each in outgoing]
    if not rows:
        return 0
    if connection.dialect.name == "postgresql":
        _keep_order(connection, rows)
    connection.info[TOLD] = True
    return connection.execute(_insert(connection, OUTBOX), rows).rowcount


def sealed_row(kind: str, receiver: str, body: Document, access: Mapping[str, Any] | None) -> bytes:
    """Return what is sealed of a row: the receiver too, so that nobody sends it elsewhere by changing the table.

    The body stands at the end: who sends it cuts it out as it is written, and need not read a megabyte of records.
    """
    head: Document = {"to": receiver, "access": None if access is None else dict(access)}
    own = None if kind == NOTIFY else _message_id(body)
    if own is not None:
        head["message_id"] = own
    return written(head)[:-1] + BODY + written(body) + b"}"


def _message_id(body: Document) -> str | None:
    """A whole document has its own identifier, which its answer will name."""
    header = body.get("header")
    own = header.get("message_id") if isinstance(header, dict) else None
    return own if isinstance(own, str) and 0 < len(own) <= MAX_ID else None


def _row(key: EventsKey, each: Outgoing, now: int) -> dict[str, Any]:
    if not 0 < len(each.key) <= MAX_ID:
        raise ValueError(f"an idempotency key has 1 to {MAX_ID} characters")
    return {
        "key": each.key,
        "kind": each.kind,
        "service": each.service,
        "receiver": each.receiver,
        "path": each.path,
        "person": each.person,
        "sealed": key.seal_plain(sealed_row(each.kind, each.receiver, each.body, each.access)),
        "created": now,
        "due": now if each.due is None else max(now, milliseconds(each.due)),
        "state": "waiting",
    }


def _insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).on_conflict_do_nothing(index_elements=["key"])
    return statement.inline().execution_options(preserve_rowcount=True)  # row by row: numbers in order, and counted


def _keep_order(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Let no other transaction put something about these persons before this one is committed.

    A number is given when a row is written, not when it is committed: a relay could else see the second one first.
    """
    persons = {each["person"] for each in rows if each["person"] is not None}
    locks = sorted(int.from_bytes(each[:_LOCK_BYTES], signed=True) for each in persons)  # sorted: no deadlock
    if locks:
        connection.execute(_LOCK, {"persons": locks})
