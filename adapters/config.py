"""What ``adapter.yaml`` says: where to listen, which source, which services, who may ask, where accesses are recorded.

It refuses unknown keys and files that do not fit together; every message names file, key and rule.
:func:`adapters.serve.serve` reads it; :func:`adapter_yaml` writes one for a packaged programme.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from adapters import yamlfile
from adapters.asynchronous.config import OwnSubscription, read_subscriptions
from adapters.errors import ConfigError
from adapters.outbox.config import EventsConfig, read_events
from adapters.registry.callers import Address, addresses
from adapters.services import ServiceConfig, located, read_services
from adapters.source import Connection, read_connection
from serverkit.http import Listen

__all__ = ["AdapterConfig", "ServiceConfig", "load_config", "read_data"]

ACCESS_DAYS: Final = 1825  # five years: as long as a citizen may come and ask about a benefit
TRANSACTION_DAYS: Final = 30
_LOOPBACK: Final = ("127.0.0.1", "::1")
_OLD_KEYS: Final = frozenset({"service_code", "base_path", "mapping", "record"})
_OLD_FORM: Final = (
    "is of the form before services stood in a list: write 'services', each with 'code' (was service_code), "
    "'source' (was source.file), 'mapping' and 'record', and 'source' with 'kind: sql' and 'url'; 'base_path' is gone, "
    "since each service's path is its code"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an adapter bears; the defaults are for an institution's registry on one small machine."""

    body_bytes: int = 256 * 1024  # 100 searches of 2.5 KB
    items: int = 100
    event_bytes: int = 2 * 1024 * 1024  # of a notification: a chunk of a first load, which is cut at 1 MB
    events: int = 1000
    page_size: int = 100
    records: int = 10_000
    request_seconds: int = 15
    concurrent_queries: int = 4


@dataclass(frozen=True, slots=True)
class AccessConfig:
    """Where accesses are recorded, under which key, and how many days they and transactions are kept."""

    log: Path
    key_file: Path
    days: int
    transaction_days: int


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """The certificate of the adapter's own port and its key."""

    certificate_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True)
class CallersConfig:
    """From which addresses or with which certificates a security server is believed, and who may ask with a token."""

    security_servers: frozenset[Address]
    certificate_files: tuple[Path, ...]
    clients_file: Path | None
    token_key_file: Path | None
    token_lifetime: timedelta


@dataclass(frozen=True, slots=True)
class SignaturesConfig:
    """With which key answers are signed, whose signatures are known, and whether one is demanded."""

    key_file: Path | None
    senders_file: Path | None
    demand: bool


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """A whole adapter, its sources, mappings and releases read and compiled."""

    file: str
    adapter: str
    listen: Listen
    metrics: Listen | None
    tls: TlsConfig | None
    sender_id: str
    connection: Connection
    services: tuple[ServiceConfig, ...]
    access: AccessConfig
    callers: CallersConfig
    signatures: SignaturesConfig
    limits: Limits
    events: EventsConfig | None
    subscriptions: tuple[OwnSubscription, ...] = ()


def load_config(path: Path) -> AdapterConfig:
    """Read an adapter file and the files that it names; raises :class:`ConfigError`.

    Paths in it, also that of an SQLite database, are relative to the file itself.
    """
    data = read_data(path)
    file, folder = str(path), path.resolve().parent
    listen = _listen(file, "listen", data["listen"])
    connection = read_connection(data["source"], file=file, folder=folder)
    services = read_services(file, folder, data["services"])
    _check_publishing(file, data, services)
    codes = frozenset(each.code for each in services)
    return AdapterConfig(
        file=file,
        adapter=data["adapter"],
        listen=listen,
        metrics=_listen(file, "metrics", data["metrics"]) if "metrics" in data else None,
        tls=_tls(folder, data.get("tls")),
        sender_id=data["sender_id"],
        connection=connection,
        services=services,
        access=_access(folder, data),
        callers=_callers(file, folder, listen, data),
        signatures=_signatures(folder, data.get("signatures", {})),
        limits=Limits(**data.get("limits", {})),
        events=read_events(data["events"], connection, file=file, folder=folder) if "events" in data else None,
        subscriptions=read_subscriptions(file, data.get("subscriptions", ()), codes),
    )


def _check_publishing(file: str, data: Mapping[str, Any], services: Sequence[ServiceConfig]) -> None:
    for place, each in enumerate(services):
        if each.publish is not None and "events" not in data:
            raise ConfigError(file, f"services.{place}.publish", "needs events: where what is to be told waits")


def read_data(path: Path) -> dict[str, Any]:
    """Return what stands in an adapter file, without the files that it names; raises :class:`ConfigError`."""
    return yamlfile.parse(yamlfile.read(path), partial(_schema, str(path)), name=str(path))


def own_errors(path: Path, data: Mapping[str, Any]) -> Iterator[ConfigError]:
    """Yield what is wrong in an adapter file itself, part by part, whatever the files say that it names."""
    file, folder = str(path), path.resolve().parent
    parts: list[Callable[[], object]] = [
        lambda: _callers(file, folder, _listen(file, "listen", data["listen"]), data),
        lambda: _listen(file, "metrics", data["metrics"]) if "metrics" in data else None,
        lambda: read_connection(data["source"], file=file, folder=folder),
    ]
    for part in parts:
        try:
            part()
        except ConfigError as error:
            yield error


def _schema(file: str, document: object) -> str:
    """Choose the schema; raises :class:`ConfigError` for the form that files had before services stood in a list."""
    old = sorted(_OLD_KEYS & set(document)) if isinstance(document, dict) else []
    if old:
        raise ConfigError(file, old[0], _OLD_FORM)
    return "adapter"


def _listen(file: str, key: str, text: str) -> Listen:
    try:
        return Listen.parse(text)
    except ValueError as error:
        raise ConfigError(file, key, str(error)) from error


def _access(folder: Path, data: Mapping[str, Any]) -> AccessConfig:
    return AccessConfig(
        log=folder / data["access_log"],
        key_file=folder / data["access_key_file"],
        days=data.get("access_days", ACCESS_DAYS),
        transaction_days=data.get("transaction_days", TRANSACTION_DAYS),
    )


def _tls(folder: Path, data: Mapping[str, str] | None) -> TlsConfig | None:
    return None if data is None else TlsConfig(folder / data["certificate_file"], folder / data["key_file"])


def _callers(file: str, folder: Path, listen: Listen, adapter: Mapping[str, Any]) -> CallersConfig:
    """Without a declaration, only programs of this machine are believed, and only where no others can connect."""
    data = adapter.get("callers", {})
    certificates = tuple(folder / each for each in data.get("security_server_certificates", ()))
    if certificates and "tls" not in adapter:
        raise ConfigError(file, "callers.security_server_certificates", "need tls: over plain HTTP nobody shows one")
    only_here = listen.host in {*_LOOPBACK, "localhost"} and not certificates
    trusted = data.get("security_servers", _LOOPBACK if only_here else ())
    try:
        believed = addresses(trusted)
    except ValueError as error:
        raise ConfigError(file, "callers.security_servers", "must be IP addresses") from error
    return CallersConfig(
        security_servers=believed,
        certificate_files=certificates,
        clients_file=_file(folder, data, "clients_file"),
        token_key_file=_file(folder, data, "token_key_file"),
        token_lifetime=timedelta(minutes=data.get("token_minutes", 10)),
    )


def _signatures(folder: Path, data: Mapping[str, Any]) -> SignaturesConfig:
    return SignaturesConfig(
        key_file=_file(folder, data, "key_file"),
        senders_file=_file(folder, data, "senders_file"),
        demand=data.get("demand", False),
    )


def _file(folder: Path, data: Mapping[str, Any], key: str) -> Path | None:
    return located(folder, data[key]) if key in data else None
