"""What an adapter file may say of events, and what it may not."""

from pathlib import Path
from typing import Any

import pytest

from adapters.config import load_config
from adapters.errors import ConfigError
from adapters.outbox.config import EventsConfig, Limits, limits_of
from tests.support.registry import make_adapter

GOOD: dict[str, Any] = {
    "database": "source",
    "key_file": "events.key",
    "security_server": {"url": "http://127.0.0.1:8080/"},
}
NATS = {"kind": "nats", "servers": ["nats://127.0.0.1:4222"], "stream": "spean-spr"}


def events(folder: Path, **more: Any) -> EventsConfig:
    found = load_config(make_adapter(folder, events=GOOD | more)).events
    assert found is not None
    return found


def test_an_adapter_without_events_has_none(tmp_path: Path) -> None:
    assert load_config(make_adapter(tmp_path)).events is None


def test_the_defaults_are_those_of_one_machine(tmp_path: Path) -> None:
    found = events(tmp_path)
    assert found.database.url == f"sqlite:///{tmp_path / 'people.sqlite'}"
    assert found.at_source
    assert found.security_server.url == "http://127.0.0.1:8080"
    assert found.nats is None
    assert (found.retry.attempts, found.timeout_seconds, found.keep_days, found.late_minutes) == (40, 30, 30, 60)


def test_a_database_of_its_own_is_beside_the_file(tmp_path: Path) -> None:
    found = events(tmp_path, database={"url": "sqlite:///events.sqlite"})
    assert found.database.url == f"sqlite:///{tmp_path / 'events.sqlite'}"
    assert not found.at_source


def test_limits_are_of_a_service_or_its_subsystem_or_the_defaults(tmp_path: Path) -> None:
    said = [
        {"to": "KH/GOV/NSAF/FAMILY-PACKAGE", "per_second": 5},
        {"to": "xroad:KH/GOV/NSAF/FAMILY-PACKAGE/slow", "events": 1},
    ]
    receivers = events(tmp_path, receivers=said).receivers
    assert limits_of(receivers, "KH/GOV/NSAF/FAMILY-PACKAGE/family") == Limits(per_second=5)
    assert limits_of(receivers, "KH/GOV/NSAF/FAMILY-PACKAGE/slow") == Limits(events=1)
    assert limits_of(receivers, "KH/GOV/NSSF/MEMBERS/members") == Limits()


def test_nats_has_its_servers_and_stream(tmp_path: Path) -> None:
    nats = events(tmp_path, queue=NATS).nats
    assert nats is not None
    assert (nats.servers, nats.stream, nats.replicas, nats.shards) == (("nats://127.0.0.1:4222",), "spean-spr", 3, 4)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"database": {"url": "mariadb://u@h/d"}}, "events.database"),
    ({"database": {"url": "sqlite:///x", "password": "p"}}, "events.database"),
    ({"database": {"url": "postgresql://u:p@h/d"}}, "events.database.url"),
    ({"security_server": {"url": "http://10.0.0.1:8080"}}, "events.security_server.url"),
    ({"security_server": {"url": "http://a:b@127.0.0.1"}}, "events.security_server.url"),
    ({"security_server": {"url": "https://x", "key_file": "k"}}, "events.security_server"),
    ({"queue": NATS | {"servers": ["nats://10.0.0.1:4222"]}}, "events.queue.servers"),
    ({"queue": NATS | {"servers": ["tls://u:p@10.0.0.1:4222"]}}, "events.queue.servers"),
    ({"queue": NATS | {"servers": ["http://127.0.0.1:4222"]}}, "events.queue.servers"),
    ({"queue": NATS | {"servers": ["nats://127.0.0.1"]}}, "events.queue.servers"),
    ({"queue": NATS | {"servers": ["nats://127.0.0.1:x"]}}, "events.queue.servers"),
    ({"queue": NATS | {"replicas": 2}}, "events.queue"),
    ({"queue": {"kind": "kafka"}}, "events.queue"),
    ({"retry": {"first_seconds": 10, "most_seconds": 1}}, "events.retry"),
    ({"retry": {"attempts": 0}}, "events.retry.attempts"),
    ({"timeout_seconds": 0}, "events.timeout_seconds"),
    ({"receivers": [{"to": "KH/GOV/NSAF"}]}, "events.receivers.0.to"),
    ({"receivers": [{"to": "https://example.test"}]}, "events.receivers.0.to"),
    ({"receivers": [{"to": "KH/GOV/A/B"}, {"to": "KH/GOV/A/B"}]}, "events.receivers.1.to"),
    ({"surprise": 1}, "events"),
]


@pytest.mark.parametrize(("more", "key"), WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, more: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        events(tmp_path, **more)
    assert caught.value.key == key


def test_a_source_that_is_no_database_that_can_be_written_needs_another(tmp_path: Path) -> None:
    path = make_adapter(tmp_path, events=GOOD)
    path.write_text(path.read_text().replace("sqlite:///people.sqlite", "mariadb://reader@127.0.0.1/people"))
    with pytest.raises(ConfigError, match="the source is none"):
        load_config(path)
