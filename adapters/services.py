"""The services of an adapter file: each with its source, its mapping in each version, and its release declaration.

It refuses two services of one name, mappings of different records, and releases of fields that nothing serves.
:func:`adapters.config.load_config` calls it; the command line looks at what it gives.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapters.capture.config import PublishConfig, read_publish
from adapters.errors import ConfigError
from adapters.mapping import CompiledMapping, compile_mapping, load_mapping
from adapters.release import NOTHING, Release, load_release
from adapters.source import SourceDefinition, load_source
from adapters.writing import WriteDefinition, load_write

PROGRAMMES: Final = Path(__file__).parent / "programmes"
PACKAGED: Final = "package:"  # a file of a packaged programme, wherever the package is installed


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """One service of the bus.

    Args:
        code: its name on the bus, and the first part of its paths.
        source: where its records are.
        mapping: to the record that is given when a search names no version.
        mappings: by version of the record's contract, that one among them.
        reg_type: DCI's registry type, which decides the paths.
        record_type: what the records are called in searches and answers.
        release: what may be given to whom.
        yes_when: attribute and codes that make a yes/no question a yes; None when any record does.
        write: how records that others send are written here; None when none are taken.
        publish: what is told of its changes; None when it only answers.
    """

    code: str
    source: SourceDefinition
    mapping: CompiledMapping
    mappings: Mapping[str, CompiledMapping]
    reg_type: str
    record_type: str
    release: Release
    yes_when: tuple[str, tuple[str, ...]] | None
    write: WriteDefinition | None
    publish: PublishConfig | None


def read_services(file: str, folder: Path, data: Sequence[Mapping[str, Any]]) -> tuple[ServiceConfig, ...]:
    """Read all services of an adapter file; raises :class:`ConfigError`."""
    services = tuple(_service(file, folder, place, each) for place, each in enumerate(data))
    codes = [each.code for each in services]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise ConfigError(file, "services", f"the code {', '.join(twice)} stands twice")
    _check_told(services)
    return services


def _check_told(services: Sequence[ServiceConfig]) -> None:
    codes = {each.code for each in services}
    for each in services:
        if each.write is None:
            continue
        for other in sorted(set(each.write.tells) - (codes - {each.code})):
            raise ConfigError(each.write.file, f"tells.{other}", "is no other service of this adapter")


def located(folder: Path, name: str) -> Path:
    """Return where a file is: beside the adapter file, or packaged."""
    return PROGRAMMES / name.removeprefix(PACKAGED) if name.startswith(PACKAGED) else folder / name


def _service(file: str, folder: Path, place: int, data: Mapping[str, Any]) -> ServiceConfig:
    source = load_source(located(folder, data["source"]))
    mapping = _mapping(folder, data["mapping"], source)
    others = [_mapping(folder, each, source) for each in data.get("other_versions", ())]
    mappings = _by_version(f"services.{place}.other_versions", file, [mapping, *others])
    return ServiceConfig(
        code=data["code"],
        source=source,
        mapping=mapping,
        mappings=mappings,
        reg_type=data["record"]["reg_type"],
        record_type=data["record"]["type"],
        release=_release(folder, data.get("release"), source, mappings.values()),
        yes_when=_yes_when(f"services.{place}.yes_when", file, data.get("yes_when"), source),
        write=load_write(located(folder, data["write"])) if "write" in data else None,
        publish=read_publish(file, f"services.{place}.publish", data["publish"], source) if "publish" in data else None,
    )


def _mapping(folder: Path, name: str, source: SourceDefinition) -> CompiledMapping:
    return compile_mapping(load_mapping(located(folder, name)), source.shape)


def _by_version(key: str, file: str, mappings: Sequence[CompiledMapping]) -> dict[str, CompiledMapping]:
    names = {each.mapping.contract for each in mappings}
    found = {each.mapping.contract_version: each for each in mappings}
    if len(names) > 1 or len(found) < len(mappings):
        raise ConfigError(file, key, "must map to other versions of the record that `mapping` maps to")
    return found


def _release(folder: Path, name: str | None, source: SourceDefinition, served: Iterable[CompiledMapping]) -> Release:
    if name is None:
        return NOTHING
    contracts = [(each.mapping.contract, each.mapping.contract_version) for each in served]
    return load_release(located(folder, name), served=contracts, attributes=frozenset(source.attributes))


def _yes_when(
    key: str, file: str, data: Mapping[str, Sequence[str]] | None, source: SourceDefinition
) -> tuple[str, tuple[str, ...]] | None:
    if data is None:
        return None
    [(attribute, codes)] = data.items()
    if attribute not in source.attributes:
        raise ConfigError(file, key, f"the source has no attribute {attribute}")
    return attribute, tuple(codes)
