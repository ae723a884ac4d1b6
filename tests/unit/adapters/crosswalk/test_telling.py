"""What does not fit leaves for its owners, once, each with its own numbers; and their registers take it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.crosswalk import load_definition, messages, reports
from adapters.crosswalk.people import Number
from adapters.errors import ConfigError
from adapters.events import Outgoing, open_events
from adapters.events.model import Status
from adapters.events.notification import read_element
from adapters.services import PROGRAMMES
from adapters.synthetic.registers import idpoor, nssf
from adapters.writing import Writer, load_write
from contracts import validate
from tests.support.crosswalk import AT, DECLARATION, KEY, Bench, elsewhere, entry

OWN = {"nssf": "999999999", "idpoor": "012345678"}
SCHEMAS = {"nssf": nssf.SCHEMA, "idpoor": idpoor.SCHEMA}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """One person whom two registries have under two numbers."""
    made = Bench(tmp_path)
    there = (Number("LOCAL_ID", "u1", "IDPOOR"), Number("KHM_ID", OWN["idpoor"]))
    made.take(entry("AAAA-0001"), elsewhere("idpoor", "u1", numbers=there))
    made.take(elsewhere("nssf", "7", numbers=(Number("NSSF_CARD", "7"), Number("KHM_ID", OWN["nssf"]))))
    yield made
    made.store.database.close()


def told(bench: Bench) -> dict[str, Outgoing]:
    found = bench.store.read_now(lambda c: list(reports(c, bench.crosswalk)))
    made = messages(found, bench.crosswalk.definition, KEY, service="crosswalk", reg_type="Social")
    return {each.receiver: each for each in made}


def test_each_owner_with_a_service_is_told_its_own_number_and_it_is_recorded(bench: Bench) -> None:
    sent = told(bench)
    assert set(sent) == {"KH-SANDBOX/GOV/NSSF/MEMBERS/findings", "KH-SANDBOX/GOV/MOP/IDPOOR/findings"}
    at_fund = sent["KH-SANDBOX/GOV/NSSF/MEMBERS/findings"]
    validate("dci/notify-event", "1.0.0", at_fund.body)
    assert OWN["nssf"] in str(at_fund.body)
    assert OWN["idpoor"] not in str(at_fund)
    assert at_fund.access is not None
    assert ["KHM_ID", OWN["nssf"]] in at_fund.access["subjects"]
    assert at_fund.access["purpose"] == "DUPLICATE_CHECK"


def test_a_record_that_is_linked_later_does_not_rename_what_was_told(bench: Bench) -> None:
    before = {each.key for each in told(bench).values()}
    bench.take(elsewhere("pmrs", "P1", numbers=(Number("LOCAL_ID", "P1", "PMRS"), Number("KHM_ID", OWN["idpoor"]))))
    assert before <= {each.key for each in told(bench).values()}


@pytest.mark.parametrize("programme", ["nssf", "idpoor"])
def test_the_owners_register_takes_it_once(bench: Bench, tmp_path: Path, programme: str) -> None:
    path = tmp_path / f"{programme}.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(SCHEMAS[programme])
    receiver = str(bench.crosswalk.definition.registries[programme].tell)
    event = read_element(told(bench)[receiver].body)
    store = open_events(f"sqlite:///{path}", KEY, config=programme)
    writer = Writer("findings", load_write(PROGRAMMES / programme / "findings.write.yaml"), KEY)
    for _ in range(2):
        [result] = store.write_now(lambda c: writer.receive(c, "KH-SANDBOX/GOV/SPR/REGISTRY", [event], AT))
        assert result.status is Status.SUCCEEDED, result.message
    store.database.close()
    with closing(sqlite3.connect(path)) as database:
        [row] = database.execute("SELECT finding, state, id_card_no FROM spr_finding")
    assert row == ("TWO_ID", "?", OWN[programme])


def test_findings_go_to_nobody_but_the_owner(tmp_path: Path) -> None:
    text = DECLARATION.read_text(encoding="utf-8")
    path = tmp_path / "crosswalk.yaml"
    path.write_text(text.replace("tell: KH-SANDBOX/GOV/NSSF/MEMBERS", "tell: KH-SANDBOX/GOV/MOP/IDPOOR"))
    with pytest.raises(ConfigError, match=r"registries\.nssf\.tell"):
        load_definition(path)
