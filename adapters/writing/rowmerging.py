"""Merges the rows of a list: finds which row is which, decides field by field, adds rows and takes them away.

It refuses to remove a row that the sender did not make, or that staff changed, unless the sender wins there.
:mod:`adapters.writing.applying` calls it for each list of a record.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.writing.deciding import NEVER, decide, same
from adapters.writing.definition import Absent, Child, Wins, WriteDefinition
from adapters.writing.incoming import Incoming, Rejected, Values
from adapters.writing.making import Making, filled
from adapters.writing.memory import Synced
from adapters.writing.rows import Local, Row

Tell = Callable[[Incoming, Local, str, Wins, tuple[Any, Any], Any], None]


@dataclass(frozen=True, slots=True)
class Merge:
    """One list of one record, and one event about it; ``is_new_list`` is False for an event older than another one."""

    child: Child
    definition: WriteDefinition
    making: Making
    record: Local
    synced: Synced
    event: Incoming
    is_new_list: bool

    def name(self, field: str) -> str:
        """Return a field with the path of its list."""
        return f"{self.child.path}.{field}"

    def place(self, row: Any, field: str = "") -> str:  # noqa: ANN401  # a column's value
        """Return where the field of a row is remembered."""
        return f"{self.child.path}/{row}/{field}"


def merge_rows(merge: Merge, tell: Tell) -> None:
    """Merge; conflicts go to ``tell``."""
    rows = [row for row in merge.record.rows[merge.child.path] if not row.is_gone]
    past = _remembered(merge)
    met: set[int] = set()
    for sent in merge.event.rows[merge.child.path]:
        row = next((each for each in rows if id(each) not in met and _is_same(merge.child, sent, each.values)), None)
        if row is not None:
            met.add(id(row))
            _merge_row(merge, row, sent, tell)
        elif merge.is_new_list:
            added = _add(merge, sent, past, tell)
            met.update(() if added is None else (id(added),))
    if merge.is_new_list and merge.child.absent is Absent.REMOVE:
        for row in rows:
            if id(row) not in met:
                _take_away(merge, row, past.get(str(row.name)), tell)


def _is_same(child: Child, one: Values, other: Values) -> bool:
    for name in child.same:
        if one.get(name) is not None and other.get(name) is not None:
            return same(one[name], other[name])
    return False


def _merge_row(merge: Merge, row: Row, sent: Values, tell: Tell) -> None:
    for field, value in sent.items():
        place = merge.place(row.name, field)
        if merge.child.fields[field] == merge.child.row or merge.event.at < merge.synced.time_of(place):
            continue
        local, winner = row.values.get(field), merge.definition.winner(merge.name(field))
        decision = decide(value, local, merge.synced.values.get(place, NEVER), winner, lambda: False)
        if decision.conflict is not None:
            tell(merge.event, merge.record, merge.name(field), decision.conflict, (value, local), row.name)
        if decision.write:
            row.values[field] = value
            row.dirty.add(field)
        merge.synced.note(place, value, merge.event.at)


def _add(merge: Merge, sent: Values, past: Mapping[str, Values], tell: Tell) -> Row | None:
    removed = _removed_here(merge, sent, past)
    if removed is not None:
        known = {field: merge.synced.values.get(merge.place(removed, field)) for field in sent}
        news = any(not same(value, known[field]) for field, value in sent.items())
        for field, value in sent.items():
            merge.synced.note(merge.place(removed, field), value, merge.event.at)
        if news:
            tell(merge.event, merge.record, merge.child.path, Wins.LOCAL, (None, None), removed)
        return None
    row = _new_row(merge, sent)
    merge.record.rows[merge.child.path].append(row)
    for field, value in sent.items():
        merge.synced.note(merge.place(row.name, field), value, merge.event.at)
    return row


def _new_row(merge: Merge, sent: Values) -> Row:
    child, values = merge.child, dict(sent)
    made = [
        (field, maker) for field in child.fields if (maker := merge.definition.new.get(merge.name(field))) is not None
    ]
    around = {**merge.record.values}
    for field, maker in sorted(made, key=lambda pair: pair[1].kind == "text"):
        if values.get(field) is not None:
            continue
        if maker.kind == "text":
            own = {merge.name(name): value for name, value in values.items()}
            values[field] = filled(maker.argument, around | own)
        elif maker.kind == "next" and not maker.argument and child.fields[field] != child.row:
            values[field] = _counted(merge, field)
        else:
            event = merge.event.event
            place = (child.table, child.fields[field])
            values[field] = merge.making.make(maker, place, (event.event_id, event.at))
    name = next((values.get(field) for field, column in child.fields.items() if column == child.row), None)
    if name is None:
        raise Rejected(f"new: nothing gives {child.path}.{child.row}, which names a row")
    return Row(name, values, is_new=True)


def _counted(merge: Merge, field: str) -> int:
    """Count on within the record, as lines of a form are."""
    there = [row.values.get(field) for row in merge.record.rows[merge.child.path]]
    return 1 + max((int(each) for each in there if each is not None), default=0)


def _removed_here(merge: Merge, sent: Values, past: Mapping[str, Values]) -> Any:  # noqa: ANN401  # a column's value
    """Return the name of the row that staff removed, if this is one; None otherwise."""
    if not past:
        return None
    here = {str(row.name) for row in merge.record.rows[merge.child.path]}
    for name, values in past.items():
        if name not in here and _is_same(merge.child, sent, values):
            return name
    return None


def _remembered(merge: Merge) -> dict[str, Values]:
    """Return the rows that a sender made, by name."""
    found: dict[str, Values] = {}
    start = f"{merge.child.path}/"
    for place, value in merge.synced.values.items():
        if place.startswith(start):
            name, _slash, field = place.removeprefix(start).rpartition("/")
            found.setdefault(name, {})[field] = value
    return found


def _take_away(merge: Merge, row: Row, remembered: Values | None, tell: Tell) -> None:
    """Remove what the sender made and does not send any more; what staff made or changed here stays."""
    if remembered is None:
        return
    changed = any(not same(row.values.get(field), value) for field, value in remembered.items())
    wins = merge.definition.winner(merge.child.path)
    if changed:
        kept = Wins.SENT if wins is Wins.SENT else Wins.LOCAL
        tell(merge.event, merge.record, merge.child.path, kept, (None, None), row.name)
    if not changed or wins is Wins.SENT:
        row.is_gone = True
    merge.synced.forget(merge.place(row.name))
