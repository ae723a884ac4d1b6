"""Grievance: a complaint at the portal reaches the programme that it is about, and what became of it comes back.

It refuses to send everybody everything: complaints about other programmes do not reach the fund.
"""

import secrets
from datetime import UTC, datetime
from typing import Final

from spean.sandbox.stories.offices import Office, Row, subscribed
from spean.sandbox.stories.stage import Stage

TITLE: Final = (
    "Spean: a complaint finds its programme, and its answer the person. They are made up.",
    "ស្ពាន៖ បណ្ដឹងទៅដល់កម្មវិធីពាក់ព័ន្ធ ហើយចម្លើយត្រឡប់ទៅម្ចាស់បណ្ដឹង។ ទិន្នន័យសិប្បនិម្មិត។",
)
NAME: Final = "grievance"
_TEXT: Final = "ខ្ញុំមិនទាន់បានទទួលប្រាក់ខែនេះទេ។"
_SETTLE: Final = (
    "UPDATE complaint SET status = 'SETTLED', status_day = ?, answer_km = ?, changed = changed + 1 "
    "WHERE complaint_no = ?"
)
_ANSWER: Final = "ប្រាក់ត្រូវបានបើកឡើងវិញ សូមទៅភ្នាក់ងារ។"


async def tell(stage: Stage) -> None:
    """Tell the story after the start."""
    portal, fund = Office(stage, "dspp"), Office(stage, "nsaf-family-package")
    with stage.story.step(
        "The fund listens to complaints about the Family Package, the portal to answers",
        "មូលនិធិស្ដាប់បណ្ដឹងអំពីកញ្ចប់គ្រួសារ ច្រកស្ដាប់ចម្លើយ",
    ):
        await subscribed(portal, "grievances", 1)
        await subscribed(fund, "grievances", 1)
    with stage.story.step(
        "Two people complain at the portal, each about another programme", "មនុស្សពីរនាក់ប្ដឹងតាមច្រក អំពីកម្មវិធីផ្សេងគ្នា"
    ):
        ours, other = (_complain(portal, programme, place) for place, programme in enumerate(("FP", "SCH")))
        stage.story.tell(f"{ours}: Family Package · កញ្ចប់គ្រួសារ  «{_TEXT}»", f"{other}: scholarship · អាហារូបករណ៍")
    complaint = await _arrives(stage, fund, ours, other)
    await _settled(stage, portal, fund, complaint)
    _status(stage, portal, ours, other)


def _complain(portal: Office, programme: str, place: int) -> str:
    """The portal's own system opens a ticket."""
    account = portal.look("SELECT account_id FROM account ORDER BY account_id LIMIT 1 OFFSET ?", place)[0]["account_id"]
    ticket, now = f"T{secrets.randbelow(10**9):09d}", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
    row = (ticket, account, programme, "payment", now, "web", "open", now, _TEXT, None)
    portal.change(("INSERT INTO ticket VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row))
    return ticket


async def _arrives(stage: Stage, fund: Office, ours: str, other: str) -> Row:
    with stage.story.step(
        "The complaint about the Family Package reaches the fund, and gets a number there",
        "បណ្ដឹងអំពីកញ្ចប់គ្រួសារ ទៅដល់មូលនិធិ ហើយមានលេខនៅទីនោះ",
    ):
        [row] = await fund.until(
            "the complaint at the fund", bool, "SELECT * FROM complaint WHERE portal_ticket = ?", ours
        )
        stage.story.tell(
            f"{row['complaint_no']}: {row['portal_ticket']}, {row['kind']}, {row['status']}", row["text_km"]
        )
        strangers = fund.look("SELECT complaint_no FROM complaint WHERE portal_ticket = ?", other)
        stage.story.expect("complaints about other programmes", came=len(strangers), wanted=0)
    return row


async def _settled(stage: Stage, portal: Office, fund: Office, complaint: Row) -> None:
    with stage.story.step(
        "A clerk of the fund settles it in the fund's own system; the portal hears of it",
        "មន្ត្រីមូលនិធិដោះស្រាយក្នុងប្រព័ន្ធខ្លួន ហើយច្រកទទួលដំណឹង",
    ):
        fund.change(
            (
                _SETTLE,
                (f"{datetime.now(UTC).date()}", _ANSWER, complaint["complaint_no"]),
            )
        )
        await portal.until(
            "the answer at the portal",
            lambda rows: rows[0]["state"] == "solved",
            "SELECT state FROM ticket WHERE ticket_no = ?",
            complaint["portal_ticket"],
        )


def _status(stage: Stage, portal: Office, ours: str, other: str) -> None:
    with stage.story.step("Both look at the portal what became of their complaints", "អ្នកទាំងពីរមើលលទ្ធផលនៅច្រក"):
        for ticket, state, answer in ((ours, "solved", _ANSWER), (other, "open", None)):
            [row] = portal.look("SELECT state, answer_km FROM ticket WHERE ticket_no = ?", ticket)
            stage.story.expect(f"state of {ticket}", came=(row["state"], row["answer_km"]), wanted=(state, answer))
            stage.story.tell(f"{ticket}: {row['state']}  {row['answer_km'] or ''}".rstrip())
