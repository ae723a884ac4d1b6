"""Reconcile: an operator's database is lost, and last week's backup put back. It finds what it lacks, and repairs it.

It refuses to trust a backup, and to send everything again: registry and operator compare digests, and only what differs
is asked for.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from spean.sandbox.stories.offices import Office, Row, subscribed
from spean.sandbox.stories.stage import Stage

TITLE: Final = (
    "Spean: an operator restored from last week's backup finds and repairs what it lacks. The people are made up.",
    "ស្ពាន៖ ប្រតិបត្តិករដែលស្ដារពីឯកសារបម្រុងសប្ដាហ៍មុន រកឃើញ និងជួសជុលអ្វីដែលខ្វះ។ ទិន្នន័យសិប្បនិម្មិត។",
)
NAME: Final = "reconcile"
_CHANGES: Final = 3
_SUBSCRIPTION: Final = "families"


async def tell(stage: Stage) -> None:
    """Tell the story after the start."""
    registry, fund = Office(stage, "spr"), Office(stage, "nsaf-family-package")
    backup = fund.database.with_suffix(".backup")
    with stage.story.step("NSAF loads all families of the registry, once", "ប.ជ.ស. ទាញគ្រួសារទាំងអស់ពីបញ្ជី ម្ដងគត់"):
        await subscribed(registry, "household", 2)
        stage.story.tell(*await fund.spean("adapter", "reconcile", "{}", "--subscription", _SUBSCRIPTION))
        stage.story.expect("families at NSAF", came=_count(fund, "spr_family"), wanted=_count(registry, "family"))
    with stage.story.step("Monday: NSAF makes its backup", "ថ្ងៃច័ន្ទ៖ ប.ជ.ស. ថតចម្លងទុក"):
        _copy(fund.database, backup)
        stage.story.tell(f"{_count(fund, 'spr_family')} families")
    moved = await _week(stage, registry, fund)
    with stage.story.step(
        "Friday: the disk fails. Monday's backup is put back", "ថ្ងៃសុក្រ៖ ថាសខូច។ ឯកសារបម្រុងថ្ងៃច័ន្ទត្រូវបានដាក់ឡើងវិញ"
    ):
        _copy(backup, fund.database)
        backup.unlink()
        old = [_village(fund, each) != each["village"] for each in moved]
        stage.story.expect("families with an old address again", came=sum(old), wanted=_CHANGES)
    await _repair(stage, fund, moved)


async def _week(stage: Stage, registry: Office, fund: Office) -> list[Row]:
    """Some families move; the fund hears of each."""
    with stage.story.step(
        f"During the week {_CHANGES} families move, and NSAF hears of each", f"ក្នុងសប្ដាហ៍ គ្រួសារ {_CHANGES} ផ្លាស់ទីលំនៅ"
    ):
        families = registry.look("SELECT family_no, village_code FROM family ORDER BY family_no DESC LIMIT ?", _CHANGES)
        moved = []
        for each in families:
            [new] = registry.look(
                "SELECT village_code FROM family WHERE village_code <> ? ORDER BY village_code LIMIT 1",
                each["village_code"],
            )
            moved.append({"family_no": each["family_no"], "village": new["village_code"]})
            change = (new["village_code"], each["family_no"])
            registry.change(("UPDATE family SET village_code = ? WHERE family_no = ?", change))
        for each in moved:
            await fund.until(
                "the new address at the fund",
                lambda rows, wanted=each["village"]: bool(rows) and rows[0]["village"] == wanted,  # type: ignore[misc]
                "SELECT village FROM spr_family WHERE family_no = ?",
                each["family_no"],
            )
            stage.story.tell(f"{each['family_no']} → {each['village']}")
    return moved


async def _repair(stage: Stage, fund: Office, moved: list[Row]) -> None:
    with stage.story.step(
        "NSAF compares with the registry, and repairs what differs: spean adapter reconcile",
        "ប.ជ.ស. ប្រៀបធៀបជាមួយបញ្ជី ហើយជួសជុលភាពខុសគ្នា៖ spean adapter reconcile",
    ):
        stage.story.tell(*await fund.spean("adapter", "reconcile", "{}", "--subscription", _SUBSCRIPTION))
        right = [_village(fund, each) == each["village"] for each in moved]
        stage.story.expect("families with the new address", came=sum(right), wanted=_CHANGES)
    with stage.story.step("It compares once more: there is nothing left to repair", "ប្រៀបធៀបម្ដងទៀត៖ គ្មានអ្វីត្រូវជួសជុលទេ"):
        lines = await fund.spean("adapter", "reconcile", "{}", "--subscription", _SUBSCRIPTION, "--dry-run")
        stage.story.tell(*lines)


def _village(fund: Office, family: Row) -> str:
    found = fund.look("SELECT village FROM spr_family WHERE family_no = ?", family["family_no"])
    return str(found[0]["village"]) if found else ""


def _count(office: Office, table: str) -> int:
    return int(office.look(f"SELECT count(*) AS n FROM {table}")[0]["n"])  # noqa: S608  # names of this module


def _copy(source: Path, target: Path) -> None:
    """Copy a database as a backup does, while others have it open."""
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target, timeout=10)) as write:
        read.backup(write)
