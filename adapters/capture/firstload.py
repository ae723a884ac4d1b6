"""The first load of a subscription: all that it may have of a registry, in chunks that are one signed message each.

It refuses to run ahead of the receiver: a chunk is put into the outbox when few wait there. What is sent is what is
known of each record at that moment, with the time of its last change, so that no older state overtakes a later event.
The position is of the transaction of the chunk: a load that was killed goes on behind it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, Final

from sqlalchemy import Connection, func, select

from adapters import outbox
from adapters.asynchronous.subscriptions import Subscription
from adapters.capture import known as memory
from adapters.capture import positions
from adapters.capture.audiences import Audience
from adapters.capture.following import position_name
from adapters.capture.known import Known, Stored
from adapters.capture.publisher import Publisher
from adapters.capture.telling import NOTIFY
from adapters.errors import CaptureStopped
from adapters.events import Event, Outgoing
from adapters.events.inboxrows import ALIKE
from adapters.events.notification import element
from adapters.events.store import milliseconds, moment
from adapters.events.tables import OUTBOX
from adapters.subjects import identifiers

KIND: Final = "load"  # of the outbox: a whole message, which is never joined with another
_PAGES: Final = 20  # of a transaction, where a filter leaves little of each
_ENVELOPE: Final = 512  # bytes of an element beside its record: names, times and types
_VERSION: Final = "1.0.0"  # of DCI's header
Record = dict[str, Any]


class Next(Enum):
    """What a step of a load came to."""

    PUT = auto()
    FULL = auto()  # so many chunks wait that the next one waits too
    EARLY = auto()  # the registry was never compared whole: nothing is known of it yet
    DONE = auto()


@dataclass(frozen=True, slots=True)
class Loaded:
    """How far a load is: records that were put, and records that were looked at, of which a filter may leave fewer."""

    next: Next
    records: int
    looked_at: int
    chunks: int


class FirstLoad:
    """Loads the registry of one service into the outbox of one subscription.

    Args:
        publisher: of the service.
        code: of the subscription.
        sender_id: the own subsystem.
    """

    def __init__(self, publisher: Publisher, code: str, *, sender_id: str) -> None:
        self._publisher, self.code, self._sender_id = publisher, code, sender_id
        self._name = f"load:{code}"
        self._receiver = ""

    def step(self, connection: Connection, at: datetime) -> Loaded:
        """Put the next chunk, or say why not.

        Raises:
            CaptureStopped: there is no such subscription any more, or nothing may be given to it.
            SourceError: the source does not answer.
        """
        service = self._publisher.service.code
        memory.lock(connection, service)
        state = self._state(connection) or _begin(at)
        if state["done"]:
            return _loaded(Next.DONE, state)
        subscription, audience = self._whom(connection, at)
        if (
            not (positions.read(connection, self._publisher.key, position_name(service)) or {})
            .get("whole", {})
            .get("done")
        ):
            return _loaded(Next.EARLY, state)
        self._receiver = str(subscription.callback)
        if not self.has_room(connection):
            return _loaded(Next.FULL, state)
        found = self._collect(connection, audience, state)
        if found:
            outbox.put(connection, self._publisher.key, [self._chunk(subscription, audience, found, state, at)], at=at)
        positions.write(connection, self._publisher.key, self._name, state, at)
        return _loaded(Next.DONE if state["done"] else Next.PUT, state)

    def again(self, connection: Connection) -> None:
        """Forget how far it was: the whole registry is sent once more."""
        positions.forget(connection, self._name)

    def has_room(self, connection: Connection) -> bool:
        """Tell whether so few chunks wait that a step would put one: a look that costs little and holds no lock."""
        return self._waiting(connection) < self._publisher.config.load.waiting

    def total(self, connection: Connection) -> int:
        """Count the records that are known."""
        return memory.counted(connection, self._publisher.service.code)

    def so_far(self, connection: Connection) -> int:
        """Return how many records were put into the outbox before."""
        return int((self._state(connection) or {"records": 0})["records"])

    def is_done(self, connection: Connection) -> bool:
        """Tell whether all was put into the outbox."""
        return bool((self._state(connection) or {}).get("done"))

    def _state(self, connection: Connection) -> dict[str, Any] | None:
        found = positions.read(connection, self._publisher.key, self._name)
        return found if found is None or found["done"] or "place" in found else None  # begun before there were places

    def _whom(self, connection: Connection, at: datetime) -> tuple[Subscription, Audience]:
        for audience in self._publisher.audiences(connection, at):
            for each in audience.subscriptions:
                if each.code == self.code:
                    return each, audience
        raise CaptureStopped(
            f"service {self._publisher.service.code}: no subscription of this code is in force, or the release gives "
            "it nothing: `spean subscription list` shows them"
        )

    def _waiting(self, connection: Connection) -> int:
        table = OUTBOX.c
        its = (table.state == "waiting", table.receiver == self._receiver, table.kind == KIND)
        return int(connection.execute(select(func.count()).select_from(OUTBOX).where(*its)).scalar_one())

    def _collect(self, connection: Connection, audience: Audience, state: dict[str, Any]) -> list[tuple[Known, Record]]:
        """Take the next records that the audience may have something of, until a chunk is full; moves the state on."""
        limits = self._publisher.config.load
        found: list[tuple[Known, Record]] = []
        room = limits.bytes
        for _page in range(_PAGES):
            wanted = limits.chunk - len(found)
            rows = memory.behind(connection, self._publisher.service.code, state["place"], wanted)
            page = self._opened(rows, room, at_least=0 if found else 1)
            state["looked_at"] += len(page)
            found += self._cut(connection, audience, page)
            room -= sum(each.size + _ENVELOPE for each in page)
            state["done"] = len(page) == len(rows) < wanted
            if page:
                state["place"] = rows[len(page) - 1].place
            if state["done"] or len(page) < len(rows) or len(found) == limits.chunk:
                break
        return found

    def _opened(self, rows: Sequence[Stored], room: int, *, at_least: int) -> list[Known]:
        """Open rows as long as what may leave of them has room: a record alone leaves, however large it is."""
        found: list[Known] = []
        for each in rows:
            known = each.open(self._publisher.key)
            room -= known.size + _ENVELOPE
            if room < 0 and len(found) >= at_least:
                break
            found.append(known)
        return found

    def _cut(self, connection: Connection, audience: Audience, page: Sequence[Known]) -> list[tuple[Known, Record]]:
        fits = self._publisher.fitting_known(connection, audience, page)
        cuts = ((each, audience.cut(each.records[audience.version])) for each in page if each.key in fits)
        return [(each, cut) for each, cut in cuts if cut]

    def _chunk(
        self,
        subscription: Subscription,
        audience: Audience,
        found: Sequence[tuple[Known, Record]],
        state: dict[str, Any],
        at: datetime,
    ) -> Outgoing:
        load, number = state["load"], state["chunks"]
        state["chunks"] += 1
        state["records"] += len(found)
        together = self._publisher.key.word("load", load, str(number)).hex()[:ALIKE]
        events = [self._element(subscription, known, cut, (load, together)) for known, cut in found]
        subjects = identifiers([each.records[audience.version] for each, _cut in found])
        return Outgoing(
            key=self._publisher.key.word("load", load, str(number)).hex(),
            kind=KIND,
            service=self._publisher.service.code,
            receiver=str(subscription.callback),
            path=NOTIFY,
            person=None,
            body=self._document(subscription, load, number, events, at),
            access=audience.access([cut for _known, cut in found], subjects, len(found)),
        )

    def _element(self, subscription: Subscription, known: Known, cut: Record, names: tuple[str, str]) -> Record:
        """Name the event by its record, behind a beginning that all of a chunk have: receivers keep those together."""
        load, together = names
        own = self._publisher.key.word("load", load, known.key, str(known.count)).hex()
        event = Event(
            event_id=together + own[ALIKE:],
            at=moment(known.at),
            event_type=self._publisher.config.events.new,
            record_type=self._publisher.service.record_type,
            version=subscription.version,
            record=cut,
        )
        return element(event, reg_type=self._publisher.service.reg_type, locale=subscription.locale)

    def _document(
        self, subscription: Subscription, load: str, number: int, events: Sequence[Record], at: datetime
    ) -> Record:
        header = {
            "version": _VERSION,
            "message_id": f"{load}-{number}",
            "message_ts": at.isoformat(timespec="milliseconds"),
            "action": "notify",
            "status": "succ",
            "total_count": len(events),
            "completed_count": len(events),
            "sender_id": self._sender_id,
            "receiver_id": subscription.client,
            "is_msg_encrypted": False,
        }
        return {"header": header, "message": {"transaction_id": load, "notify_event": list(events)}}


def _begin(at: datetime) -> dict[str, Any]:
    return {
        "load": str(uuid.uuid4()), "place": 0, "chunks": 0, "records": 0, "looked_at": 0, "done": False,
        "started": milliseconds(at),
    }  # fmt: skip


def _loaded(following: Next, state: dict[str, Any]) -> Loaded:
    return Loaded(following, state["records"], state["looked_at"], state["chunks"])
