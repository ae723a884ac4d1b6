"""A token that is slow, as smart cards and remote signing services are, in front of a real one."""

import asyncio
from dataclasses import dataclass, field

from pki.token import KeyId, Signer
from xroad.algorithms import SignatureAlgorithm


@dataclass(slots=True)
class SlowSigner:
    """Signs one thing at a time; each signature takes `seconds`."""

    token: Signer
    seconds: float
    signatures: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def sign(self, key_id: KeyId, data: bytes, algorithm: SignatureAlgorithm) -> bytes:
        async with self.turn:
            await asyncio.sleep(self.seconds)
            self.signatures += 1
            return await self.token.sign(key_id, data, algorithm)
