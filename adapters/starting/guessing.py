"""Guesses which field of a source is which field of the standard, by its name and by samples.

It refuses to be clever: a guess is a rule that a person can read and correct, and a field that it does not know stays
open, so that ``spean adapter check`` lists it. Names are known in English and Khmer.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import contracts
from adapters.mapping.target import fields_at
from adapters.starting.proposal import Samples
from adapters.starting.vocabulary import latin_name

Rule = dict[str, Any]
# By its name without signs and in small letters; Khmer headers have been given such a name before.
_WORDS: Final[Mapping[str, str]] = MappingProxyType({
    **dict.fromkeys(("surname", "familyname", "lastname", "surnamekh", "familynamekh", "familynamekm"), "surname"),
    **dict.fromkeys(("givenname", "firstname", "givennamekh", "givennamekm"), "given_name"),
    **dict.fromkeys(("name", "namekh", "namekm"), "name"),
    **dict.fromkeys(("fullname",), "full_name"),
    **dict.fromkeys(("fullnamelatin", "fullnameen"), "full_name_latin"),
    **dict.fromkeys(("surnamelatin", "surnameen", "lastnameen", "familynamela", "familynameen"), "surname_latin"),
    **dict.fromkeys(("givennamelatin", "givennamela", "nameen", "namelatin", "firstnameen"), "name_latin"),
    **dict.fromkeys(("sex", "gender"), "sex"),
    **dict.fromkeys(("dob", "birthdate", "dateofbirth", "born"), "birth_date"),
    **dict.fromkeys(("birthyear", "yearofbirth", "yob"), "birth_year"),
    **dict.fromkeys(("idcard", "idcardno", "khmerid", "khmid", "nationalid", "nid"), "KHM_ID"),
    **dict.fromkeys(("spid", "spidno"), "SPID"),
    **dict.fromkeys(("equitycard", "equitycardno", "equitycardnumber"), "EQUITY_CARD"),
    **dict.fromkeys(("nssfcard", "nssfcardno", "nssfno", "nssfid"), "NSSF_CARD"),
    **dict.fromkeys(("disabilitycard", "disabilitycardno"), "DISABILITY_CARD"),
    **dict.fromkeys(("birthcertificate", "birthcertificateno", "birthcert", "birthcertno"), "BIRTH_CERTIFICATE"),
    **dict.fromkeys(("familybook", "familybookno"), "FAMILY_BOOK"),
    **dict.fromkeys(("villagecode",), "village_code"),
})  # fmt: skip
# What is called a name only: what it may be, whole or given, and what would stand beside it if it is given.
_NAMES: Final = MappingProxyType({
    "name": ("full_name", "given_name", "surname"),
    "name_latin": ("full_name_latin", "given_name_latin", "surname_latin"),
})  # fmt: skip
LOCAL: Final = "LOCAL_ID"
_KINDS: Final = frozenset(each for each in _WORDS.values() if each.isupper())
# As registers write them; who writes the one writes the other too, whether or not a sample has it.
_SEXES: Final = (
    ("M", "F"), ("m", "f"), ("male", "female"), ("Male", "Female"), ("1", "2"), ("ប្រុស", "ស្រី"), ("ប", "ស"),
)  # fmt: skip
_CODES_OF_SEX: Final = ("male", "female")
_DAYS: Final = (
    ("iso", re.compile(r"(\d{4})-\d{2}-\d{2}")),
    ("iso-timestamp", re.compile(r"(\d{4})-\d{2}-\d{2}[T ].*")),
    ("dmy-slash", re.compile(r"\d{1,2}/\d{1,2}/(\d{4})")),
    ("dmy-dash", re.compile(r"\d{1,2}-\d{1,2}-(\d{4})")),
    ("dmy-dot", re.compile(r"\d{1,2}\.\d{1,2}\.(\d{4})")),
    ("ymd-slash", re.compile(r"(\d{4})/\d{1,2}/\d{1,2}")),
    ("ymd-compact", re.compile(r"(\d{4})\d{4}")),
)
_BUDDHIST_YEAR: Final = 2400  # a year beyond this is one of the Buddhist era
_KHMER: Final = re.compile("[\u1780-\u17ff]")
_PLAIN: Final = re.compile(r"[\W_]+")
_PEOPLE: Final = ("", "demographic_info", "member.demographic_info", "personal_details.demographic_info")
_IDENTIFIERS: Final = ("identifier", "member_identifier", "group_identifier", "member.member_identifier")
_ABSENT: Final = MappingProxyType({"on_null": "omit", "on_empty": "omit"})
_CODES: Final = (("region_code", 2), ("sub_region_code", 4), ("commune_code", 6), ("village_code", 8))


class Guess:
    """Rules and code lists for one contract, as far as they can be guessed, and which field holds which identifier."""

    def __init__(self, contract: str, version: str, samples: Samples, labels: Mapping[str, str]) -> None:
        self._contract, self._version, self._samples, self._labels = contract, version, samples, labels
        self.code_lists: dict[str, dict[str, str]] = {}
        self.identifiers: dict[str, str] = {}
        self._written: set[str] = set()
        person = next((each for each in _PEOPLE if self._has(_in(each, "name.given_name"))), None)
        self._person = person
        self._identifier = next((each for each in _IDENTIFIERS if self._has(f"{each}.identifier_value")), None)

    def rules(self, key: str) -> list[Rule]:
        """Return all rules; ``key`` is the field that names a record."""
        kind = self._word(key)
        found = list(self._identifying(key, kind if kind in _KINDS else LOCAL)) or list(self._identifying(key, LOCAL))
        for path in self._samples:
            found += self._known(path) or self._alike(path)
        return found or [self._something(key)]

    def _has(self, path: str) -> bool:
        return contracts.has_field(self._contract, self._version, path)

    def _name_of(self, path: str) -> str:
        said = self._labels.get(path, path.rpartition(".")[2])
        return _bare(latin_name(said) or said)

    def _word(self, path: str) -> str | None:
        word = _WORDS.get(self._name_of(path))
        return word if word is None or word not in _NAMES else self._whole_or_given(path, word)

    def _whole_or_given(self, path: str, word: str) -> str:
        """A name is a whole one where it has several words and nothing else is a surname."""
        whole, given, surname = _NAMES[word]
        samples = _texts(self._samples[path])
        several = sum(" " in each for each in samples) > len(samples) / 2
        beside = any(_WORDS.get(self._name_of(each)) == surname for each in self._samples)
        return whole if several and not beside else given

    def _known(self, path: str) -> list[Rule]:
        word = self._word(path)
        if word in _KINDS:
            return list(self._identifying(path, word))
        if word == "village_code":
            return list(self._address(path))
        if word is None or self._person is None:
            return []
        match word:
            case "full_name":
                return [*self._full_name(path, "surname"), *self._full_name(path, "given_name")]
            case "full_name_latin":
                parts = ("surname", "given_name")
                return [
                    each for part in parts for each in self._write(f"name.{part}_latin", path, [_split(part), "trim"])
                ]
            case _:
                return self._of_person(path, word)

    def _of_person(self, path: str, word: str) -> list[Rule]:
        samples = _texts(self._samples[path])
        match word:
            case "sex":
                name = "sex"
                written = [each for each in _SEXES if set(each) & set(samples)] or _SEXES[:1]
                self.code_lists[name] = {
                    code: sex for each in written for code, sex in zip(each, _CODES_OF_SEX, strict=True)
                }
                return self._write(word, path, [{"sex_code": name}], required=True)
            case "birth_date":
                return self._write(word, path, [*_to_ascii(samples), {"date": _day_format(samples)}])
            case "birth_year":
                years = [int(each) for each in samples if each.isdigit()]
                buddhist = bool(years) and max(years) > _BUDDHIST_YEAR
                return self._write(word, path, [*_to_ascii(samples), "buddhist_era_year" if buddhist else "integer"])
            case "surname" | "given_name":
                return self._name(path, word, samples, [])
            case _:
                return self._write(f"name.{word}", path, ["trim"])

    def _full_name(self, path: str, part: str) -> list[Rule]:
        return self._name(path, part, _texts(self._samples[path]), [_split(part)])

    def _name(self, path: str, part: str, samples: Sequence[str], steps: list[Any]) -> list[Rule]:
        """A name in Latin letters is another field of the standard than one in Khmer."""
        if samples and not any(_KHMER.search(each) for each in samples):
            return self._write(f"name.{part}_latin", path, [*steps, "trim"])
        found = self._write(f"name.{part}", path, [*steps, "trim", "khmer_normalise"])
        received = _in(self._person or "", f"name.{part}_received")
        return [each | {"received": received} for each in found] if self._has(received) else found

    def _write(self, name: str, path: str, steps: list[Any], *, required: bool = False) -> list[Rule]:
        to = _in(self._person or "", name)
        if to in self._written or not self._has(to):
            return []
        self._written.add(to)
        policy: Rule = {"required": True} if required else dict(_ABSENT)
        return [{"to": to, "from": path, "transform": steps} | policy]

    def _identifying(self, path: str, kind: str) -> Iterator[Rule]:
        """One more element of the list of identifiers, when the field has a value."""
        if self._identifier is None or path in self._written or kind in self.identifiers:
            return
        allowed = contracts.allowed_codes(self._contract, self._version, f"{self._identifier}.identifier_type")
        if allowed is not None and kind not in allowed:
            return
        self._written.add(path)
        self.identifiers[kind] = path
        steps = {"transform": ["text"]} if any(isinstance(each, int) for each in self._samples.get(path, ())) else {}
        value = {"to": "identifier_value", "from": path} | steps | {"required": True}
        yield {
            "to": self._identifier,
            "append_when": path,
            "rules": [{"to": "identifier_type", "constant": kind}, value],
        }

    def _address(self, path: str) -> Iterator[Rule]:
        to = _in(self._person or "", "address")
        if not self._has(f"{to}.village_code") or to in self._written:
            return
        self._written.add(to)
        codes = [
            {"to": name, "from": path, "transform": [{"pad": 8}, {"leading": length}], "required": True}
            for name, length in _CODES
            if self._has(f"{to}.{name}")
        ]
        yield {"to": to, "append_when": path, "rules": [{"to": "country_code", "constant": "KH"}, *codes]}

    def _alike(self, path: str) -> list[Rule]:
        """A field of the record itself that has the same name."""
        if path in self._written:
            return []
        for field in fields_at(self._contract, self._version):
            same = _bare(field.name) == self._name_of(path)
            one_value = not field.is_object and "items" not in field.schema  # a rule cannot make a list of one value
            if same and one_value and field.name not in self._written:
                self._written.add(field.name)
                return [{"to": field.name, "from": path} | self._coded(field.name, path) | _ABSENT]
        return []

    def _coded(self, name: str, path: str) -> Rule:
        allowed = contracts.allowed_codes(self._contract, self._version, name)
        if allowed is None:
            return {}
        seen = [each for each in dict.fromkeys(_texts(self._samples[path])) if each in allowed]
        self.code_lists[name] = {each: each for each in seen or sorted(allowed)}
        return {"transform": [{"code_list": name}]}

    def _something(self, key: str) -> Rule:
        """A mapping has at least one rule; this one is to be replaced."""
        first = next(each for each in fields_at(self._contract, self._version) if not each.is_object)
        return {"to": first.name, "from": key}


def _in(prefix: str, path: str) -> str:
    return f"{prefix}.{path}" if prefix else path


def _split(part: str) -> Rule:
    return {"split_name": {"part": part, "order": "surname-first"}}


def _bare(name: str) -> str:
    normal = contracts.normalise(name)
    return _PLAIN.sub("", normal).lower() if normal.isascii() else normal.replace(" ", "")


def _texts(samples: Sequence[Any]) -> list[str]:
    return [str(each).strip() for each in samples if each not in (None, "") and not isinstance(each, dict | list)]


def _to_ascii(samples: Sequence[str]) -> list[Any]:
    """Khmer digits are turned first: days and numbers are read in one script."""
    return ["khmer_digits"] if any(_KHMER.search(each) for each in samples) else []


def _day_format(samples: Sequence[str]) -> dict[str, str]:
    for name, pattern in _DAYS:
        found = [pattern.fullmatch(each) for each in samples]
        if found and all(found):
            years = [int(each[1]) for each in found if each is not None]
            return {"format": name} | ({"era": "buddhist"} if max(years) > _BUDDHIST_YEAR else {})
    return {"format": "iso"}
