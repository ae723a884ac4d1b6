"""Reads the events of others out of notifications, enrolment updates and answers, and hands them to the writer.

It refuses events of senders that the service's writer does not name. One event that cannot be read is rejected alone;
the others of its message are applied, in the transaction that remembers the message.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection

import contracts
from adapters.asynchronous.receiver import Receiver
from adapters.errors import RequestRefused
from adapters.events import Event, Result
from adapters.events.model import Status
from adapters.events.notification import read_element
from adapters.registry.messages import reference_of, say

ENROLLED: Final = "enrollement"  # DCI's spelling of the event that an update of an enrolment is
UPDATED: Final = "UPDATE"
_BENEFICIARY: Final = "Beneficiary"
_BENEFICIARY_CONTRACT: Final = ("dci/beneficiary", "1.0.0")
Read = Event | Result  # what was read, or why it could not be
Judged = Any  # what a receiver made of an event, or why it could not be read


def check_sender(receiver: Receiver | None, client: str) -> Receiver:
    """Return what takes a client's events; raises :class:`RequestRefused` (403)."""
    if receiver is None or client not in receiver.senders:
        raise RequestRefused(
            403, "err.request.forbidden", "this service takes nothing from you: ask its institution to name you"
        )
    return receiver


def judged(receiver: Receiver, client: str, read: Sequence[Read]) -> list[Judged]:
    """Let the receiver judge what could be read."""
    events = iter(receiver.judge(client, [each for each in read if isinstance(each, Event)]))
    return [next(events) if isinstance(each, Event) else each for each in read]


def apply(
    connection: Connection, receiver: Receiver, client: str, found: Sequence[Judged], at: datetime
) -> list[Result]:
    """Apply what was judged, and return a result for each, in their order."""
    events = [each for each in found if not isinstance(each, Result)]
    results = iter(receiver.receive(connection, client, events, at) if events else ())
    return [each if isinstance(each, Result) else next(results) for each in found]


def notified(items: Sequence[object], version: str) -> list[Read]:
    """Read the elements of ``notify_event``."""
    return [_element(item, place, version) for place, item in enumerate(items, start=1)]


def _element(item: object, place: int, version: str) -> Read:
    try:
        contracts.validate("dci/notify-event", version, item)
        found: Mapping[str, Any] = item  # type: ignore[assignment]  # the contract has just said that it is an object
        _check_changes(found["data"].get("changes", []))
    except contracts.ContractViolation as error:
        return Result(reference_of(item, place), Status.REJECTED, say(error))
    return read_element(found)


def _check_changes(changes: object) -> None:
    for each in changes if isinstance(changes, list) else [changes]:
        contracts.validate("cambodia/change", "1.0.0", each)


def enrolled(beneficiaries: Sequence[object], client: str, message_id: str, at: datetime) -> list[Read]:
    """Read the beneficiaries of an enrolment update; they have no names of their own, so their place is it."""
    found: list[Read] = []
    for place, each in enumerate(beneficiaries, start=1):
        try:
            contracts.validate(*_BENEFICIARY_CONTRACT, each)
        except contracts.ContractViolation as error:
            found.append(Result(f"#{place}", Status.REJECTED, say(error)))
        else:
            name, record = event_name(client, message_id, str(place)), dict(each)  # type: ignore[call-overload]  # as above
            found.append(Event(name, at, ENROLLED, _BENEFICIARY, _BENEFICIARY_CONTRACT[1], record))
    return found


def answered(results: Sequence[Mapping[str, Any]], client: str, message_id: str) -> list[Read]:
    """Read the records of an answer to a search of this adapter's own."""
    found: list[Read] = []
    for result in results:
        data = result.get("data", {})
        for place, record in enumerate(data.get("reg_records", ()), start=1):
            name = event_name(client, message_id, result["reference_id"], str(place))
            at = datetime.fromisoformat(result["timestamp"].upper()).astimezone(UTC)
            kind, version = data.get("reg_record_type", "").rpartition(":")[2], data.get("version", "")
            found.append(Event(name, at, UPDATED, kind, version, record))
    return found


def event_name(*parts: str) -> str:
    """Name an event that its sender gave no name: the same one in each copy of a message."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
