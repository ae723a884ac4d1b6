"""The subscriptions that others have at this adapter: which are in force, when one wants to hear, and what it may hear.

It refuses to know events and how they are sent. Publishing asks it for each record that changed; the asynchronous paths
write what it reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, or_, select

from adapters.asynchronous import cron
from adapters.errors import RequestRefused, SearchRejected
from adapters.events import EventsKey, ServiceAddress
from adapters.events.store import milliseconds, moment
from adapters.events.tables import SUBSCRIPTION
from adapters.registry.queries import QueryLimits, read_query
from adapters.release import Basis, Release, RequestContext, Rule, decide, read_purpose
from adapters.source import Filter

IN_FORCE: Final = "subscribe"
ENDED: Final = "unsubscribe"
_ONE: Final = QueryLimits(page_size=1, max_matches=1)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one client wants to hear of one kind of event.

    Args:
        code: by which both sides know it.
        service: the own service that it is about.
        client: who subscribed.
        callback: the client's own service that is notified, below which is ``/registry/notify``.
        event_type: DCI's ``reg_event_type``.
        record_type: DCI's ``notify_record_type``.
        version: of the record's contract.
        criteria: DCI's ``subscribe_criteria`` as it was sent.
        purpose: declared in the release of the service.
        frequency: a cron expression; None at once.
        starts: nothing that happens before is told.
        ends: nothing that happens after is told.
        locale: in which the client reads.
    """

    code: str
    service: str
    client: str
    callback: ServiceAddress
    event_type: str
    record_type: str
    version: str
    criteria: Mapping[str, Any]
    purpose: str | None
    frequency: str | None
    starts: datetime
    ends: datetime
    locale: str | None


def active(connection: Connection, key: EventsKey, service: str, at: datetime) -> list[Subscription]:
    """Return a service's subscriptions that are in force, in the order in which they were made."""
    now = milliseconds(at)
    table = SUBSCRIPTION.c
    rows = connection.execute(
        select(SUBSCRIPTION)
        .where(table.service == service, table.status == IN_FORCE, table.starts <= now)
        .where(or_(table.ends.is_(None), table.ends > now))
        .order_by(table.created, table.code)
    )
    return [read(row, key) for row in rows]


def read(row: Row[Any], key: EventsKey) -> Subscription:
    """Make a subscription of its row."""
    return Subscription(
        code=row.code,
        service=row.service,
        client=row.client,
        callback=ServiceAddress.parse(row.callback),
        event_type=row.event_type,
        record_type=row.record_type,
        version=row.version,
        criteria=key.unseal(row.sealed),
        purpose=row.purpose,
        frequency=row.frequency,
        starts=moment(row.starts),
        ends=moment(row.ends),
        locale=row.locale,
    )


def due(subscription: Subscription, at: datetime) -> datetime | None:
    """Return when something that happens now is to be told; None at once.

    The expression is read in the zone of its own start time. What would come due after the end is told at the end.
    """
    if subscription.frequency is None:
        return None
    zone = datetime.fromisoformat(subscription.criteria["frequency"]["start_time"].upper()).tzinfo
    found = cron.parse(subscription.frequency).after(at.astimezone(zone))
    return subscription.ends if found is None else min(found, subscription.ends)


def context_of(client: str, criteria: Mapping[str, Any], locale: str | None) -> RequestContext:
    """Return who subscribes and on which ground; a subscription carries nobody's consent."""
    return RequestContext(client, locale, consent=None, authorize=read_purpose(criteria.get("authorize")))


def rule_of(release: Release, subscription: Subscription, at: datetime) -> Rule | None:
    """Return what may be told to a subscription now; None when the institution no longer declares it."""
    context = context_of(subscription.client, subscription.criteria, subscription.locale)
    try:
        rule = decide(release, context, at)
    except (RequestRefused, SearchRejected):
        return None
    return None if rule.basis is Basis.CONSENT else rule


def filter_of(criteria: Mapping[str, Any], identifiers: frozenset[str], record_type: str) -> Filter | None:
    """Read the filter of a subscription as a query of the source; None when each record fits.

    Raises:
        SearchRejected: it cannot be read here.
    """
    kind = criteria.get("filter_type")
    if kind is None:
        if criteria["filter"]:
            raise SearchRejected("rjct.notify_details.invalid", "a filter needs its filter_type; send {} for none")
        return None
    query = {"query_type": kind, "query": criteria["filter"]}
    return read_query(query, identifiers, record_type, _ONE)[0].where
