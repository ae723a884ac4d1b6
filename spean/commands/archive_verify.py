"""``spean archive verify``: says whether archives are whole, unchanged, and linked to one another.

It refuses to judge the signatures within: `spean verify` does. It needs no node and no database, only the files.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from securityserver.archiving.errors import ArchiveRefused
from securityserver.archiving.verification import VerifiedArchive, in_link_order, verify_chain, verify_file
from spean.commands.common import told
from spean.errors import CommandError
from xroad.linkinginfo import START


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each archive that holds, and stop with the reason at the first that does not."""
    last = None
    with told(ArchiveRefused):
        for archive in verify_chain(_archives(arguments.files, arguments.after), arguments.after):
            print(_line(archive))
            last = archive
    if last is not None:
        print(f"All are whole and linked. ទាំងអស់ពេញលេញ និងតភ្ជាប់គ្នា។\nlast digest: {last.last}")
    return 0


def _archives(places: list[Path], after: str | None) -> Iterator[VerifiedArchive]:
    """Give files in the order that was typed, and a directory's in the order of their links."""
    for place in places:
        if place.is_dir():
            files = sorted(place.glob("*.zip"))
            if not files:
                raise CommandError(f"{place}: there is no archive (*.zip) in it.")
            yield from in_link_order(map(verify_file, files), after)
        else:
            yield verify_file(place)


def _line(archive: VerifiedArchive) -> str:
    sealed = f", {archive.sealed} bodies encrypted beside them" if archive.sealed else ""
    begins = "begins a chain" if archive.previous == START else f"continues {archive.previous.file_name}"
    return f"{archive.file}: {archive.containers} containers{sealed}; {begins}"
