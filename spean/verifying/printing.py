"""Prints findings for people: who, what, when, by whose word, and for what does not hold the reason in two languages.

It refuses to print what a container says without making it harmless: a name with control characters could rewrite the
lines above it on a terminal.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, TextIO

from spean.verifying.finding import Facts, Finding
from xroad.asic import Comparison, ExchangeKey, Outcome

_WORDS: Final = {
    Outcome.VALID: "VALID / ត្រឹមត្រូវ",
    Outcome.INVALID: "NOT VALID / មិនត្រឹមត្រូវ",
    Outcome.CANNOT_TELL: "CANNOT TELL / មិនអាចបញ្ជាក់",
}
_BAR: Final = 30


def harmless(text: str) -> str:
    """Return text whose control and direction characters show as escapes."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def block(finding: Finding) -> str:
    """Return all that is known of one container."""
    lines = [f"{finding.path}: {_WORDS[finding.outcome]}"]
    lines += _reason(finding) if finding.facts is None else _told(finding.facts)
    return "\n".join(harmless(line) for line in lines)


def line(finding: Finding) -> str:
    """Return one container in one line."""
    return harmless(f"{finding.path}: {_WORDS[finding.outcome]}  {finding.reason}".rstrip())


def _reason(finding: Finding) -> list[str]:
    lines = [f"  reason       {finding.reason}"] if finding.reason else []
    return [*lines, f"               {finding.en}", f"               {finding.km}", f"               {finding.detail}"]


def _told(facts: Facts) -> list[str]:
    pairs = [
        ("signed by", facts.member if facts.member_name is None else f"{facts.member} ({facts.member_name})"),
        ("certificate", facts.certificate.subject),
        ("  issuer", facts.certificate.issuer),
        ("  serial", facts.certificate.serial),
        ("what", f"{facts.direction} {facts.query_id}"),
        ("  client", facts.client),
        ("  service", facts.service),
        ("  user", facts.user_id),
        ("  issue", facts.issue),
        ("  request id", facts.request_id),
        *((f"  {name}", f"sha512 {digest}") for name, digest in facts.files.items()),
        *((f"  {name}", f"not in this container; sha512 {digest}") for name, digest in facts.not_in_container.items()),
        ("when", facts.stamped_at or f"{facts.judged_at} (the time that was given; there is no time-stamp)"),
        ("  authority", facts.authority and f"{facts.authority} ({facts.stamp_form} time-stamp)"),
        ("  signer says", facts.signed_at),
        ("OCSP", f"good, produced at {facts.ocsp_produced_at}, status of {facts.ocsp_this_update}"),
        ("  responder", facts.ocsp_responder.subject),
        ("note", None if facts.in_asic_order else "the files were packed again in another order; they are the same"),
    ]
    return [f"  {name:<12} {value}" for name, value in pairs if value is not None]


def alone(key: ExchangeKey) -> str:
    """Return that there is nothing to compare a document with."""
    return harmless(f"Exchange {key[0]}: one document, and nothing to compare it with / មានឯកសារតែមួយ គ្មានអ្វីប្រៀបធៀប")


def agreement(key: ExchangeKey, compared: Comparison) -> str:
    """Return whether the containers of one exchange agree."""
    what = f"Exchange {key[0]}: {compared.requests} request(s), {compared.responses} response(s)"
    if not compared.differences:
        return harmless(f"{what}: AGREE / ស្របគ្នា")
    return harmless(f"{what}: DO NOT AGREE / មិនស្របគ្នា: {'; '.join(compared.differences)}")


def summary(findings: Sequence[Finding]) -> str:
    """Return how many hold, and the reasons of those that do not by their number."""
    outcomes = Counter(each.outcome for each in findings)
    counts = ", ".join(f"{outcomes[outcome]} {outcome.value}" for outcome in Outcome)
    reasons = Counter(each.reason or "unreadable" for each in findings if each.outcome is not Outcome.VALID)
    return "\n".join(
        [f"{len(findings)} containers: {counts}", *(f"  {n} {reason}" for reason, n in reasons.most_common())]
    )


def with_progress(findings: Iterator[Finding], total: int, stream: TextIO | None = None) -> Iterator[Finding]:
    """Pass findings on, and show on a terminal how far it has come."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield from findings
        return
    step = max(total // 200, 1)
    for done, finding in enumerate(findings, 1):
        if done % step == 0 or done == total:
            filled = _BAR * done // total
            stream.write(f"\r[{'#' * filled}{'.' * (_BAR - filled)}] {done}/{total}")
            stream.flush()
        yield finding
    stream.write("\r\x1b[K")
