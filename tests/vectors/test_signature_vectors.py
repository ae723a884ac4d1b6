"""Signatures that X-Road's own software wrote, good and bad: each gets the verdict that its name tells."""

from pathlib import Path

import pytest
from cryptography import x509

from tests.support.shared import need_shared
from xroad import errors, xmlsafe
from xroad.algorithms import SHA512
from xroad.hashchain import DigestValue
from xroad.hashchain import verify as verify_chain
from xroad.xades import form
from xroad.xades.names import SIG_HASH_CHAIN, SIG_HASH_CHAIN_RESULT


@pytest.fixture
def folder() -> Path:
    return need_shared("vectors/xroad/signatures")


def read(path: Path) -> tuple[form.Located, form.SignedInfo, bytes]:
    located = form.locate(path.read_bytes())
    octets = xmlsafe.canonicalize(located.signed_info, located.canonicalization)
    return located, form.read_signed_info(octets), octets


def check_value(path: Path) -> None:
    """Check the value alone: these certificates are of 2014 and signed with SHA-1, which is refused as a path."""
    located, signed_info, octets = read(path)
    key = x509.load_der_x509_certificate(located.certificate).public_key()
    signed_info.algorithm.verify(key, located.signature_value, octets)


def test_a_batch_signature_holds(folder: Path) -> None:
    check_value(folder / "batch-sig.xml")
    located, signed_info, _ = read(folder / "batch-sig.xml")
    result = (folder / "hash-chain-result.xml").read_bytes()
    assert set(signed_info.parts) == {SIG_HASH_CHAIN_RESULT}
    assert signed_info.parts[SIG_HASH_CHAIN_RESULT].digest == SHA512.digest(result)
    octets = xmlsafe.canonicalize(located.signed_properties, xmlsafe.C14N)
    assert signed_info.properties.digest == SHA512.digest(octets)
    named = form.read_signed_properties(octets)
    assert named.certificate_digest == SHA512.digest(located.certificate)


def test_its_hash_chain_covers_message_and_attachment(folder: Path) -> None:
    message = (folder / "message-1.xml").read_bytes()
    inputs = {
        "/message.xml": DigestValue(SHA512, SHA512.digest(message)),
        "/attachment1": DigestValue(SHA512, SHA512.digest(b"blaah")),
    }
    result = (folder / "hash-chain-result.xml").read_bytes()
    verify_chain(result, inputs, {SIG_HASH_CHAIN: (folder / "hash-chain-1.xml").read_bytes()}.get)
    with pytest.raises(errors.InvalidHashChain):
        verify_chain(result, inputs, {SIG_HASH_CHAIN: (folder / "hash-chain-2.xml").read_bytes()}.get)


def test_invalid_signature_value(folder: Path) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the foreign exception is the point
        check_value(folder / "sign-0-invalid-signature-value.xml")
    assert type(caught.value).__name__ == "InvalidSignature"


def test_malformed_xml(folder: Path) -> None:
    with pytest.raises(errors.InvalidXml):
        form.locate((folder / "sign-0-malformed-xml.xml").read_bytes())


def test_no_signing_certificate(folder: Path) -> None:
    with pytest.raises(errors.MalformedSignature):
        form.locate((folder / "sign-0-no-signing-cert.xml").read_bytes())
