"""Counts how pairs of a crosswalk compare: those that share a number or a block, and those that chance brings together.

It refuses to hold more than a sample of a register, and to let a record be compared with what it told of a person
itself. :mod:`adapters.crosswalk.estimating` works with the counts.
"""

import random
from collections import Counter
from typing import Final

from sqlalchemy import Connection, select

from adapters.crosswalk.comparing import Features, levels
from adapters.crosswalk.ending import ENDED
from adapters.crosswalk.estimating import Pattern, evenly, pattern_of
from adapters.crosswalk.rows import chunks
from adapters.crosswalk.taking import BATCH, Crosswalk
from adapters.events.tables import CROSSWALK_PERSON, CROSSWALK_RECORD

SAMPLE: Final = 5_000  # records, and persons: of each some 10 MB, and enough for shares of a thousandth


def sample(connection: Connection, crosswalk: Crosswalk, *, far: int) -> tuple[Counter[Pattern], Counter[Pattern]]:
    """Return the levels of pairs that are near each other, and of ``far`` pairs by chance.

    The same crosswalk gives the same sample.
    """
    records = _records(connection, crosswalk)
    near = _near(connection, crosswalk, records)
    people = _people(connection, crosswalk)
    chance: Counter[Pattern] = Counter()
    if records and people:
        draw = random.Random(0)  # noqa: S311  # a sample that can be looked at again, no secret
        for _ in range(far):
            chance[_compared(crosswalk, draw.choice(records), draw.choice(people))] += 1
    return near, chance


def _records(connection: Connection, crosswalk: Crosswalk) -> list[Features]:
    table, rows = CROSSWALK_RECORD, crosswalk.rows
    ids = connection.scalars(select(table.c.id).where(table.c.state != ENDED).order_by(table.c.id)).all()
    wanted = [ids[each] for each in evenly(len(ids), SAMPLE)]
    return [rows.folded(rows.person_of(row)) for row in rows.records(connection, wanted).values()]


def _people(connection: Connection, crosswalk: Crosswalk) -> list[Features]:
    table, rows = CROSSWALK_PERSON, crosswalk.rows
    ids = connection.scalars(select(table.c.id).where(table.c.state == "active").order_by(table.c.id)).all()
    wanted = [ids[each] for each in evenly(len(ids), SAMPLE)]
    return [rows.folded(kept.person) for kept in rows.people(connection, wanted).values()]


def _near(connection: Connection, crosswalk: Crosswalk, records: list[Features]) -> Counter[Pattern]:
    found: Counter[Pattern] = Counter()
    for part in chunks(records, BATCH):
        for features, candidates in crosswalk.settling.candidates(connection, [each.person for each in part]):
            for each in candidates:
                # As the registry has the person: what linked records told of it would compare a record with itself.
                other = crosswalk.rows.folded(each.features.person)
                found[_compared(crosswalk, features, other)] += 1
    return found


def _compared(crosswalk: Crosswalk, one: Features, other: Features) -> Pattern:
    return pattern_of(levels(one, other, crosswalk.definition.household))
