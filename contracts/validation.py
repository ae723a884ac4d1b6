"""The one validator: a document and a contract in, nothing or a :class:`ContractViolation` out.

It refuses to let a document pass when two engines disagree: the compiled one says yes or no, the reference explains a
no, and a no without an explanation is a no all the same. Adapters call it for every record that leaves.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple

from contracts import compiled, reference, shape
from contracts.catalog import schema
from contracts.violation import ContractViolation, json_pointer, json_type

MAX_VIOLATIONS: Final = 1_000  # of one document; nobody reads more, and each costs a walk


class _Contract(NamedTuple):
    """What is asked for: a named tuple, because one is made for each record that leaves."""

    name: str
    version: str
    partial: bool

    def judge(self) -> compiled.Judge:
        return compiled.contract_judge(self.name, self.version, partial=self.partial)

    def explained(self, document: object) -> Iterator[ContractViolation]:
        return reference.violations(self.name, self.version, document, partial=self.partial)


def validate(name: str, version: str, document: object, *, partial: bool = False) -> None:
    """Raise :class:`ContractViolation` for the first rule that ``document`` breaks, in the schema's order.

    Args:
        name: contract, such as ``dci/sync-search-response``.
        version: its version, such as ``1.0.0``.
        document: parsed JSON: dict, list, str, int, float, bool or None.
        partial: judge an answer of which fields were withheld: what is there must be right, what is not is no fault.

    Raises:
        ContractViolation: the document breaks the contract, or is beyond the limits of every document.
        UnknownContract: there is no such contract.
    """
    if compiled.AVAILABLE and compiled.document_judge(name, version, partial).accepts(document):
        return
    first = next(_explained(_Contract(name, version, partial), document), None)
    if first is not None:
        # `from None`: a library's message quotes the value, and a traceback in a log would repeat it.
        raise first from None


def violations(name: str, version: str, document: object, *, partial: bool = False) -> tuple[ContractViolation, ...]:
    """Return everything that breaks the contract, at most 1,000; empty when nothing does.

    ``partial`` is as in :func:`validate`.

    Raises:
        UnknownContract: there is no such contract.
    """
    asked = _Contract(name, version, partial)
    if compiled.AVAILABLE and compiled.document_judge(name, version, partial).accepts(document):
        return ()
    return tuple(islice(_explained(asked, document), MAX_VIOLATIONS))


def _explained(asked: _Contract, document: object) -> Iterator[ContractViolation]:
    """Yield why a document was refused; without a compiled validator, find out whether it is."""
    schema(asked.name, asked.version)
    beyond = shape.fault(document)
    if beyond is not None:
        yield _beyond(asked, beyond)
        return
    count = shape.value_count(document)
    if compiled.AVAILABLE:
        yield from _by_both(asked, document, count)
    elif count > shape.MAX_ALONE:
        yield _beyond(asked, shape.Fault((), json_type(document), "size", f"at most {shape.MAX_ALONE} values"))
    else:
        yield from asked.explained(document)


def _by_both(asked: _Contract, document: object, count: int) -> Iterator[ContractViolation]:
    found = False
    if count <= shape.MAX_EXPLAINED:
        for each in asked.explained(document):
            found = True
            yield each
    if not found:
        yield _as_compiled(asked, document)


def _as_compiled(asked: _Contract, document: object) -> ContractViolation:
    """Tell what the compiled validator found, where the reference was not asked or sees no fault."""
    finding = asked.judge().first_finding(document)
    path, rule, location = (finding.path, finding.rule, finding.schema_path) if finding else ((), "compiled", ())
    return ContractViolation(
        asked.name,
        asked.version,
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


def _beyond(asked: _Contract, fault: shape.Fault) -> ContractViolation:
    return ContractViolation(
        asked.name,
        asked.version,
        pointer=json_pointer(fault.path),
        value_type=fault.value_type,
        rule=fault.rule,
        expected=fault.expected,
        schema_location="#",
    )
