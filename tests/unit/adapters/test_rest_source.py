import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapters.datacheck import look_at_data, plan
from adapters.errors import ConfigError, SearchRejected, SourceError, SourceTimeoutError
from adapters.source import (
    And,
    Comparison,
    Not,
    Operator,
    Or,
    Query,
    SortKey,
    Source,
    open_source,
    parse_source,
    read_connection,
    rest,
)
from tests.support.adapters import dump, mapping_data, write_yaml
from tests.support.registry import SERVICE

PEOPLE: list[dict[str, Any]] = [
    {
        "id": 1,
        "spid": "S1",
        "card": "C1",
        "name": {"km": "ដារ៉ា"},
        "sex": "M",
        "age": 40,
        "dob": "1986-01-01",
        "phone": "1",
    },
    {"id": 2, "spid": "S2", "card": "C1", "name": {"km": "សុភា"}, "sex": "F", "age": 38, "dob": None},
    {"id": 3, "spid": "S3", "card": "C9", "name": {"km": "បុប្ផា"}, "sex": "F", "age": None, "dob": "2020-02-02"},
]
SOURCE: dict[str, Any] = {
    "source": "pmrs",
    "kind": "rest",
    "version": "1.0.0",
    "synthetic": True,
    "timeout_ms": 2000,
    "envelope": {"success": "success", "code": "http_code", "message": "message", "data": "data"},
    "requests": [
        {"path": "/search", "by": {"EQUITY_CARD": "card"}, "parameters": {"active": True}},
        {"path": "/people/{spid}", "by": {"SPID": "spid"}},
    ],
    "record": {"at": "items", "key": "id", "fields": ["id", "spid", "card", "name.km", "sex", "age", "dob"]},
    "queries": {
        "identifiers": ["EQUITY_CARD", "SPID"],
        "attributes": {
            "EQUITY_CARD": {"type": "string"},
            "SPID": {"type": "string", "field": "spid"},
            "sex": {"type": "string", "field": "sex", "codes": {"male": "M", "female": "F"}},
            "age": {"type": "integer", "field": "age", "sortable": True},
            "name": {"type": "string", "field": "name.km", "sortable": True},
            "birth_date": {"type": "date", "field": "dob"},
        },
    },
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def wrapped(people: list[dict[str, Any]], **more: Any) -> web.Response:
    answer = {"success": True, "http_code": 200, "message": "ok", "data": {"items": people}}
    return web.json_response(answer | more)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "WAITS", (0.0, 0.01))


class Service:
    """A service that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.headers: list[dict[str, str]] = []
        self.tokens = 0
        self.token: dict[str, Any] = {"access_token": "token-1", "token_type": "Bearer", "expires_in": 3600}
        self.answers: list[Handler] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.raw_path.partition("?")[0], dict(request.query)))
        self.headers.append(dict(request.headers))
        if self.answers:
            return await self.answers.pop(0)(request)
        if request.path.startswith("/people/"):
            return wrapped([each for each in PEOPLE if each["spid"] == request.path.rpartition("/")[2]])
        return wrapped([each for each in PEOPLE if each["card"] == request.query.get("card", each["card"])])

    async def give_token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        assert (form["grant_type"], form["client_id"], form["client_secret"]) == ("client_credentials", "me", "s3cret")
        self.tokens += 1
        return web.json_response(self.token | {"access_token": f"token-{self.tokens}"})


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    found = Service()
    app = web.Application()
    app.router.add_post("/token", found.give_token)
    app.router.add_route("*", "/{tail:.*}", found.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield found
    await runner.cleanup()


@asynccontextmanager
async def opened(
    service: Service, folder: Path, *, connection: dict[str, Any] | None = None, **source: Any
) -> AsyncIterator[Source]:
    said = {"kind": "rest", "url": service.url} | (connection or {})
    definition = parse_source(dump(SOURCE | source), name="source.yaml")
    found = open_source(definition, read_connection(said, file="adapter.yaml", folder=folder))
    try:
        yield found
    finally:
        await found.close()


def eq(attribute: str, *values: object, operator: Operator = Operator.EQ) -> Comparison:
    return Comparison(attribute, operator, values)


async def ids(source: Source, where: Any, **more: Any) -> list[int]:
    query = Query(where, more.get("sort", ()), more.get("offset", 0), more.get("limit", 10), more.get("most", 100))
    return [each["id"] for each in (await source.search(query)).records]


CARD = eq("EQUITY_CARD", "C1")


async def test_the_first_request_that_the_search_can_fill_is_made(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as source:
        assert await ids(source, CARD) == [1, 2]
        assert await ids(source, eq("SPID", "S3")) == [3]
        assert await ids(source, eq("SPID", "nobody")) == []
    assert service.asked == [
        ("/search", {"card": "C1", "active": "true"}),
        ("/people/S3", {}),
        ("/people/nobody", {}),
    ]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (And((CARD, eq("sex", "female"))), [2]),
        (And((CARD, Not(eq("sex", "female")))), [1]),
        (And((CARD, Or((eq("age", 38), eq("birth_date", "1986-01-01T00:00:00+07:00"))))), [1, 2]),
        (And((CARD, eq("age", 39, operator=Operator.GT))), [1]),
        (And((CARD, eq("age", 38, 41, operator=Operator.IN))), [2]),
        (eq("SPID", "S1", "S3", "S1", operator=Operator.IN), [1, 3]),
        (And((eq("SPID", "S1"), eq("SPID", "S2"))), []),
    ],
)
async def test_what_the_service_found_is_compared_once_more(
    service: Service, tmp_path: Path, where: Any, expected: list[int]
) -> None:
    async with opened(service, tmp_path) as source:
        assert await ids(source, where) == expected


async def test_a_generous_service_gives_nobody_else(service: Service, tmp_path: Path) -> None:
    async def everyone(_request: web.Request) -> web.Response:
        return wrapped(PEOPLE)

    service.answers = [everyone]
    async with opened(service, tmp_path) as source:
        assert await ids(source, eq("SPID", "S2")) == [2]


async def test_sort_and_pages(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as source:
        assert await ids(source, CARD, sort=(SortKey("age", descending=True),)) == [1, 2]
        assert await ids(source, CARD, sort=(SortKey("age", descending=False),)) == [2, 1]
        assert await ids(source, CARD, limit=1, offset=1) == [2]
        with pytest.raises(SearchRejected, match="age, name"):
            await ids(source, CARD, sort=(SortKey("sex", descending=True),))


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        (eq("sex", "male"), "rjct.search.too_many_records_found"),
        (Or((CARD, eq("SPID", "S1"))), "rjct.search.too_many_records_found"),
        (Not(CARD), "rjct.search.too_many_records_found"),
        (eq("SPID", *map(str, range(21)), operator=Operator.IN), "rjct.search.too_many_records_found"),
        (And((eq("SPID", "S1"), eq("EQUITY_CARD", "C1"), Not(CARD))), "rjct.search_criteria.invalid"),
        (And((CARD, eq("EQUITY_CARD", "C9"))), "rjct.search_criteria.invalid"),
        (eq("password", "x"), "rjct.search_criteria.invalid"),
        (And((CARD, eq("age", "x"))), "rjct.search_criteria.invalid"),
        (eq("SPID", ".."), "rjct.search_criteria.invalid"),
    ],
)
async def test_what_no_request_can_answer_is_rejected_before_any_call(
    service: Service, tmp_path: Path, where: Any, reason: str
) -> None:
    async with opened(service, tmp_path) as source:
        with pytest.raises(SearchRejected) as caught:
            await ids(source, where)
    assert caught.value.reason == reason
    assert not service.asked


async def test_a_value_never_becomes_another_path(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as source:
        assert await ids(source, eq("SPID", "../search?card=C1#")) == []
        assert await ids(source, eq("EQUITY_CARD", "C1&card=C9")) == []
    assert service.asked[0][0] == "/people/..%2Fsearch%3Fcard%3DC1%23"
    assert service.asked[1][1]["card"] == "C1&card=C9"


async def test_too_many_matches(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as source:
        with pytest.raises(SearchRejected, match="more than 1"):
            await ids(source, CARD, most=1)


def answering(*, status: int = 200, body: bytes = b"{}", **headers: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, content_type="application/json", headers=headers)

    return answer


def envelope(**members: Any) -> bytes:
    return json.dumps(members).encode()


@pytest.mark.parametrize(
    "handler",
    [
        answering(status=404),
        answering(body=envelope(success=False, http_code=404, message="SECRET")),
        answering(status=404, body=envelope(success=False, http_code=404)),
        answering(body=envelope(success=True, http_code=200, data=None)),
        answering(body=envelope(success=True, http_code=200, data={"items": None})),
    ],
)
async def test_nothing_found_is_no_error(service: Service, tmp_path: Path, handler: Handler) -> None:
    service.answers = [handler]
    async with opened(service, tmp_path) as source:
        assert await ids(source, CARD) == []


@pytest.mark.parametrize(
    ("handler", "problem"),
    [
        (answering(body=envelope(success=False, http_code=500, message="SECRET")), "code 500"),
        (answering(body=envelope(success="yes", http_code="SECRET")), "code no number"),
        (answering(body=b'{"other": "SECRET"}'), "'success'"),
        (answering(body=b'["SECRET"]'), "'success'"),
        (answering(body=b"SECRET"), "not JSON"),
        (answering(body=b"[" * 1000), "not JSON"),
        (answering(body=b'{"success": NaN}'), "not JSON"),
        (answering(body=envelope(success=True, data={"items": ["SECRET"]})), "record.at"),
        (answering(body=envelope(success=True, data={"people": ["SECRET"]})), "record.at"),
        (answering(body=envelope(success=True, data=["SECRET"])), "record.at"),
        (answering(status=403, body=b"SECRET"), "answers 403"),
        (answering(status=302, Location="http://127.0.0.1:1/"), "answers 302"),
        (answering(body=b"[" + b" " * 2000 + b"]"), "larger than 1024"),
    ],
)
async def test_bad_answers_are_errors_that_show_nothing(
    service: Service, tmp_path: Path, handler: Handler, problem: str
) -> None:
    service.answers = [handler]
    async with opened(service, tmp_path, max_answer_bytes=1024) as source:
        with pytest.raises(SourceError, match=problem) as caught:
            await ids(source, CARD)
    assert "SECRET" not in str(caught.value)


async def test_a_call_is_made_again_when_the_service_was_away_for_a_moment(service: Service, tmp_path: Path) -> None:
    service.answers = [answering(status=503), answering(status=502)]
    async with opened(service, tmp_path) as source:
        assert await ids(source, CARD) == [1, 2]
        service.answers = [answering(status=503)] * 3
        with pytest.raises(SourceError, match="answers 503"):
            await ids(source, CARD)


async def test_a_slow_service_is_not_waited_for(service: Service, tmp_path: Path) -> None:
    async def slow(_request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(_request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    service.answers = [slow]
    async with opened(service, tmp_path, timeout_ms=100, max_answer_bytes=64 << 20) as source:
        with pytest.raises(SourceTimeoutError, match="100 ms"):
            await ids(source, CARD)


async def test_a_service_that_is_away(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path, connection={"url": "http://127.0.0.1:1/"}) as source:
        with pytest.raises(SourceError, match="cannot be reached"):
            await ids(source, CARD)
        with pytest.raises(SourceError, match="cannot be reached"):
            await source.check()
    async with opened(service, tmp_path) as source:
        await source.check()


@pytest.fixture
def oauth2(service: Service, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "secret").write_text("s3cret\n")
    return {"oauth2": {"token_url": f"{service.url}token", "client_id": "me", "client_secret_file": "secret"}}


async def test_a_token_is_kept_and_renewed(service: Service, tmp_path: Path, oauth2: dict[str, Any]) -> None:
    async with opened(service, tmp_path, connection=oauth2) as source:
        await ids(source, CARD)
        await ids(source, CARD)
        assert [each["Authorization"] for each in service.headers] == ["Bearer token-1"] * 2
        service.answers = [answering(status=401)]
        assert await ids(source, CARD) == [1, 2]
    assert service.headers[-1]["Authorization"] == "Bearer token-2"
    assert service.tokens == 2


async def test_a_token_that_is_refused_again_is_an_error(
    service: Service, tmp_path: Path, oauth2: dict[str, Any]
) -> None:
    service.answers = [answering(status=401)] * 9
    async with opened(service, tmp_path, connection=oauth2) as source:
        with pytest.raises(SourceError, match="answers 401"):
            await ids(source, CARD)


@pytest.mark.parametrize("token", [{"access_token": "a b"}, {"token_type": "mac"}])
async def test_what_is_no_token(
    service: Service, tmp_path: Path, oauth2: dict[str, Any], token: dict[str, Any]
) -> None:
    async def give(_request: web.Request) -> web.Response:
        return web.json_response({"access_token": "t", "token_type": "bearer"} | token)

    service.answers = [give]
    oauth2["oauth2"]["token_url"] = f"{service.url}elsewhere"
    async with opened(service, tmp_path, connection=oauth2) as source:
        with pytest.raises(SourceError, match="token"):
            await ids(source, CARD)


async def test_an_api_key_is_read_from_its_file_each_time(service: Service, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("first\n")
    async with opened(service, tmp_path, connection={"api_key": {"header": "X-Key", "key_file": "key"}}) as source:
        await ids(source, CARD)
        key.write_text("second\n")
        await ids(source, CARD)
        key.unlink()
        with pytest.raises(SourceError, match="cannot be read"):
            await ids(source, CARD)
    assert [each["X-Key"] for each in service.headers] == ["first", "second"]


PAGING = {"page": "page", "size": "per_page", "records": 2, "total": "items_total"}


async def test_a_whole_registry_is_read_page_by_page(service: Service, tmp_path: Path) -> None:
    async def page(request: web.Request) -> web.Response:
        number, size = int(request.query["page"]), int(request.query["per_page"])
        return wrapped(PEOPLE[(number - 1) * size : number * size])

    service.answers = [page, page]
    async with opened(service, tmp_path, paging=PAGING, stream={"path": "/all"}) as source:
        found = [each async for each in source.stream()]
    assert [(each.place, each.record["spid"]) for each in found] == [("id 1", "S1"), ("id 2", "S2"), ("id 3", "S3")]
    async with opened(service, tmp_path) as source:
        with pytest.raises(SourceError, match="stream"):
            await anext(aiter(source.stream()))


async def test_reading_a_whole_registry_ends_though_the_service_does_not(service: Service, tmp_path: Path) -> None:
    async def hangs(_request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return wrapped([])

    async def ignores_the_page(_request: web.Request) -> web.Response:
        return wrapped(PEOPLE[:2])

    service.answers = [hangs, *[ignores_the_page] * 3]
    async with opened(service, tmp_path, paging=PAGING, stream={"path": "/all"}, timeout_ms=100) as source:
        with pytest.raises(SourceTimeoutError, match="100 ms"):
            await anext(aiter(source.stream()))
        with pytest.raises(SourceError, match="same page"):
            async for _each in source.stream():
                pass


async def test_a_token_that_lives_longer_than_any_clock(
    service: Service, tmp_path: Path, oauth2: dict[str, Any]
) -> None:
    service.token |= {"expires_in": 10**400}
    async with opened(service, tmp_path, connection=oauth2) as source:
        assert await ids(source, CARD) == [1, 2]


async def test_check_says_when_records_cannot_be_looked_at(service: Service, tmp_path: Path) -> None:
    rules = [{"to": "name.given_name", "from": "name.km", "transform": ["khmer_normalise"]}]
    fields = [each for each in SOURCE["record"]["fields"] if each != "name.km"]
    ignored = [{"path": each, "reason": "Not needed for this test."} for each in fields]
    write_yaml(tmp_path / "mapping.yaml", mapping_data(rules, ignored=ignored))
    adapter = {
        "adapter": "people",
        "listen": "127.0.0.1:0",
        "sender_id": "people",
        "source": {"kind": "rest", "url": service.url},
        "services": [{key: each for key, each in SERVICE.items() if key != "release"}],
        "access_log": "access.sqlite",
        "access_key_file": "access.key",
    }
    for more in ({}, {"stream": {"path": "/all"}}):
        write_yaml(tmp_path / "source.yaml", SOURCE | more)
        [looking] = plan(write_yaml(tmp_path / "adapter.yaml", adapter)).services
        found = await look_at_data(looking, limit=None, tell=lambda *_: None)
        assert {each.level.value for each in found} == {"note"}
        assert any(each.problem.endswith("not mentioned: phone") for each in found) is bool(more)
        assert any("its records were not looked at" in each.problem for each in found) is not bool(more)


REQUEST = SOURCE["requests"][0]
ATTRIBUTES = SOURCE["queries"]["attributes"]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"requests": [{"operation": "x", "by": {"SPID": "s"}}]}, "requests[0]"),
        ({"requests": [{"path": "/x"}]}, "requests[0].by"),
        ({"requests": [{"path": "/x", "by": {"NAME": "s"}}]}, "requests[0].by.NAME"),
        ({"requests": [{"path": "/{other}", "by": {"SPID": "s"}}]}, "requests[0].path"),
        ({"requests": [{"path": "no-slash", "by": {"SPID": "s"}}]}, "requests.0.path"),
        ({"queries": {"attributes": ATTRIBUTES | {"x": {"type": "string"}}}}, "queries.attributes.x"),
        (
            {"queries": {"attributes": ATTRIBUTES | {"x": {"type": "string", "field": "no"}}}},
            "queries.attributes.x.field",
        ),
        ({"queries": {"identifiers": ["x"], "attributes": ATTRIBUTES}}, "queries.identifiers"),
        ({"kind": "soap"}, "requests[0]"),
        ({"kind": "other"}, "file"),
    ],
)
def test_source_files_that_contradict_themselves(change: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_source(dump(SOURCE | change), name="source.yaml")
    assert caught.value.key == key


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({"kind": "rest"}, "source.url"),
        ({"kind": "rest", "url": "http://elsewhere.example/"}, "source.url"),
        ({"kind": "rest", "url": "ftp://127.0.0.1/"}, "source.url"),
        ({"kind": "rest", "url": "https://u:SECRET@h/"}, "source.url"),
        ({"kind": "rest", "url": "https://h/", "folder": "x"}, "source.folder"),
        ({"kind": "rest", "url": "https://h/", "password": "SECRET"}, "source"),
        (
            {
                "kind": "rest",
                "url": "https://h/",
                "api_key": {"header": "K", "key_file": "k"},
                "oauth2": {"token_url": "https://h/t", "client_id": "c", "client_secret_file": "f"},
            },
            "source",
        ),
        ({"kind": "soap", "wsdl": "x", "username": "u"}, "source.username"),
        ({"kind": "sql", "url": "postgresql://u:SECRET@h/d"}, "source.url"),
        ({"kind": "sql", "url": "postgresql://u@h/d?options=-cx"}, "source.url"),
        ({"kind": "sql", "url": "mysql://u@h/d"}, "source.url"),
        ({"kind": "files"}, "source.folder"),
        ({"kind": "tape"}, "source.kind"),
        ("sqlite:///x", "source"),
    ],
)
def test_connections_that_cannot_be_used(tmp_path: Path, said: Any, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_connection(said, file="adapter.yaml", folder=tmp_path)
    assert caught.value.key == key
    assert "SECRET" not in str(caught.value)


def test_a_source_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    connection = read_connection({"kind": "files", "folder": "x"}, file="adapter.yaml", folder=tmp_path)
    with pytest.raises(ConfigError, match="is rest, but"):
        open_source(parse_source(dump(SOURCE), name="source.yaml"), connection)
