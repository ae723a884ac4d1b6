"""``spean sandbox up`` runs an instance of seven processes that scripts can drive, stop, and resume."""

import json
import os
import signal
import ssl
import stat
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.sandboxes import Sandbox, environment, sandbox, spean, wait_until
from tests.support.tools import need_tool

PROCESSES = {
    "authority",
    "central",
    "node-mop",
    "node-nssf",
    "node-nsaf",
    "adapter-idpoor",
    "adapter-nssf",
}
# As many households as the stories need; a district's would be made up for seconds.
SMALL = ("--households", "150")


def every_process(report: Any) -> dict[str, int]:
    parts = [report["authority"], report["central_server"], *report["security_servers"], *report["adapters"]]
    return {part["process"]: part["pid"] for part in parts}


def ask(line: str) -> Any:
    need_tool("curl")
    return json.loads(subprocess.run(["bash", "-c", line], check=True, capture_output=True).stdout)


def records(answer: Any) -> list[Any]:
    assert "header" in answer, answer  # a refusal has none
    return [each for item in answer["message"]["search_response"] for each in item["data"]["reg_records"]]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_instance_serves_resumes_with_keys_logs_and_data_and_leaves_no_server(tmp_path: Path) -> None:
    folder = tmp_path / "sandbox"
    with sandbox(folder, *SMALL) as first:
        before = first.report
        check_processes(before)
        check_files(folder)
        check_curl_lines(first)
        check_https(first)
        check_that_a_second_one_is_refused(folder)
        assert first.stop() == 0
    check_that_other_ports_are_refused(folder, before["base_port"] + 1000)
    assert not any(alive(pid) for pid in every_process(before).values())
    keys = sorted((folder / "nodes").rglob("keys/*.pem"))
    logged = (folder / "logs" / "node-nsaf.log").stat().st_size
    with sandbox(folder, *SMALL) as second:
        after = second.report
        assert after["base_port"] == before["base_port"]
        assert after["example"] == before["example"]
        assert sorted((folder / "nodes").rglob("keys/*.pem")) == keys
        check_membership(second)
        wait_until(lambda: (folder / "logs" / "node-nsaf.log").stat().st_size > logged, 5)
        check_that_a_server_that_dies_is_told_and_none_outlives(second)
    assert exchanges_logged(folder) == 2 * exchanges_of_one_run()


def check_processes(report: Any) -> None:
    processes = every_process(report)
    assert set(processes) == PROCESSES
    for pid in processes.values():
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert words[1:3] == [b"-m", b"spean"]
    servers = report["security_servers"]
    assert len({server["message_port"] for server in servers}) == len(servers)
    assert {server["message_address"].split(":")[1] for server in servers} == {str(report["message_port"])}
    assert all(Path(server["data_directory"]).is_dir() for server in servers)
    assert Path(report["central_server"]["anchor"]).is_file()
    assert {each["service"] for each in report["adapters"]} == {
        "KH-SANDBOX/GOV/MOP/IDPOOR/household",
        "KH-SANDBOX/GOV/NSSF/MEMBERS/membership",
    }


def check_files(folder: Path) -> None:
    """PINs are in files that only their owner reads, in a folder that only its owner enters, and in no log."""
    pins = list(folder.rglob("*.pin"))
    assert len(pins) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in pins} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    logs = "".join(path.read_text() for path in (folder / "logs").iterdir())
    assert not any(path.read_text().strip() in logs for path in pins)


def check_curl_lines(running: Sandbox) -> None:
    check_household(running)
    check_membership(running)


def check_household(running: Sandbox) -> None:
    """Once in a sandbox: a message that comes again is refused."""
    household, _ = running.curl_lines()
    card = running.report["example"]["equity_card"]
    [group] = records(ask(household))
    assert card in {each["identifier_value"] for each in group["group_identifier"]}
    assert group["poverty_level"]


def check_membership(running: Sandbox) -> None:
    _, membership = running.curl_lines()
    assert records(ask(membership))


def exchanges_of_one_run() -> int:
    return 2  # the two curl lines


def exchanges_logged(folder: Path) -> int:
    """Exchanges that the consumer's log line tells as done, over all runs: the log goes on after a resume."""
    lines = (folder / "logs" / "node-nsaf.log").read_text().splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return sum(event["event"] == "exchange" and event["outcome"] == "ok" for event in events)


def check_https(running: Sandbox) -> None:
    """The HTTPS port shows the certificate that the report names; without a client's own certificate it ends there."""
    server = running.server("NSAF")
    context = ssl.create_default_context(cafile=server["client_https_certificate"])
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(server["client_https"], context=context, timeout=10)  # noqa: S310 - our own address
    with refused.value as answer:
        assert answer.headers["X-Road-Error"]


def up(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = spean("sandbox", "up", "--dir", str(folder), *options)
    return subprocess.run(words, capture_output=True, text=True, env=environment(), check=False, timeout=60)


def check_that_a_second_one_is_refused(folder: Path) -> None:
    again = up(folder)
    assert again.returncode == 1
    assert "A sandbox is running in" in again.stderr
    assert "Traceback" not in again.stderr


def check_that_other_ports_are_refused(folder: Path, base_port: int) -> None:
    again = up(folder, "--base-port", str(base_port))
    assert again.returncode == 2
    assert "was made with --base-port" in again.stderr


def check_that_a_server_that_dies_is_told_and_none_outlives(running: Sandbox) -> None:
    pids = every_process(running.report)
    os.kill(pids["adapter-nssf"], signal.SIGKILL)
    wait_until(lambda: "adapter-nssf ended with code -9" in running.output, 10)
    told = running.output.split("adapter-nssf ended")[1]
    assert str(running.folder / "logs" / "adapter-nssf.log") in told
    assert "Start it again with: spean adapter serve" in told
    assert all(alive(pid) for name, pid in pids.items() if name != "adapter-nssf")
    check_household(running)
    running.process.kill()
    wait_until(lambda: not any(alive(pid) for pid in pids.values()), 20)


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    ended = up(folder)
    assert ended.returncode == 1
    assert "not a whole sandbox" in ended.stderr
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]
