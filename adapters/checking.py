"""Looks at the files of a whole adapter before it serves: each for itself, and how they fit together.

It refuses to stop at the first problem. What is found names file and place and says what to do.
``spean adapter check`` prints it; :mod:`adapters.datacheck` looks at the data that the files speak of.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adapters.config import load_config, own_errors, read_data
from adapters.errors import ConfigError
from adapters.mapping import load_mapping
from adapters.mapping.review import Finding, Level, review
from adapters.release import load_release
from adapters.release.review import review_release
<<<<<<< HEAD
from adapters.services import located
from adapters.source import SourceDefinition, load_source
=======
from adapters.services import ServiceConfig, located
from adapters.source import Connection, Source, SourceDefinition, ThreadedSource, load_source, open_source
from adapters.source.calldefinition import CallDefinition
from adapters.source.files import FilesSource
from adapters.source.sql import SqlSource
from adapters.writing.review import review_write
from adapters.writing.tables import table_problems
>>>>>>> events

_CORRECT = "correct it; the page about adapters describes every key"


def look(path: Path) -> Iterator[Finding]:
    """Yield what can be found in the files of an adapter, without its data."""
    found = list(_files(path))
    yield from found
    if any(each.level is Level.ERROR for each in found):
        return
    try:
        config = load_config(path)
    except ConfigError as error:
        yield _finding(error)
        return
    for service in config.services:
        yield from review_release(str(path), service.code, service.release, tuple(service.mappings.values()))


def _files(path: Path) -> Iterator[Finding]:
    try:
        data = read_data(path)
    except ConfigError as error:
        yield _finding(error)
        return
    yield from map(_finding, own_errors(path, data))
    for service in data["services"]:
        yield from _service(path.resolve().parent, service)


def _service(folder: Path, data: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        source = load_source(located(folder, data["source"]))
    except ConfigError as error:
        yield _finding(error)
        return
    served = []
    for name in (data["mapping"], *data.get("other_versions", ())):
<<<<<<< HEAD
        try:
            mapping = load_mapping(located(folder, name))
        except ConfigError as error:
            yield _finding(error)
        else:
            served.append((mapping.contract, mapping.contract_version))
            yield from review(mapping, source)
    if served and "release" in data:
        yield from _release(located(folder, data["release"]), served, source)
=======
        yield from _mapping(located(folder, name), source)
    if "write" in data:
        yield from review_write(located(folder, data["write"]))
>>>>>>> events


def _release(path: Path, served: list[tuple[str, str]], source: SourceDefinition) -> Iterator[Finding]:
    try:
        load_release(path, served=served, attributes=frozenset(source.attributes))
    except ConfigError as error:
        yield _finding(error)


def _finding(error: ConfigError) -> Finding:
    return Finding(Level.ERROR, error.file, error.key, error.problem, _CORRECT)
<<<<<<< HEAD
=======


async def look_at_data(
    service: ServiceConfig, connection: Connection, *, limit: int | None, tell: Callable[[int, int | None], None]
) -> list[Finding]:
    """Read a source, at most ``limit`` records, and return what does not fit.

    Args:
        service: of a loaded adapter file.
        connection: the adapter's.
        limit: None for all records.
        tell: called now and then with the records read and how many there are, if that is known.
    """
    source = open_source(service.source, connection)
    try:
        found = await _source_findings(source)
        if isinstance(service.source, CallDefinition) and service.source.stream is None:
            problem = "the service answers, but has no 'stream': its records were not looked at"
            remedy = "declare a stream if the service can list its records, or try single records with `adapter try`"
            return [*found, Finding(Level.NOTE, service.source.file, "stream", problem, remedy)]
        found += await asyncio.to_thread(_written, service, source)
        return [*found, *await _count(source, [*service.mappings.values()], limit, tell)]
    except SourceError as error:
        return [Finding(Level.ERROR, service.source.file, "source", str(error), "compare the file with the source")]
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
    if others := core.unmentioned():
        problem = f"the tables have columns that are not mentioned: {', '.join(others)}"
        found.append(Finding(Level.NOTE, file, "record.fields", problem, _DECLARE))
    return found


def _written(service: ServiceConfig, source: Source) -> list[Finding]:
    """Tell what a write file names that the database does not have."""
    core, write = source.core if isinstance(source, ThreadedSource) else None, service.write
    if write is None or not isinstance(core, SqlSource):
        return []
    problems = core.read(lambda connection: list(table_problems(connection, write)))
    return [
        Finding(Level.ERROR, write.file, key, problem, "compare the file with the database")
        for key, problem in problems
    ]


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
    source: Source, mappings: list[CompiledMapping], limit: int | None, tell: Callable[[int, int | None], None]
) -> list[Finding]:
    counts, read = [Counting(each) for each in mappings], 0
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
>>>>>>> events
