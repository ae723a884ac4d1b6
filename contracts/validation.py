"""The one validator: a document and a contract in, nothing or a :class:`ContractViolation` out.

It refuses to let a document pass when two engines disagree: the compiled one says yes or no, the reference explains a
no, and a no without an explanation is a no all the same. Adapters call it for every record that leaves.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from contracts import compiled, reference, shape
from contracts.catalog import schema
from contracts.violation import ContractViolation, json_pointer, json_type

MAX_VIOLATIONS: Final = 1_000  # of one document; nobody reads more, and each costs a walk


def validate(name: str, version: str, document: object) -> None:
    """Raise :class:`ContractViolation` for the first rule that ``document`` breaks, in the schema's order.

    Args:
        name: contract, such as ``dci/sync-search-response``.
        version: its version, such as ``1.0.0``.
        document: parsed JSON: dict, list, str, int, float, bool or None.

    Raises:
        ContractViolation: the document breaks the contract, or is beyond the limits of every document.
        UnknownContract: there is no such contract.
    """
    if compiled.AVAILABLE and _accepted(name, version, document):
        return
    first = next(_explained(name, version, document), None)
    if first is not None:
        # `from None`: a library's message quotes the value, and a traceback in a log would repeat it.
        raise first from None


def violations(name: str, version: str, document: object) -> tuple[ContractViolation, ...]:
    """Return everything that breaks the contract, at most 1,000; empty when nothing does.

    Raises:
        UnknownContract: there is no such contract.
    """
    if compiled.AVAILABLE and _accepted(name, version, document):
        return ()
    return tuple(islice(_explained(name, version, document), MAX_VIOLATIONS))


def _accepted(name: str, version: str, document: object) -> bool:
    # The limits come first: a compiled validator that follows a document down without end takes the process with it.
    return compiled.shape_judge().accepts(document) and compiled.contract_judge(name, version).accepts(document)


def _explained(name: str, version: str, document: object) -> Iterator[ContractViolation]:
    """Yield why a document was refused; without a compiled validator, find out whether it is."""
    schema(name, version)
    beyond = shape.fault(document)
    if beyond is not None:
        yield _beyond(name, version, beyond)
        return
    count = shape.value_count(document)
    if compiled.AVAILABLE:
        yield from _by_both(name, version, document, count)
    elif count > shape.MAX_ALONE:
        yield _beyond(name, version, shape.Fault((), json_type(document), "size", f"at most {shape.MAX_ALONE} values"))
    else:
        yield from reference.violations(name, version, document)


def _by_both(name: str, version: str, document: object, count: int) -> Iterator[ContractViolation]:
    found = False
    if count <= shape.MAX_EXPLAINED:
        for each in reference.violations(name, version, document):
            found = True
            yield each
    if not found:
        yield _as_compiled(name, version, document)


def _as_compiled(name: str, version: str, document: object) -> ContractViolation:
    """Tell what the compiled validator found, where the reference was not asked or sees no fault."""
    finding = compiled.contract_judge(name, version).first_finding(document)
    path, rule, location = (finding.path, finding.rule, finding.schema_path) if finding else ((), "compiled", ())
    return ContractViolation(
        name,
        version,
        pointer=json_pointer(path),
        value_type=json_type(_at(document, path)),
        rule=rule,
        expected="what the contract says there",
        schema_location="#" + json_pointer(location),
    )


def _at(document: object, path: tuple[str | int, ...]) -> object:
    for step in path:
        document = document[step]  # type: ignore[index]  # the validator walked here
    return document


def _beyond(name: str, version: str, fault: shape.Fault) -> ContractViolation:
    return ContractViolation(
        name,
        version,
        pointer=json_pointer(fault.path),
        value_type=fault.value_type,
        rule=fault.rule,
        expected=fault.expected,
        schema_location="#",
    )
