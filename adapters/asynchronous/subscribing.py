"""Takes and ends subscriptions: judges what a client wants to hear by the release declaration, and writes it down.

It refuses what a search would refuse, and more: a ground that is one person's consent, no purpose, and a length beyond
what is declared. A subscription is a question that is answered for a year.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, func, select, update

import contracts
from adapters.asynchronous import cron
from adapters.asynchronous.subscriptions import ENDED, IN_FORCE, Subscription, context_of, filter_of, read
from adapters.errors import SearchRejected
from adapters.events import EventsKey, ServiceAddress
from adapters.events.store import milliseconds, moment
from adapters.events.tables import SUBSCRIPTION
from adapters.registry import answers, messages
from adapters.registry.queries import compared
from adapters.registry.search import Registry
from adapters.release import Basis, decide, purpose_of
from adapters.source.comparing import checked

LONGEST: Final = timedelta(days=366)  # who still wants to hear after a year can say so
MOST: Final = 1000  # of one client at one service: each is looked at for each record that changes
_RENEWED_BY: Final = timedelta(days=1)  # the same one again is a renewal when it ends so much later
_TYPES: Final = "rjct.notify_types.invalid"
_DETAILS: Final = "rjct.notify_details.invalid"
_PERSON: Final = "rjct.person_id.invalid"
_TWICE: Final = "rjct.event.already_subscribed"
_REASONS: Final = (
    ("/reference_id", "rjct.reference_id.invalid"),
    ("/timestamp", "rjct.timestamp.invalid"),
)
_AT_ONCE: Final = "* * * * * ?"


@dataclass(frozen=True, slots=True)
class Asked:
    """A subscription that may be made."""

    reference_id: str
    subscription: Subscription
    digest: bytes


def judge(
    item: object,
    registry: Registry,
    key: EventsKey,
    *,
    service: str,
    client: str,
    callback: ServiceAddress,
    events: frozenset[str],
    version: str,
    at: datetime,
) -> Asked:
    """Return what one part of a message asks for, when it may be given.

    Args:
        item: one element of ``subscribe_request``.
        registry: of the service.
        key: of this adapter's events.
        service: code of the service.
        client: who subscribes.
        callback: the client's service that is to be notified.
        events: the types of event that the service publishes.
        version: of the messages' contract.
        at: now.

    Raises:
        RequestRefused: nothing is declared for this client.
        SearchRejected: with a reason of ``dci/subscribe-reason``.
    """
    checked_item = _checked(item, version)
    criteria, locale = checked_item["subscribe_criteria"], checked_item.get("locale")
    # 1. May this client be told anything, on this ground?
    purpose = _allowed(registry, client, criteria, locale, at)
    # 2. Is there such an event, of such records?
    _check_types(registry, criteria, events)
    # 3. When?
    frequency, starts, ends = _window(criteria.get("frequency"), at)
    found = Subscription(
        code=str(uuid.uuid4()),
        service=service,
        client=client,
        callback=callback,
        event_type=_local(criteria["reg_event_type"]),
        record_type=registry.record_type,
        version=criteria.get("version", registry.default),
        criteria=criteria,
        purpose=purpose,
        frequency=frequency,
        starts=starts,
        ends=ends,
        locale=locale,
    )
    return Asked(checked_item["reference_id"], found, _digest(key, found))


def _checked(item: object, version: str) -> Mapping[str, Any]:
    try:
        contracts.validate("dci/subscribe-item", version, item)
    except contracts.ContractViolation as error:
        reasons = (reason for prefix, reason in _REASONS if error.pointer.startswith(prefix))
        missing = (
            f"rjct.{name}.invalid"
            for name in ("reference_id", "timestamp")
            if isinstance(item, dict) and name not in item
        )
        raise SearchRejected(next(reasons, next(missing, _DETAILS)), messages.say(error)) from error
    found: Mapping[str, Any] = item  # type: ignore[assignment]  # the contract has just said that it is an object
    return found


def _allowed(registry: Registry, client: str, criteria: Mapping[str, Any], locale: str | None, at: datetime) -> str:
    """Decide by the release, as a search with the same filter would be decided; return the purpose."""
    context = context_of(client, criteria, locale)
    try:
        purpose, rule = purpose_of(context), decide(registry.release, context, at)
        where = filter_of(criteria, registry.source.definition.identifiers, registry.record_type)
    except SearchRejected as rejection:
        raise SearchRejected(_reason(registry, criteria), rejection.message) from rejection
    if rule.basis is Basis.CONSENT:
        raise SearchRejected(_DETAILS, "this is given with a person's consent, so it cannot be subscribed to")
    if purpose is None:
        raise SearchRejected(_DETAILS, "name the purpose in authorize.purpose.code")
    if not rule.fields:
        raise SearchRejected(_DETAILS, "for this purpose no record is given to you")
    terms = [] if where is None else list(compared(where))
    if not {each.attribute for each in terms} <= rule.ask_by:
        raise SearchRejected(_DETAILS, f"for this purpose you may filter by {', '.join(sorted(rule.ask_by))} only")
    for each in terms:
        try:
            checked(registry.source.definition, each)
        except SearchRejected as rejection:
            raise SearchRejected(_DETAILS, rejection.message) from rejection
    return purpose


def _reason(registry: Registry, criteria: Mapping[str, Any]) -> str:
    """Only one that names a person by an unknown kind of identifier has a reason of its own."""
    if criteria.get("filter_type") != "idtype-value":
        return _DETAILS
    return _DETAILS if criteria["filter"]["type"] in registry.source.definition.identifiers else _PERSON


def _check_types(registry: Registry, criteria: Mapping[str, Any], events: frozenset[str]) -> None:
    if not events:
        raise SearchRejected(_TYPES, "this service tells nobody of changes: ask it instead")
    if _local(criteria["reg_event_type"]) not in events:
        raise SearchRejected(_TYPES, f"this service tells of {', '.join(sorted(events))}")
    wanted = (("reg_type", registry.reg_type), ("notify_record_type", registry.record_type))
    for name, held in wanted:
        if _local(criteria.get(name, held)) != held:
            raise SearchRejected(_TYPES, f"the {name} of this registry is {held}")
    if criteria.get("version", registry.default) not in registry.mappings:
        raise SearchRejected(_TYPES, f"records are given in version {', '.join(sorted(registry.mappings))}")


def _local(name: str) -> str:
    """DCI lets a type come with a namespace in front, such as ``ns:org:RegistryType:Social``."""
    return name.rpartition(":")[2]


def _window(frequency: Mapping[str, Any] | None, at: datetime) -> tuple[str | None, datetime, datetime]:
    """Return when a subscription hears, from when and until when; without words it hears at once, as long as can be."""
    if frequency is None:
        return None, at, at + LONGEST
    starts, ends = (datetime.fromisoformat(frequency[name].upper()) for name in ("start_time", "end_time"))
    starts = max(starts, at)
    if ends <= starts:
        raise SearchRejected(_DETAILS, "frequency.end_time lies after start_time and in the future")
    if ends > starts + LONGEST or starts > at + LONGEST:
        raise SearchRejected(_DETAILS, f"a subscription lasts at most {LONGEST.days} days: renew it before its end")
    try:
        found = cron.parse(frequency["frequency"])
    except cron.BadCron as error:
        raise SearchRejected(_DETAILS, f"frequency: {error}") from error
    if found.at_once:
        return None, starts, ends
    if found.after(starts) is None:
        raise SearchRejected(_DETAILS, "frequency: there is no such time")
    return frequency["frequency"], starts, ends


def _digest(key: EventsKey, asked: Subscription) -> bytes:
    """Of what is wanted, not of when and since when: the same one again is a renewal, or one too many."""
    criteria = asked.criteria
    said = [
        asked.event_type,
        asked.version,
        criteria.get("filter_type"),
        criteria["filter"],
        asked.purpose,
        asked.locale,
    ]
    return key.word("subscription", asked.service, asked.client, str(asked.callback), json.dumps(said, sort_keys=True))


def write(connection: Connection, key: EventsKey, asked: Asked, at: datetime) -> None:
    """Write a subscription down; one that renews another ends it in the same moment, so that nothing is told twice.

    Raises:
        SearchRejected: there is such a one, or there are too many.
    """
    wanted, table = asked.subscription, SUBSCRIPTION.c
    same = connection.execute(select(SUBSCRIPTION).where(table.digest == asked.digest, *_in_force(at))).all()
    if any(wanted.ends < moment(row.ends) + _RENEWED_BY for row in same):
        raise SearchRejected(_TWICE, f"you hear of this already: {same[0].code}")
    counted = select(func.count()).where(table.service == wanted.service, table.client == wanted.client, *_in_force(at))
    if connection.execute(counted).scalar_one() >= MOST:
        raise SearchRejected(_DETAILS, f"at most {MOST} subscriptions of one client: ask with a wider filter")
    for row in same:
        _replace(connection, row.code, at, wanted.starts)
    connection.execute(SUBSCRIPTION.insert(), _row(key, asked, at))


def _replace(connection: Connection, code: str, at: datetime, starts: datetime) -> None:
    """The renewed one hears until the new one does."""
    if starts <= at:
        end(connection, code, at)
    else:
        table = SUBSCRIPTION.c
        later = update(SUBSCRIPTION).where(table.code == code, table.ends > milliseconds(starts))
        connection.execute(later.values(ends=milliseconds(starts)))


def _in_force(at: datetime) -> Sequence[Any]:
    return SUBSCRIPTION.c.status == IN_FORCE, SUBSCRIPTION.c.ends > milliseconds(at)


def _row(key: EventsKey, asked: Asked, at: datetime) -> dict[str, Any]:
    wanted = asked.subscription
    return {
        "code": wanted.code,
        "service": wanted.service,
        "client": wanted.client,
        "callback": str(wanted.callback),
        "event_type": wanted.event_type,
        "record_type": wanted.record_type,
        "version": wanted.version,
        "sealed": key.seal(wanted.criteria),
        "digest": asked.digest,
        "purpose": wanted.purpose,
        "frequency": wanted.frequency,
        "starts": milliseconds(wanted.starts),
        "ends": milliseconds(wanted.ends),
        "locale": wanted.locale,
        "status": IN_FORCE,
        "created": milliseconds(at),
    }


def end(connection: Connection, code: str, at: datetime) -> None:
    """End a subscription."""
    table = SUBSCRIPTION.c
    statement = update(SUBSCRIPTION).where(table.code == code, table.status == IN_FORCE)
    connection.execute(statement.values(status=ENDED, ended=milliseconds(at)))


def expire(connection: Connection, at: datetime) -> int:
    """End those whose time is over; they heard nothing since."""
    table = SUBSCRIPTION.c
    statement = update(SUBSCRIPTION).where(table.status == IN_FORCE, table.ends <= milliseconds(at))
    return connection.execute(statement.values(status=ENDED, ended=table.ends)).rowcount


def own(
    connection: Connection, key: EventsKey, service: str, client: str, code: str
) -> tuple[Subscription, bool] | None:
    """Return a client's own subscription at a service and whether it is in force; None when it has no such one."""
    table = SUBSCRIPTION.c
    wanted = select(SUBSCRIPTION).where(table.code == code, table.service == service, table.client == client)
    row = connection.execute(wanted).first()
    return None if row is None else (read(row, key), row.status == IN_FORCE)


def info(subscription: Subscription, reg_type: str, *, in_force: bool, at: datetime) -> dict[str, Any]:
    """Write DCI's ``subscription-info``."""
    criteria = subscription.criteria
    found: dict[str, Any] = {
        "version": subscription.version,
        "code": subscription.code,
        "status": IN_FORCE if in_force else ENDED,
        "timestamp": at.isoformat(timespec="milliseconds"),
        "reg_type": reg_type,
        "reg_event_type": subscription.event_type,
        "frequency": {
            "start_time": subscription.starts.isoformat(timespec="milliseconds"),
            "end_time": subscription.ends.isoformat(timespec="milliseconds"),
            "frequency": subscription.frequency or _AT_ONCE,
        },
        "filter": criteria["filter"],
        "notify_record_type": subscription.record_type,
    }
    if "filter_type" in criteria:
        found["filter_type"] = criteria["filter_type"]
    return found if subscription.locale is None else found | {"locale": subscription.locale}


def rejected(reference: str, rejection: SearchRejected, locale: object) -> dict[str, Any]:
    """Write the result of a subscription that was not made."""
    return answers.rejected_result(reference, rejection, locale, reasons="dci/subscribe-reason")
