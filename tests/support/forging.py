"""Bad messages and bad certificates for the man in the middle: what an attacker, or a broken peer, would send."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from securityserver.messagelog import Body
from securityserver.messages import signed_parts
from securityserver.tls import peer_client_context
from tests.support import pki
from tests.support.instance import Instance
from tests.support.little import find_part, join_parts, split_parts
from tests.support.serverside import strict_server_context
from tests.support.stamps import Issued
from xroad import xades
from xroad.algorithms import default_algorithm

Alter = Callable[[bytes], bytes]

OCSP = b"application/ocsp-response"
HEAD = b"application/x-road-rest-re"
BODY = b"application/x-road-rest-body"
RESULT = b"application/hash-chain-result"
CHAIN = b"application/hash-chain\r\n"
SIGNATURE = b"signature/bdoc"


def content_of(raw: bytes, media_type: bytes) -> bytes:
    _, parts = split_parts(raw)
    return parts[find_part(parts, media_type)].partition(b"\r\n\r\n")[2]


def replacing(media_type: bytes, change: Alter) -> Alter:
    """Change the content of one part."""

    def alter(raw: bytes) -> bytes:
        boundary, parts = split_parts(raw)
        place = find_part(parts, media_type)
        fields, _, content = parts[place].partition(b"\r\n\r\n")
        parts[place] = fields + b"\r\n\r\n" + change(content)
        return join_parts(boundary, parts)

    return alter


def flipping(media_type: bytes, *, at: float = 0.5) -> Alter:
    """Flip one bit in the middle of a part."""

    def flip(content: bytes) -> bytes:
        place = int(len(content) * at)
        return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]

    return replacing(media_type, flip)


def flipping_signature_value() -> Alter:
    def flip(content: bytes) -> bytes:
        place = content.index(b"SignatureValue") + 60
        other = b"A" if content[place : place + 1] != b"A" else b"B"
        return content[:place] + other + content[place + 1 :]

    return replacing(SIGNATURE, flip)


def dropping(media_type: bytes) -> Alter:
    return rearranging(lambda parts, place: [*parts[:place], *parts[place + 1 :]], media_type)


def doubling(media_type: bytes) -> Alter:
    return rearranging(lambda parts, place: [*parts[: place + 1], *parts[place:]], media_type)


def putting_first(media_type: bytes) -> Alter:
    return rearranging(lambda parts, place: [parts[place], *parts[:place], *parts[place + 1 :]], media_type)


def appending(part: bytes) -> Alter:
    return rearranging(lambda parts, _: [*parts, part], SIGNATURE)


def rearranging(change: Callable[[list[bytes], int], list[bytes]], media_type: bytes) -> Alter:
    def alter(raw: bytes) -> bytes:
        boundary, parts = split_parts(raw)
        return join_parts(boundary, change(parts, find_part(parts, media_type)))

    return alter


@dataclass(frozen=True, slots=True)
class Forger:
    """Signs whole messages anew with a key of its own."""

    instance: Instance
    signer: Issued
    ocsp: Sequence[bytes]

    def __call__(self, raw: bytes) -> bytes:
        boundary, parts = split_parts(raw)
        head = content_of(raw, HEAD)
        has_body = any(BODY in part.partition(b"\r\n\r\n")[0] for part in parts)
        body = Body.of(content_of(raw, BODY)) if has_body else None
        certificate = self.signer.certificate
        algorithm = default_algorithm(certificate.public_key())
        at = self.instance.clock.now()
        unsigned = xades.prepare(signed_parts(head, body), certificate, self.ocsp, (), algorithm, at)
        signature = unsigned.complete(algorithm.sign(self.signer.key, unsigned.data_to_sign)).xml
        kept = [part for part in parts if b"hash-chain" not in part.partition(b"\r\n\r\n")[0]]
        kept[-1] = b"content-type: signature/bdoc-1.0/ts\r\n\r\n" + signature
        return join_parts(boundary, kept)


def forger(
    instance: Instance,
    member: str = "NSAF",
    *,
    server: str = "SS3",
    usage: pki.Usage = "sign",
    not_after: datetime | None = None,
    age: timedelta = timedelta(minutes=5),
    status: str = "good",
    with_ocsp: bool = True,
) -> Forger:
    """A forger with a true certificate of the authority, good or bad as asked."""
    subject = pki.name(member, serial_number=f"KH-SANDBOX/{server}/GOV")
    authority = instance.authority
    issued = pki.leaf(authority.issuer, subject, "ec-p256", authority.at, usage, not_after=not_after)
    instance.ocsp.status[issued.certificate.serial_number] = status
    response = instance.ocsp.response(issued.certificate, age=age)
    return Forger(instance, issued, (response,) if with_ocsp else ())


def auth_certificate(
    instance: Instance,
    *,
    usage: pki.Usage = "auth",
    not_after: datetime | None = None,
    issuer: Issued | None = None,
) -> Issued:
    """A new authentication certificate of the authority or another issuer, which nobody has registered yet."""
    subject = pki.name("evil.example", serial_number="KH-SANDBOX/SS9/GOV")
    authority = instance.authority
    return pki.leaf(issuer or authority.issuer, subject, "ec-p256", authority.at, usage, not_after=not_after)


def inward_with(instance: Instance, issued: Issued) -> Any:
    return _loaded(strict_server_context(instance.authority.ca_certificates), issued)


def outward_with(instance: Instance, issued: Issued) -> Any:
    return _loaded(peer_client_context(instance.authority.ca_certificates), issued)


def _loaded(context: Any, issued: Issued) -> Any:
    with tempfile.NamedTemporaryFile() as file:
        file.write(issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.write(issued.certificate.public_bytes(Encoding.PEM))
        file.flush()
        context.load_cert_chain(file.name)
    return context


def with_ocsp_of(instance: Instance, certificate: x509.Certificate, age: timedelta = timedelta(minutes=5)) -> Alter:
    """Put another certificate's OCSP response in the place of the true one."""
    return replacing(OCSP, lambda _: instance.ocsp.response(certificate, age=age))
