"""What two real servers log: bodies kept as their owners decided, and a tree whose stamped heads prove each record."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import Encoding

from securityserver.app import Node
from securityserver.logkey import body_keys
from securityserver.messagelog import BodyForm, BodyNotLogged, Direction, MessageLogReader
from securityserver.messagelog.proofs import prove, verify
from securityserver.migrations import open_node_database
from securityserver.serverconf import BodyLogging, Declaration, LogForm, apply, read
from spean.cli import main
from tests.support import pki
from tests.support.instance import CONSUMER, IDPOOR, PROVIDER, Instance, kept_running
from xroad import timestamp
from xroad.algorithms import default_algorithm


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def instance(tmp_path_factory: pytest.TempPathFactory, log_stream: object) -> AsyncIterator[Instance]:
    async with kept_running(tmp_path_factory.mktemp("instance")) as running:
        yield running


async def bodies(node: Node) -> dict[Direction, Any]:
    """Give what is stored of the newest request's and response's bodies, and what the log key makes of it."""
    await node.parts.log.settled()
    config = node.parts.config
    found: dict[Direction, Any] = {}
    with closing(open_node_database(config.database)) as database:
        reader = MessageLogReader(database, await asyncio.to_thread(body_keys, config))
        for record in reversed(await reader.find(limit=2)):
            with database.reading() as connection:
                query = sa.text("SELECT body FROM log_record WHERE id = :id")
                stored = connection.execute(query, {"id": record.id}).scalar_one()
            try:
                found[record.direction] = (stored, b"".join([part async for part in reader.read_body(record.id)]))
            except BodyNotLogged:
                found[record.direction] = (stored, record.body_form)
    return found


@pytest.mark.asyncio(loop_scope="module")
async def test_bodies_are_encrypted_unless_somebody_decides_otherwise(instance: Instance) -> None:
    assert (await instance.ask("POST", data=b"a household")).status == 200
    for node in (instance.consumer, instance.provider):
        found = await bodies(node)
        stored, opened = found[Direction.REQUEST]
        assert opened == b"a household"
        assert b"household" not in stored
        assert found[Direction.RESPONSE][0] != found[Direction.RESPONSE][1]


@pytest.mark.asyncio(loop_scope="module")
async def test_the_provider_decides_for_its_own_log_only(instance: Instance) -> None:
    node = instance.provider
    with closing(open_node_database(node.parts.config.database)) as database:
        before = read(database)[0]
        decided = BodyLogging(LogForm.NONE, LogForm.PLAIN)
        clients = [replace(each, log=decided) if each.id == IDPOOR else each for each in before.clients]
        apply(database, Declaration.of(clients))
        await node.parts.conf.refresh()
        try:
            assert (await instance.ask("POST", data=b"a household")).status == 200
        finally:
            apply(database, before)
            await node.parts.conf.refresh()
    found = await bodies(node)
    assert found[Direction.REQUEST] == (None, BodyForm.NOT_LOGGED)
    assert found[Direction.RESPONSE][0] == found[Direction.RESPONSE][1]
    assert (await bodies(instance.consumer))[Direction.REQUEST][1] == b"a household"


@pytest.mark.asyncio(loop_scope="module")
async def test_each_record_is_proved_by_a_head_that_is_signed_and_stamped(instance: Instance) -> None:
    assert (await instance.ask()).status == 200
    for node in (instance.consumer, instance.provider):
        assert await node.parts.timestamps.round()
        owner = node.parts.config.server.id.member_code
        with closing(open_node_database(node.parts.config.database)) as database:
            for record in await MessageLogReader(database).find():
                proof = prove(database, record.id)
                head = verify(proof)
                token = bytes.fromhex(proof["timestamp"])
                timestamp.verify(token, head.signature, node.parts.trust.current(), node.parts.clock.now())
                assert owner in head.verify().subject.rfc4514_string()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("server", [CONSUMER, PROVIDER])
async def test_the_log_of_a_running_node_checks(
    instance: Instance, server: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    node, toml = instance.nodes[server], str(instance.directory / server.server_code / "NODE.toml")
    assert (await instance.ask()).status == 200
    assert await node.parts.timestamps.round()
    proof = tmp_path / "proof.json"
    assert await asyncio.to_thread(main, ["log", "prove", toml, "1", "--out", str(proof)]) == 0
    assert await asyncio.to_thread(main, ["log", "check", toml, str(proof)]) == 0, capsys.readouterr().out
    assert "signed heads" in capsys.readouterr().out


@pytest.mark.asyncio(loop_scope="module")
async def test_a_head_that_a_stranger_signed_is_told(instance: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    """Who can write to the database can make the whole tree anew, and sign it with a key of their own."""
    node, toml = instance.provider, str(instance.directory / PROVIDER.server_code / "NODE.toml")
    assert (await instance.ask()).status == 200
    stranger = pki.Pki.create(at=pki.AT)
    key, certificate = stranger.issuer.key, stranger.issuer.certificate.public_bytes(Encoding.DER)

    async def sign(data: bytes) -> tuple[bytes, bytes]:
        return default_algorithm(key.public_key()).sign(key, data), certificate

    head = await node.parts.log.sign_head(sign, node.parts.clock.now())
    assert head is not None
    try:
        assert await asyncio.to_thread(main, ["log", "check", toml]) == 1
        assert "no approved authority certified the signer" in capsys.readouterr().out
    finally:
        with closing(open_node_database(node.parts.config.database)) as database, database.transaction() as connection:
            connection.execute(sa.text("DELETE FROM log_tree_head WHERE id = :id"), {"id": head.id})
