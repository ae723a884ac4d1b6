"""What ``adapter.yaml`` says: where to listen, which source, which mapping, which record.

It refuses unknown keys and files that do not fit together; every message names file, key and rule.
:func:`adapters.serve.serve` reads it; :func:`adapter_yaml` writes one for a packaged programme.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from adapters import yamlfile
from adapters.errors import ConfigError
from adapters.mapping import CompiledMapping, compile_mapping, load_mapping
from adapters.source import SourceDefinition, load_source
from serverkit.http import Listen

PROGRAMMES: Final = Path(__file__).parent / "programmes"
PACKAGED: Final = "package:"  # a file of a packaged programme, wherever the package is installed


@dataclass(frozen=True, slots=True)
class Limits:
    """What an adapter bears; the defaults are for an institution's registry on one small machine."""

    body_bytes: int = 256 * 1024  # 100 searches of 2.5 KB
    items: int = 100
    page_size: int = 100
    records: int = 10_000
    request_seconds: int = 15
    concurrent_queries: int = 4


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """A whole adapter, its source and mapping read and compiled."""

    file: str
    adapter: str
    listen: Listen
    base_path: str
    sender_id: str
    service_code: str
    source_url: str
    source: SourceDefinition
    mapping: CompiledMapping
    reg_type: str
    record_type: str
    require_client: bool
    limits: Limits


def load_config(path: Path) -> AdapterConfig:
    """Read an adapter file and the files that it names; raises :class:`ConfigError`.

    Paths in it, also that of an SQLite database, are relative to the file itself.
    """
    data = yamlfile.load(path, "adapter")
    try:
        listen = Listen.parse(data["listen"])
    except ValueError as error:
        raise ConfigError(str(path), "listen", str(error)) from error
    folder = path.resolve().parent
    source = load_source(_located(folder, data["source"]["file"]))
    mapping = compile_mapping(load_mapping(_located(folder, data["mapping"])), source.shape)
    return AdapterConfig(
        file=str(path),
        adapter=data["adapter"],
        listen=listen,
        base_path=data.get("base_path", ""),
        sender_id=data["sender_id"],
        service_code=data["service_code"],
        source_url=_located_url(folder, data["source"]["url"]),
        source=source,
        mapping=mapping,
        reg_type=data["record"]["reg_type"],
        record_type=data["record"]["type"],
        require_client=data.get("require_client", True),
        limits=Limits(**data.get("limits", {})),
    )


def adapter_yaml(programme: str, *, listen: str, source_url: str, sender_id: str) -> str:
    """Return the text of an adapter file for a packaged programme, usable from any folder.

    Args:
        programme: folder under ``adapters/programmes``, such as ``idpoor``.
        listen: host and port.
        source_url: SQLAlchemy URL of the registry.
        sender_id: the subsystem that provides the service, as the answers name it.

    Raises:
        ConfigError: there is no such programme.
    """
    data: dict[str, Any] = yamlfile.load(PROGRAMMES / programme / "adapter.yaml", "adapter")
    data |= {"listen": listen, "sender_id": sender_id, "mapping": f"{PACKAGED}{programme}/{data['mapping']}"}
    data["source"] = {"url": source_url, "file": f"{PACKAGED}{programme}/{data['source']['file']}"}
    return yaml.safe_dump(data, allow_unicode=True, sort_keys=False)


def _located(folder: Path, name: str) -> Path:
    return PROGRAMMES / name.removeprefix(PACKAGED) if name.startswith(PACKAGED) else folder / name


def _located_url(folder: Path, url: str) -> str:
    prefix = "sqlite:///"
    if not url.startswith(prefix):
        return url
    return f"{prefix}{folder / url.removeprefix(prefix)}"
