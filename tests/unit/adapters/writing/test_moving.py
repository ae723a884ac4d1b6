"""A number that each may have once moves from one record to another, in whatever order one message tells of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.events import Event
from tests.support.mariadb import MariaDb
from tests.support.writing import LINE, Registry, event, family, open_registry, person
from tests.unit.adapters.writing import test_elsewhere, test_writer

SUCCEEDED, REJECTED = test_writer.SUCCEEDED, test_writer.REJECTED
CARDS = "SELECT spid, id_card FROM line ORDER BY spid"
X, Y = "010000001", "010000002"
SENT = {"default": "sent"}


@pytest.fixture
def two(registry: Registry) -> Registry:
    """Give two families, whose members have a card each."""
    return filled(registry)


@pytest.fixture
def few(tmp_path: Path) -> Iterator[Registry]:
    """Give them on SQLite only."""
    made = open_registry(tmp_path, f"sqlite:///{tmp_path / 'registry.sqlite'}")
    yield filled(made)
    made.store.database.close()


def filled(registry: Registry) -> Registry:
    registry.run("CREATE UNIQUE INDEX one_card ON line (id_card)")
    first = event("a", family("A", people=[person("S1", card=X)]))
    registry.receive(first, event("b", family("B", people=[person("S2", card=Y)])))
    return registry


def takes(number: int, spid: str, card: str | None, name: str) -> Event:
    return event(f"e{number}{name}", family(name, people=[person(spid, card=card)]), number)


FIND = [{"field": "sprNo"}]


@pytest.mark.parametrize("order", [1, -1], ids=["released first", "taken first"])
def test_a_card_moves_whatever_is_told_first(two: Registry, order: int) -> None:
    events = [takes(1, "S1", "010000003", "A"), takes(1, "S2", X, "B")][::order]
    results = two.receive(*events, writer=two.writer(find=FIND, wins=SENT))
    assert [each.status for each in results] == [SUCCEEDED] * 2
    assert two.rows(CARDS) == [("S1", "010000003"), ("S2", X)]


def test_two_cards_are_exchanged(two: Registry) -> None:
    results = two.receive(takes(1, "S1", Y, "A"), takes(1, "S2", X, "B"), writer=two.writer(find=FIND, wins=SENT))
    assert [each.status for each in results] == [SUCCEEDED] * 2
    assert two.rows(CARDS) == [("S1", Y), ("S2", X)]


def test_a_person_moves_to_another_family_whatever_is_told_first(two: Registry) -> None:
    come = event("c", family("B", people=[person("S2", card=Y), person("S1", card=X)]), 1)
    results = two.receive(come, event("d", family("A", people=[]), 1), writer=two.writer(find=FIND, wins=SENT))
    assert [each.status for each in results] == [SUCCEEDED] * 2
    assert two.rows("SELECT spid, family_no FROM line ORDER BY spid") == [("S1", "F000002"), ("S2", "F000002")]


def test_a_number_of_a_family_that_is_gone_is_free(two: Registry) -> None:
    gone = event("d", family("A"), 1, kind="REMOVE")
    people = [person("S3", card=X)]
    [first, second] = two.receive(event("c", family("C", people=people), 1), gone, writer=two.writer(find=FIND))
    assert (first.status, second.status) == (SUCCEEDED, SUCCEEDED)
    assert two.rows(CARDS) == [("S2", Y), ("S3", X)]


def test_one_bad_record_between_does_not_part_them(few: Registry) -> None:
    bad = [event(f"bad{each}", family(f"Z{each}", None), 1) for each in range(5)]
    events = [takes(1, "S2", X, "B"), *bad, takes(1, "S1", Y, "A")]
    results = few.receive(*events, writer=few.writer(find=FIND, wins=SENT))
    assert [each.status for each in results] == [SUCCEEDED, *[REJECTED] * 5, SUCCEEDED]
    assert not any(each.held for each in results)
    assert few.rows(CARDS) == [("S1", Y), ("S2", X)]


def test_a_number_that_somebody_keeps_is_refused_with_what_to_do(two: Registry) -> None:
    [result] = two.receive(takes(1, "S2", X, "B"), writer=two.writer(find=FIND, wins=SENT))
    assert (result.status, result.held) == (REJECTED, True)
    assert result.message.endswith(
        ": another record here has it; send this again when that one has let it go, or both in one message"
    )
    assert X not in result.message
    assert two.rows(CARDS) == [("S1", X), ("S2", Y)]
    two.receive(takes(2, "S1", None, "A"), takes(2, "S1", "010000003", "A"), writer=two.writer(find=FIND, wins=SENT))
    [again] = two.receive(takes(1, "S2", X, "B"), writer=two.writer(find=FIND, wins=SENT))
    assert again.status is SUCCEEDED


def test_a_number_that_cannot_be_empty_moves_when_it_is_released_first(few: Registry) -> None:
    few.run("DROP TABLE line")
    few.run(LINE.replace("id_card VARCHAR(9)", "id_card VARCHAR(9) NOT NULL"))
    few.run("DELETE FROM family")
    few.run("DELETE FROM spean_synced")
    few.run("DELETE FROM spean_inbox")
    filled(few)
    writer = few.writer(find=FIND, wins=SENT)
    events = takes(1, "S2", X, "B"), takes(1, "S1", "010000003", "A")
    assert [each.status for each in few.receive(*events, writer=writer)] == [SUCCEEDED] * 2
    assert few.rows(CARDS) == [("S1", "010000003"), ("S2", X)]


def test_numbers_move_in_mariadb_too(mariadb_server: MariaDb, tmp_path: Path) -> None:
    with test_elsewhere.opened(mariadb_server, tmp_path) as apart:
        filled(apart)
        results = apart.receive(
            takes(1, "S1", Y, "A"), takes(1, "S2", X, "B"), writer=apart.writer(find=FIND, wins=SENT)
        )
        assert [each.status for each in results] == [SUCCEEDED] * 2
        assert apart.rows(CARDS) == [("S1", Y), ("S2", X)]
