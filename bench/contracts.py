"""``python -m bench.contracts``: how long it takes to validate a household of five, as an answer carries it.

Each member has a full name in both scripts, identifiers, an address and a relation. Measured are the record alone, the
whole answer around it, the same without the compiled validator, and a household with a fault, which is explained.
"""

import copy
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import contracts
from contracts import compiled
from contracts.subschemas import Node

WANTED_US = 150.0
ROUNDS, TIMES = 21, 300
SLOW_TIMES = 10
REPORT = Path(__file__).parent / "out" / "contracts.json"


def household() -> Node:
    """Return a household of five."""
    house = _example("cambodia/group")
    head = house["member_list"][0]
    head["demographic_info"] |= {"address": copy.deepcopy(house["address"]), "phone_number": ["+85512345678"]}
    house["member_list"] = [_member(head, number) for number in range(5)]
    house["group_size"] = 5
    contracts.validate("cambodia/group", "1.0.0", house)
    return house


def _member(head: Node, number: int) -> Node:
    member = copy.deepcopy(head)
    member["member_identifier"][0]["identifier_value"] = f"m-{number}"
    member["demographic_info"]["identifier"].append({"identifier_type": "SPID", "identifier_value": f"kh-{number}"})
    return member


def response(house: Node) -> Node:
    """Return the answer to a synchronous search that carries the household."""
    answer = _example("dci/sync-search-response")
    answer["message"]["search_response"][0]["data"]["reg_records"] = [house]
    return answer


def _example(name: str) -> Node:
    found = next(each for each in contracts.examples(name, "1.0.0") if each.valid and _rich(each.document))
    document: Node = json.loads(json.dumps(found.document))
    return document


def _rich(document: object) -> bool:
    text = json.dumps(document)
    return "member_list" in text or "reg_records" in text


def microseconds(work: Callable[[], object], times: int = TIMES) -> float:
    """Return the processor's time of one call: the best round, which other programs on the machine disturbed least."""
    found = []
    for _round in range(ROUNDS):
        start = time.process_time()
        for _time in range(times):
            work()
        found.append((time.process_time() - start) / times)
    return round(min(found) * 1e6, 1)


def main() -> int:
    """Measure, print, write the report; 1 when the record takes longer than is wanted."""
    house = household()
    answer, broken = response(house), copy.deepcopy(house)
    broken["member_list"][4]["demographic_info"]["sex"] = "x"
    figures = {
        "record": microseconds(lambda: contracts.validate("cambodia/group", "1.0.0", house)),
        "answer around it": microseconds(lambda: contracts.validate("dci/sync-search-response", "1.0.0", answer)),
        "record with a fault": microseconds(lambda: _refused(broken), SLOW_TIMES),
    }
    compiled.AVAILABLE = False
    figures["record by the reference alone"] = microseconds(
        lambda: contracts.validate("cambodia/group", "1.0.0", house), SLOW_TIMES
    )
    _report(figures, len(json.dumps(house)))
    return int(figures["record"] > WANTED_US)


def _refused(document: Any) -> None:  # noqa: ANN401  # any JSON
    with suppress(contracts.ContractViolation):
        contracts.validate("cambodia/group", "1.0.0", document)


def _report(figures: dict[str, float], size: int) -> None:
    for what, figure in figures.items():
        print(f"{what:32} {figure:9.1f} µs")
    REPORT.parent.mkdir(exist_ok=True)
    report = {"microseconds": figures, "wanted": WANTED_US, "household_bytes": size}
    REPORT.write_text(json.dumps(report, indent=2) + "\n")
    print(f"A household of five ({size} bytes): wanted at most {WANTED_US:.0f} µs. Written to {REPORT}")


if __name__ == "__main__":
    raise SystemExit(main())
