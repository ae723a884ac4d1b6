"""Where the commands look for what another command wrote, when the user does not say.

It refuses to read or write. The authority's commands and ``central init`` agree on these names.
"""

from pathlib import Path
from typing import Final

OCSP_PATH: Final = "/ocsp"
TSA_PATH: Final = "/tsa"


def authority_pin(folder: Path) -> Path:
    """The PIN file beside the authority's folder: a copy of the folder alone opens nothing."""
    return folder.with_name(f"{folder.name}.pin")


def public_folder(folder: Path) -> Path:
    """The certificates that others need of the authority, and its address; nothing in it is secret."""
    return folder.with_name(f"{folder.name}-public")
