"""``spean adapter export``: writes a whole registry in the shared standard, record after record.

It refuses to write over a file, and to write a record that breaks the contract. What it writes is personal data of
everybody in the registry, so that only its owner can read it.
"""

import argparse
import asyncio
from pathlib import Path

from adapters.config import AdapterConfig, load_config
from adapters.errors import ConfigError, SourceError
from adapters.export import Progress, export, refused_path
from adapters.services import ServiceConfig
from adapters.source import open_source
from serverkit.logs import configure_logs
from spean.commands.adapter_service import chosen
from spean.commands.common import told
from spean.commands.progress import Bar
from spean.errors import CommandError


def run(arguments: argparse.Namespace) -> int:
    """Export, and say how many records there are and how many were refused."""
    configure_logs()
    for path in (arguments.out, refused_path(arguments.out)):
        if path.exists():
            raise CommandError(f"{path} exists already. Remove it, or choose another name.")
    with told(ConfigError, SourceError):
        config = load_config(arguments.config)
        service = chosen(config, arguments.service)
        with Bar(f"{service.code}: records") as bar:
            found = asyncio.run(_export(config, service, arguments.out, bar))
    print(f"{found.done - found.refused:,} records are in {arguments.out}. It is personal data: only you can read it.")
    print(f"{found.refused:,} records were refused; {refused_path(arguments.out)} says which and why.")
    print(f"កំណត់ត្រា {found.done - found.refused:,} ត្រូវបានសរសេរ; {found.refused:,} ត្រូវបានបដិសេធ។")
    return 0


async def _export(config: AdapterConfig, service: ServiceConfig, out: Path, bar: Bar) -> Progress:
    source = open_source(service.source, config.connection, connections=1)
    try:
        return await export(source, service.mapping, out, lambda progress: bar.show(progress.done, progress.total))
    finally:
        await source.close()
