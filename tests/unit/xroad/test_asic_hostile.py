"""Hostile containers, one trick a row: each is refused, under the name that says which trick it was."""

import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support import containers as c
from tests.support.containers import AT, BODY, REQUEST, files_of, repacked, sample
from tests.support.signing import sign
from xroad import asic, hashchain, xades
from xroad.algorithms import SHA512
from xroad.asic import BatchStamp, Outcome
from xroad.asic.manifests import files_manifest, time_stamp_manifest
from xroad.xades import SignatureData, SignedPart, form

Files = dict[str, bytes]
SIGNATURE, CHAIN, CHAIN_RESULT = "META-INF/signatures.xml", "sig-hashchain.xml", "sig-hashchainresult.xml"
ZIP = "AsicInvalidContainer"


def put(name: str, content: bytes) -> Callable[[Files], object]:
    return lambda files: files.update({name: content})


def drop(name: str) -> Callable[[Files], object]:
    return lambda files: files.pop(name)


def swap(name: str, old: bytes, new: bytes) -> Callable[[Files], object]:
    def change(files: Files) -> None:
        assert old in files[name], old
        files[name] = files[name].replace(old, new)

    return change


def listed(*names: str) -> bytes:
    return files_manifest([(name, "text/xml") for name in names])


FILES = {
    "no mimetype": (drop("mimetype"), "AsicMimeTypeNotFound"),
    "another mimetype": (put("mimetype", b"application/zip"), "AsicInvalidMimeType"),
    "no message": (drop("message.xml"), "AsicMessageNotFound"),
    "empty message": (put("message.xml", b" "), "AsicMessageNotFound"),
    "no signature": (drop(SIGNATURE), "AsicSignatureNotFound"),
    "empty manifest": (put("META-INF/manifest.xml", b""), "AsicManifestNotFound"),
    "manifest that is not XML": (put("META-INF/manifest.xml", b"<a"), f"{ZIP}.Manifest"),
    "empty time-stamp": (put("META-INF/timestamp.tst", b""), "AsicTimestampNotFound"),
    "batch without its time-stamp": (drop("META-INF/timestamp.tst"), "AsicTimestampNotFound"),
    "batch without its chain": (drop("ts-hashchain.xml"), "AsicHashChainNotFound"),
    "chain without its result": (drop("ts-hashchainresult.xml"), "AsicHashChainResultNotFound"),
    "altered message": (swap("message.xml", b"household", b"householD"), "InvalidSignatureValue"),
    "altered body": (put("attachment1", b"other"), "InvalidSignatureValue"),
    "altered signature": (swap(SIGNATURE, b"signature-reference-0", b"signature-reference-9"), "MalformedSignature"),
    "surplus file": (put("readme.txt", b"hello"), f"{ZIP}.SurplusEntry"),
    "surplus attachment": (put("attachment2", b"hello"), "MalformedSignature"),
    "attachment 0": (put("attachment0", b"hello"), f"{ZIP}.SurplusEntry"),
    "stray hash chain": (
        lambda files: files.update(
            {
                CHAIN: files_of(sample("chained").data)[CHAIN],
                CHAIN_RESULT: files_of(sample("chained").data)[CHAIN_RESULT],
            }
        ),
        f"{ZIP}.SurplusEntry",
    ),
    "stray hash chain of another message": (
        lambda files: files.update(
            {
                CHAIN: files_of(sample("chained", body=b"other").data)[CHAIN],
                CHAIN_RESULT: files_of(sample("chained", body=b"other").data)[CHAIN_RESULT],
            }
        ),
        f"{ZIP}.SurplusEntry",
    ),
    "body and list taken out": (
        lambda files: (drop("attachment1")(files), drop("META-INF/manifest.xml")(files)),
        "InvalidReference",
    ),
    "chain of the time-stamp that is not XML": (put("ts-hashchainresult.xml", b"invalid"), "MalformedSignature"),
    "second signature file": (put("META-INF/signatures1.xml", b"<a/>"), f"{ZIP}.SeveralSignatures"),
    "list that names what is not there": (
        put("META-INF/manifest.xml", listed("message.xml", "attachment1", "attachment2")),
        "InvalidReference",
    ),
    "time-stamp manifest over other data": (
        put("META-INF/ASiCManifest.xml", time_stamp_manifest(b"other")),
        f"{ZIP}.Manifest",
    ),
    "time-stamp manifest of another file": (
        swap("META-INF/ASiCManifest.xml", b"timestamp.tst", b"other.tst"),
        f"{ZIP}.Manifest",
    ),
    "time-stamp manifest that is not XML": (put("META-INF/ASiCManifest.xml", b"hello"), f"{ZIP}.Manifest"),
    "time-stamp that is none": (put("META-INF/timestamp.tst", b"hello"), "TimestampValidation"),
    "time-stamp over something else": (
        lambda files: files.update({"META-INF/timestamp.tst": sample().pki.time_stamp(SHA512.digest(b"other"))}),
        "MalformedSignature",
    ),
    "time-stamp by an authority of no standing": (
        lambda files: files.update(
            {
                "META-INF/timestamp.tst": sample().pki.time_stamp(
                    SHA512.digest(files["ts-hashchainresult.xml"]), signer=sample().pki.issue_signing()
                )
            }
        ),
        "TimestampValidation",
    ),
    "chain of the time-stamp to another file": (
        swap("ts-hashchain.xml", b"/META-INF/signatures.xml", b"/message.xml"),
        "MalformedSignature",
    ),
    "DTD": (swap("message.xml", b"POST", b"<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>"), "InvalidXml"),
}


@pytest.mark.parametrize("trick", FILES)
def test_files(trick: str) -> None:
    change, reason = FILES[trick]
    verdict = sample().judge(repacked(sample().data, change))
    assert (verdict.outcome, verdict.reason) == (Outcome.INVALID, reason)


CHAINED = {
    "step that points elsewhere": (swap(CHAIN, b'URI="/message.xml"', b'URI="/other.xml"'), "HashChainUnusedInputs"),
    "message under another name in the chain": (
        lambda files: (swap(CHAIN, b'URI="/message.xml"', b'URI="/readme.txt"')(files), put("readme.txt", b"x")(files)),
        "HashChainUnusedInputs",
    ),
    "step that is not there": (
        swap(CHAIN_RESULT, b"#STEP0", b"#STEP7"),
        "MalformedHashChain",
    ),
    "result that points to another file": (
        swap(CHAIN_RESULT, b"/sig-hashchain.xml#", b"/other.xml#"),
        "InvalidReference",
    ),
    "altered message": (swap("message.xml", b"household", b"householD"), "InvalidHashChainRef"),
    "altered body": (put("attachment1", b"other"), "InvalidHashChainRef"),
    "altered digest in the chain": (swap(CHAIN, b"<ds:DigestValue>", b"<ds:DigestValue>AA"), "InvalidHashChainRef"),
    "body that the chain does not cover": (put("attachment2", b"x"), "HashChainUnusedInputs"),
    "chain that is not XML": (put(CHAIN, b"hello"), "MalformedHashChain"),
    "step that points to another file of the container": (
        swap(CHAIN, b'URI="/message.xml"', b'URI="/mimetype"'),
        "InvalidHashChainRef",
    ),
    "message taken out of the chain": (
        lambda files: files.update({CHAIN: re.sub(rb"<hc:DataRef URI=./mes.*?</hc:DataRef>", b"", files[CHAIN])}),
        "InvalidHashChain",
    ),
    "altered result": (swap(CHAIN_RESULT, b"sha512", b"sha256"), "InvalidHashChain"),
}


@pytest.mark.parametrize("trick", CHAINED)
def test_hash_chains(trick: str) -> None:
    change, reason = CHAINED[trick]
    verdict = sample("chained").judge(repacked(sample("chained").data, change))
    assert (verdict.outcome, verdict.reason) == (Outcome.INVALID, f"MalformedSignature.{reason}")


def test_a_reference_beside_the_message_that_is_not_there() -> None:
    digests = [SHA512.digest(REQUEST.head), SHA512.digest(BODY), SHA512.digest(b"third")]
    names = [xades.MESSAGE, xades.attachment_name(1), xades.attachment_name(2)]
    parts = [SignedPart(name, digest) for name, digest in zip(names, digests, strict=True)]
    original = sample()
    signature = sign(original.pki, original.pki.issue_signing(c.INSTANCE, "GOV", "NSAF"), parts)
    forged = c.stamped_anew(original, signature)
    listing = put("META-INF/manifest.xml", listed("message.xml", "attachment1", "attachment2"))
    assert forged.judge(repacked(forged.data, listing)).reason == "InvalidReference"


def test_a_signature_over_something_else_needs_no_trust_to_be_refused() -> None:
    xml = sample().parts.signature.xml
    other = SignatureData(xml.replace(b'URI="/message.xml"', b'URI="/foobar.xml"'))
    data, stranger = c.stamped_anew(sample(), other).data, c.authority().trust("EE")
    assert asic.judge(data, stranger, c.NOW).reason == "MalformedSignature"
    broken = repacked(sample().data, put("ts-hashchainresult.xml", b"invalid"))
    assert asic.judge(broken, stranger, c.NOW).reason == "MalformedSignature"


@pytest.mark.parametrize("form", ["direct", "chained"])
def test_without_a_list_nobody_left_a_body_out(form: c.Form) -> None:
    bare = sample(form, logged=False)
    assert bare.judge().outcome is Outcome.VALID
    assert bare.judge(repacked(bare.data, drop("META-INF/manifest.xml"))).reason == "InvalidReference"


def test_two_signatures_in_one_file() -> None:
    xml = sample().parts.signature.xml
    start, end = xml.index(b"<ds:Signature "), xml.index(b"</asic:XAdESSignatures>")
    doubled = SignatureData(xml[:end] + xml[start:end] + xml[end:])
    assert c.stamped_anew(sample(), doubled).judge().reason == "MalformedSignature"


def test_a_key_info_that_is_not_the_signers() -> None:
    original = sample()
    other = original.pki.issue_signing(c.INSTANCE, "GOV", "NSAF").certificate
    own = original.parts.signature.xml
    start = own.index(b"<ds:X509Certificate>") + len(b"<ds:X509Certificate>")
    end = own.index(b"</ds:X509Certificate>")
    der = other.public_bytes(Encoding.DER)
    forged = c.stamped_anew(original, SignatureData(own[:start] + b64encode(der) + own[end:]))
    assert forged.judge().reason in {"InvalidSignatureValue", "MalformedSignature"}


def test_another_member_signed() -> None:
    assert sample(signer=("GOV", "MOP")).judge().reason == "IncorrectCertificate"


def test_a_time_stamp_long_after_the_certificates_status() -> None:
    original = sample(stamp="none")
    late = original.pki.time_stamp(
        SHA512.digest(form.locate(original.parts.signature.xml).signature_value),
        at=AT + timedelta(days=2),
    )
    stamped = replace(original, parts=replace(original.parts, stamp=late))
    assert stamped.judge().reason == "InvalidCertPath.IncorrectValidationInfo"


def test_a_plain_time_stamp_over_something_else() -> None:
    original = sample(stamp="none")
    wrong = replace(original.parts, stamp=original.pki.time_stamp(SHA512.digest(b"other")))
    assert replace(original, parts=wrong).judge().reason == "MalformedSignature"


def test_a_batch_that_does_not_have_this_signature() -> None:
    original, xml = sample(), sample().parts.signature.xml
    digests = [[SHA512.digest(b"others")], [SHA512.digest(b"more")]]
    chains = hashchain.build(digests, chain_name="/ts-hashchain.xml", data_name="/META-INF/signatures.xml")
    token = original.pki.time_stamp(SHA512.digest(chains.result))
    stamp = BatchStamp(token, chains.result, chains.chains[0])
    assert xml
    assert replace(original, parts=replace(original.parts, stamp=stamp)).judge().reason == "MalformedSignature"


def test_entries_in_any_order_are_the_same_document() -> None:
    # X-Road reads them in any order, and documents repacked by hand are as true; it is told, not refused.
    backwards = c.zipped(dict(reversed(files_of(sample().data).items())))
    verdict = sample().judge(backwards)
    assert verdict.outcome is Outcome.VALID
    assert verdict.container is not None
    assert not verdict.container.in_order
    assert asic.read(sample().data).in_order
