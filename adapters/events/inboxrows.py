"""How single events stand in the inbox: what kind of row they are, and the hash that one is known by.

It refuses to know messages and records. A writer writes these rows; whoever is asked about a message looks among them.
"""

from typing import Final

from adapters.events.keys import EventsKey

EVENT: Final = "event"  # the kind of their rows, which no action of a message is called


def event_word(key: EventsKey, sender: str, service: str, event_id: str) -> bytes:
    """Return what a sender's event is known by at one of the own services."""
    return key.word("event", sender, service, event_id)
