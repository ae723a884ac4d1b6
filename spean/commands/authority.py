"""Opens an authority's folder with the PIN in its file, for the commands that need the issuing keys.

It refuses to make or serve anything. ``authority sign`` and ``authority revoke`` work inside it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pki.authority import Authority
from pki.pin import Pin
from spean.commands.paths import authority_pin


@contextmanager
def opened(folder: Path, pin_file: Path | None) -> Iterator[Authority]:
    """Open the authority and close it again."""
    authority = Authority.open(folder, Pin.from_file(pin_file or authority_pin(folder)))
    try:
        yield authority
    finally:
        authority.close()
