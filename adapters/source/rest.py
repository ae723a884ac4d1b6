"""Calls a REST service: GET with query parameters or values in the path, JSON back, out of its envelope.

It refuses redirects, which could carry the credentials elsewhere, and answers beyond a limit; it changes nothing at the
service, so that a call that failed may be made again. :class:`~adapters.source.calls.CallSource` decides what to call.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from adapters.errors import ConfigError, SearchRejected, SourceError
from adapters.source.calldefinition import CallDefinition, Parameter, path_names
from adapters.source.calls import Parameters
from adapters.source.comparing import INVALID
from adapters.source.connection import RestConnection, trusted
from adapters.source.definition import SourceDefinition
from adapters.source.httpanswer import read_json
from adapters.source.oauth import TokenKeeper

WAITS: Final = (0.1, 0.4)  # seconds before the second and third try, all within the source's timeout
_OK, _UNAUTHORIZED, _NOT_FOUND = 200, 401, 404
_AGAIN: Final = frozenset({502, 503, 504})  # the service did not see the request, or is only away for a moment
_NOT_FOUND_CODES: Final = frozenset({404, "404"})
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class RestCaller:
    """One service."""

    def __init__(self, definition: SourceDefinition, connection: RestConnection) -> None:
        """Open lazily; raises :class:`ConfigError` when the file with trusted certificates cannot be read."""
        if not isinstance(definition, CallDefinition):
            raise ConfigError(definition.file, "kind", "is not rest, but its connection is a REST service")
        self._definition, self._connection = definition, connection
        self._tls = trusted(connection.file, connection.url, connection.ca_file)
        self._tokens = None if connection.oauth2 is None else TokenKeeper(definition.name, connection.oauth2)
        self._session: aiohttp.ClientSession | None = None

    async def call(self, target: str, parameters: Parameters) -> Any:  # noqa: ANN401  # whatever the service answers
        """Make one call, again when that is of use; raises :class:`SourceError`."""
        path, query = _fill(target, parameters)
        url = URL(self._connection.url + path, encoded=True).update_query(query)
        headers = await self._credentials()
        for wait in (*WAITS, None):
            try:
                status, answer = await self._get(url, headers)
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
                if wait is None:
                    raise self._error(f"the service cannot be reached ({type(error).__name__})") from None
            except aiohttp.ClientError as error:
                raise self._error(f"the service cannot be asked ({type(error).__name__})") from None
            else:
                if status == _UNAUTHORIZED and self._tokens is not None and wait is not None:
                    self._tokens.forget(headers["Authorization"])
                    headers = await self._credentials()
                elif status not in _AGAIN or wait is None:
                    return self._open(status, answer)
            await asyncio.sleep(wait or 0)
        raise AssertionError  # the last try returns or raises

    async def check(self) -> None:
        """Raise :class:`SourceError` unless a token can be had and the service accepts connections."""
        headers = await self._credentials()
        try:
            async with self._opened().head(self._connection.url, headers=headers, allow_redirects=False):
                pass  # any status: what the base path answers is the service's own affair
        except aiohttp.ClientError as error:
            raise self._error(f"the service cannot be reached ({type(error).__name__})") from None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def _get(self, url: URL, headers: Mapping[str, str]) -> tuple[int, Any]:
        async with self._opened().get(url, headers=headers, allow_redirects=False) as response:
            if response.status not in {_OK, _NOT_FOUND}:
                return response.status, None
            if response.status == _NOT_FOUND and response.content_type != "application/json":
                return response.status, None
            return response.status, await read_json(self._definition.name, response, self._definition.max_answer_bytes)

    def _open(self, status: int, answer: Any) -> Any:  # noqa: ANN401  # as above
        """Take an answer out of its envelope."""
        envelope = self._definition.envelope
        if status == _NOT_FOUND:
            return None
        if status != _OK:
            raise self._error(f"the service answers {status}")
        if envelope is None:
            return answer
        if not isinstance(answer, dict) or envelope.success not in answer:
            raise self._error(f"the answer has no {envelope.success!r}: correct the envelope")
        if answer[envelope.success] is True:
            return answer.get(envelope.data)
        code = answer.get(envelope.code) if envelope.code is not None else None
        if isinstance(code, int | str) and code in _NOT_FOUND_CODES:
            return None
        shown = code if isinstance(code, int) else "no number"  # a text could be about a person
        raise self._error(f"the service says that it failed (code {shown})")

    async def _credentials(self) -> Mapping[str, str]:
        try:
            if self._tokens is not None:
                return {"Authorization": await self._tokens.header(self._opened())}
            key = self._connection.api_key
            return _NO_HEADERS if key is None else {key.header: key.key.read()}
        except ConfigError as error:  # a secret's file went away since the start
            raise SourceError(str(error)) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._definition.timeout_ms / 1000)
            connector = aiohttp.TCPConnector(ssl=self._tls)
            self._session = aiohttp.ClientSession(
                timeout=timeout,
                connector=connector,
                headers={"Accept": "application/json"},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    def _error(self, problem: str) -> SourceError:
        return SourceError(f"source {self._definition.name}: {problem}")


def _fill(target: str, parameters: Parameters) -> tuple[str, dict[str, str]]:
    """Put parameters that the path names into it, percent-encoded; the others are the query."""
    names = path_names(target)
    in_path = {name: _segment(parameters[name]) for name in names}
    path = quote(target, safe="/{}").format_map(in_path)
    return path, {name: _text(value) for name, value in parameters.items() if name not in names}


def _segment(value: Parameter) -> str:
    """A value of a search must not lead to another path of the service."""
    text = _text(value)
    if text in {".", ".."}:
        raise SearchRejected(INVALID, "this value cannot be asked for")
    return quote(text, safe="")


def _text(value: Parameter) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
