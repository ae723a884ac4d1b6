"""``spean verify``: says of signed documents whether they hold, who signed them and when, and whether sides agree.

It refuses to trust anything but the configuration named, and to use the network. Its exit code is 0 when all hold, 1
when one does not or sides differ, 2 when one of them cannot be told.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from spean.errors import UsageError
from spean.verifying import printing, trusting
from spean.verifying.finding import Finding
from spean.verifying.places import expand
from spean.verifying.work import Task, examine_all
from xroad.asic import Comparison, ExchangeKey, Outcome, Trace, compare

MANY: Final = 20  # above, a whole block for each would bury the ones that do not hold
EXIT_CODES: Final = {Outcome.VALID: 0, Outcome.INVALID: 1, Outcome.CANNOT_TELL: 2}

Comparisons = dict[ExchangeKey, Comparison]


def run(arguments: argparse.Namespace) -> int:
    """Verify containers and print what was found."""
    with _undecided():
        return _run(arguments)


@contextmanager
def _undecided() -> Iterator[None]:
    """Keep exit code 1 for what does not hold: a disk that is full says nothing of a document."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as problem:
        place = "" if problem.filename is None else f"{problem.filename}: "
        raise UsageError(f"{place}{problem.strerror or problem}. Not all was verified.") from problem
    except BrokenExecutor as problem:
        raise UsageError("A process was ended, perhaps for want of memory. Not all was verified.") from problem


def _run(arguments: argparse.Namespace) -> int:
    places = expand(arguments.containers)
    task = Task(
        files=trusting.read_files(arguments.conf),
        now=datetime.now(UTC),
        unstamped_at=_moment(arguments.at),
        target=_folder(arguments.extract),
    )
    findings = []
    for finding in printing.with_progress(examine_all(places, task), len(places)):
        findings.append(finding)
        _show(finding, many=len(places) > MANY, as_json=arguments.json)
    traces = [each.trace for each in findings if each.trace is not None]
    compared = compare_sides(traces)
    if 1 < len(traces) <= MANY:
        _show_alone([each.exchange for each in traces if each.exchange not in compared], as_json=arguments.json)
    _show_end(findings, compared, as_json=arguments.json)
    return exit_code(findings, compared)


def exit_code(findings: Sequence[Finding], compared: Comparisons) -> int:
    """Return 1 when something does not hold, else 2 when something cannot be told, else 0."""
    codes = {EXIT_CODES[each.outcome] for each in findings}
    if 1 in codes or any(each.differences for each in compared.values()):
        return 1
    return max(codes, default=0)


def compare_sides(traces: Sequence[Trace]) -> Comparisons:
    """Compare the containers of each exchange of which there are several."""
    groups: dict[ExchangeKey, list[Trace]] = defaultdict(list)
    for trace in traces:
        groups[trace.exchange].append(trace)
    return {key: compare(group) for key, group in groups.items() if len(group) > 1}


def _show(finding: Finding, *, many: bool, as_json: bool) -> None:
    if as_json:
        print(json.dumps(finding.as_json(), ensure_ascii=False))
    elif not many:
        print(printing.block(finding), end="\n\n")
    elif finding.outcome is not Outcome.VALID:
        print(printing.line(finding))


def _show_alone(keys: Sequence[ExchangeKey], *, as_json: bool) -> None:
    # Two documents that hold, of two exchanges, must not pass for two sides of one.
    for key in keys:
        print(json.dumps({"exchange": key, "agrees": None}) if as_json else printing.alone(key))


def _show_end(findings: Sequence[Finding], compared: Comparisons, *, as_json: bool) -> None:
    for key, comparison in compared.items():
        if as_json:
            sides = {"requests": comparison.requests, "responses": comparison.responses}
            agreement = {"exchange": key, "agrees": not comparison.differences, "differences": comparison.differences}
            print(json.dumps({**agreement, **sides}, ensure_ascii=False))
        elif len(findings) <= MANY or comparison.differences:
            print(printing.agreement(key, comparison))
    if not as_json and len(findings) > 1:
        print(printing.summary(findings))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as problem:
        raise UsageError(f"--at {text}: write it as 2026-11-22T09:30:00Z.") from problem
    if moment.tzinfo is None:
        raise UsageError(f"--at {text}: say its time zone, such as Z or +07:00.")
    return moment.astimezone(UTC)


def _folder(target: Path | None) -> Path | None:
    if target is not None:
        target.mkdir(parents=True, exist_ok=True)
    return target
