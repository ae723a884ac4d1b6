"""What was found out about one container: plain values, which pass between processes and become text or JSON.

It refuses to judge and to print.
"""

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from cryptography import x509

from spean.verifying.reasons import sentence_for
from xroad.asic import Outcome, Trace, Verdict, VerifiedContainer, trace_of
from xroad.globalconf.snapshot import TrustSnapshot


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """A certificate, as a person looks it up at its issuer."""

    subject: str
    issuer: str
    serial: str
    valid_from: str
    valid_until: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a valid container proves; times are ISO 8601 in UTC, digests SHA-512 in hexadecimal."""

    member: str
    member_name: str | None
    certificate: CertificateFacts
    direction: str
    client: str
    service: str
    query_id: str
    request_id: str | None
    user_id: str | None
    issue: str | None
    signed_at: str
    stamped_at: str | None
    stamp_form: str | None
    authority: str | None
    judged_at: str
    ocsp_produced_at: str
    ocsp_this_update: str
    ocsp_responder: CertificateFacts
    files: dict[str, str]
    not_in_container: dict[str, str]
    in_asic_order: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """One container's verdict; `reason` is X-Road's code, `en` and `km` what it means."""

    path: str
    outcome: Outcome
    reason: str = ""
    detail: str = ""
    en: str = ""
    km: str = ""
    facts: Facts | None = None
    trace: Trace | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the values for JSON."""
        values = dataclasses.asdict(self)
        del values["trace"]
        return values


def unreadable(path: str, detail: str) -> Finding:
    """Return the finding on a file that could not be read at all."""
    return Finding(path, Outcome.CANNOT_TELL, "", detail, "The file cannot be read.", "មិនអាចអានឯកសារនេះបានទេ។")


def found(path: str, verdict: Verdict, trust: TrustSnapshot) -> Finding:
    """Return the finding on a container that was judged."""
    if verdict.verified is None:
        meaning = sentence_for(verdict.reason)
        return Finding(path, verdict.outcome, verdict.reason, verdict.detail, meaning.en, meaning.km)
    in_order = verdict.container is not None and verdict.container.in_order
    facts = _facts(verdict.verified, trust, in_order=in_order)
    return Finding(path, verdict.outcome, facts=facts, trace=trace_of(verdict.verified))


def _facts(verified: VerifiedContainer, trust: TrustSnapshot, *, in_order: bool) -> Facts:
    message, signature, status = verified.message, verified.signature, verified.signature.chain.ocsp
    stamp = verified.stamp
    return Facts(
        member=str(signature.signer),
        member_name=trust.member_name(signature.signer),
        certificate=_certificate(signature.certificate),
        direction=message.direction.value,
        client=str(message.client),
        service=str(message.service),
        query_id=message.query_id,
        request_id=message.request_id,
        user_id=message.user_id,
        issue=message.issue,
        signed_at=_time(signature.signing_time),
        stamped_at=None if stamp is None else _time(stamp.gen_time),
        stamp_form=None if stamp is None else "batch" if verified.is_batch else "single",
        authority=verified.authority,
        judged_at=_time(verified.at),
        ocsp_produced_at=_time(status.produced_at),
        ocsp_this_update=_time(status.this_update),
        ocsp_responder=_certificate(status.responder),
        files={name: digest.hex() for name, digest in verified.digests.items()},
        not_in_container={name: digest.hex() for name, digest in verified.left_out.items()},
        in_asic_order=in_order,
    )


@lru_cache(maxsize=256)  # the same few signers and responders, in thousands of containers
def _certificate(certificate: x509.Certificate) -> CertificateFacts:
    return CertificateFacts(
        certificate.subject.rfc4514_string(),
        certificate.issuer.rfc4514_string(),
        str(certificate.serial_number),
        _time(certificate.not_valid_before_utc),
        _time(certificate.not_valid_after_utc),
    )


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
