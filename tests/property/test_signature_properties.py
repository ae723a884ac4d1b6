"""Whatever byte is flipped in a message, its signature, its chain or a stamp, it is refused, and only refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.pki import AT
from tests.support.signing import BODY, HEAD, MEMBER, digests, parts_of, sign, signed
from xroad import hashchain, timestamp, xades
from xroad.algorithms import SHA512
from xroad.errors import XRoadError
from xroad.hashchain import DigestValue

EXAMPLES = settings(max_examples=150, deadline=None)
POSITION = st.integers(min_value=0, max_value=100_000)
MASK = st.integers(min_value=1, max_value=255)


def flipped(data: bytes, position: int, mask: int) -> bytes:
    position %= len(data)
    return data[:position] + bytes([data[position] ^ mask]) + data[position + 1 :]


@EXAMPLES
@given(position=POSITION, mask=MASK, in_body=st.booleans(), chained=st.booleans())
def test_a_flipped_byte_of_the_message(position: int, mask: int, *, in_body: bool, chained: bool) -> None:
    head = HEAD if in_body else flipped(HEAD, position, mask)
    body = flipped(BODY, position, mask) if in_body else BODY
    with pytest.raises(XRoadError):
        signed(chained=chained).verify(parts=parts_of(head, body))


@EXAMPLES
@given(position=POSITION, mask=MASK, chained=st.booleans())
def test_a_flipped_byte_of_the_signature(position: int, mask: int, *, chained: bool) -> None:
    sample = signed(chained=chained)
    altered = flipped(sample.xml, position, mask)
    try:
        verified = sample.verify(altered)
    except XRoadError:
        return
    # What neither is signed nor says anything (a quote's kind, the case of "utf-8", an unused Id) may change.
    assert verified == sample.verify()


@EXAMPLES
@given(position=POSITION, mask=MASK)
def test_a_flipped_byte_of_the_chain_or_result(position: int, mask: int) -> None:
    sample = signed(chained=True)
    result, chain = sample.data.hash_chain_result or b"", sample.data.hash_chain or b""
    with pytest.raises(XRoadError):
        xades.verify(
            sample.xml,
            digests(sample.parts),
            sample.trust,
            AT,
            MEMBER,
            hash_chain_result=flipped(result, position, mask),
            hash_chain=chain,
        )


@EXAMPLES
@given(data=st.binary(max_size=300))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(XRoadError):
        signed().verify(data)


@EXAMPLES
@given(position=POSITION, mask=MASK)
def test_a_flipped_byte_of_a_time_stamp(position: int, mask: int) -> None:
    sample = signed()
    token = flipped(_token(), position, mask)
    try:
        verified = timestamp.verify(token, b"data", sample.trust, AT)
    except XRoadError:
        return
    assert verified.gen_time == AT  # embedded certificates and the like are not signed, and not used


@EXAMPLES
@given(st.lists(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4), min_size=2, max_size=20))
def test_every_batch_verifies(messages: list[list[bytes]]) -> None:
    digested = [[SHA512.digest(part) for part in message] for message in messages]
    built = hashchain.build(digested)
    for message, chain in zip(digested, built.chains, strict=True):
        names = [hashchain.MESSAGE, *(f"/attachment{number}" for number in range(1, len(message)))]
        inputs = {name: DigestValue(SHA512, part) for name, part in zip(names, message, strict=True)}
        hashchain.verify(built.result, inputs, {hashchain.SIG_HASH_CHAIN: chain}.get)


@settings(max_examples=25, deadline=None)
@given(head=st.binary(max_size=200), body=st.none() | st.binary(max_size=200), chained=st.booleans())
def test_whatever_is_signed_verifies(head: bytes, body: bytes | None, *, chained: bool) -> None:
    sample = signed()
    parts = parts_of(head, body)
    data = sign(sample.pki, sample.member, parts, chained=chained)
    xades.verify(
        data.xml,
        digests(parts),
        sample.trust,
        AT,
        MEMBER,
        hash_chain_result=data.hash_chain_result,
        hash_chain=data.hash_chain,
    )


def _token() -> bytes:
    return signed().pki.time_stamp(SHA512.digest(b"data"))
