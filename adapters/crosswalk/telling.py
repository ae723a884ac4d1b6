"""Makes of what an owner is to be told a message for the outbox, to the service that the crosswalk's file names.

It refuses to tell anybody but the owner of the record: a service of another subsystem is no place for a finding.
``spean crosswalk duplicates --tell`` puts the messages into the outbox; a relay sends them.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from adapters.crosswalk.definition import Definition
from adapters.crosswalk.duplicates import Report
from adapters.events import EventsKey, Outgoing
from adapters.events.notification import element
from adapters.subjects import identifiers

PURPOSE: Final = "DUPLICATE_CHECK"
BASIS: Final = "authorize"
_NOTIFY: Final = "/registry/notify"


def messages(
    reports: Iterable[Report], definition: Definition, key: EventsKey, *, service: str, reg_type: str
) -> Iterator[Outgoing]:
    """Yield what is to be sent; owners without a service that takes findings are left out.

    Args:
        reports: what each owner is to be told.
        definition: of the crosswalk, with where each registry's findings go.
        key: of the crosswalk's events.
        service: code of the crosswalk's own service.
        reg_type: of it.
    """
    for each in reports:
        to = definition.registries[each.registry].tell
        if to is None:
            continue
        numbers = [n["identifier_value"] for n in each.event.record["member_identifier"]]
        yield Outgoing(
            key=each.key,
            kind="notify",
            service=service,
            receiver=str(to),
            path=_NOTIFY,
            person=key.order(service, "/".join((each.registry, *numbers))),
            body=element(each.event, reg_type=reg_type),
            access={
                "purpose": PURPOSE,
                "basis": BASIS,
                "given": sorted(each.event.record),
                "subjects": sorted(list(subject) for subject in identifiers([each.event.record])),
                "records": 1,
            },
        )
