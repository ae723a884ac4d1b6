import pytest

from adapters.mapping.model import MISSING
from adapters.mapping.transforms import TransformError, UnknownCode, build

LISTS = {"colours": {"r": "red", "1": "one"}}


@pytest.mark.parametrize(
    ("name", "argument", "value", "expected"),
    [
        ("trim", None, " \u00a0សុខ\u200b\n", "សុខ"),
        ("upper", None, "Sok", "SOK"),
        ("lower", None, "Sok", "sok"),
        ("integer", None, " 12 ", 12),
        ("integer", None, 12, 12),
        ("decimal", None, "1.5", 1.5),
        ("decimal", None, 2, 2.0),
        ("count", None, [1, 2], 2),
        ("count", None, [], 0),
        ("khmer_digits", None, "០១២៣៤៥៦៧៨៩", "0123456789"),
        ("buddhist_era_year", None, 2569, 2026),
        ("buddhist_era_year", None, "2504", 1961),
        ("date", {"format": "iso"}, "1990-05-20", "1990-05-20T00:00:00+07:00"),
        ("date", {"format": "dmy-slash"}, "2/1/1990", "1990-01-02T00:00:00+07:00"),
        ("date", {"format": "dmy-dash"}, "02-01-1990", "1990-01-02T00:00:00+07:00"),
        ("date", {"format": "ymd-compact"}, "19900102", "1990-01-02T00:00:00+07:00"),
        ("date", {"format": "dmy-slash", "era": "buddhist"}, "02/01/2533", "1990-01-02T00:00:00+07:00"),
        ("year_from_date", {"format": "iso"}, "1990-05-20", 1990),
        ("year_from_date", {"format": "iso", "era": "buddhist"}, "2533-05-20", 1990),
        ("month", {"format": "ym-compact"}, "202610", "2026-10"),
        ("month", {"format": "ym-dash"}, "2026-10", "2026-10"),
        ("leading", 2, "01020304", "01"),
        ("code_list", "colours", "r", "red"),
        ("code_list", "colours", 1, "one"),
        ("lookup", {"list": "colours", "otherwise": "other"}, "x", "other"),
        ("split_name", {"part": "surname", "order": "surname-first"}, "សុខ  ដារ៉ា វិចិត្រ", "សុខ"),
        ("split_name", {"part": "given_name", "order": "surname-first"}, "សុខ  ដារ៉ា វិចិត្រ", "ដារ៉ា វិចិត្រ"),
        ("split_name", {"part": "surname", "order": "given-name-first"}, "Dara Vichet Sok", "Sok"),
        ("split_name", {"part": "given_name", "order": "given-name-first"}, "Dara Vichet Sok", "Dara Vichet"),
        ("split_name", {"part": "given_name", "order": "surname-first"}, "ដារ៉ា", "ដារ៉ា"),
        ("split_name", {"part": "surname", "order": "surname-first"}, "ដារ៉ា", MISSING),
        ("join_name", {"separator": " "}, ["a", None, MISSING, "", " b "], "a b"),
        ("join_name", {"separator": " "}, [None, MISSING], MISSING),
        ("concat", {"separator": "-"}, ["a", 5], "a-5"),
        ("text", None, 7, "7"),
        ("text", None, "x", "x"),
        ("without_spaces", None, " 010 234\u00a0567\u200b", "010234567"),
        ("khmer_normalise", None, "សុភ័ក្រ្ត", "សុភ័ក្ត្រ"),
        ("date", {"format": "iso-timestamp"}, "1990-05-20T23:00:00Z", "1990-05-20T00:00:00+07:00"),
        ("date", {"format": "dmy-dot"}, "20.5.1990", "1990-05-20T00:00:00+07:00"),
        ("date", {"format": "ymd-slash"}, "1990/5/20", "1990-05-20T00:00:00+07:00"),
        ("date_part", {"part": "month", "format": "iso"}, "1990-05-20", 5),
        ("date_part", {"part": "year", "format": "iso", "era": "buddhist"}, "2533-05-20", 1990),
        ("date_from_parts", {"era": "common"}, [1990, "5", 20], "1990-05-20T00:00:00+07:00"),
        ("date_from_parts", {"era": "buddhist"}, ["2533", "05", "20"], "1990-05-20T00:00:00+07:00"),
        ("date_from_parts", {"era": "common"}, [1990, None, 20], MISSING),
        ("timestamp", {"zone": "+07:00"}, "2026-01-31 08:30:00", "2026-01-31T08:30:00+07:00"),
        ("timestamp", {"zone": "-03:30"}, "2026-01-31T08:30", "2026-01-31T08:30:00-03:30"),
        ("timestamp", {"zone": "+07:00"}, "2026-01-31T08:30:00Z", "2026-01-31T08:30:00+00:00"),
        ("yes_no", {"yes": ["Y", "1"], "no": ["N"]}, "Y", True),
        ("yes_no", {"yes": ["Y", "1"], "no": ["N"]}, 1, True),
        ("yes_no", {"yes": ["Y", "1"], "no": ["N"]}, "N", False),
        ("yes_no", {"yes": ["Y"], "no": ["N"]}, False, False),
        ("pad", 8, 1020304, "01020304"),
        ("pad", 8, "01020304", "01020304"),
        ("split_list", {"separator": ";"}, "a; b ;;c", ["a", "b", "c"]),
        ("riel", {"unit": "riel"}, "៤០,០០០ ៛", 40000),
        ("riel", {"unit": "riel"}, "40.000 រៀល", 40000),
        ("riel", {"unit": "riel"}, "KHR 1 200 000", 1200000),
        ("riel", {"unit": "riel"}, 40000.0, 40000),
        ("riel", {"unit": "thousand"}, "1.5", 1500),
        ("riel", {"unit": "million"}, 0.07, 70000),
        ("unit", {"from": "g", "to": "kg"}, 3250, 3.25),
        ("unit", {"from": "kg", "to": "g"}, "3.25", 3250),
        ("unit", {"from": "week", "to": "day"}, 2, 14),
        ("unit", {"from": "are", "to": "ha"}, 50, 0.5),
    ],
)
def test_transform(name: str, argument: object, value: object, expected: object) -> None:
    assert build(name, argument, LISTS)(value) == expected


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        ("trim", None, 5),
        ("integer", None, "1.0"),
        ("integer", None, True),
        ("integer", None, "9" * 30),
        ("integer", None, "១២"),
        ("decimal", None, "1e5"),
        ("decimal", None, "nan"),
        ("decimal", None, True),
        ("count", None, "ab"),
        ("count", None, {"a": 1}),
        ("buddhist_era_year", None, 543),
        ("date", {"format": "iso"}, "1990-02-30"),
        ("date", {"format": "iso"}, "20/05/1990"),
        ("date", {"format": "iso"}, "1990-05-20T00:00:00"),
        ("date", {"format": "iso"}, 19900520),
        ("date", {"format": "iso", "era": "buddhist"}, "0100-05-20"),
        ("month", {"format": "ym-compact"}, "202600"),
        ("month", {"format": "ym-compact"}, "2026"),
        ("leading", 4, "01"),
        ("split_name", {"part": "surname", "order": "surname-first"}, ["a"]),
        ("join_name", {"separator": " "}, ["a", 5]),
        ("concat", {"separator": " "}, ["a", 5.5]),
        ("text", None, 1.5),
        ("text", None, True),
        ("date", {"format": "dmy-dot"}, "20/05/1990"),
        ("date_from_parts", {"era": "common"}, [1990, 13, 1]),
        ("date_from_parts", {"era": "common"}, [1990, "May", 1]),
        ("timestamp", {"zone": "+07:00"}, "yesterday"),
        ("timestamp", {"zone": "+07:00"}, 5),
        ("yes_no", {"yes": ["Y"], "no": ["N"]}, "maybe"),
        ("pad", 8, "102030405"),
        ("pad", 8, "1020a"),
        ("pad", 8, "១០២"),
        ("split_list", {"separator": ";"}, 5),
        ("riel", {"unit": "riel"}, "1.5"),
        ("riel", {"unit": "riel"}, "40 USD"),
        ("riel", {"unit": "riel"}, "4,00"),
        ("riel", {"unit": "riel"}, True),
        ("unit", {"from": "g", "to": "kg"}, "much"),
        ("khmer_normalise", None, 5),
        ("code_list", "colours", True),
        ("code_list", "colours", ["r"]),
    ],
)
def test_bad_values_are_refused(name: str, argument: object, value: object) -> None:
    with pytest.raises(TransformError):
        build(name, argument, LISTS)(value)


def test_unknown_code_is_its_own_error() -> None:
    with pytest.raises(UnknownCode) as caught:
        build("code_list", "colours", LISTS)("x")
    assert (caught.value.code_list, caught.value.code) == ("colours", "x")
