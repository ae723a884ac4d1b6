"""A small registry of families that takes registrations in: its tables, its write file, and events for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import text

from adapters.events import Event, EventsKey, EventsStore, Result, open_events
from adapters.events.model import Change
from adapters.writing import WriteDefinition, Writer, load_write

KEY = EventsKey(bytes(range(32)))
SENDER = "KH/GOV/SPR/REGISTRY"
NOW = datetime(2026, 11, 28, 5, 0, tzinfo=UTC)
FAMILY = """CREATE TABLE family (family_no VARCHAR(20) PRIMARY KEY, spr_no VARCHAR(20) UNIQUE,
    village VARCHAR(8) NOT NULL, book VARCHAR(20), size INTEGER, registered DATE, state VARCHAR(4) NOT NULL,
    version INTEGER, changed VARCHAR(30))"""
LINE = """CREATE TABLE line (line_no VARCHAR(30) PRIMARY KEY, family_no VARCHAR(20) NOT NULL, line INTEGER NOT NULL,
    spid VARCHAR(20) UNIQUE, id_card VARCHAR(9), full_name VARCHAR(99) NOT NULL, sex VARCHAR(1) NOT NULL,
    birth VARCHAR(10))"""
INTAKE = """
mapping: family-intake
version: 1.0.0
title: {en: Family, km: គ្រួសារ}
source: {contract: cambodia/registration, version: 1.0.0}
code_lists:
  sex: {M: male, F: female}
rules:
  - {to: sprNo, from: "group.group_identifier[identifier_type=LOCAL_ID].identifier_value", required: true}
  - {to: book, from: "group.group_identifier[identifier_type=FAMILY_BOOK].identifier_value"}
  - {to: village, from: "group.address[first].village_code"}
  - {to: size, from: group.group_size}
  - {to: registered, from: registration_date, transform: [write_time: {zone: "+07:00"}, leading: 10]}
  - to: lines
    each: group.member_list
    rules:
      - {to: spid, from: "member_identifier[identifier_type=SPID].identifier_value"}
      - {to: idCard, from: "member_identifier[identifier_type=KHM_ID].identifier_value"}
      - to: fullName
        from: [demographic_info.name.surname, demographic_info.name.given_name]
        transform: [join_name: {separator: " "}]
      - {to: sex, from: demographic_info.sex, transform: [write_code: sex]}
      - {to: birth, from: demographic_info.birth_date, transform: [write_date: {format: ymd-slash}]}
ignored:
  - reason: A family is known by its own numbers.
    paths: [assistance_unit, registration_status, member_identifier, member, registered_in, replaced_by, last_updated]
  - reason: The registry does not keep it.
    paths:
      - group.group_type
      - group.geographical_location
      - group.place_address
      - group.poverty_score
      - group.poverty_score_type
      - group.poverty_level
      - group.equity_card
      - group.group_head_info
      - group.registration_date
      - group.last_updated
      - group.additional_attributes
      - group.address.address_line_1
      - group.address.address_line_2
      - group.address.locality
      - group.address.sub_region_code
      - group.address.region_code
      - group.address.postal_code
      - group.address.country_code
      - group.address.geo_location
      - group.address.commune_code
      - group.member_list.related_person
      - group.member_list.is_disabled
      - group.member_list.disability_info
      - group.member_list.marital_status
      - group.member_list.employment_status
      - group.member_list.occupation
      - group.member_list.income_level
      - group.member_list.language_code
      - group.member_list.education_level
      - group.member_list.additional_attributes
      - group.member_list.registration_date
      - group.member_list.last_updated
      - group.member_list.demographic_info.identifier
      - group.member_list.demographic_info.birth_year
      - group.member_list.demographic_info.birth_date_approximate
      - group.member_list.demographic_info.death_date
      - group.member_list.demographic_info.address
      - group.member_list.demographic_info.phone_number
      - group.member_list.demographic_info.email
      - group.member_list.demographic_info.registration_date
      - group.member_list.demographic_info.last_updated
      - group.member_list.demographic_info.name.second_name
      - group.member_list.demographic_info.name.maiden_name
      - group.member_list.demographic_info.name.prefix
      - group.member_list.demographic_info.name.suffix
      - group.member_list.demographic_info.name.surname_latin
      - group.member_list.demographic_info.name.given_name_latin
      - group.member_list.demographic_info.name.surname_received
      - group.member_list.demographic_info.name.given_name_received
      - group.member_list.demographic_info.name.second_name_received
      - group.member_list.demographic_info.name.maiden_name_received
"""
WRITE = f"""
write: family
version: 1.0.0
record_type: Registration
mapping: family.intake.yaml
from:
  - {{client: {SENDER}, events: [REGISTER, UPDATE, REMOVE]}}
record:
  table: family
  key: family_no
  fields:
    familyNo: family_no
    sprNo: spr_no
    village: village
    book: book
    size: size
    registered: registered
    state: state
    version: version
    changed: changed
  many:
    lines:
      table: line
      key: family_no
      row: line_no
      same: [spid, idCard]
      absent: remove
      fields: {{lineNo: line_no, line: line, spid: spid, idCard: id_card, fullName: full_name, sex: sex, birth: birth}}
find: [{{field: sprNo}}, {{field: lines.idCard}}]
missing: insert
gone: {{events: [REMOVE], do: delete}}
new:
  familyNo: {{next: {{prefix: F, digits: 6}}}}
  state: {{value: LIVE}}
  lines.line: {{next: {{}}}}
  lines.lineNo: {{text: "{{familyNo}}/{{lines.line}}"}}
always:
  version: {{add: 1}}
  changed: {{now: timestamp}}
wins: {{default: sent, fields: {{village: local, book: newest, lines: local}}, changed: changed}}
"""
_READ: dict[str, WriteDefinition] = {}


def made_writer(folder: Path, **changes: Any) -> Writer:
    """Write the files, with other keys in the write file, and make the writer."""
    written = yaml.safe_dump(yaml.safe_load(WRITE) | changes, allow_unicode=True)
    if written not in _READ:  # to read and check them costs more than most tests
        (folder / "family.write.yaml").write_text(written)
        (folder / "family.intake.yaml").write_text(INTAKE)
        _READ[written] = load_write(folder / "family.write.yaml")
    return Writer("family", _READ[written], KEY)


@dataclass
class Registry:
    """The registry over one database."""

    folder: Path
    store: EventsStore
    told: list[str] = field(default_factory=list)

    def writer(self, **changes: Any) -> Writer:
        """Make the writer, with other keys in its file."""
        made = made_writer(self.folder, **changes)
        made.after = lambda _connection, key: self.told.append(key)
        return made

    def receive(self, *events: Event, writer: Writer | None = None, at: datetime = NOW) -> list[Result]:
        """Let events in, in one transaction."""
        used = writer or self.writer()
        return self.store.write_now(lambda connection: used.receive(connection, SENDER, events, at))

    def run(self, statement: str, **values: Any) -> None:
        """Do what staff does."""
        self.store.write_now(lambda connection: connection.execute(text(statement), values))

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Look."""
        return self.store.read_now(lambda connection: [tuple(row) for row in connection.execute(text(statement))])


def open_registry(folder: Path, url: str) -> Registry:
    """Make the tables in a new database."""
    store = open_events(url, KEY, config="adapter.yaml")
    found = Registry(folder, store)
    for each in (FAMILY, LINE):
        found.run(each)
    return found


def person(spid: str | None, **more: Any) -> dict[str, Any]:
    """Return a member of a group."""
    found: dict[str, Any] = {
        "member_identifier": [],
        "demographic_info": {
            "name": {"surname": "សុខ", "given_name": more.get("given", "ដារា")},
            "sex": more.get("sex", "male"),
        },
    }
    for kind, value in (("SPID", spid), ("KHM_ID", more.get("card"))):
        if value:
            found["member_identifier"].append({"identifier_type": kind, "identifier_value": value})
    if "birth" in more:
        found["demographic_info"]["birth_date"] = f"{more['birth']}T00:00:00+07:00"
    return found


def family(
    number: str, village: str | None = "12010101", people: Sequence[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    """Return a registration in the standard; what is None is not sent."""
    group: dict[str, Any] = {
        "group_identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": number}],
        "group_type": "2",
    }
    if "book" in more:
        group["group_identifier"].append({"identifier_type": "FAMILY_BOOK", "identifier_value": more["book"]})
    if "size" in more:
        group["group_size"] = more["size"]
    if village is not None:
        group["address"] = [{"country_code": "KH", "region_code": village[:2], "village_code": village}]
    if people is not None:
        group["member_list"] = list(people)
    return {"assistance_unit": "2", "registration_status": "REGISTERED", "group": group}


def event(name: str, record: dict[str, Any], minutes: float = 0, kind: str = "UPDATE", **more: Any) -> Event:
    """Return an event some minutes after the first ones."""
    at = NOW + timedelta(minutes=minutes)
    changes = more.get("changes", ())
    if kind == "REMOVE":
        changes, record = tuple(Change(each, old, None) for each, old in record.items()), {}
    return Event(name, at, kind, more.get("record_type", "Registration"), more.get("version", "1.0.0"), record, changes)
