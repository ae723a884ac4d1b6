"""Turns the rules of a mapping into closures, so that a record costs a few dictionary look-ups per rule.

It refuses unknown codes, wrong shapes and absent required values; an error names mapping, rule and path, never a value.
:mod:`adapters.mapping.engine` compiles once and runs the result on each record.
"""

from collections.abc import Callable
from typing import Any, Final, Protocol

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
from adapters.mapping.paths import Read, Record, Write, WrongShape, list_maker, reader, writer
from adapters.mapping.transforms import (
    NORMALISE,
    TAKES_LIST,
    TOLERANT,
    Step,
    TransformError,
    UnknownCode,
    build,
    code_list_of,
)

Run = Callable[[Any, Record], None]
_Pick = Callable[[Any], list[Any] | None]
_NOTHING: Final = object()  # what a policy answers when the rule writes nothing


class Watch(Protocol):
    """Sees what a mapping does with a record; a record that is served is not watched, and costs nothing for it."""

    def ran(self, rule: ValueRule | ConstantRule, source: str, scope: Any, target: Record) -> None:  # noqa: ANN401  # a part of a record
        """A rule has read a part of the record and written, or not written, into an object."""

    def coded(self, rule: ValueRule, source: str, code_list: str, code: object, *, known: bool) -> bool:
        """A code was looked up; for an unknown one, True to go on as if it were some other code of the list."""


def compile_rules(mapping: Mapping, rules: tuple[Rule, ...], base: str = "", watch: Watch | None = None) -> Run:
    """Return a function that runs all rules on one scope of the source and writes into one target object.

    ``base`` is the path of that scope in the record, for messages.
    """
    runs = tuple(_compile(mapping, rule, base, watch) for rule in rules)

    def run(scope: Any, target: Record) -> None:  # noqa: ANN401  # whatever the source holds
        for each in runs:
            each(scope, target)

    return run


def _compile(mapping: Mapping, rule: Rule, base: str, watch: Watch | None) -> Run:
    match rule:
        case ConstantRule(to=to, value=value):
            return _seen(_constant(to, value), rule, base, watch)
        case ValueRule():
            path = ", ".join(join(base, each) for each in rule.sources)
            return _seen(_compile_value(mapping, rule, path, watch), rule, path, watch)
        case NestedRule():
            return _compile_nested(mapping, rule, base, watch)


def _constant(to: str, value: Any) -> Run:  # noqa: ANN401  # as the mapping has it
    write = writer(to)

    def run(_scope: Any, target: Record) -> None:  # noqa: ANN401  # as above
        write(target, value)

    def run_member(_scope: Any, target: Record) -> None:  # noqa: ANN401  # as above
        target[to] = value

    return run if "." in to else run_member


def _seen(run: Run, rule: ValueRule | ConstantRule, path: str, watch: Watch | None) -> Run:
    if watch is None:
        return run

    def seen(scope: Any, target: Record) -> None:  # noqa: ANN401  # as above
        run(scope, target)
        watch.ran(rule, path, scope, target)

    return seen


def _compile_value(mapping: Mapping, rule: ValueRule, path: str, watch: Watch | None) -> Run:
    """Read, go through the steps, apply the policy to what is absent, write.

    A rule that normalises may also write the text as it came, where that is another one.
    """
    read, write = _values_reader(rule), writer(rule.to)
    steps = tuple(_step(mapping, rule, place, path, watch) for place in range(len(rule.transforms)))
    settle = _settler(mapping, rule.label, path, rule.policy)
    write_received = None if rule.received is None else writer(rule.received)
    normalising = None if rule.received is None else steps[[e.name for e in rule.transforms].index(NORMALISE)]

    def run(scope: Any, target: Record) -> None:  # noqa: ANN401  # as above
        received = normal = None
        try:
            value = read(scope)
            for step in steps:
                if value is MISSING or value is None or value == "":
                    break
                if step is normalising and normal is None:
                    received = value
                    value = normal = step(value)
                else:
                    value = step(value)
        except (TransformError, WrongShape) as error:
            raise _record_error(mapping, rule.label, path, error) from None
        if value is MISSING or value is None or value == "":
            value = settle(value)
        if value is not _NOTHING:
            write(target, value)
        if write_received is not None and normal and normal != received:
            write_received(target, received)

    name = rule.sources[0]
    plain = len(rule.sources) == 1 and name.isidentifier() and len(steps) <= 1 and rule.received is None
    if not plain or watch is not None:
        return run
    return _short(name, steps[0] if steps else None, write, run)


def _short(name: str, step: Step | None, write: Write, run: Run) -> Run:
    """Do what ``run`` does, with fewer calls, where a field is there and goes through one step at most.

    Whatever is out of the ordinary, ``run`` does itself: it has not written anything yet.
    """

    def short(scope: Any, target: Record) -> None:  # noqa: ANN401  # as above
        value = scope.get(name) if type(scope) is dict else None
        if value is None or value == "":
            run(scope, target)
            return
        if step is not None:
            try:
                value = step(value)
            except TransformError:
                value = None
            if value is None or value is MISSING or value == "":
                run(scope, target)
                return
        write(target, value)

    return short


def _step(mapping: Mapping, rule: ValueRule, place: int, path: str, watch: Watch | None) -> Step:
    transform = rule.transforms[place]
    step = build(transform.name, transform.argument, mapping.code_lists)
    list_name = code_list_of(transform.name, transform.argument)
    if watch is None or list_name is None:
        return step
    stand_in = next(iter(mapping.code_lists[list_name].values()))

    def watched(value: Any) -> Any:  # noqa: ANN401  # as above
        try:
            found = step(value)
        except UnknownCode as error:
            if not watch.coded(rule, path, error.code_list, error.code, known=False):
                raise
            return stand_in
        watch.coded(rule, path, list_name, value, known=True)
        return found

    return watched


def _record_error(mapping: Mapping, label: str, path: str, error: Exception) -> RecordError:
    if isinstance(error, UnknownCode):
        return UnknownCodeError(mapping.name, label, path, error.code_list, error.code)
    return RecordError(mapping.name, label, path, str(error))


def _compile_nested(mapping: Mapping, rule: NestedRule, base: str, watch: Watch | None) -> Run:
    inner_base = base if rule.kind is Kind.APPEND_WHEN else join(base, rule.source)
    path = join(base, rule.source)
    run, pick = compile_rules(mapping, rule.rules, inner_base, watch), _picker(mapping, rule, path)
    write, list_at = writer(rule.to), list_maker(rule.to)

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
    read = _first_reader(rule) if rule.kind is Kind.FIRST else reader(rule.source)
    settle = _settler(mapping, rule.label, path, rule.policy)

    def pick(scope: Any) -> list[Any] | None:  # noqa: ANN401  # as above
        try:
            value = read(scope)
        except WrongShape as error:
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


def _first_reader(rule: NestedRule) -> Read:
    """Read the first element that the rule's condition holds for; MISSING when there is none."""
    read, where = reader(rule.source), rule.where
    condition = None if where is None else (reader(where.path), where.equals)

    def first(scope: Any) -> Any:  # noqa: ANN401  # as above
        elements = read(scope)
        if elements is MISSING or elements is None:
            return elements
        if not isinstance(elements, list):
            raise WrongShape("is not a list")
        if condition is None:
            return elements[0] if elements else MISSING
        of, wanted = condition
        return next((each for each in elements if of(each) == wanted), MISSING)

    return first


def _settler(mapping: Mapping, label: str, path: str, policy: Policy) -> Read:
    """Return what applies a policy to an absent value: missing, null and empty are three things."""
    missing, null, empty = (_settled(mapping, label, path, policy, each) for each in ("missing", "null", "empty"))

    def settle(value: Any) -> Any:  # noqa: ANN401  # as above
        return missing(value) if value is MISSING else null(value) if value is None else empty(value)

    return settle


def _settled(mapping: Mapping, label: str, path: str, policy: Policy, state: str) -> Read:
    action: Action = getattr(policy, f"on_{state}")

    def refuse(_value: Any) -> Any:  # noqa: ANN401  # as above
        raise RecordError(mapping.name, label, path, f"is {state}, and the mapping requires it")

    if action is Action.ERROR:
        return refuse
    if action is Action.KEEP:
        return lambda value: value
    fixed = {Action.OMIT: _NOTHING, Action.NULL: None, Action.DEFAULT: policy.default}[action]
    return lambda _value: fixed


def _values_reader(rule: ValueRule) -> Read:
    """Read one path, or all of them as a list: with ``concat`` a part that is absent makes the whole absent."""
    readers = tuple(reader(each) for each in rule.sources)
    if not (rule.transforms and rule.transforms[0].name in TAKES_LIST):
        return readers[0]
    tolerant = rule.transforms[0].name in TOLERANT

    def read(scope: Any) -> Any:  # noqa: ANN401  # as above
        values = [each(scope) for each in readers]
        if not tolerant:
            for absent in (MISSING, None, ""):
                if absent in values:
                    return absent
        return values

    return read
