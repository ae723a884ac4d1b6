"""How rows are gathered into batches for the log's writer."""

import asyncio
from collections.abc import Sequence

import pytest

from securityserver.messagelog import gathering as module
from securityserver.messagelog.gathering import Gathering
from securityserver.messagelog.pending import Pending
from xroad.errors import LoggingFailed


class Taker:
    """Takes batches in place of the writer, and answers when the test says so."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Pending]] = []
        self.closed = False

    def submit(self, batch: Sequence[Pending]) -> None:
        if self.closed:
            raise LoggingFailed("closed")
        self.batches.append(batch)

    def answer(self) -> None:
        for pending in self.batches[-1]:
            pending.outcome.set_result(1)

    @property
    def sizes(self) -> list[int]:
        return [len(batch) for batch in self.batches]


def pending() -> Pending:
    return Pending([], asyncio.get_running_loop().create_future(), 0)


async def turn() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.fixture(params=["soon", "never"])
def company(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have the wait for company over soon, or never while the test runs."""
    monkeypatch.setattr(module, "COMPANY_SECONDS", {"soon": 0.001, "never": 3600.0}[request.param])
    return str(request.param)


async def test_who_comes_alone_is_not_held() -> None:
    taker = Taker()
    gathering = Gathering(taker.submit)
    for number in range(1, 4):
        gathering.add(pending())
        assert len(taker.batches) == number
        taker.answer()
        await turn()


async def test_who_comes_meanwhile_shares_the_next_batch() -> None:
    taker = Taker()
    gathering = Gathering(taker.submit)
    for _ in range(5):
        gathering.add(pending())
    await turn()
    assert taker.sizes == [1]
    taker.answer()
    await turn()
    assert taker.sizes == [1, 4]


async def test_all_that_come_meanwhile_wait_for_the_batch_under_way_or_the_end() -> None:
    taker = Taker()
    gathering = Gathering(taker.submit)
    for _ in range(1 + 8 + 8 + 3):
        gathering.add(pending())
    assert taker.sizes == [1]
    taker.answer()
    await turn()
    assert taker.sizes == [1, 19]
    gathering.add(pending())
    gathering.hand_over_all()
    assert taker.sizes == [1, 19, 1]


async def crowded(gathering: Gathering, taker: Taker) -> None:
    """Have a batch of two told."""
    for _ in range(3):
        gathering.add(pending())
    for _ in range(2):
        taker.answer()
        await turn()
    assert taker.sizes == [1, 2]


async def test_after_a_crowd_company_is_waited_for(company: str) -> None:
    taker = Taker()
    gathering = Gathering(taker.submit)
    await crowded(gathering, taker)
    gathering.add(pending())
    await asyncio.sleep(0.002)
    await turn()
    assert taker.sizes == ([1, 2, 1] if company == "soon" else [1, 2])


@pytest.mark.parametrize("company", ["never"], indirect=True)
@pytest.mark.parametrize(("more", "ends"), [(8, False), (1, True)])
async def test_after_a_crowd_enough_of_them_and_the_end_wait_for_nobody(company: str, more: int, *, ends: bool) -> None:
    taker = Taker()
    gathering = Gathering(taker.submit)
    await crowded(gathering, taker)
    for _ in range(more):
        gathering.add(pending())
    if ends:
        gathering.hand_over_all()
    assert taker.sizes == [1, 2, more]


@pytest.mark.parametrize("company", ["soon"], indirect=True)
async def test_when_nobody_came_after_a_crowd_a_turn_of_the_loop_is_awaited(company: str) -> None:
    taker = Taker()
    gathering = Gathering(taker.submit)
    await crowded(gathering, taker)
    await asyncio.sleep(0.002)
    await turn()
    gathering.add(pending())
    gathering.add(pending())
    assert taker.sizes == [1, 2]
    await turn()
    assert taker.sizes == [1, 2, 2]


async def test_a_cancelled_row_holds_nobody_up() -> None:
    taker = Taker()
    gathering = Gathering(taker.submit)
    gathering.add(pending())
    gathering.add(pending())
    taker.batches[0][0].outcome.cancel()
    await turn()
    assert taker.sizes == [1, 1]


async def test_all_learn_that_the_writer_has_ended() -> None:
    taker = Taker()
    gathering = Gathering(taker.submit)
    rows = [pending() for _ in range(3)]
    for row in rows:
        gathering.add(row)
    taker.closed = True
    taker.answer()
    await turn()
    for row in rows[1:]:
        with pytest.raises(LoggingFailed):
            await row.outcome
    late = pending()
    gathering.add(late)
    with pytest.raises(LoggingFailed):
        await late.outcome


async def test_the_next_batch_is_on_its_way_before_those_of_the_last_go_on() -> None:
    taker = Taker()
    gathering = Gathering(taker.submit)
    gathering.add(pending())
    rows = [pending() for _ in range(12)]
    for row in rows:
        gathering.add(row)
    taker.answer()
    await turn()
    handed_over_when_woken: list[int] = []

    async def work(row: Pending) -> None:
        await row.outcome
        handed_over_when_woken.append(len(taker.batches))

    async with asyncio.TaskGroup() as tasks:
        for row in rows:
            tasks.create_task(work(row))
        await turn()
        for _ in range(9):
            gathering.add(pending())
        assert taker.sizes == [1, 12]
        taker.answer()
    assert taker.sizes == [1, 12, 9]
    assert handed_over_when_woken[1:] == 11 * [3]


class AtOnce(Taker):
    """Answers within the call, as the intake does to who comes alone."""

    def submit(self, batch: Sequence[Pending]) -> None:
        super().submit(batch)
        self.answer()


async def test_who_is_answered_at_once_makes_nobody_wait() -> None:
    taker = AtOnce()
    gathering = Gathering(taker.submit)
    for number in range(1, 4):
        last = pending()
        gathering.add(last)
        assert last.outcome.done()
        await turn()
        assert taker.sizes == number * [1]
