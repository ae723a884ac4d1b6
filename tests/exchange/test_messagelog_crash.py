"""Kills a process that logs, at random moments, and looks for each record whose append had returned."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from securityserver.messagelog import MessageLogReader, intake
from securityserver.messagelog.recovery import open_log
from tests.support.messagelog import database_url

ROOT = Path(__file__).resolve().parents[2]
KILLS = 8
# Before each kill: after so many who come alone are taken in by the file beside the database.
RETURNED = intake.ALONE + 4

# Exchanges at once; each fifth record of the first has a large body. What is written to the pipe was returned.
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

asyncio.run(main())
"""


def run_and_kill(directory: Path, exchanges: int, seconds: float) -> list[list[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", APPENDER, str(directory), str(exchanges)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        begun = "".join(process.stdout.readline() for _ in range(RETURNED))
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        output, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    whole = begun + output[: output.rfind("\n") + 1]
    return [line.split() for line in whole.splitlines()]


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
    for _ in range(KILLS):
        reported += run_and_kill(tmp_path, exchanges, random.uniform(0, 0.2))  # noqa: S311
        asyncio.run(check(tmp_path, reported))
    assert len(reported) >= KILLS * RETURNED
    assert len({number for number, _, _ in reported}) == len(reported)
    assert not list((tmp_path / "spool").iterdir())
