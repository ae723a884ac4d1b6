"""The node's own keys as exchanges need them: what it authenticates with, and what each of its members signs with.

It refuses to know messages and peers, and asks the token and the OCSP upkeep only. Both pipelines, the TLS listeners
and the OCSP relay get their keys, certificates and responses here.
"""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from pki.errors import OcspUnavailable, PkiError
from pki.standing import chain_targets
from pki.token import KeyId, KeyInfo, Signer, SoftwareToken, Usage
from pki.upkeep import OcspUpkeep
from securityserver.batchsigner import BatchSigner, SigningKey, ToSign
from xroad import xades
from xroad.algorithms import default_algorithm
from xroad.certificates import relay_hash
from xroad.errors import Blame, CannotCreateSignature, CannotSign, SslAuthenticationFailed
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.identifiers import ClientId
from xroad.ocsp import describe


@dataclass(frozen=True, slots=True)
class AuthenticationIdentity:
    """The key and certificate that the node shows to other servers."""

    key_id: KeyId
    certificate: x509.Certificate


def certificates_in_use(token: SoftwareToken) -> tuple[x509.Certificate, ...]:
    """Give the certificates of all active keys: those that OCSP responses are kept for."""
    return tuple(key.certificate for key in token.keys if key.active and key.certificate is not None)


class Credentials:
    """Chooses among the token's keys; raises errors that say what the administrator must do.

    Args:
        token: the node's keys and certificates.
        upkeep: their OCSP responses.
        trust: gives the trust snapshot in force, or None before the first.
        signer: what makes the messages' signatures; the token itself when None.
    """

    def __init__(
        self,
        token: SoftwareToken,
        upkeep: OcspUpkeep,
        trust: Callable[[], TrustSnapshot | None],
        signer: Signer | None = None,
    ) -> None:
        self._token, self._upkeep, self._trust = token, upkeep, trust
        self._signer = BatchSigner(signer or token)
        self._alone: Signer = signer or token

    def authentication(self) -> AuthenticationIdentity | None:
        """Give the authentication key in use; None when there is none yet."""
        for key in self._usable(Usage.AUTHENTICATION):
            if key.certificate is not None:
                return AuthenticationIdentity(key.id, key.certificate)
        return None

    def require_authentication(self) -> AuthenticationIdentity:
        """Give the authentication key in use.

        Raises:
            SslAuthenticationFailed: there is none.
        """
        identity = self.authentication()
        if identity is None:
            raise SslAuthenticationFailed(
                "This security server has no authentication certificate: request one and import it.",
                blame=Blame.OWN_SERVER,
            )
        return identity

    def load_authentication(self, context: ssl.SSLContext | SSL.Context) -> None:
        """Load the authentication key and certificate into a TLS context."""
        self._token.load_into(context, self.require_authentication().key_id)

    def authentication_ocsp(self) -> tuple[bytes, ...]:
        """Give the OCSP responses of the authentication certificate and its intermediates.

        Raises:
            SslAuthenticationFailed: there is none that can be used.
        """
        identity = self.require_authentication()
        try:
            return self._upkeep.responses_for(identity.certificate)
        except OcspUnavailable as error:
            raise SslAuthenticationFailed(
                f"This security server has no usable OCSP response for its authentication certificate: {error}",
                blame=Blame.OWN_SERVER,
            ) from error

    def ocsp_by_relay_name(self) -> dict[str, bytes]:
        """Give the authentication chain's usable OCSP responses, by the name that the relay has for a certificate."""
        identity, trust = self.authentication(), self._trust()
        if identity is None or trust is None:
            return {}
        try:
            responses = self._upkeep.responses_for(identity.certificate)
        except OcspUnavailable:
            return {}
        chain = [target.certificate for target in chain_targets(identity.certificate, trust)]
        return {relay_hash(item): response for item, response in zip(chain, responses, strict=True)}

    def has_responses(self) -> bool:
        """Tell whether all certificates in use have OCSP responses that can be used now."""
        try:
            return all(self._upkeep.response(certificate) for certificate in certificates_in_use(self._token))
        except OcspUnavailable:
            return False

    async def sign(
        self, member: ClientId, parts: Sequence[xades.SignedPart], at: datetime, *, direct: bool
    ) -> xades.SignatureData:
        """Sign a message's parts as a member, together with other messages when the token is slow.

        Args:
            member: the member, or a subsystem of it.
            parts: name and digest of each part.
            at: the signing time.
            direct: one reference per part; False gives the hash chain form, which servers of all versions verify, and
                so does a batch.

        Raises:
            CannotCreateSignature: the member has no usable signing certificate here, or no OCSP response for it.
            CannotSign: the token failed.
        """
        info, certificate = self._signing_key(member.member, at)
        key = SigningKey(info.id, certificate, info.chain, default_algorithm(certificate.public_key()))
        message = ToSign(tuple(parts), self._signing_ocsp(certificate), at, direct)
        return await self._signer.sign(key, message)

    async def sign_data(self, owner: ClientId, data: bytes, at: datetime) -> tuple[bytes, bytes]:
        """Sign what is no message, as the server's owner, or as another of its members where the owner has no key.

        Returns:
            the signature (RSA: PKCS #1 v1.5; ECDSA: DER), and the certificate (DER).

        Raises:
            CannotCreateSignature: no member has a usable signing certificate here.
            CannotSign: the token failed.
        """
        members = {key.member for key in self._usable(Usage.SIGNING) if key.member is not None}
        member = owner if owner in members or not members else min(members)
        info, certificate = self._signing_key(member, at)
        algorithm = default_algorithm(certificate.public_key())
        try:
            signature = await self._alone.sign(info.id, data, algorithm)
        except PkiError as error:
            raise CannotSign(f"The token did not sign: {error}") from error
        return signature, certificate.public_bytes(Encoding.DER)

    def _signing_key(self, member: ClientId, at: datetime) -> tuple[KeyInfo, x509.Certificate]:
        expired = None
        for key in self._usable(Usage.SIGNING):
            if key.member != member or key.certificate is None:
                continue
            if key.certificate.not_valid_before_utc <= at <= key.certificate.not_valid_after_utc:
                return key, key.certificate
            expired = key.certificate
        if expired is not None:
            raise CannotCreateSignature(
                f"The signing certificate {describe(expired)} of {member} is valid from "
                f"{expired.not_valid_before_utc:%Y-%m-%d} to {expired.not_valid_after_utc:%Y-%m-%d} only: renew it.",
                code_suffix="CertValidityTime",
            )
        raise CannotCreateSignature(
            f"Member {member} has no signing certificate in this security server: request one and import it."
        )

    def _signing_ocsp(self, certificate: x509.Certificate) -> tuple[bytes, ...]:
        try:
            return self._upkeep.responses_for(certificate)
        except OcspUnavailable as error:
            raise CannotCreateSignature(
                f"There is no usable OCSP response for the signing certificate {describe(certificate)}: {error}"
            ) from error

    def _usable(self, usage: Usage) -> list[KeyInfo]:
        """Give the active keys of a usage, the newest certificate first."""
        keys = [key for key in self._token.keys if key.usage is usage and key.active and key.certificate is not None]
        return sorted(keys, key=_issued, reverse=True)


def _issued(key: KeyInfo) -> float:
    return key.certificate.not_valid_before_utc.timestamp() if key.certificate is not None else 0.0
