"""Duplicates: one person stands under two ID numbers in two registries. It is found, and told to both owners.

It refuses to merge anything, and to tell an owner what another holds: each hears of its own record, and looks.
"""

import json
import secrets
from dataclasses import dataclass
from typing import Any, Final

from spean.sandbox.stories.offices import Office
from spean.sandbox.stories.stage import Stage

TITLE: Final = (
    "Spean: one person under two ID numbers is found, and both owners are told. The people are made up.",
    "ស្ពាន៖ បុគ្គលម្នាក់មានលេខអត្តសញ្ញាណប័ណ្ណពីរ ត្រូវបានរកឃើញ ហើយម្ចាស់បញ្ជីទាំងពីរត្រូវបានប្រាប់។ ទិន្នន័យសិប្បនិម្មិត។",
)
NAME: Final = "duplicates"
_REGISTRIES: Final = ("spr", "idpoor", "nssf")
_KIND: Final = "TWO_NUMBERS"
_CARD: Final = 10**9
# Everything about this person is as it should be, so that one typed number is all that does not fit. By the number of a
# family's head other registries know the household.
_REGISTERED: Final = (
    "SELECT khm_id, spid, family_name_km, given_name_km, family_name_la, given_name_la "
    "FROM person WHERE state = 'REGISTERED' AND khm_id IS NOT NULL AND birth_date IS NOT NULL AND line > 1 "
    "ORDER BY spid"
)
_INTERVIEWED: Final = "SELECT uuid, khmer_id, name FROM individual WHERE khmer_id IS NOT NULL AND dob IS NOT NULL"
_INSURED: Final = "SELECT nssf_no, id_card_no FROM member WHERE id_card_no IS NOT NULL"


@dataclass(frozen=True, slots=True)
class _Person:
    """Whom the story is about: the number, who has the person under which local key, and how it was mistyped."""

    card: str
    spid: str
    name: str
    uuid: str
    nssf_no: str
    typed: str


async def tell(stage: Stage) -> None:
    """Tell the story after the start."""
    registry, planning, insurer = Office(stage, "spr"), Office(stage, "idpoor"), Office(stage, "nssf")
    crosswalk = Office(stage, "crosswalk")
    with stage.story.step(
        "A person whom three registries know by one identity card number", "បុគ្គលម្នាក់ដែលបញ្ជីបីស្គាល់តាមលេខអត្តសញ្ញាណប័ណ្ណតែមួយ"
    ):
        person = _somebody(registry, planning, insurer)
        stage.story.tell(f"{person.name}, {person.card}")
        stage.story.tell(f"SPR {person.spid} · NSSF {person.nssf_no} · IDPoor {person.uuid}")
    with stage.story.step(
        "A clerk of the Ministry of Planning types the number anew, and types another",
        "មន្ត្រីក្រសួងផែនការវាយលេខម្ដងទៀត ហើយវាយខុស",
    ):
        planning.change(("UPDATE individual SET khmer_id = ? WHERE uuid = ?", (person.typed, person.uuid)))
        stage.story.tell(f"{person.card} → {person.typed}")
    await _found(stage, crosswalk, person)
    await _told(stage, crosswalk, planning, insurer, person)
    _nothing_merged(stage, registry, planning, insurer, person)


def _somebody(registry: Office, planning: Office, insurer: Office) -> _Person:
    interviewed = {each["khmer_id"]: each for each in planning.look(_INTERVIEWED)}
    insured = {each["id_card_no"]: each["nssf_no"] for each in insurer.look(_INSURED)}
    for each in registry.look(_REGISTERED):
        card, there = each["khm_id"], interviewed.get(each["khm_id"])
        if there and card in insured and there["name"] == each["given_name_km"]:
            latin = f"{each['family_name_la']} {each['given_name_la']}"
            name = f"{each['family_name_km']} {each['given_name_km']} ({latin})"
            typed = _mistyped(card, {*interviewed, *insured})
            return _Person(card, each["spid"], name, there["uuid"], insured[card], typed)
    raise LookupError("nobody is in all three registries under one number")


def _mistyped(card: str, taken: set[str]) -> str:
    """Give a number that is nobody's, with the same first half."""
    while True:
        other = f"{card[:5]}{secrets.randbelow(_CARD):09d}"[: len(card)]
        if other not in taken:
            return other


async def _found(stage: Stage, crosswalk: Office, person: _Person) -> None:
    files = [str(Office(stage, each).adapter) for each in _REGISTRIES]
    with stage.story.step(
        "The Social Protection Registry compares: spean crosswalk build",
        "បញ្ជីគាំពារសង្គមប្រៀបធៀប៖ spean crosswalk build",
    ):
        stage.story.tell(*await crosswalk.spean("crosswalk", "build", "{}", *files))
    with stage.story.step(
        "It is one person, and why: spean crosswalk show", "ជាបុគ្គលតែម្នាក់ និងមូលហេតុ៖ spean crosswalk show"
    ):
        lines = await crosswalk.spean("crosswalk", "show", "{}", "--id", "SPID:-", told=f"{person.spid}\n")
        stage.story.tell(*lines)
        shown = " ".join(lines)
        stage.story.expect("both numbers are shown", came=person.card in shown and person.typed in shown, wanted=True)
        stage.story.expect("what does not fit is said", came="two-numbers" in shown, wanted=True)
    with stage.story.step(
        "What each owner would be told: spean crosswalk duplicates",
        "អ្វីដែលម្ចាស់ម្នាក់ៗនឹងត្រូវប្រាប់៖ spean crosswalk duplicates",
    ):
        reports = [json.loads(line) for line in await crosswalk.spean("crosswalk", "duplicates", "{}", "--json")]
        ours = [each for each in reports if _about(each["record"], person)]
        for each in ours:
            stage.story.tell(f"{each['owner']}: {each['record']['finding']} {_numbers(each['record'])}")
        told = {each["registry"] for each in ours}
        stage.story.expect("owners whose records do not fit", came=told >= {"idpoor", "nssf"}, wanted=True)


async def _told(stage: Stage, crosswalk: Office, planning: Office, insurer: Office, person: _Person) -> None:
    with stage.story.step(
        "They are told over the bus: spean crosswalk duplicates --tell",
        "ម្ចាស់ត្រូវបានប្រាប់តាមស្ពាន៖ spean crosswalk duplicates --tell",
    ):
        stage.story.tell(*await crosswalk.spean("crosswalk", "duplicates", "{}", "--tell"))
        [there] = await planning.until(
            "the finding at the ministry", bool, "SELECT * FROM spr_finding WHERE id_card_no = ?", person.typed
        )
        [here] = await insurer.until(
            "the finding at the fund", bool, "SELECT * FROM spr_finding WHERE nssf_no = ?", person.nssf_no
        )
        stage.story.tell(f"Ministry of Planning: {there['about']}, {there['id_card_no']}")
        stage.story.tell(f"NSSF: {here['about']}, {here['id_card_no']}")
    with stage.story.step(
        "Each has its own number only, in its table and in the message", "ម្នាក់ៗមានតែលេខរបស់ខ្លួន ក្នុងតារាង និងក្នុងសារ"
    ):
        stage.story.expect("own number at the ministry", came=there["id_card_no"], wanted=person.typed)
        stage.story.expect("own number at the fund", came=here["id_card_no"], wanted=person.card)
        sent = {
            each["receiver"].split("/")[2]: str(each["body"])
            for each in crosswalk.bodies("crosswalk")
            if _about(each["body"]["data"]["reg_records"], person)
        }
        stage.story.expect("who was told", came=sorted(sent), wanted=["MOP", "NSSF"])
        strangers = [
            person.card in str(there) + sent.get("MOP", ""),
            person.typed in str(here) + sent.get("NSSF", ""),
            person.nssf_no in str(there) + sent.get("MOP", ""),
            person.uuid in str(here) + sent.get("NSSF", ""),
        ]
        stage.story.expect("numbers of the other registry", came=sum(strangers), wanted=0)
    with stage.story.step("Asked to tell again, it tells nothing twice", "ប្រាប់ម្ដងទៀត៖ គ្មានអ្វីត្រូវបានប្រាប់ពីរដងទេ"):
        lines = await crosswalk.spean("crosswalk", "duplicates", "{}", "--tell")
        stage.story.tell(*lines)
        stage.story.expect("told anew", came=lines[0].split(" ", 1)[0], wanted="0")


def _nothing_merged(stage: Stage, registry: Office, planning: Office, insurer: Office, person: _Person) -> None:
    with stage.story.step(
        "Nothing was merged or changed: the owners look at the card, and decide",
        "គ្មានអ្វីត្រូវបានបញ្ចូលគ្នា ឬកែប្រែទេ៖ ម្ចាស់បញ្ជីពិនិត្យប័ណ្ណ ហើយសម្រេច",
    ):
        entry = registry.look("SELECT khm_id, state FROM person WHERE spid = ?", person.spid)
        stage.story.expect("in the registry", came=entry, wanted=[{"khm_id": person.card, "state": "REGISTERED"}])
        typed = planning.look("SELECT khmer_id FROM individual WHERE uuid = ?", person.uuid)
        stage.story.expect("at the ministry", came=typed, wanted=[{"khmer_id": person.typed}])
        card = insurer.look("SELECT id_card_no FROM member WHERE nssf_no = ?", person.nssf_no)
        stage.story.expect("at the fund", came=card, wanted=[{"id_card_no": person.card}])


def _about(record: dict[str, Any], person: _Person) -> bool:
    own = {person.card, person.typed, person.spid, person.uuid, person.nssf_no}
    return record["finding"] == _KIND and any(each["identifier_value"] in own for each in record["member_identifier"])


def _numbers(record: dict[str, Any]) -> str:
    return ", ".join(f"{each['identifier_type']} {each['identifier_value']}" for each in record["member_identifier"])
