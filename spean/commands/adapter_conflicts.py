"""``spean adapter conflicts``: lists what both an institution and a sender changed, and decides about one.

It refuses to show values unless they are asked for: they are personal data. A decision is one transaction, and is told
to those to whom the record is published.
"""

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Connection

from adapters.capture.assembly import publisher_of
from adapters.capture.publisher import Publisher
from adapters.composition import open_events_store, writers_of
from adapters.config import AdapterConfig, load_config
from adapters.errors import ConfigError, EventsError
from adapters.events import EventsStore
from adapters.source import open_source
from adapters.writing.conflicts import CannotDecide, Kept, decide_conflict, kept_conflicts
from adapters.writing.definition import Wins
from adapters.writing.writer import Writer
from spean.commands.common import told
from spean.errors import CommandError, UsageError


def run(arguments: argparse.Namespace) -> int:
    """Print a page of them, or decide one."""
    wanted = None if arguments.decide is None else _wanted(*arguments.decide)
    with told(ConfigError, EventsError, CannotDecide):
        config = load_config(arguments.config)
        if config.events is None:
            raise CommandError(f"{arguments.config} has no `events:`: nothing is written here. គ្មានព្រឹត្តិការណ៍ទេ។")
        store = open_events_store(config.events)
        try:
            return _list(arguments, store) if wanted is None else _decide(*wanted, config, store)
        finally:
            store.database.close()


@contextmanager
def _telling(config: AdapterConfig, store: EventsStore, writer: Writer) -> Iterator[None]:
    """Let those hear of what is written to whom the adapter publishes it, in the same transaction."""
    sources = []
    for service in config.services:
        if service.publish is None or service.code not in {writer.service, *writer.definition.tells}:
            continue
        source = open_source(service.source, config.connection, connections=1)
        sources.append(source)
        publisher = publisher_of(service, source, store, at_source=writer.elsewhere is None)
        after = partial(_publish, publisher)
        if service.code == writer.service:
            writer.after = after
        else:
            writer.others[service.code] = after
    try:
        yield
    finally:
        for each in sources:
            asyncio.run(each.close())


def _publish(publisher: Publisher, connection: Connection, record_key: str) -> None:
    publisher.publish(connection, record_key, datetime.now(UTC))


def _list(arguments: argparse.Namespace, store: EventsStore) -> int:
    found = store.read_now(
        lambda connection: kept_conflicts(
            connection,
            store.key,
            everything=arguments.all,
            values=arguments.values,
            after=arguments.after,
            limit=arguments.limit + 1,
        )
    )
    for each in found[: arguments.limit]:
        print(_line(each))
    if not found:
        print("No conflict is open. គ្មានទំនាស់ដែលនៅសល់ទេ។")
    if len(found) > arguments.limit:
        print(f"There are more; add / មានទៀត សូមបន្ថែម៖ --after {found[arguments.limit - 1].number}")
    return 0


def _line(each: Kept) -> str:
    state = f"kept {each.kept}" if each.decided is None else f"kept {each.kept}, decided {each.decided}"
    line = f"{each.number}  {each.at:%Y-%m-%d %H:%M}  {each.service}  {each.field}  {state}  from {each.sender}"
    if each.values is None:
        return line
    sent, local = each.values.get("sent"), each.values.get("local")
    return f"{line}\n    sent {sent!r}, local {local!r}, record {each.values['key']!r}"


def _wanted(number: str, side: str) -> tuple[int, Wins]:
    if not (number.isascii() and number.isdigit()) or side not in {Wins.SENT, Wins.LOCAL}:
        raise UsageError("--decide takes a number and a side, sent or local: --decide 42 sent.")
    return int(number), Wins(side)


def _decide(number: int, side: Wins, config: AdapterConfig, store: EventsStore) -> int:
    found = store.read_now(
        lambda one: kept_conflicts(one, store.key, everything=True, values=False, after=number - 1, limit=1)
    )
    writers = writers_of(config, store, None)
    if not found or found[0].number != number or found[0].service not in writers:
        raise CommandError(f"There is no conflict {number}. គ្មានទំនាស់លេខនេះទេ។")
    writer = writers[found[0].service]
    with _telling(config, store, writer):
        store.write_now(lambda one: decide_conflict(one, writer, number, side, datetime.now(UTC)))
    print(f"Conflict {number} is decided: {side.value}. ទំនាស់លេខ {number} ត្រូវបានសម្រេច។")
    return 0
