"""What ``events:`` of an adapter file says: where its tables are, the own security server, the queue, and the pace.

It refuses a database that is neither SQLite nor PostgreSQL, plain connections to other machines, and receivers that
are no subsystems of the bus. :func:`adapters.config.load_config` calls it; the relay is built from what it gives.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import make_url

from adapters.errors import ConfigError
from adapters.events.naming import BadAddress, ServiceAddress
from adapters.source.connection import (
    LOOPBACK,
    Connection,
    CrosswalkConnection,
    SecretFile,
    SqlConnection,
    check_web_url,
    read_connection,
)
from xroad.errors import XRoadError
from xroad.identifiers import ClientId

_ENGINES: Final = frozenset({"sqlite", "postgresql"})
_SCHEMES: Final = frozenset({"nats", "tls"})
_REPLICAS: Final = 3  # a cluster of three bears the loss of one
_SHARDS: Final = 4  # as many round trips at once hide the delay of a bus; a receiver has as many connections to bear


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """The client port of the own security server; the URL ends without a slash."""

    url: str
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class NatsConfig:
    """Servers of one NATS cluster, and the stream in it that is this adapter's alone.

    Args:
        servers: URLs ``nats://host:port``, or ``tls://`` to other machines.
        stream: its name, and the first part of its subjects.
        replicas: how many servers hold each message.
        shards: how many messages to one receiver may be under way at once.
        user: with password, when the servers ask for one.
        password: as above.
        ca_file: who is trusted to have certified the servers; the system's authorities when absent.
    """

    servers: tuple[str, ...]
    stream: str
    replicas: int = _REPLICAS
    shards: int = _SHARDS
    user: str | None = None
    password: SecretFile | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """The n-th wait is random below ``first * 2^(n-1)``, at most ``most`` seconds; after ``attempts`` it is dead."""

    first_seconds: float = 1
    most_seconds: float = 300
    attempts: int = 40


@dataclass(frozen=True, slots=True)
class Limits:
    """What one receiver bears: messages a second, and events and bytes a message."""

    per_second: float = 50
    events: int = 100
    bytes: int = 200_000  # far below what an adapter takes: whoever waits behind it does not wait for long


@dataclass(frozen=True, slots=True)
class EventsConfig:
    """Everything about an adapter's events.

    Args:
        file: what messages call the adapter file.
        database: where the tables are: the source's own database, or another.
        at_source: whether it is the source's own.
        key_file: with which rows are sealed; made at the first start.
        security_server: the way out.
        nats: None for the queue that is embedded.
        retry: when a message is tried again.
        timeout_seconds: for one attempt, in all.
        keep_days: how long rows stay that were sent, rejected or dropped.
        late_minutes: a row that waits longer makes the health degraded.
        receivers: limits by subsystem, or by service of one; others have the defaults.
    """

    file: str
    database: SqlConnection
    at_source: bool
    key_file: Path
    security_server: ServerConfig
    nats: NatsConfig | None
    retry: RetryConfig
    timeout_seconds: float
    keep_days: int
    late_minutes: int
    receivers: Mapping[str, Limits]


def read_events(data: Mapping[str, Any], source: Connection, *, file: str, folder: Path) -> EventsConfig:
    """Read what stands under ``events:``, which the schema has judged.

    Args:
        data: the value there.
        source: what stands under ``source:``.
        file: what messages call the adapter file.
        folder: relative paths are taken from it.

    Raises:
        ConfigError: names the key and the rule.
    """
    queue = data.get("queue", {"kind": "embedded"})
    return EventsConfig(
        file=file,
        database=_database(data["database"], source, file, folder),
        at_source=data["database"] == "source",
        key_file=folder / data["key_file"],
        security_server=_server(data["security_server"], file, folder),
        nats=_nats(queue, file, folder) if queue["kind"] == "nats" else None,
        retry=_retry(data.get("retry", {}), file),
        timeout_seconds=data.get("timeout_seconds", 30),
        keep_days=data.get("keep_days", 30),
        late_minutes=data.get("late_minutes", 60),
        receivers=_receivers(data.get("receivers", ()), file),
    )


def limits_of(receivers: Mapping[str, Limits], receiver: str) -> Limits:
    """Return the limits of a receiver: its own, those of its subsystem, or the defaults."""
    return receivers.get(receiver) or receivers.get(receiver.rpartition("/")[0]) or Limits()


def _database(data: Any, source: Connection, file: str, folder: Path) -> SqlConnection:  # noqa: ANN401  # of the YAML
    found = source
    if isinstance(source, CrosswalkConnection):  # its tables are guests of a database, as those of events are
        found = SqlConnection(source.file, source.url, source.password)
    if data != "source":
        try:
            found = read_connection({"kind": "sql", **data}, file=file, folder=folder)
        except ConfigError as error:
            raise ConfigError(file, error.key.replace("source", "events.database", 1), error.problem) from error
    if not isinstance(found, SqlConnection) or make_url(found.url).get_backend_name() not in _ENGINES:
        whose = "the source is none: " if data == "source" else ""
        raise ConfigError(file, "events.database", f"{whose}give {{url: …}} of an SQLite or PostgreSQL database")
    return found


def _server(data: Mapping[str, Any], file: str, folder: Path) -> ServerConfig:
    url = check_web_url(file, "events.security_server.url", data["url"]).rstrip("/")
    files = ("ca_file", "certificate_file", "key_file")
    return ServerConfig(url, *(folder / data[each] if each in data else None for each in files))


def _nats(data: Mapping[str, Any], file: str, folder: Path) -> NatsConfig:
    for each in data["servers"]:
        _check_server(each, file)
    password = None
    if "password_file" in data:
        password = SecretFile(file, "events.queue.password_file", folder / data["password_file"])
    return NatsConfig(
        servers=tuple(data["servers"]),
        stream=data["stream"],
        replicas=data.get("replicas", _REPLICAS),
        shards=data.get("shards", _SHARDS),
        user=data.get("user"),
        password=password,
        ca_file=folder / data["ca_file"] if "ca_file" in data else None,
    )


def _check_server(url: str, file: str) -> None:
    """Who reads the queue sees no records, but could take what is under way: it stays within TLS or this machine."""
    key = "events.queue.servers"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(file, key, "has what is no URL such as nats://127.0.0.1:4222") from None
    if parts.scheme not in _SCHEMES or not host or port is None:
        raise ConfigError(file, key, "are URLs such as nats://127.0.0.1:4222 or tls://queue.example:4222")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(file, key, "have credentials in them: use user and password_file")
    if parts.scheme != "tls" and host not in LOOPBACK:
        raise ConfigError(file, key, "must be tls:// where they lead to another machine")


def _retry(data: Mapping[str, Any], file: str) -> RetryConfig:
    retry = RetryConfig(**data)
    if retry.first_seconds > retry.most_seconds:
        raise ConfigError(file, "events.retry", "first_seconds is not above most_seconds")
    return retry


def _receivers(data: Sequence[Mapping[str, Any]], file: str) -> dict[str, Limits]:
    found: dict[str, Limits] = {}
    for place, each in enumerate(data):
        name = _named(each["to"], f"events.receivers.{place}.to", file)
        if name in found:
            raise ConfigError(file, f"events.receivers.{place}.to", "stands twice")
        found[name] = Limits(**{key: value for key, value in each.items() if key != "to"})
    return found


def _named(text: str, key: str, file: str) -> str:
    """Return a subsystem or a service of one, as rows name it."""
    try:
        client = ClientId.parse(text)
    except XRoadError:
        client = None
    if client is not None and client.subsystem_code is not None:
        return str(client)
    try:
        return str(ServiceAddress.parse(text))
    except BadAddress as error:
        raise ConfigError(file, key, "is a subsystem INSTANCE/CLASS/MEMBER/SUBSYSTEM, or a service of one") from error
