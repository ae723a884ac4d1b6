"""A small SOAP 1.1 dispatcher: an operation by the name of the body's element, its arguments as text, rows as answer.

It refuses to know what the operations do, and XML from anywhere but the one safe parser. Legacy services of ministries
look like this; the stand-in for the disability identification is made with it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from aiohttp import web
from lxml import etree

from xroad import xmlsafe
from xroad.errors import XRoadError

ENVELOPE: Final = "http://schemas.xmlsoap.org/soap/envelope/"

Arguments = Mapping[str, str]
Answers = Iterable[Mapping[str, object]]
Operation = Callable[[Arguments], Answers]


class FaultError(Exception):
    """What the caller is told: a SOAP fault code without prefix, and a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Dispatcher:
    """Operations of one namespace, whose answers are lists of one element."""

    def __init__(self, namespace: str, element: str, operations: Mapping[str, Operation]) -> None:
        self._namespace, self._element, self._operations = namespace, element, operations

    def answer(self, request: bytes) -> web.Response:
        """Run the operation that a SOAP envelope names."""
        try:
            return self._run(xmlsafe.parse(request))
        except XRoadError:
            return _fault("Client", "The request is no XML that can be read.")
        except FaultError as error:
            return _fault(error.code, str(error))

    def _run(self, envelope: etree._Element) -> web.Response:
        body = envelope.find(f"{{{ENVELOPE}}}Body")
        called = next(iter(body), None) if body is not None else None
        if called is None:
            raise FaultError("Client", "The body is empty.")
        name = etree.QName(called)
        operation = self._operations.get(name.localname) if name.namespace == self._namespace else None
        if operation is None:
            raise FaultError("Client", "There is no such operation.")
        arguments = {etree.QName(each).localname: each.text or "" for each in called}
        return _enveloped(self._response(name.localname, operation(arguments)))

    def _response(self, operation: str, rows: Answers) -> etree._Element:
        space = f"{{{self._namespace}}}"
        response = etree.Element(f"{space}{operation}Response", nsmap={None: self._namespace})
        for row in rows:
            element = etree.SubElement(response, f"{space}{self._element}")
            for field, value in row.items():
                if value is not None:
                    etree.SubElement(element, f"{space}{field}").text = str(value)
        return response


def _fault(code: str, sentence: str) -> web.Response:
    fault = etree.Element(f"{{{ENVELOPE}}}Fault")
    etree.SubElement(fault, "faultcode").text = f"soap:{code}"
    etree.SubElement(fault, "faultstring").text = sentence
    return _enveloped(fault, status=500)


def _enveloped(content: etree._Element, status: int = 200) -> web.Response:
    envelope = etree.Element(f"{{{ENVELOPE}}}Envelope", nsmap={"soap": ENVELOPE})
    etree.SubElement(envelope, f"{{{ENVELOPE}}}Body").append(content)
    data = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
    return web.Response(body=data, status=status, content_type="text/xml", charset="utf-8")
