"""``GET /asic`` and ``GET /verificationconf`` on the client ports: signed documents, and what to verify them with.

It refuses to know how containers are made. It stands before the consumer's pipeline, takes these two addresses out, and
answers as UG-SIGDOC says: X-Road's parameters, statuses and file names, and errors as plain text.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from securityserver.confstore import ConfigurationStore
from securityserver.documents import Document, Documents
from securityserver.frontdoor import Handler
from securityserver.incoming import Caller, require_connection
from securityserver.messagelog import Direction, StoredRecord
from securityserver.outgoing import Interrupted, stream
from securityserver.serverconf import ServerConfStore
from securityserver.timestamping import TimestampKeeper
from serverkit.logs import get_logger
from xroad import asic
from xroad.asic.names import MEDIA_TYPE
from xroad.errors import (
    BadRequest,
    ClientNotAuthenticated,
    InternalError,
    InvalidClientIdentifier,
    MalformedGlobalConf,
    NotFound,
    TimestampingFailed,
    XRoadError,
)
from xroad.globalconf.stored import INSTANCE_FILE, METADATA_SUFFIX, SHARED_FILE, parse_metadata
from xroad.identifiers import ClientId

log = get_logger("downloads")

ASIC: Final = "/asic"
VERIFICATION_CONFIGURATION: Final = "/verificationconf"
ZIP: Final = "application/zip"

MAX_PARAMETERS: Final = 30
AT_ONCE: Final = 8  # each holds a database reader and packs with zlib: exchanges must not wait for auditors
_FIXED_TIME: Final = datetime(1980, 1, 1, tzinfo=UTC)  # so that the same configuration is the same file

_STATUS: Final = ((BadRequest, 400), (ClientNotAuthenticated, 401), (NotFound, 404))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    client: ClientId
    query_id: str
    direction: Direction | None
    unique: bool
    force: bool

    @property
    def archive_name(self) -> str:
        """The name of a ZIP of all that fits."""
        suffix = "" if self.direction is None else f"-{self.direction.value}"
        return f"{asic.escaped(self.query_id)}{suffix}.zip"


@dataclass(frozen=True, slots=True)
class Downloads:
    """The download services of one node.

    Args:
        documents: makes containers.
        conf: whose clients are whose, and how they must connect.
        timestamps: stamps a record now, when that is asked for.
        configuration: the stored global configuration.
        slots: limits downloads at once.
        settled: waits until the documents' records can be read.
    """

    documents: Documents
    conf: ServerConfStore
    timestamps: TimestampKeeper
    configuration: ConfigurationStore
    slots: asyncio.Semaphore
    settled: Callable[[], Awaitable[object]]

    def before(self, handler: Handler) -> Handler:
        """Take the two addresses out, and pass everything else on."""

        async def handle(http: web.BaseRequest) -> web.StreamResponse:
            path = http.raw_path.partition("?")[0]
            if http.method != "GET" or path not in {ASIC, VERIFICATION_CONFIGURATION}:
                return await handler(http)
            return await self.handle(http)

        return handle

    async def handle(self, http: web.BaseRequest) -> web.StreamResponse:
        """Answer one download."""
        try:
            async with self.slots:
                if http.raw_path.startswith(VERIFICATION_CONFIGURATION):
                    return await self._verification_configuration()
                return await self._documents(http)
        except XRoadError as error:
            return _refused(http, error)
        except (Interrupted, ConnectionError) as error:
            raise ConnectionResetError from error

    async def _documents(self, http: web.BaseRequest) -> web.StreamResponse:
        parameters = _parameters(http)
        client = _client(parameters)
        self._authenticate(client, Caller.of(http))
        wanted = _wanted(client, parameters)
        await self.settled()
        found = await self._stamped(wanted)
        log.info(
            "documents_downloaded",
            client=str(client),
            query_id=wanted.query_id,
            records=[each.record.id for each in found],
        )
        if wanted.unique:
            return await _sent(http, MEDIA_TYPE, found[0].file_name, self.documents.container(found[0]))
        return await _sent(http, ZIP, wanted.archive_name, self.documents.archive(found))

    def _authenticate(self, client: ClientId, caller: Caller) -> None:
        known = self.conf.current.client(client)
        if known is None:
            raise InternalError(f"Client '{client}' not found: it is not one of this security server's.")
        require_connection(known, caller)

    async def _stamped(self, wanted: Wanted) -> Sequence[Document]:
        records = await self.documents.find(wanted.client, wanted.query_id, wanted.direction)
        if not records:
            raise NotFound("No signed documents found")
        documents = [await self._document(record, wanted) for record in records]
        if wanted.unique and wanted.direction is None:
            raise BadRequest('Parameter "unique" not applicable without "requestOnly" or "responseOnly".')
        if wanted.unique and len(documents) > 1:  # which one is meant must not be guessed
            raise NotFound("No signed documents found: the message id is not unique.")
        return documents

    async def _document(self, record: StoredRecord, wanted: Wanted) -> Document:
        document = await self.documents.stamped(record)
        if document is not None:
            return document
        if not wanted.force:
            unique = wanted.unique
            raise InternalError(
                "Message signature has not been timestamped yet!"
                if unique
                else "Some message signatures have not been timestamped yet!"
            )
        try:
            await self.timestamps.stamp_now(record.id)
        except TimestampingFailed as error:
            raise TimestampingFailed("Failed to get timestamp from any time-stamping providers") from error
        document = await self.documents.stamped(record)
        if document is None:
            raise TimestampingFailed("Failed to get timestamp from any time-stamping providers")
        return document

    async def _verification_configuration(self) -> web.StreamResponse:
        # An expired configuration is given too: it is for documents of its own time.
        data = await asyncio.to_thread(self._packed_configuration)
        headers = {"Content-Type": ZIP, "Content-Disposition": 'filename="verificationconf.zip"'}
        return web.Response(body=data, headers=headers)

    def _packed_configuration(self) -> bytes:
        try:
            files = self.configuration.load()
        except FileNotFoundError:
            files = self.configuration.load()  # a newer generation took its place in the middle
        if INSTANCE_FILE not in files:
            raise MalformedGlobalConf("This security server has no global configuration yet.")
        writer = asic.ZipWriter(_FIXED_TIME, comment=b"")
        pack = partial(_pack, writer)
        pieces = [pack(name, content) for name, content in _verification_files(files)]
        return b"".join([*pieces, pack(INSTANCE_FILE, files[INSTANCE_FILE]), writer.finish()])


def _pack(writer: asic.ZipWriter, name: str, content: bytes) -> bytes:
    return writer.file(f"verificationconf/{name}", content)


def _verification_files(files: dict[str, bytes]) -> Sequence[tuple[str, bytes]]:
    """Give the shared parameters of each instance; of the metadata only the version, as X-Road does."""
    found = []
    for name in sorted(name for name in files if name.endswith(f"/{SHARED_FILE}")):
        version = parse_metadata(files[name + METADATA_SUFFIX]).version
        metadata = json.dumps({"configurationVersion": str(version)}).encode()
        found += [(name, files[name]), (name + METADATA_SUFFIX, metadata)]
    return found


def _parameters(http: web.BaseRequest) -> dict[str, str]:
    """Give the parameters by name, of each the first, as the reference does."""
    query = http.raw_path.partition("?")[2]
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise BadRequest("The parameters are not readable: encode them as UTF-8.") from error
    return dict(reversed(pairs))


def _client(parameters: dict[str, str]) -> ClientId:
    parts = [_needed(parameters, name) for name in ("xRoadInstance", "memberClass", "memberCode")]
    try:
        return ClientId(parts[0], parts[1], parts[2], parameters.get("subsystemCode"))
    except InvalidClientIdentifier as error:
        raise BadRequest(f"The parameters do not name a client: {error.detail}") from error


def _wanted(client: ClientId, parameters: dict[str, str]) -> Wanted:
    query_id = _needed(parameters, "queryId")
    only = [each for each in Direction if f"{each.value}Only" in parameters]
    if len(only) > 1:
        raise BadRequest('Parameters "requestOnly" and "responseOnly" cannot be used at the same time.')
    direction = only[0] if only else None
    return Wanted(client, query_id, direction, unique="unique" in parameters, force="force" in parameters)


def _needed(parameters: dict[str, str], name: str) -> str:
    value = parameters.get(name)
    if value is None:
        raise BadRequest(f'Parameter "{name}" must be specified.')
    return value


async def _sent(
    http: web.BaseRequest, media_type: str, file_name: str, pieces: AsyncIterator[bytes]
) -> web.StreamResponse:
    headers = {"Content-Type": media_type, "Content-Disposition": f'attachment; filename="{file_name}"'}
    return await stream(http, web.StreamResponse(headers=headers), pieces)


def _refused(http: web.BaseRequest, error: XRoadError) -> web.StreamResponse:
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    log.warning("download_refused", code=error.full_code, status=status, detail=error.detail, error_id=error.error_id)
    if http.writer is not None and http.writer.output_size > 0:
        # Part of a document is out: cut it, so that nobody takes it for whole.
        raise ConnectionResetError(error.full_code)
    headers = {"X-Road-Error": error.full_code, "X-Road-Error-Id": error.error_id}
    return web.Response(status=status, text=error.detail, headers=headers)
