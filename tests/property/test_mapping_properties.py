import json
import string
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import contracts
from adapters.errors import RecordError, SearchRejected
from adapters.mapping.model import MISSING
from adapters.mapping.paths import WrongShape, reader
from adapters.mapping.transforms import TransformError, build
from adapters.registry.queries import QueryLimits, read_query
from adapters.registry.strictjson import BadJson, parse
from adapters.source import parse_source
from adapters.source.definition import SqlDefinition
from adapters.source.render import condition, refuse_scan
from contracts.formats import is_date_time
from tests.support.adapters import compiled, dump, expression
from tests.support.registry import RULES, SOURCE

R = TypeVar("R")
E = TypeVar("E", bound=Exception)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)
WORD = st.text(alphabet=[*string.ascii_letters, *(chr(c) for c in range(0x1780, 0x17A3))], min_size=1, max_size=12)
DAYS = st.dates(min_value=date(1850, 1, 1), max_value=date(2199, 12, 31))
FORMATS = {"iso": "%Y-%m-%d", "dmy-slash": "%d/%m/%Y", "dmy-dash": "%d-%m-%Y", "ymd-compact": "%Y%m%d"}
NAMES = ["trim", "upper", "lower", "integer", "decimal", "count", "khmer_digits", "buddhist_era_year"]


def outcome(call: Callable[[], R], error: type[E]) -> R | E:
    """Return what a call returns or the one error that it may raise; any other fails the test."""
    try:
        return call()
    except error as found:
        return found


@given(DAYS, st.sampled_from(sorted(FORMATS)))
def test_a_day_survives_any_format(day: date, name: str) -> None:
    standard = build("date", {"format": name}, {})(day.strftime(FORMATS[name]))
    assert datetime.fromisoformat(standard).date() == day
    assert is_date_time(standard)
    assert build("year_from_date", {"format": name}, {})(day.strftime(FORMATS[name])) == day.year


@given(DAYS)
def test_the_buddhist_era_is_undone(day: date) -> None:
    written = f"{day.year + 543:04}-{day.month:02}-{day.day:02}"
    standard = build("date", {"format": "iso", "era": "buddhist"}, {})(written)
    assert datetime.fromisoformat(standard).date() == day
    assert build("buddhist_era_year", None, {})(day.year + 543) == day.year


@given(WORD, st.lists(WORD, min_size=1, max_size=3))
def test_names_are_split_and_joined_without_loss(surname: str, given_names: list[str]) -> None:
    whole = " ".join([surname, *given_names])
    parts = [build("split_name", {"part": p, "order": "surname-first"}, {})(whole) for p in ("surname", "given_name")]
    assert parts == [surname, " ".join(given_names)]
    assert build("join_name", {"separator": " "}, {})(parts) == whole


@given(WORD)
def test_one_word_is_a_given_name(word: str) -> None:
    assert build("split_name", {"part": "surname", "order": "surname-first"}, {})(word) is MISSING
    assert build("join_name", {"separator": " "}, {})([MISSING, word]) == word


@given(st.integers(min_value=0, max_value=10**17))
def test_khmer_digits_are_the_same_number(number: int) -> None:
    khmer = "".join(chr(0x17E0 + int(digit)) for digit in str(number))
    assert build("integer", None, {})(build("khmer_digits", None, {})(khmer)) == number


@given(st.dictionaries(WORD, WORD, min_size=1), st.data())
def test_a_code_list_gives_its_own_values_and_nothing_else(codes: dict[str, str], data: st.DataObject) -> None:
    step = build("code_list", "list", {"list": codes})
    code = data.draw(st.sampled_from(sorted(codes)))
    assert step(code) == codes[code]
    with pytest.raises(TransformError):
        step(code + "!")


@given(st.sampled_from(NAMES), JSON)
def test_a_transform_gives_a_value_or_its_own_error(name: str, value: object) -> None:
    with suppress(TransformError):
        build(name, None, {})(value)


@given(st.sampled_from(sorted(FORMATS)), st.sampled_from(["common", "buddhist"]), JSON)
def test_dates_give_a_timestamp_or_their_own_error(name: str, era: str, value: object) -> None:
    try:
        found = build("date", {"format": name, "era": era}, {})(value)
    except TransformError:
        return
    assert is_date_time(found)


MAPPING = compiled(
    RULES,
    code_lists={"sex": {"M": "male", "F": "female"}},
    ignored=[{"path": "home", "reason": "The address is not part of this service."}],
)
FIELDS = ("id", "name", "sex", "dob", "cards", "home")


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_any_record_is_mapped_or_refused_by_name(record: dict[str, Any]) -> None:
    found = outcome(lambda: MAPPING.apply(record), RecordError)
    if isinstance(found, RecordError):
        assert found.mapping == "test"
    else:
        json.dumps(found)


@given(
    st.fixed_dictionaries(
        {
            "id": st.from_regex(r"[a-z0-9-]{1,36}", fullmatch=True),
            "name": st.from_regex(r"[A-Z][a-z]{1,30}", fullmatch=True),
        },
        optional={"dob": DAYS.map(date.isoformat)},
    ),
    st.sampled_from(["M", "F"]),
    st.lists(st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True), max_size=4),
)
def test_a_sound_record_always_holds_the_contract(record: dict[str, Any], sex: str, cards: list[str]) -> None:
    whole = record | {"sex": sex, "cards": [{"number": each} for each in cards], "home": {"code": "01020101"}}
    mapped = MAPPING.apply(whole)
    contracts.validate("cambodia/person", "1.0.0", mapped)
    assert [each["identifier_value"] for each in mapped["identifier"]] == [record["id"], *cards]
    assert ("birth_date" in mapped) is ("dob" in record)


@settings(deadline=None)  # a contract is compiled when it is first asked for
@given(st.sampled_from(contracts.names()), JSON)
def test_validation_accepts_or_raises_its_own_error(name: str, document: object) -> None:
    found = outcome(partial(contracts.validate, name, "1.0.0", document), contracts.ContractViolation)
    if found is not None:
        assert found.value_type in {"null", "boolean", "integer", "number", "string", "object", "array"}


@given(st.binary(max_size=200))
def test_strict_json_parses_or_refuses(data: bytes) -> None:
    with suppress(BadJson):
        parse(data)


@given(JSON)
def test_strict_json_reads_what_json_writes(value: object) -> None:
    text = json.dumps(value)
    found = outcome(lambda: parse(text.encode()), BadJson)
    assert found == json.loads(text) or "surrogate" in str(found)


DEFINITION = parse_source(dump(SOURCE), name="source.yaml")
QUERY_KEYS = st.sampled_from(
    ["$and", "$or", "$not", "$eq", "$in", "$nin", "$gt", "LOCAL_ID", "SPID", "age", "sex", "x' --"]
)
QUERIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.sampled_from(["male", "1990-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(QUERY_KEYS, inner, max_size=3),
    max_leaves=20,
)


@settings(max_examples=150)
@given(st.dictionaries(QUERY_KEYS, QUERIES, min_size=1, max_size=3))
def test_any_expression_becomes_parameters_or_is_rejected(query: dict[str, Any]) -> None:
    criteria = {"query_type": "expression", "query": expression(query)}

    def render() -> str:
        assert isinstance(DEFINITION, SqlDefinition)
        read, _page = read_query(criteria, DEFINITION.identifiers, "Person", QueryLimits(10, 100))
        refuse_scan(DEFINITION, read.where)
        return str(condition(DEFINITION, read.where))

    found = outcome(render, SearchRejected)
    if isinstance(found, SearchRejected):
        assert found.reason in contracts.code_list("dci/search-reason").codes
    else:
        assert "'" not in found
        assert "--" not in found


@given(st.datetimes(timezones=st.just(UTC)), st.integers(min_value=-14 * 60, max_value=14 * 60))
def test_every_timestamp_with_a_zone_is_one(moment: datetime, minutes: int) -> None:
    sign, size = ("-" if minutes < 0 else "+"), timedelta(minutes=abs(minutes))
    zone = f"{sign}{size.seconds // 3600 + size.days * 24:02}:{size.seconds // 60 % 60:02}"
    naive = moment.replace(tzinfo=None).isoformat()
    assert is_date_time(naive + zone)
    assert not is_date_time(naive)


PART = st.sampled_from(["a", "b", "c"])
PLACE = st.builds(lambda name, choice: name + choice, PART, st.sampled_from(["", "", "[first]", "[a=x]", "[b.a=x]"]))
LEAF = st.sampled_from(["x", "y", "", None, 1])
SCOPE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PART, inner, max_size=3), max_leaves=12
)


def says(value: Any, keys: list[str]) -> bool:
    if isinstance(value, list):
        return any(says(each, keys) for each in value)
    if not keys:
        return bool(value == "x")
    return isinstance(value, dict) and says(value.get(keys[0]), keys[1:])


def read_plainly(scope: Any, path: list[str]) -> Any:
    """Read a path a step at a time; a list, or anything else than an object, is led through by nothing."""
    choosing = any("[" in each for each in path)  # such a path also reads nothing out of nothing
    for place, part in enumerate(path):
        if (place or choosing) and (scope is None or scope is MISSING):
            return scope
        if not isinstance(scope, dict):
            raise WrongShape
        name, _bracket, choice = part.removesuffix("]").partition("[")
        scope = scope.get(name, MISSING)
        if not choice or scope is None or scope is MISSING:
            continue
        if not isinstance(scope, list):
            raise WrongShape
        keys = [] if choice == "first" else choice.removesuffix("=x").split(".")
        scope = next((each for each in scope if not keys or says(each, keys)), MISSING)
    return scope


@settings(max_examples=300)
@given(scope=SCOPE, path=st.lists(PLACE, min_size=1, max_size=5))
def test_a_path_reads_what_stands_there_whatever_the_record_looks_like(scope: Any, path: list[str]) -> None:
    found = outcome(lambda: reader(".".join(path))(scope), WrongShape)
    expected = outcome(lambda: read_plainly(scope, path), WrongShape)
    assert type(found) is type(expected)
    assert isinstance(found, WrongShape) or found == expected
