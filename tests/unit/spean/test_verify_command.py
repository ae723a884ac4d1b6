"""``spean verify``: exit codes, what it prints, what it trusts, and where it writes."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from spean import cli
from spean.commands import verify
from spean.errors import UsageError
from spean.verifying import printing, reasons, trusting
from spean.verifying.finding import Finding
from spean.verifying.places import expand
from spean.verifying.work import FEW, Task, examine_all
from tests.support.containers import NOW, REQUEST, Sample, files_of, repacked, response_head, sample, stamped_anew
from tests.support.globalconf import shared_parameters, stored_files
from tests.support.pki import AT
from xroad.asic import Outcome

MEMBERS = {"GOV/MOP": ("IDPOOR",), "GOV/NSAF": ("FAMILY-PACKAGE",)}


def configuration() -> Mapping[str, bytes]:
    return stored_files(shared_parameters(sample().pki, members=MEMBERS))


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    root = tmp_path / "verificationconf"
    for name, content in configuration().items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def written(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def altered(made: Sample) -> bytes:
    return repacked(made.data, lambda files: files.update({"attachment1": b"other"}))


@pytest.fixture
def containers(tmp_path: Path) -> Mapping[str, str]:
    answer = sample(head=response_head(), signer=("GOV", "MOP"))
    again = stamped_anew(sample(), sample().parts.signature)
    made = {
        "good": sample().data,
        "again": again.data,
        "answer": answer.data,
        "other": sample(body=b"other").data,
        "bad": altered(sample()),
        "unstamped": sample(stamp="none").data,
        "bare": sample(logged=False).data,
        "broken": b"hello",
    }
    return {name: written(tmp_path, f"{name}.asice", data) for name, data in made.items()}


def run(containers: Mapping[str, str], names: str, conf: Path, *options: str) -> int:
    return cli.main(["verify", *(containers.get(name, name) for name in names.split()), "--conf", str(conf), *options])


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ("good", 0),
        ("bare", 0),
        ("bad", 1),
        ("broken", 1),
        ("unstamped", 2),
        ("/nowhere/at-all.asice", 2),
        ("good unstamped", 2),
        ("bad unstamped", 1),
        ("good again answer", 0),
        ("good other", 1),
    ],
)
def test_exit_codes(containers: Mapping[str, str], conf: Path, names: str, code: int) -> None:
    assert run(containers, names, conf) == code


def test_it_tells_who_signed_what_when_and_by_whose_word(
    containers: Mapping[str, str], conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(containers, "good", conf)
    told = capsys.readouterr().out
    for expected in (
        "KH-SANDBOX/GOV/NSAF",
        "KH-SANDBOX/GOV/NSAF/FAMILY-PACKAGE",
        "KH-SANDBOX/GOV/MOP/IDPOOR/household",
        "request query-1",
        "KH1",
        "case 7",
        "2026-03-14T09:27:53Z",
        "Test TSA",
        "CN=Test Root CA",
        "CN=Test OCSP",
        str(sample_serial()),
    ):
        assert expected in told, expected


def sample_serial() -> int:
    verified = sample().judge().verified
    assert verified is not None
    return verified.signature.certificate.serial_number


def test_a_refusal_has_x_roads_name_and_both_languages(
    containers: Mapping[str, str], conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(containers, "bad", conf)
    told = capsys.readouterr().out
    assert "InvalidSignatureValue" in told
    assert reasons.sentence_for("InvalidSignatureValue").en in told
    assert reasons.sentence_for("InvalidSignatureValue").km in told


def test_a_body_that_is_not_there_is_told(
    containers: Mapping[str, str], conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(containers, "bare", conf)
    assert "not in this container" in capsys.readouterr().out


def test_sides_are_compared(containers: Mapping[str, str], conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(containers, "good again answer", conf)
    assert "2 request(s), 1 response(s): AGREE" in capsys.readouterr().out
    run(containers, "good other", conf)
    assert "DO NOT AGREE" in capsys.readouterr().out


def test_documents_of_two_exchanges_do_not_pass_for_two_sides(
    containers: Mapping[str, str], conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    another = sample(head=REQUEST.head.replace(b"000000000001", b"000000000002"))
    place = written(tmp_path, "another.asice", another.data)
    assert run(containers, f"good {place}", conf) == 0
    assert capsys.readouterr().out.count("nothing to compare it with") == 2
    run(containers, f"good {place}", conf, "--json")
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["agrees"] for each in told if "agrees" in each] == [None, None]


def test_json(containers: Mapping[str, str], conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(containers, "good bad again", conf, "--json")
    good, bad, _, agreement = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (good["outcome"], good["facts"]["member"], good["facts"]["stamp_form"]) == (
        "valid",
        "KH-SANDBOX/GOV/NSAF",
        "batch",
    )
    assert (bad["outcome"], bad["reason"], bad["facts"]) == ("invalid", "InvalidSignatureValue", None)
    assert agreement["agrees"] is True


def test_a_time_can_be_given_where_there_is_no_time_stamp(
    containers: Mapping[str, str], conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(containers, "unstamped", conf, "--at", AT.isoformat()) == 0
    assert "there is no time-stamp" in capsys.readouterr().out
    assert run(containers, "unstamped", conf, "--at", "2020-01-01T00:00:00Z") == 1
    for wrong in ("yesterday", "2026-01-01T00:00:00"):
        assert run(containers, "unstamped", conf, "--at", wrong) == 2


def test_the_configuration_may_be_a_zip_as_it_is_downloaded(containers: Mapping[str, str], tmp_path: Path) -> None:
    place = tmp_path / "verificationconf.zip"
    with zipfile.ZipFile(place, "w") as archive:
        for name, content in configuration().items():
            archive.writestr(f"verificationconf/{name}", content)
    assert run(containers, "good", place) == 0


def test_an_expired_configuration_serves_for_what_was_signed_then(containers: Mapping[str, str], conf: Path) -> None:
    assert datetime.now(UTC) > AT
    for metadata in conf.rglob("*.metadata"):
        values = json.loads(metadata.read_text())
        metadata.write_text(json.dumps({**values, "expirationDate": "2020-01-01T00:00:00Z"}))
    assert run(containers, "good", conf) == 0


def test_what_is_no_configuration_is_refused(containers: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run(containers, "good", tmp_path / "empty") == 2
    assert run(containers, "good", Path(written(tmp_path, "x.zip", b"hello"))) == 2


def test_two_configurations_at_once_are_refused(conf: Path) -> None:
    (conf / "second").mkdir()
    (conf / "second" / "instance-identifier").write_bytes(b"EE")
    with pytest.raises(UsageError, match="2 of them"):
        trusting.read_files(conf)


def test_links_in_a_configuration_are_not_followed(conf: Path) -> None:
    (conf / "link").symlink_to("/etc/hostname")
    assert "link" not in trusting.read_files(conf)


def test_a_configuration_that_never_ends_is_refused(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusting, "MAX_BYTES", 100)
    with pytest.raises(UsageError, match="more files or bytes"):
        trusting.read_files(conf)


def test_what_holds_is_extracted_and_nothing_else(containers: Mapping[str, str], conf: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    run(containers, "good bad unstamped", conf, "--extract", str(target))
    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*")) == [
        "good",
        "good/attachment1",
        "good/message.xml",
    ]
    assert (target / "good/attachment1").read_bytes() == files_of(sample().data)["attachment1"]
    assert (target / "good/message.xml").stat().st_mode & 0o077 == 0


def test_extraction_overwrites_nothing_and_follows_no_link(
    containers: Mapping[str, str], conf: Path, tmp_path: Path
) -> None:
    target, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    target.mkdir()
    elsewhere.mkdir()
    (target / "good").symlink_to(elsewhere)
    run(containers, "good", conf, "--extract", str(target))
    run(containers, "good", conf, "--extract", str(target))
    assert not list(elsewhere.iterdir())
    assert (target / "good-2/message.xml").exists()
    assert (target / "good-3/message.xml").exists()


@pytest.mark.parametrize("name", ["...asice", ".hidden.asice", "a b\n.asice", "x" * 240 + ".asice"])
def test_a_containers_own_name_leads_nowhere_else(conf: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "out"
    cli.main(["verify", written(tmp_path, name, sample().data), "--conf", str(conf), "--extract", str(target)])
    (folder,) = target.iterdir()
    assert (folder / "message.xml").exists()
    assert not folder.name.startswith(".")


def test_many_are_judged_by_several_processes_in_their_order(tmp_path: Path) -> None:
    paths = []
    for number in range(FEW + 2):
        data = altered(sample()) if number % 7 == 0 else sample().data
        paths.append(Path(written(tmp_path, f"{number}.asice", data)))
    findings = list(examine_all(expand(paths), Task(configuration(), NOW, None, None), processes=2))
    assert [Path(each.path) for each in findings] == paths
    assert [each.outcome is Outcome.INVALID for each in findings] == [number % 7 == 0 for number in range(FEW + 2)]


def test_of_many_only_those_that_do_not_hold_are_shown(
    containers: Mapping[str, str], conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(containers, "good " * (verify.MANY + 1) + "bad", conf)
    told = capsys.readouterr().out
    assert told.count("\n") == 3
    assert f"{verify.MANY + 2} containers: {verify.MANY + 1} valid, 1 invalid, 0 cannot tell" in told
    assert "1 InvalidSignatureValue" in told


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal_and_nothing_elsewhere() -> None:
    findings = [Finding("a", Outcome.VALID)] * 4
    terminal, file = Terminal(), io.StringIO()
    assert list(printing.with_progress(iter(findings), 4, terminal)) == findings
    assert list(printing.with_progress(iter(findings), 4, file)) == findings
    assert "4/4" in terminal.getvalue()
    assert file.getvalue() == ""


def test_names_cannot_rewrite_the_terminal() -> None:
    assert "\x1b" not in printing.line(Finding("\x1b[2J.asice", Outcome.VALID))
    assert "\u202e" not in printing.block(Finding("a\u202eb", Outcome.INVALID, detail="c\rd"))


def test_each_reason_has_a_sentence_in_both_languages() -> None:
    for code in [*reasons.BY_CODE, "SomethingElse"]:
        meaning = reasons.sentence_for(f"MalformedSignature.{code}" if code != "SomethingElse" else code)
        assert meaning.en.endswith(".")
        assert any("\u1780" <= letter <= "\u17ff" for letter in meaning.km)


def test_nothing_is_imported_that_reaches_the_network() -> None:
    # An auditor's machine may be offline, and what is not loaded cannot ask anybody.
    script = (
        "import sys, spean.commands.verify; "
        "sys.exit(any(name in sys.modules for name in ('aiohttp', 'sqlalchemy', 'securityserver')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
