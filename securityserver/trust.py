"""Follows the global configuration: what is stored at start, what is downloaded after, and which snapshot counts now.

It refuses to know how a configuration is fetched, verified or read, and what exchanges do with it. Both pipelines ask
it for the snapshot of the moment, which raises when there is none that is still valid.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Never

import aiohttp

from pki.clock import Clock
from securityserver.confclient import ConfigurationClient
from securityserver.confstore import ConfigurationStore
from serverkit.logs import get_logger
from xroad.errors import MalformedGlobalConf, OutdatedGlobalConf, XRoadError
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.globalconf.stored import load_directory

log = get_logger("trust")


class TrustKeeper:
    """Holds the snapshot that counts. One a process.

    Args:
        directory: where the downloaded configuration is kept.
        anchor: the configuration anchor's file; read again each round, so that a new one needs no restart.
        session: for downloads; the caller closes it.
        clock: the time at which validity is judged.
        refresh_seconds: from the end of one round to the start of the next.
    """

    def __init__(
        self,
        directory: Path,
        anchor: Path,
        session: aiohttp.ClientSession,
        clock: Clock,
        *,
        refresh_seconds: float,
    ) -> None:
        self._store, self._anchor, self._clock = ConfigurationStore(directory), anchor, clock
        self._client = ConfigurationClient(session, self._source_failed)
        self._refresh_seconds = refresh_seconds
        self._subscribers: list[Callable[[], None]] = []
        self._snapshot: TrustSnapshot | None = None
        self._stored_refused: XRoadError | None = None
        self._failing = False

    def subscribe(self, tell: Callable[[], None]) -> None:
        """Have somebody told after a snapshot with other contents has taken its place."""
        self._subscribers.append(tell)

    def current(self) -> TrustSnapshot:
        """Give the snapshot that counts now.

        Raises:
            OutdatedGlobalConf: it has expired.
            MalformedGlobalConf: none was ever had.
        """
        if self._snapshot is None and isinstance(self._stored_refused, OutdatedGlobalConf):
            raise OutdatedGlobalConf(self._stored_refused.detail)
        if self._snapshot is None:
            raise MalformedGlobalConf(
                "This security server has no global configuration yet. Check that its anchor is the "
                "right one and that the "
                "central server is reachable; the log names the reason."
            )
        return self._snapshot.current(self._clock.now())

    def latest(self) -> TrustSnapshot | None:
        """Give the newest snapshot even when it has expired: for key upkeep and health, never for an exchange."""
        return self._snapshot

    @property
    def failing(self) -> bool:
        """Whether the last download failed; the snapshot of before counts until it expires."""
        return self._failing

    def load(self) -> None:
        """Take what is stored on disk; blocking, at start."""
        files = self._store.load()
        if not files:
            return
        try:
            self._snapshot = load_directory(files, self._clock.now())
        except XRoadError as error:
            self._stored_refused = error
            log.warning("globalconf_stored_unusable", code=error.full_code, detail=error.detail)

    async def refresh(self) -> bool:
        """Download once; True when it worked. A failure is logged, and the snapshot of before goes on counting."""
        try:
            anchor, known = await asyncio.to_thread(self._read)
            files = await self._client.download(anchor, known, self._clock.now())
            # A national instance's parameters are megabytes: exchanges go on while they are read.
            snapshot = await asyncio.to_thread(load_directory, files, self._clock.now(), previous=self._snapshot)
            if files != known:
                await asyncio.to_thread(self._store.replace, files)
        except (XRoadError, OSError) as error:
            self._failed(error)
            return False
        self._take(snapshot)
        return True

    async def follow(self) -> Never:
        """Refresh for ever."""
        while True:
            await self._clock.sleep(self._refresh_seconds)
            await self.refresh()

    def _read(self) -> tuple[bytes, dict[str, bytes]]:
        return self._anchor.read_bytes(), self._store.load()

    def _take(self, snapshot: TrustSnapshot) -> None:
        before, self._snapshot = self._snapshot, snapshot
        if self._failing:
            log.info("globalconf_refresh_recovered", valid_until=snapshot.expires_at.isoformat())
            self._failing = False
        if before is None or before.digest != snapshot.digest:
            log.info("globalconf_changed", digest=snapshot.digest, valid_until=snapshot.expires_at.isoformat())
            for tell in self._subscribers:
                tell()

    def _failed(self, error: Exception) -> None:
        self._failing = True
        left = (self._snapshot.expires_at - self._clock.now()).total_seconds() if self._snapshot else 0.0
        detail = error.detail if isinstance(error, XRoadError) else str(error)
        log.warning("globalconf_refresh_failed", detail=detail, still_valid_seconds=max(0, round(left)))

    def _source_failed(self, instance: str, url: str, error: Exception) -> None:
        detail = error.detail if isinstance(error, XRoadError) else str(error) or type(error).__name__
        log.warning("globalconf_source_failed", instance=instance, url=url, detail=detail)
