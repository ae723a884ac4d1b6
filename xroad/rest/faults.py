"""The HTTP answer that a programme gets when the bus refuses (PR-REST 4.6), in JSON or XML as it accepts.

It refuses to know why: that is in the error, and what to do about it in `xroad.remedies`.
Only the consumer sends it, as the last thing in an exchange that failed.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lxml import etree

from xroad.errors import XRoadError
from xroad.remedies import remedy_for

_JSON: Final = "application/json"
_OFFERED: Final = {_JSON: _JSON, "text/xml": "text/xml", "application/xml": "application/xml", "text/*": "text/xml"}
_QUALITY = re.compile(r";\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*(?:;|\Z)", re.IGNORECASE)
# Characters that XML 1.0 cannot hold; a peer's sentence may have them.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_HEADER = re.compile(r"[^A-Za-z0-9_.\-]")


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """Status, headers and body to send as they are."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def error_response(error: XRoadError, accept: Iterable[str] = ()) -> ErrorResponse:
    """Make the answer to a request that failed.

    Args:
        error: with its side's prefix set.
        accept: the values of the request's Accept headers; of JSON and XML the one that they like best, the first of
            equals, JSON when they name neither.
    """
    media_type = _media_type(accept)
    body = _json(error) if media_type == _JSON else _xml(error)
    headers = (
        ("Content-Type", f"{media_type};charset=utf-8"),
        # A peer's code could hold a line break: it must not write headers of its own.
        ("X-Road-Error", _NOT_HEADER.sub("", error.full_code)),
    )
    return ErrorResponse(error.http_status, headers, body)


def _media_type(accept: Iterable[str]) -> str:
    best, best_weight = _JSON, 0.0
    for item in (item for value in accept for item in value.split(",")):
        offered = _OFFERED.get(item.partition(";")[0].strip().lower())
        weight = _weight(item)
        if offered is not None and weight > best_weight:
            best, best_weight = offered, weight
    return best


def _weight(item: str) -> float:
    quality = _QUALITY.search(item)
    return float(quality[1]) if quality else 1.0


def _json(error: XRoadError) -> bytes:
    remedy = remedy_for(error.full_code)
    document = {
        "type": error.full_code,
        "message": error.detail,
        "detail": error.error_id,
        "blame": error.blame.value,
        "remedy": {"en": remedy.en, "km": remedy.km},
    }
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def _xml(error: XRoadError) -> bytes:
    remedy = remedy_for(error.full_code)
    root = etree.Element("error")
    _add(root, "type", error.full_code)
    _add(root, "message", error.detail)
    _add(root, "detail", error.error_id)
    _add(root, "blame", error.blame.value)
    remedies = etree.SubElement(root, "remedy")
    _add(remedies, "en", remedy.en)
    _add(remedies, "km", remedy.km)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _add(parent: etree._Element, name: str, value: str) -> None:
    etree.SubElement(parent, name).text = _NOT_XML.sub("\ufffd", value)
