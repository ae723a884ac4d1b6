"""Archives in an S3-compatible store, by the package `obstore`, which only this module needs.

It refuses to know credentials: the store's client takes them from the process's environment, or from the machine's
role. The archiver sees a `Store`.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store as Client

from securityserver.archiving.errors import ArchivingFailed
from securityserver.archiving.settings import S3Settings

if TYPE_CHECKING:
    from obstore.store import S3Config  # the package has it for type checkers only

# One request; a part of an upload is 5 MiB, so that a slow line of 0.5 Mbit/s still makes it.
_REQUEST: Final = timedelta(seconds=120)
_CONNECT: Final = timedelta(seconds=10)
# The archiver tries again by itself, at its next run.
_RETRY: Final = timedelta(seconds=30)
_RETRIES: Final = 3
_CHUNK: Final = 1024 * 1024


class S3Store:
    """A bucket, or a prefix of one.

    Args:
        settings: where it is.
    """

    def __init__(self, settings: S3Settings) -> None:
        self._url = settings.url
        with self._trouble():
            self._client = Client.from_url(
                settings.url,
                config=_config(settings),
                client_options={
                    # Only where the administrator wrote http:// himself; such as a store on this machine.
                    "allow_http": (settings.endpoint or "").startswith("http://"),
                    "timeout": _REQUEST,
                    "connect_timeout": _CONNECT,
                },
                retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY},
            )

    async def put(self, name: str, source: Path) -> None:
        """See `Store.put`: an object appears when its upload is complete."""
        with self._trouble():
            await obstore.put_async(self._client, name, source)

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """See `Store.read`."""
        with self._trouble():
            found = await obstore.get_async(self._client, name)
            async for chunk in found.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)

    async def remove(self, name: str) -> None:
        """See `Store.remove`."""
        with self._trouble():
            try:
                await obstore.delete_async(self._client, name)
            except FileNotFoundError:
                return

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            raise ArchivingFailed(
                f"{self._url}: the store refused ({type(error).__name__}); see its address, that the bucket exists, "
                "and that AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in this process's environment may read and write "
                "there."
            ) from error


def _config(settings: S3Settings) -> "S3Config":
    """Give what NODE.toml says; what it leaves out comes from the environment."""
    config: S3Config = {}
    if settings.endpoint is not None:
        config["endpoint"] = settings.endpoint
    if settings.region is not None:
        config["region"] = settings.region
    return config
