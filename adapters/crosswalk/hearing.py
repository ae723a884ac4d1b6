"""Takes what events of a registry say into the crosswalk, several at a time: who is new, changed, or gone.

It refuses to take an older event for the newest, and what was not sent for empty. It knows no messages; whoever has
events calls it in the transaction that remembers them, so that what was heard is neither lost nor taken twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from adapters.crosswalk.people import Person
from adapters.crosswalk.taking import Crosswalk, Taken
from adapters.crosswalk.unsaid import as_before, completed
from adapters.events import Event
from adapters.events.store import milliseconds

REMOVED: Final = "REMOVE"


class Outcome(StrEnum):
    """What became of an event."""

    TAKEN = "taken"
    OLDER = "older"  # something newer was heard of all its persons
    NOBODY = "nobody"  # it names no person by a number of its registry


@dataclass(slots=True)
class _State:
    """The persons of one registry whom some events are about.

    Args:
        kept: as they are here.
        times: the owner's time of what was last heard of each.
        taking: as they are to be.
        leaving: as they were when they went.
        heard: the times that are new.
    """

    kept: dict[str, Person]
    times: dict[str, int]
    taking: dict[str, Person] = field(default_factory=dict)
    leaving: dict[str, Person] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Said:
    """One event: its persons as they are, and as they were where it says so."""

    at: int
    now: dict[str, Person]
    was: dict[str, Person]


class Hearing:
    """Hears for one crosswalk; use it from one thread at a time."""

    def __init__(self, crosswalk: Crosswalk) -> None:
        self._crosswalk, self._heard = crosswalk, crosswalk.heard

    def hear(
        self, connection: Connection, registry: str, events: Sequence[Event], at: datetime
    ) -> tuple[Taken, list[Outcome]]:
        """Do what events say, and return one outcome for each; the same events again change nothing.

        Args:
            connection: in the caller's transaction.
            registry: what the crosswalk's file calls the list of persons.
            events: in the owner's order.
            at: now.

        Raises:
            ConfigError: there is no such registry.
        """
        self._crosswalk.rows.alone(connection)  # before anything is read that is decided by
        said = [self._read(registry, each, milliseconds(at)) for each in events]
        keys = {key for each in said for key in (*each.now, *each.was)}
        state = _State(self._crosswalk.kept(connection, registry, keys), self._heard.times(connection, registry, keys))
        outcomes = [_note(state, each) for each in said]
        ended = self._crosswalk.end(connection, registry, state.leaving, at)
        taken = self._crosswalk.take_persons(connection, registry, list(state.taking.values()), at)
        self._heard.note(connection, registry, state.heard, at)
        taken.ended += ended
        return taken, outcomes

    def _read(self, registry: str, event: Event, now: int) -> _Said:
        """A clock that is ahead would keep out all that is told later: what it says is of now, at most."""
        gone = event.event_type == REMOVED or not event.record
        there = {} if gone else self._persons(registry, event.record)
        before = self._persons(registry, as_before(event.record, event.changes))
        return _Said(min(milliseconds(event.at), now), there, before)

    def _persons(self, registry: str, record: dict[str, object]) -> dict[str, Person]:
        return {each.key: each for each in self._crosswalk.definition.persons(registry, record)}


def _note(state: _State, said: _Said) -> Outcome:
    """Note what an event says of each person, unless something newer was heard."""
    everybody = dict.fromkeys((*said.now, *said.was))
    fresh = [key for key in everybody if state.times.get(key, 0) <= said.at]
    for key in fresh:
        if key in said.now:
            state.kept[key] = state.taking[key] = completed(said.now[key], said.was.get(key), state.kept.get(key))
            state.leaving.pop(key, None)
        elif not _is_elsewhere(state.kept.get(key), said.was[key]):
            state.leaving[key] = said.was[key]
            state.taking.pop(key, None)
            state.kept.pop(key, None)
        state.times[key] = state.heard[key] = said.at
    if not everybody:
        return Outcome.NOBODY
    return Outcome.TAKEN if fresh else Outcome.OLDER


def _is_elsewhere(kept: Person | None, was: Person) -> bool:
    """Tell whether a person stands in another household by now: one that goes out of the old one is not gone."""
    return kept is not None and bool(kept.cards) and bool(was.cards) and not set(kept.cards) & set(was.cards)
