"""Fills the sandbox's registries with made-up people, in a process of its own beside the rest of the start.

It refuses to invent anything itself: the adapters' generator does, from a fixed seed, so that every sandbox has the
same households. The sandbox runs it once for a new folder: ``python -m spean.sandbox.populate FOLDER``.
"""

import sys
from pathlib import Path

from adapters.synthetic import generate


def main() -> int:
    """Write the registries into the folder that is named, which must not hold any."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        generate(folder)
    except FileExistsError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
