"""How much memory other processes hold, sampled while a test runs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

_SAMPLE_SECONDS: Final = 0.05


def resident(pid: int) -> int:
    """Bytes of a process that are in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


class Watched:
    """Processes by name, and the most that each held while it was sampled."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self.peak = {name: resident(pid) for name, pid in pids.items()}

    @asynccontextmanager
    async def sampling(self) -> AsyncIterator[None]:
        """Sample until the block ends."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self._sample())
            yield
            task.cancel()

    async def _sample(self) -> None:
        while True:
            for name, pid in self._pids.items():
                self.peak[name] = max(self.peak[name], resident(pid))
            await asyncio.sleep(_SAMPLE_SECONDS)
