"""A real log in archives, on both databases: containers verify, bodies open, records leave, the tree still holds."""

from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from securityserver.archiving.archiver import Run
from securityserver.archiving.assembly import assemble
from securityserver.archiving.errors import ArchiveRefused
from securityserver.archiving.settings import ArchiveSettings
from securityserver.archiving.unsealing import extract
from securityserver.archiving.verification import verify_file
from securityserver.messagelog import BodyForm, MessageLog, MessageLogReader, Record, SpoolDirectory
from securityserver.messagelog.bodies import BodyKeeping
from securityserver.messagelog.check import Checker
from securityserver.messagelog.keys import BodyKeys, DataKeys
from securityserver.messagelog.timestamps import NewTimestamp, TimestampStore
from securityserver.migrations import open_node_database
from serverkit.database import Database
from tests.support.containers import NOW, STAMPED, Sample, batch, plain, sample
from tests.support.messagelog import make_record
from tests.support.pki import AT
from xroad import asic
from xroad.asic import BatchStamp, Outcome

LARGE = bytes(range(256)) * 4096 * 3  # three chunks
FORMS = {
    "plain": (b"plain body", BodyForm.PLAIN),
    "sealed": (b"sealed body", BodyForm.ENCRYPTED),
    "large": (LARGE, BodyForm.ENCRYPTED),
    "large-plain": (LARGE, BodyForm.PLAIN),
    "none": (b"body that is not logged", BodyForm.NOT_LOGGED),
    "empty": (None, BodyForm.ENCRYPTED),
}
KEY = ec.generate_private_key(ec.SECP256R1())


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def of(name: str) -> Sample:
    return sample("direct", "none", body=FORMS[name][0])


@dataclass
class Archived:
    """An archived log."""

    database: Database
    directory: Path
    run: Run

    @property
    def file(self) -> Path:
        (file,) = (self.directory / "archives").iterdir()
        return file

    async def again(self, days: int) -> Run:
        settings = ArchiveSettings(directory=self.directory / "archives")
        at = AT + timedelta(days=days)
        return await assemble(settings, self.database, self.directory / "work", lambda: at).run()


async def logged(database: Database, directory: Path) -> None:
    keys = DataKeys(database, [KEY.public_key()])
    log = await MessageLog.open(database, bodies=BodyKeeping(lambda record: FORMS[record.query_id][1], keys))
    spools = SpoolDirectory.open(directory / "spool")
    try:
        for name in FORMS:
            async with spools.collect() as spool:
                await spool.write(FORMS[name][0] or b"")
                await log.append(record_of(name, await spool.finish()))
    finally:
        await log.close()
        spools.close()


def record_of(name: str, body: object) -> Record:
    signed = of(name).parts
    return make_record(query_id=name, head=signed.message, body=body, signature=signed.signature.xml, at=AT)


async def stamped(database: Database) -> None:
    store, trusted = TimestampStore(database), of("plain").pki
    for number, waiting in enumerate(await store.unstamped(100)):
        signature = await store.signature(waiting)
        stamp = plain(signature, trusted) if number % 2 else batch(signature, trusted)
        if isinstance(stamp, BatchStamp):
            new = NewTimestamp(STAMPED, "TSA", stamp.token, stamp.hash_chain_result)
            await store.keep(new, [waiting], [stamp.hash_chain])
        else:
            await store.keep(NewTimestamp(STAMPED, "TSA", stamp, None), [waiting], [None])


@pytest_asyncio.fixture
async def archived(any_database: str, tmp_path: Path) -> AsyncIterator[Archived]:
    with closing(open_node_database(any_database)) as database:
        await logged(database, tmp_path)
        await stamped(database)
        result = Archived(database, tmp_path, Run(0, 0, 0))
        result.run = await result.again(0)
        yield result


def judged(file: Path) -> asic.Verdict:
    return asic.judge(file.read_bytes(), of("plain").trust, NOW)


def by_name(directory: Path) -> dict[str, asic.Verdict]:
    return {file.name.rsplit("-", 2)[0]: judged(file) for file in directory.iterdir()}


async def test_bodies_are_in_their_containers_or_encrypted_beside_them(archived: Archived) -> None:
    assert archived.run == Run(1, 6, 0)
    verified = verify_file(archived.file)
    assert (verified.containers, verified.sealed) == (6, 2)
    assert all(FORMS[name][0] not in archived.file.read_bytes() for name in ("sealed", "none"))  # type: ignore[operator]


async def test_each_container_verifies_as_it_is_and_with_its_body(archived: Archived, tmp_path: Path) -> None:
    closed, whole = tmp_path / "closed", tmp_path / "whole"
    assert sorted(inside for _, inside in extract(archived.file, closed, None)) == [
        False,
        False,
        True,
        True,
        True,
        True,
    ]
    assert all(inside for _, inside in extract(archived.file, whole, BodyKeys.from_pem(pem(KEY), None)))
    expected = {"closed": {"sealed", "large", "none"}, "whole": {"none"}}
    for directory in (closed, whole):
        verdicts = by_name(directory)
        assert {verdict.outcome for verdict in verdicts.values()} == {Outcome.VALID}
        lacking = {name for name, verdict in verdicts.items() if verdict.verified and verdict.verified.left_out}
        assert lacking == expected[directory.name]
    container = by_name(whole)["large"].container
    assert container is not None
    assert b"".join(container.attachment_chunks("attachment1")) == LARGE


async def test_a_key_of_others_opens_nothing_and_leaves_nothing(archived: Archived, tmp_path: Path) -> None:
    other = BodyKeys.from_pem(pem(ec.generate_private_key(ec.SECP256R1())), None)
    with pytest.raises(ArchiveRefused, match="encrypted for other keys"):
        list(extract(archived.file, tmp_path / "out", other))
    assert not any("sealed" in file.name or "large-r" in file.name for file in (tmp_path / "out").iterdir())


async def test_an_encrypted_body_that_was_changed_is_refused(archived: Archived, tmp_path: Path) -> None:
    changed = tmp_path / "changed.zip"
    with ZipFile(archived.file) as old, ZipFile(changed, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data[:-1] + bytes([data[-1] ^ 1]) if name.endswith(".body") else data)
    with pytest.raises(ArchiveRefused, match="its bytes are not those that were sealed"):
        verify_file(changed)


async def test_archived_records_leave_and_the_tree_still_holds(archived: Archived) -> None:
    assert (await archived.again(29)).removed == 0
    assert (await archived.again(32)).removed == 6  # on PostgreSQL the whole day, when it is over
    assert [record async for record in MessageLogReader(archived.database).iterate()] == []
    assert list(Checker(archived.database).run()) == []
    with archived.database.reading() as connection:
        for table in ("log_body", "log_body_chunk"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0  # noqa: S608 - fixed
