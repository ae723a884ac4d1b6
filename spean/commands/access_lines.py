"""Accesses to a person's data as a table for the citizen, in English or Khmer, and as JSON for programs.

It refuses to read records. Who asked and why are names out of institutions' files; what was given is named as the
standard's data dictionary names it.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

import contracts
from adapters.accesslog import Found
from adapters.config import ServiceConfig
from adapters.release import parse_path
from spean.commands.log_lines import visible

_CAMBODIA: Final = ZoneInfo("Asia/Phnom_Penh")
_HEADINGS: Final = MappingProxyType({
    "en": ("when", "who looked", "where", "what came of it", "why", "at what"),
    "km": ("ពេលណា", "នរណាបានមើល", "នៅឯណា", "លទ្ធផល", "ហេតុអ្វី", "មើលអ្វី"),
})  # fmt: skip
_OUTCOMES: Final = MappingProxyType({
    "given": {"en": "given", "km": "បានផ្តល់"},
    "nothing": {"en": "nothing found or given", "km": "រកមិនឃើញ ឬមិនបានផ្តល់"},
    "refused": {"en": "refused", "km": "បានបដិសេធ"},
    "failed": {"en": "failed: nothing given", "km": "បរាជ័យ៖ មិនបានផ្តល់អ្វីទេ"},
})  # fmt: skip
_STATUSES: Final = MappingProxyType({
    "enrolled_status": {"en": "Enrolled, yes or no", "km": "បានចុះឈ្មោះឬទេ"},
    "disabled_status": {"en": "Registered as disabled, yes or no", "km": "បានចុះបញ្ជីជនមានពិការភាពឬទេ"},
})  # fmt: skip
_NOBODY: Final = MappingProxyType({
    "en": "Nobody looked at these data, as far as the records of these adapters reach.",
    "km": "គ្មាននរណាបានមើលទិន្នន័យទាំងនេះទេ តាមកំណត់ត្រារបស់អាដាប់ទ័រទាំងនេះ។",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Access:
    """One access, and the adapter and service that it was at; None when the service is no longer served."""

    adapter: str
    provider: str
    service: ServiceConfig | None
    found: Found

    @property
    def at(self) -> datetime:
        """When."""
        return self.found.at


def table_report(accesses: Sequence[Access], lang: str) -> Iterator[str]:
    """Give a heading and a line each; a sentence when there is none."""
    if not accesses:
        yield _NOBODY[lang]
        return
    rows = [_HEADINGS[lang], *(tuple(visible(cell) for cell in _cells(each, lang)) for each in accesses)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def json_report(accesses: Sequence[Access]) -> str:
    """Give all as one JSON list."""
    return json.dumps([_fields(each) for each in accesses], ensure_ascii=False, indent=1)


def _cells(access: Access, lang: str) -> Iterator[str]:
    found = access.found
    yield found.at.astimezone(_CAMBODIA).isoformat(sep=" ", timespec="seconds")
    yield f"{found.client}, {found.user}" if found.user else found.client
    yield f"{access.provider} {found.service}"
    yield _OUTCOMES[found.outcome][lang]
    yield _purpose(access, lang)
    yield ", ".join(_title(access, path, lang) for path in found.given) or "-"


def _fields(access: Access) -> dict[str, Any]:
    found = access.found
    both = ("en", "km")
    return {
        "at": found.at.isoformat(),
        "adapter": access.adapter,
        "provider": access.provider,
        "service": found.service,
        "operation": found.operation,
        "client": found.client,
        "user": found.user or None,
        "via": found.via,
        "message_id": found.xroad_id or None,
        "purpose": found.purpose,
        "purpose_title": {lang: _purpose(access, lang) for lang in both} if found.purpose else None,
        "basis": found.basis,
        "asked_by": list(found.asked_by),
        "outcome": found.outcome.value,
        "reason": found.reason,
        "given": [{"field": path, **{lang: _title(access, path, lang) for lang in both}} for path in found.given],
        "records": found.records,
    }


def _purpose(access: Access, lang: str) -> str:
    code = access.found.purpose
    if code is None:
        return "-"
    declared = access.service.release.purposes.get(code) if access.service else None
    return declared[lang] if declared else code


def _title(access: Access, path: str, lang: str) -> str:
    """Name a field by its titles in the data dictionary, the last two of them: a given name is somebody's."""
    if path in _STATUSES:
        return _STATUSES[path][lang]
    if access.service is None:
        return path
    mapping = access.service.mapping.mapping
    steps = parse_path(path).steps
    plain = [step.name for step in steps]
    titles = [
        _own_title(mapping.contract, mapping.contract_version, ".".join(plain[:length]), lang)
        for length in range(max(1, len(plain) - 1), len(plain) + 1)
    ]
    chosen = f" ({steps[-1].code})" if steps[-1].code else ""
    return " · ".join(dict.fromkeys(titles)) + chosen


def _own_title(contract: str, version: str, path: str, lang: str) -> str:
    found = contracts.field_schema(contract, version, path) or {}
    title: str = found.get("title" if lang == "en" else "x-title-km", path.rpartition(".")[2])
    return title
