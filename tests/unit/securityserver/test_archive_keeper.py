"""The schedule of archiving, what an administrator sees of it, and the settings that he gives."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from securityserver.archiving import assembly
from securityserver.archiving.errors import ArchivingFailed
from securityserver.archiving.keeper import ArchiveCollector, ArchiveKeeper
from securityserver.archiving.ledger import Ledger
from securityserver.archiving.settings import ArchiveSettings, Grouping
from securityserver.archiving.stores import DirectoryStore
from serverkit.config import ConfigError, parse_toml
from serverkit.database import Database
from serverkit.metrics import HealthState
from tests.support.archives import NOW, archiver, node_database, seed, some
from tests.support.messagelog import NSAF

HOUR = timedelta(hours=1)
OPENPGP = f'directory = "a"\n[openpgp]\nhome = "g"\nrecipients = ["{"A" * 40}"]\n'


class EnoughError(Exception):
    """Ends a keeper that would run for ever."""


@dataclass
class Clock:
    """A clock that tests move; it counts how often somebody waited."""

    at: datetime = NOW
    until: datetime = NOW + timedelta(days=1)
    waits: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += timedelta(seconds=seconds)
        if self.at > self.until:
            raise EnoughError


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with node_database(tmp_path) as opened:
        yield opened


def keeper(
    database: Database, tmp_path: Path, clock: Clock, interval: timedelta = HOUR, **changes: Any
) -> ArchiveKeeper:
    made = archiver(database, tmp_path, now=clock.now, **changes)
    return ArchiveKeeper(made, Ledger(database), interval, clock)


async def run_until(keeping: ArchiveKeeper, clock: Clock, until: datetime) -> None:
    clock.until = until
    with pytest.raises(EnoughError):
        await keeping.run()


async def test_it_archives_at_each_interval(database: Database, tmp_path: Path) -> None:
    clock = Clock()
    keeping = keeper(database, tmp_path, clock)
    seed(database, *some(2))
    await run_until(keeping, clock, NOW + timedelta(minutes=59))
    assert (keeping.archived, keeping.last_success) == (2, NOW)
    seed(database, *some(1, query_id="later"))
    await run_until(keeping, clock, NOW + timedelta(minutes=62))
    assert keeping.archived == 3
    assert keeping.last_success == NOW + HOUR


async def test_after_a_restart_it_waits_for_the_rest_of_the_interval(database: Database, tmp_path: Path) -> None:
    seed(database, *some(1))
    await keeper(database, tmp_path, Clock()).once()
    seed(database, *some(1, query_id="later"))
    clock = Clock(at=NOW + HOUR / 2)
    again = keeper(database, tmp_path, clock)
    await run_until(again, clock, NOW + HOUR - timedelta(minutes=2))
    assert again.archived == 0
    await run_until(again, clock, NOW + HOUR + timedelta(minutes=2))
    assert again.archived == 1


async def test_a_failure_is_told_and_tried_again_soon(database: Database, tmp_path: Path) -> None:
    place = tmp_path / "archives"
    place.write_text("not a directory")
    clock = Clock()
    keeping = keeper(database, tmp_path, clock)
    seed(database, *some(1))
    await keeping.once()
    health = keeping.check()
    assert (health.state, keeping.failures) == (HealthState.DEGRADED, 1)
    assert str(place) in health.en
    place.unlink()
    await run_until(keeping, clock, NOW + timedelta(minutes=7))
    assert keeping.check().state is HealthState.OK
    assert keeping.archived == 1


async def test_a_record_that_nobody_archives_is_told(database: Database, tmp_path: Path) -> None:
    clock = Clock(at=NOW)
    keeping = keeper(database, tmp_path, clock)
    seed(database, *some(1), stamped=False)
    await keeping.once()
    assert keeping.check().state is HealthState.OK
    clock.at += 3 * HOUR
    assert keeping.check().state is HealthState.DEGRADED
    assert "time-stamped" in keeping.check().en


async def test_its_state_is_measured(database: Database, tmp_path: Path) -> None:
    registry = CollectorRegistry()
    keeping = keeper(database, tmp_path, Clock())
    ArchiveCollector(keeping, registry)
    seed(database, *some(2))
    await keeping.look()
    assert registry.get_sample_value("spean_archive_oldest_record_age_seconds") == pytest.approx(3600)
    assert registry.get_sample_value("spean_archive_last_success_timestamp_seconds") == 0
    await keeping.once()
    assert registry.get_sample_value("spean_archive_oldest_record_age_seconds") == 0
    assert registry.get_sample_value("spean_archive_last_success_timestamp_seconds") == NOW.timestamp()
    assert registry.get_sample_value("spean_archived_records_total") == 2
    assert registry.get_sample_value("spean_archive_failures_total") == 0


class Stuck(DirectoryStore):
    """Never answers."""

    async def put(self, name: str, source: Path) -> None:
        await asyncio.Event().wait()


async def test_it_can_be_stopped_in_the_middle_and_goes_on_later(database: Database, tmp_path: Path) -> None:
    seed(database, *some(1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await keeper(database, tmp_path, Clock(), store=Stuck(tmp_path / "archives")).run()
    assert not any((tmp_path / "work").iterdir())
    again = keeper(database, tmp_path, Clock())
    await again.once()
    assert again.archived == 1


def settings(text: str) -> ArchiveSettings:
    return parse_toml(text, ArchiveSettings, source="NODE.toml", base=Path("/node"))


def test_settings_have_xroads_defaults() -> None:
    read = settings('directory = "archives"')
    assert read.directory == Path("/node/archives")
    assert (read.interval_seconds, read.max_file_bytes, read.retention_days) == (6 * 3600, 32 * 1024 * 1024, 30)
    assert (read.grouping, read.openpgp) == (Grouping.NONE, None)


def test_each_group_has_its_keys_and_others_the_common_ones() -> None:
    read = settings(
        f'directory = "a"\ngrouping = "subsystem"\n[openpgp]\nhome = "gpg"\nrecipients = ["{"A" * 40}"]\n'
        f'[openpgp.groups]\n"{NSAF.member}" = ["{"B" * 40}", "{"C" * 16}"]\n'
    )
    assert read.openpgp is not None
    assert read.openpgp.of(NSAF) == ("B" * 40, "C" * 16)
    assert read.openpgp.of(None) == ("A" * 40,)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "exactly one of directory and s3"),
        ('directory = "a"\n[s3]\nurl = "s3://bucket"', "exactly one of directory and s3"),
        ('[s3]\nurl = "https://bucket"', "must be s3://bucket/prefix"),
        ('[s3]\nurl = "s3://bucket"\nendpoint = "bucket.example"', "must be an http"),
        ('directory = "a"\nretention_days = -1', "at least 0"),
        ('directory = "a"\ninterval_seconds = 0', "at least 1"),
        ('directory = "a"\n[openpgp]\nhome = "gpg"\nrecipients = []', "at least one key"),
        ('directory = "a"\n[openpgp]\nhome = "gpg"\nrecipients = ["auditor@example.test"]', "fingerprint"),
        ('directory = "a"\n[openpgp]\nhome = "gpg"\nrecipients = ["ABCD1234"]', "fingerprint"),
        (f'{OPENPGP}[openpgp.groups]\n"A/B/C" = []', "at least one key"),
        (f'{OPENPGP}[openpgp.groups]\n"A/B/C/D" = ["{"A" * 40}"]', "A/B/C/D: name a member"),
        (f'{OPENPGP}[openpgp.groups]\n"A" = ["{"A" * 40}"]', "A: name a member"),
    ],
)
def test_settings_against_their_rules_are_refused(text: str, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        settings(text)


@pytest.mark.parametrize(
    ("text", "extra"),
    [
        ('[s3]\nurl = "s3://bucket"', "spean.s3."),
        (f'directory = "a"\n[openpgp]\nhome = "g"\nrecipients = ["{"A" * 40}"]', "spean.openpgp."),
    ],
)
def test_a_package_that_is_not_installed_is_named(
    text: str, extra: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assembly, "find_spec", lambda _name: None)
    with pytest.raises(ArchivingFailed, match=extra):
        assembly.assemble(settings(text), database, tmp_path, lambda: NOW)
