"""How a pair of the crosswalk is shown: side by side, what differs marked, why in both languages.

It refuses to decide and to read anything: it is given what is shown.
"""

from collections.abc import Callable, Iterator
from typing import Final

from adapters.crosswalk.definition import Definition
from adapters.crosswalk.people import Person
from adapters.crosswalk.reviewing import Shown
from spean.commands.adapter_table import screen_width

_WIDTH: Final = 30
_ALIKE: Final = frozenset({"exact", "day", "same", "village", "missing"})
_FIELDS: Final[tuple[tuple[str, str, str, Callable[[Person], str]], ...]] = (
    ("surname", "surname", "គោត្តនាម", lambda p: _both(p.surname, p.surname_latin)),
    ("given", "given name", "នាម", lambda p: _both(p.given, p.given_latin)),
    ("sex", "sex", "ភេទ", lambda p: p.sex),
    ("birth", "born", "កំណើត", lambda p: p.born or (str(p.year) if p.year else "")),
    ("village", "village", "ភូមិ", lambda p: p.village),
    ("number", "numbers", "លេខ", lambda p: ", ".join(f"{n.kind} {n.value}" for n in p.numbers)),
    ("household", "household", "គ្រួសារ", lambda p: ", ".join(n.value for n in p.cards)),
)


def side_by_side(definition: Definition, shown: Shown) -> Iterator[str]:
    """Yield the lines of a pair."""
    yield ""
    yield f"{shown.id}  {shown.record.registry} {shown.record.key}  ?  {shown.person.registry} {shown.person.key}"
    for field, english, khmer, value in _FIELDS:
        mark = " " if shown.levels[field] in _ALIKE else "≠" if "differ" in shown.levels[field] else "~"
        left, right = _fit(value(shown.record)), value(shown.person)
        yield f"  {mark} {_fit(f'{english} {khmer}')} {left} {right}"
    for field, level in shown.levels.items():
        weight = definition.weights[field][level]
        if weight.bits:
            yield f"    {weight.bits:+5.1f}  {weight.text.en} {weight.text.km}"
    yield f"    {shown.weight:5.1f}  {definition.match:g} decide alone, from {definition.review:g} a human does."
    if shown.findings:
        yield f"    ! {', '.join(shown.findings)}"
    if shown.reason or shown.state != "review":
        yield f"    {shown.state} by {shown.by} at {shown.at:%Y-%m-%d %H:%M} {shown.reason}"


def describe(person: Person) -> str:
    """Return a person in a line."""
    names = f"{_both(person.surname, person.surname_latin)} {_both(person.given, person.given_latin)}"
    return f"{names} {person.born or person.year or ''}"


def _both(khmer: str, latin: str) -> str:
    return f"{khmer} ({latin})" if khmer and latin else khmer or latin


def _fit(text: str) -> str:
    return text + " " * max(0, _WIDTH - screen_width(text))
