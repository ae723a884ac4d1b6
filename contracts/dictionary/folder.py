"""Writes the dictionary into a folder, and tells whether a folder is in step with the standard.

It refuses to touch what it did not make: a folder that holds other files is left alone, and so are they.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

MARK: Final = "search-index.js"  # a folder with it was written by this module


class NotADictionary(ValueError):  # noqa: N818  # says what it is; ValueError says the rest
    """The folder holds something else; nothing was written."""


def write(pages: Mapping[str, str], folder: Path) -> None:
    """Write all pages, and remove those of records that are no more.

    Raises:
        NotADictionary: there are files in the folder, and no dictionary.
        OSError: it cannot be written.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise NotADictionary(
            f"{folder} holds other files. Choose an empty folder, or one that a dictionary was written to."
        )
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    for path in _surplus(pages, folder):
        path.unlink()


def out_of_step(pages: Mapping[str, str], folder: Path) -> list[str]:
    """Return the pages that differ, lack or are too many; empty when the folder is in step."""
    different = [name for name, text in pages.items() if not _same(folder / name, text)]
    return sorted([*different, *(path.relative_to(folder).as_posix() for path in _surplus(pages, folder))])


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


def _surplus(pages: Mapping[str, str], folder: Path) -> Iterator[Path]:
    found = [path for kind in ("records", "codes") for path in sorted((folder / kind).rglob("*.html"))]
    yield from (path for path in found if path.relative_to(folder).as_posix() not in pages)
