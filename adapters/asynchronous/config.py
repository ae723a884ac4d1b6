"""What ``adapter.yaml`` says of subscriptions: which ones this adapter keeps up at others.

It refuses names that stand twice, services that do not exist, addresses that are none of the bus, and filters without a
type. :func:`adapters.config.load_config` calls it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from adapters.asynchronous import cron
from adapters.errors import ConfigError
from adapters.events.naming import BadAddress, ServiceAddress

AT_ONCE: Final = "* * * * * ?"  # each second, in Quartz's form, as DCI shows it
MOST_DAYS: Final = 366


@dataclass(frozen=True, slots=True)
class OwnSubscription:
    """A subscription that this adapter keeps up.

    Args:
        name: what staff call it.
        at: the service that publishes.
        into: code of the own service that takes the notifications.
        events: each is one subscription, all of one message.
        record: DCI's ``notify_record_type``.
        version: of the record's contract.
        filter_type: of DCI's filters; None for all records.
        filter: what is wanted.
        purpose: why, and on which legal ground: ``code``, ``text``, ``ref_uri``.
        days: how long it is asked for; it is renewed before.
        frequency: a cron expression.
        first_load: whether all records that fit are to be sent first.
    """

    name: str
    at: ServiceAddress
    into: str
    events: tuple[str, ...]
    record: str
    version: str
    filter_type: str | None
    filter: Any
    purpose: Mapping[str, str]
    days: int
    frequency: str
    first_load: bool

    @property
    def length(self) -> timedelta:
        """How long it is asked for."""
        return timedelta(days=self.days)

    @property
    def digest(self) -> str:
        """Tells one that was changed in the file from the one that is in force."""
        said = [str(self.at), self.into, self.events, self.record, self.version, self.filter_type, self.filter]
        told = json.dumps([*said, dict(self.purpose), self.days, self.frequency], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(told.encode()).hexdigest()


def read_subscriptions(
    file: str, data: Sequence[Mapping[str, Any]], services: frozenset[str]
) -> tuple[OwnSubscription, ...]:
    """Read the list ``subscriptions``; raises :class:`ConfigError`.

    Args:
        file: the adapter file.
        data: what stands there, valid against the schema.
        services: codes of the adapter's own services.
    """
    found = tuple(_one(file, f"subscriptions.{place}", each, services) for place, each in enumerate(data))
    names = [each.name for each in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(file, "subscriptions", f"the name {', '.join(twice)} stands twice")
    return found


def _one(file: str, key: str, data: Mapping[str, Any], services: frozenset[str]) -> OwnSubscription:
    if data["into"] not in services:
        raise ConfigError(
            file, f"{key}.into", f"is no service of this adapter; there are {', '.join(sorted(services))}"
        )
    asked = data.get("filter", {})
    return OwnSubscription(
        name=data["name"],
        at=_address(file, f"{key}.at", data["at"]),
        into=data["into"],
        events=tuple(data["events"]),
        record=data["record"],
        version=data["version"],
        filter_type=asked.get("type"),
        filter=asked.get("value", {}),
        purpose=data["purpose"],
        days=data.get("days", MOST_DAYS - 1),
        frequency=_cron(file, f"{key}.frequency", data.get("frequency", AT_ONCE)),
        first_load=data.get("first_load", False),
    )


def _address(file: str, key: str, text: str) -> ServiceAddress:
    try:
        return ServiceAddress.parse(text)
    except BadAddress as error:
        raise ConfigError(file, key, str(error)) from error


def _cron(file: str, key: str, text: str) -> str:
    try:
        cron.parse(text)
    except cron.BadCron as error:
        raise ConfigError(file, key, str(error)) from error
    return text
