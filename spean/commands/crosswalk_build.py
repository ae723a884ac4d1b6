"""``spean crosswalk build``: reads registries and links their records with persons; it may be run again at any time.

It refuses to hold a registry in memory. What a human decided stays; records that are as before are left alone.
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from adapters.config import AdapterConfig, load_config
from adapters.crosswalk.definition import Definition
from adapters.crosswalk.opening import Opened
from adapters.crosswalk.people import Person
from adapters.crosswalk.rows import chunks
from adapters.crosswalk.taking import BATCH, Taken
from adapters.errors import ConfigError, SourceError
from adapters.mapping.counting import RefusedRecord, standard
from adapters.services import ServiceConfig
from adapters.source import open_source
from spean.commands.common import told
from spean.commands.crosswalk_open import opened
from spean.commands.progress import Bar
from spean.errors import CommandError, UsageError

_GONE_FEW: Final = 100  # as captures: who misses more, and more than a tenth, did not read the whole registry
_GONE_SHARE: Final = 0.1
_EXPORTED_BEFORE: Final = timedelta(days=1)  # a file does not say when its reading began, only when it was written


def run(arguments: argparse.Namespace) -> int:
    """Read all registries that were named, the one that gives SPIDs first."""
    with told(ConfigError, SourceError), opened(arguments.config) as crosswalk:
        definition = crosswalk.crosswalk.definition
        if arguments.accept_gone and not arguments.gone:
            raise UsageError("--accept-gone goes with --gone.")
        exports = dict(_export(definition, each) for each in arguments.exports)
        services = dict(_services(definition, [load_config(each) for each in arguments.adapters]))
        named = [each for each in definition.registries if each in exports or each in services]
        if not named:
            raise UsageError("Name adapter files of registries, or exports with --from.")
        for name in sorted(named, key=lambda each: each != definition.anchor):
            reading = _reading(name, exports, services)
            print(_told(name, asyncio.run(_take(crosswalk, reading))), flush=True)
            if arguments.gone:
                _end(crosswalk, reading, accept=arguments.accept_gone)
    return 0


@dataclass(frozen=True, slots=True)
class _Reading:
    """One registry that is read: its records, since when, and who was seen, as hashes."""

    name: str
    records: AsyncIterator[Mapping[str, Any]]
    since: datetime
    seen: set[bytes] = field(default_factory=set)


def _reading(
    name: str, exports: Mapping[str, Path], services: Mapping[str, tuple[AdapterConfig, ServiceConfig]]
) -> _Reading:
    if name not in exports:
        return _Reading(name, _records(*services[name]), datetime.now(UTC))
    written = datetime.fromtimestamp(exports[name].stat().st_mtime, UTC)
    return _Reading(name, _lines(exports[name]), written - _EXPORTED_BEFORE)


def _export(definition: Definition, text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or name not in definition.registries:
        raise UsageError(f"--from is REGISTRY=FILE, with one of {', '.join(definition.registries)}.")
    return name, Path(path)


def _services(
    definition: Definition, configs: list[AdapterConfig]
) -> Iterator[tuple[str, tuple[AdapterConfig, ServiceConfig]]]:
    """Yield each registry that an adapter feeds, with the service of it."""
    for name, registry in definition.registries.items():
        for config in configs:
            for service in config.services:
                if registry.fed_by == f"{config.adapter}/{service.code}":
                    yield name, (config, service)


async def _records(config: AdapterConfig, service: ServiceConfig) -> AsyncIterator[Mapping[str, Any]]:
    """Yield what the standard takes; `spean adapter check --against-data` counts the rest."""
    source = open_source(service.source, config.connection, connections=1)
    try:
        async for placed in source.stream():
            try:
                yield standard(service.mapping, placed.record)
            except RefusedRecord:
                continue
    finally:
        await source.close()


async def _lines(path: Path) -> AsyncIterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise CommandError(f"{path}, line {number}, is no JSON. Export the registry again.") from error
            if not isinstance(record, dict):
                raise CommandError(f"{path}, line {number}, is no record. Export the registry again.")
            yield record


async def _take(crosswalk: Opened, reading: _Reading) -> Taken:
    taken, waiting, done, name = Taken(), list[Person](), 0, reading.name
    with Bar(name) as bar:
        async for record in reading.records:
            people = list(crosswalk.crosswalk.definition.persons(name, record))
            reading.seen.update(crosswalk.crosswalk.ending.word(name, each.key) for each in people)
            waiting += people
            done += 1
            if len(waiting) >= BATCH:
                taken.add(await _write(crosswalk, reading, waiting))
                waiting = []
                bar.show(done, None)
        taken.add(await _write(crosswalk, reading, waiting))
    return taken


async def _write(crosswalk: Opened, reading: _Reading, people: list[Person]) -> Taken:
    at, since = datetime.now(UTC), reading.since
    take = partial(crosswalk.crosswalk.take_read, registry=reading.name, people=people, at=at, since=since)
    return await crosswalk.store.write(take)


def _end(crosswalk: Opened, reading: _Reading, *, accept: bool) -> None:
    """End those who are here and were not read: of the registry, nothing but hashes of keys was held for it."""
    gone, here = crosswalk.store.read_now(lambda one: _missing(one, crosswalk, reading))
    name = reading.name
    if len(gone) > max(_GONE_FEW, here * _GONE_SHARE) and not accept:
        raise CommandError(
            f"{name}: {len(gone):,} of {here:,} records are not there any more. See that all of the registry was read; "
            "if they are gone, give --accept-gone."
        )
    ended = sum(
        crosswalk.store.write_now(partial(_ended, crosswalk=crosswalk, reading=reading, keys=part))
        for part in chunks(gone, BATCH)
    )
    print(f"{name}: {ended:,} ended. បានបញ្ចប់ {ended:,}។", flush=True)


def _missing(connection: Connection, crosswalk: Opened, reading: _Reading) -> tuple[list[str], int]:
    gone, here = crosswalk.crosswalk.ending.missing(connection, reading.name, reading.seen)
    return _unheard(connection, crosswalk, reading, gone), here


def _ended(connection: Connection, *, crosswalk: Opened, reading: _Reading, keys: list[str]) -> int:
    crosswalk.crosswalk.rows.alone(connection)
    gone = _unheard(connection, crosswalk, reading, keys)
    return crosswalk.crosswalk.end(connection, reading.name, gone, datetime.now(UTC))


def _unheard(connection: Connection, crosswalk: Opened, reading: _Reading, keys: list[str]) -> list[str]:
    """Leave out whoever an event was about since the reading began: it told what the reading did not see."""
    newer = crosswalk.crosswalk.heard.since(connection, reading.name, keys, reading.since)
    return [each for each in keys if each not in newer]


def _told(name: str, taken: Taken) -> str:
    return (
        f"{name}: {taken.linked:,} linked, {taken.review:,} for review, {taken.open:,} with nobody, "
        f"{taken.unchanged:,} as before, {taken.findings:,} findings"
    )
