"""Hostile containers, one trick a row: each is refused, under the name that says which trick it was."""

import io
import struct
import zipfile
import zlib
from base64 import b64encode
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from tests.support import containers as c
from tests.support.containers import AT, BODY, COMMENT, REQUEST, central_records, files_of, patched, repacked, sample
from tests.support.signing import sign
from xroad import asic, hashchain, xades
from xroad.algorithms import SHA512
from xroad.asic import BatchStamp, Outcome, zipreader
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
    "chain that is not XML": (put(CHAIN, b"hello"), "InvalidXml"),
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


def field(name: str, offset: int, new: bytes) -> Callable[[bytes], bytes]:
    """Patch a field of a file's record in the central directory."""

    def change(data: bytes) -> bytes:
        place = next(each for each in central_records(data) if data[each + 46 :].startswith(name.encode()))
        return patched(data, place + offset, new)

    return change


def local(offset: int, new: bytes) -> Callable[[bytes], bytes]:
    """Patch a field of the header in front of the first file."""
    return lambda data: patched(data, offset, new)


def end(offset: int, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: patched(data, data.rfind(b"PK\x05\x06") + offset, new)


def duplicated(name: str, twin: str | None = None) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for each, content in files_of(data).items():
                archive.writestr(each, content)
            with pytest.warns(UserWarning, match="Duplicate") if twin is None else nullcontext():
                archive.writestr(twin or name, b"another")
            archive.comment = COMMENT
        return target.getvalue()

    return change


def added(name: str, content: bytes = b"x", **changes: int | bytes) -> Callable[[bytes], bytes]:
    """Add a file that a good ZIP programme would not."""

    def change(data: bytes) -> bytes:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for each, old in files_of(data).items():
                archive.writestr(each, old)
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            for key, value in changes.items():
                setattr(info, key, value)
            archive.writestr(info, content)
            archive.comment = COMMENT
        return target.getvalue()

    return change


def with_extra(kind: int, content: bytes = b"") -> Callable[[bytes], bytes]:
    return added("attachment2", extra=struct.pack("<2H", kind, len(content)) + content)


def bomb(data: bytes) -> bytes:
    return repacked(data, put("attachment2", bytes(zipreader.BOMB_BYTES + 1)))


def between(data: bytes) -> bytes:
    """Put bytes between the files and the directory."""
    at = central_records(data)[0]
    moved = data[:at] + b"hidden" + data[at:]
    place = moved.rfind(b"PK\x05\x06")
    return patched(moved, place + 16, struct.pack("<I", at + 6))


def shared_data(data: bytes) -> bytes:
    """Let the body's record begin where the message's does, as bombs without compression do."""
    records = central_records(data)
    offset = data[records[1] + 42 : records[1] + 46]
    return patched(data, records[-1] + 42, offset)


def zip64_locator(data: bytes) -> bytes:
    place = data.rfind(b"PK\x05\x06")
    start = struct.unpack_from("<I", data, place + 16)[0]
    locator = b"PK\x06\x07" + bytes(16)
    moved = data[:place] + locator + data[place:]
    return patched(moved, place + 20 + 12, struct.pack("<2I", place + 20 - start, start))


def trailing_deflate(data: bytes) -> bytes:
    """Put bytes behind the end of a compressed stream, within its packed size."""
    content = zlib.compressobj(wbits=-15)
    packed = content.compress(b"x") + content.flush() + b"hidden"
    target = added("attachment2")(data)
    place = central_records(target)[-1]
    start = struct.unpack_from("<I", target, place + 42)[0]
    size = len(packed)
    header = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 0, zlib.crc32(b"x"), size, 1, 11, 0)
    record = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, zlib.crc32(b"x"), size, 1, 11, 0, 0, 0, 0, 0, start
    )
    files = target[:start] + header + b"attachment2" + packed
    first = central_records(target)[0]
    directory = target[first:place] + record + b"attachment2"
    count = len(central_records(target))
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(files), 0)
    return files + directory + tail


BYTES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "not a ZIP": (lambda _: b"hello", "NotZip"),
    "nothing": (lambda _: b"", "NotZip"),
    "cut short": (lambda data: data[:-100], "NotZip"),
    "data behind the end": (lambda data: data + b"hidden", "SurplusData"),
    "data in front": (lambda data: b"#!/bin/sh\n" + data, "SurplusData"),
    "data between files and directory": (between, "SurplusData"),
    "ZIP comment": (lambda data: c.zipped(files_of(data), comment=b"signed by the minister"), "Comment"),
    "ZIP comment with a second end in it": (
        lambda data: c.zipped(files_of(data), comment=b"PK\x05\x06" + bytes(18)),
        "CentralDirectory",
    ),
    "comment length that lies": (end(20, b"\x00\x00"), "SurplusData"),
    "file comment": (added("attachment2", comment=b"hello"), "Comment"),
    "ZIP64 in the end record": (end(10, b"\xff\xff"), "Zip64"),
    "ZIP64 locator": (zip64_locator, "Zip64"),
    "ZIP64 size": (field("message.xml", 24, b"\xff\xff\xff\xff"), "Zip64"),
    "ZIP64 extra field": (with_extra(0x0001, bytes(16)), "Zip64"),
    "name in an extra field": (with_extra(0x7075, b"\x01" + bytes(4) + b"other"), "ExtraField"),
    "damaged extra field": (added("attachment2", extra=b"UT\xff\xff"), "ExtraField"),
    "pieces on other disks": (end(4, b"\x01\x00"), "CentralDirectory"),
    "more files than counted": (end(8, struct.pack("<2H", 3, 3)), "CentralDirectory"),
    "fewer files than counted": (end(8, struct.pack("<2H", 100, 100)), "CentralDirectory"),
    "encrypted file": (field("message.xml", 8, b"\x01\x00"), "Encrypted"),
    "strongly encrypted file": (field("message.xml", 8, b"\x40\x00"), "Encrypted"),
    "another compression": (field("message.xml", 10, b"\x0c\x00"), "CompressionMethod"),
    "unknown flag": (field("message.xml", 8, b"\x20\x00"), "CompressionMethod"),
    "stored with a descriptor": (field("mimetype", 8, b"\x08\x00"), "CompressionMethod"),
    "two headers with two names": (local(30, b"Mimetype"), "LocalHeader"),
    "two headers with two methods": (local(8, b"\x08\x00"), "LocalHeader"),
    "two headers with two checksums": (local(14, b"\x00\x00\x00\x01"), "LocalHeader"),
    "two headers with two sizes": (local(22, b"\x01\x00\x00\x00"), "LocalHeader"),
    "no header where the directory says": (field("message.xml", 42, b"\x01\x00\x00\x00"), "LocalHeader"),
    "header beyond the files": (field("message.xml", 42, b"\xf0\xff\xff\x00"), "LocalHeader"),
    "two files of one data": (shared_data, "LocalHeader"),
    "link": (added("attachment2", b"/etc/passwd", external_attr=0o120777 << 16, create_system=3), "SpecialFile"),
    "device": (added("attachment2", b"", external_attr=0o060666 << 16, create_system=3), "SpecialFile"),
    "path that climbs": (added("../attachment2"), "EntryName"),
    "path that climbs within": (added("META-INF/../../attachment2"), "EntryName"),
    "absolute path": (added("/etc/cron.d/x"), "EntryName"),
    "path of Windows": (added("..\\attachment2"), "EntryName"),
    "drive of Windows": (added("C:attachment2"), "EntryName"),
    "NUL in a name": (added("attachment2\x00.txt"), "EntryName"),
    "line break in a name": (added("attach\nment2"), "EntryName"),
    "name that is not ASCII": (added("аttachment1"), "EntryName"),  # noqa: RUF001  # a Cyrillic a
    "duplicated message": (duplicated("message.xml"), "DuplicateEntry"),
    "duplicated signature": (duplicated(SIGNATURE), "DuplicateEntry"),
    "duplicated in other letters": (duplicated("message.xml", "Message.XML"), "DuplicateEntry"),
    "surplus folder": (added("folder/", b"", compress_type=zipfile.ZIP_STORED), "SurplusEntry"),
    "bomb": (bomb, "CompressionBomb"),
    "message larger than messages are": (
        lambda data: repacked(data, put("message.xml", bytes(17 * 1024 * 1024))),
        "TooLarge",
    ),
    "larger than it says": (field("message.xml", 24, b"\x01\x00\x00\x00"), "LocalHeader"),
    "data behind a compressed stream": (trailing_deflate, "EntryContent"),
}


@pytest.mark.parametrize("trick", BYTES)
def test_bytes(trick: str) -> None:
    change, defect = BYTES[trick]
    verdict = sample().judge(change(sample().data))
    assert (verdict.outcome, verdict.reason) == (Outcome.INVALID, f"{ZIP}.{defect}")


def both(name: str, central: int, local_offset: int, new: bytes) -> bytes:
    """Patch a field in both headers of a file."""
    data = field(name, central, new)(sample().data)
    place = next(each for each in central_records(data) if data[each + 46 :].startswith(name.encode()))
    return patched(data, struct.unpack_from("<I", data, place + 42)[0] + local_offset, new)


@pytest.mark.parametrize(
    ("name", "central", "offset", "new"),
    [
        ("message.xml", 24, 22, b"\x01\x00\x00\x00"),  # larger than both headers say
        ("message.xml", 24, 22, b"\xff\xff\x00\x00"),  # smaller
        ("message.xml", 16, 14, b"\x00\x00\x00\x01"),  # of another checksum
        ("attachment1", 16, 14, b"\x00\x00\x00\x01"),
    ],
)
def test_a_file_that_is_not_what_its_headers_say(name: str, central: int, offset: int, new: bytes) -> None:
    assert sample().judge(both(name, central, offset, new)).reason == f"{ZIP}.EntryContent"


def streamed(data: bytes) -> bytes:
    """Pack the files as Java does: sizes and checksums behind the data."""
    writer = asic.ZipWriter(AT)
    pieces = []
    for name, content in files_of(data).items():
        pieces += [writer.begin(name), writer.chunk(content), writer.end()]
    return b"".join([*pieces, writer.finish()])


def test_descriptors_behind_the_data_are_read() -> None:
    assert sample().judge(streamed(sample().data)).outcome is Outcome.VALID


def test_descriptors_that_say_something_else_are_refused() -> None:
    data = streamed(sample().data)
    place = data.index(b"PK\x07\x08") + 4
    assert sample().judge(patched(data, place, b"\x00\x00\x00\x01")).reason == f"{ZIP}.LocalHeader"


def test_too_many_files() -> None:
    many = repacked(sample().data, lambda files: files.update({f"x{n}": b"" for n in range(zipreader.MAX_ENTRIES)}))
    assert sample().judge(many).reason == f"{ZIP}.CentralDirectory"
