"""Signs messages with a token, and together those that wait while it is slow: one signature over a hash chain.

It refuses to know which key a member signs with and where certificates come from: ``credentials`` tells it. Both
pipelines sign through it.

A token that is fast signs each message alone, so that a message without a body, and one between servers that both take
direct references, verifies in any XAdES validator. A token is slow when the best of its last signatures took longer
than ``SLOW_SECONDS``; the best, because a busy process makes single measurements long and none short. A slow token gets
one call at a time for each key. Whatever has come in when it returns is signed next, with one signature, in X-Road's
batch form. Messages that were signed together tend to come together again: after a batch, a tenth of the token's time
is given to those behind the first. A message that comes to a quiet token is signed alone at once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, NamedTuple

from cryptography import x509

from pki.errors import PkiError
from pki.token import KeyId, Signer
from xroad import xades
from xroad.algorithms import SignatureAlgorithm
from xroad.errors import CannotSign

# Below it one call after the other still signs 50 messages a second; software keys up to RSA 4096 stay below it.
SLOW_SECONDS: Final = 0.02
# How many of the last signatures are remembered: a token that becomes slow is known as such after so many.
REMEMBERED: Final = 16
# Of the token's own time, after a batch: measured, it makes batches half as large again, and 64 exchanges faster.
GATHERING_SHARE: Final = 0.1
# Messages under one signature. Each needs one hash step more for every doubling; a node has 512 exchanges a side.
LARGEST_BATCH: Final = 1024


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What a member signs with: the token's key, its certificate, and what verifiers need beside the two."""

    id: KeyId
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    algorithm: SignatureAlgorithm


class ToSign(NamedTuple):
    """One message: its parts, the OCSP responses of the moment, the time, and whether its peer takes references."""

    parts: tuple[xades.SignedPart, ...]
    ocsp: tuple[bytes, ...]
    at: datetime
    direct: bool


class _Turn(Enum):
    """Told to the first of those who wait: the token is free, sign for all of you."""

    YOURS = "yours"


@dataclass(slots=True, eq=False)
class _Waiting:
    message: ToSign
    outcome: "asyncio.Future[xades.SignatureData | CannotSign | _Turn]"

    def settle(self, outcome: xades.SignatureData | CannotSign | _Turn) -> None:
        if not self.outcome.done():  # an exchange that was cancelled meanwhile wants nothing more
            self.outcome.set_result(outcome)


@dataclass(slots=True)
class _Queue:
    """One key: whether the token is at work with it, who waits for it, and how long it took of late."""

    busy: bool = False
    had_company: bool = False
    waiting: deque[_Waiting] = field(default_factory=deque)
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    @property
    def is_fast(self) -> bool:
        """A key that has not signed yet is taken for slow: its first messages must not all queue up in the token."""
        return bool(self.seconds) and min(self.seconds) < SLOW_SECONDS

    @property
    def gathering_seconds(self) -> float:
        if not self.had_company or self.is_fast:
            return 0.0
        return GATHERING_SHARE * min(self.seconds, default=0.0)

    def take(self) -> list[_Waiting]:
        """Take those who wait, the longest first; those who left are forgotten."""
        taken: list[_Waiting] = []
        while self.waiting and len(taken) < LARGEST_BATCH:
            each = self.waiting.popleft()
            if not each.outcome.done():
                taken.append(each)
        return taken

    def put_back(self, unsigned: Sequence[_Waiting]) -> None:
        self.waiting.extendleft(reversed(unsigned))

    def pass_on(self) -> None:
        """Let the next one sign, or all at once when the token is fast; the token is free when nobody waits."""
        while self.waiting:
            heir = self.waiting.popleft()
            if not heir.outcome.done():
                heir.settle(_Turn.YOURS)
                if not self.is_fast:
                    return
        self.busy = False


class BatchSigner:
    """Signs for all members of a node.

    Args:
        signer: the token.
    """

    def __init__(self, signer: Signer) -> None:
        self._signer = signer
        # One for each certificate that the process ever signed with: a handful.
        self._queues: dict[tuple[KeyId, x509.Certificate], _Queue] = {}

    async def sign(self, key: SigningKey, message: ToSign) -> xades.SignatureData:
        """Sign one message, alone or with others that wait for the same key.

        Raises:
            CannotSign: the token failed.
        """
        queue = self._queues.get((key.id, key.certificate))
        if queue is None:
            queue = self._queues[key.id, key.certificate] = _Queue()
        if queue.is_fast:
            return await self._alone(queue, key, message)
        if queue.busy:
            outcome = await _in_turn(queue, message)
            if outcome is not _Turn.YOURS:
                return _value_of(outcome)
        queue.busy = True
        try:
            return await self._for_all(queue, key, message)
        finally:
            queue.pass_on()

    async def _for_all(self, queue: _Queue, key: SigningKey, message: ToSign) -> xades.SignatureData:
        """Sign for all who wait by now, or alone when nobody does or the token has turned out to be fast."""
        if queue.gathering_seconds:
            await asyncio.sleep(queue.gathering_seconds)
        others = [] if queue.is_fast else queue.take()
        queue.had_company = bool(others)
        try:
            if not others:
                return await self._alone(queue, key, message)
            return await self._together(queue, key, message, others)
        finally:
            # Cancelled, or failed for a reason that is not the token's: the others are still to be signed.
            queue.put_back([each for each in others if not each.outcome.done()])

    async def _alone(self, queue: _Queue, key: SigningKey, message: ToSign) -> xades.SignatureData:
        prepare = xades.prepare if message.direct or len(message.parts) == 1 else xades.prepare_chained
        unsigned = prepare(message.parts, key.certificate, message.ocsp, key.chain, key.algorithm, message.at)
        return unsigned.complete(await self._call(queue, key, unsigned))

    async def _together(
        self, queue: _Queue, key: SigningKey, message: ToSign, others: Sequence[_Waiting]
    ) -> xades.SignatureData:
        messages = [message, *(each.message for each in others)]
        # The time and the responses of the last to come: they are in force for all of them.
        last = max(messages, key=lambda each: each.at)
        unsigned = xades.prepare_batch(
            [each.parts for each in messages], key.certificate, last.ocsp, key.chain, key.algorithm, last.at
        )
        try:
            mine, *theirs = unsigned.complete_batch(await self._call(queue, key, unsigned))
        except CannotSign as error:
            for each in others:
                each.settle(CannotSign(error.detail))
            raise
        for each, signed in zip(others, theirs, strict=True):
            each.settle(signed)
        return mine

    async def _call(self, queue: _Queue, key: SigningKey, unsigned: xades.Unsigned) -> bytes:
        begun = time.monotonic()
        try:
            value = await self._signer.sign(key.id, unsigned.data_to_sign, unsigned.algorithm)
        except PkiError as error:
            raise CannotSign(f"The token did not sign: {error}") from error
        queue.seconds.append(time.monotonic() - begun)
        return value


async def _in_turn(queue: _Queue, message: ToSign) -> xades.SignatureData | CannotSign | _Turn:
    mine = _Waiting(message, asyncio.get_running_loop().create_future())
    queue.waiting.append(mine)
    try:
        return await mine.outcome
    except asyncio.CancelledError:
        # The turn may have come in the very moment: it must not be lost, or all others would wait for ever.
        if not mine.outcome.cancelled() and mine.outcome.result() is _Turn.YOURS:
            queue.pass_on()
        raise


def _value_of(outcome: xades.SignatureData | CannotSign | _Turn) -> xades.SignatureData:
    if isinstance(outcome, xades.SignatureData):
        return outcome
    if isinstance(outcome, CannotSign):
        raise outcome
    raise AssertionError("a turn is not an outcome")
