"""``spean crosswalk duplicates``: what does not fit together, as the owner of each record would be told.

It refuses to show an owner's report with another's numbers: each line is what leaves, and nothing more.
With ``--tell`` they leave: the outbox sends them to the owners' services.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from adapters.composition import open_events_store
from adapters.config import load_config
from adapters.crosswalk.definition import Definition
from adapters.crosswalk.duplicates import Report, reports
from adapters.crosswalk.opening import Opened
from adapters.crosswalk.rows import chunks
from adapters.crosswalk.taking import BATCH
from adapters.crosswalk.telling import messages
from adapters.errors import ConfigError, EventsError
from adapters.outbox import put
from spean.commands.common import told
from spean.commands.crosswalk_open import opened
from spean.errors import CommandError


def run(arguments: argparse.Namespace) -> int:
    """Print every report that is open."""
    with opened(arguments.config) as crosswalk:
        found = crosswalk.store.read_now(lambda connection: _all(connection, crosswalk))
        if arguments.tell:
            print(_tell(arguments.config, crosswalk.crosswalk.definition, found))
            return 0
    for each in found:
        print(_json(each) if arguments.json else _line(each))
    if not found and not arguments.json:
        print("Everything fits together. គ្មានអ្វីមិនស៊ីគ្នាទេ។")
    return 0


def _all(connection: Connection, crosswalk: Opened) -> list[Report]:
    return list(reports(connection, crosswalk.crosswalk))


def _tell(config: Path, definition: Definition, found: Sequence[Report]) -> str:
    """Put what is new into the outbox, once; who asks again tells nothing twice."""
    with told(ConfigError, EventsError):
        read = load_config(config)
        if read.events is None:
            raise CommandError(f"{config} has no events: there is no outbox to tell owners from. Add events to it.")
        store, service = open_events_store(read.events), read.services[0]
        outgoing = list(messages(found, definition, store.key, service=service.code, reg_type=service.reg_type))
        now, new = datetime.now(UTC), 0
        try:
            for part in chunks(outgoing, BATCH):
                new += store.write_now(lambda connection, part=part: put(connection, store.key, part, at=now))  # type: ignore[misc]  # each has its own
        finally:
            store.database.close()
    nobody = len(found) - len(outgoing)
    return (
        f"{new:,} to be told now, {len(outgoing) - new:,} told before, {nobody:,} whose owner takes no findings. "
        f"ត្រូវប្រាប់ {new:,}។"
    )


def _json(report: Report) -> str:
    told = {"owner": report.owner, "registry": report.registry, "event_id": report.key, "record": report.event.record}
    return json.dumps(told, ensure_ascii=False)


def _line(report: Report) -> str:
    record = report.event.record
    numbers = ", ".join(f"{n['identifier_type']} {n['identifier_value']}" for n in record["member_identifier"])
    what = f"{record['found']}  {record['finding']} {record['finding_status']}"
    return f"{what}  {report.owner} ({report.registry}): {numbers}"
