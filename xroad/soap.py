"""SOAP faults: how one security server tells another that, and why, it refuses.

It refuses to know SOAP messages: their codec is a part of its own.
The provider writes a fault in place of its answer, the consumer reads it and passes code, sentence and id on.
"""

import re
from typing import Final

from lxml import etree

from xroad import xmlsafe
from xroad.errors import InvalidMessage, InvalidSoap, RemoteFault, XRoadError

NAMESPACE: Final = "http://schemas.xmlsoap.org/soap/envelope/"

# A code or id goes into HTTP headers and logs; a peer gets no say beyond these characters and lengths there.
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,200}\Z")
_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,100}\Z")
_MAX_SENTENCE: Final = 2000
_NOT_PRINTABLE = re.compile("[^\x20-\x7e\xa0-\u2027\u202f-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
_QNAME_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*:")
_SPECIAL = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def fault_xml(error: XRoadError) -> bytes:
    """Write the fault in the form of the reference: the sentence in `faultstring`, the error's id in `faultDetail`."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<SOAP-ENV:Envelope xmlns:SOAP-ENV="{NAMESPACE}"><SOAP-ENV:Body><SOAP-ENV:Fault>'
        f"<faultcode>{_escaped(error.full_code)}</faultcode>"
        f"<faultstring>{_escaped(error.detail)}</faultstring>"
        "<faultactor></faultactor>"
        f'<detail><faultDetail xmlns="">{_escaped(error.error_id)}</faultDetail></detail>'
        "</SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    ).encode()


def parse_fault(data: bytes) -> RemoteFault:
    """Read a fault that a peer sent (PR-MESSTRANSP 3.1), and return it to be raised.

    Raises:
        InvalidXml: it is not XML as X-Road has it.
        InvalidMessage: it is a SOAP message and not a fault.
        InvalidSoap: the fault lacks its code or sentence, or has them twice or malformed.
    """
    envelope = xmlsafe.parse(data)
    body = _only(envelope, "Body") if envelope.tag == f"{{{NAMESPACE}}}Envelope" else None
    if body is None:
        raise InvalidSoap("A SOAP fault has no envelope with a body; send a SOAP 1.1 fault.")
    fault = _only(body, "Fault")
    if fault is None:
        raise InvalidMessage("There is a SOAP message where only a fault may be; send a fault or a signed message.")
    code = _QNAME_PREFIX.sub("", _value(fault, "faultcode") or "", count=1)
    sentence = _value(fault, "faultstring")
    if sentence is None or not _CODE.match(code):
        raise InvalidSoap("A SOAP fault has no readable code or sentence; send both.")
    error_id = _detail(fault)
    usable_id = error_id if error_id is not None and _ID.match(error_id) else None
    return RemoteFault(code, _NOT_PRINTABLE.sub(" ", sentence)[:_MAX_SENTENCE], error_id=usable_id)


def _escaped(text: str) -> str:
    return _NOT_PRINTABLE.sub(" ", text).translate(_SPECIAL)


def _only(parent: etree._Element, name: str) -> etree._Element | None:
    found = xmlsafe.children(parent, f"{{{NAMESPACE}}}{name}")
    if len(found) > 1:
        raise InvalidSoap(f"A SOAP envelope has {name} more than once; send it once.")
    return found[0] if found else None


def _value(fault: etree._Element, name: str) -> str | None:
    element = xmlsafe.optional_child(fault, f"{{*}}{name}")
    return None if element is None else xmlsafe.text(element)


def _detail(fault: etree._Element) -> str | None:
    # The reference takes the text of faultDetail, or of the detail itself when services write it so.
    detail = xmlsafe.optional_child(fault, "{*}detail")
    if detail is None:
        return None
    inner = xmlsafe.optional_child(detail, "{*}faultDetail")
    if inner is not None:
        return xmlsafe.text(inner)
    return (detail.text or "").strip()
