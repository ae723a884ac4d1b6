"""The closed list of transforms: what a mapping may do to a value, and nothing else.

It refuses values that are missing or null (the engine's policies settle those first) and never repeats a value in an
error. Each builder takes the argument of the mapping and returns a function from value to value.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from adapters.mapping.amountsteps import AMOUNT_STEPS, decimal, integer
from adapters.mapping.daysteps import BUDDHIST_ERA, DAY_STEPS, check_era
from adapters.mapping.inwardsteps import INWARD_STEPS, strip_zeros
from adapters.mapping.model import MISSING
from adapters.mapping.steps import KHMER_DIGITS, Step, TransformError, UnknownCode, number_text, text_of
from contracts import normalise

__all__ = [
    "CODED",
    "INWARD",
    "NORMALISE",
    "TAKES_LIST",
    "WRITE_CODE",
    "Step",
    "TransformError",
    "UnknownCode",
    "ambiguous",
    "build",
    "code_list_of",
    "inverted",
]

CodeLists = Mapping[str, Mapping[str, str]]

TAKES_LIST: Final = frozenset({"join_name", "concat", "date_from_parts"})  # the first step of a rule with several paths
TOLERANT: Final = frozenset({"join_name", "date_from_parts"})  # … that decide themselves about parts that are absent
CODED: Final = MappingProxyType({"sex_code": "dci/sex-category", "relation_code": "dci/relationship-type"})
NORMALISE: Final = "khmer_normalise"
WRITE_CODE: Final = "write_code"
INWARD: Final = frozenset({WRITE_CODE, "strip_zeros", *INWARD_STEPS})  # for records that are taken in
_SPACES: Final = " \t\r\n\u00a0\u200b"


def build(name: str, argument: Any, code_lists: CodeLists) -> Step:  # noqa: ANN401  # checked by the mapping's schema
    """Return the step of this name; the mapping's schema has checked ``argument``."""
    if name in CODED or name == "code_list":
        return _code_step(argument, code_lists[argument])
    if name == WRITE_CODE:
        return _code_step(argument, inverted(code_lists[argument]))
    if name == "lookup":
        return _lookup_step(code_lists[argument["list"]], argument["otherwise"])
    if name in _PLAIN:
        return _PLAIN[name]
    return _WITH_ARGUMENT[name](argument)


def code_list_of(name: str, argument: Any) -> str | None:  # noqa: ANN401  # as above
    """Return the code list that a transform uses, if it uses one."""
    if name in CODED or name in {"code_list", WRITE_CODE}:
        return str(argument)
    return str(argument["list"]) if name == "lookup" else None


def inverted(codes: Mapping[str, str]) -> Mapping[str, str]:
    """Return a code list the other way round: the standard's code first."""
    return {standard: local for local, standard in codes.items()}


def ambiguous(codes: Mapping[str, str]) -> tuple[str, ...]:
    """Name the standard's codes that several local codes stand for, so that nobody can tell which one to write."""
    found = list(codes.values())
    return tuple(sorted({each for each in found if found.count(each) > 1}))


def _code_step(list_name: str, codes: Mapping[str, str]) -> Step:
    def step(value: Any) -> Any:  # noqa: ANN401  # steps are chained without knowing each other
        try:
            return codes[value if isinstance(value, str) else number_text(value)]
        except KeyError:
            raise UnknownCode(list_name, value) from None

    return step


def _lookup_step(codes: Mapping[str, str], otherwise: str) -> Step:
    return lambda value: codes.get(text_of(value), otherwise)


def _yes_no_step(argument: Mapping[str, list[str]]) -> Step:
    answers = dict.fromkeys(argument["yes"], True) | dict.fromkeys(argument["no"], False)

    def step(value: Any) -> bool:  # noqa: ANN401  # as above
        if isinstance(value, bool):
            return value
        try:
            return answers[value if isinstance(value, str) else number_text(value)]
        except KeyError:
            raise UnknownCode("yes_no", value) from None

    return step


def _count(value: object) -> int:
    if not isinstance(value, list):
        raise TransformError("only a list can be counted")
    return len(value)


def _common_era_year(value: object) -> int:
    year = integer(value) - BUDDHIST_ERA
    check_era(year)
    return year


def _split_step(argument: Mapping[str, str]) -> Step:
    """Surname and given name are parted at the first space from the surname's side, so a given name may have spaces."""
    wants_surname, first = argument["part"] == "surname", argument["order"] == "surname-first"

    def step(value: Any) -> Any:  # noqa: ANN401  # MISSING or text
        words = text_of(value).split()
        surname = words[:1] if first else words[-1:]
        given = words[1:] if first else words[:-1]
        if len(words) == 1:
            surname, given = [], words  # one word is a given name: many people in the registers have no surname
        return " ".join(surname if wants_surname else given) or MISSING

    return step


def _join_step(argument: Mapping[str, str]) -> Step:
    """Join the parts of a name that are there."""
    separator = argument["separator"]

    def step(values: Any) -> Any:  # noqa: ANN401  # MISSING or text
        there = [value for value in values if value is not MISSING and value is not None and value != ""]
        return separator.join([text_of(each).strip() for each in there]) or MISSING

    return step


def _concat_step(argument: Mapping[str, str]) -> Step:
    """Join all parts; the engine has applied the rule's policy when one of them is not there."""
    separator = argument["separator"]
    return lambda values: separator.join(_text(each) for each in values)


def _text(value: object) -> str:
    return value if isinstance(value, str) else number_text(value)


def _leading_step(length: int) -> Step:
    def step(value: Any) -> str:  # noqa: ANN401  # as above
        if len(text_of(value)) < length:
            raise TransformError(f"is shorter than {length} characters")
        return str(value[:length])

    return step


def _pad_step(length: int) -> Step:
    """Give back the zeros in front that a spreadsheet takes from a code of digits."""

    def step(value: Any) -> str:  # noqa: ANN401  # as above
        text = _text(value).strip()
        if not text.isascii() or not text.isdigit() or len(text) > length:
            raise TransformError(f"is not a code of at most {length} digits")
        return text.zfill(length)

    return step


def _list_step(argument: Mapping[str, str]) -> Step:
    separator = argument["separator"]
    return lambda value: [part for each in text_of(value).split(separator) if (part := each.strip(_SPACES))]


_PLAIN: Final[Mapping[str, Step]] = MappingProxyType({
    "trim": lambda value: text_of(value).strip(_SPACES),
    "upper": lambda value: text_of(value).upper(),
    "lower": lambda value: text_of(value).lower(),
    "text": _text,
    "without_spaces": lambda value: "".join(text_of(value).replace("\u200b", "").split()),
    "integer": integer,
    "decimal": decimal,
    "count": _count,
    "khmer_digits": lambda value: text_of(value).translate(KHMER_DIGITS),
    NORMALISE: lambda value: normalise(text_of(value)),
    "buddhist_era_year": _common_era_year,
    "strip_zeros": strip_zeros,
})  # fmt: skip
_WITH_ARGUMENT: Final[Mapping[str, Callable[[Any], Step]]] = MappingProxyType({
    **DAY_STEPS,
    **AMOUNT_STEPS,
    **INWARD_STEPS,
    "split_name": _split_step,
    "split_list": _list_step,
    "join_name": _join_step,
    "concat": _concat_step,
    "leading": _leading_step,
    "pad": _pad_step,
    "yes_no": _yes_no_step,
})  # fmt: skip
