"""What happens inside an institution while a story is told: a clerk changes a row, a machine stops, somebody looks.

It refuses the bus: a clerk knows the own system and nothing else. Stories of events change something here, and see it
arrive elsewhere.
"""

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from spean.sandbox.report import registry_of
from spean.sandbox.stories.stage import Stage, run
from spean.sandbox.story import StoryBrokenError

PATIENCE_SECONDS: Final = 90.0  # a slow machine with one core; on two it takes a few seconds
_COMMAND_SECONDS: Final = 1800.0  # to compare everybody of 10,000 households takes minutes, on a busy machine many
_LOOK_SECONDS: Final = 0.2
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Office:
    """The own system of a programme: its database, its adapter's file, and the process that the adapter runs in."""

    stage: Stage
    programme: str

    @property
    def database(self) -> Path:
        """The programme's own database."""
        return self.stage.instance.layout.registries / registry_of(self.programme)

    @property
    def adapter(self) -> Path:
        """The adapter's file."""
        return self.stage.instance.layout.adapter(self.programme)

    def look(self, statement: str, *values: object) -> list[Row]:
        """Read rows of the own system."""
        with closing(self._open()) as database:
            return [dict(row) for row in database.execute(statement, values)]

    def change(self, *statements: tuple[str, Sequence[object]]) -> None:
        """Change the own system, as its clerks do, in one transaction."""
        with closing(self._open()) as database, database:
            for statement, values in statements:
                database.execute(statement, values)

    async def until(self, what: str, wanted: Callable[[list[Row]], bool], statement: str, *values: object) -> list[Row]:
        """Look until rows are as they are wanted, and give them.

        Raises:
            StoryBrokenError: they were not, for longer than anybody waits.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not wanted(rows := self.look(statement, *values)):
            if time.monotonic() > deadline:
                raise StoryBrokenError(f"{what}: it did not come to pass in {PATIENCE_SECONDS:.0f} s")
            await asyncio.sleep(_LOOK_SECONDS)
        return rows

    async def spean(self, *words: str, told: str = "") -> list[str]:
        """Run one of the commands that the institution's staff have; the adapter's file takes the place of ``{}``."""
        named = (str(self.adapter) if each == "{}" else each for each in words)
        code, lines = await run(*named, told=told, seconds=_COMMAND_SECONDS)
        self.stage.story.need(f"exit code of spean {words[0]} {words[1]}", came=code, wanted=0)
        return lines

    def bodies(self, service: str) -> list[dict[str, Any]]:
        """Open what a service told, as the institution's own staff can: it stands sealed in the outbox's table."""
        from adapters.events import load_events_key  # noqa: PLC0415 - as all that only stories need

        file = self.adapter.with_name(f"{self.programme}-events.key")
        key = load_events_key(file, config=str(self.adapter))
        rows = self.look("SELECT * FROM spean_outbox WHERE kind = 'notify' AND service = ? ORDER BY id", service)
        return [
            {**row, "body": key.unseal(row["sealed"])["body"], "result": row["result"] and key.unseal(row["result"])}
            for row in rows
        ]

    def stop(self) -> None:
        """Have the machine stand still: whoever calls it gets no answer."""
        os.kill(self._pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it go on."""
        os.kill(self._pid, signal.SIGCONT)

    @contextmanager
    def down(self) -> Any:  # noqa: ANN401  # a context manager
        """Have the machine stand still for a while, however the story ends."""
        self.stop()
        try:
            yield
        finally:
            self.go_on()

    @property
    def _pid(self) -> int:
        told = json.loads(self.stage.instance.layout.report.read_text())["adapters"]
        return int(next(each["pid"] for each in told if each["programme"] == self.programme))

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.database, timeout=10)
        database.row_factory = sqlite3.Row
        return database


async def subscribed(publisher: Office, service: str, clients: int) -> None:
    """Wait until so many clients subscribe to a service: subscriptions cross the bus too."""
    await publisher.until(
        f"subscriptions to {service}",
        lambda rows: len(rows) >= clients,
        "SELECT DISTINCT client FROM spean_subscription WHERE service = ? AND status = 'subscribe'",
        service,
    )
