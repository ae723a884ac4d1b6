"""How single events stand in the inbox: what kind of row they are, and the hash that one is known by.

It refuses to know messages and records. A writer writes these rows; whoever is asked about a message looks among them.
"""

from typing import Final

from adapters.events.keys import EventsKey

EVENT: Final = "event"  # the kind of their rows, which no action of a message is called
ALIKE: Final = 16  # characters: events whose identifiers begin with the same ones stand side by side in the index
_BEGINNING: Final = 4  # bytes of the hash that say how the identifier begins


def event_word(key: EventsKey, sender: str, service: str, event_id: str) -> bytes:
    """Return what a sender's event is known by at one of the own services: 32 bytes.

    Hashes have no neighbours: where an index has millions of them, each costs a page that is read and written. So the
    hash of how the identifier begins stands before that of the whole; a sender that lets all events of a message begin
    alike, as a first load does, spares its receivers most of that. For all others it is a hash as any.
    """
    alike = key.word("events", sender, service, event_id[:ALIKE])[:_BEGINNING]
    return alike + key.word("event", sender, service, event_id)[_BEGINNING:]
