"""REST messages between two security servers, as streams: one written, one read, with bodies in a spool.

It refuses to know keys, trust and the order of an exchange; both pipelines use it for their half. SOAP's message
parts will be read and written beside these, by the same two pipelines.
"""

from collections import deque
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final, NamedTuple

from securityserver.messagelog import EMPTY_BODY, Body, BodySpool, BodyTooLarge, Direction, Record, Side
from xroad import soap, xades
from xroad.algorithms import SHA512
from xroad.errors import InvalidMessage, MimeParsingFailed, MissingSignature
from xroad.rest import RestRequest, request_hash_of
from xroad.transport import (
    BodyChunk,
    BodyStart,
    Decoder,
    Encoder,
    Event,
    Fault,
    HashChain,
    HashChainResult,
    OcspPart,
    RestHead,
    Signature,
)

# A body's pieces are sent in writes of about this size.
PIECE_BYTES: Final = 64 * 1024


class MessageHead(NamedTuple):
    """What comes first of a message: the OCSP responses and the head part's exact bytes."""

    ocsp: tuple[bytes, ...]
    head: bytes


class Message(NamedTuple):
    """A whole message; ``body`` is None when there is no body part, which is not the same as an empty one.

    ``parts`` are those of head and body, as ``signed_parts`` names them.
    """

    head: bytes
    body: Body | None
    signature: xades.SignatureData
    parts: tuple[xades.SignedPart, ...]

    def digests(self) -> dict[str, bytes]:
        """Give the SHA-512 digest of each part, by the name that signatures call it."""
        return {part.name: part.digest for part in self.parts}

    def request_hash(self) -> bytes:
        """Give what binds an answer to this request."""
        return request_hash_of(*(part.digest for part in self.parts))


def signed_parts(head: bytes, body: Body | None) -> tuple[xades.SignedPart, ...]:
    """Name the parts of a message for its signature."""
    first = xades.SignedPart(xades.MESSAGE, SHA512.digest(head))
    return (first,) if body is None else (first, xades.SignedPart(xades.attachment_name(1), body.digest))


class MessageReader:
    """Reads one message: first its head, so that it can be refused before its body is taken in, then the rest.

    Args:
        decoder: for the message's content type and role.
        pieces: the bytes as they come.
    """

    def __init__(self, decoder: Decoder, pieces: AsyncIterator[bytes]) -> None:
        self._decoder, self._pieces = decoder, pieces
        self._events: deque[Event] = deque()
        self._ended = False

    async def head(self) -> MessageHead:
        """Read up to the head part.

        Raises:
            RemoteFault: the sender sent a fault in its place.
            PeerError: the message is not what the protocol says.
        """
        responses: list[bytes] = []
        while self._events or await self._more():
            match self._events.popleft():
                case OcspPart(data):
                    responses.append(data)
                case RestHead(data):
                    return MessageHead(tuple(responses), data)
                case event:
                    _refuse_fault(event)
        raise MimeParsingFailed("The message ends before its head part; it was cut short, send it again.")

    async def rest(self, head: MessageHead, spool: BodySpool) -> Message:
        """Read what follows the head; the body goes into the spool, which must outlive the message.

        Raises:
            RemoteFault: the sender met an error after the head.
            PeerError: the message is not what the protocol says, or too large.
        """
        has_body, result, chain = False, None, None
        signature: bytes | None = None
        while self._events or await self._more():
            match self._events.popleft():
                case BodyChunk(data):
                    await _spooled(spool, data)
                case BodyStart():
                    has_body = True
                case Signature(data):
                    signature = data
                case HashChainResult(data):
                    result = data
                case HashChain(data):
                    chain = data
                case event:
                    _refuse_fault(event)
        if signature is None:
            raise MissingSignature("The message ends without a signature; sign it and send it again.")
        body = await spool.finish() if has_body else None
        signed = xades.SignatureData(signature, result, chain)
        return Message(head.head, body, signed, signed_parts(head.head, body))

    async def _more(self) -> bool:
        """Take in what comes next, until it makes an event; False at the end."""
        while not (self._events or self._ended):
            piece = await anext(self._pieces, None)
            if piece is None:
                self._ended = True
                self._events.extend(self._decoder.finish())
            else:
                self._events.extend(self._decoder.feed(piece))
        return bool(self._events)


def write_message(encoder: Encoder, ocsp: tuple[bytes, ...], message: Message) -> bytes | AsyncIterator[bytes]:
    """Write a message: whole when its body is small, else in pieces."""
    body = message.body
    if body is None or body.inline is not None:
        content = b"" if body is None or body.inline is None else body.inline
        return _opening(encoder, ocsp, message) + content + _closing(encoder, message)
    return _in_pieces(encoder, ocsp, message, body)


async def _in_pieces(encoder: Encoder, ocsp: tuple[bytes, ...], message: Message, body: Body) -> AsyncIterator[bytes]:
    pending = bytearray(_opening(encoder, ocsp, message))
    async for chunk in body.open_reader():
        pending += chunk
        if len(pending) >= PIECE_BYTES:
            yield bytes(pending)
            pending.clear()
    yield bytes(pending + _closing(encoder, message))


def _opening(encoder: Encoder, ocsp: tuple[bytes, ...], message: Message) -> bytes:
    parts = [encoder.ocsp(response) for response in ocsp]
    parts.append(encoder.rest_head(message.head))
    if message.body is not None:
        parts.append(encoder.body_begin())
    return b"".join(parts)


def _closing(encoder: Encoder, message: Message) -> bytes:
    signature = message.signature
    chain = b""
    if signature.hash_chain_result is not None and signature.hash_chain is not None:
        chain = encoder.hash_chain(signature.hash_chain_result, signature.hash_chain)
    return chain + encoder.signature(signature.xml) + encoder.close()


def _refuse_fault(event: Event) -> None:
    if isinstance(event, Fault):
        raise soap.parse_fault(event.data)


async def _spooled(spool: BodySpool, data: bytes) -> None:
    try:
        await spool.write(data)
    except BodyTooLarge as error:
        raise InvalidMessage(
            "The message's body is larger than this security server takes: send less at once, or have its limit raised."
        ) from error


def record_of(side: Side, direction: Direction, request: RestRequest, message: Message, at: datetime) -> Record:
    """Make the log's record of one message of an exchange."""
    return Record(
        direction=direction,
        side=side,
        query_id=request.query_id,
        request_id=request.request_id,
        client=request.client,
        service=request.service,
        user_id=request.user_id,
        issue=request.issue,
        head=message.head,
        body=message.body or EMPTY_BODY,
        signature=message.signature.xml,
        at=at,
        hash_chain=message.signature.hash_chain,
        hash_chain_result=message.signature.hash_chain_result,
    )
