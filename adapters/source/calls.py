"""Plans and makes the calls of a source that answers requests: which request, which pages, and what is left to compare.

It refuses a search that no declared request can narrow. It knows neither HTTP nor SOAP: a :class:`Caller` calls.
What a service found is compared once more here, since services are often more generous than what was asked.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Protocol

from adapters.errors import ConfigError, SearchRejected, SourceError, SourceTimeoutError
from adapters.source.calldefinition import CallDefinition, Parameter, Request
from adapters.source.comparing import INVALID, checked
from adapters.source.definition import SourceDefinition
from adapters.source.filters import And, Comparison, Filter, Not, Operator, Or, Query, SortKey
from adapters.source.matching import at_path, matches, sort_value
from adapters.source.protocol import Found, Placed, Record
from adapters.source.render import TOO_MANY

MAX_CALLS: Final = 20  # for one search: a family has fewer members
Parameters = Mapping[str, Parameter]


class Caller(Protocol):
    """Makes one call and returns what it answered, out of its envelope; None for nothing found."""

    async def call(self, target: str, parameters: Parameters) -> Any:  # noqa: ANN401  # whatever the service answers
        """Raise :class:`SourceError` when there is no good answer."""

    async def check(self) -> None:
        """Raise :class:`SourceError` unless the service can be reached and knows us."""

    async def close(self) -> None:
        """Close all connections."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One request, and the parameters of each call that makes it."""

    request: Request
    calls: tuple[Parameters, ...]


class CallSource:
    """A service that is called, and the definition by which its answers are read."""

    def __init__(self, definition: SourceDefinition, caller: Caller, *, connections: int) -> None:
        """Call nothing yet; ``connections`` is how many searches may call at once."""
        if not isinstance(definition, CallDefinition):
            raise ConfigError(definition.file, "kind", "is not rest or soap, but its connection is a service")
        self._definition, self._caller = definition, caller
        self._turn = asyncio.Semaphore(connections)

    @property
    def definition(self) -> SourceDefinition:
        """What its file says."""
        return self._definition

    async def search(self, query: Query) -> Found:
        """Ask the service, keep what fits, sort it, and give the page."""
        definition = self._definition
        planned = plan(definition, query.where)
        order = [(_sortable(definition, key), key.descending) for key in query.sort]
        found: dict[object, Record] = {}
        async with _in_time(self._definition), self._turn:
            for parameters in planned.calls:
                async for page in self._pages(planned.request, parameters):
                    for record in page:
                        found.setdefault(self._identity(record, len(found)), record)
                    _refuse_too_many(len(found), query.max_matches)
        kept = [record for record in found.values() if matches(definition, query.where, record)]
        for path, descending in reversed(order):
            kept.sort(key=lambda record, path=path: sort_value(record, path), reverse=descending)  # type: ignore[misc]  # mypy infers no type for a default of a lambda
        return Found(len(kept), tuple(kept[query.offset : query.offset + query.limit]))

    async def stream(self) -> AsyncIterator[Placed]:
        """Yield all records, where the source file says how they are had."""
        request = self._definition.stream
        if request is None:
            raise SourceError(f"source {self._definition.name}: its file has no 'stream': it cannot be read whole")
        number = 0
        async for page in self._pages(request, request.parameters):
            for record in page:
                number += 1
                key = self._key(record)
                yield Placed(f"record {number}" if key is None else f"{self._definition.key} {key}", record, key)

    async def count(self) -> int | None:
        """Not told: services say it, if at all, on their pages."""
        return None

    async def check(self) -> None:
        """Ask whether the service can be reached."""
        async with _in_time(self._definition):
            await self._caller.check()

    async def close(self) -> None:
        """Close all connections."""
        await self._caller.close()

    async def _pages(self, request: Request, parameters: Parameters) -> AsyncIterator[list[Record]]:
        paging = self._definition.paging
        if paging is None:
            yield self._records(await self._call(request, parameters))
            return
        number, seen, before = paging.first, 0, None
        while True:
            size = {} if paging.size is None else {paging.size: paging.records}
            answer = await self._call(request, {**parameters, **size, paging.page: number})
            page = self._records(answer)
            if page and page == before:  # it would never end
                raise SourceError(f"source {self._definition.name}: gives the same page again: correct paging.page")
            yield page
            seen += len(page)
            total = None if paging.total is None else next(at_path(answer, paging.total), None)
            if len(page) < paging.records or (isinstance(total, int) and seen >= total):
                return
            number, before = number + 1, page

    async def _call(self, request: Request, parameters: Parameters) -> Any:  # noqa: ANN401  # as above
        """Make one call in time, also of those by which a whole registry is read."""
        async with _in_time(self._definition):
            return await self._caller.call(request.target, parameters)

    def _records(self, answer: Any) -> list[Record]:  # noqa: ANN401  # as above
        for part in filter(None, self._definition.at.split(".")):
            if not answer:
                return []
            if not isinstance(answer, dict) or part not in answer:
                raise SourceError(f"source {self._definition.name}: the answer has no {part!r}: correct record.at")
            answer = answer[part]
        records = answer if isinstance(answer, list) else [] if answer is None else [answer]
        if not all(isinstance(each, dict) for each in records):
            raise SourceError(f"source {self._definition.name}: no records stand there: correct record.at")
        return records

    def _identity(self, record: Record, number: int) -> object:
        """Tell records apart, so that one that two calls find is one; without a key each is its own."""
        value = None if self._definition.key is None else next(at_path(record, self._definition.key), None)
        return ("number", number) if value is None or isinstance(value, dict | list) else ("key", value)

    def _key(self, record: Record) -> str | None:
        value = None if self._definition.key is None else next(at_path(record, self._definition.key), None)
        return None if value is None or isinstance(value, dict | list) else str(value)


@asynccontextmanager
async def _in_time(definition: CallDefinition) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(definition.timeout_ms / 1000):
            yield
    except TimeoutError:
        limit = definition.timeout_ms
        raise SourceTimeoutError(f"source {definition.name}: no answer within {limit} ms") from None


def plan(definition: CallDefinition, where: Filter) -> Plan:
    """Choose the first request all of whose attributes the search gives; raises :class:`SearchRejected`."""
    given = dict(_given(definition, where))
    for request in definition.requests:
        if set(request.by) <= set(given):
            sent = [each for each in _conjuncts(where) if _sends(request, each)]
            _check_rest(definition, where, sent)
            return Plan(request, tuple(_calls(request, given)))
    ways = "; or ".join(" and ".join(request.by) for request in definition.requests)
    raise SearchRejected(TOO_MANY, f"this would read the whole registry: ask by {ways}")


def _given(definition: CallDefinition, where: Filter) -> Iterator[tuple[str, list[Any]]]:
    """Yield what must be equal for a record to fit; what stands under "or" or "not" need not be."""
    for part in _conjuncts(where):
        if part.operator in {Operator.EQ, Operator.IN}:
            attribute, values = checked(definition, part)
            yield attribute.name, values


def _conjuncts(where: Filter) -> Iterator[Comparison]:
    if isinstance(where, And):
        for part in where.parts:
            yield from _conjuncts(part)
    elif isinstance(where, Comparison):
        yield where


def _sends(request: Request, part: Comparison) -> bool:
    return part.attribute in request.by and part.operator in {Operator.EQ, Operator.IN}


def _check_rest(definition: CallDefinition, where: Filter, sent: Sequence[Comparison]) -> None:
    """Refuse what neither the request says nor a field of the answer can decide: it would be ignored silently."""
    parts = list(_comparisons(where))
    for part in parts:
        attribute, _values = checked(definition, part)
        alone = [each.attribute for each in parts].count(part.attribute) == 1
        if not attribute.column and not (alone and part in sent):
            raise SearchRejected(INVALID, f"{attribute.name} can only be asked once, and by equality")


def _comparisons(where: Filter) -> Iterator[Comparison]:
    match where:
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from _comparisons(part)
        case Not(part=part):
            yield from _comparisons(part)
        case Comparison():
            yield where


def _calls(request: Request, given: Mapping[str, list[Any]]) -> Iterator[Parameters]:
    several = [name for name in request.by if len(given[name]) > 1]
    if len(several) > 1:
        raise SearchRejected(INVALID, f"only one of {', '.join(several)} can be a list here")
    count = len(given[several[0]]) if several else 1
    if count > MAX_CALLS:
        raise SearchRejected(TOO_MANY, f"a list of at most {MAX_CALLS} values can be asked for here")
    for number in range(count):
        values = {name: given[name][number if name in several else 0] for name in request.by}
        yield {**request.parameters, **{request.by[name]: _sent(value) for name, value in values.items()}}


def _sent(value: str | int | date) -> Parameter:
    return value.isoformat() if isinstance(value, date) else value


def _sortable(definition: CallDefinition, key: SortKey) -> str:
    attribute = definition.attributes.get(key.attribute)
    if attribute is None or not attribute.sortable:
        known = ", ".join(sorted(name for name, each in definition.attributes.items() if each.sortable))
        raise SearchRejected("rjct.sort.invalid", f"records can be sorted by {known or 'nothing'}")
    return attribute.column


def _refuse_too_many(found: int, most: int) -> None:
    if found > most:
        raise SearchRejected(TOO_MANY, f"more than {most} records match: narrow the search")
