"""All that waits is stamped in time, in batches, by whoever answers; failures cost time and never a record."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from sqlalchemy import insert, select
from structlog.testing import capture_logs

from securityserver.messagelog import Direction, MessageLog, StoredRecord
from securityserver.messagelog.tables import TIMESTAMP, TREE_HEAD
from securityserver.messagelog.timestamps import ROWS_A_TRANSACTION, TimestampStore
from securityserver.migrations import open_node_database
from securityserver.timestamping import Authorities, Budget, StampedLog, Timestamping, TimestampKeeper
from securityserver.timestamping.observing import TimestampingCollector, check
from serverkit.database import Database
from serverkit.metrics import HealthState
from tests.support.authority import TurnedClock
from tests.support.messagelog import database_url, make_record
from tests.support.pki import AT, Pki
from tests.support.signing import signed
from tests.support.tsa import BAD, ERROR, GOOD, TsaServer, trust_in_tsas
from xroad import errors, hashchain, logstamps, timestamp
from xroad.globalconf.snapshot import TrustSnapshot

TSA = Pki.create(label="Keeper")
SIGNATURE = signed()
NUMBERS = itertools.count(1)


@dataclass(slots=True)
class Bench:
    """A log, its time-stamping, and one authority, on a clock to turn."""

    database: Database
    log: MessageLog
    store: TimestampStore
    keeper: TimestampKeeper
    tsa: TsaServer
    clock: TurnedClock
    trust: TrustSnapshot
    heads: list[datetime] = field(default_factory=list)

    async def append(self, count: int = 1, **changes: Any) -> list[int]:
        records = [self.record(**changes) for _ in range(count)]
        return list(await asyncio.gather(*(self.log.append(each) for each in records)))

    def record(self, **changes: Any) -> Any:
        document = SIGNATURE.xml + b"\n" * (next(NUMBERS) % 97)
        return make_record(**{"at": self.clock.now(), "signature": document} | changes)

    async def records(self) -> list[StoredRecord]:
        return [each async for each in self.log.reader.iterate()]

    async def verify_all(self) -> None:
        """Hold every record against the time-stamp beside it, as a judge of its container would."""
        stamps = self.rows()
        for each in await self.records():
            assert each.timestamp_id is not None, each.id
            stamp = stamps[each.timestamp_id]
            if stamp.hash_chain_result is None:
                assert each.timestamp_hash_chain is None
                timestamp.verify(stamp.token, SIGNATURE.verify().value, self.trust, self.clock.now())
                continue
            timestamp.verify(stamp.token, stamp.hash_chain_result, self.trust, self.clock.now())
            assert each.timestamp_hash_chain is not None
            files = {logstamps.TS_HASH_CHAIN: each.timestamp_hash_chain, logstamps.SIGNATURES: each.signature}
            hashchain.verify(stamp.hash_chain_result, {logstamps.SIGNATURES: None}, files.get)

    def rows(self) -> dict[int, Any]:
        with self.database.reading() as connection:
            return {row.id: row for row in connection.execute(select(TIMESTAMP)).all()}


@asynccontextmanager
async def bench(where: Path | str, *, clock: TurnedClock | None = None, **settings: Any) -> AsyncIterator[Bench]:
    clock = clock or TurnedClock(AT)
    database = open_node_database(database_url(where) if isinstance(where, Path) else where)
    log = await MessageLog.open(database)
    async with TsaServer.serving(TSA, clock.now) as tsa, aiohttp.ClientSession() as session:
        trust = trust_in_tsas(("the one", tsa.url, TSA.tsa.certificate))
        chosen = Timestamping(**settings)
        store = TimestampStore(database)
        authorities = Authorities(session, lambda: trust, clock, chosen)
        budget = Budget(timedelta(seconds=chosen.acceptable_failure_seconds), clock)
        heads: list[datetime] = []

        async def sign_head(at: datetime) -> None:
            heads.append(at)

        keeper = TimestampKeeper(store, authorities, budget, lambda: 60.0, clock, chosen, sign_head)
        try:
            yield Bench(database, log, store, keeper, tsa, clock, trust, heads)
        finally:
            await log.close()
            database.close()


async def test_one_record_gets_a_plain_stamp_over_its_signature_value(any_database: str) -> None:
    async with bench(any_database) as made:
        await made.append()
        assert await made.keeper.round()
        (stamp,) = made.rows().values()
        assert (stamp.hash_chain_result, stamp.authority, len(made.tsa.requests)) == (None, "the one", 1)
        await made.verify_all()


async def test_several_records_share_one_request_and_each_has_its_own_chain(any_database: str) -> None:
    async with bench(any_database) as made:
        await made.append(23)
        assert await made.keeper.round()
        assert len(made.tsa.requests) == len(made.rows()) == 1
        await made.verify_all()
        before = made.keeper.stamped
        assert await made.keeper.round()
        assert (len(made.tsa.requests), made.keeper.stamped, before) == (1, 23, 23)


@pytest.mark.parametrize(("count", "requests"), [(20, 2), (21, 3), (25, 3)])
async def test_a_request_covers_at_most_its_limit_and_a_round_covers_all(
    tmp_path: Path, count: int, requests: int
) -> None:
    async with bench(tmp_path, records_per_request=10) as made:
        await made.append(count)
        assert await made.keeper.round()
        assert len(made.tsa.requests) == requests
        await made.verify_all()


async def test_more_records_than_a_transaction_takes_are_kept_too(any_database: str) -> None:
    async with bench(any_database) as made:
        await made.append(2 * ROWS_A_TRANSACTION + 1)
        assert await made.keeper.round()
        assert len(made.rows()) == 1
        await made.verify_all()


@pytest.mark.parametrize("what", sorted(set(BAD) - {"slow"}))
async def test_a_token_that_does_not_hold_is_not_kept_and_nothing_is_lost(tmp_path: Path, what: str) -> None:
    async with bench(tmp_path) as made:
        made.tsa.behaviour = BAD[what][0]
        await made.append(3)
        assert not await made.keeper.round()
        assert not made.rows()
        assert made.keeper.backlog.records == 3
        made.tsa.behaviour = GOOD
        await made.append(2)
        assert await made.keeper.round()
        assert made.keeper.backlog.records == 0
        await made.verify_all()


async def test_rounds_come_within_the_interval_and_sooner_after_a_failure(tmp_path: Path) -> None:
    async with bench(tmp_path, retry_seconds=5) as made, asyncio.TaskGroup() as group:
        running = group.create_task(made.keeper.run())
        await made.clock.settled()
        made.tsa.behaviour = ERROR
        await made.append()
        await made.clock.turn(timedelta(seconds=48 + 5 + 10 + 20 + 40))
        assert made.clock.slept == [48, 5, 10, 20, 40, 48]
        made.tsa.behaviour = GOOD
        await made.clock.turn(timedelta(seconds=48))
        assert made.clock.slept[-1] == 48
        await made.verify_all()
        made.tsa.behaviour = ERROR
        await made.append()
        await made.clock.turn(timedelta(seconds=48))
        assert made.clock.slept[-1] == 5
        running.cancel()


async def test_a_new_configuration_begins_a_round_at_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as made, asyncio.TaskGroup() as group:
        running = group.create_task(made.keeper.run())
        await made.clock.settled()
        await made.append()
        made.keeper.wake()
        await made.clock.another_sleep()
        await made.verify_all()
        running.cancel()


async def test_the_budget_runs_from_the_first_failure_and_comes_back_with_a_stamp(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        keeper, clock, hours = made.keeper, made.clock, timedelta(hours=1)
        log = StampedLog(made.log, keeper, immediately=False)
        made.tsa.behaviour = ERROR
        await made.append()
        await keeper.round()
        assert keeper.budget.left == 4 * hours
        await clock.turn(3 * hours)
        await keeper.round()
        assert keeper.budget.left == hours
        await log.append(made.record())
        await clock.turn(hours)
        with pytest.raises(errors.TimestamperFailed) as refused:
            await log.append(made.record())
        assert refused.value.full_code == "LoggingFailed.TimestamperFailed"
        # An exchange that has begun comes to its end.
        await log.append(made.record(direction=Direction.RESPONSE))
        made.tsa.behaviour = GOOD
        await keeper.round()
        assert keeper.budget.left == 4 * hours
        await log.append(made.record())
        await keeper.round()
        assert len(await made.records()) == 4
        await made.verify_all()


async def test_a_restart_does_not_renew_the_budget(any_database: str) -> None:
    clock = TurnedClock(AT)
    async with bench(any_database, clock=clock) as made:
        await made.append()
    await clock.turn(timedelta(hours=2))
    async with bench(any_database, clock=clock) as made:
        made.tsa.behaviour = ERROR
        await made.keeper.round()
        # The record was due one interval after it was logged.
        assert made.keeper.budget.left == timedelta(hours=2, minutes=1)


async def test_a_log_without_records_waits_for_nobody(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        made.tsa.behaviour = ERROR
        assert await made.keeper.round()
        assert not made.tsa.requests


async def test_messages_that_wait_for_their_stamp_share_it(tmp_path: Path) -> None:
    async with bench(tmp_path, immediately=True) as made:
        log = StampedLog(made.log, made.keeper, immediately=True)
        await asyncio.gather(*(log.append(made.record()) for _ in range(30)))
        assert len(made.tsa.requests) <= 3
        await made.verify_all()


async def test_a_message_whose_immediate_stamp_fails_does_not_move_on_and_is_stamped_later(tmp_path: Path) -> None:
    async with bench(tmp_path, immediately=True) as made:
        log = StampedLog(made.log, made.keeper, immediately=True)
        made.tsa.behaviour = ERROR
        with pytest.raises(errors.TimestampingFailed) as refused:
            await log.append(made.record())
        assert refused.value.full_code == "LoggingFailed.TimestampingFailed"
        assert check(made.keeper).state is HealthState.FAILED
        made.tsa.behaviour = GOOD
        await log.append(made.record())
        assert check(made.keeper).state is HealthState.OK
        await made.verify_all()


async def test_messages_that_wait_for_a_dead_authority_do_not_wait_for_each_other(tmp_path: Path) -> None:
    async with bench(tmp_path, immediately=True, timeout_seconds=0.2) as made:
        log = StampedLog(made.log, made.keeper, immediately=True)
        made.tsa.behaviour = BAD["slow"][0]
        outcomes = await asyncio.gather(*(log.append(made.record()) for _ in range(40)), return_exceptions=True)
        assert all(isinstance(each, errors.TimestampingFailed) for each in outcomes)
        assert len({each.error_id for each in outcomes if isinstance(each, errors.TimestampingFailed)}) == 40
        assert len(made.tsa.requests) <= 4


async def test_a_record_that_another_node_stamped_keeps_its_first_stamp(any_database: str) -> None:
    async with bench(any_database) as made:
        await made.append(2)
        late = await made.store.unstamped(10)
        assert await made.keeper.round()
        before = [each.timestamp_id for each in await made.records()]
        stampable = logstamps.together([each.signature_hash for each in late])
        stamp = await made.keeper.authorities.stamp(stampable.data)
        await made.keeper._keep(stamp, stampable, late)
        assert [each.timestamp_id for each in await made.records()] == before


async def test_the_head_of_the_tree_gets_a_stamp_of_its_own(any_database: str) -> None:
    async with bench(any_database) as made:
        row = {"size": 1, "root": bytes(32), "time": 0, "signature": b"signed head", "certificate": b""}
        with made.database.transaction() as connection:
            connection.execute(insert(TREE_HEAD).values(row))
        assert await made.keeper.round()
        assert made.heads == [AT]
        with made.database.reading() as connection:
            head = connection.execute(select(TREE_HEAD)).one()
        stamp = made.rows()[head.timestamp_id]
        assert stamp.tree_head_id == head.id
        timestamp.verify(stamp.token, b"signed head", made.trust, AT)
        assert await made.keeper.round()
        assert len(made.tsa.requests) == 1


async def test_metrics_and_health_tell_the_budget(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        registry = CollectorRegistry()
        TimestampingCollector(made.keeper, registry)
        await made.append(2)
        await made.keeper.round()
        assert check(made.keeper).state is HealthState.OK
        assert b"spean_timestamped_records_total 2.0" in generate_latest(registry)
        made.tsa.behaviour = ERROR
        await made.append()
        await made.keeper.round()
        await made.clock.turn(timedelta(hours=1, minutes=30))
        degraded = check(made.keeper)
        assert degraded.state is HealthState.DEGRADED
        assert "2 h 30 min" in degraded.en
        assert "HTTP status 500" in degraded.en
        assert "ត្រាពេលវេលា" in degraded.km
        text = generate_latest(registry)
        assert b"spean_timestamping_budget_seconds 9000.0" in text
        assert b"spean_timestamping_waiting_records 1.0" in text
        assert b'spean_timestamping_authority_up{authority="the one"} 0.0' in text
        await made.clock.turn(timedelta(hours=3))
        stopped = check(made.keeper)
        assert stopped.state is HealthState.FAILED
        assert b"spean_timestamping_budget_seconds 0.0" in generate_latest(registry)


async def test_where_each_message_needs_its_stamp_exchanges_stop_with_the_first_failure(tmp_path: Path) -> None:
    with capture_logs() as logs:
        await stop_and_go_on(tmp_path)
    [failure] = [line for line in logs if line["event"] == "timestamping_failed"]
    assert failure["exchanges_stopped"] is True


async def stop_and_go_on(tmp_path: Path) -> None:
    async with bench(tmp_path, immediately=True) as made:
        registry = CollectorRegistry()
        TimestampingCollector(made.keeper, registry)
        assert b"spean_timestamping_budget_seconds 0.0" not in generate_latest(registry)
        made.tsa.behaviour = ERROR
        await made.append()
        await made.keeper.round()
        assert check(made.keeper).state is HealthState.FAILED
        assert b"spean_timestamping_budget_seconds 0.0" in generate_latest(registry)
        made.tsa.behaviour = GOOD
        await made.keeper.round()
        assert check(made.keeper).state is HealthState.OK
        assert b"spean_timestamping_budget_seconds 0.0" not in generate_latest(registry)


async def test_a_database_that_refuses_is_a_failure_like_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as made:
        await made.append()

        async def refuse(*_: object) -> None:
            raise errors.DatabaseError("disk full")

        with monkeypatch.context() as patched:
            patched.setattr(TimestampStore, "keep", refuse)
            assert not await made.keeper.round()
        assert made.keeper.budget.last_failure == "disk full"
        assert await made.keeper.round()
        await made.verify_all()
