"""OCSP: good and recent, by somebody who may say so; each refusal says why."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as foreign

from tests.support.pki import AT, DAY, Issued, KeyType, Pki, leaf, name
from xroad import errors, ocsp
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.verdicts import VerdictCache

HOUR = timedelta(hours=1)


@pytest.fixture(params=["ec-p256", "rsa-2048"])
def pki(request: pytest.FixtureRequest) -> Pki:
    key_type: KeyType = request.param
    return Pki.create(key_type)


@pytest.fixture
def member(pki: Pki) -> Issued:
    return pki.issue_signing()


@pytest.fixture
def trust(pki: Pki) -> TrustSnapshot:
    return pki.trust()


def judge(pki: Pki, member: Issued, response: bytes, trust: TrustSnapshot | None = None) -> ocsp.OcspVerdict:
    return ocsp.verify(response, member.certificate, pki.issuer.certificate, trust or pki.trust(), AT)


def refuse(pki: Pki, member: Issued, response: bytes, sentence: str) -> None:
    with pytest.raises(errors.IncorrectValidationInfo, match=sentence):
        judge(pki, member, response)


@pytest.mark.parametrize("by_name", [False, True])
def test_good_by_a_delegated_responder(pki: Pki, member: Issued, *, by_name: bool) -> None:
    verdict = judge(pki, member, pki.ocsp(member.certificate, by_name=by_name))
    assert verdict.serial == member.certificate.serial_number
    assert verdict.responder == pki.ocsp_responder.certificate
    assert verdict.good_until == verdict.this_update + HOUR
    assert verdict.next_update is None


def test_good_by_the_authority_itself(pki: Pki, member: Issued) -> None:
    assert judge(pki, member, pki.ocsp(member.certificate, responder=pki.root)).responder == pki.root.certificate


def test_good_by_a_registered_responder_that_is_not_in_the_response(pki: Pki, member: Issued) -> None:
    elsewhere = Pki.create(label="Elsewhere").ocsp_responder
    response = pki.ocsp(member.certificate, responder=elsewhere, embed=())
    verdict = judge(pki, member, response, pki.trust(responder=elsewhere.certificate))
    assert verdict.responder == elsewhere.certificate


def test_a_responder_of_another_authority_may_not_answer(pki: Pki, member: Issued) -> None:
    elsewhere = Pki.create(label="Elsewhere").ocsp_responder
    refuse(pki, member, pki.ocsp(member.certificate, responder=elsewhere), "may not answer")


def test_a_member_may_not_clear_itself(pki: Pki, member: Issued) -> None:
    refuse(pki, member, pki.ocsp(member.certificate, responder=member), "may not answer")


def test_an_expired_responder_may_not_answer(pki: Pki, member: Issued) -> None:
    old = leaf(pki.issuer, name("Old OCSP"), pki.key_type, AT, "ocsp", not_after=AT - DAY)
    refuse(pki, member, pki.ocsp(member.certificate, responder=old), "not valid at")


def test_a_verdict_ends_with_its_responder(pki: Pki, member: Issued) -> None:
    short = leaf(pki.issuer, name("Short OCSP"), pki.key_type, AT, "ocsp", not_after=AT + timedelta(minutes=1))
    assert judge(pki, member, pki.ocsp(member.certificate, responder=short)).good_until == AT + timedelta(minutes=1)


def test_an_unknown_responder_is_named(pki: Pki, member: Issued) -> None:
    elsewhere = Pki.create(label="Elsewhere").ocsp_responder
    refuse(pki, member, pki.ocsp(member.certificate, responder=elsewhere, embed=()), "neither in it nor")


def test_a_response_about_another_certificate(pki: Pki, member: Issued) -> None:
    refuse(pki, member, pki.ocsp(pki.issue_signing().certificate), "another certificate")


def test_a_response_about_a_namesake_of_another_authority(pki: Pki, member: Issued) -> None:
    impostor = replace(pki.root, key=Pki.create(label="Elsewhere").root.key)
    twin = leaf(impostor, name("Test Root CA"), pki.key_type, AT, "none", ca=True)
    response = pki.ocsp(member.certificate, issuer=twin.certificate)
    refuse(pki, member, response, "another certificate")


def test_an_altered_response(pki: Pki, member: Issued) -> None:
    good = pki.ocsp(member.certificate)
    stamp = (AT - timedelta(minutes=5)).strftime("%Y%m%d%H%M%SZ").encode()
    assert good.count(stamp) == 1
    refuse(pki, member, good.replace(stamp, stamp[:-2] + b"9Z"), "does not hold")


def test_stale(pki: Pki, member: Issued) -> None:
    response = pki.ocsp(member.certificate, this_update=AT - 3 * HOUR)
    refuse(pki, member, response, "produced 3 h ago, older than the 1 h that the instance allows")


def test_exactly_as_old_as_allowed(pki: Pki, member: Issued) -> None:
    judge(pki, member, pki.ocsp(member.certificate, this_update=AT - HOUR))
    refuse(pki, member, pki.ocsp(member.certificate, this_update=AT - HOUR - timedelta(seconds=1)), "older than")


def test_freshness_is_the_instances(pki: Pki, member: Issued) -> None:
    response = pki.ocsp(member.certificate, this_update=AT - 3 * HOUR)
    assert judge(pki, member, response, pki.trust(freshness=4 * HOUR)).good_until == AT + HOUR


def test_past_its_next_update(pki: Pki, member: Issued) -> None:
    response = pki.ocsp(
        member.certificate, this_update=AT - timedelta(minutes=30), next_update=AT - timedelta(minutes=10)
    )
    refuse(pki, member, response, "was to be replaced 10 min ago")


def test_next_update_limits_the_verdict(pki: Pki, member: Issued) -> None:
    soon = AT + timedelta(minutes=3)
    assert judge(pki, member, pki.ocsp(member.certificate, next_update=soon)).good_until == soon


def test_from_the_future(pki: Pki, member: Issued) -> None:
    judge(pki, member, pki.ocsp(member.certificate, this_update=AT + timedelta(minutes=4)))
    refuse(pki, member, pki.ocsp(member.certificate, this_update=AT + 2 * HOUR), "2 h in the future")


def test_revoked(pki: Pki, member: Issued) -> None:
    with pytest.raises(errors.CertValidation, match="was revoked at 2026-03-14 08:21:53Z"):
        judge(pki, member, pki.ocsp(member.certificate, status="revoked"))


def test_unknown(pki: Pki, member: Issued) -> None:
    with pytest.raises(errors.CertValidation, match="does not know the certificate"):
        judge(pki, member, pki.ocsp(member.certificate, status="unknown"))


@pytest.mark.parametrize(
    ("response", "sentence"),
    [
        (b"", "not readable"),
        (b"\x30\x03\x0a\x01\x06", "answered unauthorized"),
        (b"\x30" * 70_000, "longer than"),
        (
            foreign.OCSPResponseBuilder.build_unsuccessful(foreign.OCSPResponseStatus.TRY_LATER).public_bytes(
                Encoding.DER
            ),
            "try_later",
        ),
    ],
)
def test_what_is_no_response(response: bytes, sentence: str) -> None:
    pki = Pki.create()
    refuse(pki, pki.issue_signing(), response, sentence)


def test_find_skips_what_it_cannot_read(pki: Pki, member: Issued) -> None:
    good, other = pki.ocsp(member.certificate), pki.ocsp(pki.issue_signing().certificate)
    issuer = pki.issuer.certificate
    assert ocsp.find([b"junk", other, good], member.certificate, issuer) == good
    assert ocsp.find([b"junk", other], member.certificate, issuer) is None


def test_a_request_names_the_certificate(pki: Pki, member: Issued) -> None:
    request = foreign.load_der_ocsp_request(ocsp.build_request(member.certificate, pki.issuer.certificate))
    assert request.serial_number == member.certificate.serial_number
    assert isinstance(request.hash_algorithm, hashes.SHA1)


def test_verdicts_are_remembered_until_they_end(pki: Pki, member: Issued, trust: TrustSnapshot) -> None:
    cache, response = VerdictCache(), pki.ocsp(member.certificate)
    arguments = (response, member.certificate, pki.issuer.certificate, trust)
    first = ocsp.verify(*arguments, AT, cache=cache)
    assert ocsp.verify(*arguments, AT + timedelta(minutes=54), cache=cache) is first
    with pytest.raises(errors.IncorrectValidationInfo, match="older than"):
        ocsp.verify(*arguments, AT + HOUR, cache=cache)


def test_refusals_are_not_remembered(pki: Pki, member: Issued, trust: TrustSnapshot) -> None:
    cache = VerdictCache()
    with pytest.raises(errors.CertValidation):
        ocsp.verify(
            pki.ocsp(member.certificate, status="revoked"),
            member.certificate,
            pki.issuer.certificate,
            trust,
            AT,
            cache=cache,
        )
    assert len(cache) == 0


def test_a_certificate_is_described_without_its_key(member: Issued) -> None:
    text = ocsp.describe(member.certificate)
    assert "CN=MOP" in text
    assert f"{member.certificate.serial_number:x}" in text


def test_delegation_needs_the_purpose(pki: Pki, member: Issued) -> None:
    assert pki.tsa.certificate.issuer == pki.issuer.certificate.subject  # the same authority, for something else
    refuse(pki, member, pki.ocsp(member.certificate, responder=pki.tsa), "may not answer")


def test_a_weak_signature(pki: Pki, member: Issued) -> None:
    weak = pki.ocsp(member.certificate, digest=hashes.SHA224())
    refuse(pki, member, weak, "algorithm that is not allowed")
