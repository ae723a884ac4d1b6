import base64
import hashlib
import json
import os
import re
import resource
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from securityserver.messagelog import (
    Body,
    BodyForm,
    BodyKeeping,
    BodyKeys,
    BodyLocked,
    BodyNotLogged,
    DataKeys,
    LogKeyUnusable,
    MessageLogReader,
    SpoolDirectory,
)
from securityserver.messagelog.bodycipher import BodyDamaged, BodyOpener, BodySealer
from securityserver.messagelog.check import Checker, Trouble
from securityserver.messagelog.keys import read_public_key
from securityserver.migrations import open_node_database
from serverkit.database import Database
from tests.support.messagelog import make_record, running_log
from xroad.errors import DatabaseError, LoggingFailed

OWN = ec.generate_private_key(ec.SECP256R1())
AUDITOR = rsa.generate_private_key(65537, 2048)
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 - to be refused
OTHER = ec.generate_private_key(ec.SECP384R1())
SECRET = b"a household's income " * 20


def pem_of(key: Any, password: bytes | None = None) -> bytes:
    hidden = NoEncryption() if password is None else BestAvailableEncryption(password)
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden)
    return pem


@pytest.fixture
def database(any_database: str) -> Iterator[Database]:
    opened = open_node_database(any_database)
    yield opened
    opened.close()


@pytest.fixture
def spools(tmp_path: Path) -> Iterator[SpoolDirectory]:
    directory = SpoolDirectory.open(tmp_path / "spool", inline_limit=1000)
    yield directory
    directory.close()


def encrypting(database: Database) -> BodyKeeping:
    return BodyKeeping(lambda _record: BodyForm.ENCRYPTED, DataKeys(database, [OWN.public_key(), AUDITOR.public_key()]))


def keys(key: Any = OWN) -> BodyKeys:
    return BodyKeys.from_pem(pem_of(key), None)


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def log_one(url: str, database: Database, body: Body, **options: Any) -> int:
    async with running_log(url, bodies=options.get("bodies") or encrypting(database)) as log:
        return await log.append(make_record(body=body))


def row_of(database: Database, number: int) -> sa.RowMapping:
    with database.reading() as connection:
        return connection.execute(sa.text("SELECT * FROM log_record WHERE id = :id"), {"id": number}).mappings().one()


def execute(database: Database, sql: str, **values: Any) -> None:
    with database.transaction() as connection:
        connection.execute(sa.text(sql), values)


async def test_a_body_is_opened_by_the_log_key_and_by_an_auditor_only(any_database: str, database: Database) -> None:
    number = await log_one(any_database, database, Body.of(SECRET))
    assert SECRET not in row_of(database, number)["body"]
    for key in (OWN, AUDITOR):
        assert await whole(MessageLogReader(database, keys(key)).read_body(number)) == SECRET
    for nobody in (None, keys(OTHER)):
        with pytest.raises(BodyLocked, match="encrypted"):
            await whole(MessageLogReader(database, nobody).read_body(number))


async def test_everything_but_the_body_is_read_without_a_key(any_database: str, database: Database) -> None:
    number = await log_one(any_database, database, Body.of(SECRET))
    parts = await MessageLogReader(database).container_parts(number)
    assert parts.record.signature == b"<signature/>"
    assert parts.record.body_digest == hashlib.sha512(SECRET).digest()
    assert (parts.body, parts.record.body_form) == (None, BodyForm.ENCRYPTED)
    assert parts.body_unavailable is not None
    assert (await MessageLogReader(database, keys()).container_parts(number)).body == SECRET


async def test_a_large_body_is_sealed_chunk_by_chunk(
    any_database: str, database: Database, spools: SpoolDirectory
) -> None:
    data = os.urandom(2 * 1024 * 1024 + 17)
    async with spools.collect() as spool:
        await spool.write(data)
        number = await log_one(any_database, database, await spool.finish())
    assert await whole(MessageLogReader(database, keys()).read_body(number)) == data
    with database.reading() as connection:
        chunks = connection.execute(sa.text("SELECT data FROM log_body_chunk ORDER BY position")).scalars().all()
    assert len(chunks) == 3
    assert data[:64] not in b"".join(chunks)
    assert row_of(database, number)["body_stored_digest"] == hashlib.sha256(b"".join(chunks)).digest()
    assert list(Checker(database).run()) == []
    execute(database, "UPDATE log_body_chunk SET data = :data WHERE position = 1", data=chunks[0])
    with pytest.raises(DatabaseError, match="not what was logged"):
        await whole(MessageLogReader(database, keys()).read_body(number))
    assert [finding.trouble for finding in Checker(database).run()] == [Trouble.BODY_CHANGED]


async def test_a_body_under_another_record_does_not_open(any_database: str, database: Database) -> None:
    async with running_log(any_database, bodies=encrypting(database)) as log:
        first, second = [await log.append(make_record(body=Body.of(SECRET))) for _ in range(2)]
    execute(database, "UPDATE log_record SET body = :b WHERE id = :id", b=row_of(database, first)["body"], id=second)
    with pytest.raises(DatabaseError, match="not what was logged"):
        await whole(MessageLogReader(database, keys()).read_body(second))
    findings = list(Checker(database).run())
    assert [(one.trouble, one.record) for one in findings] == [(Trouble.BODY_CHANGED, second)]


async def test_a_body_that_is_not_logged_leaves_all_but_itself(
    any_database: str, database: Database, spools: SpoolDirectory
) -> None:
    none = BodyKeeping(lambda _record: BodyForm.NOT_LOGGED, None)
    async with spools.collect() as spool:
        await spool.write(SECRET * 100)
        large = await log_one(any_database, database, await spool.finish(), bodies=none)
    small = await log_one(any_database, database, Body.of(SECRET), bodies=none)
    empty = await log_one(any_database, database, Body.of(b""), bodies=none)
    reader = MessageLogReader(database, keys())
    for number in (large, small):
        with pytest.raises(BodyNotLogged, match="policy"):
            await whole(reader.read_body(number))
        parts = await reader.container_parts(number)
        assert (parts.body, parts.record.body_form) == (None, BodyForm.NOT_LOGGED)
        assert parts.record.body_size > 0
    assert await whole(reader.read_body(empty)) == b""
    assert list(Checker(database).run()) == []
    execute(database, "UPDATE log_record SET body = :b WHERE id = :id", b=SECRET, id=small)
    assert [finding.trouble for finding in Checker(database).run()] == [Trouble.BODY_CHANGED]


async def test_one_key_a_day_and_start_each_wrapped_for_all(any_database: str, database: Database) -> None:
    async with running_log(any_database, bodies=encrypting(database)) as log:
        for day in (1, 1, 2):
            record = make_record(body=Body.of(SECRET))
            await log.append(make_record(body=Body.of(SECRET), at=record.at.replace(day=day)))
    with database.reading() as connection:
        rows = connection.execute(sa.text("SELECT day, wrapped FROM log_key ORDER BY id")).all()
    assert [row.day for row in rows] == ["2026-07-01", "2026-07-02"]
    assert all(len(json.loads(row.wrapped)) == 2 for row in rows)


async def test_two_equal_bodies_are_stored_differently(any_database: str, database: Database) -> None:
    async with running_log(any_database, bodies=encrypting(database)) as log:
        one, other = [await log.append(make_record(body=Body.of(SECRET))) for _ in range(2)]
    assert row_of(database, one)["body"][:16] != row_of(database, other)["body"][:16]


async def test_without_a_key_nothing_is_logged_in_plain_by_mistake(any_database: str, database: Database) -> None:
    keyless = BodyKeeping(lambda _record: BodyForm.ENCRYPTED, None)
    with pytest.raises(LoggingFailed, match="log key"):
        await log_one(any_database, database, Body.of(SECRET), bodies=keyless)
    with pytest.raises(LogKeyUnusable):
        DataKeys(database, [])


async def test_an_altered_wrapped_key_is_told(any_database: str, database: Database) -> None:
    number = await log_one(any_database, database, Body.of(SECRET))
    with database.transaction() as connection:
        wrapped = json.loads(connection.execute(sa.text("SELECT wrapped FROM log_key")).scalar_one())
        for entry in wrapped.values():
            entry["key"] = base64.b64encode(bytes(40)).decode()
        connection.execute(sa.text("UPDATE log_key SET wrapped = :w"), {"w": json.dumps(wrapped)})
    for key in (OWN, AUDITOR):
        with pytest.raises(DatabaseError, match="altered"):
            await whole(MessageLogReader(database, keys(key)).read_body(number))


async def test_openssl_opens_a_data_key(any_database: str, database: Database, tmp_path: Path) -> None:
    """What docs/message-log.md tells those who have to do without this software."""
    await log_one(any_database, database, Body.of(SECRET))
    with database.reading() as connection:
        wrapped = connection.execute(sa.text("SELECT wrapped FROM log_key")).scalar_one()
    expected = keys().unwrap(wrapped)
    own, auditor = [
        entry for _, entry in sorted(json.loads(wrapped).items(), key=lambda item: "ephemeral" not in item[1])
    ]
    (tmp_path / "own.pem").write_bytes(pem_of(OWN))
    (tmp_path / "auditor.pem").write_bytes(pem_of(AUDITOR))
    (tmp_path / "ephemeral.der").write_bytes(base64.b64decode(own["ephemeral"]))
    (tmp_path / "own.key").write_bytes(base64.b64decode(own["key"]))
    (tmp_path / "auditor.key").write_bytes(base64.b64decode(auditor["key"]))

    def openssl(*arguments: str) -> bytes:
        return subprocess.run(["openssl", *arguments], cwd=tmp_path, capture_output=True, check=True).stdout

    oaep = ("-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256")
    assert openssl("pkeyutl", "-decrypt", "-inkey", "auditor.pem", *oaep, "-in", "auditor.key") == expected
    openssl("pkey", "-pubin", "-inform", "DER", "-in", "ephemeral.der", "-out", "ephemeral.pem")
    shared = openssl("pkeyutl", "-derive", "-inkey", "own.pem", "-peerkey", "ephemeral.pem")
    options = ("-kdfopt", "digest:SHA256", "-kdfopt", f"hexkey:{shared.hex()}", "-kdfopt", "info:spean-log-key-1")
    kek = re.sub(rb"[^0-9A-F]", b"", openssl("kdf", "-keylen", "32", *options, "HKDF")).decode()
    unwrapped = openssl("enc", "-d", "-id-aes256-wrap", "-K", kek, "-iv", "A6" * 8, "-in", "own.key")
    assert unwrapped == expected


@pytest.mark.parametrize("place", [0, 20, -1])
def test_an_altered_chunk_does_not_open(place: int) -> None:
    sealer = BodySealer(bytes(32), b"context")
    first, second = sealer.seal(0, b"first chunk"), sealer.seal(1, b"second chunk")
    assert BodyOpener(bytes(32), b"context", first).open(1, second) == b"second chunk"
    spoiled = bytearray(first)
    spoiled[place] ^= 1
    for opener, number, chunk in (
        (BodyOpener(bytes(32), b"context", bytes(spoiled)), 0, bytes(spoiled)),
        (BodyOpener(bytes(32), b"other", first), 0, first),
        (BodyOpener(bytes(32), b"context", first), 2, second),
        (BodyOpener(bytes(32), b"context", first), 0, first[:20]),
    ):
        with pytest.raises(BodyDamaged):
            opener.open(number, chunk)


@pytest.mark.parametrize("key", [WEAK.public_key(), ec.generate_private_key(ec.SECP256K1()).public_key()])
def test_weak_and_strange_public_keys_are_refused(key: Any) -> None:
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(LogKeyUnusable, match=r"auditor\.pem"):
        read_public_key(pem, "auditor.pem")


def test_a_private_key_needs_its_password() -> None:
    pem = pem_of(OWN, b"right")
    BodyKeys.from_pem(pem, b"right")
    for password in (None, b"wrong"):
        with pytest.raises(LogKeyUnusable, match="password"):
            BodyKeys.from_pem(pem, password)


async def test_a_large_encrypted_body_needs_little_memory(tmp_path: Path, spools: SpoolDirectory) -> None:
    mebibyte = os.urandom(1024 * 1024)
    url = f"sqlite:///{tmp_path / 'node.db'}"
    database = open_node_database(url)
    async with running_log(url, bodies=encrypting(database)) as log, spools.collect() as spool:
        await spool.write(mebibyte)
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(96):
            await spool.write(mebibyte)
        number = await log.append(make_record(body=await spool.finish()))
        size = sum([len(chunk) async for chunk in MessageLogReader(database, keys()).read_body(number)])
        assert size == 97 * 1024 * 1024
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident < 48 * 1024  # KiB
    database.close()
