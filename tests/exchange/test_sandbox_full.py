"""The full sandbox: nine institutions in few processes, and all stories told in it by real questions and events."""

import json
import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from spean.usage_sandbox import STORIES
from tests.support.sandboxes import Sandbox, environment, sandbox, spean

MEMBERS = {"MOP", "NSSF", "NSAF", "NPCA", "MOEYS", "SFIS", "MOSVY", "SPR", "DSPP"}
MOST_MEBIBYTES = 1536
# Two cores tell two stories at once; these do not meet. A database that is put back meets everybody: it comes last.
TOGETHER = (("once-only", "no-spid"), ("register", "grievance"), ("change", "duplicates"), ("reconcile",))
FACTS = {
    "register": r"People at NSSF: 3, each once\.",
    "change": r"sent \d{8}, there \d{8}, kept local",
    "grievance": r"T\d{9}: solved  \S",
    "duplicates": r"\n +0 to be told now, ",
    "reconcile": r"\n +3 ",
}


@pytest.mark.timeout(300)  # one sandbox for seven stories: to start it is what takes long
def test_nine_institutions_run_and_the_stories_come_out_as_expected(tmp_path: Path) -> None:
    with sandbox(tmp_path / "sandbox", "--full", "--households", "150") as running:
        check_report(running.report)
        check_every_adapter_is_well(running.report)
        check_memory(running)
        told = {name: text for together in TOGETHER for name, text in told_together(together, running.folder)}
        assert set(told) == set(STORIES)
        check_once_only(told["once-only"], running.report["stories"]["once-only"]["spid"])
        check_no_spid(told["no-spid"])
        for name, fact in FACTS.items():
            assert re.search(fact, told[name]), told[name]
        check_a_stranger_is_refused(running)
        check_logs_say_which_server(running.folder)
        assert running.stop() == 0


def check_report(report: Any) -> None:
    assert report["kind"] == "full"
    assert {server["id"].split("/")[2] for server in report["security_servers"]} == MEMBERS
    assert len({server["message_address"] for server in report["security_servers"]}) == len(MEMBERS)
    assert len(report["adapters"]) == 27
    assert len({each["programme"] for each in report["adapters"]}) == 11
    assert {each["programme"] for each in report["sources"]} == {"pmrs", "mosvy-disability"}


def check_every_adapter_is_well(report: Any) -> None:
    for address in {each["health"] for each in report["adapters"]}:
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310 - our own address
            assert json.load(answer)["status"] == "ok"


def check_memory(running: Sandbox) -> None:
    report = running.report
    parts = [report["authority"], report["central_server"], *report["security_servers"], *report["adapters"]]
    pids = {part["pid"] for part in [*parts, *report["sources"]]} | {running.process.pid}
    kibibytes = [
        int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))[0]) for pid in pids
    ]
    assert sum(kibibytes) / 1024 < MOST_MEBIBYTES


def start_telling(name: str, folder: Path) -> subprocess.Popen[str]:
    words = spean("sandbox", "demo", "--story", name, "--dir", str(folder))
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())


def told_together(names: tuple[str, ...], folder: Path) -> list[tuple[str, str]]:
    tellings = [start_telling(name, folder) for name in names]
    return list(zip(names, [finished(each) for each in tellings], strict=True))


def finished(telling: subprocess.Popen[str]) -> str:
    with telling:
        output, _ = telling.communicate(timeout=180)
    assert telling.returncode == 0, output
    assert "✗" not in output
    return output


def check_once_only(told: str, spid: str) -> None:
    """Each item is shown with its source, the family is asked once, and the citizen sees who looked."""
    assert spid in told
    form = told.split("7. NSAF fills the form")[1].split("8. ", maxsplit=1)[0]
    sources = set(re.findall(r"← (.+?) · ", form))
    assert sources == {
        "Social Protection Registry",
        "Ministry of Planning",
        "Ministry of Social Affairs, Veterans and Youth Rehabilitation",
        "National Payment Certification Agency",
    }
    assert len(re.findall("←", form)) == len(re.findall(r"^   \S.+ · .+: ", form, re.MULTILINE))
    assert "Asked again: nothing." in told
    asked = told.split("8. ")[1]
    assert asked.count("KH-SANDBOX/GOV/NSAF/FAMILY-PACKAGE, clerk-7  KH-SANDBOX/GOV/") == 5


def check_no_spid(told: str) -> None:
    assert "Nobody: she has no SPID. She is not sent away." in told
    assert told.count("identity card: none") == 2
    assert "no card yet" in told
    looked = told.split("spean access-report")[1]
    assert (
        looked.count("KH-SANDBOX/GOV/NSAF/FAMILY-PACKAGE, clerk-7  KH-SANDBOX/GOV/") == 4
    )  # she was asked about four times
    assert "KHR" in told


def check_a_stranger_is_refused(running: Sandbox) -> None:
    """The platform has a right to ask the registry, and none to ask the patient system for pregnancies."""
    url = running.server("DSPP")["client_http"]
    services = {(each["programme"], each["service_code"]): each for each in running.report["adapters"]}
    path = services["pmrs", "pregnancies"]["path_on_the_bus"]
    request = urllib.request.Request(f"{url}{path}", b"{}", {"X-Road-Client": "KH-SANDBOX/GOV/DSPP/PORTAL"})  # noqa: S310 - our own address
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)  # noqa: S310 - as above
    with refused.value as answer:
        assert answer.headers["X-Road-Error"] == "Server.ServerProxy.AccessDenied"


def check_logs_say_which_server(folder: Path) -> None:
    lines = [json.loads(line) for line in (folder / "logs" / "nodes-1.log").read_text().splitlines()]
    servers = {line["server"] for line in lines if line["event"] == "exchange"}
    assert {"KH-SANDBOX/GOV/NSAF/SS1", "KH-SANDBOX/GOV/MOP/SS1"} <= servers
