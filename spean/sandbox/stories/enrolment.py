"""Puts together the enrolment that the fund writes into its own register, from what registries have said.

It refuses to ask and to store: writing is the fund's own affair. Both stories end with such a record.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from spean.sandbox.query import Document

_PROGRAMME: Final = {
    "programme_identifier": "FAMILY_PACKAGE",
    "programme_name": "កញ្ចប់គ្រួសារ",
    "programme_name_latin": "Family Package",
}
_HOUSEHOLD: Final = "2"
_ACTIVE: Final = "1"
_UNDER_TWO: Final = 2
_OLD: Final = 60


def enrolment(identifiers: Sequence[Document], level: str, members: Sequence[Document], today: date) -> dict[str, Any]:
    """Give a ``cambodia/enrolment`` of a household.

    Args:
        identifiers: by which the household is known.
        level: its poverty level.
        members: of the household, as ``cambodia/member``.
        today: day of the enrolment.
    """
    kept = ("member_identifier", "demographic_info", "related_person")
    return {
        "assistance_unit": _HOUSEHOLD,
        "group": {
            "group_identifier": list(identifiers),
            "group_type": _HOUSEHOLD,
            "poverty_level": level,
            "group_size": len(members),
            "member_list": [{key: each[key] for key in kept if key in each} for each in members],
        },
        "programme_identifier": [_PROGRAMME],
        "enrollment_date": f"{today.isoformat()}T00:00:00+07:00",
        "enrollment_status": _ACTIVE,
        "benefits": [],
    }


def components(members: Sequence[Document], *, expecting: bool, severe: bool, today: date) -> list[str]:
    """Give the components of the Family Package that the facts allow, as codes of the standard."""
    ages = [today.year - int(str(each["demographic_info"].get("birth_date", "")[:4] or 0)) for each in members]
    found = ["BASE"]
    if expecting or any(age < _UNDER_TWO for age in ages):
        found.append("PREGNANT_UNDER_TWO")
    if severe:
        found.append("DISABILITY")
    if any(_OLD <= age < today.year for age in ages):
        found.append("OLDER_PEOPLE")
    return found
