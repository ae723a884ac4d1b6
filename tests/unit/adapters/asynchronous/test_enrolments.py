"""An enrolment update becomes rows of the programme's own, once, and each beneficiary that is refused is told why."""

import copy
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

import contracts
from adapters.writing import Writer, load_write
from tests.support.bus import EVENTS, REGISTRY, Adapter, make_registry, running
from tests.support.writing import KEY, SENDER

PATH = "/registry/sync/enrollment/updates"
TABLE = "CREATE TABLE enrolled (spid TEXT PRIMARY KEY, name TEXT NOT NULL, status TEXT, since TEXT)"
INTAKE = """
mapping: enrolled
version: 1.0.0
title: {en: Beneficiary, km: អ្នកទទួលផល}
source: {contract: dci/beneficiary, version: 1.0.0}
rules:
  - {to: spid, from: "member.member_identifier[identifier_type=UIN].identifier_value", required: true}
  - {to: name, from: member.demographic_info.name.given_name, required: true}
  - {to: status, from: enrollment_status}
  - {to: since, from: enrollment_date}
ignored:
  - reason: The programme's own table holds no more.
    paths: [
      additional_attributes, assistance_unit, benefits, group, member.additional_attributes,
      member.demographic_info.address, member.demographic_info.birth_date, member.demographic_info.death_date,
      member.demographic_info.email, member.demographic_info.identifier, member.demographic_info.last_updated,
      member.demographic_info.name.maiden_name, member.demographic_info.name.prefix,
      member.demographic_info.name.second_name, member.demographic_info.name.suffix,
      member.demographic_info.name.surname, member.demographic_info.phone_number,
      member.demographic_info.registration_date, member.demographic_info.sex, member.disability_info,
      member.education_level, member.employment_status, member.income_level, member.is_disabled,
      member.language_code, member.last_updated, member.marital_status, member.occupation, member.registration_date,
      member.related_person, programme_identifier, status_change_date]
"""
WRITE = f"""
write: enrolled
version: 1.0.0
record_type: Beneficiary
mapping: intake.yaml
from:
  - {{client: {SENDER}, events: [enrollement]}}
record: {{table: enrolled, key: spid, fields: {{spid: spid, name: name, status: status, since: since}}}}
find: [{{field: spid}}]
missing: insert
wins: {{default: sent, fields: {{name: local}}}}
"""


def beneficiary(number: str, **more: Any) -> dict[str, Any]:
    example: Any = contracts.examples("dci/beneficiary", "1.0.0")[0].document
    found: dict[str, Any] = copy.deepcopy(example)
    found["member"]["member_identifier"][0]["identifier_value"] = number
    return found | more


def update(*beneficiaries: Any) -> dict[str, Any]:
    head = {
        "version": "1.0.0", "message_id": str(uuid.uuid4()), "message_ts": datetime.now(UTC).isoformat(),
        "action": "notify", "status": "succ", "sender_id": SENDER, "receiver_id": REGISTRY,
        "total_count": len(beneficiaries),
    }  # fmt: skip
    return {
        "header": head,
        "message": {"transaction_id": "t-1", "enrolled_updates": {"beneficiaries": list(beneficiaries)}},
    }


async def told(adapter: Adapter, document: Any) -> list[tuple[str, str, str]]:
    status, answer = await adapter.post(PATH, document, SENDER)
    assert status == 200, answer
    results = answer["message"]["enrolled_response"]
    return [(each["reference_id"], each["status"], each.get("status_reason_message", "")) for each in results]


def enrolled(adapter: Adapter) -> list[tuple[Any, ...]]:
    statement = text("SELECT spid, name, status FROM enrolled ORDER BY spid")
    return adapter.store.read_now(lambda connection: [tuple(row) for row in connection.execute(statement)])


async def test_beneficiaries_become_rows_once_and_staff_keeps_what_it_changed(tmp_path: Path) -> None:
    (tmp_path / "intake.yaml").write_text(INTAKE)
    (tmp_path / "write.yaml").write_text(WRITE)
    service = {"record": {"reg_type": "IBR", "type": "Person"}, "publish": {"events": {}}}
    url = f"sqlite:///{tmp_path / 'events.sqlite'}"
    path = make_registry(tmp_path / "adapter", service=service, events=EVENTS | {"database": {"url": url}})
    path.with_name("events.key").touch(0o600)
    path.with_name("events.key").write_bytes(bytes(range(32)))  # the writer's
    async with running(path, Writer("person", load_write(tmp_path / "write.yaml"), KEY)) as adapter:  # type: ignore[arg-type]  # any receiver
        await adapter.store.write(lambda connection: connection.execute(text(TABLE)))
        document = update(beneficiary("A"), {"assistance_unit": 1}, beneficiary("B"))
        first, refused, last = await told(adapter, document)
        assert (first[:2], refused[:2], last[:2]) == (("#1", "succ"), ("#2", "rjct"), ("#3", "succ"))
        assert "assistance_unit" in refused[2]
        assert [row[0] for row in enrolled(adapter)] == ["A", "B"]
        _status, answer = await adapter.post(PATH, document, SENDER)
        assert answer["header"]["status_reason_code"] == "rjct.message_id.duplicate"
        await adapter.store.write(lambda each: each.execute(text("UPDATE enrolled SET name = 'here' WHERE spid = 'A'")))
        again = beneficiary("A", enrollment_status="2")
        again["member"]["demographic_info"]["name"]["given_name"] = "there"
        assert [each[1] for each in await told(adapter, update(again))] == ["succ"]
        assert enrolled(adapter)[0] == ("A", "here", "2")
        kept = adapter.store.read_now(lambda each: each.execute(text("SELECT field, kept FROM spean_conflict")).all())
        assert [tuple(row) for row in kept] == [("name", "local")]
