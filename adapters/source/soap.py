"""Calls a SOAP service that its WSDL describes: zeep makes and reads the messages, aiohttp carries them.

It refuses WSDL parts from anywhere but the WSDL's own folder, document types and entities in any XML, redirects, and
answers beyond a limit. zeep works in threads, so that a large answer never holds up other requests.
"""

import asyncio
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import aiohttp

from adapters.errors import ConfigError, SourceError
from adapters.source.calldefinition import CallDefinition
from adapters.source.calls import Parameters
from adapters.source.connection import SecretFile, SoapConnection, check_web_url, trusted
from adapters.source.definition import SourceDefinition
from adapters.source.httpanswer import read_bytes
from adapters.source.values import plain

MAX_WSDL_BYTES: Final = 8 * 1024 * 1024
_FAULT_STATUSES: Final = frozenset({200, 500})  # SOAP 1.1 sends faults with 500


@dataclass(frozen=True, slots=True)
class _Answer:
    """What zeep reads of an HTTP response."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes
    encoding: str = "utf-8"


class SoapCaller:
    """One service."""

    def __init__(self, definition: SourceDefinition, connection: SoapConnection, *, threads: int) -> None:
        """Read nothing yet; raises :class:`ConfigError` when the file with trusted certificates cannot be read."""
        if not isinstance(definition, CallDefinition):
            raise ConfigError(definition.file, "kind", "is not soap, but its connection is a SOAP service")
        self._definition, self._connection = definition, connection
        self._tls = trusted(connection.file, connection.url or "https:", connection.ca_file)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=f"source-{definition.name}")
        self._lock = threading.Lock()
        self._service: Any = None  # zeep names no types
        self._session: aiohttp.ClientSession | None = None

    async def call(self, target: str, parameters: Parameters) -> Any:  # noqa: ANN401  # whatever the service answers
        """Call an operation; raises :class:`SourceError`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._call, loop, target, parameters)

    async def check(self) -> None:
        """Raise :class:`SourceError` unless the WSDL has the operations and the service accepts connections."""
        loop = asyncio.get_running_loop()
        address = await loop.run_in_executor(self._threads, self._check_operations, loop)
        try:
            async with self._opened().head(address, allow_redirects=False):
                pass  # any status: services differ in what they answer to anything but a message
        except aiohttp.ClientError as error:
            raise self._error(f"the service cannot be reached ({type(error).__name__})") from None

    async def close(self) -> None:
        """Let calls end, then close all connections."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        if self._session is not None:
            await self._session.close()

    def _call(self, loop: asyncio.AbstractEventLoop, operation: str, parameters: Parameters) -> Any:  # noqa: ANN401
        """Run in a thread: zeep's work is the processor's."""
        from zeep.exceptions import Error, Fault, TransportError  # noqa: PLC0415  # an extra, and slow to load
        from zeep.helpers import serialize_object  # noqa: PLC0415  # as above

        service = self._bound(loop)
        try:
            answer = service[operation](**parameters)
            return _plain(serialize_object(answer, dict))  # type: ignore[no-untyped-call]  # zeep's
        except Fault as fault:
            # Its text may be about a person; its code is the service's own word for a kind of failure.
            raise self._error(f"the service answers with a fault ({_code(fault.code)})") from None
        except TransportError as error:
            what = "what is no SOAP" if error.status_code in _FAULT_STATUSES else error.status_code
            raise self._error(f"the service answers {what}") from None
        except (Error, AttributeError, TypeError, ValueError) as error:
            raise self._error(f"the call {operation} and the WSDL do not fit ({type(error).__name__})") from None

    def _check_operations(self, loop: asyncio.AbstractEventLoop) -> str:
        service, definition = self._bound(loop), self._definition
        requests = [*definition.requests, *([] if definition.stream is None else [definition.stream])]
        known: Mapping[str, Any] = service._binding.all()  # noqa: SLF001  # zeep has no public list of operations
        for request in requests:
            if request.target not in known:
                raise self._error(f"the WSDL has no operation {request.target}; it has {', '.join(sorted(known))}")
            taken = {name for name, _type in known[request.target].input.body.type.elements}
            unknown = sorted({*request.by.values(), *request.parameters} - taken)
            if unknown:
                raise self._error(f"the operation {request.target} takes no {', '.join(unknown)}")
        return str(service._binding_options["address"])  # noqa: SLF001  # as above

    def _bound(self, loop: asyncio.AbstractEventLoop) -> Any:  # noqa: ANN401  # zeep's
        with self._lock:
            if self._service is None:
                self._service = self._read_wsdl(loop)
            return self._service

    def _read_wsdl(self, loop: asyncio.AbstractEventLoop) -> Any:  # noqa: ANN401  # zeep's
        from zeep import Client, Settings  # noqa: PLC0415  # as above
        from zeep.exceptions import Error  # noqa: PLC0415  # as above

        logging.getLogger("zeep").setLevel(logging.WARNING)  # below that it writes whole messages into the log
        connection, wsdl = self._connection, self._connection.wsdl
        settings = Settings(strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=True)
        try:
            transport = _Transport(self, loop, wsdl.parent)
            client = Client(str(wsdl), transport=transport, settings=settings)  # type: ignore[no-untyped-call]  # as above
            service = client.bind(self._definition.service, self._definition.port)
        except (Error, OSError, ValueError, LookupError) as error:
            raise self._error(f"the WSDL {wsdl} cannot be used ({type(error).__name__})") from None
        if service is None:
            raise self._error(f"the WSDL {wsdl} has no service")
        options = service._binding_options  # noqa: SLF001  # zeep's own create_service does no more
        if connection.url is not None:
            options["address"] = connection.url
        check_web_url(connection.file, "source.wsdl", str(options["address"]))
        return service

    async def post(self, address: str, message: bytes, headers: Mapping[str, str]) -> _Answer:
        """Send one message."""
        try:
            async with self._opened().post(
                address, data=message, headers={**headers, **self._login()}, allow_redirects=False
            ) as response:
                if response.status not in _FAULT_STATUSES:
                    raise self._error(f"the service answers {response.status}")
                data = await read_bytes(self._definition.name, response, self._definition.max_answer_bytes)
                return _Answer(
                    response.status, {"Content-Type": response.headers.get("Content-Type", "text/xml")}, data
                )
        except aiohttp.ClientError as error:
            raise self._error(f"the service cannot be reached ({type(error).__name__})") from None

    def _login(self) -> Mapping[str, str]:
        connection = self._connection
        if connection.username is None or connection.password is None:
            return {}
        return {"Authorization": aiohttp.encode_basic_auth(connection.username, self._password(connection.password))}

    def _password(self, secret: SecretFile) -> str:
        try:
            return secret.read()
        except ConfigError as error:  # its file went away since the start
            raise SourceError(str(error)) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._definition.timeout_ms / 1000),
                connector=aiohttp.TCPConnector(ssl=self._tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    def _error(self, problem: str) -> SourceError:
        return SourceError(f"source {self._definition.name}: {problem}")


class _Transport:
    """What zeep asks for documents and messages; it runs in a thread and hands the message to the event loop."""

    def __init__(self, caller: SoapCaller, loop: asyncio.AbstractEventLoop, folder: Path) -> None:
        self._caller, self._loop, self._folder = caller, loop, folder.resolve()

    def load(self, url: str) -> bytes:
        """Read a part of the WSDL; one from elsewhere could make us call any address."""
        parts = urlsplit(url)
        path = Path(unquote(parts.path) if parts.scheme == "file" else url).resolve()
        if parts.scheme not in {"", "file"} or not path.is_relative_to(self._folder):
            raise ValueError("a part of the WSDL is not beside it")
        if path.stat().st_size > MAX_WSDL_BYTES:
            raise ValueError("a part of the WSDL is too large")
        return path.read_bytes()

    def post_xml(self, address: str, envelope: Any, headers: Mapping[str, str]) -> _Answer:  # noqa: ANN401  # an element
        """Send a message and wait for the answer."""
        from zeep.wsdl.utils import etree_to_string  # noqa: PLC0415  # as above

        message: bytes = etree_to_string(envelope)  # type: ignore[no-untyped-call]  # as above
        sending = self._caller.post(address, message, headers)
        return asyncio.run_coroutine_threadsafe(sending, self._loop).result()


def _plain(value: Any) -> Any:  # noqa: ANN401  # as answered
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return plain(value)


def _code(code: object) -> str:
    text = str(code)
    return text if text.isascii() and text.replace(":", "").replace(".", "").isalnum() else "no code"
