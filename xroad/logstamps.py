"""What a time-stamp of logged signatures is over: one signature's value, or a hash chain over many signature documents.

It refuses to know logs, authorities and when to stamp: signatures in, the bytes to stamp and the hash chains out.
The time-stamping of the message log asks here before it calls an authority, and judges of containers afterwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from xroad import hashchain
from xroad.algorithms import SHA512
from xroad.xades import form

TS_HASH_CHAIN: Final = "/ts-hashchain.xml"
SIGNATURES: Final = "/META-INF/signatures.xml"


@dataclass(frozen=True, slots=True)
class Stampable:
    """Bytes to stamp, and what leads from each signature to them.

    Attributes:
        data: what the token's imprint is the digest of.
        hash_chain_result: the same bytes as a document beside the token; None for a plain time-stamp.
        hash_chains: one for each signature, in their order; a plain time-stamp has none.
    """

    data: bytes
    hash_chain_result: bytes | None
    hash_chains: tuple[bytes | None, ...]


def alone(signature: bytes) -> Stampable:
    """Stamp one signature document: over the octets of its SignatureValue, as XAdES-T and X-Road have it.

    Raises:
        InvalidXml, MalformedSignature: it is no signature of X-Road's form.
    """
    return Stampable(form.locate(signature).signature_value, None, (None,))


def together(digests: Sequence[bytes]) -> Stampable:
    """Stamp several signature documents at once, given their SHA-512 digests: over X-Road's hash chain result.

    Raises:
        ValueError: fewer than two; the bytes of one would say nothing about which it is.
    """
    chains = hashchain.build([[each] for each in digests], SHA512, chain_name=TS_HASH_CHAIN, data_name=SIGNATURES)
    return Stampable(chains.result, chains.result, chains.chains)
