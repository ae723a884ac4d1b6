"""Register: a family registers at the portal once, gets its SPIDs from the registry, and every operator hears of it.

It refuses to ask the family twice, and to lose it: one operator's machine stands still meanwhile, and hears later.
"""

import secrets
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Final

from spean.sandbox import query
from spean.sandbox.asking import Backend
from spean.sandbox.casts import DSPP, SPR
from spean.sandbox.stories.offices import Office, Row, subscribed
from spean.sandbox.stories.stage import OK, Stage

TITLE: Final = (
    "Spean: register once. A family comes to the portal; the registry and the operators hear of it. It is made up.",
    "ស្ពាន៖ ចុះឈ្មោះតែម្ដង។ គ្រួសារមួយមកច្រកចុះឈ្មោះ បញ្ជី និងប្រតិបត្តិករទាំងអស់ទទួលដំណឹង។ ទិន្នន័យសិប្បនិម្មិត។",
)
NAME: Final = "register"
_FAMILY: Final = (
    # surname, given name, both in Latin letters, gender, birthday, relation
    ("អ៊ុំ", "សុភា", "Oum", "Sophea", "female", "1987-04-12", "head"),
    ("អ៊ុំ", "រតនា", "Oum", "Rattana", "male", "2013-09-30", "son"),
    ("អ៊ុំ", "ស្រីល័ក្ខ", "Oum", "Sreyleak", "female", "2019-01-08", "daughter"),
)
_REGISTERED: Final = (
    "SELECT p.spid, p.family_no, p.family_name_km, p.given_name_km FROM person p JOIN family f USING (family_no) "
    "WHERE f.family_book = ? ORDER BY p.line"
)
_CARD: Final = 10**9
_BOOK: Final = 10**7


async def tell(stage: Stage) -> None:
    """Tell the story after the start."""
    portal, registry = Office(stage, "dspp"), Office(stage, "spr")
    fund, insurer = Office(stage, "nsaf-family-package"), Office(stage, "nssf")
    with stage.story.step(
        "Who listens: the registry to the portal, the operators to the registry",
        "អ្នកណាស្ដាប់៖ បញ្ជីស្ដាប់ច្រក ប្រតិបត្តិករស្ដាប់បញ្ជី",
    ):
        await subscribed(portal, "registrations", 1)
        await subscribed(registry, "household", 2)
        await subscribed(registry, "registration", 2)
        stage.story.tell("Subscriptions are in force.", "ការជាវមានសុពលភាព។")
    with ExitStack() as held:
        with stage.story.step(
            "The machine of NSSF's adapter stands still. A mother registers her family at the portal",
            "ម៉ាស៊ីនរបស់ ប.ស.ស. ឈប់ដំណើរការ។ ម្ដាយម្នាក់ចុះឈ្មោះគ្រួសារនៅច្រកចុះឈ្មោះតែមួយ",
        ):
            held.enter_context(insurer.down())
            book = _fill_form(stage, portal, registry)
        people = await _registered(stage, registry, book)
        await _fund_hears(stage, fund, people)
        await _insurer_waits(stage, registry, insurer, people)
        await _crosswalk_hears(stage, people)
    await _insurer_hears(stage, registry, insurer, people)
    await _portal_tells(stage, book, people)


def _fill_form(stage: Stage, portal: Office, registry: Office) -> str:
    """The portal's own system writes the form into its own tables; nobody else is told by it."""
    number, book, card = f"FORM-{secrets.token_hex(4)}", f"{secrets.randbelow(_BOOK):07d}", secrets.randbelow(_CARD)
    village = registry.look("SELECT village_code FROM family ORDER BY family_no LIMIT 1")[0]["village_code"]
    changed = portal.look("SELECT coalesce(max(changed), 0) + 1 AS next FROM form")[0]["next"]
    form = (number, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}", village, book, changed)
    lines = [
        (f"{number}/{line}", number, line, f"{card:09d}" if each[-1] == "head" else None, *each[:6], None, each[6])
        for line, each in enumerate(_FAMILY, start=1)
    ]
    portal.change(
        *(("INSERT INTO form_line VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", line) for line in lines),
        ("INSERT INTO form VALUES (?, ?, ?, ?, ?)", form),
    )
    stage.story.tell(f"Form {number}, family book {book}, village {village}:")
    stage.story.tell(*(f"  {each[0]} {each[1]} · {each[2]} {each[3]}, {each[4]}, {each[5]}" for each in _FAMILY))
    return book


async def _registered(stage: Stage, registry: Office, book: str) -> list[Row]:
    with stage.story.step(
        "The portal's adapter tells the Social Protection Registry, which gives each person a SPID",
        "ច្រកប្រាប់បញ្ជីគាំពារសង្គម ដែលផ្ដល់ SPID ដល់ម្នាក់ៗ",
    ):
        people = await registry.until(
            "the family in the registry",
            lambda rows: len(rows) == len(_FAMILY),
            _REGISTERED,
            book,
        )
        for each in people:
            stage.story.tell(f"{each['spid']}  {each['family_name_km']} {each['given_name_km']}")
        stage.story.expect("SPIDs that differ", came=len({each["spid"] for each in people}), wanted=len(_FAMILY))
    return people


async def _fund_hears(stage: Stage, fund: Office, people: list[Row]) -> None:
    with stage.story.step(
        "NSAF subscribed to families, and has it in its own tables",
        "ប.ជ.ស. បានជាវព័ត៌មានគ្រួសារ ហើយមានវាក្នុងតារាងខ្លួន",
    ):
        rows = await fund.until(
            "the family at the fund",
            lambda found: len(found) == len(people),
            "SELECT spid, surname, given_name, birth FROM spr_person WHERE family_no = ? ORDER BY line",
            people[0]["family_no"],
        )
        stage.story.expect("the same SPIDs", came={each["spid"] for each in rows}, wanted=_spids(people))
        stage.story.tell(*(f"{each['spid']}  {each['surname']} {each['given_name']}, {each['birth']}" for each in rows))


async def _insurer_waits(stage: Stage, registry: Office, insurer: Office, people: list[Row]) -> None:
    with stage.story.step(
        "NSSF has nothing yet; the registry's outbox keeps it and tries again, and nobody else waits for NSSF",
        "ប.ស.ស. មិនទាន់ទទួលទេ៖ ប្រអប់ចេញរបស់បញ្ជីរក្សាទុក ហើយព្យាយាមម្ដងទៀត។ គ្មានអ្នកណារង់ចាំ ប.ស.ស. ឡើយ",
    ):
        waiting = await registry.until(
            "an attempt to reach NSSF",
            lambda rows: len(rows) >= len(people) and any(each["problem"] for each in rows),
            "SELECT problem FROM spean_outbox WHERE state = 'waiting' AND receiver LIKE '%/NSSF/%' AND kind = 'notify'",
        )
        stage.story.expect("people at NSSF", came=len(_at_insurer(insurer, people)), wanted=0)
        stage.story.tell(
            f"Waiting for NSSF: {len(waiting)}. {next(each['problem'] for each in waiting if each['problem'])}"
        )


async def _crosswalk_hears(stage: Stage, people: list[Row]) -> None:
    """Every registry's entries reach it as messages, its own registry's too; it tells persons by hashes alone."""
    from adapters.config import load_config  # noqa: PLC0415 - as all that only stories need
    from adapters.crosswalk.opening import crosswalk_of  # noqa: PLC0415 - as above
    from adapters.source.connection import CrosswalkConnection  # noqa: PLC0415 - as above

    crosswalk = Office(stage, "crosswalk")
    with stage.story.step(
        "The registry's crosswalk heard of them by itself: nobody ran spean crosswalk build",
        "តារាងផ្គូផ្គងរបស់បញ្ជីបានដឹងដោយខ្លួនឯង៖ គ្មានអ្នកណាដំណើរការ spean crosswalk build ទេ",
    ):
        connection = load_config(crosswalk.adapter).connection
        if not isinstance(connection, CrosswalkConnection):
            raise TypeError("the adapter file of the crosswalk names another source")
        words = crosswalk_of(connection).rows.words
        wanted = {words.spid(each) for each in _spids(people)}
        await crosswalk.until(
            "the people in the crosswalk",
            lambda rows: {bytes(each["spid"]) for each in rows} >= wanted,
            "SELECT spid FROM spean_crosswalk_person WHERE state = 'active'",
        )
        [spid] = list(_spids(people))[:1]
        stage.story.tell(*await crosswalk.spean("crosswalk", "show", "{}", "--id", "SPID:-", told=f"{spid}\n"))


async def _insurer_hears(stage: Stage, registry: Office, insurer: Office, people: list[Row]) -> None:
    with stage.story.step(
        "The machine goes on, and NSSF gets it: once, though it was sent more than once",
        "ម៉ាស៊ីនដំណើរការវិញ ហើយ ប.ស.ស. ទទួលបានតែម្ដងគត់ ទោះបីបានផ្ញើច្រើនដង",
    ):
        await insurer.until(
            "the people at NSSF",
            lambda found: {each["spid"] for each in found} >= _spids(people),
            "SELECT spid FROM spr_person",
        )
        await registry.until(
            "an outbox in which nothing waits for NSSF",
            lambda rows: rows[0]["n"] == 0,
            "SELECT count(*) AS n FROM spean_outbox WHERE state = 'waiting' AND receiver LIKE '%/NSSF/%'",
        )
        stage.story.expect("people at NSSF", came=len(_at_insurer(insurer, people)), wanted=len(people))
        stage.story.tell(f"People at NSSF: {len(people)}, each once.")


async def _portal_tells(stage: Stage, book: str, people: list[Row]) -> None:
    service = next(each for each in SPR.services if each.code == "household")
    with stage.story.step(
        f"The portal asks by family book {book}, and tells the mother her family's SPIDs",
        f"ច្រកសួរតាមសៀវភៅគ្រួសារ {book} ហើយប្រាប់ SPID ដល់ម្ដាយ",
    ):
        question = query.by_number(service, ("FAMILY_BOOK", book), "ENROLMENT", asker=DSPP)
        async with Backend(stage.instance.ports, DSPP) as backend:
            answer = await backend.ask(query.path_of(SPR, service), question)
        stage.story.need("status of the answer", came=answer.status, wanted=OK)
        told = {
            number["identifier_value"]
            for record in answer.records
            for member in record["group"]["member_list"]
            for number in member["member_identifier"]
        }
        stage.story.expect("SPIDs that the portal tells", came=told, wanted=_spids(people))
        stage.story.tell(*sorted(told))


def _at_insurer(insurer: Office, people: list[Row]) -> list[Row]:
    marks = ", ".join("?" * len(people))
    statement = f"SELECT spid FROM spr_person WHERE spid IN ({marks})"  # noqa: S608  # marks alone
    return insurer.look(statement, *sorted(_spids(people)))


def _spids(people: list[Row]) -> set[str]:
    return {each["spid"] for each in people}
