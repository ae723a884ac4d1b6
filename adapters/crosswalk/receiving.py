"""Takes notifications of registries into the crosswalk: the receiver of the crosswalk's own adapter.

It refuses owners and types of record that the crosswalk's file does not name. It runs in the transaction that remembers
the message, in the database where the crosswalk is, so that a kill neither loses an event nor takes it twice.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from adapters.crosswalk.definition import Registry
from adapters.crosswalk.hearing import Hearing, Outcome
from adapters.crosswalk.taking import Crosswalk
from adapters.crosswalk.watching import REFUSED, CrosswalkWatch, behind
from adapters.errors import EventsError
from adapters.events import Event, Result
from adapters.events.model import Status

_OLDER: Final = "older than what was taken here: left alone"
_UNKNOWN: Final = "record type: the crosswalk takes no such records from you"


class Receiving:
    """Of one crosswalk; see :class:`adapters.asynchronous.receiver.Receiver`."""

    def __init__(self, crosswalk: Crosswalk, watch: CrosswalkWatch) -> None:
        self._hearing, self._watch = Hearing(crosswalk), watch
        self._registries = {
            (each.owner, each.record): each for each in crosswalk.definition.registries.values() if each.record
        }

    @property
    def senders(self) -> frozenset[str]:
        """The owners whose events are taken."""
        return frozenset(owner for owner, _record in self._registries)

    def judge(self, _sender: str, events: Sequence[Event]) -> Sequence[Event]:
        """All that is judged of an event needs the crosswalk."""
        return events

    def receive(self, connection: Connection, sender: str, events: Sequence[Event], at: datetime) -> list[Result]:
        """Take events in the given transaction; one that is known already changes nothing.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is locked, away or full: nothing may be committed.
            EventsError: a row was sealed with another key.
        """
        results: dict[int, Result] = {}
        places: dict[str, list[int]] = {}
        for place, event in enumerate(events):
            registry = self._registries.get((sender, event.record_type))
            if registry is None:
                results[place] = Result(event.event_id, Status.REJECTED, _UNKNOWN)
            else:
                places.setdefault(registry.name, []).append(place)
        try:
            for name, own in places.items():
                told = self._hear(connection, name, [events[place] for place in own], at)
                results |= dict(zip(own, told, strict=True))
        except (SQLAlchemyError, EventsError):
            self._watch.failed()
            raise
        return [results[place] for place in range(len(events))]

    def _hear(self, connection: Connection, name: str, events: Sequence[Event], at: datetime) -> list[Result]:
        taken, outcomes = self._hearing.hear(connection, name, events, at)
        registry = next(each for each in self._registries.values() if each.name == name)
        told = [REFUSED if each is Outcome.NOBODY else each.value for each in outcomes]
        self._watch.heard(name, told, taken, behind([each.at for each in events], at))
        return [_result(event, registry, each) for event, each in zip(events, outcomes, strict=True)]


def _result(event: Event, registry: Registry, outcome: Outcome) -> Result:
    match outcome:
        case Outcome.NOBODY:
            why = f"names no person by a {registry.where.key}: your release declaration must give it to the crosswalk"
            return Result(event.event_id, Status.REJECTED, why)
        case Outcome.OLDER:
            return Result(event.event_id, Status.SUCCEEDED, _OLDER)
        case Outcome.TAKEN:
            return Result(event.event_id, Status.SUCCEEDED)
