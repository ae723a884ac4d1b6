"""The outbox: what is to be told is written in the transaction of the change, and sent at least once, in order.

It refuses to know what the events mean, and to lose one: what cannot be sent waits, or stands in the list of dead
letters until the institution's staff decide. Publishing and the asynchronous paths put things in; the relay sends.
"""

from adapters.outbox.config import EventsConfig
from adapters.outbox.putting import put

__all__ = ["EventsConfig", "put"]
