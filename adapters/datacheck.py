"""Looks at the data that an adapter's files speak of: what the source has, and what the mappings make of its records.

It looks at all that can be evaluated, also while files have errors, and says what it did not look at and why; it never
holds a value of a record. ``spean adapter check --against-data`` prints what it finds.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.config import read_data
from adapters.errors import ConfigError, SourceError
from adapters.mapping import load_mapping
from adapters.mapping.counting import Counting
from adapters.mapping.engine import CompiledMapping, covered, leaf_paths, without_unreadable
from adapters.mapping.review import Finding, Level, missing_targets
from adapters.services import located
from adapters.source import (
    Connection,
    Source,
    SourceDefinition,
    ThreadedSource,
    load_source,
    open_source,
    read_connection,
)
from adapters.source.calldefinition import CallDefinition
from adapters.source.files import FilesSource
from adapters.source.sql import SqlSource
from adapters.writing.definition import WriteDefinition
from adapters.writing.loading import load_write
from adapters.writing.tables import table_problems

_DECLARE: Final = "declare them, if the standard needs them"
_AGAIN: Final = "correct the errors of the files, then check again"


@dataclass(frozen=True, slots=True)
class Looking:
    """One service's data, as far as its files allow to look at them.

    Args:
        code: the service's name on the bus.
        connection: to the source.
        source: where its records are.
        mappings: those that can run at all; rules that read what the source does not have are left out.
        unjudged: those of the mappings that are not whole, so that what they make is no record of the standard.
        write: its write file; None when it takes nothing in, or that file has errors.
    """

    code: str
    connection: Connection
    source: SourceDefinition
    mappings: tuple[CompiledMapping, ...]
    unjudged: frozenset[str]
    write: WriteDefinition | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What can be looked at, and what cannot."""

    services: tuple[Looking, ...]
    skipped: tuple[Finding, ...]


def plan(path: Path) -> Plan:
    """Read an adapter's files as far as they can be read; their errors are :func:`adapters.checking.look`'s to tell."""
    try:
        data = read_data(path)
        connection = read_connection(data["source"], file=str(path), folder=path.resolve().parent)
    except ConfigError as error:
        problem = "the data were not looked at: without this nobody knows where they are"
        return Plan((), (_skipped(error.file, error.key, problem),))
    folder, services, skipped = path.resolve().parent, [], list[Finding]()
    for each in data["services"]:
        try:
            source = load_source(located(folder, each["source"]))
        except ConfigError as error:
            problem = f"the data of the service {each['code']} were not looked at: its source file has errors"
            skipped.append(_skipped(error.file, error.key, problem))
            continue
        mappings, unjudged = _mappings(folder, each, source, skipped)
        write = _write(folder, each, skipped)
        services.append(Looking(each["code"], connection, source, mappings, unjudged, write))
    return Plan(tuple(services), tuple(skipped))


def _mappings(
    folder: Path, data: Mapping[str, Any], source: SourceDefinition, skipped: list[Finding]
) -> tuple[tuple[CompiledMapping, ...], frozenset[str]]:
    mappings, unjudged = [], set()
    for name in (data["mapping"], *data.get("other_versions", ())):
        try:
            mapping = load_mapping(located(folder, name))
        except ConfigError as error:
            problem = "what this mapping makes of the data was not looked at: it cannot be read"
            skipped.append(_skipped(error.file, error.key, problem))
            continue
        compiled, left_out = without_unreadable(mapping, source.shape)
        mappings.append(compiled)
        if left_out or any(missing_targets(mapping)):
            unjudged.add(mapping.file)
            problem = f"whether the records hold to {mapping.contract} was not looked at: the mapping is not whole"
            skipped.append(_skipped(mapping.file, "rules", problem))
        if left_out:
            problem = f"these rules were not tried, since the source lacks what they read: {', '.join(left_out)}"
            skipped.append(_skipped(mapping.file, "rules", problem))
    return tuple(mappings), frozenset(unjudged)


def _write(folder: Path, data: Mapping[str, Any], skipped: list[Finding]) -> WriteDefinition | None:
    try:
        return load_write(located(folder, data["write"])) if "write" in data else None
    except ConfigError as error:
        problem = "whether the database has what is written was not looked at: the write file has errors"
        skipped.append(_skipped(error.file, error.key, problem))
        return None


def _skipped(file: str, place: str, problem: str) -> Finding:
    return Finding(Level.WARNING, file, place, problem, _AGAIN)


async def look_at_data(
    service: Looking, *, limit: int | None, tell: Callable[[int, int | None], None]
) -> list[Finding]:
    """Read a source, at most ``limit`` records, and return what does not fit.

    Args:
        service: of a plan.
        limit: None for all records.
        tell: called now and then with the records read and how many there are, if that is known.
    """
    try:
        source = open_source(service.source, service.connection)
    except ConfigError as error:
        remedy = "correct it; the data of the service were not looked at"
        return [Finding(Level.ERROR, error.file, error.key, error.problem, remedy)]
    try:
        found = await _source_findings(source)
        if isinstance(service.source, CallDefinition) and service.source.stream is None:
            problem = "the service answers, but has no 'stream': its records were not looked at"
            remedy = "declare a stream if the service can list its records, or try single records with `adapter try`"
            return [*found, Finding(Level.NOTE, service.source.file, "stream", problem, remedy)]
        found += await asyncio.to_thread(_written, service.write, source)
        return [*found, *await _count(source, service, limit, tell)]
    except SourceError as error:
        remedy = "compare the file with the source; its records were not looked at"
        return [Finding(Level.ERROR, service.source.file, "source", str(error), remedy)]
    finally:
        await source.close()


async def _source_findings(source: Source) -> list[Finding]:
    await source.check()
    core = source.core if isinstance(source, ThreadedSource) else None
    if isinstance(core, SqlSource):
        return await asyncio.to_thread(_table_findings, core)
    if isinstance(core, FilesSource) and core.report is not None:
        return list(_file_findings(core))
    return []


def _table_findings(core: SqlSource) -> list[Finding]:
    file = core.definition.file
    problem = "is selective, but no index starts with its column: a search would read the whole table"
    remedy = "make an index in the database, or take 'selective' away"
    found = [Finding(Level.WARNING, file, f"queries.attributes.{name}", problem, remedy) for name in core.unindexed()]
    if views := core.behind_views():
        problem = f"whether an index serves {', '.join(views)} was not looked at: the columns are those of views"
        remedy = "look at the database's own plan of such a search (EXPLAIN)"
        found.append(Finding(Level.NOTE, file, "queries.attributes", problem, remedy))
    if others := core.unmentioned():
        problem = f"the tables have columns that are not mentioned: {', '.join(others)}"
        found.append(Finding(Level.NOTE, file, "record.fields", problem, _DECLARE))
    return found


def _written(write: WriteDefinition | None, source: Source) -> list[Finding]:
    """Tell what a write file names that the database does not have."""
    core = source.core if isinstance(source, ThreadedSource) else None
    if write is None or not isinstance(core, SqlSource):
        return []
    problems = core.read(lambda connection: list(table_problems(connection, write)))
    remedy = "compare the file with the database"
    return [Finding(Level.ERROR, write.file, key, problem, remedy) for key, problem in problems]


def _file_findings(core: FilesSource) -> Iterator[Finding]:
    report, file = core.report, core.definition.file
    if report is None:
        return
    if report.bad_rows:
        problem = f"{report.bad_rows} rows of {report.file} cannot be read, {report.rows} can"
        yield Finding(Level.ERROR, file, "record", problem, f"see {core.bad_rows_file} for lines and reasons")
    if report.unmentioned:
        problem = f"{report.file} has columns that are not mentioned: {', '.join(report.unmentioned)}"
        yield Finding(Level.NOTE, file, "record.fields", problem, _DECLARE)


async def _count(
    source: Source, service: Looking, limit: int | None, tell: Callable[[int, int | None], None]
) -> list[Finding]:
    counts = [Counting(each, judged=each.mapping.file not in service.unjudged) for each in service.mappings]
    read = 0
    undeclared: set[str] = set()
    total = await source.count()
    async for placed in source.stream():
        if limit is not None and read >= limit:
            break
        for each in counts:
            each.take(placed.record)
        if isinstance(source.definition, CallDefinition):
            undeclared.update(path for path in leaf_paths(placed.record) if not covered(path, source.definition.shape))
        read += 1
        if read % 500 == 0:
            tell(read, total)
    tell(read, total)
    found = [finding for each in counts for finding in each.findings()]
    if undeclared:
        problem = f"the service answers with fields that are not mentioned: {', '.join(sorted(undeclared))}"
        found.append(Finding(Level.NOTE, source.definition.file, "record.fields", problem, _DECLARE))
    return found
