"""Looks at a service's release declaration without any record: what it promises and never gives, and what it lacks.

It refuses to decide what should be given. ``spean adapter check`` prints what it finds, beside what it finds in the
mapping.
"""

from collections.abc import Iterator, Sequence

from adapters.mapping import CompiledMapping
from adapters.mapping.model import NestedRule, join, walk, written_by
from adapters.mapping.review import Finding, Level
from adapters.release.definition import Release, Rule
from adapters.release.paths import FieldPath


def targets(mapping: CompiledMapping) -> list[str]:
    """Return the dotted paths of all fields that a mapping may fill."""
    leaves = (
        (rule, prefix) for rule, _source, prefix in walk(mapping.mapping.rules) if not isinstance(rule, NestedRule)
    )
    return [join(prefix, path) for rule, prefix in leaves for path in written_by(rule)]


def review_release(file: str, code: str, release: Release, mappings: Sequence[CompiledMapping]) -> Iterator[Finding]:
    """Yield what a person should look at.

    Args:
        file: the adapter file.
        code: the service.
        release: its declaration.
        mappings: every version that the service gives.
    """
    if not release.rules:
        remedy = "declare in a release file who may get which fields for which purpose"
        yield Finding(Level.WARNING, release.file or file, code, "nothing is given to anybody", remedy)
        return
    filled = [path for mapping in mappings for path in targets(mapping)]
    for place, rule in enumerate(release.rules):
        yield from _never_given(release.file, f"give.{place}.fields", rule, filled)
    yield from _unused_purposes(release)


def _never_given(file: str, place: str, rule: Rule, filled: Sequence[str]) -> Iterator[Finding]:
    for path in rule.fields:
        if not any(_meet(path, each) for each in filled):
            problem = f"{path.text} is declared, but no rule of the mapping fills it: it is never given"
            yield Finding(Level.WARNING, file, place, problem, "map it, or take it out of the declaration")


def _meet(path: FieldPath, target: str) -> bool:
    return target == path.plain or target.startswith(f"{path.plain}.") or path.plain.startswith(f"{target}.")


def _unused_purposes(release: Release) -> Iterator[Finding]:
    used = {code for rule in release.rules for code in rule.purposes or ()}
    for code in sorted(set(release.purposes) - used):
        remedy = "take it out, or declare what is given for it"
        yield Finding(Level.NOTE, release.file, f"purposes.{code}", "nothing is given for this purpose", remedy)
