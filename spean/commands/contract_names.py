"""How the contract commands find what a person named, and say that it is not there.

It refuses to print anything: the commands do.
"""

from collections.abc import Sequence
from difflib import get_close_matches

import contracts
from spean.errors import UsageError


def contract_version(name: str, version: str | None) -> str:
    """Return the version that was named, or the newest.

    Raises:
        UsageError: there is no such contract or version.
    """
    if name not in contracts.names():
        raise UsageError(
            f"There is no contract {name!r}.{_near(name, contracts.names())} `spean contract list` shows all."
        )
    return _chosen(name, version, contracts.versions(name))


def code_list_version(name: str, version: str | None) -> str:
    """Return the version of a code list that was named, or the newest.

    Raises:
        UsageError: there is no such code list or version.
    """
    return _chosen(name, version, contracts.code_list_versions(name))


def _chosen(name: str, version: str | None, known: Sequence[str]) -> str:
    if version is None:
        return known[-1]
    if version not in known:
        raise UsageError(f"{name} has no version {version!r}; it has {', '.join(known)}.")
    return version


def _near(name: str, known: Sequence[str]) -> str:
    found = get_close_matches(name, known, 3)
    return f" Did you mean {' or '.join(found)}?" if found else ""
