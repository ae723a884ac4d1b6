"""Change: a family moves. The registry's clerk notes it once, and who subscribed hears the old address and the new one.

It refuses to overwrite in silence: the Ministry of Planning's interviewers say otherwise, so that theirs stands there,
and both values are reported.
"""

from typing import Any, Final

from spean.sandbox.stories.offices import Office, Row, subscribed
from spean.sandbox.stories.stage import Stage

TITLE: Final = (
    "Spean: a change of address reaches everybody who may know, and one conflict is reported. The family is made up.",
    "ស្ពាន៖ ការប្ដូរអាសយដ្ឋាន ទៅដល់អ្នកដែលមានសិទ្ធិដឹង ហើយភាពមិនស្របគ្នាមួយត្រូវបានរាយការណ៍។ ទិន្នន័យសិប្បនិម្មិត។",
)
NAME: Final = "change"
# A family whose head the Ministry of Planning knows by the identity card.
_KNOWN: Final = (
    "SELECT f.family_no, f.village_code, p.khm_id FROM family f JOIN person p USING (family_no) "
    "WHERE p.line = 1 AND p.state = 'REGISTERED' AND p.khm_id IS NOT NULL ORDER BY f.family_no"
)


async def tell(stage: Stage) -> None:
    """Tell the story after the start."""
    registry, fund, planning = Office(stage, "spr"), Office(stage, "nsaf-family-package"), Office(stage, "idpoor")
    with stage.story.step(
        "NSAF and the Ministry of Planning subscribe to families", "ប.ជ.ស. និងក្រសួងផែនការជាវព័ត៌មានគ្រួសារ"
    ):
        await subscribed(registry, "household", 2)
        family, household = _family(registry, planning)
        old, new, other = family["village_code"], *_villages(planning, family["village_code"])
        stage.story.tell(f"Family {family['family_no']}, village {old}")
    with stage.story.step(
        f"The ministry's interviewers find the household in village {other}, and note it in their own register",
        f"អ្នកសម្ភាសន៍របស់ក្រសួងរកឃើញគ្រួសារនៅភូមិ {other} ហើយកត់ត្រាក្នុងបញ្ជីខ្លួន",
    ):
        planning.change(("UPDATE household SET village_code = ? WHERE uuid = ?", (other, household)))
        stage.story.tell("Nobody is told: it is the ministry's own register.", "មិនមានអ្នកណាត្រូវបានប្រាប់ទេ។")
    last = registry.look("SELECT coalesce(max(id), 0) AS id FROM spean_outbox")[0]["id"]
    await _move(stage, registry, fund, family, new)
    rows = await _told(stage, registry, family, (old, new), after=last)
    await _conflict(stage, planning, household, sent=new, local=other)
    _reported(stage, rows)


def _family(registry: Office, planning: Office) -> tuple[Row, str]:
    for family in registry.look(_KNOWN):
        found = planning.look("SELECT household_uuid FROM individual WHERE khmer_id = ?", family["khm_id"])
        if found:
            return family, str(found[0]["household_uuid"])
    raise LookupError("no family of the registry has a head whom the ministry knows")


def _villages(planning: Office, now: str) -> tuple[str, str]:
    first, second = planning.look("SELECT code FROM village WHERE code <> ? ORDER BY code LIMIT 2", now)
    return first["code"], second["code"]


async def _move(stage: Stage, registry: Office, fund: Office, family: Row, new: str) -> None:
    with stage.story.step(
        f"The family moves to village {new}: a clerk of the registry notes it, and NSAF has it",
        f"គ្រួសារផ្លាស់ទៅភូមិ {new}៖ មន្ត្រីបញ្ជីកត់ត្រា ហើយ ប.ជ.ស. ទទួលបាន",
    ):
        registry.change(
            ("UPDATE family SET village_code = ? WHERE family_no = ?", (new, family["family_no"])),
            ("UPDATE person SET village_code = ? WHERE family_no = ?", (new, family["family_no"])),
        )
        rows = await fund.until(
            "the new address at the fund",
            lambda found: bool(found) and found[0]["village"] == new,
            "SELECT village FROM spr_family WHERE family_no = ?",
            family["family_no"],
        )
        stage.story.tell(f"At NSAF: {rows[0]['village']}")


async def _told(
    stage: Stage, registry: Office, family: Row, villages: tuple[str, str], *, after: int
) -> list[dict[str, Any]]:
    """What left, as the registry's staff can see it: it waits in the outbox's table, sealed."""
    old, new = villages
    with stage.story.step(
        "What each subscriber was told: the old value and the new one, and nothing that it may not have",
        "អ្វីដែលអ្នកជាវម្នាក់ៗបានទទួល៖ តម្លៃចាស់ និងតម្លៃថ្មី តែប៉ុណ្ណោះ",
    ):
        await registry.until(
            "the notifications of the change, delivered",
            lambda found: found[0]["n"] >= 2,  # noqa: PLR2004  # the fund and the ministry
            "SELECT count(*) AS n FROM spean_outbox WHERE kind = 'notify' AND service = 'household' AND state = 'sent' "
            "AND id > ?",
            after,
        )
        bodies = registry.bodies("household")
        about = [each for each in bodies if each["id"] > after and family["family_no"] in str(each["body"])]
        for each in about:
            for change in each["body"]["data"]["changes"]:
                shown = f"{change['field']}: {_village(change['old'])} → {_village(change['new'])}"
                stage.story.tell(f"{each['receiver'].split('/')[2]}  {shown}")
        changes = [str(each["body"]["data"]["changes"]) for each in about]
        stage.story.expect("subscribers that were told", came=len(about), wanted=2)
        stage.story.expect(
            "old and new in each", came=all(old in each and new in each for each in changes), wanted=True
        )
        names = ["demographic_info" in str(each["body"]) for each in about if "/MOP/" in each["receiver"]]
        stage.story.expect("names in what the ministry gets", came=any(names), wanted=False)
    return about


async def _conflict(stage: Stage, planning: Office, household: str, *, sent: str, local: str) -> None:
    with stage.story.step(
        "The Ministry of Planning keeps its own value, and sees the conflict",
        "ក្រសួងផែនការរក្សាតម្លៃរបស់ខ្លួន ហើយឃើញភាពមិនស្របគ្នា",
    ):
        rows = await planning.until(
            "the conflict at the ministry", bool, "SELECT field, kept FROM spean_conflict WHERE service = 'household'"
        )
        stage.story.expect("whose value stands", came=[each["kept"] for each in rows], wanted=["local"])
        now = planning.look("SELECT village_code FROM household WHERE uuid = ?", household)[0]["village_code"]
        stage.story.expect("village in the ministry's register", came=now, wanted=local)
        lines = await planning.spean("adapter", "conflicts", "{}", "--values")
        stage.story.tell(*lines)
        shown = " ".join(lines)
        stage.story.expect("both values are shown", came=sent in shown and local in shown, wanted=True)


def _reported(stage: Stage, rows: list[dict[str, Any]]) -> None:
    with stage.story.step("The registry has the conflict in the ministry's answer", "បញ្ជីឃើញភាពមិនស្របគ្នាក្នុងចម្លើយរបស់ក្រសួង"):
        answered = [each for each in rows if "/MOP/" in each["receiver"]]
        conflicts = [conflict for each in answered for conflict in (each["result"] or {}).get("conflicts", ())]
        stage.story.expect("conflicts that were reported", came=len(conflicts), wanted=1)
        stage.story.tell(
            *(f"{each['field']}: sent {each['sent']}, there {each['local']}, kept {each['kept']}" for each in conflicts)
        )


def _village(addresses: list[dict[str, Any]]) -> str:
    return ", ".join(each["village_code"] for each in addresses)
