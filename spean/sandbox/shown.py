"""Shows records of the shared standard to people, a line each.

It refuses to know any institution's own schema: what it reads is the standard. The demonstration prints with it.
"""

from collections.abc import Iterator
from typing import Any

import contracts
from spean.sandbox.query import Document


def household(group: Document) -> Iterator[str]:
    """Show a household: its cards, level, place and people."""
    place = group["address"][0]
    yield f"Household with equity card {_identifier(group['group_identifier'], 'EQUITY_CARD')}"
    yield f"  level    {group['poverty_level']}  {_label('cambodia/poverty-level', group['poverty_level'])}"
    yield f"  village  {place['village_code']}  {place.get('locality', '')}"
    for member in group["member_list"]:
        person = member["demographic_info"]
        relations = [_label("dci/relationship-type", each["relationship_type"]) for each in member["related_person"]]
        facts = [person.get("birth_date", "")[:10], f"{person.get('sex', ''):<6}", _names(person), *relations[:1]]
        yield "    " + "  ".join(facts)


def membership(record: Document) -> Iterator[str]:
    """Show one person's membership, and what was paid in for each scheme."""
    yield _names(record["member"]["demographic_info"])
    yield f"  {_label('cambodia/membership-status', record['membership_status'])}"
    for each in record.get("contribution", []):
        yield f"  {_label('cambodia/scheme', each['scheme'])}: {each['months_contributed']} months"


def khmer_ids(group: Document) -> list[str]:
    """Give the Khmer ID card numbers of a household's members."""
    people = (member["demographic_info"] for member in group["member_list"])
    found = (_identifier(person.get("identifier", []), "KHM_ID") for person in people)
    return [value for value in found if value]


def _identifier(identifiers: list[dict[str, Any]], kind: str) -> str:
    return next((each["identifier_value"] for each in identifiers if each["identifier_type"] == kind), "")


def _label(code_list: str, code: str) -> str:
    label = contracts.code_list(code_list).codes[code]
    return f"{label.en} · {label.km}"


def _names(person: Document) -> str:
    """Give the Khmer name, and the Latin one where the institution has it."""
    name = person.get("name", {})
    khmer = f"{name.get('surname', '')} {name.get('given_name', '')}".strip()
    latin = f"{name.get('surname_latin', '')} {name.get('given_name_latin', '')}".strip()
    return f"{khmer} ({latin})" if latin else khmer
