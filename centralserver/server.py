"""The central server as a process: opens the keys, listens, publishes, and follows its file until it is stopped.

It refuses to know what is published, which is in `centralserver.follower`.
`spean central run` calls `run`, `spean central init` calls `prepare`.
"""

import asyncio
import contextlib
import signal
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from centralserver.app import Shelf, download_app
from centralserver.config import CentralConfig, load_config
from centralserver.follower import Central
from centralserver.keys import AnchorFiles, anchor_files, open_keys, write_anchors
from pki.clock import Clock, SystemClock
from serverkit.http import HttpServer, Listen
from serverkit.logs import get_logger

_SHUTDOWN_SECONDS = 5.0
_log = get_logger("centralserver")


@dataclass(frozen=True, slots=True)
class Running:
    """Where a started central server is."""

    base_url: str
    anchors: AnchorFiles
    metrics: tuple[Listen, ...]


def prepare(config_path: Path, *, clock: Clock | None = None) -> AnchorFiles:
    """Make the signing keys and write the anchors without serving anything; blocks.

    The addresses in the anchors are the configuration's ``public_urls``, or those of ``listen``.

    Raises:
        ConfigError, PkiError, OSError: what is wrong, and where.
    """
    config = load_config(config_path)
    now = (clock or SystemClock()).now()
    home = _home(config, config_path)
    keys = open_keys(config, home, now)
    files = anchor_files(config, home)
    write_anchors(files, keys, config.instance, _public_urls(config, config.listen, config.listen_https), now)
    return files


async def run(
    config_path: Path,
    *,
    stop: asyncio.Event,
    ready: Callable[[Running], None] | None = None,
    clock: Clock | None = None,
) -> None:
    """Publish the configuration of a CENTRAL.toml until ``stop`` is set.

    Args:
        config_path: the file; it is looked at each second and at SIGHUP.
        stop: set it to end.
        ready: told once the first publication can be downloaded and the anchors are written.
        clock: for tests.

    Raises:
        ConfigError, PkiError, OSError: the first start is not possible; afterwards such errors are logged.
    """
    clock = clock or SystemClock()
    config = await asyncio.to_thread(load_config, config_path)
    home = _home(config, config_path)
    keys = await asyncio.to_thread(open_keys, config, home, clock.now())
    shelf = Shelf()
    async with contextlib.AsyncExitStack() as stack:
        plain = await _serve(stack, shelf, config.listen, None)
        secure = await _serve(stack, shelf, config.listen_https, _tls_context(config))
        urls = _public_urls(config, plain, secure)
        central = Central(config_path, config, keys, shelf, clock, urls)
        metrics = await _serve_metrics(stack, central, config)
        await central.start()
        files = anchor_files(config, home)
        write_anchors(files, keys, config.instance, urls, clock.now())
        _log.info("central_started", instance=config.instance, urls=urls, anchor=str(files.internal))
        if ready is not None:
            ready(Running(urls[0], files, metrics))
        with _hangup(central.wake):
            await central.follow(stop)
    _log.info("central_stopped")


def _home(config: CentralConfig, config_path: Path) -> Path:
    return config.data_dir or config_path.resolve().parent


def _public_urls(config: CentralConfig, plain: tuple[Listen, ...], secure: tuple[Listen, ...]) -> tuple[str, ...]:
    if config.public_urls:
        return tuple(url.rstrip("/") for url in config.public_urls)
    return (*(f"http://{place}" for place in plain), *(f"https://{place}" for place in secure))


def _tls_context(config: CentralConfig) -> ssl.SSLContext | None:
    if config.tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.tls.certificate, config.tls.key)
    return context


async def _serve(
    stack: contextlib.AsyncExitStack, shelf: Shelf, listen: tuple[Listen, ...], tls: ssl.SSLContext | None
) -> tuple[Listen, ...]:
    if not listen:
        return ()
    server = await HttpServer.start(download_app(shelf), listen, tls=tls, shutdown_seconds=_SHUTDOWN_SECONDS)
    stack.push_async_callback(server.close)
    return server.addresses


async def _serve_metrics(
    stack: contextlib.AsyncExitStack, central: Central, config: CentralConfig
) -> tuple[Listen, ...]:
    if not config.metrics:
        return ()
    server = await HttpServer.start(central.monitoring(), config.metrics, shutdown_seconds=_SHUTDOWN_SECONDS)
    stack.push_async_callback(server.close)
    return server.addresses


@contextlib.contextmanager
def _hangup(wake: asyncio.Event) -> Iterator[None]:
    """SIGHUP makes the server look at its file at once."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, wake.set)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
