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
    join,
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


def compile_rules(mapping: Mapping, rules: tuple[Rule, ...], base: str = "") -> Run:
    """Return a function that runs all rules on one scope of the source and writes into one target object.

    ``base`` is the path of that scope in the record, for messages.
    """
    runs = tuple(_compile(mapping, rule, base) for rule in rules)

    def run(scope: Any, target: Record) -> None:  # noqa: ANN401  # whatever the source holds
        for each in runs:
            each(scope, target)

    return run


def _compile(mapping: Mapping, rule: Rule, base: str) -> Run:
    match rule:
        case ConstantRule(to=to, value=value):
            write = _writer(to)
            return lambda _scope, target: write(target, value)
        case ValueRule():
            return _compile_value(mapping, rule, base)
        case NestedRule():
            return _compile_nested(mapping, rule, base)


def _compile_value(mapping: Mapping, rule: ValueRule, base: str) -> Run:
    path = ", ".join(join(base, each) for each in rule.sources)
    read, write = _values_reader(rule), _writer(rule.to)
    steps = tuple(build(each.name, each.argument, mapping.code_lists) for each in rule.transforms)
    settle = _settler(mapping, rule.label, path, rule.policy)

    def run(scope: Any, target: Record) -> None:  # noqa: ANN401  # as above
        try:
            value = read(scope)
            for step in steps:
                if value is MISSING or value is None or value == "":
                    break
                value = step(value)
        except (TransformError, _WrongShape) as error:
            raise _record_error(mapping, rule.label, path, error) from None
        if value is MISSING or value is None or value == "":
            value = settle(value)
            if value is _NOTHING:
                return
        write(target, value)

    return run


def _record_error(mapping: Mapping, label: str, path: str, error: Exception) -> RecordError:
    if isinstance(error, UnknownCode):
        return UnknownCodeError(mapping.name, label, path, error.code_list, error.code)
    return RecordError(mapping.name, label, path, str(error))


def _compile_nested(mapping: Mapping, rule: NestedRule, base: str) -> Run:
    inner_base = base if rule.kind is Kind.APPEND_WHEN else join(base, rule.source)
    run, pick = compile_rules(mapping, rule.rules, inner_base), _picker(mapping, rule, join(base, rule.source))
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


def _picker(mapping: Mapping, rule: NestedRule, path: str) -> _Pick:
    """Return what gives the elements that a nested rule builds objects from; None when it is to write nothing."""
    read = _first_reader(rule) if rule.kind is Kind.FIRST else _reader(rule.source)
    settle = _settler(mapping, rule.label, path, rule.policy)

    def pick(scope: Any) -> list[Any] | None:  # noqa: ANN401  # as above
        try:
            value = read(scope)
        except _WrongShape as error:
            raise _record_error(mapping, rule.label, path, error) from None
        if value is MISSING or value is None or value == "":
            value = settle(value)
        if value is _NOTHING:
            return None
        if rule.kind is not Kind.EACH:
            return [scope if rule.kind is Kind.APPEND_WHEN else value]
        if not isinstance(value, list):
            raise RecordError(mapping.name, rule.label, path, "is not a list")
        return value

    return pick


def _first_reader(rule: NestedRule) -> _Read:
    """Read the first element that the rule's condition holds for; MISSING when there is none."""
    read, where = _reader(rule.source), rule.where
    condition = None if where is None else (_reader(where.path), where.equals)

    def first(scope: Any) -> Any:  # noqa: ANN401  # as above
        elements = read(scope)
        if elements is MISSING or elements is None:
            return elements
        if not isinstance(elements, list):
            raise _WrongShape("is not a list")
        if condition is None:
            return elements[0] if elements else MISSING
        of, wanted = condition
        return next((each for each in elements if of(each) == wanted), MISSING)

    return first


def _settler(mapping: Mapping, label: str, path: str, policy: Policy) -> _Read:
    """Return what applies a policy to an absent value: missing, null and empty are three things."""

    def settle(value: Any) -> Any:  # noqa: ANN401  # as above
        if value is MISSING:
            action, state = policy.on_missing, "missing"
        elif value is None:
            action, state = policy.on_null, "null"
        else:
            action, state = policy.on_empty, "empty"
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
    first, *rest = path.split(".")

    def read(scope: Any) -> Any:  # noqa: ANN401  # as above
        if not isinstance(scope, dict):
            raise _WrongShape(f"{first} is looked for in something that is not an object")
        value = scope.get(first, MISSING)
        for part in rest:
            if value is None or value is MISSING:
                return value
            if not isinstance(value, dict):
                raise _WrongShape(f"{part} is looked for in something that is not an object")
            value = value.get(part, MISSING)
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
