"""Following the global configuration: download, federation, storage, expiry, and a central server that is away."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import aiohttp
import pytest
import pytest_asyncio

from securityserver.confstore import ConfigurationStore
from securityserver.health import register_checks
from securityserver.loops import supervised
from securityserver.trust import TrustKeeper
from serverkit.metrics import Health, HealthChecks, HealthState
from tests.support import globalconf
from tests.support.instance import ShiftedClock
from tests.support.little import ConfigurationServer
from tests.support.pki import Pki
from xroad.errors import MalformedGlobalConf, OutdatedGlobalConf
from xroad.globalconf.anchor import build_anchor
from xroad.globalconf.directory import SourceKind
from xroad.globalconf.parameters.model import Anchor, AnchorSource
from xroad.globalconf.snapshot import TrustSnapshot
from xroad.globalconf.stored import load_directory

# Its folder has another name than itself.
PARTNER = "EE TEST"


@dataclass(slots=True)
class World:
    directory: Path
    clock: ShiftedClock
    server: ConfigurationServer
    source: globalconf.SigningSource
    pki: Pki
    session: aiohttp.ClientSession

    def keeper(self) -> TrustKeeper:
        anchor = self.directory / "anchor.xml"
        return TrustKeeper(self.directory / "conf", anchor, self.session, self.clock, refresh_seconds=0.01)

    def publish(self, hours: float = 1, members: tuple[str, ...] = ("GOV/MOP",)) -> None:
        shared = globalconf.shared_parameters(self.pki, members=dict.fromkeys(members, ()))
        expires = self.clock.now() + timedelta(hours=hours)
        self.server.directory = self.source.publish(shared, expires_at=expires)
        self.server.contents = dict(self.source.contents)


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with ConfigurationServer.serving("127.0.0.1") as server, aiohttp.ClientSession() as session:
        source = globalconf.SigningSource.create()
        made = World(tmp_path, ShiftedClock(), server, source, Pki.create(), session)
        place = AnchorSource(f"{server.url}/internalconf", (source.certificate,))
        anchor = Anchor("KH-SANDBOX", made.clock.now().replace(microsecond=0), (place,))
        (tmp_path / "anchor.xml").write_bytes(build_anchor(anchor))
        made.publish()
        yield made


async def test_a_download_becomes_the_snapshot_and_survives_a_restart(world: World) -> None:
    first = world.keeper()
    with pytest.raises(MalformedGlobalConf, match="no global configuration yet"):
        first.current()
    assert await first.refresh()
    second = world.keeper()
    second.load()
    assert second.current().digest == first.current().digest


async def test_subscribers_hear_of_changes_only(world: World) -> None:
    keeper, heard = world.keeper(), list[str]()
    keeper.subscribe(lambda: heard.append("changed"))
    await keeper.refresh()
    world.publish(hours=2)
    await keeper.refresh()
    assert heard == ["changed"]
    world.publish(members=("GOV/MOP", "GOV/NSSF"))
    await keeper.refresh()
    assert heard == ["changed", "changed"]


async def test_a_longer_validity_is_taken_over(world: World) -> None:
    keeper = world.keeper()
    await keeper.refresh()
    world.publish(hours=5)
    await keeper.refresh()
    world.clock.shift += timedelta(hours=3)
    assert keeper.current().instance == "KH-SANDBOX"


async def test_an_expired_configuration_is_refused_in_memory_and_from_disk(world: World) -> None:
    keeper = world.keeper()
    await keeper.refresh()
    world.clock.shift += timedelta(hours=3)
    with pytest.raises(OutdatedGlobalConf):
        keeper.current()
    restarted = world.keeper()
    restarted.load()
    with pytest.raises(OutdatedGlobalConf):
        restarted.current()


async def test_a_bad_download_leaves_the_last_good_one(world: World) -> None:
    keeper = world.keeper()
    await keeper.refresh()
    before = keeper.current().digest
    good = world.server.directory
    for bad in (b"", good.replace(b"Expire-date", b"Expire-dato"), good[:-200], b"x" * 1000):
        world.server.directory = bad
        assert not await keeper.refresh()
    world.server.directory = good
    world.server.contents = {name: content + b" " for name, content in world.server.contents.items()}
    assert not await keeper.refresh()
    assert keeper.current().digest == before


async def test_the_central_server_away_and_back(world: World) -> None:
    keeper = world.keeper()
    await keeper.refresh()
    world.server.away = True
    assert not await keeper.refresh()
    assert keeper.current().instance == "KH-SANDBOX"
    world.server.away = False
    assert await keeper.refresh()


async def test_health_tells_of_a_central_server_that_is_away_while_there_is_time_to_act(world: World) -> None:
    keeper, checks, unasked = world.keeper(), MagicMock(spec=HealthChecks), MagicMock()
    register_checks(checks, keeper, unasked, unasked, unasked, world.clock)
    check = next(call.args[1] for call in checks.register.mock_calls if call.args[0] == "global_configuration")

    def state() -> HealthState:
        health: Health = check()
        return health.state

    assert state() is HealthState.FAILED
    await keeper.refresh()
    assert state() is HealthState.OK
    world.server.away = True
    await keeper.refresh()
    assert state() is HealthState.DEGRADED
    world.server.away = False
    await keeper.refresh()
    assert state() is HealthState.OK
    world.clock.shift += timedelta(hours=3)
    assert state() is HealthState.FAILED


def test_a_crash_while_storing_leaves_a_whole_configuration(tmp_path: Path) -> None:
    store = ConfigurationStore(tmp_path)
    assert store.load() == {}
    store.replace({"a/b": b"1", "c": b"2"})
    (tmp_path / "half-written").mkdir()
    (tmp_path / "half-written" / "c").write_bytes(b"3")
    assert store.load() == {"a/b": b"1", "c": b"2"}
    store.replace({"c": b"4"})
    assert store.load() == {"c": b"4"}
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1


async def test_a_loop_that_crashes_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("securityserver.loops.FIRST_PAUSE_SECONDS", 0.001)
    runs, enough = 0, asyncio.Event()

    async def crashing() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            enough.set()
            await asyncio.sleep(60)
        raise RuntimeError("a mistake")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(supervised("test", crashing))
        async with asyncio.timeout(5):
            await enough.wait()
        task.cancel()
    assert runs == 3


@asynccontextmanager
async def federated(world: World, *, wait: asyncio.Event | None = None) -> AsyncIterator[ConfigurationServer]:
    """Publish trust in another instance, and give its central server, which answers after the event if there is one."""
    async with ConfigurationServer.serving("127.0.0.1") as abroad:
        source = globalconf.SigningSource.create(instance=PARTNER)
        shared = globalconf.shared_parameters(world.pki, instance=PARTNER, members={"GOV/TAX": ()})
        expires = world.clock.now() + timedelta(hours=1)
        abroad.directory = source.publish(shared, kind=SourceKind.EXTERNAL, expires_at=expires)
        abroad.contents = dict(source.contents)
        abroad.wait = wait
        place = AnchorSource(f"{abroad.url}/internalconf", (source.certificate,))
        trusted = Anchor(PARTNER, world.clock.now().replace(microsecond=0), (place, place, place))
        own = globalconf.shared_parameters(world.pki, members={"GOV/MOP": ()})
        private = globalconf.private_parameters(anchors=(trusted,))
        world.server.directory = world.source.publish(own, private, expires_at=expires)
        world.server.contents = dict(world.source.contents)
        yield abroad


async def test_a_federated_instance_comes_along_and_stays_while_it_is_away(world: World) -> None:
    async with federated(world) as abroad:
        keeper = world.keeper()
        assert await keeper.refresh()
        assert keeper.current().instances == ("KH-SANDBOX", PARTNER)
        abroad.away = True
        assert await keeper.refresh()
        assert keeper.current().instances == ("KH-SANDBOX", PARTNER)


async def test_a_federated_instance_that_never_answers_does_not_hold_up_the_own_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a partner could keep a node from refreshing until the node's own configuration expires."""
    monkeypatch.setattr("securityserver.confclient.PARTNER_SECONDS", 0.1)
    answer = asyncio.Event()
    async with federated(world, wait=answer):
        keeper = world.keeper()
        async with asyncio.timeout(5):
            assert await keeper.refresh()
        assert keeper.current().instances == ("KH-SANDBOX",)
        answer.set()
        assert await keeper.refresh()
        assert keeper.current().instances == ("KH-SANDBOX", PARTNER)


async def test_a_central_server_cannot_send_this_server_elsewhere(world: World) -> None:
    """A redirect would have it ask addresses of the other's choice, inside the institution's own network."""
    world.server.redirect = f"{world.server.url}/internalconf"
    assert not await world.keeper().refresh()


async def test_exchanges_go_on_while_a_large_configuration_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def noting(*arguments: Any, **named: Any) -> TrustSnapshot:
        threads.append(threading.get_ident())
        return load_directory(*arguments, **named)

    monkeypatch.setattr("securityserver.trust.load_directory", noting)
    assert await world.keeper().refresh()
    assert threads
    assert threading.get_ident() not in threads
