"""``spean sandbox demo`` tells the whole story, ends well, leaves nothing behind, and fails when something differs."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

from tests.support.sandboxes import environment, spean

# As many households as the stories need; a district's would be made up for seconds.
SMALL = ("--households", "150")


def demo(temporary: Path, *options: str) -> subprocess.CompletedProcess[str]:
    surroundings = environment() | {"TMPDIR": str(temporary)}
    return subprocess.run(
        spean("sandbox", "demo", *options), capture_output=True, text=True, env=surroundings, check=False, timeout=100
    )


def test_the_story_comes_out_as_expected_and_leaves_nothing(tmp_path: Path) -> None:
    told = demo(tmp_path, *SMALL)
    assert told.returncode == 0, told.stdout + told.stderr
    assert re.findall(r"^(\d)\. ", told.stdout, re.MULTILINE) == ["1", "2", "3", "4", "5", "6"]
    assert len(re.findall(r"^   ✓ \d+\.\d\d s$", told.stdout, re.MULTILINE)) == 6
    assert "Server.ServerProxy.AccessDenied" in told.stdout
    assert "InvalidSignatureValue" in told.stdout
    assert "The evidence of the two sides agrees" in told.stdout
    assert told.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_the_story_that_goes_wrong_says_what_differed(tmp_path: Path) -> None:
    """The ministry's adapter dies after the start."""
    folder = tmp_path / "sandbox"
    with subprocess.Popen(
        spean("sandbox", "demo", *SMALL, "--dir", str(folder)),
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("2. "):
                break
            kill_when_started(folder, line)
        rest = process.stdout.read()
    assert process.returncode == 1
    assert "expected 200, came 500" in rest
    assert "Verdict: something came out differently." in rest


def kill_when_started(folder: Path, line: str) -> None:
    """Kill the ministry's adapter at the end of the first step."""
    if line.startswith("   ✓"):
        report = json.loads((folder / "sandbox.json").read_text())
        os.kill(next(each["pid"] for each in report["adapters"] if each["programme"] == "idpoor"), signal.SIGKILL)
