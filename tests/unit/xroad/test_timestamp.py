"""Time-stamps: each thing that can be wrong with a token, changed alone in a good one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat import asn1

from tests.support import stamps
from tests.support.pki import AT, DAY, KeyType, Pki, leaf, name
from tests.support.stamps import Issued, Recipe
from xroad import errors, timestamp
from xroad import timestamp_asn1 as shapes
from xroad.algorithms import SHA256, SHA512, DigestAlgorithm
from xroad.globalconf.snapshot import TrustSnapshot

DATA = b"the signature's value"


@pytest.fixture(params=["ec-p256", "rsa-2048"])
def pki(request: pytest.FixtureRequest) -> Pki:
    key_type: KeyType = request.param
    return Pki.create(key_type)


def good(pki: Pki, signer: Issued | None = None) -> Recipe:
    return stamps.recipe(signer or pki.tsa, SHA512.digest(DATA), AT)


def refuse(pki: Pki, token: bytes, sentence: str) -> None:
    with pytest.raises(errors.TimestampValidation, match=sentence):
        timestamp.verify(token, DATA, pki.trust(), AT)


def test_a_good_token(pki: Pki) -> None:
    verified = timestamp.verify(pki.time_stamp(SHA512.digest(DATA)), DATA, pki.trust(), AT)
    assert verified.gen_time == AT
    assert verified.serial == 7
    assert verified.certificate == pki.tsa.certificate


@pytest.mark.parametrize(
    "change",
    [
        lambda made_of: replace(made_of, by_key_identifier=True),
        lambda made_of: replace(made_of, first_version=True),
        lambda made_of: replace(made_of, at=AT.replace(microsecond=250_000)),
    ],
)
def test_other_good_tokens(pki: Pki, change: Callable[[Recipe], Recipe]) -> None:
    made_of = change(good(pki))
    assert timestamp.verify(stamps.cook(made_of), DATA, pki.trust(), AT).gen_time == made_of.at


def test_other_data(pki: Pki) -> None:
    with pytest.raises(errors.MalformedSignature):
        timestamp.verify(stamps.cook(good(pki)), b"other", pki.trust(), AT)


def test_an_authority_that_is_not_approved(pki: Pki) -> None:
    refuse(pki, Pki.create(label="Rogue").time_stamp(SHA512.digest(DATA)), "approves made it")


def test_a_certificate_that_is_not_for_time_stamping(pki: Pki) -> None:
    server = pki.issue_auth()
    with pytest.raises(errors.TimestampValidation, match="not for time-stamping"):
        timestamp.verify(stamps.cook(good(pki, server)), DATA, replace_tsa(pki, server), AT)
    bare = leaf(pki.issuer, name("bare"), pki.key_type, AT, "none")
    with pytest.raises(errors.TimestampValidation, match="not for time-stamping"):
        timestamp.verify(stamps.cook(good(pki, bare)), DATA, replace_tsa(pki, bare), AT)


def replace_tsa(pki: Pki, tsa: Issued) -> TrustSnapshot:
    return replace(pki, tsa=tsa).trust()


def test_an_approved_name_with_another_key(pki: Pki) -> None:
    impostor = replace(pki.tsa, key=Pki.create(pki.key_type, label="Rogue").tsa.key)
    refuse(pki, stamps.cook(good(pki, impostor)), "signature does not hold")


def test_altered_content(pki: Pki) -> None:
    later = AT + timedelta(seconds=1)
    made_of = replace(
        good(pki),
        tamper_content=lambda info: info.replace(AT.strftime("%S").encode() + b"Z", later.strftime("%SZ").encode()),
    )
    refuse(pki, stamps.cook(made_of), "content was altered")


def test_other_content(pki: Pki) -> None:
    refuse(pki, stamps.cook(replace(good(pki), content_type=shapes.ID_SIGNED_DATA)), "does not hold a time-stamp")
    refuse(pki, stamps.cook(replace(good(pki), attribute_type=shapes.ID_SIGNED_DATA)), "another type of content")


def test_it_must_name_its_certificate(pki: Pki) -> None:
    refuse(pki, stamps.cook(replace(good(pki), with_certificate_attribute=False)), "does not name the certificate")
    for first in (False, True):
        other = replace(good(pki), named=pki.root.certificate, first_version=first)
        refuse(pki, stamps.cook(other), "does not name the certificate")


def test_it_must_have_one_signer(pki: Pki) -> None:
    refuse(pki, stamps.cook(replace(good(pki), signers=2)), "one signer")
    refuse(pki, stamps.cook(replace(good(pki), signers=0)), "one signer")


def test_attributes_come_once(pki: Pki) -> None:
    refuse(pki, stamps.cook(replace(good(pki), doubled_attributes=True)), "not exactly one value")


@pytest.mark.parametrize("oid", ["1.2.840.113549.1.1.5", "1.2.840.10045.4.1", "1.2.840.113549.1.1.13", "1.2.3"])
def test_signature_algorithms_that_are_not_allowed(pki: Pki, oid: str) -> None:
    made_of = replace(good(pki), signature_name=x509.ObjectIdentifier(oid))
    refuse(pki, stamps.cook(made_of), "algorithm that is not allowed")


def test_digests_that_are_not_allowed(pki: Pki) -> None:
    made_of = replace(good(pki), digest_name=x509.ObjectIdentifier("1.3.14.3.2.26"))
    refuse(pki, stamps.cook(made_of), "digest that is not allowed")


def test_from_the_future(pki: Pki) -> None:
    made_of = replace(good(pki), at=AT + timedelta(hours=1))
    refuse(pki, stamps.cook(made_of), "from the future")
    timestamp.verify(stamps.cook(made_of), DATA, pki.trust(), AT + timedelta(hours=1))


def test_outside_the_certificates_validity(pki: Pki) -> None:
    refuse(pki, stamps.cook(replace(good(pki), at=AT - 100 * DAY)), "was not valid at that time")


def test_a_token_of_absurd_length(pki: Pki) -> None:
    refuse(pki, bytes(70_000), "longer than")


@pytest.mark.parametrize("token", [b"", b"junk", b"\x30\x80", b"\x30" * 70_000, b"\x30\x03\x02\x01\x01"])
def test_what_is_no_token(token: bytes) -> None:
    with pytest.raises(errors.TimestampValidation):
        timestamp.parse(token)


def test_another_kind_of_cms_is_no_token(pki: Pki) -> None:
    other = shapes.ContentInfo(content_type=x509.ObjectIdentifier("1.2.3"), content=shapes.tlv(b"\x05\x00"))
    with pytest.raises(errors.TimestampValidation, match="not signed data"):
        timestamp.parse(asn1.encode_der(other))


@pytest.mark.parametrize("algorithm", [SHA256, SHA512])
def test_a_request_reads_back(algorithm: DigestAlgorithm) -> None:
    der = timestamp.request(algorithm.digest(DATA), algorithm, nonce=2**70)
    request = asn1.decode_der(shapes.TimeStampReq, der)
    assert request.nonce == 2**70
    assert request.cert_req is True
    assert request.message_imprint.hashed_message == algorithm.digest(DATA)
    assert request.message_imprint.hash_algorithm.algorithm == timestamp.digest_oid(algorithm)


@pytest.mark.parametrize("status", [0, 1])
def test_a_granted_response_gives_its_token(pki: Pki, status: int) -> None:
    response = stamps.response(replace(good(pki), nonce=5), status=status)
    assert timestamp.verify(timestamp.token_of(response, nonce=5), DATA, pki.trust(), AT).gen_time == AT


def test_a_refusal_says_why(pki: Pki) -> None:
    with pytest.raises(errors.TimestampingFailed, match="status 2: out of order"):
        timestamp.token_of(stamps.response(good(pki), status=2, text="out of order"))


def test_an_answer_to_another_request(pki: Pki) -> None:
    with pytest.raises(errors.TimestampingFailed, match="another request"):
        timestamp.token_of(stamps.response(replace(good(pki), nonce=5)), nonce=6)


def test_an_answer_that_cannot_be_read() -> None:
    with pytest.raises(errors.TimestampingFailed, match="not readable"):
        timestamp.token_of(b"<html>")


@pytest.mark.parametrize(("status", "has_token"), [(2, True), (0, False)])
def test_a_refusal_with_a_token_and_a_grant_without_are_none(pki: Pki, status: int, has_token: bool) -> None:  # noqa: FBT001
    token = asn1.decode_der(shapes.TimeStampResp, stamps.response(good(pki))).time_stamp_token
    info = shapes.PkiStatusInfo(status=status, status_string=None, fail_info=None)
    answer = asn1.encode_der(shapes.TimeStampResp(status=info, time_stamp_token=token if has_token else None))
    with pytest.raises(errors.TimestampingFailed, match=f"status {status}"):
        timestamp.token_of(answer)


def test_whoever_sent_no_nonce_asks_for_none(pki: Pki) -> None:
    assert timestamp.token_of(stamps.response(replace(good(pki), nonce=5)))
