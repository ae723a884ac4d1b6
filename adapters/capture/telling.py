"""What an audience hears of a step: an event cut to what it may have, and the messages that carry it.

It refuses to tell fields that the release does not give, also as old values: both states are cut before they are
compared. It refuses to send; the publisher puts what comes out of here into the outbox.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from adapters.asynchronous.subscriptions import due
from adapters.capture.audiences import Audience
from adapters.capture.comparing import Step
from adapters.capture.difference import changes, ended
from adapters.events import Change, Event, EventsKey, Outgoing
from adapters.events.notification import element
from adapters.events.store import moment
from adapters.services import ServiceConfig
from adapters.subjects import identifiers

NOTIFY: Final = "/registry/notify"
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Heard:
    """An event, and the states of the record whose fields it tells."""

    event: Event
    states: tuple[Record, ...]


class Telling:
    """Makes events of one service's steps."""

    def __init__(self, service: ServiceConfig, key: EventsKey) -> None:
        if service.publish is None:
            raise ValueError("the service publishes nothing")
        self._service, self._key, self._types = service, key, service.publish.events

    def messages(self, audience: Audience, step: Step, at: datetime, *, fits: bool) -> Iterator[Outgoing]:
        """Yield what is to be sent; ``fits`` says whether the record is now one that the audience hears of."""
        heard = self.heard(audience, step, fits=fits)
        wanting = () if heard is None else tuple(audience.wanting(heard.event.event_type))
        if heard is None or not wanting:
            return
        subjects = identifiers([*step.old.values(), *step.after.records.values()])
        access = audience.access(heard.states, subjects, 1)
        for each in wanting:
            yield Outgoing(
                key=self._key.word("notify", heard.event.event_id, each.code).hex(),
                kind="notify",
                service=self._service.code,
                receiver=str(each.callback),
                path=NOTIFY,
                person=step.after.person,
                body=element(heard.event, reg_type=self._service.reg_type, locale=each.locale),
                access=access,
                due=due(each, at),
            )

    def heard(self, audience: Audience, step: Step, *, fits: bool) -> Heard | None:
        """Return what an audience hears; None when that is nothing."""
        before = self._before(audience, step, fits=fits)
        new = step.after.records.get(audience.version)
        now = audience.cut(new) if new is not None and fits else {}
        states = tuple(each for each in (before, now) if each)
        if now and not step.old:
            return Heard(self._event(audience, step, self._types.new, now, ()), states)
        different = changes(before, now) if now else ended(before)
        if not different:
            return None
        kind = self._types.changed if now else self._types.gone
        return Heard(self._event(audience, step, kind, now, different), states)

    def _before(self, audience: Audience, step: Step, *, fits: bool) -> Record:
        """What it was; nothing for an audience whose filter it never met. A filter keeps no secret: a release does."""
        old = step.old.get(audience.version)
        had = audience.filter is None or fits or (step.before is not None and audience.name in step.before.told)
        return audience.cut(old) if old is not None and had else {}

    def _event(
        self, audience: Audience, step: Step, event_type: str, record: Mapping[str, Any], different: Sequence[Change]
    ) -> Event:
        return Event(
            event_id=step.event_id(self._key, self._service.code),
            at=moment(step.after.at),
            event_type=event_type,
            record_type=self._service.record_type,
            version=audience.version,
            record=dict(record),
            changes=tuple(different),
        )
