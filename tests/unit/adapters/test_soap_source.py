import threading
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapters.errors import SourceError
from adapters.source import Comparison, Operator, Query, Source, open_source, parse_source, read_connection
from tests.support.adapters import dump

NS = "urn:example:disability"
WSDL = f"""<?xml version="1.0"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="{NS}" targetNamespace="{NS}" name="Disability">
 <types><xs:schema targetNamespace="{NS}" elementFormDefault="qualified">
  <xs:complexType name="Person"><xs:sequence>
   <xs:element name="CardNo" type="xs:string"/><xs:element name="Name" type="xs:string" minOccurs="0"/>
   <xs:element name="Born" type="xs:date" minOccurs="0"/><xs:element name="Score" type="xs:decimal" minOccurs="0"/>
   <xs:element name="Aids" minOccurs="0"><xs:complexType><xs:sequence>
     <xs:element name="Aid" type="xs:string" minOccurs="0" maxOccurs="unbounded"/>
   </xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType>
  <xs:element name="FindByCard"><xs:complexType><xs:sequence>
   <xs:element name="cardNo" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="FindByCardResponse"><xs:complexType><xs:sequence>
   <xs:element name="Persons" minOccurs="0"><xs:complexType><xs:sequence>
     <xs:element name="Person" type="t:Person" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType>
   </xs:element></xs:sequence></xs:complexType></xs:element>
 </xs:schema></types>
 <message name="In"><part name="parameters" element="t:FindByCard"/></message>
 <message name="Out"><part name="parameters" element="t:FindByCardResponse"/></message>
 <portType name="Port">
  <operation name="FindByCard"><input message="t:In"/><output message="t:Out"/></operation></portType>
 <binding name="Binding" type="t:Port"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
  <operation name="FindByCard"><soap:operation soapAction="{NS}#FindByCard"/>
   <input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation></binding>
 <service name="Disability"><port name="Port" binding="t:Binding"><soap:address location="ADDRESS"/></port></service>
</definitions>"""
ENVELOPE = (
    '<?xml version="1.0"?>{prologue}<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{body}'
    "</e:Body></e:Envelope>"
)
PERSON = (
    "<Person><CardNo>D1</CardNo><Name>ដារ៉ា</Name><Born>1990-05-20</Born><Score>2.0</Score>"
    "<Aids><Aid>cane</Aid></Aids></Person>"
)
SOURCE: dict[str, Any] = {
    "source": "disability",
    "kind": "soap",
    "version": "1.0.0",
    "synthetic": True,
    "timeout_ms": 2000,
    "requests": [{"operation": "FindByCard", "by": {"DISABILITY_CARD": "cardNo"}}],
    "record": {"key": "CardNo", "fields": ["CardNo", "Name", "Born", "Score", "Aids.Aid"]},
    "queries": {
        "identifiers": ["DISABILITY_CARD"],
        "attributes": {"DISABILITY_CARD": {"type": "string", "field": "CardNo"}},
    },
}
FOUND = {"CardNo": "D1", "Name": "ដារ៉ា", "Born": "1990-05-20", "Score": 2, "Aids": {"Aid": ["cane"]}}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def found(people: str, prologue: str = "") -> str:
    body = f'<FindByCardResponse xmlns="{NS}"><Persons>{people}</Persons></FindByCardResponse>'
    return ENVELOPE.format(prologue=prologue, body=body)


def fault(text: str) -> str:
    body = f"<e:Fault><faultcode>e:Server</faultcode><faultstring>{text}</faultstring></e:Fault>"
    return ENVELOPE.format(prologue="", body=body)


class Service:
    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.answer, self.status, self.url = found(PERSON), 200, ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((await request.text(), dict(request.headers)))
        return web.Response(text=self.answer, status=self.status, content_type="text/xml")


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    there = Service()
    app = web.Application()
    app.router.add_route("*", "/soap", there.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there.url = f"http://127.0.0.1:{runner.addresses[0][1]}/soap"
    yield there
    await runner.cleanup()


@asynccontextmanager
async def opened(
    service: Service, folder: Path, *, wsdl: str = WSDL, connection: dict[str, Any] | None = None, **source: Any
) -> AsyncIterator[Source]:
    (folder / "service.wsdl").write_text(wsdl.replace("ADDRESS", "https://old.example/soap"), encoding="utf-8")
    said = {"kind": "soap", "wsdl": "service.wsdl", "url": service.url} | (connection or {})
    definition = parse_source(dump(SOURCE | source), name="source.yaml")
    there = open_source(definition, read_connection(said, file="adapter.yaml", folder=folder))
    try:
        yield there
    finally:
        await there.close()


def card(*values: str) -> Query:
    return Query(Comparison("DISABILITY_CARD", Operator.IN, values), (), 0, 10, 100)


async def test_records_come_as_plain_values(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as source:
        await source.check()
        assert (await source.search(card("D1"))).records == (FOUND,)
        assert (await source.search(card("D<2>"))).records == ()  # the service gave another person
        service.answer = found("")
        assert (await source.search(card("D1"))).total == 0
    assert "<ns0:cardNo>D&lt;2&gt;</ns0:cardNo>" in service.requests[-2][0]
    assert "FindByCard" in service.requests[-1][1]["SOAPAction"]


async def test_a_login_comes_from_a_file(service: Service, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    login = {"username": "me", "password_file": "password"}
    async with opened(service, tmp_path, connection=login) as source:
        await source.search(card("D1"))
    assert b64decode(service.requests[-1][1]["Authorization"].removeprefix("Basic ")) == b"me:s3cret"


ENTITY = '<!DOCTYPE x [<!ENTITY e "SECRET">]>'
BOMB = '<!DOCTYPE x [<!ENTITY a "SECRET"><!ENTITY b "&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        (fault("SECRET"), 500, r"fault \(e:Server\)"),
        ("SECRET", 200, "no SOAP"),
        ("SECRET", 503, "answers 503"),
        ("SECRET", 302, "answers 302"),
        (found(PERSON.replace("ដារ៉ា", "&e;"), ENTITY), 200, "do not fit"),
        (found(PERSON.replace("ដារ៉ា", "&b;"), BOMB), 200, "do not fit"),
        (found(PERSON.replace("ដារ៉ា", "&e;"), OUTSIDE), 200, "do not fit"),
        (found(PERSON, "<!DOCTYPE x>"), 200, "do not fit"),
        (found(PERSON * 50), 200, "larger than 4096"),
    ],
)
async def test_bad_answers_are_errors_that_show_nothing(
    service: Service, tmp_path: Path, answer: str, status: int, problem: str
) -> None:
    service.answer, service.status = answer, status
    async with opened(service, tmp_path, max_answer_bytes=4096) as source:
        with pytest.raises(SourceError, match=problem) as caught:
            await source.search(card("D1"))
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("<types>", '<import namespace="urn:x" location="https://elsewhere.example/x.wsdl"/><types>', "cannot be used"),
        ("<types>", '<import namespace="urn:x" location="../../../../etc/passwd"/><types>', "cannot be used"),
        ("<definitions", f"{ENTITY}<definitions", "cannot be used"),
        ("</definitions>", "", "cannot be used"),
        ("FindByCard", "FindByNumber", "no operation FindByCard; it has FindByNumber"),
        ("cardNo", "number", "takes no cardNo"),
    ],
)
async def test_a_wsdl_that_does_not_fit(service: Service, tmp_path: Path, old: str, new: str, problem: str) -> None:
    async with opened(service, tmp_path, wsdl=WSDL.replace(old, new)) as source:
        with pytest.raises(SourceError, match=problem):
            await source.check()
    assert not service.requests


async def test_a_service_that_is_away(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path, connection={"url": "http://127.0.0.1:1/"}, timeout_ms=5000) as source:
        with pytest.raises(SourceError, match="cannot be reached"):
            await source.search(card("D1"))


async def test_the_event_loop_is_free_while_zeep_works(service: Service, tmp_path: Path) -> None:
    async with opened(service, tmp_path) as source:
        await source.search(card("D1"))
        assert [each for each in threading.enumerate() if each.name.startswith("source-disability")]
