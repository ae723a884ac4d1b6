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
from adapters.services import located
from adapters.source import SourceDefinition, load_source
from adapters.writing.review import review_write

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
        try:
            mapping = load_mapping(located(folder, name))
        except ConfigError as error:
            yield _finding(error)
        else:
            served.append((mapping.contract, mapping.contract_version))
            yield from review(mapping, source)
    if served and "release" in data:
        yield from _release(located(folder, data["release"]), served, source)
    if "write" in data:
        yield from review_write(located(folder, data["write"]))


def _release(path: Path, served: list[tuple[str, str]], source: SourceDefinition) -> Iterator[Finding]:
    try:
        load_release(path, served=served, attributes=frozenset(source.attributes))
    except ConfigError as error:
        yield _finding(error)


def _finding(error: ConfigError) -> Finding:
    return Finding(Level.ERROR, error.file, error.key, error.problem, _CORRECT)
