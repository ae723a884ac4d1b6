"""An event is written into a notification as the contract wants it, and read as it was."""

from datetime import UTC, datetime

import pytest

import contracts
from adapters.events import Change, Event
from adapters.events.notification import element, read_element

AT = datetime(2026, 11, 28, 3, 4, 5, 678000, UTC)
RECORD = {"member_identifier": [{"identifier_type": "SPID", "identifier_value": "SP-1"}]}
CHANGES = (
    Change("group.group_size", 4, None),
    Change("group.member_list.demographic_info.sex", None, "female", ("SPID", "SP-1")),
)


@pytest.mark.parametrize("changes", [(), CHANGES])
@pytest.mark.parametrize("record", [RECORD, {}])
def test_an_event_comes_back_as_it_was(changes: tuple[Change, ...], record: dict[str, object]) -> None:
    event = Event("E-1", AT, "UPDATE", "Registration", "1.0.0", record, changes)
    written = element(event, reg_type="Social", locale="khm")
    contracts.validate("dci/notify-event", "1.0.0", written)
    contracts.validate("cambodia/notify-data", "1.0.0", written["data"])
    assert read_element(written) == event
