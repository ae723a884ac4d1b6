"""The tables of events, which stand beside a programme's own or in a database of the adapter's.

It refuses personal values in the open: records, filters and answers are sealed, what is looked up is hashed. Times are
milliseconds since 1970 in UTC. The scripts under ``migrations`` make them; a test holds the two to each other.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

META: Final = MetaData()
_BIG: Final = BigInteger().with_variant(Integer(), "sqlite")
_ID: Final = 99  # DCI's identifiers
_ADDRESS: Final = 1300  # five parts of 255 characters and what stands between them
_CODE: Final = 255


OUTBOX: Final = Table(
    "spean_outbox",
    META,
    Column("id", _BIG, primary_key=True),  # the order of everything
    Column("key", String(_ID), nullable=False, unique=True),  # a second one with the same key is the same thing
    Column("kind", String(32), nullable=False),
    Column("service", String(_CODE), nullable=False),
    Column("receiver", String(_ADDRESS), nullable=False),
    Column("path", String(_CODE), nullable=False),
    Column("person", LargeBinary(32), nullable=True),
    Column("sealed", LargeBinary, nullable=False),  # {"to", "body", "access"}
    Column("created", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("state", String(12), nullable=False),  # waiting, sent, rejected, dead, dropped
    Column("message", String(_ID), nullable=True),  # message_id of the message that carries it, once it is chosen
    Column("lone", Integer, nullable=False, server_default="0"),  # goes alone: a message with others was refused
    Column("queued", BigInteger, nullable=True),  # when it was handed to a queue outside, until that is over
    Column("recorded", Integer, nullable=False, server_default="0"),  # whether the access record has it
    Column("problem", String(_CODE), nullable=True),  # why the last attempt failed, without personal values
    Column("finished", BigInteger, nullable=True),
    Column("result", LargeBinary, nullable=True),  # sealed: what the receiver said of it
    Index("spean_outbox_due", "state", "receiver", "due"),
    Index("spean_outbox_order", "state", "receiver", "id"),
    Index("spean_outbox_finished", "state", "finished"),
    Index("spean_outbox_person", "receiver", "person", "state", "id"),
    Index("spean_outbox_message", "message"),
)

INBOX: Final = Table(
    "spean_inbox",
    META,
    Column("id", _BIG, primary_key=True),
    Column("key", LargeBinary(32), nullable=False, unique=True),  # of sender, service, what it is, and its identifier
    Column("at", BigInteger, nullable=False, index=True),
    Column("sender", String(_ADDRESS), nullable=False),
    Column("service", String(_CODE), nullable=False),
    Column("kind", String(32), nullable=False),  # event, or the action of a message
    Column("outcome", String(12), nullable=False),  # succ, rjct
    Column("sealed", LargeBinary, nullable=True),  # results and identifiers as the sender chose them
    Column("correlation", LargeBinary(32), nullable=True, index=True),
    Column("txn", LargeBinary(32), nullable=True, index=True),
)

REFERENCE: Final = Table(  # by what else a message of the inbox is asked for: its references, subscriptions' codes
    "spean_reference",
    META,
    Column("hash", LargeBinary(32), primary_key=True),
    Column("inbox", _BIG, primary_key=True),
    Index("spean_reference_inbox", "inbox"),
)

SUBSCRIPTION: Final = Table(
    "spean_subscription",
    META,
    Column("code", String(_ID), primary_key=True),
    Column("service", String(_CODE), nullable=False),
    Column("client", String(_ADDRESS), nullable=False),
    Column("callback", String(_ADDRESS), nullable=False),  # the service that is notified: the client's own
    Column("event_type", String(_CODE), nullable=False),
    Column("record_type", String(_CODE), nullable=False),
    Column("version", String(20), nullable=False),  # of the record's contract
    Column("sealed", LargeBinary, nullable=False),  # the subscribe_criteria, whose filter may name a person
    Column("digest", LargeBinary(32), nullable=False),  # of client, service and criteria: the same one twice is one
    Column("purpose", String(_CODE), nullable=True),
    Column("frequency", String(_CODE), nullable=True),  # a cron expression; None at once
    Column("starts", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=True),
    Column("locale", String(3), nullable=True),
    Column("status", String(12), nullable=False),  # subscribe, unsubscribe
    Column("created", BigInteger, nullable=False),
    Column("ended", BigInteger, nullable=True),
    Index("spean_subscription_service", "service", "status"),
    Index("spean_subscription_digest", "digest", "status"),
)

JOB: Final = Table(  # questions that were acknowledged and wait for their answer
    "spean_job",
    META,
    Column("id", _BIG, primary_key=True),
    Column("correlation", String(_ID), nullable=False, unique=True),
    Column("service", String(_CODE), nullable=False),
    Column("client", String(_ADDRESS), nullable=False),
    Column("callback", String(_ADDRESS), nullable=False),
    Column("operation", String(_CODE), nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # the whole document and what is known of how it came
    Column("created", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("state", String(12), nullable=False),  # waiting, done, failed
    Index("spean_job_state", "state", "due"),
)

REQUEST: Final = Table(  # what this adapter itself asked of others, and what came back
    "spean_request",
    META,
    Column("message_id", String(_ID), primary_key=True),
    Column("transaction_id", String(_ID), nullable=False, index=True),
    Column("correlation", String(_ID), nullable=True, index=True),
    Column("action", String(32), nullable=False),  # subscribe, unsubscribe, search, txn-status
    Column("service", String(_CODE), nullable=False),  # own service that takes the answer
    Column("receiver", String(_ADDRESS), nullable=False),
    Column("name", String(_CODE), nullable=False),  # what the configuration calls it
    Column("state", String(12), nullable=False),  # waiting, acknowledged, answered, refused
    Column("created", BigInteger, nullable=False),
    Column("answered", BigInteger, nullable=True),
    Column("sealed", LargeBinary, nullable=True),  # the answer
)

POSITION: Final = Table(  # how far a capture, a load or a reconciliation is
    "spean_position",
    META,
    Column("name", String(_CODE), primary_key=True),
    Column("value", LargeBinary, nullable=False),  # sealed: it may be the key of a record
    Column("at", BigInteger, nullable=False),
)

KNOWN: Final = Table(  # the records of a service as they were when last told of
    "spean_known",
    META,
    Column("service", String(_CODE), primary_key=True),
    Column("person", LargeBinary(32), primary_key=True),  # EventsKey.order(service, key of the record)
    Column("digest", LargeBinary(32), nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # {"key", "record"}
    Column("round", _BIG, nullable=False, server_default="0"),  # the last comparison that saw it, to find what is gone
    Column("place", _BIG, nullable=False, server_default="0"),  # in the order in which records were met
    Index("spean_known_round", "service", "round"),
    Index("spean_known_place", "service", "place", unique=True),
)

BAD: Final = Table(  # records that cannot be given in the standard: tried again when they change, or the mapping does
    "spean_bad",
    META,
    Column("service", String(_CODE), primary_key=True),
    Column("person", LargeBinary(32), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # {"key", "reason"}
)

SYNCED: Final = Table(  # what a writer last took from a sender, to tell a local change from an old value
    "spean_synced",
    META,
    Column("service", String(_CODE), primary_key=True),
    Column("person", LargeBinary(32), primary_key=True),  # EventsKey.order(service, key of the local record)
    Column("sealed", LargeBinary, nullable=False),  # what was written of each field, and the sender's time of it
    Column(
        "link", LargeBinary(32), nullable=True, index=True
    ),  # of its number, were it gone; NULL where `person` is it
    Column("digest", LargeBinary(32), nullable=False),  # of the record as it was sent
    Column("sender", String(_ADDRESS), nullable=False),
    Column("event_at", BigInteger, nullable=False),  # the sender's time of the newest event applied
    Column("at", BigInteger, nullable=False),
)

CONFLICT: Final = Table(
    "spean_conflict",
    META,
    Column("id", _BIG, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("service", String(_CODE), nullable=False),
    Column("person", LargeBinary(32), nullable=False),
    Column("sender", String(_ADDRESS), nullable=False),
    Column("event", String(_ID), nullable=False),
    Column("field", String(_CODE), nullable=False),
    Column("kept", String(12), nullable=False),  # sent, local
    Column("sealed", LargeBinary, nullable=False),  # {"key", "sent", "local"}
    Column("decided", String(12), nullable=True),  # sent, local: what staff said of it
    Column("decided_at", BigInteger, nullable=True),
)

CROSSWALK_PERSON: Final = Table(  # one a SPID
    "spean_crosswalk_person",
    META,
    Column("id", _BIG, primary_key=True),
    Column("spid", LargeBinary(32), nullable=False, unique=True),
    Column("sealed", LargeBinary, nullable=False),  # {"person", "gathered"}
    Column("digest", LargeBinary(32), nullable=False),  # of the person as the registry has it
    Column("state", String(12), nullable=False),  # active, merged
    Column("into", _BIG, nullable=True),  # the person that counts now
    Column("at", BigInteger, nullable=False),
)

CROSSWALK_RECORD: Final = Table(  # one a person in another registry
    "spean_crosswalk_record",
    META,
    Column("id", _BIG, primary_key=True),
    Column("registry", String(_CODE), nullable=False),
    Column("key", LargeBinary(32), nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # the person as that registry has it
    Column("digest", LargeBinary(32), nullable=False),
    Column("state", String(12), nullable=False),  # linked, review, open
    Column("person", _BIG, nullable=True),  # linked with
    Column("at", BigInteger, nullable=False),
    Index("spean_crosswalk_record_key", "key", unique=True),
    Index("spean_crosswalk_record_person", "person", "registry"),
)

CROSSWALK_LINK: Final = Table(  # what was decided of a record and a person, or of a person and another
    "spean_crosswalk_link",
    META,
    Column("id", _BIG, primary_key=True),
    Column("person", _BIG, nullable=False),
    Column("record", _BIG, nullable=True),
    Column("twin", _BIG, nullable=True),  # another person, when two SPIDs seem to be one person
    Column("state", String(12), nullable=False),  # linked, review, refused, split
    Column("basis", String(64), nullable=False),  # the rule, score, or human
    Column("weight", Integer, nullable=False),  # hundredths of bits
    Column("sealed", LargeBinary, nullable=False),  # why: levels and weights, the reason of a human
    Column("by", String(_CODE), nullable=False),  # who decided: name and version of the declaration, or a human
    Column("human", Integer, nullable=False, server_default="0"),
    Column("at", BigInteger, nullable=False),
    Index("spean_crosswalk_link_record", "record", "person", unique=True),
    Index("spean_crosswalk_link_twin", "twin", "person", unique=True),
    Index("spean_crosswalk_link_person", "person"),
    Index("spean_crosswalk_link_state", "state", "id"),
)

CROSSWALK_HISTORY: Final = Table(  # all that was ever decided; nothing is removed
    "spean_crosswalk_history",
    META,
    Column("id", _BIG, primary_key=True),
    Column("link", _BIG, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("state", String(12), nullable=False),
    Column("basis", String(64), nullable=False),
    Column("weight", Integer, nullable=False),
    Column("by", String(_CODE), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

CROSSWALK_WORD: Final = Table(  # under which numbers, and in which blocks, somebody is found
    "spean_crosswalk_word",
    META,
    Column("word", LargeBinary(16), primary_key=True),
    Column("kind", Integer, primary_key=True),  # 0 a person, 1 a record that is linked with nobody
    Column("owner", _BIG, primary_key=True),
    Index("spean_crosswalk_word_owner", "kind", "owner"),
    sqlite_with_rowid=False,
)

CROSSWALK_FINDING: Final = Table(  # what does not fit, for the owners of the records
    "spean_crosswalk_finding",
    META,
    Column("id", _BIG, primary_key=True),
    Column("link", _BIG, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("state", String(12), nullable=False),  # suspected, confirmed, closed
    Column("at", BigInteger, nullable=False),
    Index("spean_crosswalk_finding_link", "link", "kind", unique=True),
    Index("spean_crosswalk_finding_state", "state", "id"),
)
