"""Writes the messages that this adapter sends of its own: headers, and a fresh identifier.

It refuses to send, to sign, and to choose what they say. Their identifier is made once, before they are put into the
outbox: each attempt sends the same message.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.events import Outgoing, ServiceAddress
from adapters.registry.answers import timestamp
from adapters.registry.messages import VERSION
from adapters.registry.operations import ON_STATUS, ON_SUBSCRIBE, ON_UNSUBSCRIBE, Operation

Document = dict[str, Any]
_AS_REQUESTS: Final = frozenset({ON_SUBSCRIBE.action, ON_UNSUBSCRIBE.action})  # DCI gives these the head of a request


@dataclass(frozen=True, slots=True)
class Pen:
    """Writes in the name of one adapter."""

    sender_id: str

    def request(
        self, action: str, service: str, receiver: ServiceAddress, body: Mapping[str, Any], count: int
    ) -> Document:
        """Write a message that asks; its answer goes to the own service."""
        head = {"sender_uri": f"xroad:{self.sender_id}/{service}", "total_count": count}
        return {"header": self._head(action, str(receiver.client)) | head, "message": dict(body)}

    def answer(
        self, action: str, service: str, receiver: str, body: Mapping[str, Any], head: Mapping[str, Any]
    ) -> Document:
        """Write a message that answers; ``head`` is its status and counts."""
        if action in _AS_REQUESTS:
            more = {"sender_uri": f"xroad:{self.sender_id}/{service}", "total_count": head.get("total_count", 1)}
        else:
            more = {"status": "succ"} | dict(head)
        return {"header": self._head(action, receiver) | more, "message": dict(body)}

    def _head(self, action: str, receiver: str) -> dict[str, Any]:
        return {
            "version": VERSION,
            "message_id": str(uuid.uuid4()),
            "message_ts": timestamp(),
            "action": action,
            "sender_id": self.sender_id,
            "receiver_id": receiver,
            "is_msg_encrypted": False,
        }


def outgoing(document: dict[str, Any], service: str, receiver: ServiceAddress, path: str, key: str) -> Outgoing:
    """Make what the outbox takes; ``key`` is what it is the only one of."""
    return Outgoing(
        key=key,
        kind=document["header"]["action"],
        service=service,
        receiver=str(receiver),
        path=path,
        person=None,
        body=document,
    )


def callback_path(operation: Operation) -> str:
    """Where the answer to a request goes, below the asking service."""
    return ON_STATUS.path if operation.answer_action == ON_STATUS.action else f"/registry/{operation.answer_action}"
