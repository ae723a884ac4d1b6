"""Applies a chunk of events: reads what they concern at once, decides field by field in memory, and writes at once.

It refuses to know savepoints and messages; :class:`adapters.writing.Writer` calls it inside one, and again for fewer
events when the database refuses. What both sides changed goes into conflicts, whoever wins.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from adapters.events import Event, Result
from adapters.events.canonical import NOTHING
from adapters.events.model import Status
from adapters.events.store import milliseconds
from adapters.writing.deciding import NEVER, decide, same
from adapters.writing.definition import Gone, Maker, Missing, Wins, WriteDefinition
from adapters.writing.incoming import Incoming, Rejected, Values
from adapters.writing.making import CAMBODIA, Making, filled
from adapters.writing.memory import WHOLE, Conflict, Memory, Synced
from adapters.writing.places import rows_of
from adapters.writing.releasing import release
from adapters.writing.rowmerging import Merge, merge_rows
from adapters.writing.rows import Local, Row, Statements

OLDER: Final = "older than what was applied here: nothing of it is left to write"
NOT_FOR_US: Final = "not for this service: left alone"
NOT_HERE: Final = "no such record is here: left alone"
WAITS: Final = "kept until staff decides"
REMOVED_HERE: Final = "the record was removed here: kept until staff decides"


class Chunk:
    """The records that some events concern, within one transaction."""

    def __init__(
        self, connection: Connection, statements: Statements, memory: Memory, names: Mapping[str, str], sender: str,
        at: datetime, *, decided: bool = False,
    ) -> None:  # fmt: skip
        self._connection, self._statements, self._memory = connection, statements, memory
        self._rows = rows_of(connection)
        self._definition: WriteDefinition = statements.definition
        self._key_field = self._definition.key_field
        self._names, self._sender, self._at, self._decided = names, sender, milliseconds(at), decided
        self._making = Making(self._rows, sender, at)
        self._records: dict[Any, Local] = {}
        self._synced: dict[Any, Synced] = {}
        self._links: dict[bytes, Synced] = {}
        self._index: list[dict[Any, set[Any]]] = [{} for _ in self._definition.find]
        self._made_links: dict[str, bytes | None] = {}
        self._conflicts: list[Conflict] = []
        self._told: list[Mapping[str, Any]] = []  # what the sender hears of the event that is being applied
        self._last: dict[Any, Event] = {}  # the event by which a record was last touched
        made = [pair for pair in self._definition.new.items() if pair[0] in self._definition.fields]
        self._new = sorted(made, key=lambda pair: pair[1].kind == "text")
        self.touched: dict[Any, Local] = {}
        self.releases = False  # whether numbers that move from one record to another are let go of first
        self.began = False  # whether the event that is being applied has changed something already

    def load(self, incoming: Sequence[Incoming]) -> None:
        """Read all that these events may concern."""
        finds = self._definition.find
        for place, find in enumerate(finds):
            values = [value for each in incoming for value in each.values(find.field)]
            self._index[place] = self._statements.find(self._rows, place, values)
        keys = {key for found in self._index for each in found.values() for key in each}
        unknown = [each for each in incoming if not any(self._keys(each))] if any(self._index) else incoming
        links = [link for each in unknown if (link := self._link(each)) is not None]
        self._links = self._memory.linked(self._connection, links)
        keys |= {each.key for each in self._links.values()}
        self._records = self._statements.load(self._rows, keys)
        self._synced = self._memory.synced(self._connection, keys)
        self._links = {link: self._synced.get(each.key, each) for link, each in self._links.items()}

    def apply(self, each: Incoming) -> Result:
        """Apply one event in memory; raises :class:`Rejected`."""
        self._told, self.began = [], False
        record = self._find(each)
        note = self._gone(each, record) if each.gone else self._here(each, record)
        return Result(each.event.event_id, Status.SUCCEEDED, note, tuple(self._told), noted=True)

    def flush(self) -> None:
        """Write everything; raises SQLAlchemy's errors."""
        for record in self._records.values():
            if record.touched:
                self.touched[record.key] = record
                self._always(record)
        if self.releases:
            release(self._rows, self._definition, self._records.values())
        self._statements.write(self._rows, self._records.values())
        self._memory.remember(
            self._connection, [*self._synced.values(), *_others(self._links, self._synced)], self._sender, self._at
        )
        self._memory.record(self._connection, self._conflicts, self._sender, self._at)
        self._settle()

    def _settle(self) -> None:
        self._conflicts = []
        self._records = {key: record for key, record in self._records.items() if not record.is_gone}
        for record in self._records.values():
            record.is_new, record.dirty, record.exists = False, set() if record.dirty else record.dirty, True
            for name, rows in record.rows.items():
                record.rows[name] = [Row(row.name, row.values) for row in rows if not row.is_gone]
        for synced in (*self._synced.values(), *self._links.values()):
            synced.is_known, synced.dirty = synced.is_known or synced.dirty, False

    def _keys(self, each: Incoming) -> Iterator[tuple[str, set[Any]]]:
        """Yield what each way of finding gives, where it gives something."""
        for find, index in zip(self._definition.find, self._index, strict=True):
            if index and (found := {key for value in each.values(find.field) for key in index.get(value, ())}):
                yield find.field, found

    def _find(self, each: Incoming) -> Local | None:
        for name, keys in self._keys(each) if self._records else ():
            here = [record for key in keys if (record := self._records.get(key)) is not None and not record.is_gone]
            if len(here) > 1:
                raise Rejected(f"find: {self._names.get(name, name)} belongs to several local records")
            if here:
                return here[0]
        past = self._past(each)
        record = None if past is None else self._records.get(past.key)
        return None if record is None or record.is_gone else record

    def _link(self, each: Incoming) -> bytes | None:
        name = each.event.event_id
        if name not in self._made_links:
            self._made_links[name] = self._new_link(each)
        return self._made_links[name]

    def _new_link(self, each: Incoming) -> bytes | None:
        for find in self._definition.find:
            for value in each.values(find.field):
                if value is not None:
                    return self._memory.link(find.field, value)
        return None

    def _past(self, each: Incoming) -> Synced | None:
        link = self._link(each)
        return None if link is None else self._links.get(link)

    def _here(self, each: Incoming, record: Local | None) -> str:
        if record is not None:
            return self._merge(each, record)
        past = self._past(each)
        if past is not None and each.at < past.at:
            return OLDER
        if past is not None and not past.gone and not self._decided:
            return self._removed_here(each, past)
        missing = Missing.INSERT if self._decided else self._definition.missing
        match missing:
            case Missing.SKIP:
                return NOT_HERE
            case Missing.REJECT:
                raise Rejected(f"missing: no local record by {self._found_by()}")
            case Missing.ASK:
                return self._ask(each, None, WAITS)
            case Missing.INSERT:
                self._insert(each, past)
                return ""

    def _found_by(self) -> str:
        return " or ".join(self._names.get(each.field, each.field) for each in self._definition.find)

    def _removed_here(self, each: Incoming, past: Synced) -> str:
        """Staff removed what a sender had made: it does not come back by itself."""
        fields = {name: value for name, value in each.fields.items() if name != self._key_field}
        news = any(not same(value, past.values.get(name)) for name, value in fields.items())
        past.move_to(each.at)
        for name, value in fields.items():
            past.note(name, value, each.at)
        return self._ask(each, past.key, REMOVED_HERE) if news else NOT_HERE

    def _ask(self, each: Incoming, key: Any, note: str) -> str:  # noqa: ANN401  # a column's value
        if key is not None:
            self._told.append(_whole(Wins.LOCAL))
        self._conflicts.append(
            Conflict(each.event.event_id, WHOLE, Wins.LOCAL.value, key, None, None, document=written(each.event))
        )
        return note

    def _merge(self, each: Incoming, record: Local) -> str:
        self.began = True
        synced = self._synced_of(record.key, each)
        if each.at < synced.at and not any(each.at >= synced.time_of(name) for name in each.fields) and not each.rows:
            return OLDER
        is_new_list = each.at >= synced.at
        synced.move_to(each.at)
        self._last[record.key] = each.event
        for name, sent in each.fields.items():
            if name != self._key_field and each.at >= synced.time_of(name):
                self._field(each, record, synced, name, sent)
        for child in self._definition.children:
            if child.path in each.rows:
                merge_rows(
                    Merge(child, self._definition, self._making, record, synced, each, is_new_list=is_new_list),
                    self._conflict,
                )
        if is_new_list:
            synced.digest, synced.link = each.digest, self._link(each) or synced.link
        return ""

    def _field(self, each: Incoming, record: Local, synced: Synced, name: str, sent: Any) -> None:  # noqa: ANN401  # a column's value
        local = record.values.get(name)
        winner, known = self._definition.winner(name), synced.values.get(name, NEVER)
        decision = decide(sent, local, known, winner, lambda: self._newer(each, record))
        if decision.conflict is not None:
            self._conflict(each, record, name, decision.conflict, (sent, local), None)
        if decision.write:
            record.values[name] = sent
            record.dirty.add(name)
            self._note_number(name, sent, record.key)
        synced.note(name, sent, each.at)

    def _note_number(self, name: str, value: Any, key: Any) -> None:  # noqa: ANN401  # columns' values
        """Let later events of this chunk find the record by what was just written."""
        for place, find in enumerate(self._definition.find):
            if find.field == name and value is not None:
                self._index[place].setdefault(value, set()).add(key)

    def _conflict(
        self, each: Incoming, record: Local, name: str, kept: Wins, values: tuple[Any, Any], row: Any  # noqa: ANN401  # columns' values
    ) -> None:  # fmt: skip
        sent, local = values
        contract = self._names.get(name, name)
        self._told.append({"field": contract, "sent": sent, "local": local, "kept": kept.value})
        self._conflicts.append(Conflict(each.event.event_id, name, kept.value, record.key, sent, local, row))

    def _newer(self, each: Incoming, record: Local) -> bool:
        """Compare with the local time of change; where that cannot be read, what is here stays."""
        changed = record.values.get(self._definition.changed or "")
        try:
            read = datetime.fromisoformat(str(changed))
        except ValueError:
            return False
        return each.event.at > (read if read.tzinfo is not None else read.replace(tzinfo=CAMBODIA))

    def _synced_of(self, key: Any, each: Incoming) -> Synced:  # noqa: ANN401  # a column's value
        found = self._synced.get(key)
        if found is None:
            found = self._synced[key] = Synced(key, each.at, {}, {})
        return found

    def _insert(self, each: Incoming, past: Synced | None) -> None:
        values = self._made(each, dict(each.fields))
        key = values.get(self._key_field)
        if key is None:
            raise Rejected(f"new: nothing gives {self._key_field}, which names the record")
        self.began = True
        if key in self._records:
            self.flush()  # it was removed a moment ago, by an event of the same chunk
        if past is not None and past.key != key:
            past.link, past.dirty = None, True
        record = Local(key, values, {child.path: [] for child in self._definition.children}, exists=False, is_new=True)
        synced = self._synced.get(key)
        if synced is None:
            synced = self._synced[key] = Synced(key, each.at, {}, {})
        synced.at, synced.values, synced.times, synced.gone = each.at, dict(each.fields), {}, False
        synced.digest, synced.link, synced.dirty = each.digest, self._link(each), True
        self._records[key], self._last[key] = record, each.event
        for child in self._definition.children:
            if child.path in each.rows:
                merge_rows(
                    Merge(child, self._definition, self._making, record, synced, each, is_new_list=True), self._conflict
                )
        self._index_new(each, record, synced)

    def _index_new(self, each: Incoming, record: Local, synced: Synced) -> None:
        for place, find in enumerate(self._definition.find):
            for value in each.values(find.field):
                if value is not None:
                    self._index[place].setdefault(value, set()).add(record.key)
        if synced.link is not None:
            self._links[synced.link] = synced

    def _made(self, each: Incoming, values: Values) -> Values:
        """Fill in what is made here for a new record, texts of other fields last."""
        columns, table = self._definition.fields, self._definition.table
        for name, maker in self._new:
            if values.get(name) is None:
                values[name] = self._make(maker, each.event, (table, columns[name]), values)
        return values

    def _make(self, maker: Maker, event: Event, place: tuple[str, str], values: Values, before: Any = None) -> Any:  # noqa: ANN401  # a column's value
        if maker.kind == "text":
            return filled(maker.argument, values)
        return self._making.make(maker, place, (event.event_id, event.at), before)

    def _always(self, record: Local) -> None:
        event = self._last.get(record.key)
        if record.is_gone or event is None:
            return
        for name, maker in self._definition.always.items():
            place = (self._definition.table, self._definition.fields[name])
            record.values[name] = self._make(maker, event, place, record.values, record.values.get(name))
            record.dirty.add(name)

    def _gone(self, each: Incoming, record: Local | None) -> str:
        if record is None:
            return self._gone_unknown(each)
        synced = self._synced_of(record.key, each)
        if each.at < synced.at:
            return OLDER
        gone = self._definition.gone
        match gone:
            case Gone.REJECT:
                raise Rejected("gone: records are not removed here by what others send")
            case Gone.SKIP:
                return NOT_FOR_US
            case Gone.ASK if not self._decided:
                return self._ask(each, record.key, WAITS)
            case Gone.MARK:
                return self._mark(each, record, synced)
            case _:
                return self._delete(each, record, synced)

    def _gone_unknown(self, each: Incoming) -> str:
        """Remember it all the same: an older event must not bring back what was never here."""
        link = self._link(each)
        past = None if link is None else self._links.get(link)
        if link is None or self._definition.gone in {Gone.REJECT, Gone.SKIP}:
            return NOT_HERE
        if past is None:
            past = self._links[link] = Synced(f"link {link.hex()}", each.at, {}, {}, gone=True, link=link)
        if each.at >= past.at:
            past.at, past.values, past.times, past.gone, past.dirty = each.at, {}, {}, True, True
            past.digest = NOTHING
        return NOT_HERE

    def _mark(self, each: Incoming, record: Local, synced: Synced) -> str:
        synced.move_to(each.at)
        self._last[record.key] = each.event
        for name, value in self._definition.gone_set.items():
            if not same(record.values.get(name), value):
                record.values[name] = value
                record.dirty.add(name)
            synced.note(name, value, each.at)
        synced.digest = NOTHING
        return ""

    def _delete(self, each: Incoming, record: Local, synced: Synced) -> str:
        changed = [
            name
            for name, value in synced.values.items()
            if name in record.values and not same(record.values[name], value)
        ]
        kept = Wins.SENT if self._decided else self._definition.wins_default
        if (changed or not synced.values) and kept is not Wins.SENT:
            return self._ask(each, record.key, WAITS)
        if changed or not synced.values:
            self._told.append(_whole(Wins.SENT))
            before = dict(record.values)
            self._conflicts.append(Conflict(each.event.event_id, WHOLE, Wins.SENT.value, record.key, None, before))
        record.is_gone = True
        synced.at, synced.values, synced.times, synced.gone, synced.dirty = each.at, {}, {}, True, True
        synced.digest, synced.link = NOTHING, self._link(each) or synced.link
        if synced.link is not None:
            self._links[synced.link] = synced
        return ""


def _whole(kept: Wins) -> Values:
    return {"field": WHOLE, "sent": None, "local": None, "kept": kept.value}


def written(event: Event) -> Values:
    """Return an event as it waits for a decision."""
    changes = [[each.field, each.old, each.new, each.of] for each in event.changes]
    return {
        "id": event.event_id, "at": event.at.isoformat(), "type": event.event_type, "record_type": event.record_type,
        "version": event.version, "record": event.record, "changes": changes,
    }  # fmt: skip


def _others(links: Mapping[bytes, Synced], known: Mapping[Any, Synced]) -> list[Synced]:
    """What is remembered of records that are not among the known ones; each once."""
    return [each for each in {id(each): each for each in links.values()}.values() if known.get(each.key) is not each]
