"""An auditor finds and reads an exchange in both logs with commands of their own, while the servers run."""

import asyncio
import json
import sqlite3
import stat
import subprocess
import zipfile
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.bus import Bus
from spean.sandbox.plan import MOP, NSAF, Institution
from tests.support.killing import faulty_bus
from tests.support.sandboxes import done_here, environment, spean

BODY = '{"card": "ក".ljust(20)}'.encode() * 20_000  # in a file of its own, and more than one chunk with the response
HEADERS = {"X-Road-Id": "asked-once", "X-Road-UserId": "officer-7", "X-Road-Issue": "case-9"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bus(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bus]:
    context = faulty_bus(tmp_path_factory.mktemp("show") / "bus")
    running, _ = await context.__aenter__()
    try:
        async with aiohttp.ClientSession() as session:
            async with session.post(running.url, headers=running.headers | HEADERS, data=BODY) as answer:
                assert answer.status == 200
            async with session.get(running.url + "/empty", headers=running.headers) as answer:
                assert answer.status == 200
        yield running
    finally:
        await context.__aexit__(None, None, None)


def command(*words: str) -> "subprocess.CompletedProcess[str]":
    return done("log", *words)


def done(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a thread, for each has an event loop of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(done_here, *words).result()


def listed(bus: Bus, each: Institution, *words: str) -> list[Any]:
    answer = command("list", str(bus.layout.node(each)), "--format", "json", *words)
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


def shown(bus: Bus, each: Institution, record: int, *words: str) -> Any:
    answer = command("show", str(bus.layout.node(each)), str(record), "--json", *words)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.mark.parametrize(("each", "side"), [(NSAF, "consumer"), (MOP, "producer")], ids=["consumer", "provider"])
async def test_both_halves_are_found_and_read(bus: Bus, each: Institution, side: str, tmp_path: Path) -> None:
    response, request = listed(bus, each, "--message", "asked-once", "--user", "officer-7", "--issue", "case-9")
    assert (request["outcome"], response["outcome"], request["side"]) == ("answered", "200", side)
    facts = shown(bus, each, request["id"])
    assert facts["request"] == f"POST {bus.path}"
    assert facts["X-Road-UserId"] == "officer-7"
    assert facts["signature"].startswith("holds")
    assert facts["signed by"] == str(NSAF.member)
    assert facts["certificate status"].startswith("good at")
    assert (facts["body"], facts["body size"]) == ("encrypted", len(BODY))
    facts = shown(bus, each, response["id"], "--body", str(tmp_path / "body"))
    assert facts["status"] == "200 OK"
    assert facts["signed by"] == str(MOP.member)
    assert (tmp_path / "body").read_bytes() == BODY
    assert stat.S_IMODE((tmp_path / "body").stat().st_mode) == 0o600


async def test_a_message_without_body(bus: Bus) -> None:
    _, request = listed(bus, MOP, "--limit", "2")
    facts = shown(bus, MOP, request["id"])
    assert facts["signature"].startswith("holds")
    assert (facts["body size"], facts["body SHA-512"]) == (0, None)
    assert facts["request"] == f"GET {bus.path}/empty"


def stranger(folder: Path) -> Path:
    """Write a private key that nobody encrypted for."""
    key = folder / "stranger.pem"
    private = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key


async def test_a_body_needs_its_key_and_a_new_file(bus: Bus, tmp_path: Path) -> None:
    _, request = listed(bus, NSAF, "--message", "asked-once")
    words = ["show", str(bus.layout.node(NSAF)), str(request["id"]), "--body", str(tmp_path / "body")]
    answer = command(*words, "--key", str(stranger(tmp_path)))
    assert answer.returncode == 1
    assert "encrypted" in answer.stderr
    assert not (tmp_path / "body").exists()
    (tmp_path / "body").write_text("mine")
    answer = command(*words)
    assert answer.returncode == 1
    assert "exists already" in answer.stderr
    assert (tmp_path / "body").read_text() == "mine"


async def test_the_signed_document_comes_whole_and_verifies(bus: Bus, tmp_path: Path) -> None:
    _, request = listed(bus, NSAF, "--message", "asked-once")
    place, number = tmp_path / "request.asice", str(request["id"])
    words = ["show", str(bus.layout.node(NSAF)), number, "--document", str(place)]
    if not request["time_stamped"]:
        assert "no time-stamp yet" in command(*words).stderr
        await stamped(bus)
    assert command(*words, "--key", str(stranger(tmp_path))).returncode == 1
    assert not place.exists()
    assert command(*words).returncode == 0
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    with zipfile.ZipFile(place) as document:
        assert document.read("attachment1") == BODY
    verified = done("verify", str(place), "--conf", str(bus.data(NSAF) / "globalconf"))
    assert (verified.returncode, "not in this container" in verified.stdout) == (0, False), verified.stdout


async def stamped(bus: Bus) -> None:
    """Have the consumer's records of the exchange stamped now."""
    names = ("xRoadInstance", "memberClass", "memberCode", "subsystemCode")
    client = dict(zip(names, bus.headers["X-Road-Client"].split("/"), strict=True))
    address = f"{bus.url.partition('/r1/')[0]}/asic?{urlencode({'queryId': 'asked-once', 'force': '', **client})}"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        assert answer.status == 200, await answer.text()


async def test_an_unknown_record_is_told(bus: Bus) -> None:
    answer = command("show", str(bus.layout.node(NSAF)), "4711")
    assert answer.returncode == 1
    assert "no record 4711" in answer.stderr


async def test_a_person_reads_lines(bus: Bus) -> None:
    words = spean("log", "show", str(bus.layout.node(NSAF)), "1")
    answer = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, env=environment())
    told = (await answer.communicate())[0].decode()
    assert answer.returncode == 0
    assert "X-Road-Id: asked-once" in told.splitlines()
    assert "ក" not in told


def another_user(head: bytes) -> bytes:
    return head.replace(b"officer-7", b"officer-8")


def another_value(signature: bytes) -> bytes:
    """Turn one character within the signature's value into another."""
    place = signature.index(b"SignatureValue>") - 40
    return signature[:place] + (b"B" if signature[place : place + 1] == b"A" else b"A") + signature[place + 1 :]


@pytest.mark.parametrize(("column", "alter"), [("head", another_user), ("signature", another_value)])
async def test_what_was_altered_does_not_hold(bus: Bus, column: str, alter: Callable[[bytes], bytes]) -> None:
    with closing(sqlite3.connect(bus.data(MOP) / "node.db")) as database:
        (whole,) = database.execute(f"SELECT {column} FROM log_record WHERE id = 1").fetchone()  # noqa: S608
        assert alter(whole) != whole
        set_column(database, column, alter(whole))
        try:
            assert shown(bus, MOP, 1)["signature"].startswith("DOES NOT HOLD: ")
        finally:
            set_column(database, column, whole)


def set_column(database: sqlite3.Connection, column: str, value: bytes) -> None:
    database.execute(f"UPDATE log_record SET {column} = ? WHERE id = 1", (value,))  # noqa: S608
    database.commit()
