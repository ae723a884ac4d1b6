"""What a release file says: purposes, and which fields go to which client for which of them.

It refuses fields that no served contract has, purposes that are not declared, and rules that could not be followed.
:func:`adapters.config.load_config` reads it; :func:`adapters.release.decision.decide` picks a rule of it per search.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import contracts
from adapters import yamlfile
from adapters.errors import ConfigError
from adapters.release.paths import BadPathError, Cut, FieldPath, cutter, parse_path
from xroad.errors import XRoadError
from xroad.identifiers import ClientId

PSEUDO_FIELDS: Final = frozenset({"enrolled_status", "disabled_status"})  # answers that are no field of a record


class Basis(StrEnum):
    """What a request must carry, besides its purpose."""

    NONE = "none"
    AUTHORIZE = "authorize"  # a legal ground
    CONSENT = "consent"  # of the person


@dataclass(frozen=True, slots=True)
class Rule:
    """Who gets what, for which purposes, asking by which attributes.

    ``cut`` leaves of a record what the rule gives, and each of ``singles`` what one of its paths names.
    """

    to: frozenset[str]
    purposes: frozenset[str] | None
    basis: Basis
    consent_days: int
    ask_by: frozenset[str]
    fields: tuple[FieldPath, ...]
    statuses: frozenset[str]
    cut: Cut
    singles: tuple[tuple[str, Cut], ...]

    def given(self, records: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        """Name the declared paths that at least one record has something at."""
        return tuple(text for text, cut in self.singles if any(map(cut, records)))


@dataclass(frozen=True, slots=True)
class Release:
    """A whole release file; one without rules gives nothing."""

    file: str
    purposes: Mapping[str, Mapping[str, str]]
    rules: tuple[Rule, ...]


NOTHING: Final = Release(file="", purposes={}, rules=())


def load_release(path: Path, *, served: Iterable[tuple[str, str]], attributes: frozenset[str]) -> Release:
    """Read a release file.

    Args:
        path: the file.
        served: name and version of each record contract that the service answers in.
        attributes: what the source lets a query name.

    Raises:
        ConfigError: names the file, the rule and what does not fit.
    """
    data = yamlfile.load(path, "release")
    reader = _Reader(str(path), tuple(served), attributes, frozenset(data["purposes"]))
    rules = tuple(reader.rule(f"give.{place}", each) for place, each in enumerate(data["give"]))
    return Release(str(path), data["purposes"], rules)


@dataclass(frozen=True, slots=True)
class _Reader:
    file: str
    served: tuple[tuple[str, str], ...]
    attributes: frozenset[str]
    purposes: frozenset[str]

    def rule(self, key: str, data: Mapping[str, Any]) -> Rule:
        basis = Basis(data.get("basis", "none"))
        purposes = frozenset(data["for"]) if "for" in data else None
        if basis is not Basis.NONE and purposes is None:
            raise ConfigError(self.file, f"{key}.for", f"basis {basis} needs the purposes that it holds for")
        if (basis is Basis.CONSENT) != ("consent_days" in data):
            raise ConfigError(self.file, f"{key}.consent_days", "goes with basis consent, and basis consent with it")
        self._known(f"{key}.for", purposes or frozenset(), self.purposes, "purposes")
        self._known(f"{key}.ask_by", frozenset(data["ask_by"]), self.attributes, "the source's attributes")
        fields = [each for each in data["fields"] if each not in PSEUDO_FIELDS]
        paths = tuple(self._path(f"{key}.fields", each) for each in fields)
        return Rule(
            to=frozenset(self._client(f"{key}.to", each) for each in data["to"]),
            purposes=purposes,
            basis=basis,
            consent_days=data.get("consent_days", 0),
            ask_by=frozenset(data["ask_by"]),
            fields=paths,
            statuses=PSEUDO_FIELDS & frozenset(data["fields"]),
            cut=cutter(paths),
            singles=tuple((each.text, cutter((each,))) for each in paths),
        )

    def _known(self, key: str, found: frozenset[str], known: frozenset[str], where: str) -> None:
        unknown = sorted(found - known)
        if unknown:
            raise ConfigError(self.file, key, f"not among {where}: {', '.join(unknown)}")

    def _client(self, key: str, text: str) -> str:
        """A client is named exactly: a name with a star in it would let in who joins tomorrow."""
        try:
            return str(ClientId.parse(text))
        except XRoadError as error:
            raise ConfigError(self.file, key, f"{text} is not a client such as KH/GOV/NSSF/MEMBERS") from error

    def _path(self, key: str, text: str) -> FieldPath:
        try:
            path = parse_path(text)
        except BadPathError as error:
            raise ConfigError(self.file, key, f"{text} {error}") from error
        if not any(_fits(path, contract, version) for contract, version in self.served):
            names = ", ".join(f"{contract} {version}" for contract, version in self.served)
            raise ConfigError(self.file, key, f"{text} is no field of {names}")
        return path


def _fits(path: FieldPath, contract: str, version: str) -> bool:
    if not contracts.has_field(contract, version, path.plain):
        return False
    plain = ""
    for step in path.steps:
        plain = f"{plain}.{step.name}" if plain else step.name
        if step.key is not None:
            codes = contracts.allowed_codes(contract, version, f"{plain}.{step.key}")
            if codes is None or step.code not in codes:
                return False
    return True
