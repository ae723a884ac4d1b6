"""The reference validator: JSON Schema as ``jsonschema`` has it, with the standard's patterns and formats.

It refuses to be fast: it explains. It is asked when the compiled validator said no, and judges alone where none is
installed.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from contracts.catalog import compilable, registry, schema
from contracts.formats import CHECKER
from contracts.patterns import compiled
from contracts.siblings import KEYWORDS, Rule
from contracts.violation import ContractViolation, json_pointer, json_type

_BETWEEN: Final[Mapping[str, str]] = MappingProxyType({"x-prefix": "to begin with", "x-not-before": "not before"})
MAX_CODES_SHOWN: Final = 12  # an enumeration longer than this is named by its size: a log line stays a line


def violations(name: str, version: str, document: object, *, partial: bool = False) -> Iterator[ContractViolation]:
    """Yield what breaks the contract, in the schema's order; with ``partial`` nothing that lacks does.

    Raises:
        UnknownContract: there is no such contract.
    """
    for error in _compiled(name, version, partial).iter_errors(document):
        yield _violation(name, version, error)


def reference_validator(document: Mapping[str, Any], *, partial: bool = False) -> Draft202012Validator:
    """Compile a schema that stands alone, references to the standard's contracts apart."""
    ready = compilable(document, partial=partial)
    return _Validator(ready, registry=registry(partial=partial), format_checker=CHECKER)


@cache
def _compiled(name: str, version: str, partial: bool) -> Draft202012Validator:  # noqa: FBT001  # a key of the cache
    return reference_validator(schema(name, version), partial=partial)


def _violation(name: str, version: str, error: ValidationError) -> ContractViolation:
    return ContractViolation(
        name,
        version,
        pointer=json_pointer(error.absolute_path),
        value_type=json_type(error.instance),
        rule=str(error.validator),
        expected=_expected(error),
        schema_location="#" + json_pointer(error.absolute_schema_path),
    )


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
        case "anyOf" | "oneOf" | "not":
            return "one of the alternatives of the contract"
        case _:
            return _told(str(error.validator), demanded)


def _told(rule: str, demanded: Any) -> str:  # noqa: ANN401  # any keyword's value
    words = _BETWEEN.get(rule)
    if words is None:
        return f"{rule} {demanded}"
    return ", ".join(f"{field} {words} {partner}" for field, partner in demanded.items())


def _missing(demanded: Any, instance: Any) -> list[str]:  # noqa: ANN401  # the library types neither
    if isinstance(demanded, dict):
        demanded = [need for key, needs in demanded.items() if key in instance for need in needs]
    return [name for name in demanded if name not in instance]


def _check_pattern(_validator: object, pattern: str, value: object, _schema: object) -> Iterator[ValidationError]:
    if isinstance(value, str) and not compiled(pattern).search(value):
        yield ValidationError("pattern")


def _between_fields(keyword: str) -> Callable[..., Iterator[ValidationError]]:
    def check(_validator: object, rule: Rule, value: object, _schema: object) -> Iterator[ValidationError]:
        if KEYWORDS[keyword](rule, value) is not None:
            yield ValidationError(keyword)

    return check


_Validator: Final[type[Draft202012Validator]] = extend(  # type: ignore[no-untyped-call]  # the stubs leave it untyped
    Draft202012Validator, {"pattern": _check_pattern, **{each: _between_fields(each) for each in KEYWORDS}}
)
