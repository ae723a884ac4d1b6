"""Containers: built in X-Road's form, read back, and judged at the time of their time-stamp."""

import zipfile
from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import pytest

from tests.support.containers import (
    BODY,
    CLIENT,
    INSTANCE,
    NOW,
    PROVIDER,
    REQUEST,
    STAMPED,
    Form,
    Sample,
    Stamp,
    authority,
    files_of,
    plain,
    repacked,
    response_head,
    sample,
    stamped_anew,
)
from tests.support.pki import AT, DAY, Pki
from xroad import asic, errors, xades
from xroad.algorithms import SHA512, default_algorithm
from xroad.asic import Outcome, Parts
from xroad.evidence import Direction
from xroad.xades import SignedPart

FORMS = [(layout, stamp) for layout in ("direct", "chained") for stamp in ("plain", "batch")]


@pytest.mark.parametrize(("layout", "stamp"), FORMS)
@pytest.mark.parametrize("body", [BODY, b"", None])
def test_what_we_build_holds_at_its_time_stamps_time(layout: Form, stamp: Stamp, body: bytes | None) -> None:
    verdict = sample(layout, stamp, body=body).judge()

    assert (verdict.outcome, verdict.reason) == (Outcome.VALID, "")
    verified = verdict.verified
    assert verified is not None
    assert (verified.at, verified.authority, verified.is_batch) == (STAMPED, "Test TSA", stamp == "batch")
    assert (str(verified.message.client), str(verified.message.service)) == (CLIENT, f"{PROVIDER}/household")
    assert (verified.message.query_id, verified.message.user_id, verified.message.issue) == ("query-1", "KH1", "case 7")
    assert verified.message.direction is Direction.REQUEST
    assert set(verified.digests) == ({"message.xml"} if body is None else {"message.xml", "attachment1"})
    assert not verified.left_out


def test_a_response_is_signed_by_the_provider() -> None:
    answer = sample(head=response_head(), signer=("GOV", "MOP"))
    assert answer.judge().outcome is Outcome.VALID
    assert sample(head=response_head()).judge().reason == "IncorrectCertificate"


@pytest.mark.parametrize(("layout", "stamp"), FORMS)
def test_files_are_those_of_x_road_in_its_order(layout: Form, stamp: Stamp) -> None:
    with zipfile.ZipFile(BytesIO(sample(layout, stamp).data)) as archive:
        assert archive.testzip() is None
        assert archive.comment == b"mimetype=application/vnd.etsi.asic-e+zip"
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        chain = ["sig-hashchainresult.xml", "sig-hashchain.xml"] if layout == "chained" else []
        stamp_chain = ["ts-hashchainresult.xml", "ts-hashchain.xml"] if stamp == "batch" else []
        stamp_files = ["META-INF/ASiCManifest.xml", "META-INF/timestamp.tst"] if stamp == "batch" else []
        assert archive.namelist() == [
            "mimetype",
            "message.xml",
            "META-INF/signatures.xml",
            *chain,
            *stamp_chain,
            "META-INF/manifest.xml",
            *stamp_files,
            "attachment1",
        ]


def test_the_same_parts_give_the_same_bytes() -> None:
    assert sample().data == sample().data


def test_a_body_in_pieces_gives_the_same_container() -> None:
    made = sample()
    writer, start = asic.begin(made.parts)
    pieces = [start, writer.begin("attachment1"), *(writer.chunk(bytes([each])) for each in BODY)]
    data = b"".join([*pieces, writer.end(), writer.finish()])

    assert files_of(data) == files_of(made.data)
    assert made.judge(data).outcome is Outcome.VALID


@pytest.mark.parametrize("layout", ["direct", "chained"])
def test_a_body_that_was_not_logged_leaves_all_else_verified(layout: Form) -> None:
    verdict = sample(layout, logged=False).judge()

    assert verdict.outcome is Outcome.VALID
    assert verdict.verified is not None
    assert dict(verdict.verified.left_out) == {
        "attachment1": asic.read(sample(layout).data).attachments["attachment1"].digest
    }


@pytest.mark.parametrize("layout", ["direct", "chained"])
def test_a_body_that_was_taken_out_is_missed(layout: Form) -> None:
    made = sample(layout)
    assert made.judge(repacked(made.data, lambda files: files.pop("attachment1"))).reason.endswith("InvalidReference")


def test_without_a_time_stamp_nobody_can_tell() -> None:
    made = sample(stamp="none")
    verdict = made.judge()
    assert (verdict.outcome, verdict.reason) == (Outcome.CANNOT_TELL, "AsicTimestampNotFound")


def test_without_a_time_stamp_a_time_may_be_given() -> None:
    made = sample(stamp="none")
    judged = asic.judge(made.data, made.trust, NOW, unstamped_at=AT)
    assert judged.outcome is Outcome.VALID
    assert judged.verified is not None
    assert (judged.verified.stamp, judged.verified.at) == (None, AT)
    too_late = asic.judge(made.data, made.trust, NOW, unstamped_at=AT + DAY)
    assert too_late.reason == "InvalidCertPath.IncorrectValidationInfo"


def test_without_a_time_stamp_an_altered_message_is_refused_nevertheless() -> None:
    made = sample(stamp="none")
    altered = repacked(made.data, lambda files: files.update({"attachment1": b"other"}))
    assert made.judge(altered).reason == "InvalidSignatureValue"


def test_a_given_time_does_not_replace_a_time_stamp() -> None:
    verdict = asic.judge(sample().data, sample().trust, NOW, unstamped_at=AT + 5000 * DAY)
    assert verdict.verified is not None
    assert verdict.verified.at == STAMPED


def test_of_an_instance_that_the_configuration_does_not_describe_nobody_can_tell() -> None:
    other = authority().trust("EE")
    verdict = asic.judge(sample().data, other, NOW)
    assert (verdict.outcome, verdict.reason) == (Outcome.CANNOT_TELL, "AsicUnknownInstance")


def test_nothing_outside_the_configuration_is_trusted() -> None:
    verdict = asic.judge(sample().data, Pki.create(label="Other").trust(), NOW)
    assert (verdict.outcome, verdict.reason) == (Outcome.INVALID, "TimestampValidation")
    made = sample(stamp="none")
    verdict = asic.judge(made.data, Pki.create(label="Other").trust(), NOW, unstamped_at=AT)
    assert verdict.reason == "IncorrectCertificate"  # no approved authority issued it


def test_a_time_stamp_from_the_future_is_refused() -> None:
    verdict = asic.judge(sample().data, sample().trust, STAMPED - timedelta(hours=1))
    assert verdict.reason == "TimestampValidation"


def test_a_time_stamp_in_a_file_of_its_own() -> None:
    made = sample(stamp="none")
    token = plain(made.parts.signature.xml, made.pki)
    data = repacked(made.data, lambda files: files.update({"META-INF/timestamp.tst": token}))
    assert made.judge(data).outcome is Outcome.VALID


def test_a_time_stamp_goes_into_a_signature_with_any_prefix_or_none() -> None:
    xml = b'<UnsignedSignatureProperties xmlns="http://uri.etsi.org/01903/v1.3.2#"></UnsignedSignatureProperties>'
    assert b"EncapsulatedTimeStamp>AA==</" in asic.stamped(xml, b"\0")
    for wrong in (b"<a/>", xml + xml, b"<x:UnsignedSignatureProperties/>"):
        with pytest.raises(errors.MalformedSignature):
            asic.stamped(wrong, b"\0")


def test_the_parts_say_how_many_attachments_follow() -> None:
    with pytest.raises(ValueError, match="attachments"):
        asic.build(sample().parts, [])


@pytest.mark.parametrize(
    ("query_id", "response", "number", "name"),
    [
        ("abc", False, 1, "abc-request-1.asice"),
        ("abc", True, 31, "abc-response-v.asice"),
        ("../a b", False, 32, "..%2Fa+b-request-10.asice"),
        ("x" * 300, True, 0, "x" * 226 + "-response-0.asice"),
    ],
)
def test_names_are_those_of_x_road(query_id: str, response: bool, number: int, name: str) -> None:  # noqa: FBT001
    assert asic.file_name(query_id, response=response, number=number) == name


def trace(made: Sample) -> asic.Trace:
    verified = made.judge().verified
    assert verified is not None
    return asic.trace_of(verified)


@pytest.mark.parametrize("body", [BODY, b"", None])
def test_both_sides_of_an_exchange_agree(body: bytes | None) -> None:
    request = sample(body=body)
    other_side = stamped_anew(request, request.parts.signature)
    response = trace(sample(head=response_head(body=body), signer=("GOV", "MOP")))
    compared = asic.compare([trace(request), response, trace(other_side), response])
    assert (compared.requests, compared.responses, compared.differences) == (2, 2, ())
    assert response.exchange == trace(request).exchange == trace(other_side).exchange


def test_a_response_to_another_request_does_not_agree() -> None:
    response = trace(sample(head=response_head(body=b"other"), signer=("GOV", "MOP")))
    assert asic.compare([trace(sample()), response]).differences == ("response: it was signed for another request",)
    other = replace(response, query_id="other")
    assert "response: its message id is not the request's" in asic.compare([trace(sample()), other]).differences


def test_sides_that_hold_different_messages_do_not_agree() -> None:
    compared = asic.compare([trace(sample()), trace(sample(body=b"other"))])
    assert compared.differences == ("request: attachment1 differs", "request: the signatures differ")


def test_a_side_without_bodies_agrees_with_one_that_has_them() -> None:
    made = sample()
    bare = replace(made, parts=replace(made.parts, attachments=0), attachments=())
    assert asic.compare([trace(made), trace(bare)]).differences == ()


def test_a_container_needs_a_message_that_names_its_parties() -> None:
    made = sample(head=b"POST\r\n/r1/A\r\n")
    assert made.judge().reason == "InvalidRest"


def test_the_request_is_what_the_samples_say() -> None:
    assert Parts(REQUEST.head, sample().parts.signature, None, 0, AT).message == REQUEST.head


def test_each_message_of_a_batch_signature_has_a_container_of_its_own() -> None:
    original = sample()
    member = original.pki.issue_signing(INSTANCE, "GOV", "NSAF")
    heads = [REQUEST.head.replace(b"query-1", b"query-%d" % number) for number in range(5)]
    messages = [
        [SignedPart(xades.MESSAGE, SHA512.digest(head)), SignedPart(xades.attachment_name(1), SHA512.digest(BODY))]
        for head in heads
    ]
    ocsp = original.pki.chain_ocsp(member.certificate)
    unsigned = xades.prepare_batch(
        messages, member.certificate, ocsp, (), default_algorithm(member.certificate.public_key()), AT
    )
    signatures = unsigned.complete_batch(unsigned.algorithm.sign(member.key, unsigned.data_to_sign))
    for number, (head, signature) in enumerate(zip(heads, signatures, strict=True)):
        verdict = stamped_anew(original, signature, message=head).judge()
        assert (verdict.outcome, verdict.reason) == (Outcome.VALID, "")
        assert verdict.verified is not None
        assert verdict.verified.message.query_id == f"query-{number}"
    swapped = stamped_anew(original, signatures[1], message=heads[0]).judge()
    assert swapped.reason == "MalformedSignature.InvalidHashChainRef"


ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"


@pytest.mark.parametrize(
    ("xml", "sentence"),
    [
        ("<a/>", "not a SOAP message"),
        (f'<e:Envelope xmlns:e="{ENVELOPE}"><e:Header/><e:Body><a/><b/></e:Body></e:Envelope>', "exactly one element"),
    ],
)
def test_xml_that_is_no_message_is_refused(xml: str, sentence: str) -> None:
    with pytest.raises(errors.InvalidSoap, match=sentence):
        asic.read_message(xml.encode())
