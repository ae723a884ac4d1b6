"""Makes the message that leaves out of rows of the outbox, and finds the rows that an answer speaks of.

It refuses to look into records. Several events to one receiver make one notification of DCI; anything else is in the
outbox as the whole message that it is.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from adapters.accesslog import AccessEntry, Outcome
from adapters.events.canonical import written
from adapters.events.model import Document
from adapters.events.naming import ServiceAddress
from adapters.outbox.putting import NOTIFY
from adapters.outbox.rows import Access, Batch

VERSION: Final = "1.0.0"  # of DCI's header
_PLACE: Final = b'"notify_event":[]'  # in a text its quotes would be escaped


def document(batch: Batch, *, sender_id: str, at: datetime) -> bytes:
    """Return the message; a second attempt differs from the first in its time only.

    It is put together of texts: a chunk of a first load is half a megabyte that nobody need read to send it.
    """
    if batch.kind != NOTIFY:
        return batch.rows[0].text
    header = {
        "version": VERSION,
        "message_id": batch.message_id,
        "message_ts": at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "action": NOTIFY,
        "status": "succ",
        "total_count": len(batch.rows),
        "completed_count": len(batch.rows),
        "sender_id": sender_id,
        "receiver_id": str(ServiceAddress.parse(batch.receiver).client),
        "is_msg_encrypted": False,
    }
    message = {"transaction_id": batch.message_id, "notify_event": []}
    before, place, after = written({"header": header, "message": message}).partition(_PLACE)
    return before + place[:-1] + b",".join(each.text for each in batch.rows) + b"]" + after


def access_entries(batch: Batch, *, at: datetime) -> list[AccessEntry]:
    """Return what the access record is to say of a message: one entry a row that has a person's data."""
    client = str(ServiceAddress.parse(batch.receiver).client)
    return [
        _entry(each.access, batch, client, at) for each in batch.rows if each.access is not None and not each.recorded
    ]


def _entry(access: Access, batch: Batch, client: str, at: datetime) -> AccessEntry:
    return AccessEntry(
        at=at,
        service=batch.service,
        operation=batch.path,
        client=client,
        via="bus",
        xroad_id=batch.message_id,
        user="",  # nobody asked: it was subscribed to
        purpose=access.purpose,
        basis=access.basis,
        asked_by=(),
        outcome=Outcome.GIVEN,
        reason=None,
        given=access.given,
        records=access.records,
        subjects=access.subjects,
    )


def results_by_row(batch: Batch, results: Iterable[Document]) -> dict[int, Document]:
    """Return what is to be kept of an answer: results that say more than that all went well."""
    telling = [each for each in results if _telling(each)]
    if not telling:
        return {}
    if batch.kind == NOTIFY:
        rows = {each.body.get("reference_id"): each.id for each in batch.rows}
        return {rows[each["reference_id"]]: each for each in telling if each["reference_id"] in rows}
    return {batch.rows[0].id: _together(telling)}


def _together(telling: Sequence[Document]) -> Document:
    """A whole message is one row, whatever is in it."""
    rejected = any(each.get("status") == "rjct" for each in telling)
    said = f"{len(telling)} of its events were rejected, or have something noted"
    return {"status": "rjct" if rejected else "succ", "message": said, "results": list(telling)}


def _telling(result: Document) -> bool:
    return result.get("status") != "succ" or any(value for key, value in result.items() if key not in _PLAIN)


_PLAIN: Final = frozenset({"reference_id", "status", "timestamp"})
