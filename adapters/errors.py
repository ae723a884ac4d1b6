"""All errors of the adapters, by who has to act.

It refuses to carry personal values: a code of a code list may stand in a message, nothing else of a record may.

AdapterError
├── ConfigError              the institution's files (adapter, mapping, source) cannot be used: names file, key and rule
├── RecordError              a record of the registry cannot be given in the standard: names mapping, rule and path
│   └── UnknownCodeError     the registry holds a code that the mapping does not know
├── SourceError              the registry's database does not answer
│   ├── SourceTimeoutError   … within the time that it was given
│   └── RecordUnreadable     one record of it is not as the source file declares
├── EventsError              the database of events cannot be used, or holds what cannot be read
├── CaptureStopped           what a capture saw cannot be true, or staff must decide about it
├── AccessLogError           the access record cannot be written or read, so no answer leaves
├── SearchRejected           the caller's search cannot be done: a DCI reason (``rjct.…``) for one item of a message
├── MessageRejected          … for the whole message
└── RequestRefused           the request is not a DCI message at all: a DCI error (``err.…``) and an HTTP status
"""

from typing import Final

_CODE_SHOWN: Final = 32  # a code is short; anything longer is not shown, since it may be a value in the wrong column


class AdapterError(Exception):
    """Base of all errors of the adapters."""


class ConfigError(AdapterError):
    """A file of the adapter cannot be used; the message is for the institution's staff."""

    def __init__(self, file: str, key: str, problem: str) -> None:
        super().__init__(f"{file}: {key}: {problem}")
        self.file = file
        self.key = key
        self.problem = problem


class RecordError(AdapterError):
    """A record cannot be mapped; says where, never what stands there."""

    def __init__(self, mapping: str, rule: str, source_path: str, problem: str) -> None:
        super().__init__(f"mapping {mapping}, rule {rule}, source path {source_path or '.'}: {problem}")
        self.mapping = mapping
        self.rule = rule
        self.source_path = source_path
        self.problem = problem


class UnknownCodeError(RecordError):
    """The source holds a code that the mapping's code list does not name."""

    def __init__(self, mapping: str, rule: str, source_path: str, code_list: str, code: object) -> None:
        self.code = shown_code(code)
        problem = f"the code {self.code} is not in the code list {code_list}: add it there, or correct the source"
        super().__init__(mapping, rule, source_path, problem)


class SourceError(AdapterError):
    """The registry's database cannot be read."""


class SourceTimeoutError(SourceError):
    """The registry's database took longer than the source allows."""


class RecordUnreadable(SourceError):  # noqa: N818  # what became of one record
    """A record of the registry has more rows than declared, or a value that no record can have."""


class AccessLogError(AdapterError):
    """The access record cannot be written or read."""


class EventsError(AdapterError):
    """The database of events cannot be used, or holds what cannot be read with this key."""


class CaptureStopped(AdapterError):  # noqa: N818  # what became of it
    """A capture or load does not go on before the institution's staff have looked."""


class SearchRejected(AdapterError):  # noqa: N818  # DCI's word: status rjct
    """One search of a message is rejected with a DCI reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class MessageRejected(AdapterError):  # noqa: N818  # as above
    """The whole message is rejected with a DCI reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class RequestRefused(AdapterError):  # noqa: N818  # refused before it is a message
    """The request is refused with a DCI error code and an HTTP status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


def shown_code(code: object) -> str:
    """Return a code as it may be shown; a long or spaced string is no code and is described instead."""
    if isinstance(code, bool | int):
        return str(code)
    if isinstance(code, str) and 0 < len(code) <= _CODE_SHOWN and code.isprintable() and " " not in code:
        return repr(code)
    return f"<a {type(code).__name__} that does not look like a code>"
