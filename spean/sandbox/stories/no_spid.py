"""No SPID: a grandmother and her granddaughter, who have no number that anybody issued, are served by local codes.

It refuses to leave them out: each register has a number of its own for whoever stands in it, and that is enough to ask
by. The commune's list holds the household's, the ministry's letter the one of the case.
"""

from datetime import UTC, datetime
from typing import Final

from spean.sandbox import query
from spean.sandbox.query import Document, Identifier
from spean.sandbox.stories.enrolment import components, enrolment
from spean.sandbox.stories.stage import Stage, expect_contract, label, numbers, person

TITLE: Final = (
    "Spean: no SPID. Two people without any card are served by local codes. They are made up.",
    "ស្ពាន៖ គ្មាន SPID។ មនុស្សពីរនាក់ដែលគ្មានប័ណ្ណណាមួយ ត្រូវបានបម្រើដោយលេខកូដមូលដ្ឋាន។ ទិន្នន័យសិប្បនិម្មិត។",
)
NAME: Final = "no-spid"
_SEVERE: Final = "2"
_ASKED: Final = (
    "SPR/REGISTRY registration",
    "MOP/IDPOOR household",
    "MOSVY/DISABILITY assessment",
    "NSAF/FAMILY-PACKAGE payments",
)


async def tell(stage: Stage) -> None:
    """Tell the story after the start."""
    known = stage.told_at_start(NAME)
    household: Identifier = ("LOCAL_ID", known["household"])
    await _nobody(stage, household)
    record = await _household(stage, household)
    severe = await _case(stage, ("LOCAL_ID", known["case"]))
    _enrol(stage, record, severe=severe)
    await _paid(stage, household)
    await _who_looked(stage, household[1], known["case"])


async def _nobody(stage: Stage, household: Identifier) -> None:
    registry = stage.registry("spr", "registration")
    with stage.story.step(
        "A grandmother has a local code of the commune's list, and no card. NSAF asks the Social Protection Registry",
        "ជីដូនម្នាក់មកជាមួយបញ្ជីឃុំ៖ មានតែលេខកូដមូលដ្ឋាន គ្មានប័ណ្ណ។ ប.ជ.ស. សួរបញ្ជីគាំពារសង្គម",
    ):
        answer = await registry.ask(query.by_number(registry.service, household, "ENROLMENT", household))
        stage.story.expect("people found", came=len(answer.records), wanted=0)
        stage.story.tell("Nobody: she has no SPID. She is not sent away.", "គ្មាន SPID ទេ ប៉ុន្តែគាត់មិនត្រូវបានបដិសេធឡើយ។")


async def _household(stage: Stage, household: Identifier) -> Document:
    registry = stage.registry("mop", "household")
    with stage.story.step(
        f"NSAF asks the Ministry of Planning by the local code {household[1]}", "ប.ជ.ស. សួរក្រសួងផែនការ តាមលេខកូដមូលដ្ឋាន"
    ):
        record, exchange = await registry.ask_one(query.by_number(registry.service, household, "ENROLMENT"))
        level = label("cambodia/poverty-level", record["poverty_level"])
        registry.take("Poverty level", "កម្រិតភាពក្រីក្រ", level, exchange)
        stage.story.tell(level)
        for member in record["member_list"]:
            info = member["demographic_info"]
            registry.take("Member", "សមាជិក", person(info), exchange)
            stage.story.tell(f"  {person(info)}; identity card: {_id_card(info)}")
        without = all("identifier" not in each["demographic_info"] for each in record["member_list"])
        stage.story.expect("nobody has an identity card", came=without, wanted=True)
    return record


async def _case(stage: Stage, case: Identifier) -> bool:
    registry = stage.registry("mosvy", "assessment")
    with stage.story.step(
        f"NSAF asks the Ministry of Social Affairs by the number of her case, {case[1]}",
        "ប.ជ.ស. សួរក្រសួងសង្គមកិច្ច តាមលេខសំណុំរឿង",
    ):
        record, exchange = await registry.ask_one(query.by_number(registry.service, case, "ELIGIBILITY_CHECK"))
        ids = numbers(record["personal_details"]["member_identifier"])
        stage.story.expect("numbers that the ministry has of her", came=set(ids), wanted={"LOCAL_ID"})
        level = label("dci/disability-level", record["disability_status_level"])
        stage.story.tell(f"{level}; no card yet")
        registry.take("Disability", "ពិការភាព", level, exchange)
    return bool(record["disability_status_level"] == _SEVERE)


def _enrol(stage: Stage, household: Document, *, severe: bool) -> None:
    story, members, today = stage.story, household["member_list"], datetime.now(UTC).date()
    with story.step("NSAF fills the form with local codes", "ប.ជ.ស. បំពេញទម្រង់ ដោយប្រើលេខកូដមូលដ្ឋាន"):
        stage.show_form()
        record = enrolment(household["group_identifier"], household["poverty_level"], members, today)
        expect_contract(story, "cambodia/enrolment", record)
        for each in components(members, expecting=False, severe=severe, today=today):
            story.tell(f"component: {label('cambodia/family-package-component', each)}")


async def _paid(stage: Stage, household: Identifier) -> None:
    registry = stage.registry("nsaf", "payments")
    with stage.story.step(
        "NSAF looks up by the same local code what has been paid", "ប.ជ.ស. រកមើលប្រាក់ដែលបានបើក តាមលេខកូដដដែល"
    ):
        answer = await registry.ask(query.by_number(registry.service, household, "PAYMENT"))
        stage.story.expect("something was paid", came=bool(answer.records), wanted=True)
        for each in answer.records:
            component = label("cambodia/family-package-component", each["component"])
            stage.story.tell(f"{each['benefit_date'][:10]}  {each['amount']:>7,} {each['currency']}  {component}")


async def _who_looked(stage: Stage, household: str, case: str) -> None:
    """Both numbers are hers, each where it was issued or asked by: in another registry it is another person's."""
    numbers_of = (("LOCAL_ID@idpoor,nsaf-family-package,spr", household), ("LOCAL_ID@mosvy-disability", case))
    with stage.story.step(
        "She too may ask who has looked, with each number at the registries that it was used at: spean access-report",
        "គាត់ក៏អាចសួរបានដែរថា នរណាបានមើល តាមលេខនីមួយៗ នៅបញ្ជីដែលបានប្រើលេខនោះ",
    ):
        stage.story.tell(*(f"--id {kind}:-" for kind, _value in numbers_of))
        await stage.show_accesses(numbers_of, asked=_ASKED)


def _id_card(info: Document) -> str:
    return numbers(info.get("identifier", [])).get("KHM_ID", "none")
