"""``spean crosswalk duplicates``: what does not fit together, as the owner of each record would be told.

It refuses to show an owner's report with another's numbers: each line is what leaves, and nothing more.
"""

import argparse
import json

from sqlalchemy import Connection

from adapters.crosswalk.duplicates import Report, reports
from adapters.crosswalk.opening import Opened
from spean.commands.crosswalk_open import opened


def run(arguments: argparse.Namespace) -> int:
    """Print every report that is open."""
    with opened(arguments.config) as crosswalk:
        found = crosswalk.store.read_now(lambda connection: _all(connection, crosswalk))
    for each in found:
        print(_json(each) if arguments.json else _line(each))
    if not found and not arguments.json:
        print("Everything fits together. គ្មានអ្វីមិនស៊ីគ្នាទេ។")
    return 0


def _all(connection: Connection, crosswalk: Opened) -> list[Report]:
    return list(reports(connection, crosswalk.crosswalk))


def _json(report: Report) -> str:
    told = {"owner": report.owner, "registry": report.registry, "event_id": report.key, "record": report.event.record}
    return json.dumps(told, ensure_ascii=False)


def _line(report: Report) -> str:
    record = report.event.record
    numbers = ", ".join(f"{n['identifier_type']} {n['identifier_value']}" for n in record["member_identifier"])
    what = f"{record['found']}  {record['finding']} {record['finding_status']}"
    return f"{what}  {report.owner} ({report.registry}): {numbers}"
