"""Fills the sandbox's registries with made-up people, in a process of its own beside the rest of the start.

It refuses to invent anything itself: the adapters' generator does, from a fixed seed, so that every sandbox has the
same households. The sandbox runs it once for a new folder.
"""

import sys
from pathlib import Path

from adapters.synthetic import generate

if __name__ == "__main__":
    generate(Path(sys.argv[1]))
