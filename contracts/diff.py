"""What changed between two versions of contracts: each difference, and what it does to the accepted documents.

It refuses to say for whom that breaks something; :mod:`contracts.changes` does. Keywords are compared one by one, which
finds every difference, but not always that two of them together mean nothing: it may call broken what is not.
"""

from collections.abc import Iterator
from typing import Any, Final

from contracts.changes import Change, Effect
from contracts.flat import TEXTS, Node, flat, types
from contracts.library import Entry, Library
from contracts.reference import reference_validator

_LOWER: Final = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
_UPPER: Final = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
_RULES: Final = ("pattern", "format", "multipleOf", "uniqueItems", "propertyNames", "x-prefix", "x-not-before")
_BRANCHES: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentRequired")

Found = Iterator[tuple[str, str, Effect]]


def changes(old: Library, new: Library) -> tuple[Change, ...]:
    """Return all differences between what was chosen of two libraries; contracts are matched by name.

    One contract against one other is compared whatever their names.
    """
    if len(old.chosen) == 1 and len(new.chosen) == 1:
        pairs = [(old.chosen[0], new.chosen[0])]
        return tuple(_of_pairs(pairs, old, new))
    before, after = ({each.name: each for each in library.chosen} for library in (old, new))
    lone = [Change(name, "", "The contract is gone.", Effect.REMOVED) for name in before if name not in after]
    lone += [Change(name, "", "The contract is new.", Effect.ADDED) for name in after if name not in before]
    pairs = [(before[name], after[name]) for name in before if name in after]
    return (*lone, *_of_pairs(pairs, old, new))


def _of_pairs(pairs: list[tuple[Entry, Entry]], old: Library, new: Library) -> Iterator[Change]:
    for before, after in pairs:
        for path, what, effect in dict.fromkeys(_Comparison(old, new).entries(before, after)):
            yield Change(after.name, path, what, effect)


class _Comparison:
    """Two libraries, and the walk through both at once."""

    def __init__(self, old: Library, new: Library) -> None:
        self._old, self._new = old, new
        self._seen: list[tuple[Entry, Entry]] = []  # a record may contain itself

    def entries(self, before: Entry, after: Entry) -> Found:
        """Compare two contracts, or two code lists; what changed under an old version is a fault of its own."""
        found = list(self._codes(before, after) if before.coded else self._schemas(before.document, after.document, ""))
        yield from found
        same = (before.name, before.version) == (after.name, after.version)
        if same and any(effect is not Effect.TEXT for _path, _what, effect in found):
            yield "", f"It changed and is still version {after.version}: give it a new version.", Effect.OTHER

    @staticmethod
    def _codes(before: Entry, after: Entry) -> Found:
        one, two = ([each["code"] for each in entry.document["codes"]] for entry in (before, after))
        yield from _enumeration("", one, two)

    def _schemas(self, before: Any, after: Any, path: str) -> Found:  # noqa: ANN401  # an object or a boolean
        if self._known(before, after):
            one, two = ({key: each for key, each in node.items() if key != "$ref"} for node in (before, after))
            if one != two:  # what stands beside a reference narrows here what it leads to
                yield from self._schemas(one, two, path)
            return
        one, two = flat(before, self._old), flat(after, self._new)
        yield from _texts(path, one, two)
        yield from _values(path, one, two)
        for compare in (_branches, _openness):
            yield from compare(path, one, two)
        yield from self._fields(one, two, path)
        if "items" in one or "items" in two:
            yield from self._schemas(one.get("items", {}), two.get("items", {}), f"{path}[]")

    def _known(self, before: Any, after: Any) -> bool:  # noqa: ANN401  # an object or a boolean
        """Tell whether two references lead to what is the same, was compared already, or is compared on its own."""
        one, two = (
            library.find(node.get("$ref", "")) if isinstance(node, dict) else None
            for library, node in ((self._old, before), (self._new, after))
        )
        if one is None or two is None or one.coded or two.coded:
            return False
        alone = one.name == two.name and one in self._old.chosen and two in self._new.chosen
        if one is two or alone or (one, two) in self._seen:
            return True
        self._seen.append((one, two))
        return False

    def _fields(self, one: Node, two: Node, path: str) -> Found:
        before, after = one.get("properties", {}), two.get("properties", {})
        demanded, demands = set(one.get("required", ())), set(two.get("required", ()))
        renamed = _renamed(before, after)
        for name in before:
            where = _join(path, name)
            if name in renamed:
                yield where, f"The field is renamed to {renamed[name]!r}, as its texts say.", Effect.REMOVED
            elif name not in after:
                yield where, "The field is removed.", Effect.REMOVED
            else:
                yield from _demand(where, name in demanded, name in demands)
                yield from self._schemas(before[name], after[name], where)
        for name in after:
            if name not in before and name not in renamed.values():
                required = name in demands
                what = f"The field is new{' and required' if required else ''}."
                yield _join(path, name), what, Effect.NARROWER if required else Effect.ADDED
        for name in sorted((demanded ^ demands) - set(before) - set(after)):
            yield from _demand(_join(path, name), name in demanded, name in demands)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _renamed(before: Node, after: Node) -> dict[str, str]:
    """Match fields that are gone with new ones that have the same English title and the same rules."""
    gone = {name: each for name, each in before.items() if name not in after}
    come = {name: each for name, each in after.items() if name not in before}
    return {old: new for old, one in gone.items() for new, two in come.items() if one == two and one.get("title")}


def _demand(path: str, before: bool, after: bool) -> Found:  # noqa: FBT001  # two states of one thing
    if after and not before:
        yield path, "The field is now required.", Effect.NARROWER
    if before and not after:
        yield path, "The field is no longer required.", Effect.WIDER


def _texts(path: str, one: Node, two: Node) -> Found:
    changed = [key for key in TEXTS[:4] if one.get(key) != two.get(key)]
    if changed:
        yield path, f"Texts changed: {', '.join(changed)}.", Effect.TEXT


def _types(path: str, one: Node, two: Node) -> Found:
    before, after = _type_set(one), _type_set(two)
    if before != after:
        what = f"The type was {_listed(before)} and is {_listed(after)}."
        yield path, what, _of_sets(before, after)


def _type_set(node: Node) -> frozenset[str]:
    """Give the types; all of them where none is named."""
    return types(node.get("type", ["null", "boolean", "object", "array", "string", "number"]))


def _listed(types: frozenset[str]) -> str:
    shown = types - ({"integer"} if "number" in types else set())
    return " or ".join(sorted(shown)) if len(shown) < 6 else "any"  # noqa: PLR2004  # JSON has six types


def _of_sets(before: frozenset[Any], after: frozenset[Any]) -> Effect:
    if after < before:
        return Effect.NARROWER
    return Effect.WIDER if before < after else Effect.OTHER


def _values(path: str, one: Node, two: Node) -> Found:
    """Compare the rules for a single value: where values are named, they say it all."""
    before, after = _named(one), _named(two)
    if before is not None and after is not None:
        yield from _enumeration(path, before, after)
    elif after is not None:
        effect = Effect.NARROWER if _all_valid(after, one) else Effect.OTHER
        yield path, f"Only {_shown(after)} accepted now.", effect
    elif before is not None:
        effect = Effect.WIDER if _all_valid(before, two) else Effect.OTHER
        yield path, "Other values than named ones are accepted now.", effect
    else:
        for compare in (_types, _limits, _rules):
            yield from compare(path, one, two)


def _named(node: Node) -> list[Any] | None:
    """Give the values that are named and that the other rules let through; None when none are named."""
    if "enum" not in node:
        return None
    check = reference_validator(node)
    return [each for each in node["enum"] if check.is_valid(each)]


def _all_valid(values: list[Any], schema: Node) -> bool:
    return all(map(reference_validator(schema).is_valid, values))


def _enumeration(path: str, before: list[Any], after: list[Any]) -> Found:
    gone, come = ([each for each in a if each not in b] for a, b in ((before, after), (after, before)))
    if gone:
        yield path, f"No longer accepted: {_shown(gone)}.", Effect.NARROWER
    if come:
        yield path, f"New values: {_shown(come)}.", Effect.WIDER


def _shown(values: list[Any], limit: int = 8) -> str:
    text = ", ".join(map(str, values[:limit]))
    return text if len(values) <= limit else f"{text} and {len(values) - limit} more"


def _limits(path: str, one: Node, two: Node) -> Found:
    for keys, tighter in ((_LOWER, 1), (_UPPER, -1)):
        for key in keys:
            yield from _limit(path, key, one.get(key), two.get(key), tighter)


def _limit(path: str, key: str, before: float | None, after: float | None, tighter: int) -> Found:
    if before == after:
        return
    narrower = before is None or (after is not None and (after - before) * tighter > 0)
    yield path, f"{key} was {_or_none(before)} and is {_or_none(after)}.", Effect.NARROWER if narrower else Effect.WIDER


def _or_none(value: object) -> str:
    return "absent" if value is None else str(value)


def _rules(path: str, one: Node, two: Node) -> Found:
    for key in _RULES:
        yield from _replaced(path, key, one.get(key) or None, two.get(key) or None)


def _replaced(path: str, key: str, before: object, after: object) -> Found:
    if before == after:
        return
    if before is None:
        yield path, f"{key} is new: {after}.", Effect.NARROWER
    elif after is None:
        yield path, f"{key} is gone: {before}.", Effect.WIDER
    else:
        yield path, f"{key} was {before} and is {after}.", Effect.OTHER


def _branches(path: str, one: Node, two: Node) -> Found:
    for key in _BRANCHES:
        if one.get(key) != two.get(key):
            yield path, f"The rule {key!r} changed.", _branch_effect(key, one.get(key), two.get(key))


def _branch_effect(key: str, before: Any, after: Any) -> Effect:  # noqa: ANN401  # any keyword's value
    if before is None or after is None:
        return Effect.NARROWER if before is None else Effect.WIDER
    more, fewer = (Effect.WIDER, Effect.NARROWER) if key == "anyOf" else (Effect.NARROWER, Effect.WIDER)
    if key in {"allOf", "anyOf"} and all(each in after for each in before):
        return more
    if key in {"allOf", "anyOf"} and all(each in before for each in after):
        return fewer
    return Effect.OTHER


def _openness(path: str, one: Node, two: Node) -> Found:
    before, after = one.get("additionalProperties", True), two.get("additionalProperties", True)
    if before == after:
        return
    if after is False or before is True:
        yield path, "Fields that the contract does not name are restricted now.", Effect.NARROWER
    elif before is False or after is True:
        yield path, "Fields that the contract does not name are accepted now.", Effect.WIDER
    else:
        yield path, "The rule for fields that the contract does not name changed.", Effect.OTHER
