"""``spean adapter reconcile``: finds and repairs what differs from a registry that is subscribed to, and shows it.

It refuses to print a record: lines name what was done, and keys and records go into the report alone, which only its
owner can read.
"""

import argparse
import asyncio
import json

from adapters.asynchronous.config import OwnSubscription
from adapters.capture.assembly import publishers
from adapters.capture.calls import Calls
from adapters.capture.reconciling import Reconciliation, Report
from adapters.composition import open_events_store, writers_of
from adapters.config import AdapterConfig, load_config
from adapters.errors import CaptureStopped, ConfigError, EventsError
from adapters.events import EventsStore
from adapters.outbox.transport import HttpTransport
from adapters.registry.monitoring import Monitor
from adapters.source import open_source
from serverkit.logs import configure_logs
from spean.commands.common import PRIVATE, told, write_new
from spean.commands.progress import Bar
from spean.errors import CommandError


def run(arguments: argparse.Namespace) -> int:
    """Reconcile; 0 when nothing is left that differs."""
    configure_logs()
    if arguments.report is not None and arguments.report.exists():
        raise CommandError(f"{arguments.report} exists already. Remove it, or choose another name.")
    with told(ConfigError, EventsError, CaptureStopped):
        config = load_config(arguments.config)
        declared = _declared(config, arguments.subscription)
        store = _store(config)
        try:
            with Bar(f"{declared.name}: records") as bar:
                report = asyncio.run(_reconcile(config, declared, store, arguments, bar))
        finally:
            store.database.close()
    _show(report, arguments)
    return 0 if report.is_whole else 1


def _declared(config: AdapterConfig, name: str) -> OwnSubscription:
    for each in config.subscriptions:
        if each.name == name:
            return each
    known = ", ".join(each.name for each in config.subscriptions) or "none"
    raise CommandError(f"The adapter has no subscription {name}. It has {known}.")


def _store(config: AdapterConfig) -> EventsStore:
    if config.events is None:
        raise CommandError("The adapter has no `events:`: it takes no records in.")
    return open_events_store(config.events)


async def _reconcile(
    config: AdapterConfig, declared: OwnSubscription, store: EventsStore, arguments: argparse.Namespace, bar: Bar
) -> Report:
    events = config.events
    if events is None:
        raise CommandError("The adapter has no `events:`: it takes no records in.")
    sources = [open_source(each.source, config.connection) for each in config.services]
    pairs = list(zip(config.services, sources, strict=True))
    publishing = publishers(pairs, store, Monitor(), at_source=events.at_source, sender_id=config.sender_id)
    transport = HttpTransport(
        events.security_server, config.sender_id, seconds=events.timeout_seconds, file=config.file
    )
    try:
        writer = writers_of(config, store, publishing).get(declared.into)
        if writer is None:
            raise CommandError(f"The service {declared.into} has no `write:`: it takes no records in.")
        reconciliation = Reconciliation(declared, writer, store, Calls(transport, declared.at))
        return await reconciliation.run(
            dry_run=arguments.dry_run,
            accept_gone=arguments.accept_gone,
            progress=lambda done: bar.show(done, None),
        )
    finally:
        await transport.close()
        for each in sources:
            await each.close()


def _show(report: Report, arguments: argparse.Namespace) -> None:
    if arguments.list:
        for each in report.lines:
            print(f"{each.name}  {each.what}: {each.outcome}{f' ({each.reason})' if each.reason else ''}")
    print(f"{report.compared:,} records compared. បានប្រៀបធៀប {report.compared:,}។")
    for what, outcome in sorted({(each.what, each.outcome) for each in report.lines}):
        print(f"{report.count(what, outcome):,} {what}: {outcome}")
    if not report.lines:
        print("Nothing differs. គ្មានអ្វីខុសគ្នាទេ។")
    if arguments.report is not None:
        lines = [
            {"what": each.what, "outcome": each.outcome, "name": each.name, "reason": each.reason, "key": each.key,
             "record": each.record}
            for each in report.lines
        ]  # fmt: skip
        data = json.dumps({"compared": report.compared, "records": lines}, ensure_ascii=False, indent=1, default=str)
        write_new(arguments.report, f"{data}\n".encode(), mode=PRIVATE)
        print(f"Keys and records are in {arguments.report}. It is personal data: only you can read it.")
