"""Makes the asynchronous parts of one adapter: a desk for each service, and what runs beside them.

It refuses an adapter that is no subsystem: nobody could answer it. The adapter's composition calls it when its file has
``events:``.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from adapters.accesslog import AccessStore
from adapters.asynchronous.config import OwnSubscription
from adapters.asynchronous.desk import Desk
from adapters.asynchronous.documents import Pen
from adapters.asynchronous.history import ServiceHistory
from adapters.asynchronous.jobs import Jobs
from adapters.asynchronous.keeping import Keeper
from adapters.asynchronous.receiver import Receiver
from adapters.asynchronous.subscriptions import Subscription
from adapters.asynchronous.watching import Watch
from adapters.events import EventsStore
from adapters.registry.service import Service

Subscribed = Callable[[Connection, Subscription, datetime], None]


@dataclass(frozen=True, slots=True)
class Tells:
    """What one service tells others, and takes from them.

    Args:
        events: the types of event that it publishes.
        subscribed: is called, in the transaction, for each subscription that is made.
        receiver: what takes the events of others.
    """

    events: frozenset[str] = frozenset()
    subscribed: Subscribed | None = None
    receiver: Receiver | None = None


@dataclass(frozen=True, slots=True)
class Asynchronous:
    """The asynchronous parts of one adapter."""

    desks: Mapping[str, Desk]
    jobs: Jobs
    keeper: Keeper

    @property
    def background(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """What runs until it is cancelled."""
        return self.jobs.run, self.keeper.run


def assemble(
    services: Sequence[Service],
    store: EventsStore,
    access: AccessStore,
    pen: Pen,
    *,
    tells: Mapping[str, Tells],
    watch: Watch,
    declared: Sequence[OwnSubscription] = (),
) -> Asynchronous:
    """Make the parts, and let each service tell of what is answered later.

    Args:
        services: of the adapter.
        store: the events' tables.
        access: the access record.
        pen: writes in the adapter's name.
        tells: by code of the service; one that is not there tells and takes nothing.
        watch: tells how things are.
        declared: the subscriptions to keep up.
    """
    jobs = Jobs(store, access, services, pen)
    desks = {each.code: _desk(each, store, access, pen, tells.get(each.code, Tells()), jobs) for each in services}
    return Asynchronous(desks, jobs, Keeper(store, pen, declared, remembered=access.remembered, watch=watch))


def _desk(service: Service, store: EventsStore, access: AccessStore, pen: Pen, tells: Tells, jobs: Jobs) -> Desk:
    service.history = ServiceHistory(store, service.code, service.registry.reg_type)
    return Desk(
        service=service,
        store=store,
        access=access,
        pen=pen,
        events=tells.events,
        receiver=tells.receiver,
        wake=jobs.wake,
        subscribed=tells.subscribed,
    )
