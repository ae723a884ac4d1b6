"""Who is gone from a registry leaves the crosswalk: links end, the history stays, and nothing personal is kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.crosswalk.people import Number
from adapters.crosswalk.reviewing import history
from adapters.events.tables import CROSSWALK_RECORD, CROSSWALK_WORD
from tests.support.crosswalk import AT, KEY, SOPHEA, Bench, elsewhere, entry

CARD = Number("KHM_ID", "012345678")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.database.close()


def end(bench: Bench, registry: str, *keys: str) -> int:
    return bench.write(lambda c: bench.crosswalk.end(c, registry, keys, AT))


def test_a_record_that_is_gone_is_linked_with_nobody_and_found_by_nothing(bench: Bench) -> None:
    bench.take(SOPHEA, elsewhere("pmrs", "P1"), elsewhere("nssf", "7", numbers=(Number("NSSF_CARD", "7"),)))
    assert end(bench, "pmrs", "P1", "P9") == 1
    assert (bench.state_of("pmrs", "P1"), bench.person_of("pmrs", "P1")) == ("ended", None)
    assert bench.person_of("nssf", "7") == "AAAA-0001"
    assert {(each.state, each.basis) for each in bench.of("AAAA-0001")} == {("split", "gone"), ("linked", "score")}
    assert end(bench, "pmrs", "P1") == 0


def test_nothing_of_the_person_stays_in_the_row(bench: Bench) -> None:
    bench.take(elsewhere("pmrs", "P1"))
    end(bench, "pmrs", "P1")
    [row] = bench.store.read_now(lambda c: c.execute(CROSSWALK_RECORD.select()).all())
    assert KEY.unseal(row.sealed) == {"registry": "pmrs", "key": "P1"}
    assert bench.store.read_now(lambda c: c.execute(CROSSWALK_WORD.select()).all()) == []


def test_what_a_record_told_of_a_person_goes_with_it(bench: Bench) -> None:
    bench.take(entry("AAAA-0001"), elsewhere("idpoor", "u1", numbers=(CARD,)))
    end(bench, "idpoor", "u1")
    bench.take(elsewhere("nssf", "7", given="ចាន់", born="", year=0, village="", numbers=(CARD,)))
    assert bench.state_of("nssf", "7") == "open"


def test_one_that_comes_back_is_taken_anew_also_where_a_human_had_decided(bench: Bench) -> None:
    record = elsewhere("nssf", "7", born="", village="")
    bench.take(SOPHEA, record)
    [shown] = bench.waiting()
    bench.decide(shown.id, "same")
    end(bench, "nssf", "7")
    assert bench.waiting() == []
    bench.take(record)
    assert bench.state_of("nssf", "7") == "review"
    [again] = bench.waiting()
    states = [each["state"] for each in bench.store.read_now(lambda c: history(c, bench.crosswalk, again.id))]
    assert states == ["review", "linked", "split"]


def test_that_two_are_different_stays_said(bench: Bench) -> None:
    bench.take(SOPHEA, elsewhere("nssf", "7", born="", village=""))
    [shown] = bench.waiting()
    bench.decide(shown.id, "different")
    end(bench, "nssf", "7")
    bench.take(elsewhere("nssf", "7", born="", village=""))
    assert bench.waiting() == []


def test_an_entry_that_is_gone_lets_its_records_wait_or_go_to_another(bench: Bench) -> None:
    bench.take(SOPHEA, elsewhere("pmrs", "P1"), elsewhere("nssf", "7", numbers=(CARD,)))
    assert end(bench, "spr", "AAAA-0001") == 1
    assert {bench.state_of("pmrs", "P1"), bench.state_of("nssf", "7")} == {"open"}
    bench.take(entry("CCCC-0001"))
    assert bench.person_of("pmrs", "P1") == "CCCC-0001"
    bench.take(SOPHEA)
    assert [each.findings for each in bench.waiting() if each.record.registry == "spr"] == [("two-spids",)]


def test_a_finding_about_an_entry_that_is_gone_is_over_and_comes_back_with_it(bench: Bench) -> None:
    bench.take(SOPHEA, entry("BBBB-0001"))
    assert [each.findings for each in bench.waiting()] == [("two-spids",)]
    end(bench, "spr", "BBBB-0001")
    assert bench.waiting() == []
    bench.take(entry("BBBB-0001"))
    assert [each.findings for each in bench.waiting()] == [("two-spids",)]


def test_a_spid_that_was_merged_into_one_that_is_gone_gives_nobody(bench: Bench) -> None:
    bench.take(SOPHEA, entry("BBBB-0001", replaced_by="AAAA-0001"))
    end(bench, "spr", "AAAA-0001")
    bench.take(elsewhere("pmrs", "P1", village="", numbers=(Number("SPID", "BBBB-0001"),)))
    assert bench.person_of("pmrs", "P1") is None
