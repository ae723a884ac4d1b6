"""What a source file says about a service that is called, by REST or SOAP: requests, where records stand, and pages.

It refuses requests that name attributes which the file does not declare, and attributes that nothing can answer.
:mod:`adapters.source.calls` plans a search with it; :mod:`adapters.source.rest` and :mod:`adapters.source.soap` call.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.errors import ConfigError
from adapters.source.definition import SourceDefinition, check_definition, common
from adapters.source.filters import Operator

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024  # a thousand households; a larger answer is an export, which has pages
_IN_PATH: Final = re.compile(r"\{([^{}]*)\}")
Parameter = str | int | bool


@dataclass(frozen=True, slots=True)
class Request:
    """One way to ask: ``target`` is a path or an operation, ``by`` says which parameter takes which attribute."""

    target: str
    by: Mapping[str, str]
    parameters: Mapping[str, Parameter]


@dataclass(frozen=True, slots=True)
class Envelope:
    """Names of the members of a wrapper such as ``{success, http_code, message, data}``."""

    success: str
    code: str | None
    message: str | None
    data: str


@dataclass(frozen=True, slots=True)
class Paging:
    """How a service counts its pages: parameters, the number of the first page, and records on each."""

    page: str
    size: str | None
    first: int
    records: int
    total: str | None


@dataclass(frozen=True, slots=True)
class CallDefinition(SourceDefinition):
    """A source that answers requests. ``at`` is where records stand in an answer, empty for the answer itself."""

    at: str
    key: str | None
    requests: tuple[Request, ...]
    stream: Request | None
    paging: Paging | None
    envelope: Envelope | None
    max_answer_bytes: int
    service: str | None
    port: str | None


def call_definition(file: str, data: dict[str, Any]) -> CallDefinition:
    """Read what the schema ``source-calls`` has checked; raises :class:`ConfigError`."""
    record, kind = data["record"], data["kind"]
    stream = data.get("stream")
    definition = CallDefinition(
        **common(file, data, data["timeout_ms"], tuple(record["fields"])),
        at=record.get("at", ""),
        key=record.get("key"),
        requests=tuple(_request(file, f"requests[{n}]", kind, each) for n, each in enumerate(data["requests"])),
        stream=None if stream is None else _request(file, "stream", kind, stream),
        paging=_paging(data.get("paging")),
        envelope=_envelope(file, kind, data.get("envelope")),
        max_answer_bytes=data.get("max_answer_bytes", MAX_ANSWER_BYTES),
        service=data.get("service"),
        port=data.get("port"),
    )
    check_definition(definition)
    _check_requests(definition)
    _check_attributes(definition)
    return definition


def _request(file: str, key: str, kind: str, data: dict[str, Any]) -> Request:
    wanted = "path" if kind == "rest" else "operation"
    if wanted not in data or len({"path", "operation"} & set(data)) != 1:
        raise ConfigError(file, key, f"a request of a {kind} source has {wanted!r}")
    request = Request(data[wanted], data.get("by", {}), data.get("parameters", {}))
    unknown = sorted(path_names(request.target) - {*request.by.values(), *request.parameters})
    if unknown:
        raise ConfigError(file, f"{key}.path", f"names {', '.join(unknown)}, which no parameter gives")
    return request


def path_names(path: str) -> frozenset[str]:
    """Return the parameters that stand in a path, as ``{name}``."""
    return frozenset(_IN_PATH.findall(path))


def _paging(data: dict[str, Any] | None) -> Paging | None:
    if data is None:
        return None
    return Paging(data["page"], data.get("size"), data.get("first", 1), data["records"], data.get("total"))


def _envelope(file: str, kind: str, data: dict[str, str] | None) -> Envelope | None:
    if data is None:
        return None
    if kind != "rest":
        raise ConfigError(file, "envelope", "is for kind rest: SOAP says what failed by a fault")
    return Envelope(data["success"], data.get("code"), data.get("message"), data["data"])


def _check_requests(definition: CallDefinition) -> None:
    for number, request in enumerate(definition.requests):
        if not request.by:
            raise ConfigError(definition.file, f"requests[{number}].by", "a search must send at least one attribute")
        for name in request.by:
            if name not in definition.attributes:
                raise ConfigError(definition.file, f"requests[{number}].by.{name}", "is not among the attributes")
            if Operator.EQ not in definition.attributes[name].operators:
                raise ConfigError(definition.file, f"queries.attributes.{name}.operators", "a request sends it by eq")


def _check_attributes(definition: CallDefinition) -> None:
    """An attribute is sent in a request, or compared with a field of what was found."""
    sent = {name for request in definition.requests for name in request.by}
    shape = definition.shape
    for name, attribute in definition.attributes.items():
        place = f"queries.attributes.{name}"
        if not attribute.column and name not in sent:
            raise ConfigError(definition.file, place, "no request sends it, and it has no field to compare with")
        if attribute.column and attribute.column not in shape:
            raise ConfigError(definition.file, f"{place}.field", f"{attribute.column} is not among record.fields")
