"""Whatever is logged comes back as it was, and a configuration survives its own export."""

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from securityserver.messagelog import Body, Direction, Record, Side, SpoolDirectory, StoredRecord
from securityserver.serverconf import (
    AccessRight,
    ClientDeclaration,
    Connection,
    Declaration,
    Endpoint,
    LocalGroup,
    PathPattern,
    ServiceDeclaration,
    compare,
    to_toml,
)
from tests.support.messagelog import running_log
from tests.support.serverconf import declared
from xroad.identifiers import ClientId, GlobalGroupId, LocalGroupId, ServiceId

parts = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="%:;/\\\u200b\ufeff"), min_size=1, max_size=12
).filter(lambda part: part not in {".", ".."} and bool(part.strip()))
clients = st.builds(ClientId, parts, parts, parts, st.none() | parts)
services = st.builds(ServiceId, clients, parts, st.none() | parts)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
times = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 - bounds are naive
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
records = st.builds(
    Record,
    direction=st.sampled_from(Direction),
    side=st.sampled_from(Side),
    query_id=texts,
    request_id=st.uuids().map(str),
    client=clients,
    service=services,
    user_id=st.none() | texts,
    issue=st.none() | texts,
    head=st.binary(max_size=200),
    body=st.binary(max_size=200).map(Body.of),
    signature=st.binary(max_size=200),
    at=times,
    hash_chain=st.none() | st.binary(max_size=50),
    hash_chain_result=st.none() | st.binary(max_size=50),
)


async def round_trip(written: list[Record]) -> list[tuple[StoredRecord, bytes]]:
    with tempfile.TemporaryDirectory() as directory:
        async with running_log(Path(directory)) as log:
            numbers = await asyncio.gather(*(log.append(record) for record in written))
            found = []
            for number in numbers:
                stored = await log.reader.get(number)
                assert stored is not None
                found.append((stored, b"".join([chunk async for chunk in log.reader.read_body(number)])))
            return found


@settings(max_examples=20, deadline=None)
@given(st.lists(records, max_size=8, unique_by=lambda record: record.request_id))
def test_records_come_back_as_they_were(written: list[Record]) -> None:
    for record, (stored, body) in zip(written, asyncio.run(round_trip(written)), strict=True):
        for name in Record._fields:
            if name != "body":
                assert getattr(stored, name) == getattr(record, name), name
        assert (body, stored.body_digest) == (record.body.inline, record.body.digest)


async def spooled(chunks: list[bytes], limit: int) -> tuple[Body, bytes]:
    with tempfile.TemporaryDirectory() as directory:
        spools = SpoolDirectory.open(Path(directory), inline_limit=limit)
        async with spools.collect() as spool:
            for chunk in chunks:
                await spool.write(chunk)
            body = await spool.finish()
            content = b"".join([chunk async for chunk in body.open_reader()])
        spools.close()
        return body, content


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=12), st.integers(0, 500))
def test_a_body_is_the_same_however_it_is_split(chunks: list[bytes], limit: int) -> None:
    whole = b"".join(chunks)
    body, content = asyncio.run(spooled(chunks, limit))
    assert content == whole
    assert (body.size, body.digest) == (len(whole), Body.of(whole).digest)
    assert (body.inline is None) == (len(whole) > limit)


endpoints = st.builds(
    Endpoint,
    st.sampled_from(["*", "GET", "POST"]),
    st.just("**") | texts.map(lambda text: "/" + text.replace("\n", "")),
)
visible = texts.filter(lambda text: bool(text.strip()))


@st.composite
def client_declarations(draw: st.DrawFn) -> ClientDeclaration:
    client = draw(clients)
    groups = draw(st.lists(st.builds(LocalGroupId, parts), max_size=2, unique=True))
    subjects = st.one_of(
        clients, st.builds(GlobalGroupId, parts, parts), *([st.sampled_from(groups)] if groups else [])
    )
    declarations = st.builds(
        ServiceDeclaration,
        id=st.builds(ServiceId, st.just(client), parts, st.none() | parts),
        url=st.sampled_from(["http://127.0.0.1:80/x", "https://[::1]"]),
        timeout=st.floats(1, 900),
        disabled=st.none() | visible,
        access=st.frozensets(st.builds(AccessRight, subjects, endpoints), max_size=4),
    )
    found = draw(st.lists(declarations, max_size=3, unique_by=lambda service: service.id))
    members = st.frozensets(clients, max_size=3)
    return ClientDeclaration(
        id=client,
        connection=draw(st.sampled_from([Connection.HTTP, Connection.HTTPS_NO_AUTH])),
        services=tuple(sorted(found, key=lambda service: str(service.id))),
        local_groups=tuple(LocalGroup(group, draw(members)) for group in sorted(groups, key=str)),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(client_declarations(), max_size=3, unique_by=lambda client: client.id).map(Declaration.of))
def test_an_export_declares_the_same(declaration: Declaration) -> None:
    again = declared(to_toml(declaration))
    assert again == declaration
    assert not compare(declaration, again)


def naive(pattern: str, path: str) -> bool:
    """Match by trying everything: slow, and plainly what the rule says."""
    if not pattern:
        return not path
    if pattern.startswith("**"):
        rest = pattern.lstrip("*")
        return any(naive(rest, path[at:]) for at in range(len(path) + 1))
    if pattern.startswith("*"):
        end = path.find("/") if "/" in path else len(path)
        return any(naive(pattern[1:], path[at:]) for at in range(end + 1))
    return bool(path) and path[0] == pattern[0] and naive(pattern[1:], path[1:])


@given(st.text("ab/*", max_size=8), st.text("ab/", max_size=10))
def test_patterns_match_as_the_rule_says(pattern: str, path: str) -> None:
    assert PathPattern.compile(pattern).matches(path) is naive(pattern, path)
