"""The writer of one service: takes events from a sender, applies each once, and says what became of it.

It refuses senders and event types that the write file does not name. One event that cannot be applied is rejected
alone; trouble of the database fails the whole message, so that the sender tries it again.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from adapters.events import Event, EventsKey, Result
from adapters.events.canonical import NOTHING
from adapters.events.model import Status
from adapters.events.store import milliseconds
from adapters.mapping.intake import sources_of
from adapters.writing.applying import NOT_FOR_US, Chunk
from adapters.writing.definition import WriteDefinition
from adapters.writing.elsewhere import Elsewhere, Told
from adapters.writing.incoming import Incoming, Intake, Rejected
from adapters.writing.memory import Memory
from adapters.writing.places import nested, rows_of
from adapters.writing.rows import Local, Statements

CHUNK: Final = 500  # events that are read, decided and written together: some megabytes
After = Callable[[Connection, str], None]
_REFUSED: Final = (IntegrityError, DataError, UnicodeError, OverflowError)  # by the record, not by the database's state
_SQLITE: Final = re.compile(r"(UNIQUE|NOT NULL|CHECK|FOREIGN KEY|PRIMARY KEY) constraint failed(: [\w., ]+)?", re.ASCII)
_PG_UNIQUE: Final = "23505"  # unique_violation
_MARIADB_UNIQUE: Final = 1062  # ER_DUP_ENTRY
_HELD: Final = ": another record here has it; send this again when that one has let it go, or both in one message"
# What stands before may be a value: only the last name counts, and only where nothing but the row's place follows.
_MARIADB: Final = re.compile(
    r"(?:key|[Cc]olumn|Field|CONSTRAINT) ['`]([\w.`]+)['`]"
    r"(?: cannot be null| doesn't have a default value| at row \d+| failed for [\w.`]+| FOREIGN KEY [\w.`(), ]+)?$",
    re.ASCII,
)


class Judged(NamedTuple):
    """An event, and what it says in local words, or why it is not applied."""

    event: Event
    outcome: Incoming | Result


class Writer:
    """Applies events to the programme's own tables.

    Args:
        service: code of the own service.
        definition: its write file.
        key: of the adapter's events.
    """

    def __init__(self, service: str, definition: WriteDefinition, key: EventsKey) -> None:
        self.service, self.definition = service, definition
        self.after: After | None = None  # called with the key of each record that was written, in the transaction
        self.others: dict[str, After] = {}  # the same for other services of the adapter, which ``tells`` names
        self.elsewhere: Elsewhere | None = None  # where rows are not in the database of the events
        self.memory, self.statements = Memory(service, key, definition.own_number), Statements(definition)
        self.intake = Intake(definition)
        self.names = sources_of(definition.mapping.mapping)

    @property
    def senders(self) -> frozenset[str]:
        """The clients whose events are taken; all others are refused."""
        return frozenset(self.definition.senders)

    def judge(self, sender: str, events: Sequence[Event]) -> list[Judged]:
        """Judge events and map them back, as far as no database is needed; for any thread, outside of transactions."""
        return [Judged(each, self._read(sender, each)) for each in events]

    def receive(
        self, connection: Connection, sender: str, events: Sequence[Event | Judged], at: datetime
    ) -> list[Result]:
        """Apply events in the given transaction.

        Args:
            connection: of the database of the events, which is the programme's too unless :attr:`elsewhere` is set.
            sender: the client that sent them, ``INSTANCE/CLASS/MEMBER/SUBSYSTEM``.
            events: in the sender's order; what :meth:`judge` made of them is not made again.
            at: now.

        Returns:
            one result for each, in their order. One that is known has the result that it had, unless it was rejected:
            then it is tried again.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is locked, away or full: nothing may be committed.
        """
        with self.rows(connection, at) as told:
            results, touched = self.apply(connection, sender, events, at)
            told.extend(self.heard(touched))
        return results

    def apply(
        self, connection: Connection, sender: str, events: Sequence[Event | Judged], at: datetime
    ) -> tuple[list[Result], dict[Any, Local]]:
        """Apply events within :meth:`rows`, and return with the results the records that were written."""
        judged = [each if isinstance(each, Judged) else Judged(each, self._read(sender, each)) for each in events]
        if sender not in self.definition.senders:
            return [each.outcome for each in judged if isinstance(each.outcome, Result)], {}
        results: list[Result] = []
        touched: dict[Any, Local] = {}
        for start in range(0, len(judged), CHUNK):
            found, records = self._attempt(connection, sender, judged[start : start + CHUNK], at)
            results += found
            touched |= records
        held = [place for place, each in enumerate(results) if each.held]
        if held and len(judged) > 1:  # whoever has the number may have let go of it later in the message
            found, records = self._attempt(connection, sender, [judged[each] for each in held], at)
            touched |= records
            for place, each in zip(held, found, strict=True):
                results[place] = each
        return results, touched

    @contextmanager
    def rows(self, connection: Connection, at: datetime) -> Iterator[Told]:
        """Let rows be written in the block; whoever publishes what it put into the list hears of that then."""
        told: Told = []
        with nullcontext() if self.elsewhere is None else self.elsewhere.open(connection, told, at):
            yield told
        for service, key in dict.fromkeys(told):
            after = self.after if service is None else self.others.get(service)
            if after is not None:
                after(connection, key)

    def heard(self, touched: Mapping[Any, Local]) -> Told:
        """Return what publishers are to hear of records that were written."""
        told: Told = [(None, str(key)) for key in touched]
        for service, name in self.definition.tells.items():
            told += [(service, str(key)) for record in touched.values() for key in _values(record, name)]
        return told

    def follow(self, connection: Connection, at: datetime) -> None:
        """Let the tables of events follow what was written elsewhere when a process ended between the two."""
        with self.rows(connection, at):
            pass

    def end(
        self, connection: Connection, sender: str, keys: Sequence[Any], event_type: str, at: datetime
    ) -> list[Result]:
        """Do to local records what is declared for those that are gone at a sender, which it does not know any more.

        Args:
            connection: as for :meth:`receive`.
            sender: whose records they are.
            keys: of the local records.
            event_type: what the sender would have told.
            at: now.
        """
        with self.rows(connection, at) as told, nested(connection):
            there = self.statements.load(rows_of(connection), set(keys))
            incoming = [self._ended(each, there, event_type, at) for each in keys]
            chunk = Chunk(connection, self.statements, self.memory, self.names, sender, at)
            chunk.load(incoming)
            results = [_applied(chunk, self.memory.word(sender, each.event.event_id), each) for each in incoming]
            chunk.flush()
            told.extend(self.heard(chunk.touched))
        return results

    def _ended(self, key: Any, there: Mapping[Any, Local], event_type: str, at: datetime) -> Incoming:  # noqa: ANN401  # a column's value
        """Name a record by the numbers that are here: what the sender called it is not known any more."""
        local, name = there.get(key), self.memory.key.word("ended", self.service, str(key), at.isoformat()).hex()
        version = self.definition.mapping.mapping.contract_version
        event = Event(name, at, event_type, self.definition.record_type, version, {})
        fields = {
            find.field: values[0]
            for find in self.definition.find
            if local is not None and find.field in local.values and (values := _values(local, find.field))
        }
        return Incoming(event, milliseconds(at), True, NOTHING, fields)  # noqa: FBT003  # a named tuple's field

    def _attempt(
        self, connection: Connection, sender: str, events: Sequence[Judged], at: datetime
    ) -> tuple[list[Result], dict[Any, Local]]:
        """Apply all together; where the database refuses a row, halves, down to the one event that it is about."""
        try:
            return self._moving(connection, sender, events, at)
        except _REFUSED as error:
            if len(events) > 1:
                middle = len(events) // 2
                first, one = self._attempt(connection, sender, events[:middle], at)
                second, two = self._attempt(connection, sender, events[middle:], at)
                return [*first, *second], one | two
            refused = error
        try:  # once more: a number drawn here, or a row that somebody wrote a moment ago, does not collide twice
            return self._moving(connection, sender, events, at)
        except _REFUSED:
            return [self._refuse(connection, sender, events[0].event, refused, at)], {}

    def _moving(
        self, connection: Connection, sender: str, events: Sequence[Judged], at: datetime
    ) -> tuple[list[Result], dict[Any, Local]]:
        """Apply all together; where a number is taken, once more with those let go of first that move among them."""
        try:
            return self._together(connection, sender, events, at)
        except IntegrityError as error:
            if not _is_held(error):
                raise
        return self._together(connection, sender, events, at, releases=True)

    def _together(
        self, connection: Connection, sender: str, events: Sequence[Judged], at: datetime, *, releases: bool = False
    ) -> tuple[list[Result], dict[Any, Local]]:
        spoiled: dict[bytes, Result] = {}
        while True:
            try:
                return self._all(connection, sender, events, at, spoiled, releases=releases)
            except _Spoiled as error:
                spoiled[error.word] = error.result

    def _all(
        self, connection: Connection, sender: str, events: Sequence[Judged], at: datetime,
        spoiled: dict[bytes, Result], *, releases: bool,
    ) -> tuple[list[Result], dict[Any, Local]]:  # fmt: skip
        with nested(connection):
            words = [self.memory.word(sender, each.event.event_id) for each in events]
            known = self.memory.results(connection, {w: e.event.event_id for w, e in zip(words, events, strict=True)})
            again = [word for word, result in known.items() if result is None]
            done = {word: result for word, result in known.items() if result is not None}
            chunk = Chunk(connection, self.statements, self.memory, self.names, sender, at)
            chunk.releases = releases
            new = {
                word: spoiled.get(word) or each.outcome
                for word, each in zip(words, events, strict=True)
                if word not in done
            }
            chunk.load([each for each in new.values() if isinstance(each, Incoming)])
            answers = {word: _applied(chunk, word, each) for word, each in new.items()}
            chunk.flush()
            self.memory.forget(connection, again)
            self.memory.answer(connection, answers.items(), sender, milliseconds(at))
        done |= answers
        return [done[word] for word in words], chunk.touched

    def _read(self, sender: str, event: Event) -> Incoming | Result:
        if sender not in self.definition.senders:
            return rejected(event, "sender: takes nothing from this client")
        types = self.definition.senders[sender]
        if types is not None and event.event_type not in types:
            return rejected(event, "event type: not taken from this client")
        try:
            found = self.intake.read(event, milliseconds(event.at))
        except Rejected as error:
            return rejected(event, str(error))
        return Result(event.event_id, Status.SUCCEEDED, NOT_FOR_US, noted=True) if found is None else found

    def _refuse(self, connection: Connection, sender: str, event: Event, error: Exception, at: datetime) -> Result:
        held, word = _is_held(error), self.memory.word(sender, event.event_id)
        result = rejected(event, _why(error) + (_HELD if held else ""), held=held)
        self.memory.forget(connection, [word])
        self.memory.answer(connection, [(word, result)], sender, milliseconds(at))
        return result


def rejected(event: Event, why: str, *, held: bool = False) -> Result:
    """Return what a sender hears of an event that was not applied."""
    return Result(event.event_id, Status.REJECTED, why, held=held)


class _Spoiled(Exception):  # noqa: N818  # never leaves this module
    """An event was rejected after it had changed something in memory: all is done again without it."""

    def __init__(self, word: bytes, result: Result) -> None:
        super().__init__()
        self.word, self.result = word, result


def _applied(chunk: Chunk, word: bytes, each: Incoming | Result) -> Result:
    if isinstance(each, Result):
        return each
    try:
        return chunk.apply(each)
    except Rejected as error:
        result = rejected(each.event, str(error))
        if chunk.began:
            raise _Spoiled(word, result) from None
        return result


def _values(record: Local, name: str) -> list[Any]:
    if name in record.values:
        return [record.values[name]]
    for path, rows in record.rows.items():
        own = name.removeprefix(f"{path}.")
        if own != name:
            return [value for row in rows if (value := row.values.get(own)) is not None]
    return []


def _why(error: Exception) -> str:
    """Name the database's rule without the row that broke it."""
    original = error.orig if isinstance(error, DBAPIError) else error
    diagnosis = getattr(original, "diag", None)
    if diagnosis is not None:
        names = [diagnosis.table_name, diagnosis.column_name, diagnosis.constraint_name]
        rule = f"{type(original).__name__} {'.'.join(each for each in names if each)}".strip()
    elif (found := _SQLITE.search(str(original))) is not None:
        rule = found[0]
    else:
        named = _MARIADB.search(str(original.args[-1])) if original is not None and original.args else None
        rule = type(original).__name__ if named is None else f"{type(original).__name__} {named[1].replace('`', '')}"
    return f"constraint: the database refuses the row ({rule})"


def _is_held(error: Exception) -> bool:
    """Tell whether another row has a value that each may have once."""
    original = error.orig if isinstance(error, DBAPIError) else error
    number = original.args[0] if original is not None and original.args else None
    return (
        getattr(original, "sqlstate", None) == _PG_UNIQUE
        or number == _MARIADB_UNIQUE
        or str(original).startswith("UNIQUE constraint failed")
    )
