"""The closed list of transforms: what a mapping may do to a value, and nothing else.

It refuses values that are missing or null (the engine's policies settle those first) and never repeats a value in an
error. Each builder takes the argument of the mapping and returns a function from value to value.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final

from adapters.mapping.model import MISSING

Step = Callable[[Any], Any]
CodeLists = Mapping[str, Mapping[str, str]]

# The years by which the Buddhist era, as Cambodian papers count it, is ahead of the common era.
BUDDHIST_ERA: Final = 543
_MIDNIGHT: Final = "T00:00:00+07:00"  # the standard writes a day as midnight in Cambodia
_DATE_FORMATS: Final = MappingProxyType({
    "iso": re.compile(r"(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})", re.ASCII),
    "dmy-slash": re.compile(r"(?P<d>\d{1,2})/(?P<m>\d{1,2})/(?P<y>\d{4})", re.ASCII),
    "dmy-dash": re.compile(r"(?P<d>\d{1,2})-(?P<m>\d{1,2})-(?P<y>\d{4})", re.ASCII),
    "ymd-compact": re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})", re.ASCII),
})  # fmt: skip
_MONTH_FORMATS: Final = MappingProxyType({
    "ym-compact": re.compile(r"(\d{4})(\d{2})", re.ASCII),
    "ym-dash": re.compile(r"(\d{4})-(\d{2})", re.ASCII),
})  # fmt: skip
_KHMER_DIGITS: Final = {0x17E0 + digit: str(digit) for digit in range(10)}
_INTEGER: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?\d{1,15}(\.\d{1,10})?", re.ASCII)
_MONTHS: Final = range(1, 13)

TAKES_LIST: Final = frozenset({"join_name", "concat"})  # the first step of a rule with several source paths
CODED: Final = MappingProxyType({"sex_code": "dci/sex-category", "relation_code": "dci/relationship-type"})


class TransformError(Exception):
    """A value cannot be transformed; the message describes it without repeating it."""


class UnknownCode(TransformError):  # noqa: N818  # the record's fault, named by the engine
    """A value is not in the code list."""

    def __init__(self, code_list: str, code: object) -> None:
        super().__init__(f"unknown code in {code_list}")
        self.code_list = code_list
        self.code = code


def build(name: str, argument: Any, code_lists: CodeLists) -> Step:  # noqa: ANN401  # checked by the mapping's schema
    """Return the step of this name; the mapping's schema has checked ``argument``."""
    if name in CODED or name == "code_list":
        return _code_step(argument, code_lists[argument])
    if name == "lookup":
        return _lookup_step(code_lists[argument["list"]], argument["otherwise"])
    if name in _PLAIN:
        return _PLAIN[name]
    return _WITH_ARGUMENT[name](argument)


def code_list_of(name: str, argument: Any) -> str | None:  # noqa: ANN401  # as above
    """Return the code list that a transform uses, if it uses one."""
    if name in CODED or name == "code_list":
        return str(argument)
    return str(argument["list"]) if name == "lookup" else None


def _code_step(list_name: str, codes: Mapping[str, str]) -> Step:
    def step(value: Any) -> Any:  # noqa: ANN401  # steps are chained without knowing each other
        try:
            return codes[value if isinstance(value, str) else _number_text(value)]
        except KeyError:
            raise UnknownCode(list_name, value) from None

    return step


def _lookup_step(codes: Mapping[str, str], otherwise: str) -> Step:
    return lambda value: codes.get(_text(value), otherwise)


def _number_text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TransformError("a code must be text or a whole number")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TransformError(f"text is needed, not a {type(value).__name__}")
    return value


def _integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = _text(value).strip()
    if not _INTEGER.fullmatch(text):
        raise TransformError("is not a whole number")
    return int(text)


def _decimal(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = _text(value).strip()
    if not _DECIMAL.fullmatch(text):
        raise TransformError("is not a decimal number")
    return float(text)


def _count(value: object) -> int:
    if not isinstance(value, list):
        raise TransformError("only a list can be counted")
    return len(value)


def _day(value: object, pattern: re.Pattern[str], offset: int) -> date:
    if isinstance(value, date):
        return value.date() if isinstance(value, datetime) else value
    match = pattern.fullmatch(_text(value).strip())
    if match is None:
        raise TransformError("is not a day of the format that the mapping names")
    try:
        return date(int(match["y"]) - offset, int(match["m"]), int(match["d"]))
    except ValueError:
        raise TransformError("is a day that does not exist") from None


def _offset(argument: Mapping[str, str]) -> int:
    return BUDDHIST_ERA if argument.get("era") == "buddhist" else 0


def _date_step(argument: Mapping[str, str]) -> Step:
    pattern, offset = _DATE_FORMATS[argument["format"]], _offset(argument)
    return lambda value: _day(value, pattern, offset).isoformat() + _MIDNIGHT


def _year_step(argument: Mapping[str, str]) -> Step:
    pattern, offset = _DATE_FORMATS[argument["format"]], _offset(argument)
    return lambda value: _day(value, pattern, offset).year


def _common_era_year(value: object) -> int:
    year = _integer(value) - BUDDHIST_ERA
    if year < 1:
        raise TransformError("is not a year of the Buddhist era")
    return year


def _month_step(argument: Mapping[str, str]) -> Step:
    pattern = _MONTH_FORMATS[argument["format"]]

    def step(value: Any) -> str:  # noqa: ANN401  # as above
        match = pattern.fullmatch(_text(value).strip())
        if match is None or int(match[2]) not in _MONTHS:
            raise TransformError("is not a month of the format that the mapping names")
        return f"{match[1]}-{match[2]}"

    return step


def _split_step(argument: Mapping[str, str]) -> Step:
    """Surname and given name are parted at the first space from the surname's side, so a given name may have spaces."""
    wants_surname, first = argument["part"] == "surname", argument["order"] == "surname-first"

    def step(value: Any) -> Any:  # noqa: ANN401  # MISSING or text
        words = _text(value).split()
        surname = words[:1] if first else words[-1:]
        given = words[1:] if first else words[:-1]
        if len(words) == 1:
            surname, given = [], words  # one word is a given name: many people in the registers have no surname
        return " ".join(surname if wants_surname else given) or MISSING

    return step


def _join_step(argument: Mapping[str, str]) -> Step:
    """Join the parts of a name that are there."""
    separator = argument["separator"]
    return lambda values: separator.join(_text(v).strip() for v in values if v not in (MISSING, None, "")) or MISSING


def _concat_step(argument: Mapping[str, str]) -> Step:
    """Join all parts; the engine has applied the rule's policy when one of them is not there."""
    separator = argument["separator"]
    return lambda values: separator.join(_part(each) for each in values)


def _part(value: object) -> str:
    return value if isinstance(value, str) else _number_text(value)


def _leading_step(length: int) -> Step:
    def step(value: Any) -> str:  # noqa: ANN401  # as above
        if len(_text(value)) < length:
            raise TransformError(f"is shorter than {length} characters")
        return str(value[:length])

    return step


_PLAIN: Final[Mapping[str, Step]] = MappingProxyType({
    "trim": lambda value: _text(value).strip(" \t\r\n\u00a0\u200b"),
    "upper": lambda value: _text(value).upper(),
    "lower": lambda value: _text(value).lower(),
    "integer": _integer,
    "decimal": _decimal,
    "count": _count,
    "khmer_digits": lambda value: _text(value).translate(_KHMER_DIGITS),
    "buddhist_era_year": _common_era_year,
})  # fmt: skip
_WITH_ARGUMENT: Final[Mapping[str, Callable[[Any], Step]]] = MappingProxyType({
    "date": _date_step,
    "year_from_date": _year_step,
    "month": _month_step,
    "split_name": _split_step,
    "join_name": _join_step,
    "concat": _concat_step,
    "leading": _leading_step,
})  # fmt: skip
