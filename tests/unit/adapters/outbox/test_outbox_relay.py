"""The relay: one that is in trouble holds up nobody else, and what it does is recorded, counted and told."""

import asyncio
import io
import itertools
import json
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from adapters.events import EventsStore, open_events
from adapters.events.tables import OUTBOX
from adapters.outbox import backoff, embedded, relay
from adapters.outbox.config import Limits, RetryConfig
from adapters.outbox.rows import State
from adapters.outbox.verdicts import Answer, Trouble
from serverkit.logs import configure_logs
from serverkit.metrics import HealthChecks
from tests.support.loglines import Lines, forget_cached_loggers
from tests.support.outbox import KEY, RECEIVER, Receiver, ack, outgoing, put_now, running_relay, states, table

OTHER = "KH/GOV/NSSF/MEMBERS/membership"
TWICE = RetryConfig(first_seconds=0.002, most_seconds=0.01, attempts=2)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EventsStore]:
    opened = open_events(f"sqlite:///{tmp_path / 'events.sqlite'}", KEY, config="adapter.yaml")
    yield opened
    await opened.close()


@pytest.fixture
def lines() -> Lines:
    stream = io.StringIO()
    configure_logs(stream=stream)
    forget_cached_loggers()
    return Lines(stream)


def references(receiver: Receiver) -> list[str]:
    return [each["reference_id"] for each in receiver.applied]


@pytest.mark.parametrize("trouble", ["hangs", "500", "garbage"])
async def test_a_receiver_in_trouble_slows_no_other(store: EventsStore, tmp_path: Path, trouble: str) -> None:
    other = Receiver()

    class Both:
        async def send(self, receiver: str, path: str, message_id: str, body: bytes) -> Answer | Trouble:
            if receiver == OTHER:
                return await other.send(receiver, path, message_id, body)
            if trouble == "hangs":
                await asyncio.sleep(3600)
            return Answer(500, b"") if trouble == "500" else Answer(200, b"garbage")

    things = [outgoing(f"{number}{each}", person=f"{number}", receiver=each) for number in range(30) for each in
              (RECEIVER, OTHER)]  # fmt: skip
    async with running_relay(store, tmp_path, Both()) as bench:
        await asyncio.to_thread(put_now, store, things)
        await bench.until(lambda: sum(state is State.SENT for state in states(store).values()) == 30)
    assert len(other.applied) == 30
    assert {key for key, state in states(store).items() if state is State.WAITING} == {
        each.key for each in things if each.receiver == RECEIVER
    }


async def test_a_message_goes_no_faster_than_its_receiver_bears(store: EventsStore, tmp_path: Path) -> None:
    times: list[float] = []

    class Timed(Receiver):
        async def send(self, receiver: str, path: str, message_id: str, body: bytes) -> Answer | Trouble:
            times.append(time.monotonic())
            return await super().send(receiver, path, message_id, body)

    put_now(store, [outgoing(f"{number}", person=f"{number}") for number in range(4)])
    async with running_relay(store, tmp_path, Timed(), limits=lambda _: Limits(per_second=20, events=1)) as bench:
        await bench.until_over()
    assert all(after - before >= 0.049 for before, after in itertools.pairwise(times))


class Busy(Receiver):
    """A receiver that says how many messages it has in its hands, and about whom; it lets go of them when it may."""

    def __init__(self, *behaviour: Any) -> None:
        super().__init__(*behaviour)
        self.hands: list[set[str]] = []
        self.most = 0
        self.together: list[set[str]] = []
        self.let_go = asyncio.Event()

    async def send(self, receiver: str, path: str, message_id: str, body: bytes) -> Answer | Trouble:
        message = json.loads(body)["message"]
        persons = {each["data"]["person"] for each in message.get("notify_event", ())}
        self.together += [each & persons for each in self.hands]
        self.hands.append(persons)
        self.most = max(self.most, len(self.hands))
        try:
            await self.let_go.wait()
            return await super().send(receiver, path, message_id, body)
        finally:
            self.hands.remove(persons)


async def test_messages_are_under_way_about_other_persons(store: EventsStore, tmp_path: Path) -> None:
    receiver = Busy()
    receiver.let_go.set()
    put_now(store, [outgoing("first", person="0")])
    async with running_relay(store, tmp_path, receiver) as bench:
        await bench.until_over()
        receiver.let_go.clear()
        things = [outgoing(f"{turn}-{person:02}", person=f"{person}") for turn in "ab" for person in range(60)]
        await asyncio.to_thread(put_now, store, things)
        await bench.until(lambda: len(receiver.hands) == embedded.AT_ONCE)
        await asyncio.sleep(0.1)
        receiver.let_go.set()
        await bench.until_over()
    assert receiver.most == embedded.AT_ONCE == 4
    assert not any(receiver.together)  # nobody was in two of them
    for person in range(60):
        assert [each for each in references(receiver) if each.endswith(f"-{person:02}")] == [
            f"a-{person:02}", f"b-{person:02}",
        ]  # fmt: skip


async def test_chunks_of_a_first_load_are_under_way_together(store: EventsStore, tmp_path: Path) -> None:
    receiver = Busy()
    receiver.let_go.set()
    chunks = [
        outgoing(f"{n}", person=None, kind="load", body={"header": {"message_id": f"one-{n}"}, "message": {}})
        for n in range(8)
    ]
    put_now(store, chunks[:1])
    async with running_relay(store, tmp_path, receiver) as bench:
        await bench.until_over()
        receiver.let_go.clear()
        await asyncio.to_thread(put_now, store, chunks[1:])
        await bench.until(lambda: len(receiver.hands) == embedded.AT_ONCE)
        receiver.let_go.set()
        await bench.until_over()
    assert sorted(receiver.messages) == [f"one-{n}" for n in range(8)]


async def test_a_receiver_in_trouble_has_one_message_at_a_time(store: EventsStore, tmp_path: Path) -> None:
    answers: list[Any] = [Answer(503, b"")] * 9
    receiver = Busy(lambda _r, _d, when: answers.pop() if when == "before" and answers else None)
    receiver.let_go.set()
    put_now(store, [outgoing(f"{number}", person=f"{number}") for number in range(30)])
    most_in_trouble = 0

    def in_trouble() -> bool:
        nonlocal most_in_trouble
        most_in_trouble = max(most_in_trouble, receiver.most)
        return not answers

    async with running_relay(store, tmp_path, receiver) as bench:
        await bench.until(in_trouble)
        await bench.until_over()
    assert most_in_trouble == 1
    assert len(receiver.applied) == 30


async def test_messages_that_were_under_way_at_the_end_go_again_as_they_were(
    store: EventsStore, tmp_path: Path
) -> None:
    """Both were taken, and the process ended before it heard: the same rows under the same names, and no other."""

    class Deaf(Busy):
        async def send(self, receiver: str, path: str, message_id: str, body: bytes) -> Answer | Trouble:
            answer = await Receiver.send(self, receiver, path, message_id, body)
            if not self.let_go.is_set():
                self.hands.append({message_id})
                await asyncio.sleep(3600)
            return answer

    receiver = Deaf()
    receiver.let_go.set()
    put_now(store, [outgoing("first", person="x")])
    async with running_relay(store, tmp_path, receiver) as bench:
        await bench.until_over()
        receiver.let_go.clear()
        await asyncio.to_thread(put_now, store, [outgoing(f"{number}", person=f"{number}") for number in range(14)])
        await bench.until(lambda: len(receiver.hands) == 2)
    receiver.let_go.set()
    async with running_relay(store, tmp_path, receiver) as bench:
        await bench.until_over()
    told: dict[str, set[str]] = {}
    for _receiver, message_id, document in receiver.sent:
        events = "+".join(each["reference_id"] for each in document["message"]["notify_event"])
        told.setdefault(message_id, set()).add(events)
    assert len(receiver.sent) == 5
    assert sorted(len(each) for each in told.values()) == [1, 1, 1]
    assert sorted(references(receiver)) == sorted(["first", *map(str, range(14))])


async def test_two_under_way_go_no_faster_than_the_receiver_bears(store: EventsStore, tmp_path: Path) -> None:
    times: list[float] = []

    class Slow(Receiver):
        async def send(self, receiver: str, path: str, message_id: str, body: bytes) -> Answer | Trouble:
            times.append(time.monotonic())
            await asyncio.sleep(0.15)
            return await super().send(receiver, path, message_id, body)

    put_now(store, [outgoing(f"{number}", person=f"{number}") for number in range(6)])
    async with running_relay(store, tmp_path, Slow(), limits=lambda _: Limits(per_second=20, events=1)) as bench:
        await bench.until_over()
    assert all(after - before >= 0.049 for before, after in itertools.pairwise(times))


async def test_a_receiver_is_left_alone_as_long_as_it_asks(store: EventsStore, tmp_path: Path) -> None:
    receiver = Receiver(lambda *_: Answer(429, b"", None, "3600"))
    put_now(store, [outgoing(f"{number}", person=f"{number}") for number in range(20)])
    async with running_relay(store, tmp_path, receiver) as bench:
        await bench.until(lambda: table(store)[0].problem is not None)
        await asyncio.sleep(0.1)
    assert len(receiver.sent) == 1


async def test_one_event_that_spoils_a_message_dies_alone(store: EventsStore, tmp_path: Path) -> None:
    def behave(_receiver: str, document: dict[str, Any], _when: str) -> Answer | None:
        bad = any(each["reference_id"] == "3" for each in document["message"]["notify_event"])
        return Answer(202, ack(status="NACK", code="err.request.bad")) if bad else None

    receiver = Receiver(behave)
    put_now(store, [outgoing(f"{number}", person=f"{number}") for number in range(7)])
    async with running_relay(store, tmp_path, receiver) as bench:
        await bench.until_over()
    assert sorted(references(receiver)) == ["0", "1", "2", "4", "5", "6"]
    assert {key for key, state in states(store).items() if state is State.DEAD} == {"3"}


async def test_what_this_process_puts_leaves_at_once(
    store: EventsStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody looks again for an hour: the put itself must wake the relay, for a new receiver and for a known one."""
    for module in (embedded, relay):
        monkeypatch.setattr(module, "POLL_SECONDS", 3600)
    receiver = Receiver()
    async with running_relay(store, tmp_path, receiver) as bench:
        await asyncio.sleep(0.2)
        for key in ("a", "b", "c"):
            await asyncio.to_thread(put_now, store, [outgoing(key)])
            await bench.until(lambda key=key: key in references(receiver))  # type: ignore[misc]  # each has its own
            await asyncio.sleep(0.05)


async def test_a_message_that_cannot_be_signed_is_dead_and_the_relay_goes_on(
    store: EventsStore, tmp_path: Path
) -> None:
    # The word must not stand in an identifier by chance, as hexadecimal digits would.
    def sign(document: dict[str, Any]) -> dict[str, Any]:
        if "unsignable" in str(document):
            raise ValueError
        return document

    receiver = Receiver()
    others = [outgoing("good", person="b"), outgoing("x", person="c", receiver="no")]
    put_now(store, [outgoing("unsignable", person="a"), *others])
    async with running_relay(store, tmp_path, receiver, sign=sign) as bench:
        await bench.until_over()
    assert references(receiver) == ["good"]
    assert states(store) == {"unsignable": State.DEAD, "good": State.SENT, "x": State.DEAD}


async def test_after_its_attempts_a_message_is_dead(store: EventsStore, tmp_path: Path) -> None:
    receiver = Receiver(lambda *_: Answer(500, b""))
    put_now(store, [outgoing("a")])
    checks = HealthChecks()
    async with running_relay(store, tmp_path, receiver, retry=TWICE) as bench:
        bench.watch.register(checks)
        await bench.until_over()
        [row] = table(store)
        assert (row.state, row.attempts, len(receiver.sent)) == ("dead", 2, 2)
        assert row.problem == "http_500: the receiver cannot take it now"
        assert bench.metric("spean_outbox_dead_total", receiver=RECEIVER) == 1
        tries = {"receiver": RECEIVER, "outcome": "later", "code": "http_500"}
        assert bench.metric("spean_outbox_attempts_total", **tries) == 2


async def test_a_receiver_that_is_away_for_long_kills_nothing(store: EventsStore, tmp_path: Path) -> None:
    answers: list[Any] = [Trouble.UNREACHABLE] * 9
    receiver = Receiver(lambda *_: answers.pop() if answers else None)
    put_now(store, [outgoing("a")])
    async with running_relay(store, tmp_path, receiver, retry=TWICE) as bench:
        await bench.until_over()
    assert states(store) == {"a": State.SENT}


async def test_the_access_record_has_each_event_once_however_often_it_is_tried(
    store: EventsStore, tmp_path: Path
) -> None:
    answers: list[Any] = [Trouble.TOO_SLOW, Answer(500, b""), Trouble.UNREACHABLE]
    receiver = Receiver(lambda *_: answers.pop() if answers else None)
    put_now(store, [outgoing("a", person="a"), outgoing("b", person="b"), outgoing("c", person="c", access=None)])
    async with running_relay(store, tmp_path, receiver) as bench:
        await bench.until_over()
    with sqlite3.connect(tmp_path / "access.sqlite") as access:
        found = access.execute(
            "SELECT client, service, operation, via, xroad_id, purpose, basis FROM access"
        ).fetchall()
        subjects = access.execute("SELECT count(*) FROM subject").fetchone()
    message_id = receiver.sent[0][1]
    assert {each[1] for each in receiver.sent} == {message_id}
    told = ("KH/GOV/NSAF/FAMILY-PACKAGE", "registration", "/registry/notify", "bus", message_id, "ENROLMENT", "law")
    assert found == [told] * 2
    assert subjects == (2,)


async def test_a_process_that_died_after_recording_records_no_second_time(store: EventsStore, tmp_path: Path) -> None:
    receiver = Receiver()
    put_now(store, [outgoing("a")])
    async with running_relay(store, tmp_path, receiver) as bench:
        await bench.until_over()
    again = {"state": "waiting", "recorded": 0, "finished": None}  # as it was when the first attempt began
    store.write_now(lambda each: each.execute(update(OUTBOX).values(**again)))
    async with running_relay(store, tmp_path, receiver) as bench:
        await bench.until_over()
    with sqlite3.connect(tmp_path / "access.sqlite") as access:
        assert access.execute("SELECT count(*) FROM access").fetchone() == (1,)
    assert len(receiver.sent) == 2
    assert references(receiver) == ["a"]


async def test_lines_tell_of_a_message_and_of_no_person(store: EventsStore, tmp_path: Path, lines: Lines) -> None:
    put_now(store, [outgoing("a", person="012345678")])
    async with running_relay(store, tmp_path, Receiver()) as bench:
        await bench.until_over()
        async with asyncio.timeout(10):  # the row is done before its line is written
            while not (told := [each for each in lines.all() if each["event"] == "outbox_message"]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    [line] = told
    assert (line["receiver"], line["events"], line["code"], line["state"]) == (RECEIVER, 1, "ACK", "sent")
    assert "012345678" not in lines.text()


async def test_two_processes_share_receivers_and_one_takes_over(postgresql_url: str, tmp_path: Path) -> None:
    one, other = (open_events(postgresql_url, KEY, config="adapter.yaml") for _ in range(2))
    receiver = Receiver()
    things = [outgoing(f"{number:02}", person=f"{number % 3}") for number in range(40)]
    async with running_relay(one, tmp_path, receiver, name="one") as bench:
        async with running_relay(other, tmp_path, receiver, name="other"):
            await asyncio.to_thread(put_now, one, things[:20])
            await bench.until_over()
        await asyncio.to_thread(put_now, one, things[20:])
        await bench.until_over()
    for person in range(3):
        seen = [each["reference_id"] for each in receiver.applied if each["data"]["person"] == f"{person}"]
        assert seen == [each.key for number, each in enumerate(things) if number % 3 == person]
    assert len({each[1] for each in receiver.sent}) == len(receiver.sent)  # no message went twice
    for store in (one, other):
        await store.close()


def test_waits_grow_and_are_spread() -> None:
    retry = RetryConfig(first_seconds=1, most_seconds=60, attempts=5)
    assert backoff.wait(retry, 0) == 0
    for failures, most in ((1, 1), (2, 2), (4, 8), (9, 60), (10_000, 60)):
        found = [backoff.wait(retry, failures) for _ in range(200)]
        assert 0 <= min(found) < most / 2 < max(found) <= most
