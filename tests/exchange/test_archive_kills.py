"""Killed with SIGKILL anywhere in its code, the archiver leaves neither a gap nor a duplicate."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from securityserver.archiving.verification import in_link_order, verify_chain, verify_file
from tests.support.archives import archived, files_in_ledger, links, marks, node_database
from xroad.asic.builder import file_name

ROOT = Path(__file__).resolve().parents[2]
PLACES = 24


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in archived(directory)}


def containers(directory: Path) -> list[str]:
    chain = verify_chain(in_link_order(map(verify_file, archived(directory))))
    return [name for archive in chain for name in ZipFile(archive.file).namelist() if name.endswith(".asice")]


def test_killed_anywhere_it_leaves_neither_a_gap_nor_a_duplicate(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.support.archive_kills", str(tmp_path), str(PLACES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.splitlines()[-1]) >= PLACES  # of the second deaths some come too late
    expected = [file_name(f"q{number}", response=False, number=number + 1) for number in range(5)]
    for place in range(PLACES):
        directory = tmp_path / f"killed-{place:03}"
        assert containers(directory) == expected, place
        assert contents(directory) == contents(tmp_path / "whole"), place
        with node_database(directory) as database:
            assert files_in_ledger(database) == [
                archive.file.name for archive in in_link_order(map(verify_file, archived(directory)))
            ]
            assert (links(database), marks(database)) == ([], [0, 1, 2, 3, 4]), place  # all removed, none forgotten
        assert not any((directory / "work").iterdir()), place
