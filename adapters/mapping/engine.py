"""Runs a mapping: a local record in, a record of the standard out.

It refuses a mapping that leaves a field of its source unmentioned, because such a field would be dropped silently.
:mod:`adapters.mapping.compiler` makes the closures; the registry API calls :meth:`CompiledMapping.apply` per record.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from adapters.errors import ConfigError, RecordError
from adapters.mapping.compiler import Run, Watch, compile_rules
from adapters.mapping.model import Mapping, NestedRule, Rule, ValueRule, join, plain, walk
from adapters.mapping.paths import Record


@dataclass(frozen=True, slots=True)
class CompiledMapping:
    """A mapping ready to run; ``shape`` is what the source declares, or None when each record must show it."""

    mapping: Mapping
    known: frozenset[str]
    shape: frozenset[str] | None
    run: Run

    def apply(self, record: Record) -> Record:
        """Return the record in the standard; raises :class:`RecordError`."""
        if self.shape is None:
            self._check_fields(record)
        target: Record = {}
        self.run(record, target)
        return target

    def _check_fields(self, record: Record) -> None:
        for path in leaf_paths(record):
            if not covered(path, self.known):
                raise RecordError(self.mapping.name, "ignored", path, "no rule maps this field and it is not ignored")


def compile_mapping(mapping: Mapping, shape: Iterable[str] | None = None) -> CompiledMapping:
    """Compile a mapping against the fields that its source has.

    Args:
        mapping: as :func:`adapters.mapping.load_mapping` returns it.
        shape: dotted paths of all fields of the source's records, lists passed through; None when the source cannot
            say, and then each record is checked.

    Raises:
        ConfigError: a rule reads a field that the source does not have, or a field is neither mapped nor ignored.
    """
    fields = None if shape is None else frozenset(shape)
    known = known_fields(mapping)
    for key, problem in [] if fields is None else shape_problems(mapping, fields):
        raise ConfigError(mapping.file, key, problem)
    return CompiledMapping(mapping, known, fields, compile_rules(mapping, mapping.rules))


def without_unreadable(mapping: Mapping, shape: Iterable[str]) -> tuple[CompiledMapping, tuple[str, ...]]:
    """Compile what can run of a mapping that does not fit its source: for checking, not for serving.

    Returns:
        The mapping without the rules that read what the source does not have, and which these are.
    """
    fields = frozenset(shape)
    left_out = frozenset(rule for rule, path in _read_paths(mapping) if not _has(fields, path))
    kept = replace(mapping, rules=tuple(_kept(mapping.rules, left_out)))
    return CompiledMapping(kept, known_fields(mapping), fields, compile_rules(kept, kept.rules)), tuple(
        sorted(left_out)
    )


def _kept(rules: Iterable[Rule], left_out: frozenset[str]) -> Iterator[Rule]:
    for rule in rules:
        if rule.label not in left_out:
            yield replace(rule, rules=tuple(_kept(rule.rules, left_out))) if isinstance(rule, NestedRule) else rule


def watched(compiled: CompiledMapping, watch: Watch) -> CompiledMapping:
    """Return the same mapping, seen at work: for checking and trying, not for serving."""
    mapping = compiled.mapping
    run = compile_rules(mapping, mapping.rules, watch=watch)
    return CompiledMapping(mapping, compiled.known, compiled.shape, run)


def leaf_paths(value: object, prefix: str = "") -> Iterator[str]:
    """Yield the dotted path of each field of a record, lists passed through."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaf_paths(inner, join(prefix, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for each in value:
            yield from leaf_paths(each, prefix)
    else:
        yield prefix


def covered(path: str, known: frozenset[str]) -> bool:
    """Tell whether a field, or something that contains it, is mapped or ignored."""
    return any(path == each or path.startswith(f"{each}.") or each.startswith(f"{path}.") for each in known)


def _sources(mapping: Mapping) -> Iterator[str]:
    """Yield the paths whose values reach the target."""
    for rule, source, _target in walk(mapping.rules):
        if isinstance(rule, ValueRule) and not _counts(rule):
            yield from (plain(join(source, each)) for each in rule.sources)


def _counts(rule: ValueRule) -> bool:
    """A rule that counts a list does not map the fields of its elements."""
    return bool(rule.transforms) and rule.transforms[0].name == "count"


def known_fields(mapping: Mapping) -> frozenset[str]:
    """Return the source paths that a mapping maps or ignores."""
    return mapped_fields(mapping) | frozenset(each.path for each in mapping.ignored)


def mapped_fields(mapping: Mapping) -> frozenset[str]:
    """Return the source paths whose values reach the target."""
    return frozenset(_sources(mapping))


def shape_problems(mapping: Mapping, fields: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what does not fit between a mapping and the fields of its source: the key and the problem."""
    for rule, path in _read_paths(mapping):
        if not _has(fields, path):
            yield rule, f"the source has no field {path}"
    for ignored in mapping.ignored:
        if not _has(fields, ignored.path):
            yield "ignored", f"the source has no field {ignored.path}"
    known = known_fields(mapping)
    dropped = sorted(field for field in fields if not covered(field, known))
    if dropped:
        yield "rules", f"neither mapped nor ignored with a reason: {', '.join(dropped)}"


def _has(fields: frozenset[str], path: str) -> bool:
    return any(field == path or field.startswith(f"{path}.") for field in fields)


def _read_paths(mapping: Mapping) -> Iterator[tuple[str, str]]:
    for rule, source, _target in walk(mapping.rules):
        if isinstance(rule, ValueRule):
            yield from ((rule.label, plain(join(source, each))) for each in rule.sources)
        elif isinstance(rule, NestedRule):
            inner = join(source, rule.source)
            yield rule.label, inner
            if rule.where is not None:
                yield rule.label, join(inner, rule.where.path)
