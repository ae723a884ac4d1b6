"""Finds records by who, what and when, newest first, a page at a time; fast however long the log is.

It refuses to open bodies and to search in them or in paths: an identifier of a person is never a key here. Commands and
pages ask it, from any process, on either database; migration v0003 has the indexes that its queries use.

Two databases, one plan: each query is led by its rarest condition, which names the columns of one index whose order is
the order of the answer. Other conditions are written so that no index can serve them, as SQLite, which keeps no
statistics of its own accord, might otherwise choose theirs.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    RowMapping,
    Select,
    TextClause,
    and_,
    exists,
    func,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.exc import SQLAlchemyError

from securityserver.messagelog.records import (
    DAY_MILLISECONDS,
    BodyForm,
    Direction,
    Side,
    milliseconds,
    moment,
    searchable,
)
from securityserver.messagelog.tables import FAILED as FAILED_SQL
from securityserver.messagelog.tables import MESSAGE_KEY, MESSAGE_RECORD, RECORD
from serverkit.database import Database
from xroad.errors import DatabaseError
from xroad.identifiers import ClientId, ServiceId

PAGE: Final = 50
MOST: Final = 1000  # a page that a person reads, and that memory holds
# The signed head of a response begins with its HTTP status (PR-REST); that of a request does not.
_STATUS_BYTES: Final = 3
OK, FAILED, UNANSWERED = "ok", "failed", "unanswered"
_OUTCOME = re.compile(rf"{OK}|{FAILED}|{UNANSWERED}|[1-5][0-9]{{2}}")
_PLACE = re.compile(r"([0-9]{1,15})-([0-9]{1,18})")
_FIRST_FAILURE: Final = b"400"


class Unsearchable(ValueError):  # noqa: N818 - says what whoever asks meets
    """A filter makes no sense; the message says what to write."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a record must be to be found; what is `None` does not matter.

    Args:
        query_id: `X-Road-Id`.
        request_id: `x-road-request-id`.
        client: who asked, exactly; a member without a subsystem is not its subsystems.
        service: what was asked for; without a version, any version.
        user_id: `X-Road-UserId`, exactly.
        issue: `X-Road-Issue`, exactly.
        direction: requests or responses.
        side: logged as the consumer's or as the producer's server.
        outcome: ``ok`` or ``failed`` (responses with a status below or from 400), a status such as ``404``, or
            ``unanswered`` (requests without a logged response).
        since: not before (aware).
        until: before (aware).
    """

    query_id: str | None = None
    request_id: str | None = None
    client: ClientId | None = None
    service: ServiceId | None = None
    user_id: str | None = None
    issue: str | None = None
    direction: Direction | None = None
    side: Side | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.outcome is not None and not _OUTCOME.fullmatch(self.outcome):
            raise Unsearchable(f"outcome {self.outcome!r}: give {OK}, {FAILED}, {UNANSWERED}, or a status such as 404")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a page ended: the next one begins after it, whatever was logged or removed meanwhile."""

    time: int
    id: int

    def __str__(self) -> str:
        return f"{self.time}-{self.id}"

    @classmethod
    def parse(cls, written: str) -> Self:
        """Read what `str` wrote.

        Raises:
            Unsearchable: it is not a place.
        """
        found = _PLACE.fullmatch(written)
        if found is None:
            raise Unsearchable(f"{written!r} is no place in the log; copy what the last page said")
        return cls(int(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True)
class Found:
    """A record in one line: everything but its bytes.

    Args:
        outcome: of a response, its HTTP status; of a request, ``answered`` when its response is logged, or
            ``unanswered``.
        stamped: whether its time-stamp is there.
        archived: whether it is in an archive too.
    """

    id: int
    at: datetime
    side: Side
    direction: Direction
    query_id: str
    request_id: str
    client: ClientId
    service: ServiceId
    user_id: str | None
    issue: str | None
    outcome: str
    body_size: int
    body_form: BodyForm
    stamped: bool
    archived: bool

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(milliseconds(self.at), self.id)


@dataclass(frozen=True, slots=True)
class Page:
    """Records, newest first, and where to go on; `None` when there are no more."""

    found: tuple[Found, ...]
    after: Place | None


def find(database: Database, wanted: Wanted, *, after: Place | None = None, limit: int = PAGE) -> Page:
    """Give the newest records that fit, or those after a place; blocks.

    Raises:
        DatabaseError: the database refused.
    """
    limit = max(1, min(limit, MOST))
    rows, answered = _rows(database, wanted, after, limit + 1)
    found = tuple(_found(row, answered) for row in rows[:limit])
    return Page(found, found[-1].place if len(rows) > limit else None)


def find_all(database: Database, wanted: Wanted, *, after: Place | None = None) -> Iterator[Found]:
    """Give all records that fit, newest first; each page is a short transaction of its own, so that writers go on.

    Raises:
        DatabaseError: the database refused.
    """
    while True:
        page = find(database, wanted, after=after, limit=MOST)
        yield from page.found
        if page.after is None:
            return
        after = page.after


def query(wanted: Wanted, after: Place | None, limit: int, engine: str) -> Select[*tuple[object, ...]]:
    """Give the query, for one of the engines ``sqlite`` and ``postgresql``; tests ask the databases for its plan."""
    keys = _keys(wanted, engine)
    conditions: list[Condition] = [RECORD.c.discriminator == MESSAGE_RECORD]
    order = [RECORD.c.time.desc(), RECORD.c.id.desc()]
    if keys:
        conditions += keys[0].leading()
        # A value that is the same in all rows orders nothing. PostgreSQL sees so of `=` but not of IS NULL.
        order = [column.desc() for column, value in keys[0].columns if value is None] + order
    for key in keys[1:]:
        conditions += key.following()
    conditions += [*_plain(wanted), *_between(wanted, after)]
    status = func.substr(RECORD.c.head, 1, _STATUS_BYTES).label("status")
    return select(*_LIGHT, status).where(*conditions).order_by(*order).limit(limit)


_HEAVY: Final = frozenset(
    {"head", "body", "body_digest", "body_stored_digest", "signature", "signature_hash", "hash_chain"}
    | {"hash_chain_result", "timestamp_hash_chain", "leaf_hash"}
)
_LIGHT: Final = tuple(column for column in RECORD.columns if column.name not in _HEAVY)

Condition = ColumnElement[bool] | TextClause


@dataclass(frozen=True, slots=True)
class _Key:
    """A condition that an index serves: columns and their values, or the SQL of a partial index."""

    columns: tuple[tuple[ColumnElement[Any], str | None], ...]
    sql: str | None = None

    def leading(self) -> list[Condition]:
        """Write it so that its index serves it."""
        if self.sql is not None:
            return [text(self.sql)]
        return [column.is_(None) if value is None else column == value for column, value in self.columns]

    def following(self) -> list[Condition]:
        """Write it so that no index can."""
        if self.sql is not None:
            return [RECORD.c.response == 1, _status() >= _FIRST_FAILURE]
        return [func.coalesce(column, "") == (value or "") for column, value in self.columns]


def _keys(wanted: Wanted, engine: str) -> list[_Key]:
    """Give the conditions that have an index, rarest first."""
    table = RECORD.c
    keys = [
        _Key(((column, searchable(value)),))
        for column, value in (
            (table.request_id, wanted.request_id),
            (table.query_id, wanted.query_id),
            (table.issue, wanted.issue),
            (table.user_id, wanted.user_id),
        )
        if value is not None
    ]
    if _may_fail(wanted.outcome):
        keys.append(_Key((), FAILED_SQL[engine]))
    if wanted.service is not None:
        keys.append(
            _Key((*_party("service_", wanted.service.client), (table.service_code, wanted.service.service_code)))
        )
    if wanted.client is not None:
        keys.append(_Key(_party("", wanted.client)))
    return keys


def _party(prefix: str, client: ClientId) -> tuple[tuple[ColumnElement[Any], str | None], ...]:
    return tuple((RECORD.c[f"{prefix}{name}"], getattr(client, name)) for name in _CLIENT_PARTS)


def owned_by(client: ClientId) -> ColumnElement[bool]:
    """Say that a message is a client's: one that it asked as a consumer, or was asked as a provider."""
    asked, served = (_Key(_party(prefix, client)).following() for prefix in ("", "service_"))
    return or_(and_(RECORD.c.client_side == 1, *asked), and_(RECORD.c.client_side == 0, *served))


_CLIENT_PARTS: Final = ("instance", "member_class", "member_code", "subsystem_code")


def _may_fail(outcome: str | None) -> bool:
    return outcome == FAILED or (outcome is not None and outcome.isdigit() and outcome.encode() >= _FIRST_FAILURE)


def _status() -> ColumnElement[bytes]:
    return func.substr(RECORD.c.head, 1, _STATUS_BYTES, type_=LargeBinary)


def _plain(wanted: Wanted) -> list[Condition]:
    """Give the conditions that have no index."""
    table = RECORD.c
    conditions: list[Condition] = []
    if wanted.direction is not None:
        conditions.append(table.response == int(wanted.direction is Direction.RESPONSE))
    if wanted.side is not None:
        conditions.append(table.client_side == int(wanted.side is Side.CONSUMER))
    if wanted.service is not None and wanted.service.service_version is not None:
        conditions.append(table.service_version == wanted.service.service_version)
    if wanted.outcome == OK:
        conditions += [table.response == 1, _status() < _FIRST_FAILURE]
    elif wanted.outcome == UNANSWERED:
        answer = RECORD.alias("answer").c
        same = and_(answer.request_id == table.request_id, answer.client_side == table.client_side)
        conditions += [table.response == 0, ~exists().where(same, answer.response == 1)]
    elif wanted.outcome is not None and wanted.outcome != FAILED:
        conditions += [table.response == 1, _status() == wanted.outcome.encode()]
    return conditions


def _between(wanted: Wanted, after: Place | None) -> list[Condition]:
    """Bound the time; the plain bound beside that of a place lets PostgreSQL leave out whole days."""
    table = RECORD.c
    conditions: list[Condition] = []
    if wanted.since is not None:
        conditions.append(table.time >= milliseconds(wanted.since))
    if wanted.until is not None:
        conditions.append(table.time < milliseconds(wanted.until))
    if after is not None:
        conditions += [table.time <= after.time, tuple_(table.time, table.id) < (after.time, after.id)]
    return conditions


_Answered = set[tuple[str, int]]


def _answers(requests: Sequence[RowMapping]) -> Select[str, int]:
    """Ask which requests have a response; the bound on time lets PostgreSQL look at two or three days only."""
    table, times = RECORD.c, [row["time"] for row in requests]
    return select(table.request_id, table.client_side).where(
        table.request_id.in_([row["request_id"] for row in requests]),
        table.response == 1,
        table.time.between(min(times) - DAY_MILLISECONDS, max(times) + DAY_MILLISECONDS),
    )


def _bounded(connection: Connection, wanted: Wanted) -> Wanted | None:
    """Bound the time of a search by id to where such messages are, so that PostgreSQL need not plan for all days.

    `None` when there are none. Whoever takes keys away to hide records is found by `check`.
    """
    names = {name: getattr(wanted, name) for name in ("query_id", "request_id")}
    same = [MESSAGE_KEY.c[name] == searchable(value) for name, value in names.items() if value is not None]
    if not same:
        return wanted
    time = MESSAGE_KEY.c.time
    first, last = connection.execute(select(func.min(time), func.max(time)).where(*same)).one()
    if first is None:
        return None
    since, until = moment(first), moment(last + 1)
    return replace(wanted, since=max(wanted.since or since, since), until=min(wanted.until or until, until))


def _rows(database: Database, wanted: Wanted, after: Place | None, limit: int) -> tuple[list[RowMapping], _Answered]:
    """Give the rows, and which of their request ids have a logged response, on which side."""
    try:
        with database.reading() as connection:
            engine = connection.dialect.name
            bounded = _bounded(connection, wanted) if engine == "postgresql" else wanted
            rows = connection.execute(query(bounded, after, limit, engine)).mappings().all() if bounded else []
            requests = [row for row in rows if not row["response"]]
            answered = {(row[0], row[1]) for row in connection.execute(_answers(requests))} if requests else set()
    except SQLAlchemyError as error:
        raise DatabaseError("The message log cannot be read; look at the server's database.") from error
    return list(rows), answered


def _found(row: RowMapping, answered: _Answered) -> Found:
    service = ServiceId(_client(row, "service_"), row["service_code"], row["service_version"])
    request = "answered" if (row["request_id"], row["client_side"]) in answered else UNANSWERED
    return Found(
        id=row["id"],
        at=moment(row["time"]),
        side=Side.CONSUMER if row["client_side"] else Side.PRODUCER,
        direction=Direction.RESPONSE if row["response"] else Direction.REQUEST,
        query_id=row["query_id"],
        request_id=row["request_id"],
        client=_client(row, ""),
        service=service,
        user_id=row["user_id"],
        issue=row["issue"],
        outcome=bytes(row["status"]).decode("ascii", "replace") if row["response"] else request,
        body_size=row["body_size"],
        body_form=BodyForm(row["body_form"]),
        stamped=row["timestamp_id"] is not None,
        archived=row["archive_id"] is not None,
    )


def _client(row: RowMapping, prefix: str) -> ClientId:
    return ClientId(*(row[f"{prefix}{name}"] for name in _CLIENT_PARTS))
