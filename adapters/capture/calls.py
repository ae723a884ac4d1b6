"""Sends the requests of a comparison to the publisher, through the own security server.

It refuses to go on with anything but an answer: what came instead is told in a sentence, without repeating it.
"""

import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

from adapters.capture.digests import PATH
from adapters.errors import CaptureStopped, shown_code
from adapters.events import ServiceAddress
from adapters.outbox.transport import Transport
from adapters.outbox.verdicts import Answer, Trouble

_OK: Final = 200
_WHY: Final = {
    Trouble.UNREACHABLE: "the own security server cannot be reached",
    Trouble.TOO_SLOW: "there was no answer in time",
    Trouble.BROKEN: "the answer broke off, or is too long",
}


class Calls:
    """Asks one service of a publisher."""

    def __init__(self, transport: Transport, at: ServiceAddress) -> None:
        self._transport, self._at = transport, at

    async def __call__(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer; raises :class:`CaptureStopped`."""
        body = json.dumps(document, ensure_ascii=False).encode()
        found = await self._transport.send(str(self._at), PATH, str(uuid.uuid4()), body)
        if isinstance(found, Trouble):
            raise CaptureStopped(f"{self._at}: {_WHY[found]}: try again")
        told = _read(found.body)
        if found.status != _OK or found.fault is not None or told is None:
            raise CaptureStopped(f"{self._at}: the comparison was not answered ({_code(found, told)})")
        return told


def _read(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _code(found: Answer, told: Mapping[str, Any] | None) -> str:
    errors = (told or {}).get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return f"HTTP {found.status}, {shown_code(found.fault or first.get('code', 'no code'))}"
