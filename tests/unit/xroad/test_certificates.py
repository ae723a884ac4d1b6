"""Certificates: usage, strength, path at a time, status, and whose they are."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.pki import AT, DAY, Issued, KeyType, Pki, authority, key, leaf, name
from xroad import certificates, errors
from xroad.algorithms import check_key_strength
from xroad.certificates import build_path
from xroad.identifiers import ClientId
from xroad.verdicts import VerdictCache

MEMBER = ClientId("KH-SANDBOX", "GOV", "MOP", "IDPOOR")


@pytest.fixture(params=["ec-p256", "rsa-2048"])
def pki(request: pytest.FixtureRequest) -> Pki:
    key_type: KeyType = request.param
    return Pki.create(key_type)


def auth(pki: Pki, server: Issued, **changes: object) -> x509.Certificate:
    responses = changes.get("ocsp", [pki.ocsp(server.certificate)])
    assert isinstance(responses, list)
    return certificates.verify_auth_certificate([server.certificate], responses, pki.trust(), AT)


def refused_auth(pki: Pki, server: Issued, code: str, **changes: object) -> errors.XRoadError:
    with pytest.raises(errors.SslAuthenticationFailed) as caught:
        auth(pki, server, **changes)
    assert caught.value.bare_code == code
    return caught.value


def test_a_good_authentication_certificate(pki: Pki) -> None:
    server = pki.issue_auth()
    assert auth(pki, server) == server.certificate


def test_a_good_signing_certificate(pki: Pki) -> None:
    member = pki.issue_signing()
    verified = certificates.verify_signing_certificate(
        member.certificate, [], [pki.ocsp(member.certificate)], pki.trust(), AT, MEMBER
    )
    assert verified == member.certificate


def test_an_approved_intermediate_is_an_anchor() -> None:
    pki = Pki.create(intermediate=True)
    server = pki.issue_auth()
    assert auth(pki, server) == server.certificate


def test_no_certificate_at_all() -> None:
    with pytest.raises(errors.SslAuthenticationFailed, match="sent no certificate"):
        certificates.verify_auth_certificate([], [], Pki.create().trust(), AT)


def test_a_signing_certificate_cannot_authenticate(pki: Pki) -> None:
    refused_auth(pki, pki.issue_signing(), "SslAuthenticationFailed")


def test_an_authentication_certificate_cannot_sign(pki: Pki) -> None:
    server = pki.issue_signing(usage="auth")
    with pytest.raises(errors.MalformedSignature, match="nonRepudiation"):
        certificates.verify_signing_certificate(
            server.certificate, [], [pki.ocsp(server.certificate)], pki.trust(), AT, MEMBER
        )


def test_without_usages_a_certificate_is_good_for_nothing(pki: Pki) -> None:
    bare = leaf(pki.issuer, name("bare"), pki.key_type, AT, "none").certificate
    assert not certificates.is_auth_certificate(bare)
    assert not certificates.is_signing_certificate(bare)


@pytest.mark.parametrize("usage", ["auth", "ocsp"])
def test_signing_keys_of_tls_may_authenticate(usage: str) -> None:
    issued = leaf(Pki.create().issuer, name("x"), "ec-p256", AT, "auth" if usage == "auth" else "ocsp")
    assert certificates.is_auth_certificate(issued.certificate)


def test_the_status_must_be_known(pki: Pki) -> None:
    server = pki.issue_auth()
    code = "SslAuthenticationFailed.InvalidCertPath.CertValidation"
    assert "no OCSP response" in refused_auth(pki, server, code, ocsp=[]).detail
    refused_auth(pki, server, code, ocsp=[pki.ocsp(pki.issue_auth().certificate)])
    assert "revoked" in refused_auth(pki, server, code, ocsp=[pki.ocsp(server.certificate, status="revoked")]).detail


def test_the_status_must_be_fresh(pki: Pki) -> None:
    server = pki.issue_auth()
    stale = pki.ocsp(server.certificate, this_update=AT - timedelta(hours=3))
    code = "SslAuthenticationFailed.InvalidCertPath.IncorrectValidationInfo"
    assert "3 h ago" in refused_auth(pki, server, code, ocsp=[stale]).detail


def test_an_expired_certificate(pki: Pki) -> None:
    server = leaf(pki.issuer, name("ss"), pki.key_type, AT, "auth", not_after=AT - DAY)
    error = refused_auth(pki, server, "SslAuthenticationFailed.CannotCreateCertPath.CertValidityTime")
    assert "must be renewed, or a clock is wrong" in error.detail


def test_a_certificate_of_the_future(pki: Pki) -> None:
    server = leaf(pki.issuer, name("ss"), pki.key_type, AT, "auth", not_before=AT + DAY)
    refused_auth(pki, server, "SslAuthenticationFailed.CannotCreateCertPath.CertValidityTime")


def test_an_authority_that_is_not_approved(pki: Pki) -> None:
    error = refused_auth(pki, Pki.create(label="Rogue").issue_auth(), "SslAuthenticationFailed.CannotCreateCertPath")
    assert "not issued by a certification authority that instance KH-SANDBOX has approved" in error.detail


def test_an_approved_name_with_another_key(pki: Pki) -> None:
    impostor = replace(pki.root, key=Pki.create(label="Rogue").root.key)
    server = leaf(impostor, name("ss"), pki.key_type, AT, "auth")
    refused_auth(pki, server, "SslAuthenticationFailed.CannotCreateCertPath")


def test_an_authority_for_authentication_only_cannot_make_signers(pki: Pki) -> None:
    member, trust = pki.issue_signing(), pki.trust(authentication_only=True)
    with pytest.raises(errors.CannotCreateCertPath):
        certificates.verify_chain(
            member.certificate, [], [pki.ocsp(member.certificate)], trust, AT, "sign", "KH-SANDBOX"
        )
    certificates.verify_chain(member.certificate, [], [pki.ocsp(member.certificate)], trust, AT, "auth", "KH-SANDBOX")


def test_another_members_certificate(pki: Pki) -> None:
    member = pki.issue_signing(member_code="NSAF")
    with pytest.raises(errors.IncorrectCertificate, match="is signed by KH-SANDBOX/GOV/NSAF"):
        certificates.check_signer(member.certificate, pki.trust(), MEMBER, AT)


def test_whose_it_is_is_remembered_per_member(pki: Pki) -> None:
    member, trust, cache = pki.issue_signing(), pki.trust(), VerdictCache()
    certificates.check_signer(member.certificate, trust, MEMBER, AT, cache=cache)
    certificates.check_signer(member.certificate, trust, MEMBER, AT, cache=cache)
    with pytest.raises(errors.IncorrectCertificate):
        certificates.check_signer(member.certificate, trust, ClientId("KH-SANDBOX", "GOV", "NSAF"), AT, cache=cache)


def test_an_instances_authorities_are_its_own(pki: Pki) -> None:
    server = pki.issue_auth()
    with pytest.raises(errors.SslAuthenticationFailed):
        certificates.verify_auth_certificate(
            [server.certificate], [pki.ocsp(server.certificate)], pki.trust(), AT, instance="OTHER"
        )


def test_chain_verdicts_end_with_the_first_thing_that_ends(pki: Pki) -> None:
    end = AT + timedelta(minutes=10)
    server = leaf(pki.issuer, name("ss"), pki.key_type, AT, "auth", not_after=end)
    responses = [pki.ocsp(server.certificate)]
    cache, trust = VerdictCache(), pki.trust()
    verdict = certificates.verify_chain(server.certificate, [], responses, trust, AT, "auth", "KH-SANDBOX", cache=cache)
    assert verdict.until == end
    again = certificates.verify_chain(server.certificate, [], responses, trust, end, "auth", "KH-SANDBOX", cache=cache)
    assert again is verdict
    with pytest.raises(errors.CannotCreateCertPath):
        certificates.verify_chain(
            server.certificate, [], responses, trust, end + DAY, "auth", "KH-SANDBOX", cache=cache
        )


# Paths


def test_a_path_through_an_intermediate_at_a_time() -> None:
    pki = Pki.create(intermediate=True)
    assert pki.intermediate is not None
    server = pki.issue_auth()
    path = build_path(server.certificate, [pki.intermediate.certificate], [pki.root.certificate], AT)
    assert path == (server.certificate, pki.intermediate.certificate, pki.root.certificate)
    with pytest.raises(errors.CannotCreateCertPath) as caught:
        build_path(server.certificate, [pki.intermediate.certificate], [pki.root.certificate], AT + 400 * DAY)
    assert caught.value.bare_code == "CannotCreateCertPath.CertValidityTime"


def test_a_missing_intermediate() -> None:
    pki = Pki.create(intermediate=True)
    with pytest.raises(errors.CannotCreateCertPath):
        build_path(pki.issue_auth().certificate, [], [pki.root.certificate], AT)


def test_a_member_is_no_authority() -> None:
    pki = Pki.create()
    member = pki.issue_signing()
    forged = leaf(member, name("forged"), "ec-p256", AT, "auth")
    with pytest.raises(errors.CannotCreateCertPath):
        build_path(forged.certificate, [member.certificate], [pki.root.certificate], AT)


def test_path_length_is_kept() -> None:
    pki = Pki.create(intermediate=True)
    assert pki.intermediate is not None
    below = authority("Below", "ec-p256", AT, pki.intermediate)
    forged = leaf(below, name("forged"), "ec-p256", AT, "auth")
    with pytest.raises(errors.CannotCreateCertPath):
        build_path(forged.certificate, [below.certificate, pki.intermediate.certificate], [pki.root.certificate], AT)


def test_a_chain_of_absurd_length() -> None:
    pki = Pki.create()
    server = pki.issue_auth()
    with pytest.raises(errors.CannotCreateCertPath, match="more than 10"):
        build_path(server.certificate, [server.certificate] * 11, [pki.root.certificate], AT)


def test_weak_keys_are_refused() -> None:
    pki = Pki.create("rsa-2048")
    weak = leaf(pki.issuer, name("weak"), "rsa-1024", AT, "auth")
    with pytest.raises(errors.CannotCreateCertPath) as caught:
        build_path(weak.certificate, [], [pki.root.certificate], AT)
    assert caught.value.bare_code == "CannotCreateCertPath.UnsupportedAlgorithm"


def test_weak_signatures_are_refused_but_not_on_anchors() -> None:
    pki = Pki.create()
    weak = leaf(pki.issuer, name("weak"), "ec-p256", AT, "auth", digest=hashes.SHA224())
    with pytest.raises(errors.CannotCreateCertPath) as caught:
        build_path(weak.certificate, [], [pki.root.certificate], AT)
    assert caught.value.bare_code == "CannotCreateCertPath.UnsupportedAlgorithm"
    assert build_path(weak.certificate, [], [weak.certificate], AT) == (weak.certificate,)


def test_unusual_curves_are_refused() -> None:
    check_key_strength(key("ec-p384", "x").public_key())
    with pytest.raises(errors.UnsupportedAlgorithm):
        check_key_strength(ec.generate_private_key(ec.SECP256K1()).public_key())


def test_a_relay_hash_is_the_certificates_sha1() -> None:
    certificate = Pki.create().root.certificate
    assert len(certificates.relay_hash(certificate)) == 40
