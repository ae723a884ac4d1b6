"""What all of events stands on: the tables beside a programme's data, their key, and how services are named.

It refuses to know what is sent, applied or matched: ``outbox``, ``asynchronous``, ``writing``, ``capture`` and
``crosswalk`` do. Each of them works inside a transaction of :class:`EventsStore`: what belongs together is written
together.
"""

from adapters.events.keys import EventsKey, load_events_key
from adapters.events.model import Change, Event, Outgoing, Result
from adapters.events.naming import ServiceAddress
from adapters.events.store import EventsStore, open_events

__all__ = [
    "Change",
    "Event",
    "EventsKey",
    "EventsStore",
    "Outgoing",
    "Result",
    "ServiceAddress",
    "load_events_key",
    "open_events",
]
