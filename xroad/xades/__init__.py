"""Signatures over messages: XAdES as X-Road writes it, built without an XML tree and verified without trust in one.

It refuses to know keys, transports and logs: digests of message parts in, XML out, and back to a verified signer.
The consumer and the provider sign what they send (`prepare`, `complete`) and verify what they receive (`verify`).
"""

from xroad.xades.build import SignatureData, SignedPart, Unsigned, prepare, prepare_batch, prepare_chained
from xroad.xades.names import MESSAGE, attachment_name
from xroad.xades.verification import VerifiedSignature, verify

__all__ = [
    "MESSAGE",
    "SignatureData",
    "SignedPart",
    "Unsigned",
    "VerifiedSignature",
    "attachment_name",
    "prepare",
    "prepare_batch",
    "prepare_chained",
    "verify",
]
