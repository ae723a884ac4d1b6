"""An encrypted body beside its document: opened as it was, and refused when a bit of it is another."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from securityserver.archiving.errors import ArchiveRefused
from securityserver.archiving.sealed import check, header_line, opened, read_header
from securityserver.messagelog.body import CHUNK_SIZE
from securityserver.messagelog.bodycipher import BodySealer, context_of
from securityserver.messagelog.keys import BodyKeys, wrap
from securityserver.messagelog.leaf import FIELDS
from securityserver.messagelog.records import COLUMNS, row_of
from tests.support.messagelog import make_record
from xroad.algorithms import SHA512

DATA_KEY = bytes(range(32))
PRIVATE = ec.generate_private_key(ec.SECP256R1())
KEYS = BodyKeys.from_pem(PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), None)


def sealed(body: bytes, *, large: bool = False) -> bytes:
    row: dict[str, Any] = dict(zip(COLUMNS, row_of(make_record()), strict=True))
    row |= {"body_form": 1, "body_key_id": 1, "body_size": len(body), "body_digest": SHA512.digest(body)}
    row["body_id"] = 1 if large else None
    sealer = BodySealer(DATA_KEY, context_of([row[name] for name in FIELDS]))
    step = CHUNK_SIZE if large else len(body)
    stored = b"".join(sealer.seal(n, body[at : at + step]) for n, at in enumerate(range(0, len(body), step)))
    row["body_stored_digest"] = sealer.stored_digest()
    return header_line(row, wrap(DATA_KEY, [PRIVATE.public_key()])) + stored


def content(data: bytes) -> bytes:
    return b"".join(opened(io.BytesIO(data), KEYS))


@pytest.mark.parametrize("size", [1, 1000, CHUNK_SIZE])
def test_a_body_comes_back(size: int) -> None:
    body = bytes(size - 1) + b"e"
    check(io.BytesIO(sealed(body)))
    assert content(sealed(body)) == body


def test_a_large_body_comes_back_in_chunks() -> None:
    body = bytes(2 * CHUNK_SIZE) + b"end"
    pieces = list(opened(io.BytesIO(sealed(body, large=True)), KEYS))
    assert [len(piece) for piece in pieces] == [CHUNK_SIZE, CHUNK_SIZE, 3]
    assert b"".join(pieces) == body


@given(place=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_no_changed_bit_is_opened_as_another_body(place: int, bit: int) -> None:
    data = bytearray(SEALED)
    data[place % len(data)] ^= 1 << bit
    try:
        assert content(bytes(data)) == b"a body"
    except ArchiveRefused:
        return


SEALED = sealed(b"a body")


def changed(**changes: Any) -> bytes:
    line, _, stored = SEALED.partition(b"\n")
    return json.dumps(json.loads(line) | changes).encode() + b"\n" + stored


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"[" * 100_000 + b"\n",
        b"\xff\n",
        changed(form="another-form"),
        changed(chunk=0),
        changed(chunk=2**40),
        changed(chunk="many"),
        changed(size=-1),
        changed(digest="no base64!"),
        changed(context=7),
    ],
)
def test_a_first_line_that_says_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(ArchiveRefused, match="its first line"):
        read_header(io.BytesIO(data))


@pytest.mark.parametrize("read", [content, lambda data: check(io.BytesIO(data))])
@pytest.mark.parametrize("data", [SEALED[:-1], SEALED[:-1] + bytes([SEALED[-1] ^ 1])])
def test_a_body_that_is_cut_or_changed_is_refused(data: bytes, read: Callable[[bytes], object]) -> None:
    with pytest.raises(ArchiveRefused):
        read(data)


def test_a_body_of_another_digest_is_refused() -> None:
    with pytest.raises(ArchiveRefused, match="not the body that was logged"):
        content(changed(digest=json.loads(SEALED.partition(b"\n")[0])["stored"]))


def test_a_body_for_others_is_refused() -> None:
    others = wrap(DATA_KEY, [ec.generate_private_key(ec.SECP256R1()).public_key()])
    with pytest.raises(ArchiveRefused, match="encrypted for other keys"):
        content(changed(wrapped=json.loads(others)))


def test_a_wrapped_key_that_was_altered_is_refused() -> None:
    wrapped = json.loads(wrap(DATA_KEY, [PRIVATE.public_key()]))
    broken = {name: value | {"key": "AAAA"} for name, value in wrapped.items()}
    with pytest.raises(ArchiveRefused):
        content(changed(wrapped=broken))
