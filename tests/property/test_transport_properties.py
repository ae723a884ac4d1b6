"""Whatever is written is read again, however it is cut; whatever is spoiled is refused in order."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from xroad import transport
from xroad.errors import XRoadError

BOUNDARY = "xtopABC"
data = st.binary(max_size=60) | st.sampled_from(
    [b"\r\n--xtopAB", b"\r", b"\n", b"\r\n", b"--", b"x--xtopABC", b"\r\n\r\n--x"]
)
messages = st.tuples(st.lists(data, max_size=2), data, st.none() | data, st.none() | st.tuples(data, data), data)
Message = tuple[list[bytes], bytes, bytes | None, tuple[bytes, bytes] | None, bytes]


def write(message: Message) -> bytes:
    ocsp, head, body, chain, signature = message
    encoder = transport.Encoder("request", boundary=BOUNDARY)
    written = b"".join(encoder.ocsp(response) for response in ocsp) + encoder.rest_head(head)
    written += b"" if body is None else encoder.body_begin() + body
    written += b"" if chain is None else encoder.hash_chain(*chain)
    return written + encoder.signature(signature) + encoder.close()


def read(pieces: Sequence[bytes]) -> list[transport.Event]:
    decoder = transport.Decoder(f"multipart/mixed; charset=UTF-8; boundary={BOUNDARY}", "request")
    events = [event for piece in pieces for event in decoder.feed(piece)] + decoder.finish()
    return merged(events)


def merged(events: list[transport.Event]) -> list[transport.Event]:
    """Join body chunks: where they are cut means nothing."""
    joined: list[transport.Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, transport.BodyChunk) and isinstance(last, transport.BodyChunk):
            joined[-1] = transport.BodyChunk(last.data + event.data)
        else:
            joined.append(event)
    return joined


def expected(message: Message) -> list[transport.Event]:
    ocsp, head, body, chain, signature = message
    events: list[transport.Event] = [*map(transport.OcspPart, ocsp), transport.RestHead(head)]
    if body is not None:
        events.append(transport.BodyStart())
        events.extend([transport.BodyChunk(body)] if body else [])
    if chain is not None:
        events.extend([transport.HashChainResult(chain[0]), transport.HashChain(chain[1])])
    return [*events, transport.Signature(signature), transport.End()]


@given(messages)
def test_what_is_written_is_read(message: Message) -> None:
    assert read([write(message)]) == expected(message)


@given(messages)
def test_cut_at_every_place_it_reads_the_same(message: Message) -> None:
    written, whole = write(message), expected(message)

    for at in range(len(written) + 1):
        assert read([written[:at], written[at:]]) == whole


@given(messages, st.integers(1, 5))
def test_in_small_pieces_it_reads_the_same(message: Message, step: int) -> None:
    written = write(message)

    assert read([written[at : at + step] for at in range(0, len(written), step)]) == expected(message)


@given(messages, st.data())
def test_a_flipped_byte_gives_other_parts_or_a_named_refusal(message: Message, draw: st.DataObject) -> None:
    written = bytearray(write(message))
    at = draw.draw(st.integers(0, len(written) - 1))
    written[at] ^= draw.draw(st.integers(1, 255))

    assert verdict([bytes(written)]) != []


@given(messages, st.data())
def test_whole_or_in_bytes_the_verdict_is_the_same(message: Message, draw: st.DataObject) -> None:
    written = bytearray(write(message))
    for _ in range(draw.draw(st.integers(1, 3))):
        written[draw.draw(st.integers(0, len(written) - 1))] = draw.draw(st.sampled_from(b"\r\n-: x;"))

    assert verdict([bytes(written)]) == verdict([bytes([byte]) for byte in written])


def verdict(pieces: Sequence[bytes]) -> list[transport.Event] | None:
    """Give the parts, or None for a refusal (of two faults in a message, the cut decides which is named)."""
    try:
        return read(pieces)
    except XRoadError:
        return None


@given(messages, st.data())
def test_a_truncated_message_is_always_refused(message: Message, draw: st.DataObject) -> None:
    written = write(message)
    cut = draw.draw(st.integers(0, len(written) - len("--\r\n") - 1))

    assert verdict([written[:cut]]) is None
