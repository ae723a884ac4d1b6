"""The sandbox takes a free range of ports, or says which one is taken and by what rule it chose."""

import secrets
import socket
from collections import Counter

import pytest

from spean.errors import CommandError, UsageError
from spean.sandbox import ports
from spean.sandbox.plan import INSTITUTIONS, PORT_COUNT, Ports


def test_no_two_servers_get_the_same_address_and_port() -> None:
    places = Counter(Ports(20000).listening())
    assert [place for place, times in places.items() if times > 1] == []
    assert len(places) == 2 * len(INSTITUTIONS) + 5 * len(INSTITUTIONS) + 4


def test_all_ports_lie_within_the_range_that_is_announced() -> None:
    assert all(20000 <= port < 20000 + PORT_COUNT for _, port in Ports(20000).listening())


def taken(place: tuple[str, int]) -> socket.socket:
    server = socket.socket()
    server.bind(place)
    server.listen()
    return server


@pytest.fixture(autouse=True)
def away_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for free ranges where no other sandbox of this machine does at this moment."""
    monkeypatch.setattr(ports, "DEFAULT_BASE_PORT", 20000 + secrets.randbelow(80) * 100)


def a_free_base() -> int:
    with ports.reserved(None) as free:
        return free.base


def test_a_requested_range_with_a_taken_port_is_refused_with_the_port() -> None:
    base = a_free_base()
    wanted = rf"Port {base} on 127\.0\.0\.12 is in use"
    with taken(("127.0.0.12", base)), pytest.raises(CommandError, match=wanted), ports.reserved(base):
        pass


def test_without_a_request_a_taken_range_is_passed_over() -> None:
    base = a_free_base()
    with taken(("127.0.0.1", Ports(base).central)), ports.reserved(None) as found:
        assert found.base > base


def test_two_sandboxes_that_start_at_once_get_different_ranges() -> None:
    with ports.reserved(None) as first, ports.reserved(None) as second:
        assert second.base >= first.base + PORT_COUNT
        with pytest.raises(CommandError, match="in use"), ports.reserved(first.base):
            pass


@pytest.mark.parametrize("base", [0, 80, -1, 65535, 65535 - PORT_COUNT + 1])
def test_a_range_that_cannot_be_is_a_usage_error(base: int) -> None:
    with pytest.raises(UsageError, match="out of range"), ports.reserved(base):
        pass


def test_a_loopback_address_that_is_not_there_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ports, "listening", lambda _self: (("192.0.2.1", 20000),))
    with pytest.raises(CommandError, match=r"192\.0\.2\.1 cannot be used on this computer"), ports.reserved(None):
        pass
