"""Sends one message to the own security server, which signs it, logs it and carries it to the receiver.

It refuses redirects, certificates that the declared authority did not sign, and answers longer than an acknowledgement
can be. It gives back what came, or why nothing did; ``verdicts`` judges.
"""

import ssl
from pathlib import Path
from typing import Final, Protocol

import aiohttp
from cryptography import x509

from adapters.errors import ConfigError
from adapters.events.naming import ServiceAddress
from adapters.outbox.config import ServerConfig
from adapters.outbox.verdicts import Answer, Trouble

MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024  # an acknowledgement with the results and conflicts of 10,000 events
_CHUNK: Final = 64 * 1024
_OTHERS: Final = 0o077


class Transport(Protocol):
    """The way out; tests have one of their own."""

    async def send(self, receiver: str, path: str, message_id: str, body: bytes) -> Answer | Trouble:
        """Make one attempt, within a total time."""
        ...


class HttpTransport:
    """The client port of the own security server.

    Args:
        server: where it is, and who is trusted to have certified it.
        client: the own subsystem.
        seconds: for one attempt, in all.
        file: what messages call the adapter file.

    Raises:
        ConfigError: a certificate or key cannot be used.
    """

    def __init__(self, server: ServerConfig, client: str, *, seconds: float, file: str) -> None:
        self._url, self._client = server.url, client
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._tls = _tls(server, file)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, receiver: str, path: str, message_id: str, body: bytes) -> Answer | Trouble:
        """Make one attempt."""
        url = f"{self._url}{ServiceAddress.parse(receiver).path}{path}"
        headers = {"X-Road-Client": self._client, "X-Road-Id": message_id, "Content-Type": "application/json"}
        try:
            async with self._opened().post(url, data=body, headers=headers, allow_redirects=False) as response:
                return await _answer(response)
        except TimeoutError:
            return Trouble.TOO_SLOW
        except aiohttp.ClientConnectorError:
            return Trouble.UNREACHABLE
        except aiohttp.ClientError:
            return Trouble.BROKEN

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(ssl=self._tls, limit=0),  # one receiver never waits for another's turn
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session


async def _answer(response: aiohttp.ClientResponse) -> Answer | Trouble:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            response.close()
            return Trouble.BROKEN
    headers = response.headers
    return Answer(response.status, bytes(body), headers.get("X-Road-Error"), headers.get("Retry-After"))


def _tls(server: ServerConfig, file: str) -> ssl.SSLContext | bool:
    """To this machine itself no TLS is spoken; elsewhere the server's certificate is always checked."""
    if not server.url.startswith("https:"):
        return True
    key, own = "events.security_server", (server.certificate_file, server.key_file)
    try:
        context = _trusting(server.ca_file)
        if server.key_file is not None and server.key_file.stat().st_mode & _OTHERS:
            raise ConfigError(file, key, f"{server.key_file} can be read by others: chmod 600 {server.key_file}")
        if own[0] is not None:
            context.load_cert_chain(own[0], own[1], password=_no_password)
    except (OSError, ValueError) as error:
        raise ConfigError(file, key, f"a certificate or key cannot be used: {type(error).__name__}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the system's authorities, those of a file, or the very certificate that the file holds.

    A security server shows a certificate of its own making, without a host name: who pins it knows it by its key.
    """
    if ca_file is None:
        return ssl.create_default_context()
    certificates = x509.load_pem_x509_certificates(ca_file.read_bytes())
    context = ssl.create_default_context(cafile=ca_file)
    if not any(map(_is_authority, certificates)):
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _no_password() -> str:
    """OpenSSL would ask on the terminal, and a service would wait for ever."""
    raise ValueError("the key has a password")
