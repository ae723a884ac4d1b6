"""A signature's hash chain held against the files of its container, before the chain is calculated.

It refuses to know signatures: `xades.verify` walks the chain and has the last word.
In transport a part's digest goes into the calculation in the chain's place; in a container both are there, and which
file was altered can be said, in the words of the reference.
"""

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Final

from lxml import etree

from xroad import errors, hashchain, xmlsafe
from xroad.algorithms import SHA512, DigestAlgorithm, digest_by_uri
from xroad.asic import names
from xroad.asic.container import Container
from xroad.certificates import nested
from xroad.hashchain import DigestValue

_HC: Final = "{http://cyber.ee/hashchain}"
_DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"


def digests(container: Container, algorithm: DigestAlgorithm = SHA512) -> dict[str, bytes]:
    """Return the digests of the message and of all attachments by name."""
    attachments = {name: _digest(container, name, algorithm) for name in container.attachments}
    return {names.MESSAGE: algorithm.digest(container.message), **attachments}


def _digest(container: Container, name: str, algorithm: DigestAlgorithm) -> bytes:
    if algorithm == SHA512:
        return container.attachments[name].digest
    digest = algorithm.new()
    for chunk in container.attachment_chunks(name):
        digest.update(chunk)
    return digest.digest()


def chained_names(hash_chain: bytes) -> Mapping[str, bytes]:
    """Return the names of the files that a chain refers to, with the digests that it has of them (unverified).

    Raises:
        MalformedSignature: the chain is not readable.
    """
    try:
        return {name: _decoded(value) for name, (_, value) in _references(hash_chain).items()}
    except errors.XRoadError as error:
        raise nested(errors.MalformedSignature, error) from error


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise errors.MalformedHashChain("A digest of the hash chain is not base64.") from error


def check_chain_against_files(container: Container) -> None:
    """Hold that the chain names each file that must be signed, with its digest.

    Raises:
        MalformedSignature: `.InvalidHashChainRef`, a file is not the one in the chain;
            `.InvalidHashChain`, the chain does not lead to its result; `.HashChainUnusedInputs`, it does not cover a
            file; `.MalformedHashChain`, not readable.
    """
    try:
        _check(container, _references(container.signature.hash_chain or b""))
    except errors.XRoadError as error:
        raise nested(errors.MalformedSignature, error) from error


def _check(container: Container, references: Mapping[str, tuple[DigestAlgorithm | None, str]]) -> None:
    for name, (algorithm, told) in references.items():
        own = _own_digest(container, name, algorithm or SHA512)
        if own is not None and not hmac.compare_digest(b64encode(own).decode(), told):
            raise errors.InvalidHashChainRef(f"The digest of {name} is not the one in the hash chain: it was altered.")
    inputs = {f"/{name}": DigestValue(SHA512, digest) for name, digest in digests(container).items()}
    # As the reference walks it: what is not here stands by its digest, so that a chain over something else is told as
    # one. Whether something may be elsewhere is for `xades.verify` to say.
    hashchain.verify(
        container.signature.hash_chain_result or b"",
        inputs | {f"/{names.MESSAGE}": None},
        container.files.get,
        lambda _name: True,
    )


def _own_digest(container: Container, name: str, algorithm: DigestAlgorithm) -> bytes | None:
    if name in container.attachments:
        return _digest(container, name, algorithm)
    content = container.files.get(f"/{name}")
    return None if content is None else algorithm.digest(content)


def _references(hash_chain: bytes) -> Mapping[str, tuple[DigestAlgorithm | None, str]]:
    try:
        root = xmlsafe.parse(hash_chain, max_bytes=hashchain.MAX_BYTES)
    except errors.InvalidXml as error:
        raise errors.MalformedHashChain(f"The hash chain is not readable: {error.detail}") from error
    default = xmlsafe.optional_child(root, f"{_HC}DefaultDigestMethod")
    return {
        str(each.get("URI", "")).removeprefix("/"): (_method(each, default), _value(each))
        for each in root.iter(f"{_HC}DataRef")
    }


def _method(element: etree._Element, default: etree._Element | None) -> DigestAlgorithm | None:
    method = xmlsafe.optional_child(element, f"{_DS}DigestMethod")
    chosen = default if method is None else method
    return None if chosen is None else digest_by_uri(chosen.get("Algorithm", ""))


def _value(element: etree._Element) -> str:
    return "".join(xmlsafe.text(xmlsafe.child(element, f"{_DS}DigestValue")).split())
