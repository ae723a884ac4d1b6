"""Evidence: what one side logged of one message, judged offline, and the two sides' logs held against each other.

It refuses to know databases, containers and whoever asks: records, a trust snapshot and a time in, a judgement out.
Auditors and the sandbox's demonstration call it with records out of message logs; identity is taken from signed bytes.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from cryptography import x509

from xroad import xades
from xroad.algorithms import SHA512
from xroad.identifiers import ClientId, ServiceId
from xroad.rest import RestRequest, RestResponse, request_hash
from xroad.verdicts import VerdictCache

if TYPE_CHECKING:
    from xroad.globalconf.snapshot import TrustSnapshot


class Direction(StrEnum):
    """Which half of an exchange a record is."""

    REQUEST = "request"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """One logged message: the signed head, SHA-512 of the body part if there was one, and the signature over both."""

    direction: Direction
    head: bytes
    body_digest: bytes | None
    signature: xades.SignatureData

    @classmethod
    def of(
        cls, direction: Direction, head: bytes, body: bytes | None, signature: xades.SignatureData
    ) -> "EvidenceRecord":
        """Make a record of a body that is at hand; an empty body part is not the same as none."""
        return cls(direction, head, None if body is None else SHA512.digest(body), signature)

    @property
    def parts(self) -> Mapping[str, bytes]:
        """Digests by file name, as the signature must cover them."""
        parts = {xades.MESSAGE: SHA512.digest(self.head)}
        if self.body_digest is not None:
            parts[xades.attachment_name(1)] = self.body_digest
        return parts


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its response, as one side logged them."""

    request: EvidenceRecord
    response: EvidenceRecord


@dataclass(frozen=True, slots=True)
class Judgement:
    """Who signed what when: everything in it was covered by the signature or said by the authority."""

    direction: Direction
    signer: ClientId
    client: ClientId
    service: ServiceId
    query_id: str
    request_id: str
    head_digest: bytes
    body_digest: bytes | None
    signing_time: datetime
    certificate: x509.Certificate
    subject: str
    issuer: str
    serial: int
    ocsp_this_update: datetime
    ocsp_produced_at: datetime
    ocsp_responder: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was compared, and in which points the two sides differ."""

    request: Judgement
    response: Judgement
    differences: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether both sides hold the same exchange."""
        return not self.differences


def judge(
    record: EvidenceRecord, trust: "TrustSnapshot", at: datetime, *, cache: VerdictCache | None = None
) -> Judgement:
    """Return who signed a logged message when, judged at a time.

    Args:
        record: what was logged.
        trust: the global configuration of that time.
        at: aware UTC: the time of the time-stamp, or the time of logging where there is none yet.
        cache: remembers verdicts.

    Raises:
        InvalidRest: the head is not a message's.
        XRoadError: as `xades.verify`: altered, not signed by the member that the head names, or badly certified.
    """
    message = _read(record)
    signer = message.client if record.direction is Direction.REQUEST else message.service.client
    verified = xades.verify(
        record.signature.xml,
        record.parts,
        trust,
        at,
        signer,
        hash_chain_result=record.signature.hash_chain_result,
        hash_chain=record.signature.hash_chain,
        cache=cache,
    )
    status = verified.chain.ocsp
    return Judgement(
        direction=record.direction,
        signer=verified.signer,
        client=message.client,
        service=message.service,
        query_id=message.query_id,
        request_id=message.request_id,
        head_digest=verified.parts[xades.MESSAGE],
        body_digest=record.body_digest,
        signing_time=verified.signing_time,
        certificate=verified.certificate,
        subject=verified.certificate.subject.rfc4514_string(),
        issuer=verified.certificate.issuer.rfc4514_string(),
        serial=verified.certificate.serial_number,
        ocsp_this_update=status.this_update,
        ocsp_produced_at=status.produced_at,
        ocsp_responder=status.responder.subject.rfc4514_string(),
    )


def agree(a: Exchange, b: Exchange, trust: "TrustSnapshot", at: datetime) -> Agreement:
    """Judge both sides' records of an exchange, hold the response to its request, and compare the sides.

    Raises:
        InconsistentResponse: on one side the response does not answer the request (identifiers or request hash).
        XRoadError: as `judge`, for any of the four records: evidence that does not hold agrees with nothing.
    """
    cache = VerdictCache()
    judged = [judge(record, trust, at, cache=cache) for each in (a, b) for record in (each.request, each.response)]
    check_answers(a)
    check_answers(b)
    differences = (*_differences(a.request, b.request), *_differences(a.response, b.response))
    return Agreement(judged[0], judged[1], differences)


def check_answers(exchange: Exchange) -> None:
    """Hold that a response answers its request: by identifiers, and by the hash of all the request's bytes.

    Raises:
        InconsistentResponse: it answers another one.
    """
    request = RestRequest.from_head(exchange.request.head)
    response = RestResponse.from_head(exchange.response.head)
    response.check_answers(request, request_hash(exchange.request.head, exchange.request.body_digest))


def _read(record: EvidenceRecord) -> RestRequest | RestResponse:
    if record.direction is Direction.REQUEST:
        return RestRequest.from_head(record.head)
    return RestResponse.from_head(record.head)


def _differences(a: EvidenceRecord, b: EvidenceRecord) -> tuple[str, ...]:
    """Name the pieces that differ; the signature counts byte by byte, for each side logged the same octets."""
    pairs = (
        ("head", a.head, b.head),
        ("body", a.body_digest or b"", b.body_digest or b""),
        ("signature", a.signature.xml, b.signature.xml),
        ("hash chain result", a.signature.hash_chain_result or b"", b.signature.hash_chain_result or b""),
        ("hash chain", a.signature.hash_chain or b"", b.signature.hash_chain or b""),
    )
    return tuple(f"{a.direction.value} {name}" for name, mine, theirs in pairs if not hmac.compare_digest(mine, theirs))
