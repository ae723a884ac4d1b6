"""One search: criteria in, records of the standard out, each judged by its contract.

It refuses to give a record that breaks the contract or that the mapping cannot turn; then the whole search fails.
It blocks on the database, so the HTTP application runs it in a thread.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import contracts
from adapters.errors import SearchRejected
from adapters.mapping import CompiledMapping
from adapters.registry.context import RequestContext
from adapters.registry.messages import VERSION, timestamp
from adapters.registry.queries import Page, QueryLimits, read_query
from adapters.source import Found, SqlSource

_INVALID: Final = "rjct.search_criteria.invalid"


@dataclass(frozen=True, slots=True)
class Registry:
    """What one adapter serves."""

    source: SqlSource
    mapping: CompiledMapping
    reg_type: str
    record_type: str
    limits: QueryLimits

    def search(self, criteria: Mapping[str, Any], context: RequestContext) -> dict[str, Any]:
        """Return DCI's result of one search.

        Args:
            criteria: valid against ``dci/search-criteria``.
            context: who asks and for what; a decision about least data belongs between finding and mapping.

        Raises:
            SearchRejected: the criteria cannot be served here.
            RecordError: a record cannot be mapped.
            SourceError: the database does not answer.
            contracts.ContractViolation: a mapped record breaks the contract.
        """
        self._check_kind(criteria)
        query, page = read_query(criteria, self.source.definition.identifiers, self.record_type, self.limits)
        found = self.source.find(query)
        return self._result([self._standard(each) for each in found.records], found, page, context)

    def _check_kind(self, criteria: Mapping[str, Any]) -> None:
        """DCI lets a type come with a namespace in front, such as ``ns:org:RegistryType:Social``."""
        for name, held in (
            ("reg_type", self.reg_type),
            ("reg_record_type", self.record_type),
            ("response_entity", self.record_type),
        ):
            if criteria.get(name, held).rpartition(":")[2] != held:
                raise SearchRejected(_INVALID, f"the {name} of this registry is {held}")
        if criteria.get("version", VERSION) != VERSION:
            raise SearchRejected(_INVALID, f"search criteria are read in version {VERSION}")

    def _standard(self, record: dict[str, Any]) -> dict[str, Any]:
        turned = self.mapping.apply(record)
        contracts.validate(self.mapping.mapping.contract, self.mapping.mapping.contract_version, turned)
        return turned

    def _result(
        self, records: list[dict[str, Any]], found: Found, page: Page, context: RequestContext
    ) -> dict[str, Any]:
        result: dict[str, Any] = {
            "reference_id": context.reference_id,
            "timestamp": timestamp(),
            "status": "succ",
            "data": {
                "version": VERSION,
                "reg_type": self.reg_type,
                "reg_record_type": self.record_type,
                "reg_records": records,
            },
            "pagination": {"page_size": page.size, "page_number": page.number, "total_count": found.total},
        }
        return result if context.locale is None else result | {"locale": context.locale}
