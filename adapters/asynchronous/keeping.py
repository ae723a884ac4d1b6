"""Keeps up the subscriptions that ``adapter.yaml`` declares at others: asks for them, renews them, and ends old ones.

It refuses to remember anything but in the events' tables, so that a start is like any other look. What has no answer
within a day, or was refused, is asked again the next day.
"""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Row, update

from adapters.asynchronous import asking, inbox, jobs, subscribing
from adapters.asynchronous.asking import Question
from adapters.asynchronous.config import OwnSubscription
from adapters.asynchronous.documents import Pen
from adapters.asynchronous.watching import Counts, Watch, count
from adapters.errors import AdapterError
from adapters.events import EventsKey, EventsStore, ServiceAddress
from adapters.events.store import moment
from adapters.events.tables import REQUEST
from adapters.registry.operations import SUBSCRIBE, UNSUBSCRIBE

_LOOK_EVERY: Final = 60.0  # seconds
_AGAIN: Final = timedelta(days=1)
_MARGIN: Final = timedelta(days=14)  # before its end, so that staff who read of a refusal can do something
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """A request for a subscription, and what is known of it.

    Args:
        message_id: of the request.
        name: of the declaration.
        state: of the request.
        at: when it was asked.
        digest: of the declaration as it was then.
        service: the own service.
        receiver: who was asked.
        codes: of the subscriptions that were made.
        ends: when the first of them ends; None before they are made.
        refused: reasons and words, of those that were not.
    """

    message_id: str
    name: str
    state: str
    at: datetime
    digest: str
    service: str
    receiver: ServiceAddress
    codes: tuple[str, ...]
    ends: datetime | None
    refused: tuple[tuple[str, str], ...]


class Keeper:
    """Of one adapter; it also ends and forgets what is over."""

    def __init__(
        self,
        store: EventsStore,
        pen: Pen,
        declared: Sequence[OwnSubscription],
        *,
        remembered: timedelta,
        watch: Watch,
    ) -> None:
        self._store = store
        self._pen = pen
        self._declared = declared
        self._remembered = remembered
        self._watch = watch

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            try:
                await self.look(datetime.now(UTC))
            except AdapterError as error:
                _log.error("subscriptions_not_kept", problem=str(error))
            await asyncio.sleep(_LOOK_EVERY)

    async def look(self, at: datetime) -> None:
        """Do what is due; raises :class:`EventsError`."""
        asked, ended, expired = await self._store.write(lambda connection: self._look(connection, at))
        self._watch.seen(await self._store.read(self._count))
        for name in asked:
            _log.info("subscription_asked", name=name)
        for name in ended:
            _log.info("subscription_ended", name=name)
        if expired:
            _log.info("subscriptions_expired", count=expired)

    def _look(self, connection: Connection, at: datetime) -> tuple[list[str], list[str], int]:
        found = held(connection, self._store.key)
        asked = [each.name for each in self._declared if self._ask(connection, each, found, at)]
        ended = [each.name for each in found if self._end(connection, each, found, at)]
        expired = subscribing.expire(connection, at)
        inbox.forget(connection, at, self._remembered)
        jobs.forget(connection, at, self._remembered)
        return asked, ended, expired

    def _count(self, connection: Connection) -> Counts:
        last = {each.name: each.state for each in held(connection, self._store.key)}
        return count(connection, [(each.name, last[each.name]) for each in self._declared if each.name in last])

    def _ask(self, connection: Connection, declared: OwnSubscription, found: Sequence[Held], at: datetime) -> bool:
        own = [each for each in found if each.name == declared.name and each.digest == declared.digest]
        if own and not _is_due(own[-1], declared, at):
            return False
        loaded = any(each.codes for each in own)
        asking.ask(connection, self._store.key, self._pen, subscribe_question(declared, at, load=not loaded), at)
        return True

    def _end(self, connection: Connection, one: Held, found: Sequence[Held], at: datetime) -> bool:
        """End what is not declared any more, and what another one has taken the place of."""
        if one.state != asking.ANSWERED or not self._is_over(one, found):
            return False
        if one.ends is None or one.ends > at:
            question = unsubscribe_question(one.name, one.service, one.receiver, one.codes, at)
            asking.ask(connection, self._store.key, self._pen, question, at)
        statement = update(REQUEST).where(REQUEST.c.message_id == one.message_id)
        connection.execute(statement.values(state=asking.ENDED))
        return True

    def _is_over(self, one: Held, found: Sequence[Held]) -> bool:
        declared = next((each for each in self._declared if each.name == one.name), None)
        if declared is None:
            return True
        later = (each for each in found if each.name == one.name and each.at > one.at)
        return any(each.state == asking.ANSWERED and each.digest == declared.digest for each in later)


def _is_due(last: Held, declared: OwnSubscription, at: datetime) -> bool:
    if last.state == asking.ANSWERED and last.ends is not None:
        return last.ends - at < min(_MARGIN, declared.length / 4) and at - last.at > min(_AGAIN, declared.length / 4)
    return at - last.at > _AGAIN or last.state == asking.ENDED


def held(connection: Connection, key: EventsKey) -> list[Held]:
    """Return the requests for subscriptions that the configuration declared, oldest first."""
    return [_held(row, key) for row in asking.requests(connection, action=SUBSCRIBE.action)]


def _held(row: Row[Any], key: EventsKey) -> Held:
    told = key.unseal(row.sealed)
    results = told.get("answer", {}).get("subscribe_response", ())
    made = [each for result in results for each in result.get("subscriptions", ())]
    ends = [datetime.fromisoformat(each["frequency"]["end_time"].upper()) for each in made if "frequency" in each]
    refused = tuple(
        (each.get("status_reason_code", ""), each.get("status_reason_message", ""))
        for each in results
        if each["status"] != "succ"
    )
    asked_end = told["kept"].get("ends")
    return Held(
        message_id=row.message_id,
        name=row.name,
        state=row.state,
        at=moment(row.created),
        digest=told["kept"].get("digest", ""),
        service=row.service,
        receiver=ServiceAddress.parse(row.receiver),
        codes=tuple(each["code"] for each in made),
        ends=min(ends) if ends else datetime.fromisoformat(asked_end) if asked_end and made else None,
        refused=refused,
    )


def subscribe_question(declared: OwnSubscription, at: datetime, *, load: bool) -> Question:
    """Ask for a declared subscription, one for each type of event.

    Args:
        declared: what is wanted.
        at: now.
        load: whether all records that fit are wanted first, if that is declared.
    """
    stamp, ends = at.isoformat(timespec="milliseconds"), at + declared.length
    criteria: dict[str, Any] = {
        "version": declared.version,
        "frequency": {
            "start_time": stamp,
            "end_time": ends.isoformat(timespec="milliseconds"),
            "frequency": declared.frequency,
        },
        "filter": declared.filter,
        "notify_record_type": declared.record,
        "authorize": {"ts": stamp, "purpose": dict(declared.purpose)},
    }
    if declared.filter_type is not None:
        criteria["filter_type"] = declared.filter_type
    items = [
        {
            "reference_id": event,
            "timestamp": stamp,
            "subscribe_criteria": criteria | {"reg_event_type": event} | _load(declared, place, load=load),
        }
        for place, event in enumerate(declared.events)
    ]
    return Question(
        operation=SUBSCRIBE,
        name=declared.name,
        service=declared.into,
        receiver=declared.at,
        transaction_id=str(uuid.uuid4()),
        body={SUBSCRIBE.part: items},
        count=len(items),
        kept={"digest": declared.digest, "ends": ends.isoformat()},
    )


def _load(declared: OwnSubscription, place: int, *, load: bool) -> dict[str, Any]:
    """One of the subscriptions brings the records that are there already: the first."""
    return {"first_load": True} if load and declared.first_load and place == 0 else {}


def unsubscribe_question(
    name: str, service: str, receiver: ServiceAddress, codes: Sequence[str], at: datetime
) -> Question:
    """Ask for the end of subscriptions."""
    body = {"timestamp": at.isoformat(timespec="milliseconds"), UNSUBSCRIBE.part: list(codes)}
    return Question(UNSUBSCRIBE, name, service, receiver, str(uuid.uuid4()), body, len(codes))
