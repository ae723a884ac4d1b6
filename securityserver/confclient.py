"""Downloads a global configuration by its anchor: fetches bytes over HTTP and has ``xroad.globalconf`` verify them.

It refuses to know when to download, where the result is kept and what it means. ``trust`` calls it once a round.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import aiohttp
from yarl import URL

from securityserver.bounded import read_bounded
from xroad.errors import MalformedGlobalConf, XRoadError
from xroad.globalconf.anchor import parse_anchor
from xroad.globalconf.directory import (
    SignedDirectory,
    SourceKind,
    verify_directory,
    versioned_url,
)
from xroad.globalconf.parameters import parse_private
from xroad.globalconf.parameters.model import Anchor, AnchorSource
from xroad.globalconf.part import PRIVATE_PARAMETERS, Part
from xroad.globalconf.stored import Downloaded, folder_of, store

# Versions of the configuration, the newest first: an older authority answers 404 to those that it does not write.
VERSIONS: Final = (6, 5, 4, 3, 2)
NOT_FOUND: Final = 404
OK: Final = 200
# One file. The largest instance known has some MiB of shared parameters.
FILE_BYTES: Final = 64 * 1024 * 1024
FILE_SECONDS: Final = 30.0
# All that is tried for one federated instance. The own configuration waits for it, and is valid for ten minutes.
PARTNER_SECONDS: Final = 60.0

Log = Callable[[str, str, Exception], None]


@dataclass(frozen=True, slots=True)
class _Source:
    """One place to download from, and what must be found there."""

    anchor: Anchor
    kind: SourceKind


class ConfigurationClient:
    """Downloads, over one HTTP session that the caller owns.

    Args:
        session: for all requests.
        on_failure: hears each address that failed, with the instance and the reason, while others are still tried.
    """

    def __init__(self, session: aiohttp.ClientSession, on_failure: Log) -> None:
        self._session, self._on_failure = session, on_failure

    async def download(self, anchor: bytes, known: Mapping[str, bytes], at: datetime) -> dict[str, bytes]:
        """Download the own instance's configuration and those of the instances that it trusts.

        Args:
            anchor: the anchor file of the own instance.
            known: the stored files of the last round; a federated instance that cannot be had keeps its files of then.
            at: the time at which signatures and validity are judged.

        Returns:
            The files to store, by their relative name.

        Raises:
            XRoadError: the own instance's configuration cannot be had, or is not what it must be.
        """
        own = parse_anchor(anchor)
        first = await self._from_any_source(_Source(own, SourceKind.INTERNAL), at)
        partners = _trusted_anchors(first)
        found = await asyncio.gather(
            *(self._from_partner(_Source(partner, SourceKind.EXTERNAL), at) for partner in partners)
        )
        missing = tuple(
            f"{folder_of(partner.instance)}/"
            for partner, download in zip(partners, found, strict=True)
            if download is None
        )
        kept = {name: data for name, data in known.items() if name.startswith(missing)}
        return kept | store(own.instance, [first, *filter(None, found)])

    async def _from_partner(self, source: _Source, at: datetime) -> Downloaded | None:
        """Give a federated instance's configuration; None when it cannot be had now, which is its own loss alone."""
        try:
            async with asyncio.timeout(PARTNER_SECONDS):
                return await self._from_any_source(source, at)
        except TimeoutError as error:
            self._on_failure(source.anchor.instance, source.anchor.sources[0].url, error)
        except XRoadError:
            pass  # each of its addresses has been told of
        return None

    async def _from_any_source(self, source: _Source, at: datetime) -> Downloaded:
        for place in source.anchor.sources:
            try:
                return await self._from(place, source, at)
            except (XRoadError, aiohttp.ClientError, TimeoutError, ValueError) as error:
                self._on_failure(source.anchor.instance, place.url, error)
        raise MalformedGlobalConf(
            f"The global configuration of instance {source.anchor.instance} cannot be had from any "
            "address of its anchor. "
            "See the log for the reason at each, and check that the central server is reachable from here."
        )

    async def _from(self, place: AnchorSource, source: _Source, at: datetime) -> Downloaded:
        directory = verify_directory(await self._directory(place.url), source.anchor, at, kind=source.kind)
        contents = await asyncio.gather(*(self._part(part, place.url) for part in directory.parts))
        return Downloaded(
            directory, {part.location: data for part, data in zip(directory.parts, contents, strict=True)}
        )

    async def _directory(self, url: str) -> bytes:
        for version in VERSIONS:
            data = await self._get(versioned_url(url, version))
            if data is not None:
                return data
        raise MalformedGlobalConf(f"There is no global configuration at {url} in a version that this software reads.")

    async def _part(self, part: Part, base: str) -> bytes:
        data = await self._get(part.url(base))
        if data is None:
            raise MalformedGlobalConf(f"The configuration's part {part.location} is not where its directory says.")
        return part.verify(data)

    async def _get(self, url: str) -> bytes | None:
        # A redirect would let a partner send this server's requests to addresses of its choice.
        request = self._session.get(URL(url, encoded=True), allow_redirects=False)
        async with asyncio.timeout(FILE_SECONDS), request as answer:
            if answer.status == NOT_FOUND:
                return None
            if answer.status != OK:
                raise MalformedGlobalConf(f"The central server answered {answer.status} for {url}.")
            return await read_bounded(answer.content, FILE_BYTES)


def _trusted_anchors(own: Downloaded) -> tuple[Anchor, ...]:
    """Read the anchors of federated instances out of the own instance's private parameters."""
    directory: SignedDirectory = own.directory
    for part in directory.parts:
        if part.content_identifier == PRIVATE_PARAMETERS:
            return parse_private(own.contents[part.location], directory.version).anchors
    return ()
