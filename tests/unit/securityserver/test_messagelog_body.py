import asyncio
import hashlib
import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from securityserver.messagelog import CHUNK_SIZE, EMPTY_BODY, Body, BodyTooLarge, SpoolDirectory, SpoolUnusable
from securityserver.messagelog.body import SpooledFile
from xroad.errors import LoggingFailed

LIMIT = 1000


@pytest.fixture
def spools(tmp_path: Path) -> Iterator[SpoolDirectory]:
    directory = SpoolDirectory.open(tmp_path / "spool", inline_limit=LIMIT)
    yield directory
    directory.close()


async def collect(spools: SpoolDirectory, *chunks: bytes) -> tuple[Body, bytes]:
    async with spools.collect() as spool:
        for chunk in chunks:
            await spool.write(chunk)
        body = await spool.finish()
        return body, b"".join([chunk async for chunk in body.open_reader()])


@pytest.mark.parametrize(
    "size", [0, 1, LIMIT - 1, LIMIT, LIMIT + 1, CHUNK_SIZE, CHUNK_SIZE + LIMIT + 1, 3 * CHUNK_SIZE]
)
async def test_gives_back_what_came(spools: SpoolDirectory, size: int) -> None:
    data = os.urandom(size)
    half = size // 2
    body, seen = await collect(spools, data[:half], data[half:])
    assert seen == data
    assert (body.size, body.digest) == (size, hashlib.sha512(data).digest())
    assert (body.inline is not None) == (size <= LIMIT)


async def test_small_bodies_touch_no_disk(spools: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", None)
    body, _ = await collect(spools, b"x" * LIMIT)
    assert await body.read() == b"x" * LIMIT


async def test_large_bodies_are_written_off_the_loop(spools: SpoolDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()
    append = SpooledFile.append

    def spy(file: SpooledFile, data: bytes) -> None:
        threads.add(threading.get_ident())
        append(file, data)

    monkeypatch.setattr(SpooledFile, "append", spy)
    await collect(spools, bytes(LIMIT + 1), bytes(CHUNK_SIZE + 1), b"rest")
    assert threads
    assert threading.get_ident() not in threads


async def test_files_have_no_name_and_vanish(spools: SpoolDirectory, tmp_path: Path) -> None:
    async with spools.collect() as spool:
        await spool.write(b"x" * 5000)
        body = await spool.finish()
        assert list((tmp_path / "spool").iterdir()) == []
        handle = body.spooled
        assert handle is not None
    with pytest.raises(ValueError, match="closed"):
        handle.read_at(0)


async def test_two_readers_at_once(spools: SpoolDirectory) -> None:
    data = os.urandom(3 * CHUNK_SIZE)
    async with spools.collect() as spool:
        await spool.write(data)
        body = await spool.finish()

        async def read() -> bytes:
            return b"".join([chunk async for chunk in body.open_reader()])

        assert set(await asyncio.gather(read(), read())) == {data}


async def test_limit(spools: SpoolDirectory) -> None:
    async with spools.collect(max_size=10) as spool:
        await spool.write(b"x" * 10)
        with pytest.raises(BodyTooLarge, match="10 bytes"):
            await spool.write(b"x")


async def test_a_large_body_is_not_read_at_once(spools: SpoolDirectory) -> None:
    body, _ = await collect(spools, b"x" * 2000)
    with pytest.raises(ValueError, match="in chunks"):
        await body.read()
    with pytest.raises(ValueError, match="spool"):
        Body.of(bytes(300 * 1024))
    assert await EMPTY_BODY.read() == b""
    assert not [chunk async for chunk in EMPTY_BODY.open_reader()]


def test_one_process_a_directory(spools: SpoolDirectory, tmp_path: Path) -> None:
    with pytest.raises(SpoolUnusable, match="another process"):
        SpoolDirectory.open(tmp_path / "spool")
    (tmp_path / "file").touch()
    with pytest.raises(SpoolUnusable, match="cannot be used"):
        SpoolDirectory.open(tmp_path / "file")


def test_left_overs_are_swept(tmp_path: Path) -> None:
    (tmp_path / "body-abc").write_bytes(b"x")
    (tmp_path / "other").write_bytes(b"x")
    SpoolDirectory.open(tmp_path).close()
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


async def test_a_disk_that_refuses(spools: SpoolDirectory) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with spools.collect() as spool:
        await spool.write(b"x" * 2000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
        try:
            with pytest.raises(LoggingFailed, match="make room"):
                await spool.write(b"x" * (CHUNK_SIZE + 1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_missing_directory(tmp_path: Path) -> None:
    spools = SpoolDirectory.open(tmp_path / "spool", inline_limit=1)
    (tmp_path / "spool").rmdir()
    async with spools.collect() as spool:
        with pytest.raises(LoggingFailed, match="spool directory"):
            await spool.write(b"xx")
    spools.close()


async def test_closing_waits_for_a_write_in_flight(spools: SpoolDirectory) -> None:
    async with spools.collect() as spool:
        await spool.write(b"x" * 2000)
        file = spool._file
        assert file is not None
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.to_thread(file.append, bytes(8 * CHUNK_SIZE)))
            await asyncio.sleep(0.001)
            spool.close()
