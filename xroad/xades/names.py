"""The names that a signature is made of: namespaces, identifiers, file names, the signature policy.

It refuses to know how a signature is built or read: both sides take their names from here, so that they cannot differ.
Sources: ETSI TS 101 903 1.4.1 (XAdES), ETSI TS 102 918 (ASiC), PR-SIGDOC.
"""

import re
from typing import Final

from xroad.hashchain import ATTACHMENT, MESSAGE, SIG_HASH_CHAIN, SIG_HASH_CHAIN_RESULT

__all__ = [
    "ASIC_NAMESPACES",
    "ATTACHMENT",
    "DS",
    "MESSAGE",
    "SIGNED_PROPERTIES_TYPE",
    "SIG_HASH_CHAIN",
    "SIG_HASH_CHAIN_RESULT",
    "XADES",
    "attachment_name",
    "is_attachment_name",
    "is_part_name",
]

DS: Final = "http://www.w3.org/2000/09/xmldsig#"
XADES: Final = "http://uri.etsi.org/01903/v1.3.2#"
ASIC: Final = "http://uri.etsi.org/02918/v1.2.1#"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
ASIC_NAMESPACES: Final = frozenset({ASIC, "http://uri.etsi.org/02918/v1.1.1#"})  # the older one until X-Road 6.x
SIGNED_PROPERTIES_TYPE: Final = "http://uri.etsi.org/01903#SignedProperties"

# In this order everywhere: Canonical XML sorts namespace declarations by prefix.
NAMESPACES: Final = f'xmlns:asic="{ASIC}" xmlns:ds="{DS}" xmlns:xades="{XADES}" xmlns:xsi="{XSI}"'

# The policy under which X-Road signs: verifiers learn from it what a hash chain in a signature's place means.
POLICY: Final = "urn:oid:1.3.6.1.4.1.3516.16.2"
POLICY_DESCRIPTION: Final = "Profile for High Performance Digital Signatures (version 1.2)"
POLICY_SHA512: Final = "BuO0EDNfkxSVlUbxCzmQPzX1AUF1/xx9ytWHk3/6SAOePxQiniEfDYk+90QeYb3lWpV3Izhuz9fKaYyE+lTcXw=="
POLICY_ADDRESS: Final = "https://repo.cyber.ee/dsig-profile-1.2.pdf"

_PART = re.compile(r"/message\.xml|/attachment[1-9][0-9]{0,5}")


def attachment_name(number: int) -> str:
    """Return the file name of the n-th attachment, counted from 1; a REST body is the first."""
    return f"{ATTACHMENT}{number}"


def is_attachment_name(name: str) -> bool:
    """Tell whether a name is an attachment's."""
    return name != MESSAGE and is_part_name(name)


def is_part_name(name: str) -> bool:
    """Tell whether a name is one that a message's part can have: nothing else may be signed or referred to."""
    return _PART.fullmatch(name) is not None
