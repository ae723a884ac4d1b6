"""Publishes for one service: reads what changed, compares it with what is known, tells those who may know.

It refuses to tell a change twice, or one that nobody may see: what is known of a record, the event, and what leaves of
it are of one transaction, the caller's. Writers and captures call it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection

from adapters import outbox
from adapters.asynchronous.subscriptions import active
from adapters.capture import known as memory
from adapters.capture.audiences import Audience, audiences
from adapters.capture.comparing import Batch, Moment, Step, Taken
from adapters.capture.known import Known
from adapters.capture.reading import Reader, SqlReader
from adapters.capture.telling import Telling
from adapters.errors import CaptureStopped, RecordUnreadable, SearchRejected
from adapters.events import EventsKey, Outgoing
from adapters.mapping.counting import RefusedRecord, standard
from adapters.services import ServiceConfig

_log = structlog.get_logger(__name__)
Record = dict[str, Any]


class Publisher:
    """Publishes for one service; raises :class:`ValueError` for one that publishes nothing."""

    def __init__(self, service: ServiceConfig, key: EventsKey, reader: Reader) -> None:
        if service.publish is None:
            raise ValueError("the service publishes nothing")
        self.service, self.key, self.reader, self.config = service, key, reader, service.publish
        self.telling = Telling(service, key)

    def publish(self, connection: Connection, record_key: str, at: datetime) -> int:
        """Look at one record, and tell what is new of it; returns how many messages will leave.

        It is read through the connection where the tables stand beside the programme's own, with what the transaction
        has written. Raises :class:`SourceError` where the source cannot be read by key.
        """
        return self.look(connection, [record_key], at).told

    def look(
        self,
        connection: Connection,
        keys: Sequence[str],
        at: datetime,
        *,
        number: int | None = None,
        tell: bool = True,
    ) -> Taken:
        """Read records by their keys and :meth:`take` them; a key that is not there is of a record that is gone."""
        memory.lock(connection, self.service.code)  # before they are read: no older state may come after a newer one
        there = self._read(connection, keys)
        found = {each: there.get(each) for each in dict.fromkeys(keys)}
        return self.take(connection, found, at, number=number, tell=tell)

    def take(
        self,
        connection: Connection,
        found: Mapping[str, Record | RefusedRecord | None],
        at: datetime,
        *,
        number: int | None = None,
        tell: bool = True,
        unique: bool = False,
    ) -> Taken:
        """Compare local records with what is known of them, remember them, and tell what is different.

        Args:
            connection: of :meth:`adapters.events.EventsStore.write`.
            found: local records by key; None for one that is gone, and why for one that cannot be read.
            at: now.
            number: of the whole comparison that these records are part of.
            tell: whether anybody is told; else they are remembered only.
            unique: whether a record that this comparison has seen before is another one with the same key.
        """
        memory.lock(connection, self.service.code)
        names = {self.key.order(self.service.code, each): each for each in found}
        rows = memory.stored(connection, self.service.code, list(names))
        batch = Batch(Moment(connection, self.key, self.service.code, at, number), rows, self._versions, unique)
        for person, name in names.items():
            batch.take(person, name, found[name])
        batch.remember()
        told = self._tell(connection, batch.steps, found, at) if tell else 0
        return Taken(len(found), len(batch.steps), told, len(batch.bad))

    def audiences(self, connection: Connection, at: datetime) -> tuple[Audience, ...]:
        """Return who is to be told now."""
        return audiences(self.service, self.key, active(connection, self.key, self.service.code, at), at)

    def fitting(self, connection: Connection, audience: Audience, found: Mapping[str, Record]) -> frozenset[str]:
        """Return the keys of the local records that an audience hears of; raises :class:`SourceError`."""
        if audience.filter is None:
            return frozenset(found)
        try:
            return self.reader.fitting(connection, audience.filter, found)
        except SearchRejected as error:
            codes = [each.code for each in audience.subscriptions]
            _log.warning("subscription_filter_unusable", service=self.service.code, codes=codes, problem=error.reason)
            return frozenset()

    def fitting_known(self, connection: Connection, audience: Audience, page: Sequence[Known]) -> frozenset[str]:
        """Return the keys of known records that an audience hears of, and remember it for a filter.

        Raises:
            CaptureStopped: a service that is called compares a filter with its own records only as they come.
            SourceError: the source does not answer.
        """
        keys = frozenset(each.key for each in page)
        if audience.filter is None or not page:
            return keys
        if not isinstance(self.reader, SqlReader):
            raise CaptureStopped(
                f"service {self.service.code}: its source cannot be asked for known records: no filter"
            )
        fits = self.fitting(connection, audience, {each: {} for each in keys})
        new = [replace(each, told=each.told | {audience.name}) for each in page if each.key in fits]
        old = {each.person: each.told for each in page}
        memory.write(
            connection, self.key, self.service.code, (), [each for each in new if each.told != old[each.person]]
        )
        return fits

    def _read(self, connection: Connection, keys: Sequence[str]) -> dict[str, Record | RefusedRecord]:
        """Read all at once; when one of them cannot be read, each alone, so that the others are."""
        try:
            return dict(self.reader.records(connection, keys))
        except RecordUnreadable as error:
            if len(keys) == 1:
                return {keys[0]: RefusedRecord(str(error))}
        return {name: record for each in keys for name, record in self._read(connection, [each]).items()}

    def _versions(self, local: Record) -> dict[str, Record]:
        return {version: standard(mapping, local) for version, mapping in self.service.mappings.items()}

    def _tell(
        self,
        connection: Connection,
        steps: Sequence[Step],
        found: Mapping[str, Record | RefusedRecord | None],
        at: datetime,
    ) -> int:
        there = {each.after.key: local for each in steps if isinstance(local := found[each.after.key], dict)}
        outgoing: list[Outgoing] = []
        having: dict[bytes, set[str]] = {}
        for audience in self.audiences(connection, at) if steps else ():
            fits = self.fitting(connection, audience, there)
            for step in steps:
                outgoing += self.telling.messages(audience, step, at, fits=step.after.key in fits)
                if audience.filter is not None and step.after.key in fits:
                    having.setdefault(step.after.person, set()).add(audience.name)
        self._remember_who(connection, steps, having)
        return outbox.put(connection, self.key, outgoing, at=at)

    def _remember_who(self, connection: Connection, steps: Sequence[Step], having: Mapping[bytes, set[str]]) -> None:
        """Write which audiences with a filter have a record: they hear of it when it does not fit any more."""
        others = [
            replace(each.after, told=told)
            for each in steps
            if (told := frozenset(having.get(each.after.person, ()))) != each.after.told
        ]
        memory.write(connection, self.key, self.service.code, (), others)
