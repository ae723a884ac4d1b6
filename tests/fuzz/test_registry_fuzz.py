"""Messages that are almost right: whatever is wrong with one, it is answered in DCI's words and nothing breaks."""

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.adapters import NOW, expression, search_item, search_message
from tests.support.registry import RELEASE, RULE, SERVICE, make_adapter, running

P1 = {"type": "LOCAL_ID", "value": "p1"}
JUNK: list[Any] = [
    None, True, 0, -1, 2**70, 1.5, "", "x", "ក" * 300, "\u0000", [], {}, [1], [[]], {"a": 1}, {"$and": []},
    {"$in": [None]}, NOW, "1.0.0", "expression", "predicate", "graphql",
]  # fmt: skip
MEMBERS = ["consent", "authorize", "sort", "pagination", "version", "locale", "signature", "query", "$or"]
CONSENT = {"ts": NOW, "purpose": {"code": "ELIGIBILITY"}, "given_by": {"identifier_type": "SPID"}}
PREDICATE = {
    "expression1": {"attribute_name": "LOCAL_ID", "operator": "eq", "attribute_value": "p1"},
    "condition": "and",
    "expression2": {"attribute_name": "sex", "operator": "in", "attribute_value": ["male"]},
}
HEAD = search_message(total_count=1)["header"]
STATUS = {
    "reference_id": "r",
    "txn_type": "search",
    "attribute_type": "reference_id_list",
    "attribute_value": ["a"],
}
MESSAGES: list[tuple[str, dict[str, Any]]] = [
    ("search", search_message(search_item(P1, consent=CONSENT, sort=[{"attribute_name": "age"}]))),
    ("search", search_message(search_item(expression({"$or": [{"LOCAL_ID": {"$in": ["p1"]}}]}), "expression"))),
    ("search", search_message(search_item([PREDICATE], "predicate", pagination={"page_size": 1}))),
    (
        "enrolled",
        {
            "header": HEAD,
            "message": {"transaction_id": "t", "enrolled_criteria": {"query_type": "idtype-value", "query": P1}},
        },
    ),
    (
        "txn/status",
        {
            "header": HEAD | {"action": "txn-status"},
            "message": {"transaction_id": "t", "txnstatus_request": STATUS},
        },
    ),
]


def places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if at:
        yield at
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*at, key))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from places(inner, (*at, place))


def spoiled(message: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    changed = copy.deepcopy(message)
    for _ in range(chance.randint(1, 2)):
        *parents, last = chance.choice(list(places(changed)) or [("header",)])
        node: Any = changed
        for part in parents:
            node = node[part]
        if chance.random() < 0.2:
            del node[last]
        else:
            name = chance.choice([*MEMBERS, last]) if isinstance(node, dict) and chance.random() < 0.3 else last
            node[name] = copy.deepcopy(chance.choice(JUNK))
    return changed


async def test_spoiled_messages_are_refused_in_dcis_words(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311  # the same messages on each run
    release = RELEASE | {"give": [RULE | {"fields": [*RULE["fields"], "enrolled_status"]}]}
    service = SERVICE | {"record": {"reg_type": "IBR", "type": "Person"}}
    async with running(make_adapter(tmp_path, service=service, release=release)) as caller:
        for number in range(250):
            path, message = chance.choice(MESSAGES)
            sent = spoiled(message, chance)
            status, answer = await caller.post(sent, path=f"/registry/sync/{path}")
            assert status in {200, 400, 401}, (number, path, sent)
            assert ("errors" in answer) is (status != 200)
        whole = search_message(search_item(P1), message_id="whole")
        assert (await caller.results(whole))[0]["status"] == "succ"
