"""One search: criteria in, records of the standard out, each judged by its contract and cut to what may be given.

It refuses to give a record that breaks the contract or that the mapping cannot turn; then the whole message fails. It
decides about least data before it reads the registry, and cuts each record before anything else sees it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import contracts
from adapters.accesslog import Outcome
from adapters.errors import SearchRejected
from adapters.mapping import CompiledMapping
from adapters.registry.ledger import Draft
from adapters.registry.queries import Page, QueryLimits, asked_attributes, asked_persons, read_query
from adapters.release import Basis, Release, RequestContext, Rule, decide, purpose_of, withheld
from adapters.release.review import targets
from adapters.source import And, Comparison, Filter, Operator, Query, Source
from adapters.subjects import PersonId, identifiers

INVALID: Final = "rjct.search_criteria.invalid"
_GROUP: Final = "Group"
_MEMBER: Final = "Member"  # DCI knows these two; each of our records of a person is a member's
_INLINE_RECORDS: Final = 5  # 1 ms of mapping and judging; more is done in a thread, so that others do not wait
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """What one search gives."""

    rule: Rule
    purpose: str | None
    mapping: CompiledMapping
    records: tuple[Record, ...]
    found: bool  # whether there is a record that may be told of, before it was cut
    total: int
    page: Page
    records_withheld: int

    @property
    def version(self) -> str:
        """Of the record's contract."""
        return self.mapping.mapping.contract_version

    def told(self, reference_id: str, given: Sequence[str] | None = None) -> Record:
        """Say what may be given and what is withheld."""
        given = [path.text for path in self.rule.fields] if given is None else given
        return {
            "reference_id": reference_id,
            **({"purpose": self.purpose} if self.purpose else {}),
            "given": list(given),
            "withheld": list(withheld(targets(self.mapping), self.rule.fields)),
            "records_withheld": self.records_withheld,
        }


@dataclass(frozen=True, slots=True)
class Registry:
    """What one service searches in, and what it may give."""

    source: Source
    mappings: Mapping[str, CompiledMapping]
    default: str
    reg_type: str
    record_type: str
    release: Release
    limits: QueryLimits

    async def search(
        self,
        criteria: Mapping[str, Any],
        context: RequestContext,
        draft: Draft,
        *,
        status_field: str = "",
        narrowed: Filter | None = None,
    ) -> Answered:
        """Answer one search.

        Args:
            criteria: valid against ``dci/search-criteria``.
            context: who asks and for what.
            draft: of the access record; is filled with what is known at each step.
            status_field: of a question that is answered by yes or no.
            narrowed: a condition of the service's own that the records must meet besides.

        Raises:
            RequestRefused: nothing is declared for this client.
            SearchRejected: the criteria cannot be served here, or not to this client for this purpose.
            RecordError: a record cannot be mapped.
            SourceError: the source does not answer.
            contracts.ContractViolation: a mapped record breaks the contract.
        """
        # 1. What is asked, as far as it can be read: a refusal is written with it.
        query, page, problem = self._read(criteria)
        asked = () if query is None else asked_attributes(query)
        draft.asked_by = tuple(each for each in asked if each in self.source.definition.attributes)
        draft.subjects |= set() if query is None else asked_persons(query, self.source.definition.identifiers)
        # 2. May it be given at all?
        draft.purpose = _shown_purpose(self.release, context)
        rule = decide(self.release, context, datetime.now(UTC))
        draft.basis = rule.basis
        if problem is not None or query is None or page is None:
            raise problem or SearchRejected(INVALID, "the criteria cannot be read")
        mapping = self._mapping(criteria)
        _check_rule(rule, asked, status_field)
        # 3. Find, turn into the standard, judge.
        found = await self.source.search(
            query if narrowed is None else replace(query, where=And((query.where, narrowed)))
        )
        whole = await _standard(mapping, found.records)
        for record in whole:
            draft.subjects |= identifiers(record)
        # 4. Cut.
        covered = [each for each in whole if _covers(rule, context, each)]
        records = tuple(cut for cut in map(rule.cut, covered) if cut)
        draft.given = (status_field,) if status_field else rule.given(records)
        draft.records = len(covered if status_field else records)
        draft.outcome = Outcome.GIVEN if draft.given else Outcome.NOTHING
        kept_back = len(whole) - len(covered)
        return Answered(rule, draft.purpose, mapping, records, bool(covered), found.total, page, kept_back)

    def _read(self, criteria: Mapping[str, Any]) -> tuple[Query | None, Page | None, SearchRejected | None]:
        try:
            self._check_kind(criteria)
            query, page = read_query(criteria, self.source.definition.identifiers, self.record_type, self.limits)
        except SearchRejected as rejection:
            return None, None, rejection
        return query, page, None

    def _check_kind(self, criteria: Mapping[str, Any]) -> None:
        """DCI lets a type come with a namespace in front, such as ``ns:org:RegistryType:Social``."""
        for name, held in (("reg_type", self.reg_type), ("reg_record_type", self.record_type)):
            if criteria.get(name, held).rpartition(":")[2] != held:
                raise SearchRejected(INVALID, f"the {name} of this registry is {held}")
        entity = _GROUP if self.record_type == _GROUP else _MEMBER
        if criteria.get("response_entity", entity).rpartition(":")[2] != entity:
            raise SearchRejected(INVALID, f"the response_entity of this registry is {entity}")

    def _mapping(self, criteria: Mapping[str, Any]) -> CompiledMapping:
        version = criteria.get("version", self.default)
        if version not in self.mappings:
            raise SearchRejected(INVALID, f"records are given in version {', '.join(sorted(self.mappings))}")
        return self.mappings[version]


def one_of(attribute: str, codes: Sequence[str]) -> Filter:
    """Make the condition that an attribute has one of some codes."""
    return Comparison(attribute, Operator.IN, tuple(codes))


async def _standard(mapping: CompiledMapping, records: Sequence[Record]) -> list[Record]:
    if len(records) <= _INLINE_RECORDS:
        return _turned(mapping, records)
    return await asyncio.to_thread(_turned, mapping, records)


def _turned(mapping: CompiledMapping, records: Sequence[Record]) -> list[Record]:
    """A record is judged whole, before it is cut: what its source must know does not depend on who asks."""
    turned = [mapping.apply(each) for each in records]
    for each in turned:
        contracts.validate(mapping.mapping.contract, mapping.mapping.contract_version, each)
    return turned


def _shown_purpose(release: Release, context: RequestContext) -> str | None:
    """Only declared codes are written: a caller's own words might hold anything."""
    purpose = purpose_of(context)
    return purpose if purpose in release.purposes else None


def _check_rule(rule: Rule, attributes: Sequence[str], status_field: str) -> None:
    """A query is an answer too: who may not see a field must not try its values either."""
    if status_field not in rule.statuses if status_field else not rule.fields:
        raise SearchRejected(INVALID, f"for this purpose {status_field or 'a record'} is not given to you")
    if not frozenset(attributes) <= rule.ask_by:
        known = ", ".join(sorted(rule.ask_by))
        raise SearchRejected(INVALID, f"for this purpose you may ask by {known} only")


def _covers(rule: Rule, context: RequestContext, record: Record) -> bool:
    if rule.basis is not Basis.CONSENT:
        return True
    given_by = context.consent.given_by if context.consent else None
    return given_by is not None and PersonId(given_by.kind, given_by.value) in identifiers(record)
