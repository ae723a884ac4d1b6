"""Chooses one service of an adapter by its code.

It refuses to guess where there are several. The commands that try and export records use it.
"""

from adapters.config import AdapterConfig
from adapters.services import ServiceConfig
from spean.errors import UsageError


def chosen(config: AdapterConfig, code: str | None) -> ServiceConfig:
    """Return the service of this code, or the only one; raises :class:`UsageError`."""
    codes = ", ".join(each.code for each in config.services)
    if code is None and len(config.services) > 1:
        raise UsageError(f"The adapter has several services. Choose one with --service: {codes}.")
    for each in config.services:
        if code in {None, each.code}:
            return each
    raise UsageError(f"The adapter has no service {code}. It has {codes}.")
