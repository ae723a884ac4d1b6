"""The message that leaves, and which rows its answer speaks of."""

import json
from datetime import UTC, datetime
from typing import Any

import contracts
from adapters.outbox import messages
from adapters.outbox.rows import Batch, Waiting
from tests.support.outbox import RECEIVER, SENDER, outgoing

AT = datetime(2026, 11, 28, 9, tzinfo=UTC)
FINE = {"reference_id": "a", "status": "succ", "timestamp": "2026-11-28T09:00:00Z"}
NOTED = {"reference_id": "b", "status": "succ", "conflicts": [{"field": "sex"}]}
REJECTED = {"reference_id": "c", "status": "rjct", "message": "no such village"}
STRANGE = {"reference_id": "of somebody else", "status": "rjct"}


def batch(kind: str, *bodies: dict[str, Any]) -> Batch:
    rows = tuple(
        Waiting(number, 0, json.dumps(body).encode(), None, recorded=False) for number, body in enumerate(bodies, 1)
    )
    return Batch("m-1", False, kind, "registration", RECEIVER, "/registry/notify", None, 0, None, rows)  # noqa: FBT003


def test_several_events_are_one_notification_of_the_standard() -> None:
    bodies = [outgoing(each).body for each in "ab"]
    document = json.loads(messages.document(batch("notify", *bodies), sender_id=SENDER, at=AT))
    contracts.validate("dci/async-notify", "1.0.0", document)
    header = document["header"]
    assert (header["message_id"], header["sender_id"], header["receiver_id"]) == (
        "m-1", SENDER, "KH/GOV/NSAF/FAMILY-PACKAGE",
    )  # fmt: skip
    assert header["total_count"] == 2
    assert document["message"] == {"transaction_id": "m-1", "notify_event": bodies}


def test_a_whole_message_leaves_as_it_is() -> None:
    body = {"header": {"message_id": "m-1"}, "message": {"x": 1}}
    assert json.loads(messages.document(batch("on-search", body), sender_id=SENDER, at=AT)) == body


def test_results_that_tell_something_are_kept_with_their_rows() -> None:
    told = batch("notify", *(outgoing(each).body for each in "abc"))
    assert messages.results_by_row(told, [FINE, NOTED, REJECTED, STRANGE]) == {2: NOTED, 3: REJECTED}


def test_results_of_a_whole_message_are_kept_together() -> None:
    told = batch("load", {"header": {}, "message": {}})
    assert messages.results_by_row(told, [FINE]) == {}
    assert messages.results_by_row(told, [FINE, NOTED])[1]["status"] == "succ"
    kept = messages.results_by_row(told, [FINE, NOTED, REJECTED])[1]
    assert (kept["status"], kept["results"]) == ("rjct", [NOTED, REJECTED])
    assert "2 of its events" in kept["message"]
