"""Signatures: the form that X-Road writes, and every check of the verifier, each with what it stops."""

import re
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from tests.support.pki import AT, KeyType, Pki, Status, leaf
from tests.support.shared import need_shared
from tests.support.signing import BODY, HEAD, MEMBER, Signed, digests, parts_of, sign, signed
from xroad import errors, xades, xmlsafe
from xroad.algorithms import (
    ECDSA_SHA256,
    ECDSA_SHA384,
    ECDSA_SHA512,
    RSA_PSS_SHA256,
    RSA_PSS_SHA512,
    RSA_SHA256,
    RSA_SHA384,
    RSA_SHA512,
    SHA256,
    SHA512,
    SignatureAlgorithm,
    ecdsa_der_to_raw,
)
from xroad.identifiers import ClientId
from xroad.verdicts import VerdictCache
from xroad.xades.names import DS, SIG_HASH_CHAIN_RESULT, XADES
from xroad.xmlsafe import C14N, C14N_EXCLUSIVE

DER = Encoding.DER
DS_SIGNED_INFO = f"{{{DS}}}SignedInfo"
SIGNED_PROPERTIES = f"{{{XADES}}}SignedProperties"


def refuse(
    kind: type[errors.XRoadError], xml: bytes, *, sample: Signed | None = None, code: str | None = None
) -> errors.XRoadError:
    with pytest.raises(kind) as caught:
        (sample or signed()).verify(xml)
    if code is not None:
        assert caught.value.bare_code == code
    return caught.value


# The form


@pytest.mark.parametrize("key_type", ["ec-p256", "ec-p384", "rsa-2048"])
@pytest.mark.parametrize("chained", [False, True])
@pytest.mark.parametrize("body", [BODY, b"", None])
@pytest.mark.parametrize("intermediate", [False, True])
def test_what_is_signed_verifies(key_type: KeyType, *, chained: bool, body: bytes | None, intermediate: bool) -> None:
    sample = signed(key_type, chained=chained, body=body, intermediate=intermediate)
    verified = sample.verify()
    assert verified.signer == MEMBER
    assert verified.signing_time == AT
    assert verified.certificate == sample.member.certificate
    assert verified.parts == digests(sample.parts)


@pytest.mark.parametrize(
    ("key_type", "algorithm"),
    [
        ("rsa-2048", RSA_SHA256),
        ("rsa-2048", RSA_SHA384),
        ("rsa-2048", RSA_SHA512),
        ("rsa-2048", RSA_PSS_SHA256),
        ("rsa-2048", RSA_PSS_SHA512),
        ("ec-p256", ECDSA_SHA256),
        ("ec-p384", ECDSA_SHA384),
        ("ec-p384", ECDSA_SHA512),
    ],
)
def test_every_algorithm_signs_and_verifies(key_type: KeyType, algorithm: SignatureAlgorithm) -> None:
    sample = signed(key_type)
    data = sign(sample.pki, sample.member, sample.parts, algorithm=algorithm)
    assert sample.verify(data.xml).algorithm == algorithm


@pytest.mark.parametrize("chained", [False, True])
@pytest.mark.parametrize("intermediate", [False, True])
def test_templates_are_canonical(*, chained: bool, intermediate: bool) -> None:
    sample = signed(chained=chained, intermediate=intermediate)
    responses = sample.pki.chain_ocsp(sample.member.certificate)
    prepare = xades.prepare_chained if chained else xades.prepare
    unsigned = prepare(sample.parts, sample.member.certificate, responses, [], ECDSA_SHA512, AT)
    xml = unsigned.complete(ECDSA_SHA512.sign(sample.member.key, unsigned.data_to_sign)).xml
    root = xmlsafe.parse(xml)
    signed_info = next(root.iter(DS_SIGNED_INFO))
    assert xmlsafe.canonicalize(signed_info, C14N) == unsigned.data_to_sign
    properties = next(root.iter(SIGNED_PROPERTIES))
    digest = b64encode(SHA512.digest(xmlsafe.canonicalize(properties, C14N)))
    assert digest in unsigned.data_to_sign


def test_issuer_names_are_escaped() -> None:
    pki = Pki.create(label='Me & <You> "q" \u0007')
    member = pki.issue_signing()
    parts = parts_of()
    verified = xades.verify(sign(pki, member, parts).xml, digests(parts), pki.trust(), AT, MEMBER)
    assert verified.certificate == member.certificate


@pytest.mark.parametrize("chained", [False, True])
@pytest.mark.parametrize("intermediate", [False, True])
def test_validates_against_the_schema_of_x_road(*, chained: bool, intermediate: bool) -> None:
    sample = signed(chained=chained, intermediate=intermediate)
    schema = etree.XMLSchema(file=str(need_shared("standards/xroad-xsd/xades-schema.xsd")))
    root = xmlsafe.parse(sample.xml)
    assert root.tag == "{http://uri.etsi.org/02918/v1.2.1#}XAdESSignatures"
    assert len(root) == 1
    schema.assertValid(root[0])  # X-Road itself validates the first child of the root


def test_a_message_of_one_part_is_never_chained() -> None:
    data = signed(chained=True, body=None).data
    assert (data.hash_chain_result, data.hash_chain) == (None, None)
    assert b'URI="/message.xml"' in data.xml


def test_a_chained_signature_refers_to_the_chain_result_only() -> None:
    data = signed(chained=True).data
    assert re.findall(rb'URI="([^"#]+)"', data.xml) == [SIG_HASH_CHAIN_RESULT.encode()]
    assert data.hash_chain_result is not None
    assert data.hash_chain is not None


def test_a_batch_gives_each_message_its_own_chain() -> None:
    sample = signed()
    messages = [parts_of(b"one", None), parts_of(b"two", b"body"), parts_of(b"three", None)]
    responses = sample.pki.chain_ocsp(sample.member.certificate)
    unsigned = xades.prepare_batch(messages, sample.member.certificate, responses, [], ECDSA_SHA512, AT)
    datas = unsigned.complete_batch(ECDSA_SHA512.sign(sample.member.key, unsigned.data_to_sign))
    for parts, data in zip(messages, datas, strict=True):
        replace(sample, data=data).verify(parts=parts)
    with pytest.raises(errors.MalformedSignature):
        replace(sample, data=datas[0]).verify(parts=messages[2])


def test_parts_must_be_those_of_a_message() -> None:
    sample = signed()
    wrong = [sample.parts[0]._replace(name="/etc/passwd")]
    with pytest.raises(ValueError, match="parts of a message"):
        xades.prepare(wrong, sample.member.certificate, [], [], ECDSA_SHA512, AT)
    with pytest.raises(ValueError, match="parts of a message"):
        xades.verify(sample.xml, {"/other": b""}, sample.trust, AT, MEMBER)
    with pytest.raises(ValueError, match="parts of a message"):
        xades.verify(sample.xml, {}, sample.trust, AT, MEMBER)


# Alteration


@pytest.mark.parametrize("chained", [False, True])
def test_another_body_is_refused(*, chained: bool) -> None:
    with pytest.raises(errors.XRoadError) as caught:
        signed(chained=chained).verify(parts=parts_of(HEAD, b"other"))
    expected = "MalformedSignature.InvalidHashChain" if chained else "InvalidSignatureValue"
    assert caught.value.bare_code == expected


def test_another_head_is_refused() -> None:
    with pytest.raises(errors.InvalidSignatureValue):
        signed().verify(parts=parts_of(b"other"))


def test_a_body_added_to_a_message_without_one_is_refused() -> None:
    with pytest.raises(errors.MalformedSignature, match="does not cover /attachment1"):
        signed(body=None).verify(parts=parts_of())


def test_a_body_added_to_a_chained_message_is_refused() -> None:
    sample = signed(chained=True)
    more = [*sample.parts, sample.parts[1]._replace(name="/attachment2")]
    with pytest.raises(errors.MalformedSignature) as caught:
        sample.verify(parts=more)
    assert caught.value.bare_code == "MalformedSignature.HashChainUnusedInputs"


def test_a_body_taken_away_is_refused() -> None:
    with pytest.raises(errors.InvalidReference):
        signed().verify(parts=parts_of(body=None))


def test_a_body_taken_from_a_chained_message_is_refused() -> None:
    with pytest.raises(errors.MalformedSignature) as caught:
        signed(chained=True).verify(parts=parts_of(body=None))
    assert caught.value.bare_code == "MalformedSignature.InvalidReference"


def test_another_signature_value_is_refused() -> None:
    sample, other = signed(), sign(signed().pki, signed().member, parts_of(b"x"))
    mine, theirs = (re.search(r"<ds:SignatureValue[^>]*>([^<]+)<", xml.decode()) for xml in (sample.xml, other.xml))
    assert mine is not None
    assert theirs is not None
    refuse(errors.InvalidSignatureValue, sample.spoiled(mine[1], theirs[1]))


def test_an_ecdsa_value_of_another_width_is_refused() -> None:
    sample = signed()
    found = re.search(r"<ds:SignatureValue[^>]*>([^<]+)<", sample.xml.decode())
    assert found is not None
    value = b64decode(found[1])
    wider = b64encode(b"\0" + value[:32] + b"\0" + value[32:]).decode()  # the same numbers, written otherwise
    refuse(errors.InvalidSignatureValue, sample.spoiled(found[1], wider))


def test_signed_properties_cannot_be_changed() -> None:
    refuse(errors.InvalidSignatureValue, signed().spoiled("2026-03-14T09", "2026-03-14T08"))


def test_an_rsa_key_under_an_ecdsa_name_is_refused() -> None:
    sample = signed("rsa-2048")
    refuse(errors.UnsupportedAlgorithm, sample.spoiled("#rsa-sha512", "#ecdsa-sha512"), sample=sample)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ECDSA_SHA512.uri, "http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
        (ECDSA_SHA512.uri, "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1"),
        (SHA512.uri, "http://www.w3.org/2000/09/xmldsig#sha1"),
        (C14N, "http://www.w3.org/TR/1999/REC-xslt-19991116"),
        (C14N, C14N + "#WithComments"),
    ],
)
def test_an_algorithm_that_is_not_listed_is_refused(old: str, new: str) -> None:
    refuse(errors.UnsupportedAlgorithm, signed().spoiled(f'Algorithm="{old}"', f'Algorithm="{new}"'))


def test_digests_must_be_of_the_announced_kind() -> None:
    sample = signed()
    with pytest.raises(errors.InvalidReference):
        xades.verify(sample.xml, digests(sample.parts), sample.trust, AT, MEMBER, digest=SHA256)


# Wrapping


def resign(sample: Signed, signed_info: str, document: str) -> bytes:
    """Sign a SignedInfo of an attacker's making with a real key: only structure is left to refuse it."""
    value = ECDSA_SHA512.sign(sample.member.key, signed_info.encode())
    raw = ecdsa_der_to_raw(value, 256)
    return re.sub(
        r"(<ds:SignatureValue[^>]*>)[^<]+", lambda found: found[1] + b64encode(raw).decode(), document, count=1
    ).encode()


def resigned(old: str, new: str) -> bytes:
    """Replace in the SignedInfo and sign again."""
    sample = signed()
    text = sample.spoiled(old, new).decode()
    signed_info = xmlsafe.canonicalize(next(xmlsafe.parse(text.encode()).iter(DS_SIGNED_INFO)), C14N)
    return resign(sample, signed_info.decode(), text)


def test_resigning_alone_is_accepted() -> None:
    signed().verify(resigned("signature-reference-0", "signature-reference-9"))  # the harness itself works


def test_two_signatures_are_refused() -> None:
    text = signed().xml.decode()
    inner = text[text.index("<ds:Signature ") : text.index("</asic:")]
    doubled = text.replace("</asic:", inner.replace('Id="', 'Id="x') + "</asic:")
    refuse(errors.MalformedSignature, doubled.encode())


def test_a_signature_wrapped_into_another_element_is_refused() -> None:
    text = signed().xml.decode().replace("<ds:Signature ", "<ds:Object><ds:Signature ")
    refuse(errors.MalformedSignature, text.replace("</ds:Signature>", "</ds:Signature></ds:Object>").encode())


def test_another_root_is_refused() -> None:
    refuse(errors.MalformedSignature, signed().xml.replace(b"asic:XAdESSignatures", b"asic:Other"))


def test_double_ids_are_refused() -> None:
    refuse(errors.MalformedSignature, signed().spoiled('Id="signature-value"', 'Id="signed-properties"'))


def test_a_second_set_of_properties_is_refused() -> None:
    extra = '<ds:Object><xades:SignedProperties Id="other"></xades:SignedProperties></ds:Object>'
    refuse(errors.MalformedSignature, signed().spoiled("</ds:Signature>", extra + "</ds:Signature>"))


def test_properties_elsewhere_than_referred_to_are_refused() -> None:
    refuse(errors.MalformedSignature, resigned('URI="#signed-properties"', 'URI="#elsewhere"'))


def test_properties_of_another_signature_are_refused() -> None:
    refuse(errors.MalformedSignature, signed().spoiled('Target="#signature"', 'Target="#other"'))


def test_a_signature_without_properties_is_refused() -> None:
    refuse(errors.MalformedSignature, resigned(' Type="http://uri.etsi.org/01903#SignedProperties"', ""))


def test_a_surplus_reference_is_refused() -> None:
    surplus = (
        f'<ds:Reference URI="/attachment2"><ds:DigestMethod Algorithm="{SHA512.uri}"></ds:DigestMethod>'
        f"<ds:DigestValue>{b64encode(bytes(64)).decode()}</ds:DigestValue></ds:Reference></ds:SignedInfo>"
    )
    refuse(errors.InvalidReference, resigned("</ds:SignedInfo>", surplus))


@pytest.mark.parametrize("uri", ["", "file:///etc/passwd", "http://example.org/", "#signature", "message.xml"])
def test_a_reference_to_anything_but_parts_is_refused(uri: str) -> None:
    refuse(errors.InvalidReference, resigned('URI="/attachment1"', f'URI="{uri}"'))


def test_a_part_referred_to_twice_is_refused() -> None:
    refuse(errors.MalformedSignature, resigned('URI="/attachment1"', 'URI="/message.xml"'))


def test_a_transform_on_a_part_is_refused() -> None:
    transform = f'URI="/message.xml"><ds:Transforms><ds:Transform Algorithm="{C14N}"></ds:Transform></ds:Transforms>'
    refuse(errors.MalformedSignature, resigned('URI="/message.xml">', transform))


def test_a_transform_with_contents_is_refused() -> None:
    sample = signed()
    inside = '"><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="a"/></ds:Canon'
    refuse(errors.UnsupportedAlgorithm, sample.spoiled(f'{C14N}"></ds:Canon', f"{C14N_EXCLUSIVE}{inside}"))


def test_a_chain_beside_direct_references_is_refused() -> None:
    refuse(errors.InvalidReference, resigned('URI="/attachment1"', f'URI="{SIG_HASH_CHAIN_RESULT}"'))


def test_a_chain_that_was_not_sent_is_refused() -> None:
    sample = signed(chained=True)
    with pytest.raises(errors.MalformedSignature, match="has none"):
        xades.verify(sample.xml, digests(sample.parts), sample.trust, AT, MEMBER)
    with pytest.raises(errors.MalformedSignature) as caught:
        xades.verify(
            sample.xml, digests(sample.parts), sample.trust, AT, MEMBER, hash_chain_result=sample.data.hash_chain_result
        )
    assert caught.value.bare_code == "MalformedSignature.InvalidReference"


def test_a_chain_of_somebody_else_is_refused() -> None:
    sample = signed(chained=True)
    other = sign(sample.pki, sample.member, parts_of(b"x", b"y"), chained=True)
    with pytest.raises(errors.InvalidSignatureValue):
        xades.verify(
            sample.xml,
            digests(parts_of(b"x", b"y")),
            sample.trust,
            AT,
            MEMBER,
            hash_chain_result=other.hash_chain_result,
            hash_chain=other.hash_chain,
        )


def test_another_certificate_of_the_same_key_is_refused() -> None:
    sample = signed()
    twin = sample.pki.issue_signing()  # same subject and key, another serial number
    mine, theirs = (b64encode(each.certificate.public_bytes(DER)).decode() for each in (sample.member, twin))
    refuse(errors.MalformedSignature, sample.spoiled(mine, theirs))


def with_properties(old: str, new: str) -> bytes:
    """Replace in the signed properties, and sign again what that changes."""
    sample = signed()
    text = sample.spoiled(old, new).decode()
    octets = xmlsafe.canonicalize(next(xmlsafe.parse(text.encode()).iter(SIGNED_PROPERTIES)), C14N)
    old_digest = re.findall(r"<ds:DigestValue>([^<]+)", text)[len(sample.parts)]
    text = text.replace(old_digest, b64encode(SHA512.digest(octets)).decode())
    signed_info = xmlsafe.canonicalize(next(xmlsafe.parse(text.encode()).iter(DS_SIGNED_INFO)), C14N)
    return resign(sample, signed_info.decode(), text)


def test_two_named_certificates_are_refused() -> None:
    end = "</xades:SigningCertificate>"
    second = "<xades:SigningCertificateV2></xades:SigningCertificateV2>"
    refuse(errors.MalformedSignature, with_properties(end, end + second))


@pytest.mark.parametrize("time", ["2026-03-14T09:26:53", "yesterday", ""])
def test_a_signing_time_must_be_a_moment(time: str) -> None:
    signed().verify(with_properties("2026-03-14T09:26:53.000Z", "2026-03-14T16:26:53+07:00"))
    refuse(errors.MalformedSignature, with_properties("2026-03-14T09:26:53.000Z", time))


# Form errors


@pytest.mark.parametrize(
    "tag", ["ds:KeyInfo", "ds:Object", "ds:SignatureValue", "xades:SignedProperties", "ds:SignedInfo", "ds:X509Data"]
)
def test_a_missing_piece_is_malformed(tag: str) -> None:
    refuse(
        errors.MalformedSignature,
        signed()
        .xml.replace(f"<{tag}".encode(), f"<{tag}X".encode())
        .replace(f"</{tag}>".encode(), f"</{tag}X>".encode()),
    )


def test_no_ocsp_response_is_malformed() -> None:
    sample = signed()
    data = sign(sample.pki, sample.member, sample.parts, ocsp=())
    refuse(errors.MalformedSignature, data.xml)


@pytest.mark.parametrize("xml", [b"", b"<a", b"<!DOCTYPE a><a/>", b"\x00"])
def test_what_is_not_xml_is_invalid(xml: bytes) -> None:
    refuse(errors.InvalidXml, xml)


def test_too_large_and_too_deep_documents_are_refused() -> None:
    refuse(errors.InvalidXml, b"<a>" + b" " * (256 * 1024) + b"</a>")
    refuse(errors.InvalidXml, b"<a>" * 129 + b"</a>" * 129)
    refuse(errors.InvalidXml, b"<a>" + b"<b/>" * 2000 + b"</a>")


def test_too_many_values_are_refused() -> None:
    sample = signed()
    data = sign(sample.pki, sample.member, sample.parts, ocsp=sample.pki.chain_ocsp(sample.member.certificate) * 11)
    refuse(errors.MalformedSignature, data.xml)


def test_text_that_is_not_base64_is_malformed() -> None:
    refuse(errors.MalformedSignature, signed().spoiled("<ds:X509Certificate>M", "<ds:X509Certificate>*"))


def test_a_certificate_that_cannot_be_read_is_malformed() -> None:
    mine = b64encode(signed().member.certificate.public_bytes(DER)).decode()
    refuse(errors.MalformedSignature, signed().spoiled(mine, "AAAA"))


def test_a_comment_inside_a_value_is_malformed() -> None:
    refuse(errors.MalformedSignature, signed().spoiled("<ds:X509Certificate>", "<ds:X509Certificate><!-- -->"))


# Certificates


def test_another_members_signature_is_refused() -> None:
    sample = signed()
    with pytest.raises(errors.IncorrectCertificate):
        xades.verify(sample.xml, digests(sample.parts), sample.trust, AT, ClientId("KH-SANDBOX", "GOV", "NSAF"))


def test_a_subsystem_is_its_member() -> None:
    sample = signed()
    subsystem = ClientId("KH-SANDBOX", "GOV", "MOP", "IDPOOR")
    assert xades.verify(sample.xml, digests(sample.parts), sample.trust, AT, subsystem).signer == MEMBER


def test_an_authentication_key_cannot_sign() -> None:
    sample = signed()
    member = sample.pki.issue_signing(usage="auth")
    refuse(errors.MalformedSignature, sign(sample.pki, member, sample.parts).xml, code="MalformedSignature")


def test_a_weak_key_is_refused() -> None:
    pki = Pki.create("rsa-2048")
    member = pki.issue_signing(key_type="rsa-1024")
    parts = parts_of()
    with pytest.raises(errors.UnsupportedAlgorithm):
        xades.verify(sign(pki, member, parts).xml, digests(parts), pki.trust(), AT, MEMBER)


def test_an_authority_that_is_not_approved_is_refused() -> None:
    sample = signed()
    other = Pki.create(label="Rogue")
    member = other.issue_signing()
    with pytest.raises(errors.IncorrectCertificate):
        sample.verify(sign(other, member, sample.parts).xml)


def test_an_authority_of_an_approved_name_is_refused() -> None:
    sample = signed()
    impostor = replace(sample.pki.root, key=Pki.create(label="Else").root.key)
    member = leaf(impostor, sample.member.certificate.subject, "ec-p256", AT, "sign")
    error = refuse(errors.CannotCreateCertPath, sign(sample.pki, member, sample.parts).xml)
    assert "approved" in error.detail


@pytest.mark.parametrize(
    ("status", "age", "code"),
    [
        ("revoked", 0, "InvalidCertPath.CertValidation"),
        ("unknown", 0, "InvalidCertPath.CertValidation"),
        ("good", 2, "InvalidCertPath.IncorrectValidationInfo"),
    ],
)
def test_a_certificate_without_good_status_is_refused(status: Status, age: int, code: str) -> None:
    sample = signed()
    response = sample.pki.ocsp(
        sample.member.certificate,
        status=status,
        this_update=AT - timedelta(hours=age),
    )
    refuse(errors.InvalidCertPath, sign(sample.pki, sample.member, sample.parts, ocsp=[response]).xml, code=code)


def test_remembered_verdicts_end_with_their_time() -> None:
    sample, cache = signed(), VerdictCache()
    for at in (AT, AT + timedelta(minutes=50)):
        xades.verify(sample.xml, digests(sample.parts), sample.trust, at, MEMBER, cache=cache)
    with pytest.raises(errors.InvalidCertPath) as caught:
        xades.verify(sample.xml, digests(sample.parts), sample.trust, AT + timedelta(hours=1), MEMBER, cache=cache)
    assert caught.value.bare_code == "InvalidCertPath.IncorrectValidationInfo"


def test_remembered_verdicts_do_not_cover_another_message() -> None:
    sample, cache = signed(), VerdictCache()
    xades.verify(sample.xml, digests(sample.parts), sample.trust, AT, MEMBER, cache=cache)
    with pytest.raises(errors.InvalidSignatureValue):
        xades.verify(sample.xml, digests(parts_of(b"other")), sample.trust, AT, MEMBER, cache=cache)


def test_remembered_verdicts_do_not_cover_another_snapshot() -> None:
    sample, cache = signed(), VerdictCache()
    xades.verify(sample.xml, digests(sample.parts), sample.trust, AT, MEMBER, cache=cache)
    elsewhere = Pki.create(label="Else").trust()
    with pytest.raises(errors.IncorrectCertificate):
        xades.verify(sample.xml, digests(sample.parts), elsewhere, AT, MEMBER, cache=cache)


def test_remembered_verdicts_do_not_cover_another_member() -> None:
    sample, cache = signed(), VerdictCache()
    xades.verify(sample.xml, digests(sample.parts), sample.trust, AT, MEMBER, cache=cache)
    stranger = ClientId(MEMBER.instance, MEMBER.member_class, "STRANGER")
    with pytest.raises(errors.IncorrectCertificate):
        xades.verify(sample.xml, digests(sample.parts), sample.trust, AT, stranger, cache=cache)


def test_remembered_verdicts_do_not_cover_another_response() -> None:
    sample, cache = signed(), VerdictCache()
    xades.verify(sample.xml, digests(sample.parts), sample.trust, AT, MEMBER, cache=cache)
    revoked = sample.pki.ocsp(sample.member.certificate, status="revoked")
    later = sign(sample.pki, sample.member, sample.parts, ocsp=[revoked])
    with pytest.raises(errors.InvalidCertPath):
        xades.verify(later.xml, digests(sample.parts), sample.trust, AT, MEMBER, cache=cache)


def test_a_certificate_with_an_unreadable_subject_is_malformed() -> None:
    der = signed().member.certificate.public_bytes(DER)
    spoiled = der.replace(b"\x55\x04\x03\x0c\x03MOP", b"\x55\x04\x03\x0c\x03M\xffP")
    assert spoiled != der
    xml = signed().spoiled(b64encode(der).decode(), b64encode(spoiled).decode())
    refuse(errors.MalformedSignature, xml, code="MalformedSignature.IncorrectCertificate")
