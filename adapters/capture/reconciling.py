"""Compares what an adapter has of another's registry with what it should have, and repairs the difference.

It refuses to overwrite what staff changed: records are applied by the writer, as notifications are. It refuses to end a
large part of what it has before staff say so; and to write a record's values anywhere but into the report that was
asked for.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, select

from adapters.asynchronous.config import OwnSubscription
from adapters.capture.digests import RECORDS, added, short, sums
from adapters.errors import CaptureStopped
from adapters.events import Event, EventsStore, Result
from adapters.events.canonical import NOTHING, digest
from adapters.events.model import Status
from adapters.events.notification import read_element
from adapters.events.tables import SYNCED
from adapters.writing import Writer

ENDED_FEW: Final = 100  # so many may always be ended
ENDED_SHARE: Final = 0.1
Document = dict[str, Any]
Ask = Callable[[Document], Awaitable[Mapping[str, Any]]]

MISSING, OLDER, UNKNOWN = "missing here", "older here", "unknown there"
NOT_AS_THERE, NOT_AS_HERE = "missing or older here", "older here or unknown there"  # without asking for records
REPAIRED, ALONE, REJECTED, CONFLICT, DIFFERS = "repaired", "left alone", "rejected", "in conflict", "differs"


@dataclass(frozen=True, slots=True)
class Line:
    """One record that was not as it should be.

    Args:
        what: missing here, older here, or unknown there.
        outcome: repaired, left alone, rejected, in conflict; or differs, when nothing was to be done.
        name: of the record: the publisher's for it, or a local hash; it tells nobody whose it is.
        reason: why it was not repaired, without values.
        key: of the local record, for the report.
        record: as it was sent, for the report.
    """

    what: str
    outcome: str
    name: str
    reason: str = ""
    key: Any = None
    record: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Report:
    """What a reconciliation found and did."""

    compared: int = 0
    lines: list[Line] = field(default_factory=list)

    def count(self, what: str | None = None, outcome: str | None = None) -> int:
        """Count lines."""
        return sum(what in {None, each.what} and outcome in {None, each.outcome} for each in self.lines)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left that differs."""
        return all(each.outcome in {REPAIRED, ALONE, CONFLICT} for each in self.lines)


@dataclass(frozen=True, slots=True)
class Own:
    """What is here of one record that came from the publisher."""

    person: bytes
    digest: bytes
    sealed: bytes


class Reconciliation:
    """Reconciles one subscription.

    Args:
        declared: the subscription, as the adapter file has it.
        writer: of the service that it goes into.
        store: the tables of events.
        ask: sends one request of a comparison to the publisher, and gives the answer.
    """

    def __init__(self, declared: OwnSubscription, writer: Writer, store: EventsStore, ask: Ask) -> None:
        self._declared, self._writer, self._store, self._ask = declared, writer, store, ask
        self._sender = str(declared.at.client)

    async def run(
        self, *, dry_run: bool = False, accept_gone: bool = False, progress: Callable[[int], None] = lambda _done: None
    ) -> Report:
        """Compare, and unless it is a dry run, repair.

        Raises:
            CaptureStopped: the publisher refuses, or too much would end.
            EventsError: the own database is away.
        """
        report = Report()
        own = await self._store.read(self._own)
        theirs = await self._ranges(report, progress)
        differing = _differing(theirs, sums(each.digest for each in own))
        if not differing:
            return report
        entries = [each async for each in self._entries(differing)]
        here = {short(each.digest): each for each in own}
        there = {each for _name, each in entries}
        wanted = [(name, each) for name, each in entries if each not in here]
        extra = {each.person: each for each in own if each.digest[0] in differing and short(each.digest) not in there}
        if dry_run:
            report.lines = _found(wanted, extra)
            return report
        for start in range(0, len(wanted), RECORDS):
            page = wanted[start : start + RECORDS]
            told = await self._ask(self._request("records", ids=[name for name, _each in page]))
            events = [read_element(each) for each in told["events"]]
            report.lines += await self._applied(events, extra)
            progress(len(report.lines))
        await self._end(report, extra, len(own), accept=accept_gone)
        return report

    async def _applied(self, events: Sequence[Event], extra: dict[bytes, Own]) -> list[Line]:
        return await self._store.write(lambda connection: self._apply(connection, events, extra))

    async def _ranges(self, report: Report, progress: Callable[[int], None]) -> dict[str, list[Any]]:
        total: dict[str, list[Any]] = {}
        after: str | None = ""
        while after is not None:
            told = await self._ask(self._request("ranges", after=after))
            total, after = added(total, told["ranges"]), told["after"]
            report.compared += told["records"]
            progress(report.compared)
        return total

    async def _entries(self, buckets: Sequence[int]) -> Any:  # noqa: ANN401  # an iterator of names and digests
        after: str | None = ""
        while after is not None:
            told = await self._ask(self._request("entries", after=after, buckets=list(buckets)))
            for name, each in told["entries"]:
                yield name, each
            after = told["after"]

    def _request(self, part: str, **more: str | list[str] | list[int]) -> Document:
        declared = self._declared
        said: Document = {"part": part, "purpose": declared.purpose["code"], "version": declared.version, **more}
        return said if declared.filter_type is None else said | {
            "filter_type": declared.filter_type, "filter": declared.filter
        }  # fmt: skip

    def _own(self, connection: Connection) -> list[Own]:
        table = SYNCED.c
        rows = connection.execute(
            select(table.person, table.digest, table.sealed)
            .where(table.service == self._declared.into, table.sender == self._sender, table.digest != NOTHING)
            .order_by(table.person)
        )
        return [Own(bytes(row.person), bytes(row.digest), row.sealed) for row in rows]

    def _apply(self, connection: Connection, events: Sequence[Event], extra: dict[bytes, Own]) -> list[Line]:
        """Apply records, and tell by what is remembered then which of them were here before."""
        results = self._writer.receive(connection, self._sender, events, datetime.now(UTC))
        digests = {digest(each.record): each for each in events}
        after = {each.digest: each for each in self._own(connection) if each.digest in digests}
        lines: list[Line] = []
        for event, result in zip(events, results, strict=True):
            own = after.get(digest(event.record))
            before = None if own is None else extra.pop(own.person, None)
            lines.append(self._line(event, result, own, MISSING if before is None else OLDER))
        return lines

    def _line(self, event: Event, result: Result, own: Own | None, what: str) -> Line:
        if result.status is Status.REJECTED:
            outcome = REJECTED
        elif result.conflicts:
            outcome = CONFLICT
        else:
            outcome = ALONE if own is None else REPAIRED
        key = None if own is None else self._store.key.unseal(own.sealed)["key"]
        return Line(what, outcome, event.event_id[:12], result.message, key, event.record)

    async def _end(self, report: Report, extra: Mapping[bytes, Own], own: int, *, accept: bool) -> None:
        """End what the publisher does not have, by what the write file says of records that are gone."""
        if len(extra) > max(ENDED_FEW, own * ENDED_SHARE) and not accept:
            raise CaptureStopped(
                f"{len(extra):,} of {own:,} records here are unknown there: see that the subscription and its filter "
                "are as they were; if these records are gone, give --accept-gone"
            )
        left = list(extra.values())
        for start in range(0, len(left), RECORDS):
            page = left[start : start + RECORDS]
            report.lines += await self._store.write(partial(self._ended, page))

    def _ended(self, page: Sequence[Own], connection: Connection) -> list[Line]:
        keys = [self._store.key.unseal(each.sealed)["key"] for each in page]
        gone = min(self._writer.definition.gone_events, default="REMOVE")
        results = self._writer.end(connection, self._sender, keys, gone, datetime.now(UTC))
        still = {each.person for each in self._own(connection)}
        lines: list[Line] = []
        for own, key, result in zip(page, keys, results, strict=True):
            rejected = REJECTED if result.status is Status.REJECTED else ALONE
            outcome = rejected if own.person in still else REPAIRED
            lines.append(Line(UNKNOWN, outcome, own.person.hex()[:12], result.message, key))
        return lines


def _differing(theirs: Mapping[str, list[Any]], own: Mapping[str, list[Any]]) -> list[int]:
    return sorted(int(each) for each in {*theirs, *own} if list(theirs.get(each, ())) != list(own.get(each, ())))


def _found(wanted: Sequence[tuple[str, str]], extra: Mapping[bytes, Own]) -> list[Line]:
    """Without asking for records, an older state and a record that only one side has cannot be told apart."""
    lines: Iterator[Line] = (Line(NOT_AS_THERE, DIFFERS, name[:12]) for name, _digest in wanted)
    others = (Line(NOT_AS_HERE, DIFFERS, each.person.hex()[:12]) for each in extra.values())
    return [*lines, *others]
