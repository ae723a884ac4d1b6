"""Identifiers: what they hold, how they are written, what they refuse."""

import pytest

from xroad.errors import InvalidClientIdentifier
from xroad.identifiers import (
    MAX_PART_LENGTH,
    ClientId,
    GlobalGroupId,
    LocalGroupId,
    SecurityServerId,
    ServiceId,
    decode_segment,
)

SUBSYSTEM = ClientId("KH-SANDBOX", "GOV", "MOP", "IDPOOR")


def test_a_client_is_read_and_written() -> None:
    assert ClientId.parse("KH-SANDBOX/GOV/MOP/IDPOOR") == SUBSYSTEM
    assert str(SUBSYSTEM) == "KH-SANDBOX/GOV/MOP/IDPOOR"
    assert SUBSYSTEM.member == ClientId.parse("KH-SANDBOX/GOV/MOP") == SUBSYSTEM.member.member


def test_a_service_is_read_with_and_without_a_subsystem() -> None:
    assert ServiceId.parse("KH-SANDBOX/GOV/MOP/IDPOOR/household") == ServiceId(SUBSYSTEM, "household")
    assert ServiceId.parse("KH-SANDBOX/GOV/MOP/household") == ServiceId(SUBSYSTEM.member, "household")
    assert str(ServiceId(SUBSYSTEM, "household", "v1")) == "KH-SANDBOX/GOV/MOP/IDPOOR/household/v1"


def test_a_security_server_knows_its_owner() -> None:
    server = SecurityServerId.parse("KH-SANDBOX/GOV/MOP/SS1")

    assert server.owner == SUBSYSTEM.member
    assert str(server) == "KH-SANDBOX/GOV/MOP/SS1"


def test_groups_are_written() -> None:
    assert str(GlobalGroupId("KH-SANDBOX", "social protection")) == "KH-SANDBOX/social%20protection"
    assert str(LocalGroupId("partners")) == "partners"


def test_khmer_and_spaces_travel_percent_encoded() -> None:
    client = ClientId("KH", "GOV", "ក្រសួង ផែនការ")

    assert str(client).isascii()
    assert ClientId.parse(str(client)) == client


def test_identifiers_are_ordered_and_hashable_with_and_without_subsystem() -> None:
    member = SUBSYSTEM.member

    assert sorted([SUBSYSTEM, member]) == [member, SUBSYSTEM]
    assert len({SUBSYSTEM, ClientId.parse(str(SUBSYSTEM))}) == 1
    assert ServiceId(member, "z") < ServiceId(SUBSYSTEM, "a") < ServiceId(SUBSYSTEM, "a", "v1")


@pytest.mark.parametrize(
    "part",
    [
        "", ".", "..", "a/b", "a\\b", "a%b", "a:b", "a;b", "a\x00b", "a\nb", "a\x7fb", "a\x85b", "a\u200bb", "a\ufeffb",
        "a\ud800b", "x" * (MAX_PART_LENGTH + 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", range(4))
def test_a_part_that_could_be_read_as_something_else_is_refused(part: str, place: int) -> None:
    parts = ["KH", "GOV", "MOP", "IDPOOR"]
    parts[place] = part

    with pytest.raises(InvalidClientIdentifier):
        ClientId(*parts)
    with pytest.raises(InvalidClientIdentifier):
        SecurityServerId(*parts)


def test_codes_of_services_and_groups_keep_the_same_rule() -> None:
    for build in (
        lambda: ServiceId(SUBSYSTEM, "../x"),
        lambda: ServiceId(SUBSYSTEM, "x", "v;1"),
        lambda: GlobalGroupId("KH", "a/b"),
        lambda: LocalGroupId(""),
    ):
        with pytest.raises(InvalidClientIdentifier):
            build()


@pytest.mark.parametrize("text", ["", "KH", "KH/GOV", "KH/GOV/MOP/A/B", "KH//MOP", "KH/GOV/MOP/", "/KH/GOV/MOP"])
def test_a_wrong_number_of_parts_is_refused(text: str) -> None:
    with pytest.raises(InvalidClientIdentifier):
        ClientId.parse(text)


@pytest.mark.parametrize(
    "segment", ["%", "%4", "%zz", "a b", "a?b", "a#b", "a\tb", "%ff", "%c0%ae", "%ed%a0%80", "ខ", '"', "{x}", "a|b"]
)
def test_a_badly_encoded_segment_is_refused(segment: str) -> None:
    with pytest.raises(InvalidClientIdentifier):
        decode_segment(segment)


@pytest.mark.parametrize("encoded", ["KH%2FGOV/GOV/MOP", "KH/GOV/MOP/%2e%2e", "KH/GOV/MOP/a%5Cb", "KH/GOV/M%00P"])
def test_encoding_does_not_hide_a_forbidden_character(encoded: str) -> None:
    with pytest.raises(InvalidClientIdentifier):
        ClientId.parse(encoded)


def test_the_refusal_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(InvalidClientIdentifier) as refused:
        ClientId("KH", "GOV", "secret;value")

    assert "secret" not in str(refused.value)
