"""``spean subscription list``: who has subscribed here, and what this adapter keeps up at others.

It refuses to change anything, and to show filters, which may name a person.
"""

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from adapters.asynchronous import keeping, subscriptions
from adapters.events import EventsKey
from adapters.events.tables import SUBSCRIPTION
from spean.commands.columns import columns
from spean.commands.log_lines import visible
from spean.commands.outbox_store import outbox

_THEIRS = ("code", "service", "client", "event", "purpose", "ends", "status")
_OWN = ("name", "at", "state", "codes", "ends", "refused")
Row = dict[str, Any]


def run(arguments: argparse.Namespace) -> int:
    """Print both lists."""
    at = datetime.now(UTC)
    with outbox(arguments.config) as store:
        theirs = store.read_now(lambda each: _theirs(each, store.key, at, ended=arguments.all))
        own = store.read_now(lambda each: _own(each, store.key, at, ended=arguments.all))
    if arguments.json:
        for kind, rows in (("here", theirs), ("kept", own)):
            for each in rows:
                print(json.dumps({"kind": kind} | each))
        return 0
    for line in _table("Subscribed here / បានជាវនៅទីនេះ", _THEIRS, theirs):
        print(line)
    for line in _table("Kept up at others / ជាវពីគេ", _OWN, own):
        print(line)
    return 0


def _table(title: str, names: tuple[str, ...], rows: list[Row]) -> Iterator[str]:
    yield f"{title}: {len(rows)}"
    if rows:
        yield from columns([names, *(tuple(visible(str(each[name] or "")) for name in names) for each in rows)])


def _theirs(connection: Connection, key: EventsKey, at: datetime, *, ended: bool) -> list[Row]:
    statement = select(SUBSCRIPTION).order_by(SUBSCRIPTION.c.created, SUBSCRIPTION.c.code)
    rows = [
        (subscriptions.read(row, key), row.status == subscriptions.IN_FORCE) for row in connection.execute(statement)
    ]
    return [
        {
            "code": each.code,
            "service": each.service,
            "client": each.client,
            "event": each.event_type,
            "purpose": each.purpose,
            "frequency": each.frequency,
            "ends": _stamp(each.ends),
            "status": "in force" if in_force and each.ends > at else "ended",
        }
        for each, in_force in rows
        if ended or (in_force and each.ends > at)
    ]


def _own(connection: Connection, key: EventsKey, at: datetime, *, ended: bool) -> list[Row]:
    return [
        {
            "name": each.name,
            "at": str(each.receiver),
            "asked": _stamp(each.at),
            "state": each.state,
            "codes": " ".join(each.codes),
            "ends": _stamp(each.ends),
            "refused": "; ".join(f"{code} {text}".strip() for code, text in each.refused),
        }
        for each in keeping.held(connection, key)
        if ended or not (each.state == "ended" or (each.ends is not None and each.ends <= at))
    ]


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
