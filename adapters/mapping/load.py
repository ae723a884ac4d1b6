"""Reads a mapping file and checks all that can be known without a record.

It refuses a mapping whose rules contradict each other or the contract that it maps to, naming file, rule and key.
The schema has the shape of a mapping; here stands what a schema cannot say.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any, Final, cast

import contracts
from adapters import yamlfile
from adapters.errors import ConfigError
from adapters.mapping.amountsteps import units_fit
from adapters.mapping.model import (
    Action,
    ConstantRule,
    Ignored,
    Kind,
    Mapping,
    NestedRule,
    Path,
    Policy,
    Rule,
    Transform,
    ValueRule,
    Where,
    join,
    walk,
    written_by,
)
from adapters.mapping.transforms import CODED, INWARD, NORMALISE, TAKES_LIST, code_list_of

_KINDS: Final = ("from", "constant", "each", "first", "append_when")
_POLICY_KEYS: Final = ("required", "on_missing", "on_null", "on_empty", "default")
_NOT_FOR: Final = {
    "from": ("where", "rules"),
    "constant": ("where", "rules", "transform", "received", *_POLICY_KEYS),
    "each": ("where", "transform", "received", "default"),
    "first": ("transform", "received", "default"),
    "append_when": ("where", "transform", "received", "default"),
}
_DAY_PARTS: Final = ("year", "month", "day")


def load_mapping(path: FilePath) -> Mapping:
    """Read a mapping file; raises :class:`ConfigError` naming file, key and problem."""
    return outward(read_mapping(str(path), yamlfile.load(path, "mapping")))


def parse_mapping(data: bytes, *, name: str) -> Mapping:
    """As :func:`load_mapping`, from bytes."""
    return outward(read_mapping(name, yamlfile.parse(data, "mapping", name=name)))


def read_mapping(file: str, data: dict[str, Any], shared_lists: dict[str, dict[str, str]] | None = None) -> Mapping:
    """Return what a file says; ``shared_lists`` are those of the mapping that it names by ``code_lists_of``."""
    contract = data["target"] if "target" in data else data["source"]
    mapping = Mapping(
        file=file,
        name=data["mapping"],
        version=data["version"],
        contract=contract["contract"],
        contract_version=contract["version"],
        code_lists={**(shared_lists or {}), **data.get("code_lists", {})},
        rules=_rules(file, "rules", data["rules"]),
        ignored=tuple(
            Ignored(Path(path), each["reason"])
            for each in data.get("ignored", ())
            for path in each.get("paths", (each.get("path"),))
        ),
        takes="source" in data,
    )
    _check_contract(mapping)
    _check_conflicts(mapping)
    return mapping


def outward(mapping: Mapping) -> Mapping:
    """Return a mapping whose target is a contract, checked against it; raises :class:`ConfigError` for another."""
    if mapping.takes:
        raise ConfigError(mapping.file, "target", "is missing: this mapping takes records in, for a write file")
    _check_target(mapping)
    _check_code_lists(mapping)
    return mapping


def _rules(file: str, key: str, items: Sequence[dict[str, Any]]) -> tuple[Rule, ...]:
    return tuple(_rule(file, f"{key}[{number}]", item) for number, item in enumerate(items))


def _rule(file: str, key: str, item: dict[str, Any]) -> Rule:
    kinds = [kind for kind in _KINDS if kind in item]
    if len(kinds) != 1:
        raise ConfigError(file, key, f"a rule has exactly one of {', '.join(_KINDS)}; this one has {kinds or 'none'}")
    kind = kinds[0]
    for unwanted in _NOT_FOR[kind]:
        if unwanted in item:
            raise ConfigError(file, f"{key}.{unwanted}", f"has no meaning in a rule with {kind!r}")
    label = f"{key} ({item['to']})"
    if kind == "constant":
        return ConstantRule(label, Path(item["to"]), item["constant"])
    if kind == "from":
        return _value_rule(file, key, label, item)
    return _nested_rule(file, key, label, Kind(kind), item)


def _value_rule(file: str, key: str, label: str, item: dict[str, Any]) -> ValueRule:
    sources = item["from"] if isinstance(item["from"], list) else [item["from"]]
    transforms = tuple(_transform(each) for each in item.get("transform", ()))
    takes_list = bool(transforms) and transforms[0].name in TAKES_LIST
    if isinstance(item["from"], list) != takes_list:
        raise ConfigError(
            file, f"{key}.from", f"a list of paths goes with {' or '.join(sorted(TAKES_LIST))} as first transform"
        )
    if takes_list and transforms[0].name == "date_from_parts" and len(sources) != len(_DAY_PARTS):
        raise ConfigError(file, f"{key}.from", f"date_from_parts takes {', '.join(_DAY_PARTS)}")
    if any(each.name in TAKES_LIST for each in transforms[1:]):
        raise ConfigError(file, f"{key}.transform", f"{' and '.join(sorted(TAKES_LIST))} can only stand first")
    _check_transforms(file, key, item, transforms)
    policy = _policy(file, key, item, missing=Action.OMIT, null=Action.NULL, empty=Action.KEEP)
    received = Path(item["received"]) if "received" in item else None
    return ValueRule(label, Path(item["to"]), tuple(Path(each) for each in sources), transforms, policy, received)


def _check_transforms(file: str, key: str, item: dict[str, Any], transforms: tuple[Transform, ...]) -> None:
    names = [each.name for each in transforms]
    if "received" in item and names.count(NORMALISE) != 1:
        raise ConfigError(file, f"{key}.received", f"goes with {NORMALISE} among the transforms, once")
    for each in transforms:
        if each.name == "unit" and not units_fit(cast("dict[str, str]", each.argument)):
            raise ConfigError(file, f"{key}.transform", "the two units do not measure the same")


def _nested_rule(file: str, key: str, label: str, kind: Kind, item: dict[str, Any]) -> NestedRule:
    if "rules" not in item:
        raise ConfigError(file, key, f"a rule with {kind.value!r} needs rules of its own")
    empty = Action.OMIT if kind is Kind.APPEND_WHEN else Action.ERROR
    policy = _policy(file, key, item, missing=Action.OMIT, null=Action.OMIT, empty=empty)
    if {policy.on_missing, policy.on_null, policy.on_empty} - {Action.ERROR, Action.OMIT}:
        raise ConfigError(file, key, f"a rule with {kind.value!r} can only omit or refuse what is absent")
    where = Where(Path(item["where"]["path"]), item["where"]["equals"]) if "where" in item else None
    inner = _rules(file, f"{key}.rules", item["rules"])
    return NestedRule(label, kind, Path(item["to"]), Path(item[kind.value]), where, policy, inner)


def _transform(item: str | dict[str, Any]) -> Transform:
    if isinstance(item, str):
        return Transform(item, None)
    [(name, argument)] = item.items()
    return Transform(name, argument)


def _policy(file: str, key: str, item: dict[str, Any], *, missing: Action, null: Action, empty: Action) -> Policy:
    if item.get("required", False):
        missing = null = empty = Action.ERROR
    usual = {"on_missing": missing, "on_null": null, "on_empty": empty}
    actions = {name: Action(item.get(name, action)) for name, action in usual.items()}
    if item.get("required", False) and {Action.OMIT, Action.NULL} & set(actions.values()):
        raise ConfigError(file, key, "a required rule cannot omit its value or write null")
    if (Action.DEFAULT in actions.values()) != ("default" in item):
        raise ConfigError(file, f"{key}.default", "goes with on_missing, on_null or on_empty set to 'default'")
    return Policy(actions["on_missing"], actions["on_null"], actions["on_empty"], item.get("default"))


def _check_contract(mapping: Mapping) -> None:
    name, version = mapping.contract, mapping.contract_version
    if name not in contracts.names() or version not in contracts.versions(name):
        key = "source" if mapping.takes else "target"
        raise ConfigError(mapping.file, key, f"there is no contract {name} {version}")


def _check_target(mapping: Mapping) -> None:
    for rule, _source, _target in walk(mapping.rules):
        wrong = sorted(INWARD & {each.name for each in rule.transforms}) if isinstance(rule, ValueRule) else []
        if wrong:
            raise ConfigError(mapping.file, rule.label, f"{', '.join(wrong)} is for records that are taken in")
    for rule, _source, target in walk(mapping.rules):
        path = join(target, rule.to)
        for written in written_by(rule):
            if not contracts.has_field(mapping.contract, mapping.contract_version, join(target, written)):
                raise ConfigError(mapping.file, rule.label, f"{mapping.contract} has no field {join(target, written)}")
        if isinstance(rule, ConstantRule):
            _check_codes(mapping, rule.label, path, {rule.value})


def _check_code_lists(mapping: Mapping) -> None:
    used: set[str] = set()
    for rule, list_name, path, name in _coded(mapping):
        if list_name not in mapping.code_lists:
            raise ConfigError(mapping.file, rule.label, f"there is no code list {list_name!r} under code_lists")
        used.add(list_name)
        results = set(mapping.code_lists[list_name].values())
        _check_codes(mapping, rule.label, path, results)
        if name in CODED and not results <= set(contracts.code_list(CODED[name]).codes):
            raise ConfigError(mapping.file, rule.label, f"{list_name} has codes that {CODED[name]} does not have")
    for unused in sorted(set(mapping.code_lists) - used):
        raise ConfigError(mapping.file, f"code_lists.{unused}", "no rule uses this code list")


def _coded(mapping: Mapping) -> Iterator[tuple[ValueRule, str, str, str]]:
    """Yield each rule whose last transform looks a code up: rule, list, target path and transform."""
    for rule, _source, target in walk(mapping.rules):
        for step in rule.transforms if isinstance(rule, ValueRule) else ():
            list_name = code_list_of(step.name, step.argument) if step.argument is not None else None
            if list_name is not None and isinstance(rule, ValueRule):
                yield rule, list_name, join(target, rule.to), step.name


def _check_codes(mapping: Mapping, label: str, path: str, values: set[Any]) -> None:
    allowed = contracts.allowed_codes(mapping.contract, mapping.contract_version, path)
    wrong = sorted(map(str, values - allowed)) if allowed is not None else []
    if wrong:
        raise ConfigError(mapping.file, label, f"{mapping.contract} does not allow {', '.join(wrong)} at {path}")


def _check_conflicts(mapping: Mapping) -> None:
    """Two rules must not write the same field: the later would drop silently what the earlier wrote."""
    _check_scope(mapping.file, mapping.rules)
    for rule, _source, _target in walk(mapping.rules):
        if isinstance(rule, NestedRule):
            _check_scope(mapping.file, rule.rules)


def _check_scope(file: str, rules: tuple[Rule, ...]) -> None:
    written: dict[str, bool] = {}
    for rule in rules:
        appends = isinstance(rule, NestedRule) and rule.kind is not Kind.FIRST
        for own in written_by(rule):
            for path, other_appends in written.items():
                _check_pair(file, rule.label, own, path, both_append=appends and other_appends)
            written[own] = appends


def _check_pair(file: str, label: str, own: str, other: str, *, both_append: bool) -> None:
    if other == own and not both_append:
        raise ConfigError(file, label, "another rule writes the same field")
    if other.startswith(f"{own}.") or own.startswith(f"{other}."):
        raise ConfigError(file, label, f"another rule writes {other}, which contains it or lies within it")
