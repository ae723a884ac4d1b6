"""Signed documents for tests: good ones in every form that X-Road and we write, and the tools to spoil them."""

import io
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Literal

from tests.support.pki import AT, Pki
from tests.support.signing import sign
from xroad import asic, hashchain, xades
from xroad.algorithms import SHA512
from xroad.asic import BatchStamp, Parts, Verdict
from xroad.asic.names import COMMENT
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.rest import RestRequest, RestResponse, request_hash
from xroad.xades import SignatureData, SignedPart, form

__all__ = ["AT", "COMMENT", "Sample", "sample"]

Form = Literal["direct", "chained"]
Stamp = Literal["plain", "batch", "none"]

INSTANCE = "KH-SANDBOX"
CLIENT, PROVIDER = f"{INSTANCE}/GOV/NSAF/FAMILY-PACKAGE", f"{INSTANCE}/GOV/MOP/IDPOOR"
BODY = '{"name": "សុខ"}'.encode()
STAMPED = AT + timedelta(minutes=1)
NOW = AT + timedelta(days=4000)  # long after every certificate has expired
REQUEST = RestRequest.from_http(
    "POST",
    f"/r1/{PROVIDER}/household",
    [("X-Road-Client", CLIENT), ("X-Road-Id", "query-1"), ("X-Road-UserId", "KH1"), ("X-Road-Issue", "case 7")],
    request_id="8a4f0c0e-0000-4000-8000-000000000001",
    default_query_id="unused",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A container's parts, what it stands on, and its bytes."""

    pki: Pki
    trust: TrustSnapshot
    parts: Parts
    attachments: tuple[bytes, ...]

    @property
    def data(self) -> bytes:
        return asic.build(self.parts, self.attachments)

    def judge(self, data: bytes | None = None) -> Verdict:
        return asic.judge(self.data if data is None else data, self.trust, NOW)


@cache
def authority() -> Pki:
    return Pki.create()


def response_head(request: RestRequest = REQUEST, body: bytes | None = BODY) -> bytes:
    digest = None if body is None else SHA512.digest(body)
    return RestResponse.for_request(request, 200, "OK", [], request_hash(request.head, digest)).head


def batch(signature: bytes, pki: Pki, others: int = 3) -> BatchStamp:
    """Time-stamp a signature together with others, as the message log does."""
    digests = [SHA512.digest(signature), *(SHA512.digest(b"%d" % number) for number in range(others))]
    chains = hashchain.build(
        [[digest] for digest in digests], chain_name="/ts-hashchain.xml", data_name="/META-INF/signatures.xml"
    )
    token = pki.time_stamp(SHA512.digest(chains.result), at=STAMPED)
    return BatchStamp(token, chains.result, chains.chains[0])


def plain(signature: bytes, pki: Pki) -> bytes:
    return pki.time_stamp(SHA512.digest(form.locate(signature).signature_value), at=STAMPED)


def stamp_of(signature: bytes, pki: Pki, kind: Stamp) -> BatchStamp | bytes | None:
    if kind == "none":
        return None
    return batch(signature, pki) if kind == "batch" else plain(signature, pki)


@cache
def sample(
    layout: Form = "direct",
    stamp: Stamp = "batch",
    *,
    body: bytes | None = BODY,
    logged: bool = True,
    head: bytes = REQUEST.head,
    signer: tuple[str, str] = ("GOV", "NSAF"),
) -> Sample:
    """Return a good container, made once per process."""
    pki = authority()
    parts = [SignedPart(xades.MESSAGE, SHA512.digest(head))]
    if body is not None:
        parts.append(SignedPart(xades.attachment_name(1), SHA512.digest(body), "application/octet-stream"))
    signature = sign(pki, pki.issue_signing(INSTANCE, *signer), parts, chained=layout == "chained")
    attachments = (body,) if body is not None and logged else ()
    made = Parts(head, signature, stamp_of(signature.xml, pki, stamp), len(attachments), AT)
    return Sample(pki, pki.trust(), made, attachments)


def stamped_anew(original: Sample, signature: SignatureData, **changes: object) -> Sample:
    """Return a sample with another signature under a good time-stamp: what a forger with a time-stamper can do."""
    made = replace(original.parts, signature=signature, stamp=batch(signature.xml, original.pki))
    return replace(original, parts=replace(made, **changes))  # type: ignore[arg-type]


def files_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: Mapping[str, bytes], *, comment: bytes = COMMENT, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Pack files with a ZIP programme that is not ours."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.comment = comment
    return target.getvalue()


def repacked(data: bytes, change: Callable[[dict[str, bytes]], object]) -> bytes:
    """Return a container whose files were changed and packed again."""
    files = files_of(data)
    change(files)
    return zipped(files)


def central_records(data: bytes) -> list[int]:
    """Return where the records of the central directory begin."""
    end = data.rfind(b"PK\x05\x06")
    count, place = struct.unpack_from("<H", data, end + 10)[0], struct.unpack_from("<I", data, end + 16)[0]
    found = []
    for _ in range(count):
        found.append(place)
        name, extra, comment = struct.unpack_from("<3H", data, place + 28)
        place += 46 + name + extra + comment
    return found


def patched(data: bytes, place: int, new: bytes) -> bytes:
    """Return bytes with some replaced in place."""
    return data[:place] + new + data[place + len(new) :]
