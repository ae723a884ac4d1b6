import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import contracts
from adapters.accesslog import AccessEntry, AccessStore, Outcome, find_accesses, load_key
from adapters.accesslog.store import CROWD
from adapters.errors import AccessLogError
from adapters.subjects import PersonId
from tests.support.adapters import CLIENT, expression, search_item, search_message
from tests.support.registry import RELEASE, RULE, make_adapter, running

P1 = {"type": "LOCAL_ID", "value": "p1"}
GROUND = {"ts": "2026-01-22T09:00:00+07:00", "purpose": {"code": "ELIGIBILITY", "ref_uri": "https://example.test/x"}}
NARROW = RULE | {"for": ["ELIGIBILITY"], "basis": "authorize", "ask_by": ["LOCAL_ID", "SPID"], "fields": ["name"]}
HEADERS = {"Content-Type": "application/json", "X-Road-Client": CLIENT}
OTHER = "KH-SANDBOX/GOV/NSSF/MEMBERS"


def release(*rules: dict[str, Any]) -> dict[str, Any]:
    return RELEASE | {"give": list(rules)}


def accesses(folder: Path, kind: str, value: str) -> list[Any]:
    key = load_key(folder / "access.key", config="adapter.yaml")
    return list(find_accesses(folder / "access.sqlite", key, [PersonId(kind, value)]))


def contents(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.glob("access.sqlite*"))


def modes(folder: Path) -> dict[str, int]:
    return {each.name: each.stat().st_mode & 0o777 for each in folder.glob("access.sqlite*")}


async def test_only_what_is_declared_leaves_and_the_rest_is_named(tmp_path: Path) -> None:
    fields = ["name", "identifier[identifier_type=LOCAL_ID]"]
    async with running(make_adapter(tmp_path, release=release(NARROW | {"fields": fields}))) as caller:
        status, answer = await caller.post(search_message(search_item(P1, authorize=GROUND)))
    assert status == 200
    contracts.validate("dci/sync-search-response", "1.0.0", answer)
    [result] = answer["message"]["search_response"]
    assert result["data"]["reg_records"] == [
        {
            "identifier": [{"identifier_type": "LOCAL_ID", "identifier_value": "p1"}],
            "name": {"given_name_latin": "Dara"},
        }
    ]
    contracts.validate("cambodia/person", "1.0.0", result["data"]["reg_records"][0], partial=True)
    assert answer["header"]["meta"]["release"] == [
        {
            "reference_id": "r-1",
            "purpose": "ELIGIBILITY",
            "given": fields,
            "withheld": ["birth_date", "identifier[identifier_type!=LOCAL_ID]", "sex"],
            "records_withheld": 0,
        }
    ]


async def test_without_a_declaration_nothing_is_given(tmp_path: Path) -> None:
    for place, rules in enumerate(((), (RULE | {"to": [OTHER]},))):
        folder = tmp_path / str(place)
        folder.mkdir()
        async with running(make_adapter(folder, release=release(*rules))) as caller:
            status, answer = await caller.post(search_message(search_item(P1)))
        assert (status, answer["errors"][0]["code"]) == (403, "err.request.forbidden")
        [entry] = accesses(folder, "LOCAL_ID", "p1")
        assert (entry.outcome, entry.reason, entry.given) == ("refused", "err.request.forbidden", ())


async def test_a_service_without_a_release_file_gives_nothing(tmp_path: Path) -> None:
    path = make_adapter(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"release: release.yaml", b""))
    async with running(path) as caller:
        assert (await caller.post(search_message(search_item(P1))))[0] == 403


@pytest.mark.parametrize(
    "item",
    [
        search_item(P1),
        search_item(P1, authorize=GROUND | {"purpose": {"code": "CURIOSITY", "ref_uri": "https://example.test/x"}}),
        search_item(P1, authorize={"ts": GROUND["ts"], "purpose": {"code": "ELIGIBILITY"}}),
        search_item(expression({"LOCAL_ID": "p1", "sex": "male"}), "expression", authorize=GROUND),
        search_item(P1, authorize=GROUND, sort=[{"attribute_name": "age"}]),
        search_item(P1, authorize=GROUND, version="9.0.0"),
        search_item(
            [
                {
                    "expression1": {"attribute_name": "LOCAL_ID", "operator": "eq", "attribute_value": "p1"},
                    "condition": "not",
                    "expression2": {"attribute_name": "age", "operator": "gt", "attribute_value": 40},
                }
            ],
            "predicate",
            authorize=GROUND,
        ),
    ],
    ids=[
        "no purpose",
        "another purpose",
        "no ground",
        "another attribute",
        "another order",
        "another version",
        "in a predicate",
    ],
)
async def test_what_the_declaration_does_not_allow_is_refused_and_recorded(
    tmp_path: Path, item: dict[str, Any]
) -> None:
    async with running(make_adapter(tmp_path, release=release(NARROW))) as caller:
        [result] = await caller.results(search_message(item))
    assert (result["status"], result["status_reason_code"]) == ("rjct", "rjct.search_criteria.invalid")
    [entry] = accesses(tmp_path, "LOCAL_ID", "p1")
    assert (entry.client, entry.outcome, entry.given, entry.records) == (CLIENT, "refused", (), 0)


def consent(value: str, kind: str = "LOCAL_ID", days: int = 30) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "ts": now.isoformat(),
        "purpose": {"code": "ELIGIBILITY"},
        "given_by": {"identifier_type": kind, "identifier_value": value},
        "valid_until": (now + timedelta(days=days)).isoformat(),
    }


async def test_a_consent_covers_the_records_of_who_gave_it(tmp_path: Path) -> None:
    rule = NARROW | {"basis": "consent", "consent_days": 60}
    both = expression({"LOCAL_ID": {"$in": ["p1", "p3"]}})
    async with running(make_adapter(tmp_path, release=release(rule))) as caller:
        _status, answer = await caller.post(
            search_message(search_item(both, "expression", consent=consent("c3", "SPID")))
        )
        [result] = answer["message"]["search_response"]
        assert result["data"]["reg_records"] == [{"name": {"given_name_latin": "Bopha"}}]
        assert answer["header"]["meta"]["release"][0]["records_withheld"] == 1
        for given in (consent("p1", days=90), consent("p1", days=-1), {"ts": GROUND["ts"]}):
            [refused] = await caller.results(search_message(search_item(P1, consent=given)))
            assert refused["status_reason_code"] == "rjct.search_criteria.invalid"
    entry = accesses(tmp_path, "SPID", "c3")[0]
    assert (entry.basis, entry.purpose, entry.given) == ("consent", "ELIGIBILITY", ("name",))


async def test_the_record_finds_a_person_by_any_identifier_and_holds_no_value(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        await caller.post(search_message(search_item(P1)), headers=HEADERS | {"X-Road-Id": "exchange-1"})
        await caller.results(search_message(search_item({"type": "SPID", "value": "nobody"})))
    for kind, value in (("LOCAL_ID", "p1"), ("SPID", "c1"), ("SPID", "c2")):
        [entry] = accesses(tmp_path, kind, value)
        assert (entry.service, entry.operation, entry.xroad_id) == ("person", "/registry/sync/search", "exchange-1")
        assert (entry.outcome, entry.records, entry.asked_by) == ("given", 1, ("LOCAL_ID",))
        assert entry.given == ("identifier", "name", "sex", "birth_date")
    assert [entry.outcome for entry in accesses(tmp_path, "SPID", "nobody")] == ["nothing"]
    assert accesses(tmp_path, "SPID", "c3") == []
    assert accesses(tmp_path, "KHM_ID", "p1") == []
    data = contents(tmp_path)
    for kept in (b"Dara", b"1980", b'"p1"', b"nobody", b"m-1", b"t-1", b"r-1"):
        assert kept not in data


async def test_words_of_a_caller_are_not_written_down(tmp_path: Path) -> None:
    odd = search_item(expression({"LOCAL_ID": "p1", "SENSITIVE-NAME": 1}), "expression")
    purpose = search_item(P1, authorize={"purpose": {"code": "SENSITIVE-PURPOSE", "text": "SENSITIVE-TEXT"}})
    message = search_message(odd, purpose | {"reference_id": "SENSITIVE-REFERENCE"})
    async with running(make_adapter(tmp_path)) as caller:
        await caller.post(message, headers=HEADERS | {"X-Road-Id": "SENSITIVE ID"})
    assert [entry.asked_by for entry in accesses(tmp_path, "LOCAL_ID", "p1")] == [("LOCAL_ID",)] * 2
    assert b"SENSITIVE" not in contents(tmp_path)


async def test_no_answer_leaves_that_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_arguments: object) -> None:
        raise AccessLogError("the disk is full")

    async with running(make_adapter(tmp_path)) as caller:
        monkeypatch.setattr(AccessStore, "append", full)
        status, answer = await caller.post(search_message(search_item(P1)))
    assert (status, answer["errors"][0]["code"]) == (503, "err.service.unavailable")
    assert "Dara" not in json.dumps(answer)


async def test_the_record_is_on_disk_before_the_answer(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        await caller.results(search_message(search_item(P1)))
        with closing(sqlite3.connect(tmp_path / "access.sqlite")) as database:
            assert database.execute("SELECT count(*) FROM access").fetchone() == (1,)
            assert database.execute("SELECT count(*) FROM message").fetchone() == (1,)


async def test_what_fails_is_recorded_as_given_to_nobody(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        with closing(sqlite3.connect(tmp_path / "people.sqlite")) as database:
            database.executescript("UPDATE person SET sex = 'X' WHERE id = 'p1'")
        items = [search_item({"type": "LOCAL_ID", "value": "p3"}), search_item(P1) | {"reference_id": "r-2"}]
        assert (await caller.post(search_message(*items)))[0] == 500
    for value in ("p1", "p3"):
        [entry] = accesses(tmp_path, "LOCAL_ID", value)
        assert (entry.outcome, entry.given, entry.records) == ("failed", (), 0)


async def test_old_entries_are_forgotten(tmp_path: Path) -> None:
    path = make_adapter(tmp_path, access_days=10, transaction_days=5)
    async with running(path) as caller:
        await caller.results(search_message(search_item(P1)))
    with closing(sqlite3.connect(tmp_path / "access.sqlite", isolation_level=None)) as database:
        old = (datetime.now(UTC) - timedelta(days=7)).isoformat()
        database.execute("UPDATE access SET at = ?", [old])
        database.execute("UPDATE message SET at = ?", [old])
    async with running(path) as caller:
        await caller.results(search_message(search_item(P1), message_id="second"))
    with closing(sqlite3.connect(tmp_path / "access.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM access").fetchone() == (2,)
        assert database.execute("SELECT count(*) FROM message").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM reference").fetchone() == (1,)


@pytest.mark.parametrize(
    "value", ["p1' OR '1'='1", "p1'; DROP TABLE person; --", "%", "p1\x00", '"p1"', "${p1}", "p1) OR (1=1"]
)
async def test_values_are_values_whatever_stands_in_them(tmp_path: Path, value: str) -> None:
    items = [
        search_item({"type": "LOCAL_ID", "value": value}),
        search_item(expression({"LOCAL_ID": {"$in": [value]}}), "expression") | {"reference_id": "r-2"},
        search_item(expression({f"LOCAL_ID {value}": "p1"}), "expression") | {"reference_id": "r-3"},
        search_item(P1, sort=[{"attribute_name": f"LOCAL_ID; {value}"}]) | {"reference_id": "r-4"},
    ]
    async with running(make_adapter(tmp_path)) as caller:
        results = await caller.results(search_message(*items))
        assert [each.get("data", {}).get("reg_records", []) for each in results[:2]] == [[], []]
        assert [each["status"] for each in results[2:]] == ["rjct", "rjct"]
        [whole] = await caller.results(search_message(search_item(P1)))
    assert whole["pagination"]["total_count"] == 1


async def test_nobody_else_can_read_the_record_nor_what_is_beside_it(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        await caller.post(search_message(search_item(P1)))
        rights = modes(tmp_path)
    assert rights == dict.fromkeys(("access.sqlite", "access.sqlite-wal", "access.sqlite-shm"), 0o600)


async def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = make_adapter(tmp_path)
    async with running(path):
        pass
    (tmp_path / "access.key").chmod(0o640)
    with pytest.raises(Exception, match="chmod 600"):
        async with running(path):
            pass


async def test_many_at_once_are_each_recorded(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        asked = [search_message(search_item(P1), message_id=f"m-{number}") for number in range(2, 22)]
        await asyncio.gather(*(caller.results(each) for each in asked))
    assert len(accesses(tmp_path, "LOCAL_ID", "p1")) == 20


async def test_who_of_the_clients_staff_asked_is_kept_sealed(tmp_path: Path) -> None:
    async with running(make_adapter(tmp_path)) as caller:
        for user in ("clerk ភូមិ 7", "x" * 300, None):
            headers = HEADERS if user is None else HEADERS | {"X-Road-UserId": user}
            await caller.post(search_message(search_item(P1)), headers=headers)
    assert [entry.user for entry in accesses(tmp_path, "LOCAL_ID", "p1")] == ["clerk ភូមិ 7", "x" * 255, ""]
    for hidden in ("clerk", "ភូមិ", "x" * 255):
        assert hidden.encode() not in contents(tmp_path)


@pytest.mark.parametrize("size", [1, CROWD - 1, CROWD, 5 * CROWD])
async def test_each_of_those_whom_an_answer_was_about_finds_it_however_many_they_are(tmp_path: Path, size: int) -> None:
    (tmp_path / "access.key").write_bytes(bytes(range(32)))
    (tmp_path / "access.key").chmod(0o600)
    key = load_key(tmp_path / "access.key", config="adapter.yaml")
    now = datetime.now(UTC)

    def about(number: int, at: datetime, *people: str) -> AccessEntry:
        return AccessEntry(
            at=at, service="s", operation="/registry/notify", client=CLIENT, via="bus", xroad_id=f"x-{number}", user="",
            purpose=None, basis=None, asked_by=(), outcome=Outcome.GIVEN, reason=None, given=("name",), records=size,
            subjects=frozenset(PersonId("SPID", each) for each in people),
        )  # fmt: skip

    async def append(*entries: AccessEntry) -> None:
        store = AccessStore(tmp_path / "access.sqlite", key, access_days=1, transaction_days=1)
        await store.open()
        await store.append(entries, None)
        await store.close()

    people = [f"SENSITIVE-{each}" for each in range(size)]
    await append(about(1, now, *people), about(2, now, "other", people[-1]))
    for each in {people[0], people[size // 2]} - {people[-1]}:
        assert [entry.xroad_id for entry in accesses(tmp_path, "SPID", each)] == ["x-1"]
    assert [entry.xroad_id for entry in accesses(tmp_path, "SPID", people[-1])] == ["x-1", "x-2"]
    assert [entry.xroad_id for entry in accesses(tmp_path, "SPID", "other")] == ["x-2"]
    assert accesses(tmp_path, "SPID", "nobody") == accesses(tmp_path, "KHM_ID", people[0]) == []
    assert b"SENSITIVE" not in contents(tmp_path)
    with closing(sqlite3.connect(tmp_path / "access.sqlite")) as database, database:
        database.execute("UPDATE access SET at = '2020-01-01T00:00:00.000+00:00' WHERE id = 1")
    await append(about(3, now, "new"))  # what is older than declared is forgotten, the people with it
    assert [entry.xroad_id for entry in accesses(tmp_path, "SPID", people[-1])] == ["x-2"]
    with closing(sqlite3.connect(tmp_path / "access.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM crowd").fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM subject").fetchone() == (3,)


TO_1 = "ALTER TABLE access DROP COLUMN user; DROP TABLE crowd; PRAGMA user_version = 1;"
TO_2 = "DROP TABLE crowd; PRAGMA user_version = 2;"


@pytest.mark.parametrize("older", [TO_1, TO_2], ids=["1", "2"])
async def test_a_record_of_a_version_before_is_read_and_written_on(tmp_path: Path, older: str) -> None:
    path = make_adapter(tmp_path)
    async with running(path) as caller:
        await caller.results(search_message(search_item(P1)))
    with closing(sqlite3.connect(tmp_path / "access.sqlite")) as database:
        database.executescript(older)
    assert [entry.user for entry in accesses(tmp_path, "LOCAL_ID", "p1")] == [""]
    async with running(path) as caller:
        await caller.post(search_message(search_item(P1), message_id="m-9"), headers=HEADERS | {"X-Road-UserId": "c7"})
    assert [entry.user for entry in accesses(tmp_path, "LOCAL_ID", "p1")] == ["", "c7"]
    with closing(sqlite3.connect(tmp_path / "access.sqlite")) as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(AccessLogError, match="version 9"):
        accesses(tmp_path, "LOCAL_ID", "p1")
