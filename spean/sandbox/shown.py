"""Shows records of the shared standard to people, a line each.

It refuses to know any institution's own schema: what it reads is the standard. The demonstration prints with it.
"""

from collections.abc import Iterator
from typing import Any

import contracts
from spean.sandbox.query import Document


def household(group: Document) -> Iterator[str]:
    """Show a household: its cards, level, place and people."""
    level = contracts.code_list("cambodia/poverty-level").codes[group["poverty_level"]]
    place = group["address"][0]
    yield f"Household with equity card {_identifier(group['group_identifier'], 'EQUITY_CARD')}"
    yield f"  level    {group['poverty_level']}  {level.en} · {level.km}"
    yield f"  village  {place['village_code']}  {place.get('locality', '')}"
    for member in group["member_list"]:
        person = member["demographic_info"]
        relation = "".join(each["relationship_type"] for each in member.get("related_person", [])[:1])
        yield (
            f"  {_latin(person):<24} {_khmer(person):<16} {person.get('sex', '')[:1]:<2} "
            f"{person.get('birth_date', '')[:10]}  {relation}"
        )


def membership(record: Document) -> str:
    """Show one person's membership in a scheme."""
    person = record["member"]["demographic_info"]
    status = contracts.code_list("cambodia/membership-status").codes[record["membership_status"]]
    months = ", ".join(
        f"{each['scheme']} {each['months_contributed']} months" for each in record.get("contribution", [])
    )
    return f"{_latin(person):<24} {_khmer(person):<16} {status.en} · {status.km}  {months}".rstrip()


def khmer_ids(group: Document) -> list[str]:
    """Give the Khmer ID card numbers of a household's members."""
    people = (member["demographic_info"] for member in group["member_list"])
    found = (_identifier(person.get("identifier", []), "KHM_ID") for person in people)
    return [value for value in found if value]


def _identifier(identifiers: list[dict[str, Any]], kind: str) -> str:
    return next((each["identifier_value"] for each in identifiers if each["identifier_type"] == kind), "")


def _latin(person: Document) -> str:
    name = person.get("name", {})
    return f"{name.get('surname_latin', '')} {name.get('given_name_latin', '')}".strip()


def _khmer(person: Document) -> str:
    name = person.get("name", {})
    return f"{name.get('surname', '')} {name.get('given_name', '')}".strip()
