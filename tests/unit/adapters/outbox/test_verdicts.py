"""What each answer to a message means; one row a case."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import contracts
from adapters.outbox.verdicts import CODES, FAULTS, MOST_RETRY_AFTER, Answer, Fate, Trouble, judge
from tests.support.outbox import ack
from xroad.errors import XRoadError

AT = datetime(2026, 11, 28, 9, tzinfo=UTC)


def fault(code: str) -> Answer:
    return Answer(500, b'{"type": "x", "message": "y", "detail": "z"}', code)


def error(status: int, code: str) -> Answer:
    return Answer(status, json.dumps({"errors": [{"code": code, "message": "…"}]}).encode())


def nack(code: str, status: str = "NACK") -> Answer:
    return Answer(202, ack(status=status, code=code))


CASES: list[tuple[str, Answer | Trouble, Fate, str]] = [
    ("acknowledged", Answer(202, ack()), Fate.DELIVERED, "ACK"),
    ("acknowledged with 200", Answer(200, ack()), Fate.DELIVERED, "ACK"),
    ("known already", nack("rjct.message_id.duplicate"), Fate.DELIVERED, "rjct.message_id.duplicate"),
    ("no acknowledgement", Answer(200, b"{}"), Fate.LATER, "garbage"),
    ("an acknowledgement of another word", Answer(200, ack(status="OK")), Fate.LATER, "garbage"),
    ("a page", Answer(200, b"<html>"), Fate.LATER, "garbage"),
    ("bytes", Answer(200, b"\xff\xfe\x00"), Fate.LATER, "garbage"),
    ("deeply nested", Answer(200, b"[" * 100_000), Fate.LATER, "garbage"),
    ("a list", Answer(200, b"[1]"), Fate.LATER, "garbage"),
    ("nothing", Answer(200, b""), Fate.LATER, "garbage"),
    ("no content", Answer(204, b""), Fate.LATER, "http_204"),
    ("a redirect", Answer(302, b""), Fate.LATER, "http_302"),
    ("a NACK without a reason", Answer(202, ack(status="NACK")), Fate.LATER, "none"),
    ("a reason that nobody knows", nack("rjct.weather"), Fate.LATER, "rjct.weather"),
    ("a reason that is a sentence", nack("sok dara is not here"), Fate.LATER, "unknown"),
    ("a reason that is a person's number", nack("012345678"), Fate.LATER, "unknown"),
    ("the version", nack("rjct.version.invalid"), Fate.NEVER, "rjct.version.invalid"),
    ("an error of the sender", nack("err.sender_id.invalid", "ERR"), Fate.NEVER, "err.sender_id.invalid"),
    ("unavailable", nack("err.service.unavailable", "ERR"), Fate.AWAY, "err.service.unavailable"),
    ("too many", nack("err.request.too_many_requests", "ERR"), Fate.AWAY, "err.request.too_many_requests"),
    ("bad request", Answer(400, b""), Fate.NEVER, "http_400"),
    ("bad request, and why", error(400, "err.request.bad"), Fate.NEVER, "err.request.bad"),
    ("not believed", error(401, "err.request.unauthorized"), Fate.LATER, "err.request.unauthorized"),
    ("not allowed", error(403, "err.request.forbidden"), Fate.NEVER, "err.request.forbidden"),
    ("not there", Answer(404, b""), Fate.LATER, "http_404"),
    ("too long", Answer(413, b""), Fate.NEVER, "http_413"),
    ("another client error", Answer(418, b""), Fate.NEVER, "http_418"),
    ("too many requests", Answer(429, b""), Fate.AWAY, "http_429"),
    ("broken", Answer(500, b""), Fate.LATER, "http_500"),
    ("broken, and unavailable", error(500, "err.service.unavailable"), Fate.AWAY, "err.service.unavailable"),
    ("a gateway", Answer(502, b""), Fate.AWAY, "http_502"),
    ("maintenance", Answer(503, b""), Fate.AWAY, "http_503"),
    ("too slow behind a gateway", Answer(504, b""), Fate.LATER, "http_504"),
    (
        "known already, as an error",
        error(409, "rjct.message_id.duplicate"),
        Fate.DELIVERED,
        "rjct.message_id.duplicate",
    ),
    ("no right", fault("Server.ServerProxy.AccessDenied"), Fate.NEVER, "Server.ServerProxy.AccessDenied"),
    ("no right, as newer ones spell it", fault("server.server_proxy.access_denied"), Fate.NEVER, ""),
    ("no such member", fault("Server.ClientProxy.UnknownMember"), Fate.NEVER, "Server.ClientProxy.UnknownMember"),
    ("our own request", fault("Client.BadRequest"), Fate.NEVER, "Client.BadRequest"),
    ("their server is away", fault("Server.ClientProxy.NetworkError"), Fate.AWAY, "Server.ClientProxy.NetworkError"),
    ("their service is away", fault("Server.ServerProxy.NetworkError"), Fate.AWAY, "Server.ServerProxy.NetworkError"),
    ("their service is off", fault("Server.ServerProxy.ServiceDisabled"), Fate.AWAY, ""),
    ("their service is slow", fault("Server.ServerProxy.IOError"), Fate.LATER, "Server.ServerProxy.IOError"),
    ("no configuration", fault("Server.ClientProxy.OutdatedGlobalConf"), Fate.AWAY, ""),
    ("the token waits", fault("Server.ClientProxy.TokenNotActive"), Fate.AWAY, ""),
    ("a signature", fault("Server.ServerProxy.InvalidSignatureValue"), Fate.LATER, ""),
    ("a fault of no known name", fault("Server.Strange"), Fate.LATER, "Server.Strange"),
    ("a fault that is no code", fault("ស្ពាន 012345678"), Fate.LATER, "fault"),
    ("no connection", Trouble.UNREACHABLE, Fate.AWAY, "unreachable"),
    ("no answer", Trouble.TOO_SLOW, Fate.LATER, "timeout"),
    ("half an answer", Trouble.BROKEN, Fate.LATER, "broken"),
]


@pytest.mark.parametrize(("name", "found", "fate", "code"), CASES, ids=[each[0] for each in CASES])
def test_an_answer_decides(name: str, found: Answer | Trouble, fate: Fate, code: str) -> None:
    verdict = judge(found, at=AT)
    assert verdict.fate is fate
    assert verdict.code == (code or verdict.code)
    assert bool(verdict.problem) is (fate is not Fate.DELIVERED)


def test_each_code_of_the_standard_for_a_whole_message_has_its_row() -> None:
    listed = {code for name in ("dci/error", "dci/header-reason") for code in contracts.code_list(name).codes}
    assert listed == set(CODES)


def test_each_fault_of_the_table_is_one_of_xroads() -> None:
    assert {each.casefold() for each in FAULTS} <= set(XRoadError.by_code)


def test_results_of_single_events_are_taken_from_an_acknowledgement() -> None:
    good: dict[str, Any] = {"reference_id": "a", "status": "rjct", "message": "no such village"}
    bad: list[Any] = [{"status": "rjct"}, 7, {"reference_id": 7}]
    assert judge(Answer(202, ack(good, *bad)), at=AT).results == (good,)
    document = json.loads(ack())
    document["message"]["results"] = "none"
    assert judge(Answer(202, json.dumps(document).encode()), at=AT).results == ()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0), ("", 0), ("120", 120), ("999999999", MOST_RETRY_AFTER), ("-5", 0), ("soon", 0), ("1.5", 0),
        ("Sat, 28 Nov 2026 09:01:00 GMT", 60), ("Sat, 28 Nov 2026 08:00:00 GMT", 0),
        ("Sat, 28 Nov 2026 09:01:00 -0000", 60), ("Fri, 28 Nov 2036 09:01:00 GMT", MOST_RETRY_AFTER), ("٣", 0),
        ("Sat, 28 Nov 99999 09:01:00 GMT", 0),
    ],
)  # fmt: skip
def test_a_receiver_says_when_to_come_back(header: str | None, seconds: float) -> None:
    assert judge(Answer(503, b"", None, header), at=AT).wait == seconds
