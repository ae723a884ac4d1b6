"""Settles records of one registry: finds whom each may be about, decides, and writes what was decided.

It refuses to touch what a human decided, and to leave two records of a registry that promises unique persons with one
person: the better one stays, and the other, or both when they are alike, go to a human.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, insert, update

from adapters.crosswalk.comparing import Features
from adapters.crosswalk.deciding import SCORE, Candidate, Decision, Finding, Outcome, Pair, decide
from adapters.crosswalk.people import Number, Person
from adapters.crosswalk.rows import PERSON, RECORD, Kept, Rows
from adapters.events.store import milliseconds
from adapters.events.tables import CROSSWALK_LINK, CROSSWALK_PERSON, CROSSWALK_RECORD

LINKED: Final = "linked"
REVIEW: Final = "review"
REFUSED: Final = "refused"
SPLIT: Final = "split"
OPEN: Final = "open"
SUSPECTED: Final = "suspected"
CERTAIN: Final = "confirmed"
_CENT: Final = 100  # weights are kept in hundredths of bits


@dataclass(slots=True)
class Case:
    """One record that is being settled; ``row`` is None for a new one."""

    person: Person
    features: Features
    key: bytes
    row: Row[Any] | None
    links: list[Row[Any]] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    decision: Decision = field(default_factory=lambda: Decision(Outcome.OPEN))

    @property
    def chosen(self) -> Pair | None:
        """The pair that was linked."""
        return self.decision.pairs[0] if self.decision.outcome is Outcome.LINKED else None


@dataclass(slots=True)
class Taken:
    """How many records became what."""

    persons: int = 0
    linked: int = 0
    review: int = 0
    open: int = 0
    unchanged: int = 0
    findings: int = 0
    ended: int = 0

    def add(self, other: "Taken") -> None:
        """Count another's too."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Settling:
    """Settles records in a transaction of the caller's."""

    def __init__(self, rows: Rows) -> None:
        self.rows, self.definition = rows, rows.definition
        self._by = f"{rows.definition.name} {rows.definition.version}"

    def settle(self, connection: Connection, people: Sequence[Person], at: datetime, *, again: bool = False) -> Taken:
        """Settle records of one registry; those that are as before are left alone unless ``again``."""
        cases, unchanged = self._cases(connection, people, again=again)
        taken = Taken(unchanged=unchanged)
        if cases:
            kept = self._look(connection, cases)
            for case in cases:
                case.decision = decide(self.definition, case.features, case.candidates)
            if self.definition.registries[cases[0].person.registry].unique:
                self._demote(connection, self._seat(connection, cases), at)
            self._write(connection, cases, kept, at, taken)
        return taken

    def candidates(
        self, connection: Connection, people: Sequence[Person]
    ) -> Iterator[tuple[Features, Sequence[Candidate]]]:
        """Yield each person of a registry, and who may be meant; nothing is decided."""
        cases = [
            Case(each, self.rows.folded(each), self.rows.words.record(each.registry, each.key), None) for each in people
        ]
        self._look(connection, cases)
        for case in cases:
            yield case.features, case.candidates

    # 1. Which records are new or changed, and what was decided of them.

    def _cases(self, connection: Connection, people: Sequence[Person], *, again: bool) -> tuple[list[Case], int]:
        last = {self.rows.words.record(each.registry, each.key): each for each in people}
        rows = self.rows.records_of(connection, last)
        links = self.rows.links(connection, [row.id for row in rows.values()])
        cases = []
        for key, person in last.items():
            row = rows.get(key)
            if row is not None and row.digest == self.rows.digest(person) and not again:
                continue
            cases.append(Case(person, self.rows.folded(person), key, row, links[row.id] if row else []))
        return cases, len(last) - len(cases)

    # 2. Who may be meant.

    def _look(self, connection: Connection, cases: Sequence[Case]) -> dict[int, Kept]:
        words, rules = self.rows.words, {case.key: self.rows.words.rules(case.person) for case in cases}
        blocks = {case.key: words.blocks(case.features) for case in cases}
        asked = {word for case in cases for word in (*rules[case.key], *blocks[case.key])}
        owners = self.rows.owners(connection, PERSON, asked)
        current = self.rows.current(connection, {each for found in owners.values() for each in found})
        active = {each.id: each for each in current.values() if each.state == "active"}
        for case in cases:
            shared: dict[int, set[str]] = defaultdict(set)
            for word in blocks[case.key]:
                for owner in owners.get(word, ()):
                    shared[current[owner].id] |= set()
            for word, rule in rules[case.key].items():
                for owner in owners.get(word, ()):
                    shared[current[owner].id].add(rule)
            barred = {link.person for link in case.links if link.human}
            case.candidates = [
                Candidate(person, active[person].features, frozenset(shared[person]))
                for person in sorted(shared)
                if person in active and person not in barred
            ]
        return active

    # 3. Nobody twice where nobody is twice.

    def _seat(self, connection: Connection, cases: Sequence[Case]) -> list[Row[Any]]:
        """Let the best of each registry sit with a person; returns the records that have to get up."""
        own = {case.row.id for case in cases if case.row is not None}
        registry = cases[0].person.registry
        linked = self.rows.linked(connection, {case.chosen.person for case in cases if case.chosen})
        sitting = [row for rows in linked.values() for row in rows if row.registry == registry and row.id not in own]
        links = self.rows.links(connection, [row.id for row in sitting])
        seats: dict[int, tuple[tuple[int, int, float], Row[Any] | Case]] = {}
        for row in sitting:
            link = next(each for each in links[row.id] if each.person == row.person and each.state == LINKED)
            seats[row.person] = ((link.human, int(link.basis != SCORE), link.weight / _CENT), row)
        return self._contest(cases, seats)

    def _contest(
        self, cases: Sequence[Case], seats: dict[int, tuple[tuple[int, int, float], Row[Any] | Case]]
    ) -> list[Row[Any]]:
        up: list[Row[Any]] = []
        for case in cases:
            pair = case.chosen
            if pair is None or self._human(case):
                continue
            rank = (0, int(pair.basis != SCORE), pair.weight)
            against = seats.get(pair.person)
            if against is None or rank > against[0]:
                seats[pair.person] = (rank, case)
                losers: list[Row[Any] | Case] = [] if against is None else [against[1]]
            else:
                losers = [case] if rank < against[0] else [case, against[1]]
            for loser in losers:
                if isinstance(loser, Case):
                    loser.decision = _twice(loser.decision)
                elif loser not in up:
                    up.append(loser)
        return up

    @staticmethod
    def _human(case: Case) -> bool:
        return any(link.human and link.state == LINKED for link in case.links)

    def _demote(self, connection: Connection, up: Sequence[Row[Any]], at: datetime) -> None:
        """Unlink records for which a better one, or one as good, was found; a human looks at them."""
        links = self.rows.links(connection, [row.id for row in up])
        for row in up:
            for link in links[row.id]:
                if link.state == LINKED and link.person == row.person:
                    self.rows.change_link(connection, link, state=REVIEW, by=self._by, at=milliseconds(at))
                    self.rows.find(connection, link.id, [Finding.TWICE], state=SUSPECTED, at=milliseconds(at))
            connection.execute(
                update(CROSSWALK_RECORD).where(CROSSWALK_RECORD.c.id == row.id).values(state=REVIEW, person=None)
            )
            person = self.rows.person_of(row)
            self.rows.add_words(connection, RECORD, {row.id: self._record_words(person, self.rows.folded(person))})
        self.refresh(connection, {row.person for row in up})

    # 4. Write.

    def _write(
        self, connection: Connection, cases: Sequence[Case], kept: Mapping[int, Kept], at: datetime, taken: Taken
    ) -> None:
        stays = [case for case in cases if self._human(case)]
        decided = [case for case in cases if not self._human(case)]
        for case in stays:  # what a human linked stays linked; only what the registry says now is kept
            self._rewrite(connection, case, at, state=LINKED, person=case.row.person if case.row else None)
        ids = self._write_records(connection, decided, at)
        self._write_links(connection, decided, ids, at, taken)
        self._write_words(connection, decided, ids, kept)
        left = {case.row.person for case in decided if case.row is not None and case.row.person is not None}
        self.refresh(connection, left | {case.row.person for case in stays if case.row is not None})
        taken.persons += len(cases)
        taken.linked += len(stays)
        for case in decided:
            setattr(taken, case.decision.outcome.value, getattr(taken, case.decision.outcome.value) + 1)

    def _write_records(self, connection: Connection, cases: Sequence[Case], at: datetime) -> dict[bytes, int]:
        new = [
            {
                "registry": case.person.registry,
                "key": case.key,
                "sealed": self.rows.key.seal(case.person.to_json()),
                "digest": self.rows.digest(case.person),
                "state": case.decision.outcome.value,
                "person": case.chosen.person if case.chosen else None,
                "at": milliseconds(at),
            }
            for case in cases
            if case.row is None
        ]
        if new:
            connection.execute(insert(CROSSWALK_RECORD), new)
        for case in cases:
            if case.row is not None:
                person = case.chosen.person if case.chosen else None
                self._rewrite(connection, case, at, state=case.decision.outcome.value, person=person)
        found = self.rows.records_of(connection, [case.key for case in cases if case.row is None])
        return {case.key: case.row.id if case.row is not None else found[case.key].id for case in cases}

    def _rewrite(self, connection: Connection, case: Case, at: datetime, *, state: str, person: int | None) -> None:
        if case.row is None:
            return
        sealed, digest = self.rows.key.seal(case.person.to_json()), self.rows.digest(case.person)
        values = {"sealed": sealed, "digest": digest, "state": state, "person": person, "at": milliseconds(at)}
        connection.execute(update(CROSSWALK_RECORD).where(CROSSWALK_RECORD.c.id == case.row.id).values(**values))

    def _write_links(
        self, connection: Connection, cases: Sequence[Case], ids: Mapping[bytes, int], at: datetime, taken: Taken
    ) -> None:
        new, found = [], []
        for case in cases:
            before = {link.person: link for link in case.links}
            for pair in case.decision.pairs:
                values = self._link(pair, case.decision.outcome, at)
                link = before.pop(pair.person, None)
                if link is None:
                    new.append({"person": pair.person, "record": ids[case.key], "human": 0, **values})
                elif (link.state, link.basis, link.weight) != (values["state"], values["basis"], values["weight"]):
                    self.rows.change_link(connection, link, **values)
                if pair.findings:
                    found.append((ids[case.key], pair))
            for link in before.values():
                if not link.human and link.state != SPLIT:
                    self.rows.change_link(connection, link, state=SPLIT, by=self._by, at=milliseconds(at))
                    self.rows.close(connection, link.id)
        if new:
            connection.execute(insert(CROSSWALK_LINK), new)
        taken.findings += self._find(connection, found, at)

    def _link(self, pair: Pair, outcome: Outcome, at: datetime) -> dict[str, Any]:
        return {
            "state": outcome.value,
            "basis": pair.basis,
            "weight": round(pair.weight * _CENT),
            "sealed": self.rows.key.seal({"why": pair.explanation(self.definition)}),
            "by": self._by,
            "at": milliseconds(at),
        }

    def _find(self, connection: Connection, found: Sequence[tuple[int, Pair]], at: datetime) -> int:
        links = self.rows.links(connection, [record for record, _ in found])
        new = 0
        for record, pair in found:
            link = next(each for each in links[record] if each.person == pair.person)
            state = CERTAIN if link.state == LINKED else SUSPECTED
            new += self.rows.find(connection, link.id, sorted(pair.findings), state=state, at=milliseconds(at))
        return new

    # 5. Let numbers find the person, and records that wait be found when somebody comes.

    def _write_words(
        self, connection: Connection, cases: Sequence[Case], ids: Mapping[bytes, int], kept: Mapping[int, Kept]
    ) -> None:
        self.rows.drop_words(connection, RECORD, [case.row.id for case in cases if case.row is not None])
        waits = {ids[case.key]: self._record_words(case.person, case.features) for case in cases if not case.chosen}
        self.rows.add_words(connection, RECORD, waits)
        by_person: dict[int, list[Person]] = defaultdict(list)
        for case in cases:
            if case.chosen:
                by_person[case.chosen.person].append(case.person)
        words = {
            person: {word for each in found for word in self.rows.words.numbers(each)}
            for person, found in by_person.items()
        }
        self.rows.add_words(connection, PERSON, words)
        self._gather(connection, [(kept[person], found) for person, found in by_person.items()])

    def _record_words(self, person: Person, folded: Features) -> set[bytes]:
        return {*self.rows.words.rules(person), *self.rows.words.blocks(folded)}

    def _gather(self, connection: Connection, found: Iterable[tuple[Kept, Sequence[Person]]]) -> None:
        """Add to persons what records that were linked now tell of them."""
        sealed, words = [], {}
        for kept, people in found:
            gathered = kept.gathered | self.telling(people)
            if gathered != kept.gathered:
                sealed.append({"person_id": kept.id, "sealed": self.rows.seal_person(kept.person, gathered)})
                words[kept.id] = set(self.rows.words.blocks(self.rows.folded(kept.person, gathered)))
        if sealed:
            which = CROSSWALK_PERSON.c.id == bindparam("person_id")
            connection.execute(update(CROSSWALK_PERSON).where(which).values(sealed=bindparam("sealed")), sealed)
            self.rows.add_words(connection, PERSON, words)

    def telling(self, people: Iterable[Person]) -> frozenset[Number]:
        """Return the numbers that count in comparing."""
        kinds = self.definition.exclusive | self.definition.household
        return frozenset(n for each in people for n in (*each.numbers, *each.cards) if n.kind in kinds)

    def refresh(self, connection: Connection, ids: Iterable[int | None]) -> None:
        """Make anew what persons have from records that are linked with them, and what finds them."""
        wanted = {each for each in ids if each is not None}
        linked = self.rows.linked(connection, wanted)
        for person, kept in self.rows.people(connection, wanted).items():
            told = [self.rows.person_of(row) for row in linked[person]]
            gathered = self.telling(told)
            sealed = self.rows.seal_person(kept.person, gathered)
            connection.execute(update(CROSSWALK_PERSON).where(CROSSWALK_PERSON.c.id == person).values(sealed=sealed))
            self.rows.drop_words(connection, PERSON, [person])
            self.rows.add_words(connection, PERSON, {person: self.person_words(kept, told, gathered)})

    def person_words(self, kept: Kept, told: Iterable[Person], gathered: frozenset[Number]) -> set[bytes]:
        """Return all words of a person; one that was merged is found by its SPID only."""
        words, own = self.rows.words, kept.person
        if kept.state != "active":
            return {words.number(Number("SPID", own.key))}
        found = {word for each in told for word in words.numbers(each)}
        return found | set(words.numbers(own)) | set(words.blocks(self.rows.folded(own, gathered)))


def _twice(decision: Decision) -> Decision:
    pair = decision.pairs[0]
    return Decision(Outcome.REVIEW, (replace(pair, sure=False, findings=pair.findings | {Finding.TWICE}),))
