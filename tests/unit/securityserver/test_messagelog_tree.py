import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from securityserver.messagelog import Body, MessageLog
from securityserver.messagelog.check import Checker, Finding, Trouble
from securityserver.messagelog.leaf import FIELDS, leaf_of, values_of
from securityserver.messagelog.proofs import Unprovable, prove, verify
from securityserver.messagelog.records import COLUMNS
from securityserver.messagelog.removal import remove
from securityserver.messagelog.store import Refusal, StoreRefused
from securityserver.messagelog.treeheads import HeadInvalid, TreeHead
from securityserver.messagelog.treestate import LEAVES_UNSTORED
from securityserver.migrations import open_node_database
from serverkit.database import Database, DatabaseUnusable
from tests.support.messagelog import AT, make_record, running_log
from xroad.algorithms import default_algorithm
from xroad.errors import LoggingFailed
from xroad.merkle import ProofInvalid

KEY = ec.generate_private_key(ec.SECP256R1())


def _certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    built = x509.CertificateBuilder(name, name, KEY.public_key(), 1, now, now + timedelta(days=999))
    return built.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


CERTIFICATE = _certificate()


async def sign(data: bytes) -> tuple[bytes, bytes]:
    return default_algorithm(KEY.public_key()).sign(KEY, data), CERTIFICATE


@pytest.fixture
def database(any_database: str) -> Iterator[Database]:
    opened = open_node_database(any_database)
    yield opened
    opened.close()


async def filled(url: str, count: int, *, heads: tuple[int, ...] = (), **changes: Any) -> list[int]:
    """Log records, with a signed head after each of some counts; gives their numbers."""
    numbers = []
    async with running_log(url) as log:
        for done in range(1, count + 1):
            numbers.append(await log.append(make_record(**changes)))
            if done in heads:
                assert await log.sign_head(sign, AT + timedelta(seconds=done)) is not None
    return numbers


def execute(database: Database, sql: str, **values: Any) -> None:
    with database.transaction() as connection:
        connection.execute(sa.text(sql), values)


def checked(database: Database, *others: TreeHead) -> list[Finding]:
    return list(Checker(database, others).run())


async def test_a_log_that_nobody_touched_checks(any_database: str, database: Database) -> None:
    await filled(any_database, 21, heads=(5, 8, 21), body=Body.of(b"body"))
    checker = Checker(database)
    assert list(checker.run()) == []
    assert (checker.records, checker.archived, len(checker.heads)) == (21, 0, 3)
    assert checked(database) == []


async def test_an_empty_log_checks(database: Database) -> None:
    assert checked(database) == []


CHANGES = [
    ("UPDATE log_record SET head = :b WHERE id = :id", Trouble.CHANGED),
    ("UPDATE log_record SET signature = :b WHERE id = :id", Trouble.CHANGED),
    ("UPDATE log_record SET body_digest = :b WHERE id = :id", Trouble.CHANGED),
    ("UPDATE log_record SET hash_chain = :b WHERE id = :id", Trouble.CHANGED),
    ("UPDATE log_record SET query_id = 'other' WHERE id = :id", Trouble.CHANGED),
    ("UPDATE log_record SET user_id = 'other' WHERE id = :id", Trouble.CHANGED),
    ("UPDATE log_record SET client_side = 1 - client_side WHERE id = :id", Trouble.CHANGED),
    ("UPDATE log_record SET member_code = 'other' WHERE id = :id", Trouble.CHANGED),
    ("UPDATE log_record SET time = time + 1 WHERE id = :id", Trouble.CHANGED),
    ("UPDATE log_record SET body_form = 2 WHERE id = :id", Trouble.CHANGED),
    ("UPDATE log_record SET body = :b WHERE id = :id", Trouble.BODY_CHANGED),
    ("UPDATE log_record SET body = NULL WHERE id = :id", Trouble.BODY_CHANGED),
    ("DELETE FROM log_record WHERE id = :id", Trouble.REMOVED),
    ("UPDATE log_record SET leaf_index = NULL WHERE id = :id", Trouble.INSERTED),
    ("UPDATE log_record SET leaf_hash = :b WHERE id = :id", Trouble.CHANGED),
]


@pytest.mark.parametrize(("sql", "trouble"), CHANGES)
async def test_each_change_is_found_and_named(
    any_database: str, database: Database, sql: str, trouble: Trouble
) -> None:
    numbers = await filled(any_database, 7, heads=(7,), body=Body.of(b"body"))
    values = {"id": numbers[3]} | ({"b": b"x" * 32} if ":b" in sql else {})
    execute(database, sql, **values)
    found = checked(database)
    assert trouble in {finding.trouble for finding in found}
    assert any(str(numbers[2]) in one.text or one.record == numbers[3] for one in found)


def test_each_unchanging_column_is_covered() -> None:
    """A column that somebody adds and forgets in the leaf could be changed unseen."""
    elsewhere = {"leaf_index", "leaf_hash", "signature_hash", "body", "body_id"}
    assert set(COLUMNS) - set(FIELDS) == elsewhere
    assert set(FIELDS) <= set(COLUMNS)


async def test_a_swap_of_two_records_is_found(any_database: str, database: Database) -> None:
    first, *_, last = await filled(any_database, 5)
    execute(database, "UPDATE log_record SET leaf_index = -1 WHERE id = :id", id=first)
    execute(database, "UPDATE log_record SET leaf_index = 0 WHERE id = :id", id=last)
    execute(database, "UPDATE log_record SET leaf_index = 4 WHERE id = :id", id=first)
    troubles = {finding.trouble for finding in checked(database)}
    assert {Trouble.REORDERED, Trouble.TREE} <= troubles


async def test_a_change_with_its_leaf_made_again_is_found_by_the_tree(any_database: str, database: Database) -> None:
    numbers = await filled(any_database, 8)
    forge(database, numbers[5])
    (finding,) = checked(database)
    assert finding.trouble is Trouble.TREE
    assert f"records {numbers[4]} to {numbers[5]}" in finding.text


async def test_a_change_with_the_whole_tree_made_again_is_found_by_the_signed_head(
    any_database: str, database: Database
) -> None:
    numbers = await filled(any_database, 8, heads=(4, 8))
    forge(database, numbers[5])
    execute(database, "DELETE FROM log_tree_node")
    await (await MessageLog.open(database)).close()
    (finding,) = checked(database)
    assert finding.trouble is Trouble.CHANGED
    assert f"records {numbers[4]} to {numbers[7]}" in finding.text


def forge(database: Database, number: int) -> None:
    execute(database, "UPDATE log_record SET user_id = 'forged' WHERE id = :id", id=number)
    with database.transaction() as connection:
        row = connection.execute(sa.text("SELECT * FROM log_record WHERE id = :id"), {"id": number}).mappings().one()
        leaf = leaf_of(values_of({name: row[name] for name in FIELDS}))
        connection.execute(
            sa.text("UPDATE log_record SET leaf_hash = :leaf WHERE id = :id"), {"leaf": leaf, "id": number}
        )


async def test_a_forged_head_is_found(any_database: str, database: Database) -> None:
    await filled(any_database, 3, heads=(3,))
    execute(database, "UPDATE log_tree_head SET root = :root", root=bytes(32))
    assert [finding.trouble for finding in checked(database)] == [Trouble.HEAD]


async def test_a_log_that_came_back_from_a_backup_lacks_what_a_later_head_covers(
    any_database: str, database: Database
) -> None:
    numbers = await filled(any_database, 9, heads=(9,))
    later = TreeHead.from_json(json.loads(json.dumps(prove(database, numbers[8])))["head"])
    execute(database, "DELETE FROM log_tree_head")
    execute(database, "DELETE FROM log_tree_node WHERE (position + 1) * (1 << level) > 6")
    execute(database, "DELETE FROM log_record WHERE leaf_index >= 6")
    assert checked(database) == []
    (finding,) = checked(database, later)
    assert finding.trouble is Trouble.MISSING
    assert finding.text.startswith("3 records are missing")


async def test_a_proof_verifies_under_the_first_head_over_it(any_database: str, database: Database) -> None:
    numbers = await filled(any_database, 13, heads=(6, 13))
    for place, number in enumerate(numbers):
        proof = prove(database, number)
        assert verify(proof).size == (6 if place < 6 else 13)


ALTERATIONS: dict[str, Callable[[dict[str, Any]], object]] = {
    "place": lambda proof: proof["leaf"].update(index=3),
    "leaf": lambda proof: proof["leaf"].update(data="00"),
    "path": lambda proof: proof["path"].pop(),
    "format": lambda proof: proof.update(format="other"),
    "root": lambda proof: proof["head"].update(root="00" * 32),
    "time": lambda proof: proof["head"].update(time=1),
    "head": lambda proof: proof.pop("head"),
}


@pytest.mark.parametrize("what", ALTERATIONS)
async def test_an_altered_proof_is_refused(any_database: str, database: Database, what: str) -> None:
    numbers = await filled(any_database, 13, heads=(13,))
    proof = prove(database, numbers[-1])
    ALTERATIONS[what](proof)
    with pytest.raises((ProofInvalid, HeadInvalid)):
        verify(proof)


async def test_a_proof_can_be_verified_by_hand(any_database: str, database: Database) -> None:
    """What docs/message-log.md tells auditors to do, with nothing of this software."""
    numbers = await filled(any_database, 6, heads=(6,))
    proof = prove(database, numbers[4])
    found = hashlib.sha256(b"\0" + bytes.fromhex(proof["leaf"]["data"])).digest()
    place, last = proof["leaf"]["index"], proof["head"]["size"] - 1
    for step in map(bytes.fromhex, proof["path"]):
        if place % 2 or place == last:
            found = hashlib.sha256(b"\1" + step + found).digest()
            while place and not place % 2:
                place, last = place // 2, last // 2
        else:
            found = hashlib.sha256(b"\1" + found + step).digest()
        place, last = place // 2, last // 2
    head = proof["head"]
    assert found.hex() == head["root"]
    signed = f"spean-log-head-1\n{head['size']}\n{head['root']}\n{head['time']}\n".encode()
    default_algorithm(KEY.public_key()).verify(KEY.public_key(), bytes.fromhex(head["signature"]), signed)


async def test_no_proof_of_what_is_not_there_not_signed_or_changed(any_database: str, database: Database) -> None:
    numbers = await filled(any_database, 4, heads=(3,))
    for number, words in ((numbers[-1] + 1, "no record"), (numbers[3], "No tree head")):
        with pytest.raises(Unprovable, match=words):
            prove(database, number)
    execute(database, "UPDATE log_record SET user_id = 'other' WHERE id = :id", id=numbers[1])
    with pytest.raises(Unprovable, match="spean log check"):
        prove(database, numbers[1])


async def test_a_head_is_signed_once_a_change(any_database: str) -> None:
    async with running_log(any_database) as log:
        assert await log.sign_head(sign, AT) is None
        await log.append(make_record())
        head = await log.sign_head(sign, AT)
        assert head is not None
        assert await log.sign_head(sign, AT) is None


async def test_the_tree_goes_on_where_it_stopped_also_after_a_crash(any_database: str, database: Database) -> None:
    count = LEAVES_UNSTORED + 37
    async with running_log(any_database) as log:
        await asyncio.gather(*(log.append(make_record()) for _ in range(count)))
    execute(database, "DELETE FROM log_tree_node WHERE (position + 1) * (1 << level) > 100")  # as if never written
    async with running_log(any_database) as log:
        await log.append(make_record())
        head = await log.sign_head(sign, AT)
        assert head is not None
        assert head.size == count + 1
    assert checked(database) == []


async def test_a_record_that_is_gone_from_the_end_stops_the_start(any_database: str, database: Database) -> None:
    numbers = await filled(any_database, 5)
    execute(database, "DELETE FROM log_tree_node")
    execute(database, "DELETE FROM log_record WHERE id = :id", id=numbers[2])
    with pytest.raises(DatabaseUnusable, match="spean log check"):
        async with running_log(any_database):
            pass


async def test_records_from_before_the_tree_are_taken_in(any_database: str, database: Database) -> None:
    await filled(any_database, 5)
    execute(database, "DELETE FROM log_tree_node")
    execute(database, "UPDATE log_record SET leaf_index = NULL, leaf_hash = NULL")
    await filled(any_database, 2, heads=(2,))
    assert checked(database) == []


async def test_archived_records_leave_a_mark_and_others_cannot_go(any_database: str, database: Database) -> None:
    numbers = await filled(any_database, 6, heads=(6,))
    execute(database, "INSERT INTO log_timestamp (id, time, token, authority) VALUES (1, 1, :b, 'a')", b=b"t")
    execute(
        database,
        "INSERT INTO log_archive (id, file_name, group_name, first_id, last_id, records, digest, time)"
        " VALUES (1, 'f', '', 1, 2, 2, :b, 1)",
        b=b"d",
    )
    execute(database, "UPDATE log_record SET timestamp_id = 1 WHERE id <> :id", id=numbers[0])
    execute(database, "UPDATE log_record SET archive_id = 1 WHERE id <> :id", id=numbers[1])
    with database.transaction() as connection:
        assert remove(connection, numbers[:4], 1) == 2
    checker = Checker(database)
    assert list(checker.run()) == []
    assert (checker.records, checker.archived) == (4, 2)
    assert verify(prove(database, numbers[4])).size == 6


async def test_a_commit_that_was_reported_as_failed_costs_no_later_record(
    any_database: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database may keep what it said it refused: the places of the tree are then other ones than in memory."""
    async with running_log(any_database) as log:
        store = log._writer._store
        kept = store.insert_records

        def keep_and_fail(rows: Any) -> Any:
            kept(rows)
            monkeypatch.undo()
            if database.is_postgresql:
                vars(store)["_connection"].close()
            raise StoreRefused(Refusal.ALL, "lost")

        monkeypatch.setattr(store, "insert_records", keep_and_fail)
        with pytest.raises(LoggingFailed):
            await log.append(make_record())
        for _ in range(3):
            await log.append(make_record())
        head = await log.sign_head(sign, AT)
        assert head is not None
        assert head.size == 4
    assert checked(database) == []


async def test_only_one_process_writes_a_log(any_database: str) -> None:
    async with running_log(any_database):
        with pytest.raises(DatabaseUnusable, match="another process"):
            async with running_log(any_database):
                pass
    async with running_log(any_database) as log:
        await log.append(make_record())
