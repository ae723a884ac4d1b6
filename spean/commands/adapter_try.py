"""``spean adapter try``: shows one record before and after, with the rule behind each value.

It shows personal values on the screen, because that is what the person asked for; it refuses to log them.
"""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import contracts
from adapters.config import AdapterConfig, load_config
from adapters.errors import ConfigError, SearchRejected, SourceError
from adapters.mapping.tracing import Trace, trace
from adapters.services import ServiceConfig
from adapters.source import Comparison, Operator, Query, open_source
from spean.commands.adapter_service import chosen
from spean.commands.adapter_table import rows, table
from spean.commands.adapter_trywrite import run_write
from spean.commands.common import told
from spean.errors import CommandError, UsageError


def run(arguments: argparse.Namespace) -> int:
    """Show the record; 1 when it cannot be given in the standard, or taken in."""
    if arguments.write is not None:
        return run_write(arguments)
    if arguments.sender is not None:
        raise UsageError("--sender goes with --write.")
    with told(ConfigError, SourceError, SearchRejected):
        config = load_config(arguments.config)
        service = chosen(config, arguments.service)
        record = _record(arguments, config, service)
    found = trace(service.mapping, record)
    for line in table(rows(found)):
        print(line)
    verdict = _verdict(service, found)
    print(f"\n{verdict or 'The record is valid in the standard. កំណត់ត្រាត្រឹមត្រូវតាមស្តង់ដារ។'}")
    return 1 if verdict else 0


def _record(arguments: argparse.Namespace, config: AdapterConfig, service: ServiceConfig) -> dict[str, Any]:
    given = [each for each in (arguments.file, arguments.id, arguments.id_file) if each is not None]
    if len(given) != 1:
        raise UsageError("Give one record: a FILE, or --id TYPE:VALUE, or --id-file FILE.")
    if arguments.file is not None:
        return _from_file(arguments.file)
    text = arguments.id if arguments.id is not None else arguments.id_file.read_text(encoding="utf-8").strip()
    kind, colon, value = text.partition(":")
    if not colon or kind not in service.source.identifiers:
        raise UsageError(f"--id is TYPE:VALUE, with one of {', '.join(sorted(service.source.identifiers))}.")
    return asyncio.run(_from_source(config, service, Comparison(kind, Operator.EQ, (value,))))


def _from_file(path: Path) -> dict[str, Any]:
    """Read a record; the files under ``tests/`` of a programme have it as ``local``."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{path} is not JSON. Give a record as the source gives it.") from error
    record = data.get("local", data) if isinstance(data, dict) else data
    if not isinstance(record, dict):
        raise CommandError(f"{path} holds no record: a record is a JSON object.")
    return record


async def _from_source(config: AdapterConfig, service: ServiceConfig, where: Comparison) -> dict[str, Any]:
    source = open_source(service.source, config.connection, connections=1)
    try:
        found = await source.search(Query(where, (), 0, 1, 1))
    finally:
        await source.close()
    if not found.records:
        raise CommandError("The source has no such record.")
    return found.records[0]


def _verdict(service: ServiceConfig, found: Trace) -> str | None:
    """Return why the record cannot be given; None when it can."""
    if found.record is None:
        return f"It cannot be mapped: {found.error}"
    mapping = service.mapping.mapping
    try:
        contracts.validate(mapping.contract, mapping.contract_version, found.record)
    except contracts.ContractViolation as error:
        return f"It breaks the standard: {error}"
    return None
