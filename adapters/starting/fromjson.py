"""Proposes a REST source from one answer of the service, as someone saved it.

It refuses to call the service: where it is and how it is asked stands in its documents, and is to be written into the
files. An envelope such as ``{success, http_code, message, data}`` is recognised.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from adapters.errors import ConfigError
from adapters.mapping.engine import leaf_paths
from adapters.source.matching import at_path
from adapters.starting.proposal import Proposal

_SUCCESS: Final = ("success", "ok", "succeeded")
_CODES: Final = ("http_code", "code", "status_code")
_MESSAGES: Final = ("message", "msg")
_DATA: Final = ("data", "result", "results", "payload")
_KEYS: Final = ("id", "uuid", "code")


def from_json(path: Path) -> Proposal:
    """Read an answer; raises :class:`ConfigError` when it is no JSON or holds no record."""
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(str(path), "sample", f"is not JSON that can be read ({type(error).__name__})") from None
    envelope, data = _unwrap(answer)
    at, records = _records(data)
    if not records:
        raise ConfigError(str(path), "sample", "holds no record: save an answer that has at least one")
    fields = list(dict.fromkeys(path for record in records for path in leaf_paths(record)))
    key = next((each for each in _KEYS if each in fields), fields[0])
    source: dict[str, Any] = {"kind": "rest", "version": "0.1.0", "synthetic": False, "timeout_ms": 5000}
    source |= {} if envelope is None else {"envelope": envelope}
    source |= {
        "requests": [],  # one for each identifier that turns out to be there
        "record": ({"at": at} if at else {}) | {"key": key, "fields": fields},
        "queries": {"identifiers": ["LOCAL_ID"], "attributes": {"LOCAL_ID": {"type": "string", "field": key}}},
    }
    samples = {each: [value for record in records for value in at_path(record, each)] for each in fields}
    askable = {each: {"type": "string", "field": each} for each in fields}
    return Proposal(source, {"kind": "rest", "url": "https://change-this.example/"}, samples, askable=askable)


def _unwrap(answer: Any) -> tuple[dict[str, str] | None, Any]:  # noqa: ANN401  # JSON
    if not isinstance(answer, dict):
        return None, answer
    success, data = _first(answer, _SUCCESS), _first(answer, _DATA)
    if success is None or data is None or not isinstance(answer[success], bool):
        return None, answer
    envelope = {"success": success, "data": data}
    envelope |= {
        name: found for name, known in (("code", _CODES), ("message", _MESSAGES)) if (found := _first(answer, known))
    }
    return envelope, answer[data]


def _first(answer: dict[str, Any], names: tuple[str, ...]) -> str | None:
    return next((each for each in names if each in answer), None)


def _records(data: Any) -> tuple[str, list[dict[str, Any]]]:  # noqa: ANN401  # JSON
    """Find the records: a list, the only list of objects in an object, or the object itself."""
    if isinstance(data, list):
        return "", [each for each in data if isinstance(each, dict)]
    if not isinstance(data, dict):
        return "", []
    lists = list(_lists(data))
    if len(lists) == 1 and len(data) <= 3:  # noqa: PLR2004  # the list and what counts its pages
        return lists[0]
    return "", [data]


def _lists(data: dict[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for key, value in data.items():
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            yield key, value
