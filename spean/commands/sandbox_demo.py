"""``spean sandbox demo``: shows a query crossing the bus, or tells a story, and ends by itself.

It refuses to leave anything behind, unless it is given a folder.
"""

import argparse
import tempfile
from pathlib import Path

from spean.cli import EXIT_INTERRUPTED
from spean.sandbox.demo import demo
from spean.sandbox.processes import run_until_signal
from spean.sandbox.stories.telling import tell


def run(arguments: argparse.Namespace) -> int:
    """Tell the story; exit code 0 only if every step came out as expected."""
    if arguments.dir:
        return _tell(arguments, arguments.dir.resolve())
    with tempfile.TemporaryDirectory(prefix="spean-demo-") as folder:
        return _tell(arguments, Path(folder))


def _tell(arguments: argparse.Namespace, folder: Path) -> int:
    story, options = arguments.story, (folder, arguments.base_port, arguments.households)
    code = run_until_signal(tell(story, *options) if story else demo(*options))
    return EXIT_INTERRUPTED if code is None else code
