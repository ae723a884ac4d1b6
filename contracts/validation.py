"""The one validator: a document and a contract in, nothing or a :class:`ContractViolation` out.

It refuses to repeat a value of the document, because violations go to logs and to callers.
Each contract is compiled once per process; adapters call it for every record that leaves.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from contracts.catalog import compilable, registry, schema
from contracts.formats import CHECKER

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
MAX_CODES_SHOWN: Final = 12  # an enumeration longer than this is named by its size: a log line stays a line


class ContractViolation(Exception):  # noqa: N818  # the standard's word for it, and what callers read
    """A document breaks a contract.

    Attributes:
        contract: name of the contract, such as ``cambodia/person``.
        version: its version.
        pointer: JSON Pointer (RFC 6901) to the offending place; its tokens are field names and list positions.
        value_type: JSON type of what stands there, never the value.
        rule: the JSON Schema keyword that is broken.
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


def validate(name: str, version: str, document: object) -> None:
    """Raise :class:`ContractViolation` for the first rule that ``document`` breaks, in the schema's order.

    Args:
        name: contract, such as ``dci/sync-search-response``.
        version: its version, such as ``1.0.0``.
        document: parsed JSON: dict, list, str, int, float, bool or None.

    Raises:
        ContractViolation: the document breaks the contract.
        UnknownContract: there is no such contract.
    """
    error = next(_compiled(name, version).iter_errors(document), None)
    if error is not None:
        # `from None`: the library's message quotes the value, and a traceback in a log would repeat it.
        raise _violation(name, version, error) from None


@cache
def _compiled(name: str, version: str) -> Draft202012Validator:
    return _Validator(compilable(schema(name, version)), registry=registry(), format_checker=CHECKER)


def _violation(name: str, version: str, error: ValidationError) -> ContractViolation:
    return ContractViolation(
        name,
        version,
        pointer=_pointer(error.absolute_path),
        value_type=json_type(error.instance),
        rule=str(error.validator),
        expected=_expected(error),
        schema_location="#" + _pointer(error.absolute_schema_path),
    )


def json_type(value: object) -> str:
    """Name the JSON type of a parsed value."""
    return _JSON_TYPES.get(type(value), type(value).__name__)


def _pointer(parts: Iterable[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _expected(error: ValidationError) -> str:
    demanded: Any = error.validator_value
    match error.validator:
        case "required" | "dependentRequired":
            return "the field " + ", ".join(_missing(demanded, error.instance))
        case "enum" if len(demanded) > MAX_CODES_SHOWN:
            return f"one of {len(demanded)} codes"
        case "enum":
            return "one of " + ", ".join(map(str, demanded))
        case "additionalProperties":
            return "no field that the contract does not name"
        case "anyOf":
            return "one of the alternatives of the contract"
        case _:
            return f"{error.validator} {demanded}"


def _missing(demanded: Any, instance: Any) -> list[str]:  # noqa: ANN401  # the library types neither
    if isinstance(demanded, dict):
        demanded = [need for key, needs in demanded.items() if key in instance for need in needs]
    return [name for name in demanded if name not in instance]


@cache
def _ecma(pattern: str) -> re.Pattern[str]:
    """Compile as ECMA 262 means it: Python's ``$`` also matches before a final line feed, which would let one in."""
    return re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern)


def _check_pattern(_validator: object, pattern: str, value: object, _schema: object) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _ecma(pattern).search(value):
        yield ValidationError("pattern")


_Validator: Final[type[Draft202012Validator]] = extend(  # type: ignore[no-untyped-call]  # the stubs leave it untyped
    Draft202012Validator, {"pattern": _check_pattern}
)
