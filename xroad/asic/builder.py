"""Builds containers in X-Road's form, whole or piece by piece, so that a large body passes through unheld.

It refuses to know where the parts come from and whether they are true: it arranges what the message log kept.
The same parts give the same bytes, so that an archive can be written again and compared.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote_plus

from xroad.asic import names
from xroad.asic.container import BatchStamp
from xroad.asic.manifests import BINARY, XML, files_manifest, time_stamp_manifest
from xroad.asic.zipwriter import ZipWriter
from xroad.errors import MalformedSignature
from xroad.xades import SignatureData

MAX_QUERY_ID = 226  # of the escaped id in a file name, as X-Road cuts it
_DIGITS = "0123456789abcdefghijklmnopqrstuv"
_UNSIGNED_PROPERTIES = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)UnsignedSignatureProperties(?:\s[^<>]*)?>")
_XADES = "http://uri.etsi.org/01903/v1.3.2#"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a container is made of, attachments excepted.

    Args:
        message: the REST head part or SOAP message, byte by byte as it was signed.
        signature: the signature's files.
        stamp: a batch's time-stamp, or the token of a time-stamp over this signature's value alone, or None.
        attachments: how many follow: 1 for a REST message whose body was logged, 0 for one without.
        at: the time of the files, aware UTC; X-Road takes that of logging.
    """

    message: bytes
    signature: SignatureData
    stamp: BatchStamp | bytes | None
    attachments: int
    at: datetime


def build(parts: Parts, attachments: Sequence[bytes] = ()) -> bytes:
    """Return a whole container whose attachments are at hand.

    Raises:
        MalformedSignature: the signature has no place for its time-stamp.
        ContainerTooLarge: it would be over 4 GiB.
    """
    if len(attachments) != parts.attachments:
        raise ValueError("the attachments are not as many as the parts say")
    writer = ZipWriter(parts.at)
    pieces = [*_files(writer, parts)]
    for number, content in enumerate(attachments, 1):
        pieces.append(writer.file(f"{names.ATTACHMENT}{number}", content))
    return b"".join([*pieces, writer.finish()])


def begin(parts: Parts) -> tuple[ZipWriter, bytes]:
    """Return a writer and the container's first bytes; for each attachment begin, chunk and end it, then finish.

    Raises:
        MalformedSignature: the signature has no place for its time-stamp.
    """
    writer = ZipWriter(parts.at)
    return writer, b"".join(_files(writer, parts))


def file_name(query_id: str, *, response: bool, number: int) -> str:
    """Return the name that X-Road gives a container: message id, direction, and the record's number in base 32."""
    digits = ""
    while number or not digits:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    direction = "response" if response else "request"
    return f"{escaped(query_id)[:MAX_QUERY_ID]}-{direction}-{digits}{names.SUFFIX}"


def escaped(query_id: str) -> str:
    """Return a message id as X-Road writes it in file names: form-encoded, so that it can name no folder."""
    return quote_plus(query_id, safe="*-._").replace("~", "%7E")


def stamped(signature: bytes, token: bytes) -> bytes:
    """Return a signature with a time-stamp over its value put into its unsigned properties, as X-Road does.

    Raises:
        MalformedSignature: there is not exactly one place for it.
    """
    places = list(_UNSIGNED_PROPERTIES.finditer(signature))
    if len(places) != 1 or places[0][0].endswith(b"/>"):
        raise MalformedSignature("The signature has no single place for its time-stamp.")
    stamp = (
        f'<spean:SignatureTimeStamp xmlns:spean="{_XADES}"><spean:EncapsulatedTimeStamp>{b64encode(token).decode()}'
        "</spean:EncapsulatedTimeStamp></spean:SignatureTimeStamp>"
    )
    prefix = places[0][1].decode()
    if prefix:  # X-Road's verifier looks the element up by the very name `xades:EncapsulatedTimeStamp`
        stamp = stamp.replace(f' xmlns:spean="{_XADES}"', "").replace("spean:", prefix)
    place = places[0].end()
    return signature[:place] + stamp.encode() + signature[place:]


def _files(writer: ZipWriter, parts: Parts) -> Iterator[bytes]:
    signature, batch = parts.signature, parts.stamp if isinstance(parts.stamp, BatchStamp) else None
    xml = stamped(signature.xml, parts.stamp) if isinstance(parts.stamp, bytes) else signature.xml
    optional = {
        names.SIG_HASH_CHAIN_RESULT: signature.hash_chain_result,
        names.SIG_HASH_CHAIN: signature.hash_chain,
        names.TS_HASH_CHAIN_RESULT: batch.hash_chain_result if batch else None,
        names.TS_HASH_CHAIN: batch.hash_chain if batch else None,
    }
    present = {name: content for name, content in optional.items() if content is not None}
    yield writer.file(names.MIMETYPE, names.MEDIA_TYPE.encode(), stored=True)
    yield writer.file(names.MESSAGE, parts.message)
    yield writer.file(names.SIGNATURE, xml)
    for name, content in present.items():
        yield writer.file(name, content)
    listed = [(name, XML) for name in (names.MESSAGE, *present)]
    listed += [(f"{names.ATTACHMENT}{number}", BINARY) for number in range(1, parts.attachments + 1)]
    yield writer.file(names.MANIFEST, files_manifest(listed))
    if batch is not None:
        yield writer.file(names.ASIC_MANIFEST, time_stamp_manifest(batch.hash_chain_result))
        yield writer.file(names.TIMESTAMP, batch.token)
