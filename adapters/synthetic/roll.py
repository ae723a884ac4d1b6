"""Who of the population is in which register, and under which key: the one place where registers agree.

It refuses to write any of them. The register of a programme asks it for its own people; the Social Protection Registry,
which knows where a person is registered, asks it for all.
"""

from datetime import date, timedelta
from functools import cached_property
from typing import Final, NamedTuple

from adapters.synthetic.draws import Draws, scattered
from adapters.synthetic.people import TODAY, Household, Human

WORKING_AGES: Final = range(18, 60)
_BEARING_AGES: Final = range(18, 43)
_SCHOOL_AGES: Final = range(6, 13)
_OLD: Final = 60
_SPID_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without those that are read as digits
_SPID_SIZE: Final = 32**8
_NINE_DIGITS: Final = 10**9
_SEVEN_DIGITS: Final = 10**7
_STEP: Final = 3_141_592_653  # ends in 3 and is odd: without a common factor with powers of 10 and of 32
_POOR: Final = frozenset({"POOR_1", "POOR_2"})

# Numbers of the questions, so that no answer hangs on another.
_IN_NSSF, _IN_SPR, _DISABLED, _EXPECTING, _PATIENT, _PUPIL, _FED, _TRANSFER, _PACKAGE, _WROTE = range(10)


class Disability(NamedTuple):
    """What an assessment found: ``kind`` and ``severity`` count from 1, the most severe is 1."""

    case_no: str
    card_no: str | None
    kind: int
    severity: int
    assessed: date


class Expecting(NamedTuple):
    """A pregnancy: how far it is by the days that are known."""

    last_period: date
    due: date
    visits: int


class Roll:
    """Answers, for every person and household, where they are registered; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._draws = Draws(seed, "roll")
        self._offset = self._draws.bits(0)

    @cached_property
    def _spid_offset(self) -> int:
        return self._draws.bits(1)

    def spid(self, human: Human) -> str | None:
        """The identifier of the Social Protection Registry, for those whom it knows; its real format is unpublished."""
        if not self._is(human, "spr", _IN_SPR, 0.78):
            return None
        value = scattered(human.number, _STEP, self._spid_offset, _SPID_SIZE)
        text = "".join(_SPID_LETTERS[value >> shift & 31] for shift in range(35, -5, -5))
        return f"{text[:4]}-{text[4:]}"

    def nssf_no(self, human: Human) -> str | None:
        """The fund's card number, for people of a poor household who work or draw a pension."""
        if human.khmer_id is None:
            return None
        age = human.age()
        share = 0.12 if age in WORKING_AGES else 0.03 if age >= _OLD else 0.0
        return self.card_of_fund(human) if share and self._is(human, "nssf", _IN_NSSF, share) else None

    def card_of_fund(self, human: Human) -> str:
        """The fund's card number of somebody who is in it."""
        return f"{scattered(human.number, 27_182_819, self._offset, 10**8):08d}"

    def disability(self, human: Human) -> Disability | None:
        """What the Ministry of Social Affairs found, for those whom it assessed."""
        if not self._is(human, "disabled", _DISABLED, 0.09 if human.age() >= _OLD else 0.018):
            return None
        bits = self._draws.bits(human.number, 20)
        case = f"{scattered(human.number, _STEP, self._offset, _NINE_DIGITS):09d}"
        card = f"DC{case[:7]}" if "card" in human.traits or (bits & 7 and "-card" not in human.traits) else None
        severity = 1 if "disabled" in human.traits else 1 + (bits >> 4) % 3
        return Disability(case, card, 1 + (bits >> 8) % 6, severity, TODAY - timedelta(days=20 + (bits >> 16) % 1500))

    def expecting(self, human: Human) -> Expecting | None:
        """How far a pregnancy is, for women who expect a child and whom a health centre has seen."""
        if not human.female or human.age() not in _BEARING_AGES:
            return None
        if not self._is(human, "expecting", _EXPECTING, 0.07):
            return None
        days = 60 + self._draws.below(200, human.number, 21)
        last_period = TODAY - timedelta(days=days)
        return Expecting(last_period, last_period + timedelta(days=280), 1 + days // 90)

    def patient_no(self, human: Human) -> str | None:
        """The number in the patient system, for those who went to a health centre with their card."""
        if self.expecting(human) is None and not self._is(human, "patient", _PATIENT, 0.22):
            return None
        return f"P{scattered(human.number, 16_180_339, self._offset, _NINE_DIGITS):09d}"

    def pupil_no(self, human: Human, household: Household) -> str | None:
        """The scholar's number, for children of poor families in primary school who have a scholarship."""
        if household.level not in _POOR or human.age() not in _SCHOOL_AGES:
            return None
        if not self._is(human, "pupil", _PUPIL, 0.5):
            return None
        return f"{scattered(human.number, 14_142_137, self._offset, _NINE_DIGITS):09d}"

    def meals_no(self, human: Human, household: Household) -> str | None:
        """The number in the list of a school that feeds, for a tenth of the children of those ages."""
        if human.age() not in _SCHOOL_AGES:
            return None
        if "pupil" not in human.traits and not self._draws.chance(0.1, household.village, _FED):
            return None
        return f"{scattered(human.number, 17_320_509, self._offset, _SEVEN_DIGITS):07d}"

    def transfer_no(self, mother: Human, household: Household) -> str | None:
        """The number in the cash transfer, for expecting women and mothers of small children in poor families."""
        if household.level not in _POOR or not self._draws.chance(0.7, mother.number, _TRANSFER):
            return None
        return f"PW{scattered(mother.number, 22_360_679, self._offset, _SEVEN_DIGITS):07d}"

    def package_no(self, household: Household) -> str | None:
        """The number in the Family Package, for poor families that were registered in it; the stories' are not yet."""
        if household.level not in _POOR or household.people[0].traits & {"spr"}:
            return None
        told = any("package" in human.traits for human in household.people)
        if not told and not (household.cards and self._draws.chance(0.55, household.number, _PACKAGE)):
            return None
        return f"FP{scattered(household.number, 31_622_777, self._offset, _SEVEN_DIGITS):07d}"

    def wrote(self, human: Human) -> bool:
        """Whether a person has used the Single Registration Portal."""
        return human.age() in WORKING_AGES and self._is(human, "portal", _WROTE, 0.05)

    def _is(self, human: Human, trait: str, question: int, share: float) -> bool:
        """What a story has decided, else chance."""
        if human.traits:
            if trait in human.traits:
                return True
            if f"-{trait}" in human.traits or trait in {"disabled", "expecting"}:
                return False
        return self._draws.chance(share, human.number, question)


def birth_certificate(human: Human) -> str:
    """The number of a birth certificate, the same in each register that has it."""
    return f"{scattered(human.number, 6_700_417, 0, 10**8):08d}"


def mother_of(household: Household) -> Human | None:
    """The woman whose children the head's children are: the head or the head's wife."""
    couple = (human for human in household.people if human.relation in {"HEAD", "SPOUSE"})
    return next((human for human in couple if human.female), None)


def small_children(household: Household) -> tuple[Human, ...]:
    """The head's children under two."""
    return tuple(h for h in household.people if h.relation in {"SON", "DAUGHTER"} and h.age() < 2)  # noqa: PLR2004
