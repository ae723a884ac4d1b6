"""An operator makes an authority, issues and revokes with it, and gets a sentence for each mistake."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from spean.cli import main


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    folder = tmp_path / "authority"
    assert main(["authority", "init", str(folder), "--name", "Pilot CA", "--url", "http://ca.example.test:8888/"]) == 0
    return folder


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "MOP")])
    csr = x509.CertificateSigningRequestBuilder(name).sign(key, hashes.SHA256())
    path = tmp_path / "mop.csr"
    path.write_bytes(csr.public_bytes(Encoding.PEM))
    return path


def sign(authority: Path, request: Path, out: Path) -> int:
    return main(["authority", "sign", str(authority), str(request), "--usage", "sign", "--out", str(out)])


def test_the_pin_is_random_and_only_its_owner_reads_it(authority: Path) -> None:
    pin = authority.with_name("authority.pin")
    assert stat.S_IMODE(pin.stat().st_mode) == 0o600
    assert len(pin.read_text().strip()) >= 20


def test_what_others_need_of_the_authority_holds_no_secret(authority: Path) -> None:
    public = authority.with_name("authority-public")
    assert {path.name for path in public.iterdir()} == {"ca.pem", "ocsp.pem", "tsa.pem", "url"}
    assert not any(b"PRIVATE" in path.read_bytes() for path in public.iterdir())
    assert (public / "url").read_text() == "http://ca.example.test:8888\n"


def test_a_request_becomes_a_certificate_of_this_authority(authority: Path, request_file: Path, tmp_path: Path) -> None:
    assert sign(authority, request_file, tmp_path / "mop.pem") == 0
    certificate = x509.load_pem_x509_certificate((tmp_path / "mop.pem").read_bytes())
    root = x509.load_pem_x509_certificate((authority.with_name("authority-public") / "ca.pem").read_bytes())
    certificate.verify_directly_issued_by(root)


def test_a_certificate_is_never_written_over_another(
    authority: Path, request_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mop.pem").write_text("precious")
    assert sign(authority, request_file, tmp_path / "mop.pem") == 1
    assert (tmp_path / "mop.pem").read_text() == "precious"
    assert "exists already" in capsys.readouterr().err


def test_a_certificate_is_revoked_once(
    authority: Path, request_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sign(authority, request_file, tmp_path / "mop.pem")
    revoke = ["authority", "revoke", str(authority), str(tmp_path / "mop.pem"), "--reason", "keyCompromise"]
    assert main(revoke) == 0
    assert main(revoke) == 1
    assert "is revoked already" in capsys.readouterr().err


@pytest.mark.parametrize(
    "mistake",
    ["no authority", "no request", "a request that is none", "a PIN that everyone reads", "a second authority"],
)
def test_a_mistake_is_told_in_one_line_without_a_traceback(
    mistake: str, authority: Path, request_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    match mistake:
        case "no authority":
            code = sign(tmp_path / "nowhere", request_file, tmp_path / "out.pem")
        case "no request":
            code = sign(authority, tmp_path / "nothing.csr", tmp_path / "out.pem")
        case "a request that is none":
            request_file.write_text("hello")
            code = sign(authority, request_file, tmp_path / "out.pem")
        case "a PIN that everyone reads":
            authority.with_name("authority.pin").chmod(0o644)
            code = sign(authority, request_file, tmp_path / "out.pem")
        case _:
            code = main(["authority", "init", str(authority)])
    told = capsys.readouterr().err
    assert code == 1
    assert told.startswith("spean: ")
    assert told.count("\n") == 1
    assert "Traceback" not in told
