"""A broken contract, told without the value that breaks it.

It refuses to judge: the validators find what is wrong, and hand over where, what type stands there, and by which rule.
Violations go to logs and to callers, which is why no value of a document is ever part of one.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

_JSON_TYPES: Final[Mapping[type, str]] = MappingProxyType(
    {
        type(None): "null",
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "string",
        dict: "object",
        list: "array",
    }
)


class ContractViolation(Exception):  # noqa: N818  # the standard's word for it, and what callers read
    """A document breaks a contract.

    Attributes:
        contract: name of the contract, such as ``cambodia/person``.
        version: its version.
        pointer: JSON Pointer (RFC 6901) to the offending place; its tokens are field names and list positions.
        value_type: JSON type of what stands there, never the value.
        rule: the JSON Schema keyword that is broken; ``depth``, ``length``, ``size`` where a limit is met.
        expected: what the schema demands there, taken from the schema alone.
        schema_location: path within the schema, references shown as ``$ref``.
    """

    def __init__(
        self,
        contract: str,
        version: str,
        *,
        pointer: str,
        value_type: str,
        rule: str,
        expected: str,
        schema_location: str,
    ) -> None:
        super().__init__(
            f"{contract} {version}: at {pointer or '/'} the {value_type} breaks the rule {rule!r}: expected {expected}"
        )
        self.contract = contract
        self.version = version
        self.pointer = pointer
        self.value_type = value_type
        self.rule = rule
        self.expected = expected
        self.schema_location = schema_location


def json_type(value: object) -> str:
    """Name the JSON type of a parsed value."""
    return _JSON_TYPES.get(type(value), type(value).__name__)


def json_pointer(parts: Iterable[str | int]) -> str:
    """Write a path as a JSON Pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
