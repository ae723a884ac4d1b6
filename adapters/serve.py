"""Runs one adapter: the composition root of ``spean adapter serve``.

It refuses to start with files that do not fit together or a source that lacks a declared column.
The command line calls :func:`serve`; tests may take :func:`create_app` alone.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web

from adapters.config import AdapterConfig, load_config
from adapters.errors import ConfigError, SourceError
from adapters.registry.app import AppLimits, RegistryApp
from adapters.registry.queries import QueryLimits
from adapters.registry.search import Registry
from adapters.source import SqlSource
from serverkit.http import HttpServer

_log = structlog.get_logger(__name__)
DRAIN_SECONDS: Final = 10.0  # longer than a statement may take by default, shorter than systemd waits


async def serve(adapter_yaml: Path, *, stop: asyncio.Event, ready: Callable[[str], None] | None = None) -> None:
    """Serve until ``stop`` is set, then let requests in flight finish.

    Args:
        adapter_yaml: the adapter's file.
        stop: set by the caller to end.
        ready: called with the base URL once the port accepts.

    Raises:
        ConfigError: a file is wrong, the source cannot be read, or the address cannot be had.
    """
    config = await asyncio.to_thread(load_config, adapter_yaml)
    await asyncio.to_thread(check_source, config)
    try:
        server = await HttpServer.start(create_app(config), [config.listen], shutdown_seconds=DRAIN_SECONDS)
    except OSError as error:
        raise ConfigError(config.file, "listen", f"{config.listen} cannot be had: {error.strerror}") from error
    try:
        url = f"http://{server.addresses[0]}{config.base_path}"
        _log.info("adapter_started", adapter=config.adapter, url=url, synthetic=config.source.synthetic)
        if ready is not None:
            ready(url)
        await stop.wait()
    finally:
        await server.close()
        _log.info("adapter_stopped", adapter=config.adapter)


def check_source(config: AdapterConfig) -> None:
    """Raise :class:`ConfigError` unless the source has every declared table and column."""
    source = SqlSource(config.source, config.source_url, connections=1)
    try:
        source.check()
    except SourceError as error:
        raise ConfigError(config.file, "source", f"{error}; compare {config.source.file} with the database") from error
    finally:
        source.close()


def create_app(config: AdapterConfig) -> web.Application:
    """Make the application of one adapter."""
    limits = config.limits
    registry = Registry(
        source=SqlSource(config.source, config.source_url, connections=limits.concurrent_queries),
        mapping=config.mapping,
        reg_type=config.reg_type,
        record_type=config.record_type,
        limits=QueryLimits(limits.page_size, limits.records),
    )
    app = RegistryApp(
        registry,
        sender_id=config.sender_id,
        require_client=config.require_client,
        limits=AppLimits(limits.body_bytes, limits.items, limits.request_seconds, limits.concurrent_queries),
    )
    return app.application(config.base_path)
