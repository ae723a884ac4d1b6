"""The shared data standard: schemas, code lists, examples, and the one validator.

It refuses to know where data comes from, who asks for it, and which programme holds it.
Adapters call :func:`validate` on each record before it leaves; a consumer's backend may do the same on arrival.
"""

from contracts.catalog import (
    Example,
    UnknownContract,
    allowed_codes,
    examples,
    field_schema,
    has_field,
    names,
    schema,
    versions,
)
from contracts.codes import CodeList, Label, UnknownCodeList, code_list, code_list_names, code_list_versions
from contracts.khmer import comparison_key, normalise
from contracts.validation import validate, violations
from contracts.violation import ContractViolation

__all__ = [
    "CodeList",
    "ContractViolation",
    "Example",
    "Label",
    "UnknownCodeList",
    "UnknownContract",
    "allowed_codes",
    "code_list",
    "code_list_names",
    "code_list_versions",
    "comparison_key",
    "examples",
    "field_schema",
    "has_field",
    "names",
    "normalise",
    "schema",
    "validate",
    "versions",
    "violations",
]
