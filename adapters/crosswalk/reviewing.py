"""What a human looks at and decides: pairs below the threshold, side by side, and what was decided before.

It refuses a decision about a pair that has changed since it was shown. What a human decides, no later run overturns;
who decided, when and why is kept with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from adapters.crosswalk.comparing import levels
from adapters.crosswalk.deciding import Finding
from adapters.crosswalk.people import Person
from adapters.crosswalk.rows import RECORD, Rows
from adapters.crosswalk.settling import CERTAIN, LINKED, OPEN, REFUSED, REVIEW, SPLIT
from adapters.crosswalk.taking import Crosswalk
from adapters.errors import EventsError
from adapters.events.store import milliseconds, moment
from adapters.events.tables import CROSSWALK_FINDING, CROSSWALK_HISTORY, CROSSWALK_LINK, CROSSWALK_RECORD

SAME: Final = "same"
DIFFERENT: Final = "different"
_HUMAN: Final = "human"
_MARK_BYTES: Final = 3  # enough to tell that something changed


@dataclass(frozen=True, slots=True)
class Shown:
    """A pair as a reviewer sees it; it holds personal values.

    Args:
        id: to decide by: the pair's number, and a mark that another version of the two does not have.
        record: as its registry has the person, or the newer of two entries with a SPID.
        person: as the registry of SPIDs has the person.
        levels: of each field.
        weight: in bits.
        basis: the rule, ``score`` or ``human``.
        findings: what does not fit.
        state: linked, review, refused or split.
        by: who decided, or the declaration that did.
        at: when.
        reason: what a human said.
    """

    id: str
    record: Person
    person: Person
    levels: Mapping[str, str]
    weight: float
    basis: str
    findings: tuple[str, ...]
    state: str
    by: str
    at: datetime
    reason: str


class ReviewError(EventsError):
    """A pair cannot be decided; says why and what to do."""


def waiting(connection: Connection, crosswalk: Crosswalk, *, after: int = 0, limit: int = 50) -> list[Shown]:
    """Return pairs that wait for a human, oldest first."""
    table = CROSSWALK_LINK
    statement = select(table).where(table.c.state == REVIEW, table.c.id > after).order_by(table.c.id).limit(limit)
    return list(_shown(connection, crosswalk.rows, connection.execute(statement).all()))


def of_person(connection: Connection, crosswalk: Crosswalk, person: int) -> list[Shown]:
    """Return all that was decided of a person."""
    table = CROSSWALK_LINK
    rows = connection.execute(select(table).where(table.c.person == person).order_by(table.c.id)).all()
    return list(_shown(connection, crosswalk.rows, rows))


def history(connection: Connection, crosswalk: Crosswalk, pair: str) -> list[Mapping[str, Any]]:
    """Return what was decided of a pair before, oldest first."""
    table = CROSSWALK_HISTORY
    rows = connection.execute(select(table).where(table.c.link == _number(pair)).order_by(table.c.id)).all()
    return [
        {
            "at": moment(row.at),
            "state": row.state,
            "basis": row.basis,
            "by": row.by,
            "reason": crosswalk.rows.key.unseal(row.sealed).get("reason", ""),
        }
        for row in rows
    ]


def decide_pair(
    connection: Connection, crosswalk: Crosswalk, pair: str, verdict: str, *, by: str, reason: str, at: datetime
) -> None:
    """Write what a human decided.

    Args:
        connection: in a transaction of its own, so that of many decisions each stands alone.
        crosswalk: of the same key.
        pair: the ``id`` that was shown.
        verdict: ``same`` or ``different``.
        by: who decides.
        reason: in their words.
        at: now.

    Raises:
        ReviewError: there is no such pair, or it changed since it was shown.
    """
    crosswalk.rows.alone(connection)
    link = connection.execute(select(CROSSWALK_LINK).where(CROSSWALK_LINK.c.id == _number(pair))).one_or_none()
    shown = next(_shown(connection, crosswalk.rows, [link] if link else []), None)
    if link is None or shown is None:
        raise ReviewError(f"there is no pair {pair}: `spean crosswalk review` lists those that wait")
    if shown.id != pair:
        raise ReviewError(f"the pair {pair} has changed since it was shown: look at it again, it is now {shown.id}")
    why = crosswalk.rows.key.unseal(link.sealed) | {"reason": reason}
    values = {"basis": _HUMAN, "sealed": crosswalk.rows.key.seal(why), "by": by, "human": 1, "at": milliseconds(at)}
    crosswalk.rows.change_link(connection, link, state=LINKED if verdict == SAME else REFUSED, **values)
    _judge_findings(connection, link.id, verdict)
    if link.record is not None:
        (_join if verdict == SAME else _part)(connection, crosswalk, link, at)


def _join(connection: Connection, crosswalk: Crosswalk, link: Row[Any], at: datetime) -> None:
    rows = crosswalk.rows
    before = rows.records(connection, [link.record])[link.record].person
    for other in rows.links(connection, [link.record])[link.record]:
        if other.id != link.id and other.state in {LINKED, REVIEW}:
            rows.change_link(connection, other, state=SPLIT, human=0, at=milliseconds(at))
            rows.close(connection, other.id)
    statement = update(CROSSWALK_RECORD).where(CROSSWALK_RECORD.c.id == link.record)
    connection.execute(statement.values(state=LINKED, person=link.person))
    rows.drop_words(connection, RECORD, [link.record])
    crosswalk.settling.refresh(connection, {before, link.person})


def _part(connection: Connection, crosswalk: Crosswalk, link: Row[Any], at: datetime) -> None:
    """The record may be somebody else's: it is settled again without this person."""
    rows = crosswalk.rows
    record = rows.records(connection, [link.record])[link.record]
    if record.person == link.person:
        statement = update(CROSSWALK_RECORD).where(CROSSWALK_RECORD.c.id == link.record)
        connection.execute(statement.values(state=OPEN, person=None))
        crosswalk.settling.refresh(connection, [link.person])
    crosswalk.settling.settle(connection, [rows.person_of(record)], at, again=True)


def _judge_findings(connection: Connection, link: int, verdict: str) -> None:
    """One person is two numbers or entries of one; two persons are two with one number."""
    table = CROSSWALK_FINDING
    stands = table.c.kind == Finding.CONTRADICTED if verdict == DIFFERENT else table.c.link == link
    mine = table.c.link == link
    connection.execute(update(table).where(mine, ~stands).values(state="closed"))
    connection.execute(update(table).where(mine, stands).values(state=CERTAIN))


def _shown(connection: Connection, rows: Rows, links: Sequence[Row[Any]]) -> Iterator[Shown]:
    records = rows.records(connection, {each.record for each in links if each.record is not None})
    ids = {each.person for each in links} | {each.twin for each in links if each.twin is not None}
    people = rows.people(connection, ids)
    findings: dict[int, list[str]] = {}
    statement = select(CROSSWALK_FINDING).where(CROSSWALK_FINDING.c.link.in_([each.id for each in links]))
    for row in connection.execute(statement):
        if row.state != "closed":
            findings.setdefault(row.link, []).append(row.kind)
    for link in links:
        kept = people[link.person]
        if link.record is not None:
            record, digest = rows.person_of(records[link.record]), records[link.record].digest
            features = rows.folded(record)
        else:
            record, digest, features = people[link.twin].person, people[link.twin].digest, people[link.twin].features
        mark = rows.words.digest(f"{digest.hex()} {kept.digest.hex()} {link.state}")[:_MARK_BYTES].hex()
        yield Shown(
            id=f"{link.id}-{mark}",
            record=record,
            person=kept.person,
            levels=levels(features, kept.features, rows.definition.household),
            weight=link.weight / 100,
            basis=link.basis,
            findings=tuple(sorted(findings.get(link.id, ()))),
            state=link.state,
            by=link.by,
            at=moment(link.at),
            reason=rows.key.unseal(link.sealed).get("reason", ""),
        )


def _number(pair: str) -> int:
    number = pair.partition("-")[0]
    if not number.isdecimal():
        raise ReviewError(f"{pair} is no pair: `spean crosswalk review` shows how one is written")
    return int(number)
