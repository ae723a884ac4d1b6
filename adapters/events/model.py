"""What passes between the parts of events: what changed, what is to be sent, and what became of it at the receiver.

It refuses behaviour: these are values. Capture and writers make events, publishing turns them into outgoing messages,
the outbox sends those, and a receiver answers each event with a result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One field of a record whose value is another; None where there is none.

    Args:
        field: a dotted path of its contract, lists passed through.
        old: what it was.
        new: what it is.
        of: type and value of an identifier of the list's element that it stands in, the innermost one; None outside
            lists. A list whose elements have no identifiers is one field.
    """

    field: str
    old: Any
    new: Any
    of: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one record.

    Args:
        event_id: at most 99 characters; the same for every receiver and every attempt.
        at: when it was seen.
        event_type: DCI's ``reg_event_type``.
        record_type: DCI's ``reg_record_type``.
        version: of the record's contract.
        record: as it is now, in the standard; empty when it is gone.
        changes: what is different; empty for a new record; every field of the top level, with ``new`` None, when it is
            gone, so that who keeps it finds which one it was.
    """

    event_id: str
    at: datetime
    event_type: str
    record_type: str
    version: str
    record: Document
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One thing to be sent to one receiver, at least once, in the order of what is about one person.

    Args:
        key: idempotency key, at most 99 characters: a second one with the same key is the same thing.
        kind: DCI's ``action``: ``notify``, ``on-search``, ``subscribe`` …
        service: code of the own service that it comes from.
        receiver: ``str`` of a :class:`adapters.events.ServiceAddress`.
        path: below the receiver's service, such as ``/registry/notify``.
        person: what must stay in order, as :meth:`adapters.events.EventsKey.order` hashes it; None when nothing must.
        body: one element of ``notify_event`` for kind ``notify``, several of which make one message; else the whole
            message document (header and message).
        access: what the access record says when this leaves; None when it carries no person's data.
        due: not before this time; None at once.
    """

    key: str
    kind: str
    service: str
    receiver: str
    path: str
    person: bytes | None
    body: Document
    access: Mapping[str, Any] | None = None
    due: datetime | None = None


class Status(StrEnum):
    """What a receiver did with an event, in DCI's words."""

    SUCCEEDED = "succ"
    REJECTED = "rjct"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one event at a receiver.

    Args:
        reference_id: the event's.
        status: applied, or rejected.
        message: why it was rejected and what to do, without personal values; or what was noted.
        conflicts: fields whose local value was another: ``{"field", "sent", "local", "kept"}``, the last of which says
            ``sent`` or ``local``.
        noted: the event stands in the inbox from now on, at the time that the receiver was given: whoever asks for it
            finds the message that brought it.
        held: rejected because another record has a number that each may have once; it may fit when that one has let go.
    """

    reference_id: str
    status: Status
    message: str = ""
    conflicts: tuple[Mapping[str, Any], ...] = field(default=())
    noted: bool = field(default=False, compare=False)
    held: bool = field(default=False, compare=False)
