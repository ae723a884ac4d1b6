"""Writes the configuration as a SERVICES.toml that `apply` accepts and finds nothing to change.

It refuses to know databases beyond reading them once.
`spean node export` prints it; certificates stand in the text, so that the file is whole.
"""

import json
from collections.abc import Iterable, Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from securityserver.serverconf import rows
from securityserver.serverconf.bodylogging import BodyLogging
from securityserver.serverconf.declaration import AccessRight, ClientDeclaration, Declaration, ServiceDeclaration
from securityserver.serverconf.store import read
from serverkit.database import Database
from xroad.identifiers import LocalGroupId


def export(database: Database) -> str:
    """Give the text. Blocks.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database refused.
    """
    declaration, _ = read(database)
    return to_toml(declaration)


def to_toml(declaration: Declaration) -> str:
    """Give the text of a declaration."""
    return "".join(f"{line}\n" for client in declaration.clients for line in _client(client))


def _client(client: ClientDeclaration) -> Iterator[str]:
    yield "[[client]]"
    yield f"id = {_text(str(client.id))}"
    yield f"connection = {_text(client.connection)}"
    if client.tls_certificates:
        yield f"tls_certificates = {_list(map(_pem, sorted(client.tls_certificates)))}"
    yield ""
    if client.log != BodyLogging():
        yield "[client.log]"
        yield f"requests = {_text(client.log.requests)}"
        yield f"responses = {_text(client.log.responses)}"
        yield ""
    for group in client.local_groups:
        members = _list(_text(name) for name in sorted(map(str, group.members)))
        yield from ("[[client.local_group]]", f"code = {_text(group.id.group_code)}", f"members = {members}", "")
    for service in client.services:
        yield from _service(service)


def _service(service: ServiceDeclaration) -> Iterator[str]:
    yield "[[client.service]]"
    yield f"code = {_text(service.id.service_code)}"
    if service.id.service_version is not None:
        yield f"version = {_text(service.id.service_version)}"
    yield f"url = {_text(service.url)}"
    yield f"timeout = {service.timeout!r}"
    if service.tls_certificate is not None:
        yield f"tls_certificate = {_pem(service.tls_certificate)}"
    if service.disabled is not None:
        yield f"disabled = {_text(service.disabled)}"
    yield ""
    for right in sorted(
        service.access, key=lambda right: (str(right.subject), right.endpoint, rows.kind_of(right.subject))
    ):
        yield from _right(right)


def _right(right: AccessRight) -> Iterator[str]:
    subject = right.subject
    name = subject.group_code if isinstance(subject, LocalGroupId) else str(subject)
    kind = rows.kind_of(subject)
    yield "[[client.service.access]]"
    yield f"{'subject' if kind == 'client' else kind} = {_text(name)}"
    yield f"method = {_text(right.endpoint.method)}"
    yield f"path = {_text(right.endpoint.path)}"
    yield ""


def _text(value: str) -> str:
    # JSON's strings are TOML's, but for one control character that JSON lets stand.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _list(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _pem(der: bytes) -> str:
    pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode("ascii")
    return f'"""\n{pem}"""'
