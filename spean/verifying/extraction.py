"""Writes a verified container's message and attachments into a folder, and never anywhere else.

It refuses to take a name from a container: files are called `message.xml` and `attachmentN`, their folder after the
container's own file. Links that somebody put in the way are not followed, and nothing is overwritten.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from xroad.asic import Container

_UNSAFE = re.compile(r"[^A-Za-z0-9._%+-]")
_MAX_NAME: Final = 200
_FILE_MODE: Final = 0o600  # messages hold personal data
_FOLDER_MODE: Final = 0o700


def extract(container: Container, called: str, target: Path) -> str:
    """Write a container's message and attachments below a folder, and return the new folder's name.

    Raises:
        OSError: the folder is not one, or cannot be written.
    """
    with _opened(os.open(target, os.O_RDONLY | os.O_DIRECTORY)) as root:
        name = _new_folder(called, root)
        # O_NOFOLLOW: the folder is the one just made, and not a link put in its place.
        with _opened(os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=root)) as folder:
            _write(folder, "message.xml", [container.message])
            for attachment in container.attachments:
                _write(folder, attachment, container.attachment_chunks(attachment))
    return name


def _new_folder(called: str, root: int) -> str:
    base = _UNSAFE.sub("_", called.removesuffix(".asice"))[:_MAX_NAME].lstrip(".") or "container"
    for number in count(1):
        name = base if number == 1 else f"{base}-{number}"
        try:
            os.mkdir(name, _FOLDER_MODE, dir_fd=root)
        except FileExistsError:
            continue
        return name
    raise AssertionError  # the numbers do not end


def _write(folder: int, name: str, chunks: Iterable[bytes]) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _FILE_MODE, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        for chunk in chunks:
            file.write(chunk)


@contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
