"""Reads a visit that is handed in, for the stand-in of the patient system.

It refuses codes that the standard data does not list, days that do not exist, and amounts that are no whole riel. The
path is documented; the names of the fields are an invention, and the same as in the visits that are given out.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType
from typing import Any, Final

COLUMNS: Final = (
    "facility", "visit_type", "admitted", "discharged", "diagnosis", "outcome", "payment_type", "amount_khr",
)  # fmt: skip
_CODES: Final = MappingProxyType({
    "facility": "health_facilities", "visit_type": "visit_types", "diagnosis": "diagnoses",
    "outcome": "visit_outcomes", "payment_type": "payment_types",
})  # fmt: skip
_MOST_RIEL: Final = 10**12  # more than any bill; the database holds 64 bits


class WrongVisitError(ValueError):
    """A visit cannot be taken in; the message is for the caller and repeats no value."""


def read_visit(body: object, codes: Mapping[str, Sequence[str]]) -> tuple[str, tuple[str | int | None, ...]]:
    """Return the patient's number and the values of ``COLUMNS``; raises :class:`WrongVisitError`."""
    if not isinstance(body, dict) or set(body) - {"patient_no", *COLUMNS}:
        raise WrongVisitError(f"Give an object of patient_no, {', '.join(COLUMNS)}.")
    patient = body.get("patient_no")
    if not isinstance(patient, str):
        raise WrongVisitError("Give patient_no.")
    for field, listed in _CODES.items():
        if body.get(field) not in codes[listed]:
            raise WrongVisitError(f"{field} is one of {listed} of the standard data.")
    amount = body.get("amount_khr")
    if type(amount) is not int or not 0 <= amount <= _MOST_RIEL:
        raise WrongVisitError("amount_khr is a whole number of riel.")
    _check_days(body)
    return patient, tuple(body.get(each) for each in COLUMNS)


def _check_days(body: Mapping[str, Any]) -> None:
    admitted, discharged = body.get("admitted"), body.get("discharged")
    try:
        came = date.fromisoformat(admitted)  # type: ignore[arg-type]  # TypeError is caught
        left = came if discharged is None else date.fromisoformat(discharged)
    except (TypeError, ValueError):
        raise WrongVisitError("admitted and discharged are days such as 2026-01-31.") from None
    if left < came:
        raise WrongVisitError("discharged is not before admitted.")
