"""Evidence: who signed what when, out of one log; and whether two logs tell the same story."""

from dataclasses import replace

import pytest

from tests.support.pki import AT, Issued, Pki
from tests.support.signing import parts_of, sign
from xroad import errors, evidence
from xroad.algorithms import SHA512
from xroad.evidence import Direction, EvidenceRecord, Exchange
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.identifiers import ClientId, ServiceId
from xroad.rest import RestRequest, RestResponse, request_hash

CLIENT = ClientId("KH-SANDBOX", "GOV", "NSAF", "FAMILY-PACKAGE")
SERVICE = ServiceId(ClientId("KH-SANDBOX", "GOV", "MOP", "IDPOOR"), "household")
BODY = b'{"card": "x"}'
ANSWER = b'{"level": "POOR_1"}'


def request(query_id: str = "q-1") -> RestRequest:
    headers = [("X-Road-Client", str(CLIENT)), ("X-Road-Id", query_id), ("Content-Type", "application/json")]
    return RestRequest.from_http("POST", f"/r1/{SERVICE}", headers, request_id="r-1", default_query_id="q-0")


@pytest.fixture
def pki() -> Pki:
    return Pki.create()


@pytest.fixture
def trust(pki: Pki) -> TrustSnapshot:
    return pki.trust()


@pytest.fixture
def consumer(pki: Pki) -> Issued:
    return pki.issue_signing(member_code="NSAF")


@pytest.fixture
def provider(pki: Pki) -> Issued:
    return pki.issue_signing(member_code="MOP")


def record(
    pki: Pki, signer: Issued, direction: Direction, head: bytes, body: bytes | None, *, chained: bool = False
) -> EvidenceRecord:
    return EvidenceRecord.of(direction, head, body, sign(pki, signer, parts_of(head, body), chained=chained))


def exchange(
    pki: Pki, consumer: Issued, provider: Issued, *, body: bytes | None = BODY, bound_to: bytes | None = None
) -> Exchange:
    asked = request()
    bound = request_hash(asked.head, SHA512.digest(body) if body is not None else None)
    answer = RestResponse.for_request(asked, 200, "OK", [("Content-Type", "application/json")], bound_to or bound)
    return Exchange(
        record(pki, consumer, Direction.REQUEST, asked.head, body),
        record(pki, provider, Direction.RESPONSE, answer.head, ANSWER, chained=True),
    )


def test_a_request_is_judged(pki: Pki, trust: TrustSnapshot, consumer: Issued, provider: Issued) -> None:
    judged = evidence.judge(exchange(pki, consumer, provider).request, trust, AT)
    assert judged.signer == CLIENT.member
    assert (judged.client, judged.service) == (CLIENT, SERVICE)
    assert (judged.query_id, judged.request_id) == ("q-1", "r-1")
    assert judged.signing_time == AT
    assert judged.serial == consumer.certificate.serial_number
    assert judged.body_digest == SHA512.digest(BODY)
    assert "CN=NSAF" in judged.subject
    assert "CN=Test OCSP" in judged.ocsp_responder


def test_a_response_is_judged_by_its_provider(
    pki: Pki, trust: TrustSnapshot, consumer: Issued, provider: Issued
) -> None:
    judged = evidence.judge(exchange(pki, consumer, provider).response, trust, AT)
    assert judged.signer == SERVICE.client.member


@pytest.mark.parametrize("body", [BODY, b"", None])
def test_two_sides_agree(
    pki: Pki, trust: TrustSnapshot, consumer: Issued, provider: Issued, body: bytes | None
) -> None:
    one = exchange(pki, consumer, provider, body=body)
    agreement = evidence.agree(one, one, trust, AT)
    assert agreement.agrees
    assert agreement.request.signer == CLIENT.member
    assert agreement.response.signer == SERVICE.client.member


def test_two_sides_that_signed_anew_differ(pki: Pki, trust: TrustSnapshot, consumer: Issued, provider: Issued) -> None:
    one = exchange(pki, consumer, provider)
    other = replace(one, request=record(pki, consumer, Direction.REQUEST, request().head, BODY))
    agreement = evidence.agree(one, other, trust, AT)
    assert not agreement.agrees
    assert agreement.differences == ("request signature",)


def test_another_request_of_the_same_client_is_no_agreement(
    pki: Pki, trust: TrustSnapshot, consumer: Issued, provider: Issued
) -> None:
    one = exchange(pki, consumer, provider)
    other = record(pki, consumer, Direction.REQUEST, request("q-2").head, BODY)
    with pytest.raises(errors.InconsistentResponse):
        evidence.agree(one, replace(one, request=other), trust, AT)


def test_an_answer_to_other_bytes_is_no_answer(
    pki: Pki, trust: TrustSnapshot, consumer: Issued, provider: Issued
) -> None:
    one = exchange(pki, consumer, provider, bound_to=bytes(64))
    with pytest.raises(errors.InconsistentResponse):
        evidence.agree(one, one, trust, AT)


def test_an_altered_body_is_no_evidence(pki: Pki, trust: TrustSnapshot, consumer: Issued, provider: Issued) -> None:
    one = exchange(pki, consumer, provider)
    altered = replace(one, request=replace(one.request, body_digest=SHA512.digest(b"other")))
    with pytest.raises(errors.InvalidSignatureValue):
        evidence.agree(one, altered, trust, AT)


def test_a_body_left_out_of_the_log_is_no_evidence(
    pki: Pki, trust: TrustSnapshot, consumer: Issued, provider: Issued
) -> None:
    one = exchange(pki, consumer, provider)
    with pytest.raises(errors.InvalidReference):
        evidence.judge(replace(one.request, body_digest=None), trust, AT)


def test_a_request_signed_by_another_member_is_no_evidence(pki: Pki, trust: TrustSnapshot, provider: Issued) -> None:
    forged = record(pki, provider, Direction.REQUEST, request().head, BODY)
    with pytest.raises(errors.IncorrectCertificate):
        evidence.judge(forged, trust, AT)


def test_a_head_that_is_none_is_no_evidence(pki: Pki, trust: TrustSnapshot, consumer: Issued) -> None:
    with pytest.raises(errors.InvalidRest):
        evidence.judge(record(pki, consumer, Direction.REQUEST, b"junk", None), trust, AT)
