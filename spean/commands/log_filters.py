"""What ``spean log list`` and ``spean log export`` are asked for, read from their arguments.

It refuses to search. An argument that makes no sense is a usage error that names it.
"""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from securityserver.messagelog import Direction, Side
from securityserver.messagelog.search import Place, Unsearchable, Wanted
from spean.errors import UsageError
from xroad.errors import XRoadError
from xroad.identifiers import ClientId, ServiceId

T = TypeVar("T")


def wanted(arguments: argparse.Namespace) -> Wanted:
    """Read all filters.

    Raises:
        UsageError: one of them makes no sense.
    """
    try:
        return Wanted(
            query_id=arguments.message,
            request_id=arguments.request,
            client=_read("--client", arguments.client, ClientId.parse),
            service=_read("--service", arguments.service, _service),
            user_id=arguments.user,
            issue=arguments.issue,
            direction=_read("--direction", arguments.direction, Direction),
            side=_read("--side", arguments.side, Side),
            outcome=arguments.outcome,
            since=_read("--from", arguments.since, _time),
            until=_read("--to", arguments.until, _time),
        )
    except Unsearchable as problem:
        raise UsageError(f"{problem}.") from problem


def place(arguments: argparse.Namespace) -> Place | None:
    """Read where to go on.

    Raises:
        UsageError: it is not a place.
    """
    return _read("--after", arguments.after, Place.parse)


def _read(name: str, written: str | None, read: Callable[[str], T]) -> T | None:
    if written is None:
        return None
    try:
        return read(written)
    except XRoadError as problem:
        raise UsageError(f"{name} {written}: {problem.detail}") from problem
    except ValueError as problem:
        raise UsageError(f"{name} {written}: {problem}.") from problem


def _service(written: str) -> ServiceId:
    provider, slash, code = written.rpartition("/")
    if not slash:
        raise ValueError("write it as INSTANCE/CLASS/MEMBER[/SUBSYSTEM]/SERVICE")
    return ServiceId(ClientId.parse(provider), code)


def _time(written: str) -> datetime:
    try:
        read = datetime.fromisoformat(written)
    except ValueError as problem:
        raise ValueError("write it as 2026-07-01 or 2026-07-01T12:30:00+07:00") from problem
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
