"""The log lines of a test, as the nodes of one process wrote them into one stream."""

import io
import json
from dataclasses import dataclass


@dataclass(slots=True)
class Lines:
    """The log lines since the test began."""

    stream: io.StringIO
    start: int = 0

    def text(self) -> str:
        return self.stream.getvalue()[self.start :]

    def all(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text().splitlines()]

    def exchanges(self, side: str) -> list[dict[str, object]]:
        return [line for line in self.all() if line["event"] == "exchange" and line["side"] == side]
