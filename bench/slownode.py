"""A security server whose token takes its time: ``python -m bench.slownode NODE.toml SECONDS``.

It stands for a smart card or a remote signing service: one signature after the other, each taking so many seconds.
Everything else is the node as it is.
"""

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path

from pki.token import KeyId, Signer
from securityserver.app import Node
from securityserver.commands import SWITCH_SECONDS
from securityserver.config import load_config
from serverkit.http import stop_signal
from serverkit.logs import configure_logs
from xroad.algorithms import SignatureAlgorithm


@dataclass(frozen=True, slots=True)
class SlowToken:
    """Signs one thing at a time with another token's keys."""

    token: Signer
    seconds: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def sign(self, key_id: KeyId, data: bytes, algorithm: SignatureAlgorithm) -> bytes:
        """Sign, when it is this one's turn."""
        async with self.turn:
            await asyncio.sleep(self.seconds)
            return await self.token.sign(key_id, data, algorithm)


async def run(config: Path, seconds: float) -> None:
    """Run the node until it is told to stop."""
    async with Node.running(load_config(config), signer=lambda token: SlowToken(token, seconds)):
        await stop_signal()


if __name__ == "__main__":
    configure_logs()
    sys.setswitchinterval(SWITCH_SECONDS)
    asyncio.run(run(Path(sys.argv[1]), float(sys.argv[2])))
