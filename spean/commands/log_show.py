"""``spean log show``: all about one record: its X-Road headers, who signed it, its time-stamp, and its body's state.

It refuses to change anything. A body, alone or in its signed document, leaves the log only when it is asked for and a
key opens it, into a file that its owner alone can read.
"""

import argparse
import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from securityserver.config import NodeConfig, load_config
from securityserver.confstore import ConfigurationStore
from securityserver.documents import Documents
from securityserver.logkey import body_keys
from securityserver.messagelog import BodyForm, BodyKeys, BodyUnavailable, MessageLogReader, StoredRecord
from securityserver.messagelog.records import Direction as Half
from securityserver.messagelog.recovery import open_log
from spean.commands.common import PRIVATE, told
from spean.commands.log_lines import visible
from spean.commands.node import NODE_ERRORS
from spean.errors import CommandError
from xroad.errors import XRoadError
from xroad.evidence import Direction, EvidenceRecord, judge
from xroad.globalconf.stored import load_directory
from xroad.rest import RestRequest, RestResponse
from xroad.xades import SignatureData

Facts = dict[str, str | int | None]


def run(arguments: argparse.Namespace) -> int:
    """Print one record; with ``--body`` or ``--document``, write its body or signed document to a new file."""
    with told(*NODE_ERRORS, BodyUnavailable):
        facts = asyncio.run(_shown(arguments))
    if arguments.json:
        print(json.dumps(facts, indent=2))
    else:
        for name, value in facts.items():
            print(f"{visible(name)}: {'-' if value is None else visible(str(value))}")
    return 0


async def _shown(arguments: argparse.Namespace) -> Facts:
    config = load_config(arguments.config)
    with closing(open_log(config.database)) as database:
        reader = MessageLogReader(database, _keys(arguments, config))
        record = await reader.get(arguments.record)
        if record is None:
            raise CommandError(
                f"There is no record {arguments.record} in this log: see `spean log list`, or look in the archives."
            )
        if arguments.body is not None:
            await _write(arguments.body, reader.read_body(record.id))
        if arguments.document is not None:
            await _write_document(arguments.document, Documents(reader), record)
        stamp = await reader.timestamp_of(record)
    stamped = None if stamp is None else f"{_time(stamp.at)} by {stamp.authority}"
    signature = _signature(record, config, record.at if stamp is None else stamp.at)
    return {**_what(record), **_head(record), **signature, "time-stamp": stamped, **_body(record)}


def _keys(arguments: argparse.Namespace, config: NodeConfig) -> BodyKeys | None:
    """Give the auditor's own key, or the log's; none when no body is asked for."""
    if arguments.body is None and arguments.document is None:
        return None
    if arguments.key is None:
        return body_keys(config)
    password = arguments.password_file and arguments.password_file.read_bytes().rstrip(b"\r\n")
    return BodyKeys.from_pem(arguments.key.read_bytes(), password)


def _what(record: StoredRecord) -> Facts:
    return {
        "record": record.id,
        "time": _time(record.at),
        "side": record.side.value,
        "direction": record.direction.value,
        "client": str(record.client),
        "service": str(record.service),
        "message id": record.query_id,
        "request id": record.request_id,
        "user": record.user_id,
        "issue": record.issue,
    }


def _head(record: StoredRecord) -> Facts:
    """Read the signed head: its first line, and the headers that are X-Road's."""
    first: Facts
    try:
        if record.direction is Half.REQUEST:
            request = RestRequest.from_head(record.head)
            query = "" if request.query is None else f"?{request.query}"
            first, headers = {"request": f"{request.verb} {request.path}{query}"}, request.headers
        else:
            response = RestResponse.from_head(record.head)
            first, headers = {"status": f"{response.status} {response.reason}".strip()}, response.headers
    except XRoadError as problem:
        return {"head": f"cannot be read: {problem.detail}"}
    return first | {name: value for name, value in headers if name.lower().startswith("x-road-")}


def _signature(record: StoredRecord, config: NodeConfig, at: datetime) -> Facts:
    """Judge the signature offline, by the global configuration that the node keeps."""
    files = ConfigurationStore(config.globalconf_directory).load()
    if not files:
        return {"signature": "not judged: this node has no global configuration yet"}
    evidence = EvidenceRecord(
        Direction(record.direction.value),
        record.head,
        record.body_digest if record.body_size else None,
        SignatureData(record.signature, record.hash_chain_result, record.hash_chain),
    )
    try:
        judged = judge(evidence, load_directory(files, datetime.now(UTC)), at)
    except XRoadError as problem:
        return {"signature": f"DOES NOT HOLD: {problem.full_code}: {problem.detail}"}
    return {
        "signature": f"holds at {_time(at)}",
        "signed by": str(judged.signer),
        "signed at": _time(judged.signing_time),
        "certificate": judged.subject,
        "certificate serial": str(judged.serial),
        "certificate issuer": judged.issuer,
        "certificate status": f"good at {_time(judged.ocsp_this_update)}, says {judged.ocsp_responder}",
    }


def _body(record: StoredRecord) -> Facts:
    return {
        "body": record.body_form.name.lower().replace("_", " "),
        "body size": record.body_size,
        "body SHA-512": record.body_digest.hex() if record.body_size else None,
        "place in the tree": record.leaf_index,
        "archive": record.archive_id,
    }


async def _write_document(path: Path, documents: Documents, record: StoredRecord) -> None:
    document = await documents.stamped(record)
    if document is None:
        raise CommandError(f"Record {record.id} has no time-stamp yet: wait a minute, and ask again.")
    if record.body_form is BodyForm.ENCRYPTED and record.body_size:
        # A document without its body is easy to get and good for little: who asks here wants the whole one.
        await anext(documents.reader.read_body(record.id))
    await _write(path, documents.container(document))


async def _write(path: Path, chunks: AsyncIterator[bytes]) -> None:
    with _new_file(path) as file:
        async for chunk in chunks:
            file.write(chunk)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that was not there, for its owner only; a body that does not come whole leaves none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except FileExistsError as problem:
        raise CommandError(f"{path} exists already. Remove it, or choose another name.") from problem
    complete = False
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        complete = True
    finally:
        if not complete:
            path.unlink()


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")
