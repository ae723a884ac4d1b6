"""Puts the tests' temporary folders into memory where the system has a file system for that.

It refuses to where it might run full. No test can tell: to survive a power cut is the disk's part, and what survives a
killed process is the same there. Much of the suite's waiting was for the disk, at each commit of a little database.
"""

import os
import shutil
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - pytest makes a folder in it that only its owner enters
# Room for several of the largest tests: two nodes that keep bodies of 128 MiB. What passed is removed at once.
ROOM_BYTES: Final = 2 * 1024**3
# What pytest reads instead of TMPDIR, which programs that tests start would follow too.
VARIABLE: Final = "PYTEST_DEBUG_TEMPROOT"


def in_memory() -> None:
    """Have pytest make its temporary folders in memory; whoever has named a place for them is heard."""
    place = None if VARIABLE in os.environ else place_for(ROOM_BYTES)
    if place is not None:
        os.environ[VARIABLE] = str(place)


def place_for(room: int) -> Path | None:
    """Give the folder in memory when that much fits twice; else nothing, which stands for where the system says."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return None
    return MEMORY if min(shutil.disk_usage(MEMORY).free, available()) >= 2 * room else None


def available() -> int:
    """Give the memory that programs can still have."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), 0)
