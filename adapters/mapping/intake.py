"""Reads a mapping that takes records in: the standard's record is what it reads, the local record what it writes.

It refuses a contract's field that is neither mapped nor ignored, a local field that is not declared, and a code list
that cannot be turned round. A write file names it; :mod:`adapters.mapping.engine` runs it as any other.
"""

from collections.abc import Iterator
from pathlib import Path

import contracts
from adapters import yamlfile
from adapters.errors import ConfigError
from adapters.mapping.compiler import compile_rules
from adapters.mapping.engine import CompiledMapping, known_fields
from adapters.mapping.load import read_mapping
from adapters.mapping.model import Kind, Mapping, NestedRule, ValueRule, chosen_by, join, plain, walk
from adapters.mapping.target import fields_at
from adapters.mapping.transforms import CODED, WRITE_CODE, ambiguous, code_list_of, inverted


def load_intake(path: Path, fields: frozenset[str], lists: frozenset[str]) -> CompiledMapping:
    """Read and compile.

    Args:
        path: of the file.
        fields: dotted paths of all local fields that may be written, lists passed through.
        lists: those of lists.

    Raises:
        ConfigError: names file, rule or key, and problem.
    """
    mapping = read_intake(path)
    for key, problem in intake_problems(mapping, fields, lists):
        raise ConfigError(mapping.file, key, problem)
    return CompiledMapping(mapping, known_fields(mapping), frozenset(), compile_rules(mapping, mapping.rules))


def read_intake(path: Path) -> Mapping:
    """Read the file, and the mapping whose code lists it shares; raises :class:`ConfigError`."""
    file, data = str(path), yamlfile.load(path, "mapping")
    if "source" not in data:
        raise ConfigError(file, "source", "is missing: name the contract of the records that are taken in")
    shared: dict[str, dict[str, str]] = {}
    if "code_lists_of" in data:
        shared = yamlfile.load(path.parent / data["code_lists_of"], "mapping").get("code_lists", {})
    twice = sorted(set(shared) & set(data.get("code_lists", {})))
    if twice:
        raise ConfigError(file, f"code_lists.{twice[0]}", f"stands in {data['code_lists_of']} as well")
    return read_mapping(file, data, shared)


def intake_problems(mapping: Mapping, fields: frozenset[str], lists: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what does not fit between the mapping, its contract and the local fields: the key and the problem."""
    yield from _read(mapping)
    yield from _written(mapping, fields, lists)
    yield from _codes(mapping)
    dropped = sorted(_dropped(mapping))
    if dropped:
        yield "rules", f"neither mapped nor ignored with a reason: {', '.join(dropped)}"


def uncovered(mapping: Mapping) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield rule, code list and the contract's codes that it does not know: records with one are rejected."""
    for rule, name, path, transform in _coded(mapping):
        allowed = contracts.allowed_codes(mapping.contract, mapping.contract_version, path)
        codes = mapping.code_lists.get(name, {})
        known = set(inverted(codes) if transform == WRITE_CODE else codes)
        missing = sorted((allowed or frozenset()) - known)
        if missing and transform != "lookup":
            yield rule.label, name, tuple(missing)


def sources_of(mapping: Mapping) -> dict[str, str]:
    """Return the contract's path that each local field is made of."""
    found: dict[str, str] = {}
    for rule, source, target in walk(mapping.rules):
        if isinstance(rule, ValueRule):
            found[join(target, rule.to)] = ", ".join(join(source, each) for each in rule.sources)
        elif isinstance(rule, NestedRule):
            found.setdefault(join(target, rule.to), join(source, rule.source))
    return found


def _read(mapping: Mapping) -> Iterator[tuple[str, str]]:
    for rule, source, _target in walk(mapping.rules):
        own = rule.sources if isinstance(rule, ValueRule) else (rule.source,) if isinstance(rule, NestedRule) else ()
        for path in (plain(join(source, each)) for each in own):
            if not _has(mapping, path):
                yield rule.label, f"{mapping.contract} has no field {path}"
    for ignored in mapping.ignored:
        if not _has(mapping, ignored.path):
            yield "ignored", f"{mapping.contract} has no field {ignored.path}"


def _has(mapping: Mapping, path: str) -> bool:
    return not path or contracts.has_field(mapping.contract, mapping.contract_version, path)


def _written(mapping: Mapping, fields: frozenset[str], lists: frozenset[str]) -> Iterator[tuple[str, str]]:
    for rule, _source, target in walk(mapping.rules):
        path = join(target, rule.to)
        if isinstance(rule, NestedRule) and rule.kind is not Kind.FIRST and path not in lists:
            yield rule.label, f"the write file has no list {path} under 'many'"
        elif not isinstance(rule, NestedRule) and path not in fields:
            yield rule.label, f"the write file has no field {path}"


def _codes(mapping: Mapping) -> Iterator[tuple[str, str]]:
    for rule, name, _path, transform in _coded(mapping):
        if transform in CODED:
            yield rule.label, f"{transform} makes codes of the standard: use write_code"
        elif name not in mapping.code_lists:
            yield rule.label, f"there is no code list {name!r}"
        elif transform == WRITE_CODE and (several := ambiguous(mapping.code_lists[name])):
            yield (
                rule.label,
                (
                    f"the list {name} has several local codes for {', '.join(several)}: write a list of its own "
                    "from the standard's code to the local one, and use code_list"
                ),
            )


def _coded(mapping: Mapping) -> Iterator[tuple[ValueRule, str, str, str]]:
    for rule, source, _target in walk(mapping.rules):
        for step in rule.transforms if isinstance(rule, ValueRule) else ():
            name = code_list_of(step.name, step.argument) if step.argument is not None else None
            if name is not None and isinstance(rule, ValueRule):
                yield rule, name, plain(join(source, rule.sources[0])), step.name


def _dropped(mapping: Mapping) -> Iterator[str]:
    """Yield the contract's fields that nothing reads; a branch of which nothing is read is one of them."""
    chosen = {each for path in _paths(mapping) for each in chosen_by(path)}
    yield from _below(mapping, known_fields(mapping) | chosen, "")


def _paths(mapping: Mapping) -> Iterator[str]:
    for rule, source, _target in walk(mapping.rules):
        yield from (join(source, each) for each in rule.sources) if isinstance(rule, ValueRule) else ()


def _below(mapping: Mapping, known: frozenset[str], scope: str) -> Iterator[str]:
    for field in fields_at(mapping.contract, mapping.contract_version, scope):
        path = join(scope, field.name)
        if path in known:
            continue
        if any(each.startswith(f"{path}.") for each in known):
            yield from _below(mapping, known, path)
        else:
            yield path
