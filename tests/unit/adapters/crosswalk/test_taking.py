"""Records become links: once, again, in any order, with a human's word above all, and nothing readable on the disk."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.crosswalk import ReviewError, reports
from adapters.crosswalk.people import Number
from adapters.crosswalk.reviewing import history
from adapters.errors import ConfigError
from contracts import validate
from tests.support.crosswalk import AT, SOPHEA, Bench, elsewhere, entry

CARD = Number("KHM_ID", "012345678")
OTHER_CARD = Number("KHM_ID", "999999999")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty crosswalk: to copy one is quicker than to make one."""
    made = Bench(tmp_path_factory.mktemp("crosswalk"))
    made.store.database.close()
    return made.file


@pytest.fixture
def bench(tmp_path: Path, template: Path) -> Iterator[Bench]:
    shutil.copyfile(template, tmp_path / template.name)
    made = Bench(tmp_path)
    yield made
    made.store.database.close()


def test_a_record_is_linked_by_its_number_or_by_its_score(bench: Bench) -> None:
    bench.take(SOPHEA, elsewhere("pmrs", "P1"), elsewhere("portal", "acc-1", numbers=(CARD,)))
    assert bench.person_of("pmrs", "P1") == bench.person_of("portal", "acc-1") == "AAAA-0001"
    assert bench.links() == [("linked", "score", 0), ("linked", "identity-card", 0)]


def test_the_same_again_changes_nothing(bench: Bench) -> None:
    people = [SOPHEA, elsewhere("pmrs", "P1"), elsewhere("nssf", "1", born="", village="")]
    bench.take(*people)
    before = bench.links()
    taken = bench.take(*people)
    assert (taken.unchanged, taken.persons) == (3, 0)
    assert bench.links() == before


def test_who_is_registered_later_is_found_by_records_that_wait(bench: Bench) -> None:
    bench.take(elsewhere("pmrs", "P1"))
    assert bench.state_of("pmrs", "P1") == "open"
    bench.take(SOPHEA)
    assert bench.person_of("pmrs", "P1") == "AAAA-0001"


def test_a_number_that_another_registry_told_links_a_third(bench: Bench) -> None:
    bench.take(entry("AAAA-0001"), elsewhere("idpoor", "u1", numbers=(CARD,)))
    bench.take(elsewhere("nssf", "7", born="", village="", surname="ចាន់", numbers=(Number("NSSF_CARD", "7"), CARD)))
    assert bench.person_of("nssf", "7") == "AAAA-0001"


def test_what_the_registry_was_told_links(bench: Bench) -> None:
    bench.take(replace(SOPHEA, elsewhere=(Number("LOCAL_ID", "P1", "PMRS"),)))
    bench.take(elsewhere("pmrs", "P1", born="", village="", numbers=(Number("LOCAL_ID", "P1", "PMRS"),)))
    bench.take(
        elsewhere("scholarships", "P1", born="", village="", numbers=(Number("LOCAL_ID", "P1", "SCHOLARSHIPS"),))
    )
    assert bench.person_of("pmrs", "P1") == "AAAA-0001"
    assert bench.person_of("scholarships", "P1") is None  # the same number means another person there


@pytest.mark.parametrize("together", [True, False])
def test_two_records_of_one_registry_that_are_alike_both_wait(bench: Bench, *, together: bool) -> None:
    pair = [elsewhere("pmrs", "P1"), elsewhere("pmrs", "P2")]
    bench.take(SOPHEA)
    bench.take_all(pair) if together else bench.take(*pair)
    assert {bench.state_of("pmrs", each.key) for each in pair} == {"review"}
    assert {each.findings for each in bench.waiting()} == {("twice-in-registry",)}


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_records_of_one_registry_the_better_one_stays(bench: Bench, first: int) -> None:
    pair = [elsewhere("pmrs", "P1"), elsewhere("pmrs", "P2", numbers=(CARD,))]
    bench.take(SOPHEA, pair[first], pair[1 - first])
    assert bench.person_of("pmrs", "P2") == "AAAA-0001"
    assert bench.state_of("pmrs", "P1") == "review"


def test_a_merged_spid_takes_its_records_along_and_back(bench: Bench) -> None:
    bench.take(SOPHEA, entry("BBBB-0001", given="ដាវី"), elsewhere("pmrs", "P1", given="ដាវី"))
    assert bench.person_of("pmrs", "P1") == "BBBB-0001"
    bench.take(entry("BBBB-0001", given="ដាវី", replaced_by="AAAA-0001"))
    assert bench.person_of("pmrs", "P1") == "AAAA-0001"
    assert [each.basis for each in bench.of("AAAA-0001")] == ["merged"]
    bench.take(entry("BBBB-0001", given="ដាវី"))
    assert bench.person_of("pmrs", "P1") == "BBBB-0001"


def test_a_merged_spid_may_be_told_before_the_one_that_counts(bench: Bench) -> None:
    bench.take(entry("BBBB-0001", replaced_by="AAAA-0001"), SOPHEA)
    bench.take(elsewhere("pmrs", "P1", village="", numbers=(Number("SPID", "BBBB-0001"),)))
    assert bench.person_of("pmrs", "P1") == "AAAA-0001"


def test_one_person_under_two_spids_is_a_finding_for_the_registry_and_never_merged(bench: Bench) -> None:
    bench.take(SOPHEA, entry("BBBB-0001"))
    [shown] = bench.waiting()
    assert shown.findings == ("two-spids",)
    told = bench.store.read_now(lambda c: list(reports(c, bench.crosswalk)))
    assert [each.event.record["member_identifier"][0]["identifier_value"] for each in told] == [
        "BBBB-0001",
        "AAAA-0001",
    ]
    bench.decide(shown.id, "same")
    assert bench.store.read_now(lambda c: [r.event.record["finding_status"] for r in reports(c, bench.crosswalk)]) == [
        "CONFIRMED",
        "CONFIRMED",
    ]


def test_one_person_under_two_numbers_is_told_to_both_owners_each_its_own(bench: Bench) -> None:
    bench.take(entry("AAAA-0001"), elsewhere("idpoor", "u1", numbers=(Number("LOCAL_ID", "u1", "IDPOOR"), CARD)))
    bench.take(elsewhere("nssf", "7", numbers=(Number("NSSF_CARD", "7"), OTHER_CARD)))
    told = {r.registry: r for r in bench.store.read_now(lambda c: list(reports(c, bench.crosswalk)))}
    assert set(told) == {"nssf", "idpoor", "spr"}
    assert told["nssf"].owner == "KH-SANDBOX/GOV/NSSF/MEMBERS"
    assert told["nssf"].event.event_type == "DUPLICATE"
    assert "012345678" not in str(told["nssf"].event)
    assert "999999999" not in str(told["idpoor"].event)
    for each in told.values():
        validate("cambodia/crosswalk-finding", "1.0.0", each.event.record)


def test_what_a_human_decided_stays_decided(bench: Bench) -> None:
    record = elsewhere("nssf", "7", born="", village="")
    bench.take(SOPHEA, record)
    [shown] = bench.waiting()
    bench.decide(shown.id, "same", reason="saw the card")
    assert bench.person_of("nssf", "7") == "AAAA-0001"
    # Another record, and other facts, do not take the place.
    bench.take(elsewhere("nssf", "8", numbers=(CARD,)), replace(record, given="ចន្ទ្រា"))
    assert bench.person_of("nssf", "7") == "AAAA-0001"
    assert bench.state_of("nssf", "8") == "review"
    [kept] = [each for each in bench.of("AAAA-0001") if each.state == "linked"]
    assert (kept.basis, kept.by, kept.reason) == ("human", "sokha", "saw the card")


def test_what_a_human_refused_is_never_linked_again(bench: Bench) -> None:
    bench.take(SOPHEA, elsewhere("pmrs", "P1"))
    [shown] = bench.of("AAAA-0001")
    bench.decide(shown.id, "different")
    assert bench.person_of("pmrs", "P1") is None
    bench.take(elsewhere("pmrs", "P1", numbers=(CARD,)))
    assert bench.person_of("pmrs", "P1") is None
    [was] = bench.store.read_now(lambda c: history(c, bench.crosswalk, shown.id))
    assert (was["state"], was["by"]) == ("linked", "spr 1.0.0")


def test_a_pair_that_changed_since_it_was_shown_is_not_decided(bench: Bench) -> None:
    bench.take(SOPHEA, elsewhere("nssf", "7", born="", village=""))
    [shown] = bench.waiting()
    bench.take(elsewhere("nssf", "7", born="", village="", given="ចន្ទ្រា"))
    with pytest.raises(ReviewError, match="changed since"):
        bench.decide(shown.id, "same")


@pytest.mark.parametrize("pair", ["", "x", "999-abcdef", "1; DROP TABLE"])
def test_what_is_no_pair_is_not_decided(bench: Bench, pair: str) -> None:
    with pytest.raises(ReviewError):
        bench.decide(pair, "same")


def test_a_crowd_in_one_block_is_no_candidate(bench: Bench) -> None:
    bench.take_all([entry(f"{number:04d}-0000", sex="") for number in range(250)])
    assert bench.waiting() == []
    bench.take(elsewhere("pmrs", "P1"))
    assert bench.state_of("pmrs", "P1") == "open"


def test_nothing_on_the_disk_can_be_read(bench: Bench) -> None:
    bench.take(SOPHEA, elsewhere("pmrs", "P-7777", numbers=(CARD,)), elsewhere("nssf", "88888", born="", village=""))
    [shown] = bench.waiting()
    bench.decide(shown.id, "same", reason="because of Bopha")
    data = b"".join(each.read_bytes() for each in bench.file.parent.glob("crosswalk.sqlite*"))
    for value in (
        "សុភា",
        "កែវ",
        "Sophea",
        "AAAA-0001",
        "012345678",
        "P-7777",
        "88888",
        "1990-03-21",
        "12040911",
        "Bopha",
    ):
        assert value.encode() not in data


def test_records_of_the_standard_are_taken_as_events_bring_them(bench: Bench) -> None:
    name = {"surname": "កែវ", "given_name": "សុភា"}
    person = {
        "identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": "P1"}],
        "name": name,
        "sex": "female",
        "birth_date": "1990-03-21T00:00:00+07:00",
        "address": [{"country_code": "KH", "village_code": "12040911"}],
    }
    bench.take(SOPHEA)
    taken = bench.write(lambda c: bench.crosswalk.take(c, "pmrs", person, AT))
    assert (taken.linked, bench.person_of("pmrs", "P1")) == (1, "AAAA-0001")
    with pytest.raises(ConfigError, match="registries"):
        bench.write(lambda c: bench.crosswalk.take(c, "bank", person, AT))


@pytest.mark.parametrize(
    "record",
    [
        {}, {"identifier": "P1"}, {"identifier": [{"identifier_type": "LOCAL_ID"}]}, {"identifier": [None, 3]},
        {"identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": "P1"}], "birth_date": "9999-99-99"},
        {"identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": "P1"}], "birth_year": True, "name": {}},
        {"identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": "\ud800"}]},
    ],
)  # fmt: skip
def test_strange_records_stop_nothing(bench: Bench, record: dict[str, object]) -> None:
    bench.take(SOPHEA)
    taken = bench.write(lambda c: bench.crosswalk.take(c, "pmrs", record, AT))
    assert taken.linked == 0


def test_postgresql_holds_a_crosswalk_too(tmp_path: Path, postgresql_url: str) -> None:
    bench = Bench(tmp_path, postgresql_url)
    bench.take(elsewhere("pmrs", "P1"), SOPHEA, elsewhere("nssf", "7", born="", village=""), SOPHEA)
    assert bench.person_of("pmrs", "P1") == "AAAA-0001"
    [shown] = bench.waiting()
    bench.decide(shown.id, "different")
    assert bench.state_of("nssf", "7") == "open"
    bench.store.database.close()
