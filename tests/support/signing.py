"""A signed message for tests: an authority, a member, a body, and the signature over it, ready to be spoiled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from tests.support.pki import AT, Issued, KeyType, Pki
from xroad import xades
from xroad.algorithms import SHA512, SignatureAlgorithm, default_algorithm
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.identifiers import ClientId
from xroad.xades import SignatureData, SignedPart, VerifiedSignature

MEMBER = ClientId("KH-SANDBOX", "GOV", "MOP")
HEAD = b"POST /r1/KH-SANDBOX/GOV/MOP/IDPOOR/household\r\nX-Road-Client: KH-SANDBOX/GOV/NSAF\r\n"
BODY = '{"name": "សុខ"}'.encode()


def parts_of(head: bytes = HEAD, body: bytes | None = BODY) -> list[SignedPart]:
    """Return the parts of a message as they are signed."""
    parts = [SignedPart(xades.MESSAGE, SHA512.digest(head))]
    if body is not None:
        parts.append(SignedPart(xades.attachment_name(1), SHA512.digest(body), "application/octet-stream"))
    return parts


def digests(parts: Sequence[SignedPart]) -> Mapping[str, bytes]:
    """Return the parts of a message as they are verified."""
    return {part.name: part.digest for part in parts}


@dataclass(frozen=True, slots=True)
class Signed:
    """A good signature and all that made it."""

    pki: Pki
    trust: TrustSnapshot
    member: Issued
    parts: list[SignedPart]
    data: SignatureData

    @property
    def xml(self) -> bytes:
        """The signature document."""
        return self.data.xml

    def verify(self, xml: bytes | None = None, parts: Sequence[SignedPart] | None = None) -> VerifiedSignature:
        """Verify, by default what was signed."""
        return xades.verify(
            self.xml if xml is None else xml,
            digests(self.parts if parts is None else parts),
            self.trust,
            AT,
            MEMBER,
            hash_chain_result=self.data.hash_chain_result,
            hash_chain=self.data.hash_chain,
        )

    def spoiled(self, old: str, new: str, count: int = 1) -> bytes:
        """Return the document with a piece replaced; the piece must be there."""
        text = self.xml.decode()
        assert old in text, old
        return text.replace(old, new, count).encode()


def sign(
    pki: Pki,
    member: Issued,
    parts: list[SignedPart],
    *,
    chained: bool = False,
    algorithm: SignatureAlgorithm | None = None,
    ocsp: Sequence[bytes] | None = None,
) -> SignatureData:
    """Sign parts with a member's key."""
    algorithm = algorithm or default_algorithm(member.certificate.public_key())
    prepare = xades.prepare_chained if chained else xades.prepare
    responses = pki.chain_ocsp(member.certificate) if ocsp is None else ocsp
    extra = [pki.intermediate.certificate] if pki.intermediate else []
    unsigned = prepare(parts, member.certificate, responses, extra, algorithm, AT)
    return unsigned.complete(algorithm.sign(member.key, unsigned.data_to_sign))


@cache
def signed(
    key_type: KeyType = "ec-p256", *, chained: bool = False, body: bytes | None = BODY, intermediate: bool = False
) -> Signed:
    """Return a good signature, made once per process."""
    pki = Pki.create(key_type, intermediate=intermediate)
    member = pki.issue_signing()
    parts = parts_of(body=body)
    return Signed(pki, pki.trust(), member, parts, sign(pki, member, parts, chained=chained))
