"""SOAP faults written and read."""

import pytest

from xroad import soap
from xroad.errors import AccessDenied, Blame, InvalidMessage, InvalidSoap, InvalidXml, RemoteFault, XRoadError

ENVELOPE = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'


def envelope(fault: str) -> bytes:
    return ENVELOPE.format(f"<s:Fault>{fault}</s:Fault>").encode()


def test_a_fault_crosses_with_code_sentence_and_id() -> None:
    error = AccessDenied("The client may not <call> “ក” & more.").prefixed("Server.ServerProxy")

    fault = soap.parse_fault(soap.fault_xml(error))

    assert (fault.full_code, fault.detail, fault.error_id) == (error.full_code, error.detail, error.error_id)
    assert fault.blame is Blame.CALLER


def test_the_bytes_are_those_of_the_reference() -> None:
    error = AccessDenied("No", error_id="id-1").prefixed("Server.ServerProxy")

    assert soap.fault_xml(error) == (
        b'<?xml version="1.0" encoding="UTF-8"?>'
        b'<SOAP-ENV:Envelope xmlns:SOAP-ENV="http://schemas.xmlsoap.org/soap/envelope/"><SOAP-ENV:Body><SOAP-ENV:Fault>'
        b"<faultcode>Server.ServerProxy.AccessDenied</faultcode><faultstring>No</faultstring><faultactor></faultactor>"
        b'<detail><faultDetail xmlns="">id-1</faultDetail></detail>'
        b"</SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    )


def test_a_fault_that_is_passed_on_keeps_its_id() -> None:
    received = RemoteFault("server.serverproxy.access_denied", "No", error_id="id-1")

    assert b"Server.ServerProxy.AccessDenied" in soap.fault_xml(received)
    assert soap.parse_fault(soap.fault_xml(received)).error_id == "id-1"


@pytest.mark.parametrize(
    ("fault", "code", "error_id"),
    [
        ("<faultcode>s:Server.X</faultcode><faultstring>m</faultstring>", "Server.X", None),
        ("<s:faultcode>Client.X</s:faultcode><s:faultstring/>", "Client.X", None),
        ("<faultcode>A</faultcode><faultstring>m</faultstring><detail>d1</detail>", "A", "d1"),
        (
            "<faultcode>A</faultcode><faultstring>m</faultstring><detail><faultDetail>d2</faultDetail></detail>",
            "A",
            "d2",
        ),
        ("<faultcode>A</faultcode><faultstring>m</faultstring><detail>two words</detail>", "A", None),
    ],
)
def test_other_forms_of_faults_are_read(fault: str, code: str, error_id: str | None) -> None:
    parsed = soap.parse_fault(envelope(fault))

    assert parsed.full_code == code
    assert error_id is None or parsed.error_id == error_id
    assert parsed.error_id


def test_a_peers_sentence_cannot_write_lines_into_logs_or_grow_without_end() -> None:
    parsed = soap.parse_fault(
        envelope(f"<faultcode>A</faultcode><faultstring>a&#10;b&#x2028;c{'x' * 9000}</faultstring>")
    )

    assert parsed.detail.startswith("a b cxxx")
    assert len(parsed.detail) == 2000


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"not xml", InvalidXml, id="not-xml"),
        pytest.param(b"<!DOCTYPE a><a/>", InvalidXml, id="doctype"),
        pytest.param(b"<a/>", InvalidSoap, id="no-envelope"),
        pytest.param(b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"/>', InvalidSoap, id="no-body"),
        pytest.param(ENVELOPE.format("<x/>").encode(), InvalidMessage, id="a-message"),
        pytest.param(envelope("<faultstring>m</faultstring>"), InvalidSoap, id="no-code"),
        pytest.param(envelope("<faultcode>A</faultcode>"), InvalidSoap, id="no-sentence"),
        pytest.param(envelope("<faultcode>A&#10;X: y</faultcode><faultstring/>"), InvalidSoap, id="code-with-line"),
        pytest.param(envelope(2 * "<faultcode>A</faultcode>" + "<faultstring/>"), InvalidXml, id="two-codes"),
        pytest.param(ENVELOPE.format("<s:Fault/><s:Fault/>").encode(), InvalidSoap, id="two-faults"),
        pytest.param(envelope("<faultcode>A<!-- -->B</faultcode><faultstring/>"), InvalidXml, id="code-with-comment"),
    ],
)  # fmt: skip
def test_what_is_not_a_fault_is_refused(data: bytes, error: type[XRoadError]) -> None:
    with pytest.raises(error):
        soap.parse_fault(data)
