"""Turns the rules of a mapping into closures, so that a record costs a few dictionary look-ups per rule.

It refuses unknown codes, wrong shapes and absent required values; an error names mapping, rule and path, never a value.
:mod:`adapters.mapping.engine` compiles once and runs the result on each record.
"""

from collections.abc import Callable
from typing import Any, Final

from adapters.errors import RecordError, UnknownCodeError
from adapters.mapping.model import (
    MISSING,
    Action,
    ConstantRule,
    Kind,
    Mapping,
    NestedRule,
    Policy,
    Rule,
    ValueRule,
    Where,
)
from adapters.mapping.transforms import TAKES_LIST, TransformError, UnknownCode, build

Record = dict[str, Any]
Run = Callable[[Any, Record], None]
_Read = Callable[[Any], Any]
_Write = Callable[[Record, Any], None]
_Pick = Callable[[Any], list[Any] | None]
_NOTHING: Final = object()  # what a policy answers when the rule writes nothing


class _WrongShape(Exception):  # noqa: N818  # never leaves this module
    """A path leads through something that is not an object, or a list is needed and not there."""


def compile_rules(mapping: Mapping, rules: tuple[Rule, ...]) -> Run:
    """Return a function that runs all rules on one scope of the source and writes into one target object."""
    runs = tuple(_compile(mapping, rule) for rule in rules)

    def run(scope: Any, target: Record) -> None:  # noqa: ANN401  # whatever the source holds
        for each in runs:
            each(scope, target)

    return run


def _compile(mapping: Mapping, rule: Rule) -> Run:
    match rule:
        case ConstantRule(to=to, value=value):
            write = _writer(to)
            return lambda _scope, target: write(target, value)
        case ValueRule():
            return _compile_value(mapping, rule)
        case NestedRule():
            return _compile_nested(mapping, rule)


def _compile_value(mapping: Mapping, rule: ValueRule) -> Run:
    read, write = _values_reader(rule), _writer(rule.to)
    steps = tuple(build(each.name, each.argument, mapping.code_lists) for each in rule.transforms)
    settle = _settler(mapping, rule.label, ", ".join(rule.sources), rule.policy)

    def run(scope: Any, target: Record) -> None:  # noqa: ANN401  # as above
        try:
            value = read(scope)
            for step in steps:
                if value is MISSING or value is None or value == "":
                    break
                value = step(value)
        except (TransformError, _WrongShape) as error:
            raise _record_error(mapping, rule, error) from None
        value = settle(value)
        if value is not _NOTHING:
            write(target, value)

    return run


def _record_error(mapping: Mapping, rule: ValueRule | NestedRule, error: Exception) -> RecordError:
    path = ", ".join(rule.sources) if isinstance(rule, ValueRule) else rule.source
    if isinstance(error, UnknownCode):
        return UnknownCodeError(mapping.name, rule.label, path, error.code_list, error.code)
    return RecordError(mapping.name, rule.label, path, str(error))


def _compile_nested(mapping: Mapping, rule: NestedRule) -> Run:
    run, pick = compile_rules(mapping, rule.rules), _picker(mapping, rule)
    write, list_at = _writer(rule.to), _list_maker(rule.to)

    def first(scope: Any, target: Record) -> None:  # noqa: ANN401  # as above
        for element in pick(scope) or ():
            inner: Record = {}
            run(element, inner)
            write(target, inner)

    def append(scope: Any, target: Record) -> None:  # noqa: ANN401  # as above
        elements = pick(scope)
        if elements is None:
            return
        items = list_at(target)  # an empty list of the source is an empty list of the target, not a missing one
        for element in elements:
            inner: Record = {}
            run(element, inner)
            items.append(inner)

    return first if rule.kind is Kind.FIRST else append


def _picker(mapping: Mapping, rule: NestedRule) -> _Pick:
    """Return what gives the elements that a nested rule builds objects from; None when it is to write nothing."""
    read = _reader(rule.source)
    settle = _settler(mapping, rule.label, rule.source, rule.policy)

    def pick(scope: Any) -> list[Any] | None:  # noqa: ANN401  # as above
        try:
            value = read(scope)
            if rule.kind is Kind.FIRST and isinstance(value, list):
                value = _first(value, rule.where)
        except _WrongShape as error:
            raise _record_error(mapping, rule, error) from None
        value = settle(value)
        if value is _NOTHING:
            return None
        if rule.kind is not Kind.EACH:
            return [scope if rule.kind is Kind.APPEND_WHEN else value]
        if not isinstance(value, list):
            raise RecordError(mapping.name, rule.label, rule.source, "is not a list")
        return value

    return pick


def _first(elements: list[Any], where: Where | None) -> Any:  # noqa: ANN401  # an element or MISSING
    if where is None:
        return elements[0] if elements else MISSING
    read = _reader(where.path)
    return next((each for each in elements if read(each) == where.equals), MISSING)


def _settler(mapping: Mapping, label: str, path: str, policy: Policy) -> _Read:
    """Return what applies a policy to a value: missing, null and empty are three things."""

    def settle(value: Any) -> Any:  # noqa: ANN401  # as above
        if value is MISSING:
            action, state = policy.on_missing, "missing"
        elif value is None:
            action, state = policy.on_null, "null"
        elif value == "":
            action, state = policy.on_empty, "empty"
        else:
            return value
        if action is Action.ERROR:
            raise RecordError(mapping.name, label, path, f"is {state}, and the mapping requires it")
        return {Action.OMIT: _NOTHING, Action.NULL: None, Action.DEFAULT: policy.default, Action.KEEP: value}[action]

    return settle


def _values_reader(rule: ValueRule) -> _Read:
    """Read one path, or all of them as a list: with ``concat`` a part that is absent makes the whole absent."""
    readers = tuple(_reader(each) for each in rule.sources)
    if not (rule.transforms and rule.transforms[0].name in TAKES_LIST):
        return readers[0]
    tolerant = rule.transforms[0].name == "join_name"

    def read(scope: Any) -> Any:  # noqa: ANN401  # as above
        values = [each(scope) for each in readers]
        absent = [value for value in (MISSING, None, "") if value in values]
        return absent[0] if absent and not tolerant else values

    return read


def _reader(path: str) -> _Read:
    parts = tuple(path.split("."))

    def read(scope: Any) -> Any:  # noqa: ANN401  # as above
        value = scope
        for part in parts:
            if value is None:
                return None
            if not isinstance(value, dict):
                raise _WrongShape(f"{part} is looked for in something that is not an object")
            value = value.get(part, MISSING)
            if value is MISSING:
                return MISSING
        return value

    return read


def _writer(path: str) -> _Write:
    *parents, last = path.split(".")

    def write(target: Record, value: Any) -> None:  # noqa: ANN401  # as above
        for part in parents:
            target = target.setdefault(part, {})
        target[last] = value

    return write


def _list_maker(path: str) -> Callable[[Record], list[Record]]:
    *parents, last = path.split(".")

    def list_at(target: Record) -> list[Record]:
        for part in parents:
            target = target.setdefault(part, {})
        found: list[Record] = target.setdefault(last, [])
        return found

    return list_at
