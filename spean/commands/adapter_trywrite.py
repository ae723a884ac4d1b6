"""``spean adapter try --write``: shows what a record of another institution would change in the local rows.

It refuses to change anything: the transaction is rolled back. Personal values are on the screen of whoever asked.
"""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from adapters.composition import open_events_store, writers_of
from adapters.config import load_config
from adapters.errors import ConfigError, EventsError
from adapters.events.model import Status
from adapters.writing.trying import Line, Tried, try_record
from spean.commands.adapter_service import chosen
from spean.commands.common import told
from spean.errors import CommandError, UsageError

_UNDONE: Final = "Nothing was changed. គ្មានអ្វីត្រូវបានផ្លាស់ប្ដូរទេ។"
_KIND: Final = "UPDATE"


def run_write(arguments: argparse.Namespace) -> int:
    """Show each field before and after, and the conflicts; 1 when the record would be rejected."""
    if any(each is not None for each in (arguments.file, arguments.id, arguments.id_file)):
        raise UsageError("--write is the record: give no other.")
    record = _record(arguments.write)
    with told(ConfigError, EventsError):
        config = load_config(arguments.config)
        service = chosen(config, arguments.service)
        if service.write is None or config.events is None:
            raise CommandError(f"The service {service.code} takes no records in. សេវានេះមិនទទួលកំណត់ត្រាទេ។")
        sender = arguments.sender or next(iter(service.write.senders))
        types = service.write.senders.get(sender) or {_KIND}
        kind = _KIND if _KIND in types else min(types)
        store = open_events_store(config.events)
        try:
            writer = writers_of(config, store, None)[service.code]
            tried = try_record(store, writer, record, sender, datetime.now(UTC), kind=kind)
        finally:
            store.database.close()
    _show(tried)
    return 1 if tried.result.status is Status.REJECTED else 0


def _show(tried: Tried) -> None:
    for each in tried.lines:
        print(_line(each))
    for conflict in tried.result.conflicts:
        print(
            f"conflict: {conflict['field']}: sent {conflict['sent']!r}, local {conflict['local']!r}, "
            f"{conflict['kept']} is kept"
        )
    if tried.result.status is Status.REJECTED:
        print(f"It would be rejected: {tried.result.message}")
    elif tried.result.message:
        print(tried.result.message)
    elif not tried.lines:
        print("It would change nothing. វានឹងមិនផ្លាស់ប្ដូរអ្វីទេ។")
    print(_UNDONE)


def _line(each: Line) -> str:
    where = each.field if each.row is None else f"{each.field} ({each.row})"
    if each.before == each.after:
        return f"  {where} = {each.after!r}"
    return f"* {where}: {each.before!r} → {each.after!r}"


def _record(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{path} is not JSON. Give a record of the standard.") from error
    record = data.get("standard", data) if isinstance(data, dict) else data
    if not isinstance(record, dict):
        raise CommandError(f"{path} holds no record: a record is a JSON object.")
    return record
