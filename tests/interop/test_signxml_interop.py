"""Our signatures verify with signxml, as XML signatures and as XAdES."""

import pytest
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidDigest
from signxml.verifier import SignatureConfiguration, XMLVerifier
from signxml.xades.xades import XAdESVerifier

from tests.support.pki import KeyType
from tests.support.signing import BODY, HEAD, Signed, signed
from xroad import xmlsafe

METHODS = frozenset({SignatureMethod.RSA_SHA512, SignatureMethod.ECDSA_SHA512})


def files(sample: Signed, head: bytes = HEAD) -> dict[str, bytes]:
    return {
        "/message.xml": head,
        "/attachment1": BODY,
        "/sig-hashchainresult.xml": sample.data.hash_chain_result or b"",
    }


def verify(sample: Signed, verifier: XMLVerifier, head: bytes = HEAD) -> int:
    references = 2 if sample.data.hash_chain_result else 3
    results = verifier.verify(
        xmlsafe.parse(sample.xml),
        x509_cert=sample.member.certificate,
        uri_resolver=lambda uri: files(sample, head)[uri],
        expect_config=SignatureConfiguration(
            expect_references=references,
            signature_methods=METHODS,
            digest_algorithms=frozenset({DigestAlgorithm.SHA512}),
            location="./",
        ),
    )
    assert isinstance(results, list)
    return len(results)


@pytest.mark.parametrize("key_type", ["rsa-2048", "ec-p256"])
@pytest.mark.parametrize("chained", [False, True])
def test_our_signature_verifies(key_type: KeyType, *, chained: bool) -> None:
    assert verify(signed(key_type, chained=chained), XMLVerifier()) == (2 if chained else 3)


def test_our_signature_is_xades() -> None:
    assert verify(signed("rsa-2048"), XAdESVerifier()) == 3


def test_our_signature_over_another_message_does_not_verify() -> None:
    with pytest.raises(InvalidDigest):
        verify(signed(), XMLVerifier(), head=b"other")
