"""How one own certificate stands with its OCSP responder.

It refuses to fetch and to judge. ``upkeep`` keeps one ``Standing`` per certificate of the own chains and moves it on
with each answer and each failure.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from xroad import certificates
from xroad.errors import XRoadError
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.ocsp import OcspVerdict

FIRST_RETRY: Final = timedelta(seconds=10)
SLOWEST_RETRY: Final = timedelta(seconds=60)
"""X-Road's own retry delay: an outage's end is seen within a minute."""
LONGEST_CHAIN: Final = 8
"""Certificates below a trusted root; real chains have one or two, and a loop among approved authorities must end."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Target:
    """A certificate, who issued it, and whom to ask for its status, in the order of asking."""

    certificate: x509.Certificate
    issuer: x509.Certificate | None
    urls: tuple[str, ...]

    @property
    def subject(self) -> str:
        """The certificate's subject, for people."""
        return self.certificate.subject.rfc4514_string({NameOID.SERIAL_NUMBER: "serialNumber"})

    @property
    def reason_without_urls(self) -> str:
        """Why nobody can be asked."""
        if self.issuer is None:
            return "the certificate was issued by no authority that the global configuration approves"
        return "neither the global configuration nor the certificate names an OCSP responder"


@dataclass(frozen=True, slots=True)
class OcspHealth:
    """What an administrator sees; ``age`` and ``usable_for`` are None when there is no response."""

    subject: str
    certificate_hash: str
    age: timedelta | None
    usable_for: timedelta | None
    last_error: str | None
    failing_since: datetime | None


@dataclass(slots=True)
class Standing:
    """The state of one target; only ``upkeep`` changes it."""

    target: Target
    response: bytes | None = field(default=None, repr=False)
    this_update: datetime = _NEVER
    good_until: datetime = _NEVER
    due: datetime = _NEVER
    last_error: str | None = None
    failing_since: datetime | None = None
    _retry: timedelta = FIRST_RETRY

    def keep(self, response: bytes, verdict: OcspVerdict, fetched_at: datetime, interval: timedelta) -> None:
        """Take a response that was judged good."""
        self.response = response
        self.this_update, self.good_until = verdict.this_update, verdict.good_until
        # Half its life: there is as much time left to survive an outage as has passed since it was fetched.
        self.due = fetched_at + min(interval, max((verdict.good_until - fetched_at) / 2, FIRST_RETRY))

    def recover(self) -> None:
        """Forget the failures: a responder answered."""
        self.last_error, self.failing_since, self._retry = None, None, FIRST_RETRY

    def fail(self, reason: str, at: datetime, interval: timedelta) -> None:
        """Note a failure, and when to try again."""
        self.last_error = reason
        self.failing_since = self.failing_since or at
        self.due = at + min(self._retry, interval)
        self._retry = min(self._retry * 2, SLOWEST_RETRY)

    def forget(self) -> None:
        """Drop the response: it is not to be used any more."""
        self.response, self.this_update, self.good_until, self.due = None, _NEVER, _NEVER, _NEVER

    def usable_for(self, at: datetime) -> timedelta | None:
        """Tell how long the response may still be used; None when there is none, or no more."""
        return self.good_until - at if self.response is not None and self.good_until > at else None

    def health(self, at: datetime) -> OcspHealth:
        """Tell how the certificate stands."""
        return OcspHealth(
            subject=self.target.subject,
            certificate_hash=self.target.certificate.fingerprint(hashes.SHA256()).hex(),
            age=at - self.this_update if self.response is not None else None,
            usable_for=self.usable_for(at),
            last_error=self.last_error,
            failing_since=self.failing_since,
        )


def chain_targets(certificate: x509.Certificate, trust: TrustSnapshot) -> tuple[Target, ...]:
    """Give the certificate and the intermediates above it, without the trusted root, as X-Road asks for them."""
    roots = trust.top_ca_certificates(trust.instance)
    targets: list[Target] = []
    while certificate not in roots and len(targets) < LONGEST_CHAIN:
        issuer = _issuer(certificate, trust)
        targets.append(Target(certificate, issuer, _urls(certificate, issuer, trust)))
        if issuer is None:
            break
        certificate = issuer
    return tuple(targets)


def _issuer(certificate: x509.Certificate, trust: TrustSnapshot) -> x509.Certificate | None:
    try:
        return certificates.issuer_of(certificate, trust, trust.instance)
    except XRoadError:
        return None  # told to the administrator as the reason why nobody can be asked


def _urls(certificate: x509.Certificate, issuer: x509.Certificate | None, trust: TrustSnapshot) -> tuple[str, ...]:
    if issuer is None:
        return ()
    registered = [responder.url for responder in trust.ocsp_responders(issuer)]
    # The order is the instance's: its responders first, then what the certificate says of itself.
    return tuple(dict.fromkeys([*registered, *_own_urls(certificate)]))


def _own_urls(certificate: x509.Certificate) -> list[str]:
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [
        description.access_location.value
        for description in access
        if description.access_method == AuthorityInformationAccessOID.OCSP
        and isinstance(description.access_location, x509.UniformResourceIdentifier)
    ]
