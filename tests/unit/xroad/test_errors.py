"""Blame, codes, prefixes and remedies."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from xroad import codes, errors, remedies
from xroad.asic import errors as asic_errors
from xroad.errors import Blame, RemoteFault, XRoadError

assert asic_errors.__doc__  # its import adds the codes of containers to the tree


def leaves(kind: type[XRoadError] = XRoadError) -> Iterator[type[XRoadError]]:
    below = kind.__subclasses__()
    if not below and kind is not RemoteFault:
        yield kind
    for child in below:
        yield from leaves(child)


ALL_LEAVES = sorted(set(leaves()), key=lambda leaf: leaf.__name__)


@pytest.mark.parametrize("leaf", ALL_LEAVES)
def test_every_leaf_has_blame_status_and_a_remedy_in_both_languages(leaf: type[XRoadError]) -> None:
    error = leaf("What is wrong; what to do.")

    assert error.blame in Blame
    assert error.http_status in {400, 500}
    remedy = remedies.remedy_for(error.full_code)
    assert remedy is not remedies.UNKNOWN
    assert remedy.en.endswith(".")
    assert any("\u1780" <= letter <= "\u17ff" for letter in remedy.km)


@pytest.mark.parametrize("leaf", ALL_LEAVES)
def test_every_leaf_stands_under_one_blame(leaf: type[XRoadError]) -> None:
    sides = (errors.CallerError, errors.OwnServerError, errors.PeerError, errors.ServiceError)

    assert sum(issubclass(leaf, side) for side in sides) == 1


def test_every_remedy_belongs_to_a_code_that_is_raised_or_received() -> None:
    known = {kind.code for kind in XRoadError.by_code.values()} | {"HttpError"}

    assert set(remedies.BY_CODE) <= known


def test_the_id_is_a_uuid_made_once() -> None:
    error = errors.AccessDenied("No.")

    assert UUID(error.error_id).version == 4
    assert error.prefixed(codes.SERVER_PROXY).error_id == error.error_id
    assert error.error_id in str(error)
    assert errors.AccessDenied("No.").error_id != error.error_id


def test_a_suffix_makes_the_code_more_exact() -> None:
    error = errors.MalformedSignature("Broken.", code_suffix="HashChainUnusedInputs")

    assert error.full_code == "MalformedSignature.HashChainUnusedInputs"


def test_a_prefix_is_never_doubled() -> None:
    error = errors.AccessDenied("No.").prefixed(codes.SERVER_PROXY).prefixed(codes.SERVER_PROXY)

    assert error.prefixed(codes.CLIENT_PROXY).full_code == "Server.ServerProxy.AccessDenied"


def test_a_failure_to_read_a_peers_message_is_named_as_the_reference_does() -> None:
    error = errors.MimeParsingFailed("Cut.").prefixed("ServiceFailed").prefixed(codes.SERVER_PROXY)

    assert error.full_code == "Server.ServerProxy.ServiceFailed.MimeParsingFailed"


def test_a_broken_request_stays_the_clients_fault_whoever_notices() -> None:
    error = errors.BadRequest("Wrong.").prefixed(codes.CLIENT_PROXY)

    assert (error.full_code, error.http_status) == ("Client.BadRequest", 400)


def test_what_a_server_refuses_is_http_500() -> None:
    assert errors.UnknownMember("Who?").prefixed(codes.CLIENT_PROXY).http_status == 500


def test_blame_can_be_corrected_where_it_is_raised() -> None:
    assert errors.CertValidityTime("Ours expired.", blame=Blame.OWN_SERVER).blame is Blame.OWN_SERVER


@pytest.mark.parametrize(
    ("received", "documented"),
    [
        ("server.serverproxy.access_denied", "Server.ServerProxy.AccessDenied"),
        ("server.clientproxy.ssl_authentication_failed", "Server.ClientProxy.SslAuthenticationFailed"),
        ("server.serverproxy.service_failed.io_error", "Server.ServerProxy.ServiceFailed.IOError"),
        ("server.serverproxy.malformed_signature.hashchain_unused_inputs",
         "Server.ServerProxy.MalformedSignature.HashChainUnusedInputs"),
        ("client.bad_request", "Client.BadRequest"),
        ("server.serverproxy.global_conf_outdated", "Server.ServerProxy.OutdatedGlobalConf"),
        ("Server.ServerProxy.AccessDenied", "Server.ServerProxy.AccessDenied"),
        ("Server.ServerProxy.IOError", "Server.ServerProxy.IOError"),
    ],
)  # fmt: skip
def test_both_spellings_of_x_road_become_the_documented_one(received: str, documented: str) -> None:
    fault = RemoteFault(received, "No.", error_id="abc")

    assert (fault.full_code, fault.received_code, fault.error_id) == (documented, received, "abc")


@pytest.mark.parametrize(
    ("code", "blame"),
    [
        ("Server.ServerProxy.AccessDenied", Blame.CALLER),
        ("Server.ServerProxy.ServiceFailed.HttpError", Blame.SERVICE),
        ("Server.ServerProxy.NetworkError", Blame.SERVICE),
        ("Server.ServerProxy.DatabaseError", Blame.PEER),
        ("Server.ServerProxy.InvalidSignatureValue", Blame.OWN_SERVER),
        ("Server.ServerProxy.SomethingNew", Blame.PEER),
    ],
)
def test_a_peers_fault_is_blamed_as_seen_from_here(code: str, blame: Blame) -> None:
    assert RemoteFault(code, "No.").blame is blame


def test_a_peers_fault_keeps_its_code_when_passed_on() -> None:
    fault = RemoteFault("Server.ServerProxy.AccessDenied", "No.").prefixed(codes.CLIENT_PROXY)

    assert (fault.full_code, fault.bare_code) == ("Server.ServerProxy.AccessDenied", "AccessDenied")


def test_an_unknown_code_still_gets_an_instruction() -> None:
    assert remedies.remedy_for("Server.ServerProxy.SomethingNew") is remedies.UNKNOWN
