"""One element of a notification's ``notify_event``: how an event is written in a message, and read out of one.

It refuses to know messages, subscriptions and tables. DCI's element has the record as it is now; what changed stands
beside it as ``changes`` (contract ``cambodia/change``), since DCI leaves its objects open.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.events.model import Change, Document, Event


def element(event: Event, *, reg_type: str, locale: str | None = None) -> Document:
    """Write an event as DCI's ``notify-event``."""
    data: Document = {
        "version": event.version,
        "reg_type": reg_type,
        "reg_event_type": event.event_type,
        "reg_record_type": event.record_type,
        "reg_records": event.record,
    }
    if event.changes:
        data["changes"] = [_written(each) for each in event.changes]
    found: Document = {
        "reference_id": event.event_id,
        "timestamp": event.at.isoformat(timespec="milliseconds"),
        "data": data,
    }
    return found if locale is None else found | {"locale": locale}


def read_element(document: Mapping[str, Any]) -> Event:
    """Read what is valid against ``dci/notify-event``; ``changes`` against ``cambodia/change``, where there are any."""
    data = document["data"]
    return Event(
        event_id=document["reference_id"],
        at=datetime.fromisoformat(document["timestamp"].upper()),
        event_type=data.get("reg_event_type", ""),
        record_type=data["reg_record_type"],
        version=data.get("version", ""),
        record=data["reg_records"],
        changes=tuple(_change(each) for each in data.get("changes", ())),
    )


def _written(change: Change) -> Document:
    found: Document = {"field": change.field, "old": change.old, "new": change.new}
    if change.of is None:
        return found
    kind, value = change.of
    return found | {"of": {"identifier_type": kind, "identifier_value": value}}


def _change(data: Mapping[str, Any]) -> Change:
    of = data.get("of")
    return Change(
        data["field"], data["old"], data["new"], None if of is None else (of["identifier_type"], of["identifier_value"])
    )
