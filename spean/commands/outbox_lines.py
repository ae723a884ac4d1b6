"""Rows of the outbox as lines: a table for people, JSON for programs.

It refuses what is sealed of a row. Names of receivers and codes may come from strangers: none of it steers a terminal.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from adapters.outbox.overview import Entry
from adapters.outbox.rows import State
from spean.commands.columns import columns
from spean.commands.log_lines import visible

_HEADING: Final = ("number", "put", "state", "tries", "service", "receiver", "problem")
KHMER: Final = MappingProxyType({
    State.WAITING: "រង់ចាំ", State.SENT: "បានផ្ញើ", State.REJECTED: "អ្នកទទួលបដិសេធ", State.DEAD: "ផ្ញើមិនបាន",
    State.DROPPED: "បានបោះបង់",
})  # fmt: skip


def table(found: Sequence[Entry]) -> Iterator[str]:
    """Give a heading and a line each."""
    yield from columns([_HEADING, *(tuple(visible(cell) for cell in _cells(each)) for each in found)])


def json_line(entry: Entry) -> str:
    """Give one row as JSON, characters beyond ASCII escaped."""
    return json.dumps(fields(entry))


def fields(entry: Entry) -> dict[str, Any]:
    """Give all of a row that is not sealed, by name."""
    return {
        "number": entry.id,
        "key": entry.key,
        "kind": entry.kind,
        "service": entry.service,
        "receiver": entry.receiver,
        "path": entry.path,
        "state": str(entry.state),
        "attempts": entry.attempts,
        "put": stamp(entry.created),
        "due": stamp(entry.due),
        "finished": stamp(entry.finished),
        "message_id": entry.message_id,
        "problem": entry.problem,
    }


def stamp(at: datetime | None) -> str | None:
    """Give a time to the second."""
    return None if at is None else at.isoformat(timespec="seconds")


def _cells(entry: Entry) -> tuple[str, ...]:
    state = f"{entry.state} {KHMER[entry.state]}"
    put = stamp(entry.created) or ""
    return (
        str(entry.id), put, state, str(entry.attempts), entry.service, entry.receiver, entry.problem or "-",
    )  # fmt: skip
