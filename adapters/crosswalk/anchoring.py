"""Takes the entries of the registry that gives SPIDs: each is a person; merged ones point to the one that counts.

It refuses to merge two SPIDs by itself: that one person seems to have two is a finding for the registry, which alone
decides. What it merges or splits is followed, and the records that are linked follow too.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from adapters.crosswalk.deciding import Candidate, Finding, Pair, compare
from adapters.crosswalk.people import Person
from adapters.crosswalk.rows import PERSON, RECORD, Kept, Rows
from adapters.crosswalk.settling import LINKED, REVIEW, SPLIT, SUSPECTED, Settling, Taken
from adapters.events.store import milliseconds
from adapters.events.tables import CROSSWALK_LINK, CROSSWALK_PERSON, CROSSWALK_RECORD

ACTIVE: Final = "active"
MERGED: Final = "merged"
MOVED: Final = "merged"  # basis of a link that followed a SPID into another
_CENT: Final = 100


class Anchoring:
    """Takes persons in a transaction of the caller's."""

    def __init__(self, rows: Rows, settling: Settling) -> None:
        self._rows, self._settling = rows, settling
        self._definition = rows.definition
        self._by = f"{rows.definition.name} {rows.definition.version}"

    def take(self, connection: Connection, people: Sequence[Person], at: datetime) -> Taken:
        """Take entries; those that are as before are left alone."""
        last = {each.key: each for each in people}
        before = self._rows.people_of(connection, last)
        changed = {
            spid: person
            for spid, person in last.items()
            if spid not in before or before[spid].digest != self._rows.digest(person)
        }
        taken = Taken(persons=len(changed), unchanged=len(last) - len(changed))
        if changed:
            self._write(connection, changed, before, at)
            self._follow(connection, changed, before, at)
            now = {each.id: each for each in self._rows.people_of(connection, changed).values()}
            self._words(connection, now, {each.id for spid, each in before.items() if spid in changed})
            active = [each for each in now.values() if each.state == ACTIVE]
            taken.findings += self._twins(connection, active, at)
            self._again(connection, active, {before[spid].id for spid in changed if spid in before}, at)
        return taken

    # 1. The entries themselves.

    def _write(
        self, connection: Connection, changed: Mapping[str, Person], before: Mapping[str, Kept], at: datetime
    ) -> None:
        new = []
        for spid, person in changed.items():
            values = {
                "digest": self._rows.digest(person),
                "state": MERGED if person.replaced_by else ACTIVE,
                "at": milliseconds(at),
            }
            kept = before.get(spid)
            if kept is None:
                sealed = self._rows.seal_person(person)
                new.append({"spid": self._rows.words.spid(spid), "into": None, "sealed": sealed, **values})
            else:
                sealed = self._rows.seal_person(person, kept.gathered)
                statement = update(CROSSWALK_PERSON).where(CROSSWALK_PERSON.c.id == kept.id)
                connection.execute(statement.values(sealed=sealed, **values))
        if new:
            connection.execute(insert(CROSSWALK_PERSON), new)

    # 2. Merges and splits.

    def _follow(
        self, connection: Connection, changed: Mapping[str, Person], before: Mapping[str, Kept], at: datetime
    ) -> None:
        """Point merged SPIDs to those that count now, also those that were taken before the one that counts."""
        table = CROSSWALK_PERSON
        loose = select(table.c.id).where(table.c.state == MERGED, table.c.into.is_(None))
        merged = self._rows.people(connection, list(connection.scalars(loose)))
        targets = self._rows.people_of(connection, {each.person.replaced_by for each in merged.values()})
        for kept in merged.values():
            target = targets.get(kept.person.replaced_by)
            if target is not None and target.id != kept.id:
                connection.execute(update(table).where(table.c.id == kept.id).values(into=target.id))
                self._move(connection, kept.id, target.id, at)
        for spid, person in changed.items():
            was = before.get(spid)
            if was is not None and was.state == MERGED and not person.replaced_by:
                connection.execute(update(table).where(table.c.id == was.id).values(into=None))
                self._move_back(connection, was, at)

    def _move(self, connection: Connection, old: int, new: int, at: datetime) -> None:
        """The records of a SPID that was merged are those of the one that counts now."""
        rows = self._rows.linked(connection, [old])[old]
        links = self._rows.links(connection, [row.id for row in rows])
        for row in rows:
            of = {link.person: link for link in links[row.id]}
            link, values = of[old], {"state": LINKED, "basis": MOVED, "by": self._by, "at": milliseconds(at)}
            if new in of:
                self._rows.change_link(connection, of[new], **values, human=link.human)
            else:
                copied = {"weight": link.weight, "sealed": link.sealed, "human": link.human, "record": row.id}
                connection.execute(insert(CROSSWALK_LINK).values(person=new, **copied, **values))
            self._rows.change_link(connection, link, state=SPLIT, by=self._by, at=milliseconds(at), human=0)
            connection.execute(update(CROSSWALK_RECORD).where(CROSSWALK_RECORD.c.id == row.id).values(person=new))
        self._settling.refresh(connection, [old, new])

    def _move_back(self, connection: Connection, kept: Kept, at: datetime) -> None:
        """A merge was undone: what followed it returns."""
        if kept.into is None:
            return
        rows = self._rows.linked(connection, [kept.into])[kept.into]
        links = self._rows.links(connection, [row.id for row in rows])
        for row in rows:
            of = {link.person: link for link in links[row.id]}
            link, old = of[kept.into], of.get(kept.id)
            if link.basis == MOVED and old is not None:
                values = {"state": LINKED, "by": self._by, "at": milliseconds(at), "human": link.human}
                self._rows.change_link(connection, old, **values)
                self._rows.change_link(connection, link, state=SPLIT, by=self._by, at=milliseconds(at), human=0)
                statement = update(CROSSWALK_RECORD).where(CROSSWALK_RECORD.c.id == row.id)
                connection.execute(statement.values(person=kept.id))
        self._settling.refresh(connection, [kept.into, kept.id])

    # 3. What finds them.

    def _words(self, connection: Connection, now: Mapping[int, Kept], known: Collection[int]) -> None:
        new = {
            each: self._settling.person_words(kept, (), frozenset()) for each, kept in now.items() if each not in known
        }
        self._rows.add_words(connection, PERSON, new)
        self._settling.refresh(connection, known)

    # 4. One person under two SPIDs.

    def _twins(self, connection: Connection, active: Sequence[Kept], at: datetime) -> int:
        words = self._rows.words
        asked = {kept.id: {*words.rules(kept.person), *words.blocks(kept.features)} for kept in active}
        owners = self._rows.owners(connection, PERSON, {word for found in asked.values() for word in found})
        others = self._rows.people(connection, {each for found in owners.values() for each in found})
        pairs: dict[tuple[int, int], Pair] = {}
        for kept in active:
            near = {each for word in asked[kept.id] for each in owners.get(word, ()) if each != kept.id}
            for other in near:
                place = (max(kept.id, other), min(kept.id, other))
                if place not in pairs and others[other].state == ACTIVE:
                    pairs[place] = self._pair(kept, others[other])
        return sum(self._note(connection, place, pair, at) for place, pair in pairs.items())

    def _pair(self, one: Kept, other: Kept) -> Pair:
        rules, shared = self._rows.words.rules(one.person), self._rows.words.rules(other.person)
        found = frozenset(rule for word, rule in rules.items() if word in shared)
        return compare(self._definition, one.features, Candidate(other.id, other.features, found))

    def _note(self, connection: Connection, place: tuple[int, int], pair: Pair, at: datetime) -> int:
        table, (twin, person) = CROSSWALK_LINK, place
        needed = all(pair.levels[field] in good for field, good in self._definition.needs.items())
        findings = set(pair.findings) | (
            {Finding.TWO_SPIDS} if pair.sure or Finding.TWO_NUMBERS in pair.findings else set()
        )
        known = connection.execute(select(table).where(table.c.twin == twin, table.c.person == person)).one_or_none()
        if (known is not None and known.state != SPLIT) or not (
            findings or (needed and pair.weight >= self._definition.review)
        ):
            return 0
        sealed = self._rows.key.seal({"why": pair.explanation(self._definition)})
        values: dict[str, Any] = {
            "state": REVIEW,
            "basis": pair.basis,
            "weight": round(pair.weight * _CENT),
            "by": self._by,
        }
        values |= {"sealed": sealed, "human": 0, "at": milliseconds(at)}
        if known is not None:  # one of the two was gone
            self._rows.change_link(connection, known, **values)
            return self._rows.find(connection, known.id, sorted(findings), state=SUSPECTED, at=milliseconds(at))
        statement = insert(table).values(twin=twin, person=person, **values)
        [link] = connection.execute(statement).inserted_primary_key or (0,)
        return self._rows.find(connection, link, sorted(findings), state=SUSPECTED, at=milliseconds(at))

    # 5. Records that waited for somebody like this, and those of whom something else is said now.

    def _again(self, connection: Connection, active: Sequence[Kept], known: Collection[int], at: datetime) -> None:
        words = self._rows.words
        asked = {word for kept in active for word in (*words.numbers(kept.person), *words.blocks(kept.features))}
        waiting = {each for found in self._rows.owners(connection, RECORD, asked).values() for each in found}
        rows = list(self._rows.records(connection, waiting).values())
        rows += [row for found in self._rows.linked(connection, known).values() for row in found]
        for people in _by_registry(self._rows.person_of(row) for row in rows).values():
            self._settling.settle(connection, people, at, again=True)


def _by_registry(people: Iterable[Person]) -> dict[str, list[Person]]:
    found: dict[str, list[Person]] = {}
    for each in people:
        found.setdefault(each.registry, []).append(each)
    return found
