"""Bodies piece by piece: who is slow is told so, who trickles to hold a slot is cut."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from securityserver import incoming
from securityserver.incoming import Patience, read_pieces
from securityserver.slots import Slots
from xroad.errors import InvalidRequest


async def trickle(piece: bytes, pause: float, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(pause)
        yield piece


async def test_pieces_pass_as_they_come() -> None:
    assert [piece async for piece in read_pieces(trickle(b"ab", 0, 3), Patience(1.0), InvalidRequest)] == [b"ab"] * 3


async def test_a_pause_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="too slowly"):
        [piece async for piece in read_pieces(trickle(b"ab", 5, 1), Patience(0.05), InvalidRequest)]


async def test_who_trickles_bytes_is_refused_in_the_end() -> None:
    taken = bytearray()

    async def take() -> None:
        async for piece in read_pieces(trickle(b"a", 0.02, 10_000), Patience(0.2), InvalidRequest):
            taken.extend(piece)

    with pytest.raises(InvalidRequest, match="too slowly"):
        await take()
    assert 0 < len(taken) < 50


async def test_a_slow_line_is_no_trickle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "SLOWEST_BYTES_PER_SECOND", 1000)
    taken = [piece async for piece in read_pieces(trickle(b"a" * 400, 0.02, 20), Patience(0.2), InvalidRequest)]
    assert len(taken) == 20


async def test_time_that_this_server_takes_is_not_counted() -> None:
    taken = 0
    async for _ in read_pieces(trickle(b"a", 0.001, 10), Patience(0.2), InvalidRequest):
        await asyncio.sleep(0.04)
        taken += 1
    assert taken == 10


async def test_a_pause_is_cut_short_while_others_wait() -> None:
    crowded = False
    patience = Patience(60.0, 0.02, lambda: crowded)
    assert [piece async for piece in read_pieces(trickle(b"ab", 0.1, 2), patience, InvalidRequest)] == [b"ab"] * 2
    crowded = True
    with pytest.raises(InvalidRequest, match=r"0\.02 while others wait"):
        [piece async for piece in read_pieces(trickle(b"ab", 5, 1), patience, InvalidRequest)]


async def test_a_pause_ends_when_it_gets_crowded_in_the_middle_of_it() -> None:
    crowded = False

    def get_crowded() -> None:
        nonlocal crowded
        crowded = True

    asyncio.get_running_loop().call_later(0.1, get_crowded)
    with pytest.raises(InvalidRequest):
        [
            piece
            async for piece in read_pieces(trickle(b"ab", 5, 1), Patience(60.0, 0.02, lambda: crowded), InvalidRequest)
        ]


async def test_it_is_crowded_only_while_somebody_waits() -> None:
    slots = Slots(1)
    async with slots:
        assert not slots.crowded()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(slots.__aenter__())
            await asyncio.sleep(0)
            assert slots.crowded()
            waiting.cancel()
        assert not slots.crowded()
    async with slots:
        assert not slots.crowded()
