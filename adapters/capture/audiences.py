"""Who is to be told of a service's changes, and what of a record they may have.

It refuses to tell what the release declares no longer, whatever a subscription once said. Subscriptions of one client
for one purpose with one filter hear of the same records: they are one audience, whatever events they want.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog

from adapters.asynchronous.subscriptions import Subscription, filter_of, rule_of
from adapters.errors import SearchRejected
from adapters.events import EventsKey
from adapters.events.canonical import canonical
from adapters.release import Rule
from adapters.services import ServiceConfig
from adapters.source import Filter

_log = structlog.get_logger(__name__)
_NAME: Final = 16  # letters of a keyed hash: audiences of one service are few
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Audience:
    """Subscriptions that hear of the same records.

    Args:
        name: a hash of what makes it one.
        subscriptions: one for each kind of event, or several.
        version: of the record's contract.
        rule: what the release gives it.
        filter: of which records; None of all.
    """

    name: str
    subscriptions: tuple[Subscription, ...]
    version: str
    rule: Rule
    filter: Filter | None

    def cut(self, record: Record) -> Record:
        """Return what it may have of a record."""
        return self.rule.cut(record)

    def wanting(self, event_type: str) -> Iterator[Subscription]:
        """Yield the subscriptions to a kind of event; DCI lets its code come with a namespace in front."""
        return (each for each in self.subscriptions if each.event_type.rpartition(":")[2] == event_type)

    def access(self, cuts: Sequence[Record], subjects: Iterable[tuple[str, str]], records: int) -> dict[str, Any]:
        """Return what the access record is to say of records that leave."""
        return {
            "purpose": self.subscriptions[0].purpose,
            "basis": str(self.rule.basis),
            "given": list(self.rule.given(cuts)),
            "subjects": sorted(list(each) for each in subjects),
            "records": records,
        }


def audiences(
    service: ServiceConfig, key: EventsKey, subscriptions: Sequence[Subscription], at: datetime
) -> tuple[Audience, ...]:
    """Group the subscriptions of a service; those that are given nothing any more are left out."""
    groups: dict[str, list[Subscription]] = {}
    for each in subscriptions:
        groups.setdefault(_name(key, each), []).append(each)
    found = (_audience(service, name, group, at) for name, group in groups.items())
    return tuple(each for each in found if each is not None)


def _audience(service: ServiceConfig, name: str, group: Sequence[Subscription], at: datetime) -> Audience | None:
    first = group[0]
    rule = rule_of(service.release, first, at)
    if rule is None or not rule.fields or first.version not in service.mappings:
        _log.warning("subscription_gets_nothing", service=service.code, subscriptions=[each.code for each in group])
        return None
    try:
        where = filter_of(first.criteria, service.source.identifiers, service.record_type)
    except SearchRejected as error:
        _log.warning("subscription_filter_unusable", service=service.code, code=first.code, problem=error.reason)
        return None
    return Audience(name, tuple(group), first.version, rule, where)


def _name(key: EventsKey, each: Subscription) -> str:
    asked: Record = {name: each.criteria.get(name) for name in ("filter_type", "filter")}
    asked["purpose"] = each.criteria.get("authorize", {}).get("purpose")  # its time is another when it is renewed
    parts = (each.client, str(each.callback), each.version, each.record_type, canonical(asked).decode())
    return key.word("audience", *parts).hex()[:_NAME]
