"""A programme that keeps some of the people of the little registry: its table, its write file, and its writer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from adapters.asynchronous.config import OwnSubscription
from adapters.events import EventsStore, ServiceAddress, open_events
from adapters.writing import Writer, open_writers
from adapters.writing.loading import load_write
from tests.support.publishing import KEY

SENDER = "KH/GOV/SPR/REGISTRY"
TABLE = (
    "CREATE TABLE client (number VARCHAR(20) PRIMARY KEY, spid VARCHAR(20) UNIQUE, name VARCHAR(99), sex VARCHAR(1))"
)
INTAKE = """
mapping: client-intake
version: 1.0.0
title: {en: Client, km: អតិថិជន}
source: {contract: cambodia/registration, version: 1.0.0}
code_lists:
  sex: {M: male, F: female}
rules:
  - {to: spid, from: "member_identifier[identifier_type=SPID].identifier_value", required: true}
  - {to: name, from: member.demographic_info.name.given_name}
  - {to: sex, from: member.demographic_info.sex, transform: [write_code: sex]}
ignored:
  - reason: The programme does not keep it.
    paths: [%s]
"""
INFO = (
    "address birth_date birth_date_approximate birth_year death_date email identifier last_updated phone_number "
    "registration_date name.given_name_latin name.given_name_received name.maiden_name name.maiden_name_received "
    "name.prefix name.second_name name.second_name_received name.suffix name.surname name.surname_latin "
    "name.surname_received"
)
MEMBER = (
    "additional_attributes disability_info education_level employment_status income_level is_disabled language_code "
    "last_updated marital_status member_identifier occupation registration_date related_person"
)
WHOLE = "assistance_unit group last_updated registered_in registration_date registration_status replaced_by"
IGNORED = (
    *WHOLE.split(),
    *(f"member.{each}" for each in MEMBER.split()),
    *(f"member.demographic_info.{each}" for each in INFO.split()),
)
WRITE = """
write: client
version: 1.0.0
record_type: Registration
mapping: client.intake.yaml
from:
  - {client: KH/GOV/SPR/REGISTRY}
record:
  table: client
  key: number
  fields: {number: number, spid: spid, name: name, sex: sex}
find:
  - {field: spid}
missing: insert
gone: {events: [REMOVE], do: delete}
new:
  number: {text: "C-{spid}"}
wins: {default: sent}
"""


@dataclass(frozen=True, slots=True)
class Client:
    """The programme."""

    store: EventsStore
    writer: Writer
    subscription: OwnSubscription

    def people(self) -> dict[str, tuple[str, str]]:
        """Return name and sex by SPID."""
        rows = self.store.read_now(
            lambda connection: list(connection.execute(text("SELECT spid, name, sex FROM client")))
        )
        return {row[0]: (row[1], row[2]) for row in rows}


@contextmanager
def client(folder: Path, url: str) -> Iterator[Client]:
    """Make the programme in a database."""
    folder.mkdir(exist_ok=True)
    (folder / "client.intake.yaml").write_text(INTAKE % ", ".join(IGNORED))
    (folder / "client.write.yaml").write_text(WRITE)
    store = open_events(url, KEY, config="client.yaml")
    store.write_now(lambda connection: connection.execute(text(TABLE)))
    writer = open_writers({"client": load_write(folder / "client.write.yaml")}, store)["client"]
    subscription = OwnSubscription(
        name="people",
        at=ServiceAddress.parse(f"{SENDER}/people"),
        into="client",
        events=("REGISTER", "UPDATE", "REMOVE"),
        record="Registration",
        version="1.0.0",
        filter_type=None,
        filter={},
        purpose={"code": "ENROLMENT"},
        days=365,
        frequency="* * * * * ?",
        first_load=False,
    )
    try:
        yield Client(store, writer, subscription)
    finally:
        store.database.close()
