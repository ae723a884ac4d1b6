"""What a message log did so far, as numbers.

It refuses to know who counts and who reads: the threads that write count, the event loop shows it.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Records, refused ones, syncs of the disk, and what is wrong now; read from other threads than count."""

    appended: int = 0
    failed: int = 0
    commits: int = 0
    last_failure: str | None = None
