"""Tells a subscriber what it should have, so that it can compare: sums of digests, then digests, then records.

It refuses whoever has no subscription in force, and gives of a record what its release gives, also in digests. The path
is ours, since DCI has none. It keeps nothing between two requests: each goes on after the one before it.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection

from adapters.accesslog import AccessEntry, AccessStore, Outcome
from adapters.capture import known as memory
from adapters.capture.audiences import Audience
from adapters.capture.known import Known
from adapters.capture.publisher import Publisher
from adapters.errors import CaptureStopped, RequestRefused
from adapters.events import Event, EventsStore
from adapters.events.canonical import canonical, digest
from adapters.events.notification import element
from adapters.events.store import moment
from adapters.registry.app import COMPARE
from adapters.registry.callers import Caller
from adapters.subjects import identifiers

PATH: Final = COMPARE
SCAN: Final = 4_000  # records of one request: half a second of cutting
RECORDS: Final = 100  # of one answer: below what any limit of bodies is
BUCKETS: Final = 256  # by the first byte of a digest
_SUM: Final = 1 << 128  # sums are of the first half of digests: they find differences, they prove nothing
_HALF: Final = 16
_HEX: Final = re.compile(r"(?:[0-9a-f]{64})?")
_BAD: Final = "err.request.bad"
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mine:
    """A known record as an audience has it."""

    known: Known
    cut: Document
    digest: bytes


class Digests:
    """Answers the comparisons of one service's subscribers."""

    def __init__(self, publisher: Publisher, store: EventsStore, access: AccessStore) -> None:
        self._publisher, self._store, self._access = publisher, store, access

    async def answer(self, document: Mapping[str, Any], caller: Caller, xroad_id: str) -> Document:
        """Answer one request.

        Args:
            document: ``part`` (``ranges``, ``entries`` or ``records``), of which subscription (``purpose``,
                ``version``, ``filter_type``, ``filter``), and ``after``, ``buckets`` or ``ids``.
            caller: who asks.
            xroad_id: of the bus.

        Raises:
            RequestRefused: it cannot be read, or the caller has no such subscription.
            SourceError, EventsError, AccessLogError: nothing can be answered.
        """
        at = datetime.now(UTC)
        try:
            return await self._answer(document, caller, xroad_id, at)
        except CaptureStopped as error:
            raise RequestRefused(400, _BAD, str(error)) from error

    async def _answer(self, document: Mapping[str, Any], caller: Caller, xroad_id: str, at: datetime) -> Document:
        match document.get("part"):
            case "ranges":
                after = _after(document)
                return await self._store.write(lambda connection: self._ranges(connection, document, caller, after, at))
            case "entries":
                after, buckets = _after(document), _buckets(document)
                return await self._store.write(
                    lambda connection: self._entries(connection, document, caller, (after, buckets), at)
                )
            case "records":
                ids = _ids(document)
                audience, found = await self._store.write(
                    lambda connection: self._records(connection, document, caller, ids, at)
                )
                await self._access.append([self._entry(audience, found, caller, xroad_id, at)] if found else [], None)
                return {"events": [self._element(audience, each, xroad_id, at) for each in found]}
            case _:
                raise RequestRefused(400, _BAD, "part is ranges, entries or records")

    def _ranges(
        self, connection: Connection, document: Mapping[str, Any], caller: Caller, after: bytes, at: datetime
    ) -> Document:
        found, last = self._scan(connection, self._audience(connection, document, caller, at), after)
        return {"ranges": sums(each.digest for each in found), "records": len(found), "after": last}

    def _entries(
        self,
        connection: Connection,
        document: Mapping[str, Any],
        caller: Caller,
        asked: tuple[bytes, frozenset[int]],
        at: datetime,
    ) -> Document:
        after, buckets = asked
        found, last = self._scan(connection, self._audience(connection, document, caller, at), after)
        entries = [[each.known.person.hex(), short(each.digest)] for each in found if each.digest[0] in buckets]
        return {"entries": entries, "after": last}

    def _records(
        self, connection: Connection, document: Mapping[str, Any], caller: Caller, ids: Sequence[bytes], at: datetime
    ) -> tuple[Audience, list[Mine]]:
        audience = self._audience(connection, document, caller, at)
        rows = memory.stored(connection, self._publisher.service.code, ids)
        page = [each.open(self._publisher.key) for each in rows.values()]
        return audience, self._mine(connection, audience, [each for each in page if each.records])

    def _scan(self, connection: Connection, audience: Audience, after: bytes) -> tuple[list[Mine], str | None]:
        rows = memory.page(connection, self._publisher.service.code, after, SCAN)
        found = self._mine(connection, audience, [each.open(self._publisher.key) for each in rows])
        return found, rows[-1].person.hex() if len(rows) == SCAN else None

    def _mine(self, connection: Connection, audience: Audience, page: Sequence[Known]) -> list[Mine]:
        fits = self._publisher.fitting_known(connection, audience, page)
        cuts = ((each, audience.cut(each.records[audience.version])) for each in page if each.key in fits)
        return [Mine(each, cut, digest(cut)) for each, cut in cuts if cut]

    def _audience(self, connection: Connection, document: Mapping[str, Any], caller: Caller, at: datetime) -> Audience:
        """Find the caller's own subscription: by what it asked for, since one may have several."""
        wanted = (document.get("purpose"), document.get("version"), _filter(document))
        for each in self._publisher.audiences(connection, at):
            first = each.subscriptions[0]
            if first.client == caller.client and (first.purpose, each.version, _filter(first.criteria)) == wanted:
                return each
        raise RequestRefused(403, "err.request.forbidden", "no such subscription of yours is in force: subscribe first")

    def _entry(
        self, audience: Audience, found: Sequence[Mine], caller: Caller, xroad_id: str, at: datetime
    ) -> AccessEntry:
        subjects = identifiers([each.known.records[audience.version] for each in found])
        told = audience.access([each.cut for each in found], (), len(found))
        return AccessEntry(
            at=at,
            service=self._publisher.service.code,
            operation=PATH,
            client=caller.client,
            via=caller.via,
            xroad_id=xroad_id,
            user=caller.user,
            purpose=told["purpose"],
            basis=told["basis"],
            asked_by=(),
            outcome=Outcome.GIVEN,
            reason=None,
            given=tuple(told["given"]),
            records=len(found),
            subjects=subjects,
        )

    def _element(self, audience: Audience, each: Mine, xroad_id: str, at: datetime) -> Document:
        """A name of its own: one that the receiver knows from before its backup would be taken for done."""
        name = self._publisher.key.word("again", xroad_id, at.isoformat(), each.known.key).hex()
        service, types = self._publisher.service, self._publisher.config.events
        event = Event(name, moment(each.known.at), types.changed, service.record_type, audience.version, each.cut)
        return element(event, reg_type=service.reg_type)


def sums(digests: Any) -> dict[str, list[Any]]:  # noqa: ANN401  # an iterable of bytes
    """Return how many digests there are by their first byte, and their sum."""
    found: dict[int, tuple[int, int]] = {}
    for each in digests:
        count, total = found.get(each[0], (0, 0))
        found[each[0]] = count + 1, (total + int.from_bytes(each[:_HALF])) % _SUM
    return {str(bucket): [count, f"{total:032x}"] for bucket, (count, total) in sorted(found.items())}


def added(one: Mapping[str, list[Any]], other: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """Return the sums of two parts of a registry together."""
    both = dict(one)
    for bucket, (count, total) in other.items():
        before, sum_ = both.get(bucket, [0, "0"])
        both[bucket] = [before + count, f"{(int(sum_, 16) + int(total, 16)) % _SUM:032x}"]
    return both


def short(value: bytes) -> str:
    """Return a digest as it is compared: half of it tells records apart."""
    return base64.urlsafe_b64encode(value[:_HALF]).rstrip(b"=").decode()


def _filter(document: Mapping[str, Any]) -> bytes:
    return canonical([document.get("filter_type"), document.get("filter") or {}])


def _after(document: Mapping[str, Any]) -> bytes:
    text = document.get("after") or ""
    if not isinstance(text, str) or _HEX.fullmatch(text) is None:
        raise RequestRefused(400, _BAD, "after is what the answer before said")
    return bytes.fromhex(text)


def _buckets(document: Mapping[str, Any]) -> frozenset[int]:
    found = document.get("buckets")
    if not isinstance(found, list) or not all(isinstance(each, int) and 0 <= each < BUCKETS for each in found):
        raise RequestRefused(400, _BAD, f"buckets is a list of numbers below {BUCKETS}")
    return frozenset(found)


def _ids(document: Mapping[str, Any]) -> list[bytes]:
    found = document.get("ids")
    if not isinstance(found, list) or not 0 < len(found) <= RECORDS:
        raise RequestRefused(400, _BAD, f"ids is a list of 1 to {RECORDS} names out of entries")
    try:
        return [binascii.unhexlify(each) for each in found]
    except (TypeError, ValueError) as error:
        raise RequestRefused(400, _BAD, "ids are names out of entries") from error
