"""Writes the messages that this adapter sends of its own: headers, a fresh identifier, and the signature.

It refuses to send and to choose what they say. Their identifier is made once, before they are put into the outbox: each
attempt sends the same message.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.events import Outgoing, ServiceAddress
from adapters.registry import signing
from adapters.registry.answers import timestamp
from adapters.registry.keyfiles import SigningKey
from adapters.registry.messages import VERSION
from adapters.registry.operations import ON_STATUS, ON_SUBSCRIBE, ON_UNSUBSCRIBE, Operation

_AS_REQUESTS = frozenset({ON_SUBSCRIBE.action, ON_UNSUBSCRIBE.action})  # DCI gives these the head of a request


@dataclass(frozen=True, slots=True)
class Pen:
    """Writes in the name of one adapter."""

    sender_id: str
    key: SigningKey | None

    def request(self, action: str, service: str, receiver: ServiceAddress, body: Mapping[str, Any], count: int) -> Any:  # noqa: ANN401  # a document
        """Write a message that asks; its answer goes to the own service."""
        head = {"sender_uri": f"xroad:{self.sender_id}/{service}", "total_count": count}
        return self._signed(self._head(action, str(receiver.client)) | head, body)

    def answer(self, action: str, service: str, receiver: str, body: Mapping[str, Any], head: Mapping[str, Any]) -> Any:  # noqa: ANN401  # a document
        """Write a message that answers; ``head`` is its status and counts."""
        if action in _AS_REQUESTS:
            more = {"sender_uri": f"xroad:{self.sender_id}/{service}", "total_count": head.get("total_count", 1)}
        else:
            more = {"status": "succ"} | dict(head)
        return self._signed(self._head(action, receiver) | more, body)

    def sign(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Sign a document that is whole, where there is a key."""
        return dict(document) if self.key is None else signing.sign(document, self.key)

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

    def _signed(self, header: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
        return self.sign({"header": dict(header), "message": dict(body)})


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
