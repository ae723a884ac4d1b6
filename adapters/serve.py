"""Runs one adapter: the composition root of ``spean adapter serve``.

It refuses to start with files that do not fit together, a source that lacks what is declared, or an access record that
cannot be written. The command line calls :func:`serve`, several at once where adapters share a process.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Literal

import structlog
from aiohttp import web

from adapters.accesslog import AccessStore
from adapters.composition import Job, compose
from adapters.config import AdapterConfig, load_config
from adapters.errors import AccessLogError, ConfigError, SourceError
from adapters.registry.service import Service
from serverkit.http import HttpServer, Listen
from serverkit.metrics import monitoring_app

_log = structlog.get_logger(__name__)
DRAIN_SECONDS: Final = 10.0  # longer than a statement may take by default, shorter than systemd waits


async def serve(adapter_yaml: Path, *, stop: asyncio.Event, ready: Callable[[str], None] | None = None) -> None:
    """Serve until ``stop`` is set, then let requests in flight finish.

    Args:
        adapter_yaml: the adapter's file.
        stop: set by the caller to end.
        ready: called with the base URL, of which each service is one step below, once the port accepts.

    Raises:
        ConfigError: a file is wrong, the source or access record cannot be used, or an address cannot be had.
    """
    config = await asyncio.to_thread(load_config, adapter_yaml)
    parts = await asyncio.to_thread(compose, config)
    async with AsyncExitStack() as stack:
        if parts.events is not None:
            stack.push_async_callback(parts.events.close)
            advice = await asyncio.to_thread(parts.events.advice)
            if advice is not None:
                _log.warning("events_database_is_slow", adapter=config.adapter, problem=advice)
        for service in parts.services:
            stack.push_async_callback(service.close)
            await _check(config, service)
        await _open_store(config, parts.store)
        stack.push_async_callback(parts.store.close)
        if config.metrics is not None:
            page = monitoring_app(parts.monitor.metrics, parts.monitor.checks)
            await _listen(stack, config, "metrics", page)
        server = await _listen(stack, config, "listen", parts.app.application(), parts.tls)
        url = f"{'https' if parts.tls else 'http'}://{server.addresses[0]}"
        paths = [f"{url}/{each.code}" for each in config.services]
        synthetic = all(each.source.synthetic for each in config.services)
        _log.info("adapter_started", adapter=config.adapter, url=url, services=paths, synthetic=synthetic)
        if ready is not None:
            ready(url)
        await _run(parts.jobs, stop)
    _log.info("adapter_stopped", adapter=config.adapter)


async def _run(jobs: Sequence[Job], stop: asyncio.Event) -> None:
    """Run what works beside the application until it is to stop."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_job(each)) for each in jobs]
        await stop.wait()
        for each in running:
            each.cancel()


async def _job(job: Job) -> None:
    await job()


async def _check(config: AdapterConfig, service: Service) -> None:
    source = service.registry.source
    try:
        await source.check()
    except SourceError as error:
        raise ConfigError(
            config.file, "source", f"{error}; compare {source.definition.file} with the source"
        ) from error


async def _open_store(config: AdapterConfig, store: AccessStore) -> None:
    try:
        await store.open()
    except AccessLogError as error:
        raise ConfigError(config.file, "access_log", str(error)) from error


async def _listen(
    stack: AsyncExitStack,
    config: AdapterConfig,
    key: Literal["listen", "metrics"],
    app: web.Application,
    tls: ssl.SSLContext | None = None,
) -> HttpServer:
    address: Listen = getattr(config, key)
    try:
        server = await HttpServer.start(app, [address], tls=tls, shutdown_seconds=DRAIN_SECONDS)
    except OSError as error:
        raise ConfigError(config.file, key, f"{address} cannot be had: {error.strerror}") from error
    stack.push_async_callback(server.close)
    return server
