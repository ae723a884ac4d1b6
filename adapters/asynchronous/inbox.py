"""Which messages came, and what became of them: a message is taken once, and may be asked about as long as it is known.

It refuses to be written outside the transaction that does what the message asks. Identifiers that senders chose are
hashed; what was answered is sealed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, select

from adapters.asynchronous.acks import KnownMessage
from adapters.events import EventsKey
from adapters.events.inboxrows import EVENT, event_word
from adapters.events.statements import Many
from adapters.events.store import milliseconds
from adapters.events.tables import INBOX, REFERENCE

REFERENCES: Final = "reference_id_list"  # DCI's attribute type
_REFER: Final = Many(REFERENCE.insert().values(hash=bindparam("hash"), inbox=bindparam("inbox")))
FOUND_AT_MOST: Final = 20  # messages that one answer can tell of


@dataclass(frozen=True, slots=True)
class Arrived:
    """One message.

    Args:
        service: the own service that it came to.
        client: who sent it.
        action: DCI's.
        message_id: of its header.
        transaction_id: of its message.
        correlation_id: what it is acknowledged with.
        answer: what became of its parts, as its answer says.
        references: what else it is asked for by, with the names of DCI's attribute types; not the events that a writer
            has noted, which are found by their own rows.
    """

    service: str
    client: str
    action: str
    message_id: str
    transaction_id: str
    correlation_id: str
    answer: Any = None
    references: Iterable[tuple[str, str]] = field(default=())


def remember(connection: Connection, key: EventsKey, arrived: Arrived, at: datetime) -> None:
    """Write a message down; raises :class:`KnownMessage` when it came before."""
    check_new(connection, key, arrived.service, arrived.client, arrived.message_id)
    who = (arrived.service, arrived.client)
    told = {
        "transaction_id": arrived.transaction_id,
        "correlation_id": arrived.correlation_id,
        "message_id": arrived.message_id,
        "at": at.isoformat(timespec="milliseconds"),
        "answer": arrived.answer,
    }
    [number] = connection.execute(
        INBOX.insert().returning(INBOX.c.id),
        {
            "key": _name(key, arrived.service, arrived.client, arrived.message_id),
            "at": milliseconds(at),
            "sender": arrived.client,
            "service": arrived.service,
            "kind": arrived.action,
            "outcome": "succ",
            "sealed": key.seal(told),
            "correlation": key.word("correlation_id", *who, arrived.correlation_id),
            "txn": key.word("transaction_id", *who, arrived.transaction_id),
        },
    ).one()
    hashes = {key.word(kind, *who, value) for kind, value in arrived.references}
    _REFER.run(connection, [{"hash": each, "inbox": number} for each in sorted(hashes)])


def check_new(connection: Connection, key: EventsKey, service: str, client: str, message_id: str) -> None:
    """Raise :class:`KnownMessage` when a message came before."""
    wanted = select(INBOX.c.sealed).where(INBOX.c.key == _name(key, service, client, message_id))
    row = connection.execute(wanted).first()
    if row is not None:
        raise KnownMessage(key.unseal(row.sealed)["correlation_id"])


def find(
    connection: Connection,
    key: EventsKey,
    who: tuple[str, str],
    actions: Sequence[str],
    kind: str,
    values: Sequence[str],
) -> list[Mapping[str, Any]]:
    """Return what is known of a client's own messages, oldest first.

    Args:
        connection: to the events' tables.
        key: of this adapter's events.
        who: the own service and the client that asks.
        actions: of the messages.
        kind: DCI's attribute type.
        values: what to look for.
    """
    words = [key.word(kind, *who, each) for each in values]
    if kind == "transaction_id":
        where = INBOX.c.txn.in_(words)
    elif kind == "correlation_id":
        where = INBOX.c.correlation.in_(words)
    else:
        where = INBOX.c.id.in_(select(REFERENCE.c.inbox).where(REFERENCE.c.hash.in_(words)))
    found = _last(connection, key, actions, where)
    if kind == REFERENCES:
        found |= _with_events(connection, key, who, actions, values)
    return [found[number] for number in sorted(found)[-FOUND_AT_MOST:]]


def _last(
    connection: Connection, key: EventsKey, actions: Sequence[str], where: ColumnElement[bool]
) -> dict[int, Mapping[str, Any]]:
    wanted = select(INBOX.c.id, INBOX.c.sealed).where(where, INBOX.c.kind.in_(actions))
    rows = connection.execute(wanted.order_by(INBOX.c.id.desc()).limit(FOUND_AT_MOST))
    return {row.id: key.unseal(row.sealed) for row in rows}


def _with_events(
    connection: Connection, key: EventsKey, who: tuple[str, str], actions: Sequence[str], names: Sequence[str]
) -> dict[int, Mapping[str, Any]]:
    """Return the messages that brought events: written at the same time as these, and telling what became of them."""
    service, client = who
    words = [event_word(key, client, service, each) for each in names]
    times = list(connection.scalars(select(INBOX.c.at).where(INBOX.c.key.in_(words))))
    where = and_(INBOX.c.at.in_(times), INBOX.c.sender == client, INBOX.c.service == service)
    found = _last(connection, key, actions, where) if times else {}
    return {number: each for number, each in found.items() if _tells_of(each["answer"], frozenset(names))}


def _tells_of(answer: object, names: frozenset[str]) -> bool:
    results = answer if isinstance(answer, list) else []
    return any(isinstance(each, dict) and each.get("reference_id") in names for each in results)


def forget(connection: Connection, at: datetime, remembered: timedelta) -> None:
    """Delete messages that are so old that a copy of one is refused by its time."""
    old = select(INBOX.c.id).where(INBOX.c.kind != EVENT, INBOX.c.at < milliseconds(at - remembered))
    connection.execute(delete(REFERENCE).where(REFERENCE.c.inbox.in_(old)))
    connection.execute(delete(INBOX).where(INBOX.c.kind != EVENT, INBOX.c.at < milliseconds(at - remembered)))


def _name(key: EventsKey, service: str, client: str, message_id: str) -> bytes:
    return key.word("message", service, client, message_id)
