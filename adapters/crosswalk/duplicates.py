"""What is told to the owners of records that do not fit together: one person under two numbers, entries or records.

It refuses to tell an owner what another registry holds: each learns which of its own records it should look at, and
why. Whoever sends it (the outbox) is told whose it is.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Any, Final

from sqlalchemy import Connection, select

from adapters.crosswalk.people import Person
from adapters.crosswalk.rows import Rows
from adapters.crosswalk.taking import Crosswalk
from adapters.events.model import Event
from adapters.events.store import moment
from adapters.events.tables import CROSSWALK_FINDING, CROSSWALK_LINK

EVENT_TYPE: Final = "DUPLICATE"
RECORD_TYPE: Final = "CrosswalkFinding"
CONTRACT: Final = ("cambodia/crosswalk-finding", "1.0.0")
_CODES: Final = {
    "two-numbers": "TWO_NUMBERS",
    "two-spids": "TWO_SPIDS",
    "contradicted-number": "CONTRADICTED_NUMBER",
    "twice-in-registry": "TWICE_IN_REGISTRY",
}
_STATES: Final = {"suspected": "SUSPECTED", "confirmed": "CONFIRMED"}
_ABOUT: Final = 16  # hexadecimal digits: 64 bits tell the few records of one finding apart
_CAMBODIA: Final = timezone(timedelta(hours=7))


@dataclass(frozen=True, slots=True)
class Report:
    """What one owner is told of one finding; ``key`` is what the outbox tells a repeated one by.

    Args:
        owner: the client, as the crosswalk's file names it.
        registry: the list whose record it is.
        key: the event's ``event_id``.
        event: whose record holds the owner's own identifiers only.
    """

    owner: str
    registry: str
    key: str
    event: Event


def reports(
    connection: Connection, crosswalk: Crosswalk, *, states: Collection[str] = tuple(_STATES), after: int = 0
) -> Iterator[Report]:
    """Yield, for each finding and each owner of a record in it, what that owner is told; oldest first.

    A finding that was suspected and is confirmed now is a new event of the same finding.
    """
    table, rows = CROSSWALK_FINDING, crosswalk.rows
    statement = select(table).where(table.c.state.in_(states), table.c.id > after).order_by(table.c.id)
    findings = connection.execute(statement).all()
    links = {
        row.id: row
        for row in connection.execute(select(CROSSWALK_LINK).where(CROSSWALK_LINK.c.id.in_({f.link for f in findings})))
    }
    for finding in findings:
        for person in _concerned(connection, rows, links[finding.link]):
            registry = crosswalk.definition.registries[person.registry]
            if registry.owner:
                # Of the record, not of its place among them: a record that is linked later moves the others.
                about = rows.words.record(person.registry, person.key).hex()[:_ABOUT]
                key = f"crosswalk-{finding.id}-{finding.state}-{about}"
                yield Report(registry.owner, person.registry, key, _event(finding, person, key))


def _event(finding: Any, person: Person, key: str) -> Event:  # noqa: ANN401  # a row
    at = moment(finding.at)
    record = {
        "finding": _CODES[finding.kind],
        "finding_status": _STATES[finding.state],
        "member_identifier": [
            {"identifier_type": each.kind, "identifier_value": each.value} for each in person.numbers
        ],
        "found": at.astimezone(_CAMBODIA).replace(microsecond=0).isoformat(),
    }
    return Event(key, at, EVENT_TYPE, RECORD_TYPE, CONTRACT[1], record)


def _concerned(connection: Connection, rows: Rows, link: Any) -> Iterator[Person]:  # noqa: ANN401  # a row
    """The records of a finding: the pair's own, and those that told the number that contradicts."""
    kept = rows.people(connection, [link.person])[link.person]
    if link.twin is not None:
        yield rows.people(connection, [link.twin])[link.twin].person
        yield kept.person
        return
    record = rows.person_of(rows.records(connection, [link.record])[link.record])
    yield record
    yield kept.person
    own = {(n.kind, n.value) for n in record.numbers if n.kind in rows.definition.exclusive}
    for row in rows.linked(connection, [link.person])[link.person]:
        other = rows.person_of(row)
        told = {(n.kind, n.value) for n in other.numbers if n.kind in rows.definition.exclusive}
        same_registry = other.registry == record.registry
        if row.id != link.record and ((told and own and told != own) or same_registry):
            yield other
