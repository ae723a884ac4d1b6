"""Kills a process that logs, at random moments, and looks for each record whose append had returned."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import takewhile
from pathlib import Path

import pytest

from securityserver.messagelog import MessageLogReader, intake
from securityserver.messagelog.recovery import open_log
from tests.support.messagelog import database_url

ROOT = Path(__file__).resolve().parents[2]
KILLS = 8
WORDS = 3  # on a whole line: number, request id, digest
# Before each kill: after so many who come alone are taken in by the file beside the database.
RETURNED = intake.ALONE + 4

# Exchanges at once; each fifth record of the first has a large body. What is written to the pipe was returned.
# Who appends is a child each time, so that what it imports is imported once.
APPENDER = """
import asyncio, os, sys
from pathlib import Path
from securityserver.messagelog import SpoolDirectory
from tests.support.messagelog import make_record, running_log

async def main():
    directory = Path(sys.argv[1])
    spools = SpoolDirectory.open(directory / "spool", inline_limit=1000)

    async def exchange(log, number):
        step = 0
        while True:
            async with spools.collect() as spool:
                await spool.write(os.urandom(2_500_000 if number == 0 and step % 5 == 0 else 100))
                body = await spool.finish()
                record = make_record(body=body, query_id=body.digest.hex())
                os.write(1, f"{await log.append(record)} {record.request_id} {body.digest.hex()}\\n".encode())
            step += 1

    async with running_log(directory, intake=True) as log:
        os.write(1, b"ready\\n")
        await asyncio.gather(*(exchange(log, number) for number in range(int(sys.argv[2]))))

for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        os.write(1, f"{os.getpid()}\\n".encode())
        asyncio.run(main())
        os._exit(0)
    os.waitpid(child, 0)
    os.write(1, b"\\nended\\n")
"""


@contextmanager
def appender(directory: Path, exchanges: int) -> Iterator["subprocess.Popen[str]"]:
    """Run what starts a child that appends for each line that it gets."""
    with subprocess.Popen(
        [sys.executable, "-c", APPENDER, str(directory), str(exchanges)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        yield process


def run_and_kill(process: "subprocess.Popen[str]", seconds: float) -> list[list[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("again\n")
    child = int(process.stdout.readline())
    assert process.stdout.readline() == "ready\n"
    lines = [process.stdout.readline() for _ in range(RETURNED)]
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    lines += takewhile(lambda line: not line.startswith("ended"), process.stdout)
    return [words for words in map(str.split, lines) if len(words) == WORDS]


async def check(directory: Path, reported: list[list[str]]) -> None:
    with closing(open_log(database_url(directory))) as database:
        reader = MessageLogReader(database)
        records = {str(record.id): record async for record in reader.iterate()}
        for number, request_id, digest in reported:
            record = records[number]
            assert (record.request_id, record.body_digest.hex()) == (request_id, digest)
        # `read_body` compares sizes and digests; a body whose record is there must be there whole.
        for record in random.sample(list(records.values()), k=min(20, len(records))):
            assert sum([len(chunk) async for chunk in reader.read_body(record.id)]) == record.body_size


# Many at once share commits into the database; one after the other is taken in by the file beside it.
@pytest.mark.timeout(180)
@pytest.mark.parametrize("exchanges", [8, 1])
def test_kill_loses_no_record_whose_append_returned(tmp_path: Path, exchanges: int) -> None:
    reported: list[list[str]] = []
    with appender(tmp_path, exchanges) as process:
        for _ in range(KILLS):
            reported += run_and_kill(process, random.uniform(0, 0.2))  # noqa: S311
            asyncio.run(check(tmp_path, reported))
    assert len(reported) >= KILLS * RETURNED
    assert len({number for number, _, _ in reported}) == len(reported)
    assert not list((tmp_path / "spool").iterdir())
