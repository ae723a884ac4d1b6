"""A small registry that publishes: its tables on either database, its service, subscriptions, and its outbox."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, make_url, select, text, update

from adapters.capture.publisher import Publisher
from adapters.capture.reading import reader_of
from adapters.events import Event, EventsKey, EventsStore, open_events
from adapters.events.notification import read_element
from adapters.events.store import milliseconds
from adapters.events.tables import OUTBOX, SUBSCRIPTION
from adapters.services import ServiceConfig, read_services
from adapters.source import Source, open_source
from adapters.source.connection import SqlConnection
from adapters.source.protocol import ThreadedSource

KEY = EventsKey(bytes(range(32)))
AT = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
CLIENT = "KH/GOV/NSAF/FAMILY-PACKAGE"
OTHER = "KH/GOV/MOEYS/SCHOLARSHIPS"
TABLES = (
    "CREATE TABLE person (num INTEGER PRIMARY KEY, spid TEXT, name TEXT, sex TEXT, village TEXT, changed BIGINT)",
    "CREATE TABLE entry (id INTEGER PRIMARY KEY, num INTEGER, registry TEXT, local_id TEXT, changed BIGINT)",
)
SOURCE = """
source: little
version: 1.0.0
synthetic: true
statement_timeout_ms: 3000
record:
  table: person
  key: num
  fields: {num: num, spid: spid, name: name, sex: sex, village: village}
  many:
    entries:
      {table: entry, key: num, order: [id], limit: 3, fields: {registry: registry, localId: local_id}}
queries:
  identifiers: [SPID]
  attributes:
    SPID: {column: spid, type: string, selective: true}
    village: {column: village, type: string}
"""
MAPPING = """
mapping: little
version: 1.0.0
title: {en: Little, km: តូច}
target: {contract: cambodia/registration, version: 1.0.0}
code_lists:
  sex: {M: male, F: female}
rules:
  - {to: assistance_unit, constant: "1"}
  - {to: registration_status, constant: REGISTERED}
  - to: member_identifier
    append_when: spid
    required: true
    rules:
      - {to: identifier_type, constant: SPID}
      - {to: identifier_value, from: spid, required: true}
  - {to: member.demographic_info.name.given_name, from: name, required: true}
  - {to: member.demographic_info.sex, from: sex, transform: [code_list: sex], required: true}
  - to: member.demographic_info.address
    append_when: village
    rules:
      - {to: country_code, constant: KH}
      - {to: region_code, from: village, transform: [leading: 2], required: true}
      - {to: sub_region_code, from: village, transform: [leading: 4], required: true}
      - {to: commune_code, from: village, transform: [leading: 6], required: true}
      - {to: village_code, from: village, required: true}
  - to: registered_in
    each: entries
    rules:
      - {to: registry, from: registry, required: true}
      - {to: identifier.identifier_type, constant: LOCAL_ID}
      - {to: identifier.identifier_value, from: localId, required: true}
ignored:
  - {path: num, reason: The order of arrival says nothing.}
"""
RELEASE = """
release: little
version: 1.0.0
purposes:
  ENROLMENT: {en: Enrol, km: ចុះឈ្មោះ}
  VERIFICATION: {en: Check, km: ផ្ទៀងផ្ទាត់}
give:
  - to: [KH/GOV/NSAF/FAMILY-PACKAGE]
    for: [ENROLMENT]
    basis: authorize
    ask_by: [SPID]
    fields: [assistance_unit, registration_status, member_identifier, member.demographic_info, registered_in]
  - to: [KH/GOV/MOEYS/SCHOLARSHIPS]
    for: [VERIFICATION]
    basis: authorize
    ask_by: [SPID]
    fields: [member_identifier, member.demographic_info.name]
"""
PURPOSES = {CLIENT: "ENROLMENT", OTHER: "VERIFICATION"}


@dataclass(frozen=True, slots=True)
class Little:
    """The registry: its service, its database, and what publishes."""

    folder: Path
    publish: Mapping[str, Any]
    service: ServiceConfig
    source: Source
    registry: EventsStore
    store: EventsStore
    publisher: Publisher

    def look(self, *numbers: int, at: datetime = AT) -> int:
        """Publish what is new of some people; returns how many messages will leave."""
        keys = [str(each) for each in numbers]
        return self.store.write_now(lambda connection: self.publisher.look(connection, keys, at)).told

    def remapped(self, old: str, new: str) -> "Little":
        """Return the registry after its mapping file was changed and the adapter started again."""
        mapping = self.folder / "mapping.yaml"
        mapping.write_text(mapping.read_text().replace(old, new))
        service = read_service(self.folder, self.publish)
        return replace(self, service=service, publisher=Publisher(service, KEY, self.publisher.reader))

    def run(self, *statements: str) -> None:
        """Change the registry, as the institution's own programs do."""
        self.registry.write_now(lambda connection: [connection.execute(text(each)) for each in statements])

    def person(self, num: int, village: str = "02040105", name: str = "ដារ៉ា", sex: str = "M", changed: int = 0) -> None:
        """Register somebody."""
        self.run(f"INSERT INTO person VALUES ({num}, 'S-{num}', '{name}', '{sex}', '{village}', {changed})")  # noqa: S608  # tests' own

    def entry(self, ident: int, num: int, changed: int = 0) -> None:
        """Register somebody in another registry."""
        self.run(f"INSERT INTO entry VALUES ({ident}, {num}, 'NSSF', 'L-{ident}', {changed})")  # noqa: S608  # as above

    def people(self, *numbers: int, changed: int = 0) -> None:
        """Register many at once."""
        rows = ", ".join(f"({num}, 'S-{num}', 'ដារ៉ា', 'M', '02040105', {changed})" for num in numbers)
        self.run(f"INSERT INTO person VALUES {rows}")  # noqa: S608  # as above

    def sent(self, client: str = CLIENT) -> list[Event]:
        """Return the events in the outbox for a client, in their order, those of a load too."""
        return sent_to(self.store, client)

    def empty_outbox(self) -> None:
        """Let all that waits be sent."""
        self.store.write_now(lambda connection: connection.execute(update(OUTBOX).values(state="sent")))

    def messages(self, client: str = CLIENT) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Return the bodies in the outbox for a client and what the access record is to say."""
        return messages_to(self.store, client)

    def subscribe(
        self, event_type: str, *, client: str = CLIENT, where: Mapping[str, Any] | None = None, **more: Any
    ) -> str:
        """Write a subscription as the asynchronous paths do; returns its code."""
        return subscribe(self.store, event_type, client=client, where=where, **more)


def subscribe(
    store: EventsStore,
    event_type: str,
    *,
    client: str = CLIENT,
    where: Mapping[str, Any] | None = None,
    at: datetime = AT,
    **more: Any,
) -> str:
    """Write a subscription that is in force since the day before; returns its code."""
    criteria = subscribe_criteria(event_type, PURPOSES[client], where, at) | more
    code = f"{client.rpartition('/')[2]}-{event_type}-{len(json.dumps(criteria))}"
    row = {
        "code": code,
        "service": "people",
        "client": client,
        "callback": f"{client}/take",
        "event_type": event_type,
        "record_type": "Registration",
        "version": "1.0.0",
        "sealed": store.key.seal(criteria),
        "digest": store.key.word(code),
        "purpose": PURPOSES[client],
        "frequency": None,
        "starts": milliseconds(at - timedelta(days=1)),
        "ends": milliseconds(at + timedelta(days=300)),
        "status": "subscribe",
        "created": milliseconds(at),
    }
    store.write_now(lambda connection: connection.execute(insert(SUBSCRIPTION), [row]))
    return code


def subscribe_criteria(
    event_type: str, purpose: str, where: Mapping[str, Any] | None, at: datetime = AT
) -> dict[str, Any]:
    """Return DCI's criteria; ``where`` is the query of an expression, None for every record."""
    expression = {"type": "expression", "value": {"expression": {"collection": "Registration", "query": where}}}
    asked = {"filter": {}} if where is None else {"filter_type": "expression", "filter": expression}
    ground = {"code": purpose, "text": "why", "ref_uri": "https://example.org/law"}
    authorize = {"ts": (at - timedelta(days=1)).isoformat(), "purpose": ground}
    return {"reg_event_type": event_type, "notify_record_type": "Registration", "authorize": authorize, **asked}


def read_service(folder: Path, publish: Mapping[str, Any]) -> ServiceConfig:
    """Read the service of the files in a folder."""
    data = {
        "code": "people",
        "source": "source.yaml",
        "mapping": "mapping.yaml",
        "record": {"reg_type": "Social", "type": "Registration"},
        "release": "release.yaml",
        "publish": publish,
    }
    [service] = read_services("adapter.yaml", folder, [data])
    return service


def sent_to(store: EventsStore, client: str = CLIENT) -> list[Event]:
    """Return the events in an outbox for a client, in their order, those of a load too."""
    bodies = [body for body, _access in messages_to(store, client)]
    return [read_element(each) for body in bodies for each in body.get("message", {}).get("notify_event", [body])]


def messages_to(store: EventsStore, client: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the bodies in an outbox for a client and what the access record is to say."""

    def read(connection: Connection) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        rows = connection.execute(
            select(OUTBOX.c.sealed).where(OUTBOX.c.receiver.like(f"{client}/%")).order_by(OUTBOX.c.id)
        )
        opened = [store.key.unseal(row.sealed) for row in rows]
        return [(each["body"], each["access"]) for each in opened]

    return store.read_now(read)


def write_files(folder: Path) -> None:
    """Write the source, mapping and release files."""
    for name, content in (("source", SOURCE), ("mapping", MAPPING), ("release", RELEASE)):
        (folder / f"{name}.yaml").write_text(content)


@contextmanager
def little(folder: Path, url: str, publish: Mapping[str, Any], *, at_source: bool = True) -> Iterator[Little]:
    """Make the registry in a database; the tables of events stand beside it, or in a file."""
    write_files(folder)
    service = read_service(folder, publish)
    shown = make_url(url).set(drivername=make_url(url).get_backend_name())
    registry = open_events(url, KEY, config="adapter.yaml")
    registry.write_now(lambda connection: [connection.execute(text(each)) for each in TABLES])
    store = registry if at_source else open_events(f"sqlite:///{folder}/events.sqlite", KEY, config="adapter.yaml")
    source = open_source(service.source, SqlConnection("adapter.yaml", shown.render_as_string(), None))
    publisher = Publisher(service, KEY, reader_of(source, at_source=at_source))
    try:
        yield Little(folder, publish, service, source, registry, store, publisher)
    finally:
        for each in (registry, store):
            each.database.close()
        if isinstance(source, ThreadedSource):
            source.core.close()
