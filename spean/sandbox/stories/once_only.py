"""Once only: a family is enrolled by one number, and nothing that an institution knows is asked of it again.

It refuses to know where the answers lie: the Social Protection Registry says where the family is registered, and each
registry says what it alone knows. The fund asks five times; the family answers nothing but its SPID.
"""

from datetime import UTC, datetime
from typing import Final

from spean.sandbox import query
from spean.sandbox.query import Document, Identifier
from spean.sandbox.stories.enrolment import components, enrolment
from spean.sandbox.stories.stage import Stage, expect_contract, label, numbers, person

TITLE: Final = (
    "Spean: once only. A family is enrolled by one number. The people are made up; only the villages are real.",
    "ស្ពាន៖ សួរតែម្ដង។ គ្រួសារមួយត្រូវបានចុះឈ្មោះដោយប្រើលេខតែមួយ។ មនុស្សក្នុងរឿងនេះជាទិន្នន័យសិប្បនិម្មិត។",
)
NAME: Final = "once-only"
_SEVERE: Final = "2"


async def tell(stage: Stage) -> None:
    """Tell the story after the start."""
    mother: Identifier = ("SPID", stage.told_at_start(NAME)["spid"])
    registration = await _identity(stage, mother)
    household = await _family(stage, mother)
    members = household["group"]["member_list"]
    level = await _poverty(stage, registration)
    severe = await _disability(stage, members)
    await _pregnancy(stage, mother)
    _enrol(stage, household, level, severe=severe)
    await _who_looked(stage, mother)


async def _identity(stage: Stage, mother: Identifier) -> Document:
    registry = stage.registry("spr", "registration")
    with stage.story.step(
        f"A mother gives NSAF her SPID, {mother[1]}, and consents. NSAF asks the Social Protection Registry who she is",
        "ម្ដាយម្នាក់ផ្ដល់លេខ SPID និងការយល់ព្រម។ ប.ជ.ស. សួរបញ្ជីគាំពារសង្គមថា គាត់ជានរណា",
    ):
        record, exchange = await registry.ask_one(query.by_number(registry.service, mother, "ENROLMENT", mother))
        info = record["member"]["demographic_info"]
        registry.take("Applicant", "អ្នកដាក់ពាក្យ", person(info), exchange)
        registry.take("Village", "ភូមិ", info["address"][0]["village_code"], exchange)
        stage.story.tell(person(info), "She is registered in:")
        for entry in record["registered_in"]:
            kind, value = entry["identifier"]["identifier_type"], entry["identifier"]["identifier_value"]
            stage.story.tell(f"  {label('cambodia/registry', entry['registry'])}: {kind} {value}")
    return record


async def _family(stage: Stage, mother: Identifier) -> Document:
    registry = stage.registry("spr", "household")
    with stage.story.step("NSAF asks the same registry for her family", "ប.ជ.ស. សួរបញ្ជីដដែល អំពីគ្រួសាររបស់គាត់"):
        record, exchange = await registry.ask_one(query.by_number(registry.service, mother, "ENROLMENT", mother))
        for member in record["group"]["member_list"]:
            relation = label("dci/relationship-type", member["related_person"][0]["relationship_type"])
            text = person(member["demographic_info"])
            stage.story.tell(f"{numbers(member['member_identifier'])['SPID']}  {text}, {relation}")
            registry.take("Member", "សមាជិក", text, exchange)
    return record


async def _poverty(stage: Stage, registration: Document) -> str:
    registry = stage.registry("mop", "household")
    entry = next(each for each in registration["registered_in"] if each["registry"] == "IDPOOR")["identifier"]
    card: Identifier = (entry["identifier_type"], entry["identifier_value"])
    with stage.story.step(
        "NSAF asks the Ministry of Planning how poor the household is", "ប.ជ.ស. សួរក្រសួងផែនការ អំពីកម្រិតភាពក្រីក្រ"
    ):
        record, exchange = await registry.ask_one(query.by_number(registry.service, card, "ELIGIBILITY_CHECK"))
        level: str = record["poverty_level"]
        stage.story.expect(
            "nothing of the members is given for this purpose", came="member_list" in record, wanted=False
        )
        stage.story.tell(label("cambodia/poverty-level", level), f"equity card {card[1]}")
        registry.take("Poverty level", "កម្រិតភាពក្រីក្រ", label("cambodia/poverty-level", level), exchange)
        registry.take("Equity card", "ប័ណ្ណសមធម៌", card[1], exchange)
    return level


async def _disability(stage: Stage, members: list[Document]) -> bool:
    registry = stage.registry("mosvy", "assessment")
    spids = [numbers(each["member_identifier"])["SPID"] for each in members]
    with stage.story.step(
        "NSAF asks the Ministry of Social Affairs whether somebody in the family is disabled",
        "ប.ជ.ស. សួរក្រសួងសង្គមកិច្ច ថាតើមានសមាជិកណាម្នាក់មានពិការភាពឬទេ",
    ):
        answer = await registry.ask(query.by_numbers(registry.service, "SPID", spids, "ELIGIBILITY_CHECK"))
        stage.story.need("people with an assessment", came=len(answer.records), wanted=1)
        found = answer.records[0]
        spid = numbers(found["personal_details"]["member_identifier"])["SPID"]
        text = f"{_name_of(spid, members)}: {label('dci/disability-level', found['disability_status_level'])}"
        stage.story.tell(text)
        registry.take("Disability", "ពិការភាព", text, answer.query_id)
    return bool(found["disability_status_level"] == _SEVERE)


async def _pregnancy(stage: Stage, mother: Identifier) -> None:
    registry = stage.registry("npca", "pregnancies")
    with stage.story.step(
        "NSAF asks the patient system whether she expects a child; she has consented to that too",
        "ប.ជ.ស. សួរប្រព័ន្ធគ្រប់គ្រងអ្នកជំងឺ ថាតើគាត់មានផ្ទៃពោះឬទេ ដោយមានការយល់ព្រមរបស់គាត់",
    ):
        question = query.by_number(registry.service, mother, "ELIGIBILITY_CHECK", mother)
        record, exchange = await registry.ask_one(question)
        stage.story.expect("the pregnancy", came=record["pregnancy_status"], wanted="ONGOING")
        due = f"expected on {record['expected_delivery_date'][:10]}"
        stage.story.tell(f"{label('cambodia/pregnancy-status', record['pregnancy_status'])}, {due}")
        registry.take("Pregnancy", "ផ្ទៃពោះ", due, exchange)


def _enrol(stage: Stage, household: Document, level: str, *, severe: bool) -> None:
    story, group, today = stage.story, household["group"], datetime.now(UTC).date()
    with story.step("NSAF fills the form of the Family Package", "ប.ជ.ស. បំពេញទម្រង់ចុះឈ្មោះកញ្ចប់គ្រួសារ"):
        stage.show_form()
        record = enrolment(group["group_identifier"], level, group["member_list"], today)
        expect_contract(story, "cambodia/enrolment", record)
        for each in components(group["member_list"], expecting=True, severe=severe, today=today):
            story.tell(f"component: {label('cambodia/family-package-component', each)}")
        sources = {fact.source.member_code for fact in stage.facts}
        story.expect("institutions that spoke", came=sources, wanted={"SPR", "MOP", "MOSVY", "NPCA"})
        story.tell("Asked of the family: her SPID and her consent. Asked again: nothing.")
        story.tell("សួរគ្រួសារ៖ តែ SPID និងការយល់ព្រម។ សួរម្ដងទៀត៖ គ្មាន។")


async def _who_looked(stage: Stage, mother: Identifier) -> None:
    with stage.story.step(
        "She asks who has looked at her data: spean access-report --id SPID:-", "គាត់សួរថា នរណាបានមើលទិន្នន័យរបស់គាត់"
    ):
        asked = (
            "SPR/REGISTRY registration",
            "MOP/IDPOOR household",
            "MOSVY/DISABILITY assessment",
            "NPCA/PMRS pregnancies",
        )
        await stage.show_accesses([mother], asked=asked)


def _name_of(spid: str, members: list[Document]) -> str:
    member = next(each for each in members if numbers(each["member_identifier"])["SPID"] == spid)
    return person(member["demographic_info"])
