"""The node's own keys as exchanges need them: what it authenticates with, and what each of its members signs with.

It refuses to know messages and peers, and asks the token and the OCSP upkeep only. Both pipelines, the TLS listeners
and the OCSP relay get their keys, certificates and responses here.
"""

import ssl
from collections.abc import Callable, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What the token's keys come to: one to authenticate with, and each member's, the newest first."""

    keys: tuple[KeyInfo, ...]
    authentication: AuthenticationIdentity | None
    signing: Mapping[ClientId, tuple[SigningKey, ...]]


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
        self._last_chosen = _choose(token.keys)

    def authentication(self) -> AuthenticationIdentity | None:
        """Give the authentication key in use; None when there is none yet."""
        return self._chosen.authentication

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
        key = self._signing_key(member.member, at)
        message = ToSign(tuple(parts), self._signing_ocsp(key.certificate), at, direct)
        return await self._signer.sign(key, message)

    async def sign_data(self, owner: ClientId, data: bytes, at: datetime) -> tuple[bytes, bytes]:
        """Sign what is no message, as the server's owner, or as another of its members where the owner has no key.

        Returns:
            the signature (RSA: PKCS #1 v1.5; ECDSA: DER), and the certificate (DER).

        Raises:
            CannotCreateSignature: no member has a usable signing certificate here.
            CannotSign: the token failed.
        """
        members = self._chosen.signing
        key = self._signing_key(owner if owner in members or not members else min(members), at)
        try:
            signature = await self._alone.sign(key.id, data, key.algorithm)
        except PkiError as error:
            raise CannotSign(f"The token did not sign: {error}") from error
        return signature, key.certificate.public_bytes(Encoding.DER)

    @property
    def _chosen(self) -> _Chosen:
        keys = self._token.keys
        if self._last_chosen.keys is not keys:
            self._last_chosen = _choose(keys)
        return self._last_chosen

    def _signing_key(self, member: ClientId, at: datetime) -> SigningKey:
        expired = None
        for key in self._chosen.signing.get(member, ()):
            if key.certificate.not_valid_before_utc <= at <= key.certificate.not_valid_after_utc:
                return key
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


def _choose(keys: tuple[KeyInfo, ...]) -> _Chosen:
    authentication = (AuthenticationIdentity(key.id, item) for key, item in _usable(keys, Usage.AUTHENTICATION))
    signing: dict[ClientId, tuple[SigningKey, ...]] = {}
    for key, certificate in _usable(keys, Usage.SIGNING):
        if key.member is not None:
            usable = SigningKey(key.id, certificate, key.chain, default_algorithm(certificate.public_key()))
            signing[key.member] = (*signing.get(key.member, ()), usable)
    return _Chosen(keys, next(authentication, None), signing)


def _usable(keys: tuple[KeyInfo, ...], usage: Usage) -> list[tuple[KeyInfo, x509.Certificate]]:
    """Give the active keys of a usage that have a certificate, the newest certificate first."""
    found = [
        (key, key.certificate) for key in keys if key.usage is usage and key.active and key.certificate is not None
    ]
    return sorted(found, key=lambda each: each[1].not_valid_before_utc, reverse=True)
