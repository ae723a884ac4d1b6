"""Follows a CENTRAL.toml: publishes it, publishes it again when it changes, and signs anew before validity ends.

It refuses to let a mistyped file end the publication: the file is told of, and the last good configuration goes on.
The process in `centralserver.server` starts it behind its listeners.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from aiohttp import web
from prometheus_client import Gauge

from centralserver.app import Shelf
from centralserver.config import CentralConfig, load_config
from centralserver.content import Content, build_content, referenced_files
from centralserver.keys import SigningKeys
from centralserver.publisher import Generation, Publisher
from pki.clock import Clock
from serverkit.config import ConfigError
from serverkit.logs import get_logger
from serverkit.metrics import Health, HealthChecks, HealthState, Metrics, monitoring_app

POLL_SECONDS = 1.0
_log = get_logger("centralserver")

# What is read once, at start: the rest follows the file while the server runs.
_FIXED_KEYS = ("pin_file", "pin_env", "data_dir", "key_type", "listen", "listen_https", "metrics", "tls")


class Central:
    """The state between two looks at the file: the last good configuration, and what it was read from."""

    def __init__(
        self,
        path: Path,
        config: CentralConfig,
        keys: SigningKeys,
        shelf: Shelf,
        clock: Clock,
        urls: tuple[str, ...],
    ) -> None:
        self.wake = asyncio.Event()
        self._path, self._config, self._shelf, self._clock, self._urls = path, config, shelf, clock, urls
        self._keys = keys
        self._publisher = Publisher(keys)
        self._watched = referenced_files(config)
        self._seen: Mapping[Path, bytes | None] = {}
        self._refused: str | None = None

    async def start(self) -> None:
        """Publish for the first time; errors are the caller's."""
        await self._publish()

    async def follow(self, stop: asyncio.Event) -> None:
        """Look at the file each second, and sign anew in time, until told to stop."""
        while not stop.is_set():
            await _first_of(stop, self.wake, POLL_SECONDS)
            forced = self.wake.is_set()
            self.wake.clear()
            if not stop.is_set():
                await self._look(forced=forced)

    async def _look(self, *, forced: bool) -> None:
        seen = await asyncio.to_thread(self._fingerprint)
        if seen != self._seen or forced:
            self._seen = seen
            await self._reload()
        elif self._is_due():
            await self._sign()

    async def _reload(self) -> None:
        before = self._config
        try:
            await self._publish()
        except ConfigError as error:
            self._refused = str(error)
            _log.error("central_config_refused", file=error.source, key=error.key, value=error.value, rule=error.rule)
            if self._is_due():
                await self._sign()
            return
        if self._refused is not None:
            self._refused = None
            _log.info("central_config_in_force_again", file=str(self._path))
        for key in _FIXED_KEYS:
            if getattr(before, key) != getattr(self._config, key):
                _log.warning("central_restart_needed", key=key)

    async def _publish(self) -> None:
        config, content, generation = await asyncio.to_thread(self._read_again)
        self._config = config
        changed = self._publisher.accept(generation)
        await self._sign()
        if changed:
            _log.info("central_published", members=len(content.shared.members), servers=len(content.shared.servers))

    def _read_again(self) -> tuple[CentralConfig, Content, Generation]:
        """Read the file and all that it names, and write the parts; changes nothing but what is watched."""
        # The digests are taken before the files are read: a change in between is then seen at the next look.
        seen = {self._path: _digest(self._path)}
        config = load_config(self._path)
        # Watched from now on even if one of them is refused: whoever corrects the file expects it to be seen.
        self._watched = referenced_files(config)
        self._seen = seen | {path: _digest(path) for path in self._watched}
        source = self._path.name
        if config.instance != self._config.instance:
            raise ConfigError(source, "instance", config.instance, "must stay: every anchor names the instance")
        content = build_content(config, source, self._keys.certificates, self._urls)
        try:
            return config, content, self._publisher.prepare(content, config.versions, self._clock.now())
        except ValueError as error:
            # Text that XML cannot carry, such as a control character in a name.
            raise ConfigError(source, "", None, f"cannot be published: {error}") from error

    async def _sign(self) -> None:
        validity = timedelta(seconds=self._config.validity_seconds)
        self._shelf.publication = await self._publisher.sign(self._config.instance, self._clock.now(), validity)
        _log.debug("central_signed", expires_at=self._shelf.publication.expires_at)

    def _is_due(self) -> bool:
        publication = self._shelf.publication
        return publication is None or self._clock.now() - publication.signed_at >= timedelta(
            seconds=self._config.refresh_seconds
        )

    def _fingerprint(self) -> Mapping[Path, bytes | None]:
        """Name the present contents of the file and of the files that it names."""
        return {path: _digest(path) for path in (self._path, *self._watched)}

    def monitoring(self) -> web.Application:
        """Metrics and health: whether the configuration is valid, and whether the file is good."""
        metrics, checks = Metrics(), HealthChecks()
        left = Gauge(
            "spean_central_valid_seconds", "Seconds until the published configuration ends", registry=metrics.registry
        )
        left.set_function(self._seconds_left)
        checks.register("publication", self._publication_health)
        checks.register("configuration", self._configuration_health)
        return monitoring_app(metrics, checks)

    def _seconds_left(self) -> float:
        publication = self._shelf.publication
        return 0.0 if publication is None else (publication.expires_at - self._clock.now()).total_seconds()

    def _publication_health(self) -> Health:
        if self._seconds_left() > 0:
            return Health(HealthState.OK, "The configuration is published and valid.", "ការកំណត់ត្រូវបានផ្សាយ និងមានសុពលភាព។")
        return Health(
            HealthState.FAILED,
            "The published configuration has expired; look at the central server's log.",
            "ការកំណត់ដែលបានផ្សាយបានផុតសុពលភាព សូមពិនិត្យកំណត់ហេតុរបស់ម៉ាស៊ីនមេកណ្ដាល។",
        )

    def _configuration_health(self) -> Health:
        if self._refused is None:
            return Health(HealthState.OK, "CENTRAL.toml is in force.", "CENTRAL.toml កំពុងមានប្រសិទ្ធភាព។")
        return Health(
            HealthState.DEGRADED,
            f"CENTRAL.toml is not in force, the last good one is: {self._refused}",
            "CENTRAL.toml មានកំហុស ការកំណត់ត្រឹមត្រូវចុងក្រោយនៅតែប្រើ សូមពិនិត្យកំណត់ហេតុ។",
        )


def _digest(path: Path) -> bytes | None:
    """Name a file's contents; a file that is not there, or no longer, has no name."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None


async def _first_of(stop: asyncio.Event, wake: asyncio.Event, seconds: float) -> None:
    """Wait until one of the events is set, or the time is over."""
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(stop.wait()), group.create_task(wake.wait())]
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
