"""A node's life: without its central server, with several servers of a provider, large bodies, and its end."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

import pytest

from securityserver.app import Node
from securityserver.peers import Route
from tests.support.instance import CONSUMER, IDPOOR, PACKAGE, PROVIDER, Instance, little_instance
from tests.support.loglines import Lines
from xroad.errors import OutdatedGlobalConf, SslAuthenticationFailed

MIB: Final = 1024 * 1024


async def test_a_second_server_is_tried_when_the_first_cannot_be_reached(tmp_path: Path, lines: Lines) -> None:
    async with little_instance(tmp_path, limits="connect_seconds = 1") as instance:
        peers = instance.consumer.parts.consumer.peers
        trust = instance.consumer.parts.trust.current()
        addresses = (instance.address(12), instance.address(98), instance.address(99))
        route = Route(IDPOOR, addresses, trust)
        for _ in range(2):
            with await peers.reach(route, instance.clock.now()) as peer:
                assert peer.address == instance.address(12)


async def test_a_server_that_may_not_answer_is_left_for_another(tmp_path: Path) -> None:
    """The impostor accepts first; nothing is sent to it, and the true server gets the request."""
    async with little_instance(tmp_path) as instance:
        accepted: list[bytes] = []

        async def impostor(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.append(await reader.read(5))
            writer.close()

        server = await asyncio.start_server(impostor, instance.address(50), 5500)
        async with server:
            trust = instance.consumer.parts.trust.current()
            route = Route(IDPOOR, (instance.address(50), instance.address(12)), trust)
            for _ in range(4):
                instance.consumer.parts.consumer.peers.close()
                with await instance.consumer.parts.consumer.peers.reach(route, instance.clock.now()) as peer:
                    assert peer.address == instance.address(12)


async def test_a_pooled_connection_is_judged_again(tmp_path: Path) -> None:
    """A connection outlives what let it in: once its certificate is revoked, no further request goes over it."""
    async with little_instance(tmp_path) as instance:
        assert (await instance.ask("GET", "/x")).status == 200
        certificate = instance.keys[PROVIDER].auth.certificate
        assert certificate is not None
        instance.ocsp.status[certificate.serial_number] = "revoked"
        instance.middle.on_relay = lambda _: instance.ocsp.response(certificate, age=timedelta(minutes=-65))
        route = Route(IDPOOR, (instance.address(11),), instance.consumer.parts.trust.current())
        with pytest.raises(SslAuthenticationFailed, match="revoked"):
            await instance.consumer.parts.consumer.peers.reach(route, instance.clock.now() + timedelta(minutes=70))


async def test_a_node_goes_on_while_the_central_server_is_away(tmp_path: Path, lines: Lines) -> None:
    async with little_instance(tmp_path) as instance:
        instance.configuration.away = True
        assert not await instance.consumer.parts.trust.refresh()
        assert (await instance.ask("GET", "/x")).status == 200
        [failure] = [line for line in lines.all() if line["event"] == "globalconf_refresh_failed"]
        assert isinstance(failure["still_valid_seconds"], int)
        assert failure["still_valid_seconds"] > 7000


async def test_a_node_restarts_from_its_stored_configuration(tmp_path: Path) -> None:
    async with little_instance(tmp_path) as instance:
        config = instance.configs[CONSUMER]
    clock = instance.clock
    async with Node.running(config, clock) as node:
        assert node.parts.trust.current().instance == "KH-SANDBOX"
    clock.shift += timedelta(hours=3)
    async with Node.running(config, clock) as node:
        with pytest.raises(OutdatedGlobalConf):
            node.parts.trust.current()


async def test_a_body_of_128_mib_takes_no_memory_in_either_direction(tmp_path: Path) -> None:
    """Both nodes, the backend and the caller live in this process, and still stay below 64 MiB more."""
    size = 128 * MIB

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size // 65536):
            yield bytes(65536)

    async with little_instance(tmp_path) as instance:
        # The man in the middle holds whole messages.
        instance.publish(provider_address=instance.address(12))
        await instance.refresh()
        for _ in range(5):
            assert (await instance.ask("POST", "/x", data=b"warm")).status == 200
        with Watching() as memory:
            answer = await instance.ask("POST", "/keep", data=pieces())
            assert answer.body == b"%d" % size
            url = instance.url + instance.target(f"/big?{size}")
            async with instance.http.get(url, headers={"X-Road-Client": str(PACKAGE)}) as got:
                received = 0
                async for piece in got.content.iter_any():
                    received += len(piece)
        assert received == size
        assert memory.grown < 64 * MIB


class Watching:
    """Measures by how much the process grows."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._before = self._peak = resident()

    @property
    def grown(self) -> int:
        return self._peak - self._before

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self._peak = max(self._peak, resident())


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def test_an_exchange_in_flight_finishes_when_the_node_stops(tmp_path: Path) -> None:
    async with little_instance(tmp_path) as instance, asyncio.TaskGroup() as group:
        asked = group.create_task(instance.ask("GET", "/slow"))
        async with asyncio.timeout(5):
            await instance.backend.called.wait()
        listen = instance.consumer.addresses.client_http[0]
        await instance.running[CONSUMER].aclose()
        assert asked.done()
        assert (asked.result().status, asked.result().body) == (200, b"late")
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection(listen.host, listen.port)


async def test_senders_that_stall_do_not_keep_others_out(tmp_path: Path) -> None:
    limits = "exchanges = 2\ncrowded_read_seconds = 0.2"
    async with little_instance(tmp_path, limits=limits) as instance, asyncio.timeout(20), AsyncExitStack() as opened:
        stalled = [await _stalling(instance, opened) for _ in range(2)]
        assert (await instance.ask("POST", "/x", data=b"a")).status == 200
        async with asyncio.TaskGroup() as group:
            answers = [group.create_task(reader.readline()) for reader in stalled]
            refused, left = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
            assert {answer.result()[:12] for answer in refused} == {b"HTTP/1.1 400"}
            for answer in left:
                answer.cancel()


async def _stalling(instance: Instance, opened: AsyncExitStack) -> asyncio.StreamReader:
    """Begin a request, and send half of its body."""
    listen = instance.consumer.addresses.client_http[0]
    reader, writer = await asyncio.open_connection(listen.host, listen.port)
    opened.callback(writer.close)
    fields = f"Host: x\r\nX-Road-Client: {PACKAGE}\r\nContent-Length: 20\r\n\r\n"
    writer.write(f"POST {instance.target('/x')} HTTP/1.1\r\n{fields}0123456789".encode())
    await writer.drain()
    return reader
