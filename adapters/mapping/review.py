"""Looks at a mapping, its source and its contract without any record: what is left out, and what can never happen.

It refuses to stop at the first finding: whoever writes a mapping sees all that is open at once.
``spean adapter check`` prints what it finds; :mod:`adapters.mapping.counting` looks at the data as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from adapters.mapping.engine import mapped_fields, shape_problems
from adapters.mapping.model import MISSING, Action, NestedRule, ValueRule, join, walk, written_by
from adapters.mapping.model import Mapping as MappingFile
from adapters.mapping.steps import TransformError
from adapters.mapping.target import TargetField, fields_at
from adapters.mapping.transforms import NORMALISE, build, code_list_of
from adapters.source.calldefinition import CallDefinition
from adapters.source.definition import SourceDefinition, SqlDefinition
from adapters.source.filesdefinition import FilesDefinition

_RECEIVED: Final = "_received"
# These give the same when they are run on their own result: a key that they change is one that nothing reaches.
_IDEMPOTENT: Final = frozenset({"trim", "upper", "lower", "khmer_digits", "without_spaces", NORMALISE})


class Level(StrEnum):
    """How bad a finding is."""

    ERROR = "error"  # the adapter does not start, or gives records that break the contract
    WARNING = "warning"  # what was written can never happen, or is not what it seems
    NOTE = "note"  # what the standard has and this mapping does not give


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person should look at; ``remedy`` says what to do."""

    level: Level
    file: str
    place: str
    problem: str
    remedy: str


def review(mapping: MappingFile, source: SourceDefinition) -> Iterator[Finding]:
    """Yield everything that can be found without a record."""
    yield from _shape(mapping, source)
    yield from _trusted(source)
    yield from missing_targets(mapping)
    yield from _unreachable_defaults(mapping, source)
    yield from _unreachable_codes(mapping)
    yield from _mapped_and_ignored(mapping)
    yield from _not_normalised(mapping)
    yield from _unmapped_targets(mapping)


def _shape(mapping: MappingFile, source: SourceDefinition) -> Iterator[Finding]:
    for key, problem in shape_problems(mapping, source.shape):
        if key == "rules":
            remedy = "write a rule for each, or put it under 'ignored' with a reason"
        else:
            remedy = f"the rule can never run: correct its path, or declare the field in {source.file}"
        yield Finding(Level.ERROR, mapping.file, key, problem, remedy)


def _trusted(source: SourceDefinition) -> Iterator[Finding]:
    """What a service found by an attribute is compared once more where a field of the answer holds it."""
    for name, attribute in source.attributes.items() if isinstance(source, CallDefinition) else ():
        if not attribute.column:
            problem = "is sent to the service, but not compared with what it answers"
            remedy = "name the field that holds it, if the answer has one"
            yield Finding(Level.NOTE, source.file, f"queries.attributes.{name}", problem, remedy)


def _targets(mapping: MappingFile) -> frozenset[str]:
    return frozenset(join(target, path) for rule, _source, target in walk(mapping.rules) for path in written_by(rule))


def _scopes(mapping: MappingFile) -> Iterator[str]:
    """Yield the target path of each object that a mapping makes: the record, nested ones, and parents of paths."""
    seen = {""}
    for target in _targets(mapping):
        parts = target.split(".")
        seen.update(".".join(parts[:count]) for count in range(1, len(parts)))
    seen.update(join(target, rule.to) for rule, _s, target in walk(mapping.rules) if isinstance(rule, NestedRule))
    yield from sorted(seen)


def _fields(mapping: MappingFile, scope: str) -> tuple[TargetField, ...]:
    return fields_at(mapping.contract, mapping.contract_version, scope)


def _written(targets: frozenset[str], path: str) -> bool:
    return any(each == path or each.startswith(f"{path}.") for each in targets)


def missing_targets(mapping: MappingFile) -> Iterator[Finding]:
    """Yield what the contract requires and no rule writes."""
    targets = _targets(mapping)
    for scope in _scopes(mapping):
        for field in _fields(mapping, scope):
            path = join(scope, field.name)
            if field.required and not _written(targets, path):
                problem = f"no rule writes {path}, which {mapping.contract} requires"
                yield Finding(Level.ERROR, mapping.file, "rules", problem, "write a rule for it, or a constant")


def _unmapped_targets(mapping: MappingFile) -> Iterator[Finding]:
    targets = _targets(mapping)
    for scope in _scopes(mapping):
        missing = [
            join(scope, field.name)
            for field in _fields(mapping, scope)
            if not field.required
            and not field.name.endswith(_RECEIVED)
            and not _written(targets, join(scope, field.name))
        ]
        if missing:
            problem = f"the standard has fields that are not given: {', '.join(missing)}"
            yield Finding(
                Level.NOTE, mapping.file, scope or "record", problem, "map what the institution knows of these"
            )


def _unreachable_defaults(mapping: MappingFile, source: SourceDefinition) -> Iterator[Finding]:
    """A default for a value that is missing never applies where the source gives null, and the other way round."""
    always, never_null = _presence(source)
    for rule, prefix, _target in walk(mapping.rules):
        if not isinstance(rule, ValueRule):
            continue
        paths = {join(prefix, each) for each in rule.sources}
        policy = rule.policy
        if policy.on_missing is Action.DEFAULT and policy.on_null is not Action.DEFAULT and paths <= always:
            yield _unreachable(mapping, rule, "missing", "null")
        if policy.on_null is Action.DEFAULT and policy.on_missing is not Action.DEFAULT and paths <= never_null:
            yield _unreachable(mapping, rule, "null", "missing")


def _unreachable(mapping: MappingFile, rule: ValueRule, never: str, instead: str) -> Finding:
    problem = f"its default is for a {never} value, but the source gives {instead} where it has none"
    return Finding(Level.WARNING, mapping.file, rule.label, problem, f"set on_{instead}: default as well")


def _presence(source: SourceDefinition) -> tuple[frozenset[str], frozenset[str]]:
    """Return the fields that are always there, and those that are never null, as far as the source can tell."""
    tables = source.sql if isinstance(source, FilesDefinition) else source
    if not isinstance(tables, SqlDefinition):
        return frozenset(), frozenset()
    fields = [(field.path, field.null_is_missing) for field in tables.root.fields]
    fields += [(f"{many.path}.{field.path}", field.null_is_missing) for many in tables.manies for field in many.fields]
    never_null = frozenset(path for path, missing in fields if missing)
    return frozenset(path for path, _missing in fields) - never_null, never_null


def _unreachable_codes(mapping: MappingFile) -> Iterator[Finding]:
    """A code that an earlier transform of the same rule changes can never be looked up."""
    for rule, _source, _target in walk(mapping.rules):
        for place, step in enumerate(rule.transforms if isinstance(rule, ValueRule) else ()):
            if not isinstance(rule, ValueRule):
                continue
            name = code_list_of(step.name, step.argument)
            before = [each.name for each in rule.transforms[:place]]
            if name is None or not set(before) <= _IDEMPOTENT:
                continue
            lost = sorted(code for code in mapping.code_lists[name] if _after(before, code) != code)
            if lost:
                problem = f"the codes {', '.join(lost)} of {name} can never match after {', '.join(before)}"
                yield Finding(
                    Level.WARNING, mapping.file, rule.label, problem, "write them as the transforms leave them"
                )


def _mapped_and_ignored(mapping: MappingFile) -> Iterator[Finding]:
    """Whoever reads that a field is ignored must be able to believe it."""
    for path in sorted(mapped_fields(mapping) & {each.path for each in mapping.ignored}):
        problem = f"{path} stands under 'ignored', and a rule maps it all the same"
        yield Finding(Level.WARNING, mapping.file, "ignored", problem, "take it out of the one or the other")


def _after(names: list[str], code: str) -> object:
    empty: Mapping[str, Mapping[str, str]] = {}
    value: object = code
    try:
        for name in names:
            value = build(name, None, empty)(value)
    except TransformError:
        return MISSING
    return value


def _not_normalised(mapping: MappingFile) -> Iterator[Finding]:
    """Where the standard keeps the text as it came beside the normalised one, both must be given."""
    for rule, _source, target in walk(mapping.rules):
        if not isinstance(rule, ValueRule) or rule.to.endswith(_RECEIVED):
            continue
        scope, _dot, name = join(target, rule.to).rpartition(".")
        if f"{name}{_RECEIVED}" not in {field.name for field in _fields(mapping, scope)}:
            continue
        if NORMALISE not in {each.name for each in rule.transforms}:
            problem, remedy = "writes Khmer text that is not normalised", f"add the transform {NORMALISE}"
        elif rule.received is None:
            problem, remedy = "does not keep the text as it came", f"add received: {rule.to}{_RECEIVED}"
        else:
            continue
        yield Finding(Level.WARNING, mapping.file, rule.label, problem, remedy)
