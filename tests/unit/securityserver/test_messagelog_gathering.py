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


async def test_a_batch_that_is_large_enough_waits_for_nobody() -> None:
    taker = Taker()
    gathering = Gathering(taker.submit)
    for _ in range(1 + 8 + 8 + 3):
        gathering.add(pending())
    assert taker.sizes == [1, 8, 8]
    gathering.hand_over_all()
    assert taker.sizes == [1, 8, 8, 3]


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


class AtOnce(Taker):
    """Answers within the call, as a loop that commits by itself; each call seems to take a minute."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def submit(self, batch: Sequence[Pending]) -> None:
        super().submit(batch)
        self.answer()
        self.now += 60


async def test_after_a_commit_of_its_own_the_loop_gathers_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_PAUSE_SECONDS", 3600.0)
    taker = AtOnce()
    monkeypatch.setattr(module, "time", taker)
    gathering = Gathering(taker.submit)
    for _ in range(3):
        gathering.add(pending())
    await turn()
    assert taker.sizes == [1, 2]
    gathering.add(pending())
    await turn()
    assert taker.sizes == [1, 2]
    for _ in range(7):
        gathering.add(pending())
    assert taker.sizes == [1, 2, 8]
    gathering.hand_over_all()


async def test_a_commit_that_took_long_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    taker = AtOnce()
    with monkeypatch.context() as slow:
        slow.setattr(module, "time", taker)
        gathering = Gathering(taker.submit)
        for _ in range(3):
            gathering.add(pending())
        await turn()
    last = pending()
    gathering.add(last)
    assert await asyncio.wait_for(last.outcome, 10) == 1
